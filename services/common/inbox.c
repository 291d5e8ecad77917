#include "common/inbox.h"

#include <assert.h>
#include <string.h>

#include "proto/io/log.h"

#define PRUNE_EVERY_MS 3600000

enum { STMT_FIND, STMT_PUT, STMT_PRUNE };

static const struct pg_stmt stmts[] = {
    [STMT_FIND] = {"inbox_find",
                   "SELECT answer FROM inbox WHERE message_id = $1", 1,
                   PG_MAYBE, true},
    /* No ON CONFLICT: whoever else did the same request, this batch must not
     * do it again. */
    [STMT_PUT] = {"inbox_put",
                  "INSERT INTO inbox (message_id, answer) VALUES ($1, $2)", 2,
                  PG_NONE, false},
    [STMT_PRUNE] = {"inbox_prune",
                    "DELETE FROM inbox WHERE at < now() - interval '7 days'", 0,
                    PG_NONE, false},
};

static struct inbox_entry *find(struct inbox *in, const void *id, size_t id_len)
{
    for (size_t i = 0; in->inflight_n > 0 && i < INBOX_INFLIGHT_MAX; i++)
        if (in->inflight[i].id_len == id_len &&
            memcmp(in->inflight[i].id, id, id_len) == 0)
            return &in->inflight[i];
    return NULL;
}

static struct inbox_entry *add(struct inbox *in, const void *id, size_t id_len)
{
    for (size_t i = 0; i < INBOX_INFLIGHT_MAX; i++) {
        struct inbox_entry *e = &in->inflight[i];
        if (e->id_len != 0)
            continue;
        memset(e, 0, sizeof *e);
        memcpy(e->id, id, id_len);
        e->id_len = id_len;
        e->inbox = in;
        in->inflight_n++;
        return e;
    }
    return NULL;
}

static void drop(struct inbox_entry *e)
{
    e->id_len = 0;
    e->inbox->inflight_n--;
}

static void on_found(void *data, int status, const PGresult *res)
{
    struct inbox_entry *e = data;
    inbox_cb cb = e->cb;
    void *cb_data = e->data;
    const void *answer = NULL;
    size_t len = 0;

    if (status == LOA_OK && PQntuples(res) == 0) {
        cb(cb_data, LOA_ENOENT, NULL, 0);
        return;
    }
    if (status == LOA_OK)
        answer = pg_get_bytes(res, 0, 0, &len);
    drop(e);
    cb(cb_data, status, answer, len);
}

int inbox_find(struct inbox *in,
               const void *id,
               size_t id_len,
               inbox_cb cb,
               void *data)
{
    struct pg_value value;
    struct inbox_entry *e;
    int rv;

    assert(!in->pg->open_batch);
    if (id_len == 0 || id_len > INBOX_ID_LEN_MAX)
        return LOA_EINVAL;
    if (find(in, id, id_len) != NULL)
        return LOA_ESTALE;
    e = add(in, id, id_len);
    if (e == NULL)
        return LOA_EBUSY;
    e->cb = cb;
    e->data = data;
    value = pg_bytes(id, id_len);
    rv = pg_query(in->pg, &stmts[STMT_FIND], &value, on_found, e);
    if (rv != LOA_OK) {
        pg_abort(in->pg);
        drop(e);
        return rv;
    }
    if (pg_commit(in->pg, NULL, NULL) != LOA_OK)
        log_debug("inbox.find", "text=the connection is being lost");
    return LOA_OK; /* on_found() comes in any case. */
}

static void on_put(void *data, int status)
{
    (void)status; /* The batch's own callback knows what to do. */
    drop(data);
}

int inbox_put(struct inbox *in,
              const void *id,
              size_t id_len,
              const void *answer,
              size_t len)
{
    struct pg_value values[] = {pg_bytes(id, id_len), pg_bytes(answer, len)};
    struct inbox_entry *e = find(in, id, id_len);
    int rv;

    assert(e != NULL && !e->putting);
    rv = pg_query(in->pg, &stmts[STMT_PUT], values, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_after(in->pg, on_put, e);
    if (rv == LOA_OK)
        e->putting = true;
    else
        drop(e);
    return rv;
}

void inbox_drop(struct inbox *in, const void *id, size_t id_len)
{
    struct inbox_entry *e = find(in, id, id_len);

    if (e != NULL && !e->putting)
        drop(e);
}

static void on_prune(uv_timer_t *timer)
{
    struct inbox *in = timer->data;

    if (pg_query(in->pg, &stmts[STMT_PRUNE], NULL, NULL, NULL) != LOA_OK ||
        pg_commit(in->pg, NULL, NULL) != LOA_OK)
        pg_abort(in->pg); /* The next hour does it. */
}

int inbox_open(struct inbox *in, uv_loop_t *loop, struct pg *pg)
{
    int rv;

    memset(in, 0, sizeof *in);
    in->pg = pg;
    rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);
    if (rv != LOA_OK)
        return rv;
    uv_timer_init(loop, &in->prune);
    in->prune.data = in;
    uv_timer_start(&in->prune, on_prune, PRUNE_EVERY_MS, PRUNE_EVERY_MS);
    return LOA_OK;
}

void inbox_close(struct inbox *in)
{
    if (!uv_is_closing((uv_handle_t *)&in->prune))
        uv_close((uv_handle_t *)&in->prune, NULL);
}
