#include "common/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/failpoint.h"
#include "proto/io/log.h"

#define RETRY_MS 50
#define PRUNE_EVERY_MS 3600000

enum { STMT_PUT, STMT_ONE, STMT_PAGE, STMT_PRUNE };

static const struct pg_stmt stmts[] = {
    [STMT_PUT] = {"outbox_put",
                  "INSERT INTO outbox (topic, body, changed_at)"
                  " VALUES ($1, $2, now())"
                  " ON CONFLICT (topic) DO UPDATE"
                  " SET body = excluded.body, changed_at = now()",
                  2, PG_NONE, false},
    [STMT_ONE] = {"outbox_one",
                  "SELECT topic, body FROM outbox WHERE topic = $1", 1,
                  PG_MAYBE, true},
    /* Its LIMIT is OUTBOX_PAGE_ROWS. */
    [STMT_PAGE] = {"outbox_page",
                   "SELECT topic, body FROM outbox WHERE topic > $1"
                   " ORDER BY topic LIMIT 32",
                   1, PG_ROWS, true},
    [STMT_PRUNE] = {"outbox_prune",
                    "DELETE FROM outbox WHERE length(body) = 0"
                    " AND changed_at < now() - interval '1 day'",
                    0, PG_NONE, false},
};
_Static_assert(OUTBOX_PAGE_ROWS == 32, "STMT_PAGE says so too");

static void pump(struct outbox *o);

static void on_retry(uv_timer_t *timer)
{
    pump(timer->data);
}

static void retry_soon(struct outbox *o)
{
    if (!uv_is_active((uv_handle_t *)&o->retry))
        uv_timer_start(&o->retry, on_retry, RETRY_MS, 0);
}

/* When there is no room to remember it, everything is published again. */
static void mark_dirty(struct outbox *o, const char *topic)
{
    for (size_t i = 0; i < o->dirty_n; i++)
        if (strcmp(o->dirty[i], topic) == 0)
            return;
    if (o->dirty_n < OUTBOX_DIRTY_MAX)
        strcpy(o->dirty[o->dirty_n++], topic);
    else
        o->sweep_due = true;
}

static void on_ack(void *data, int status, unsigned reason)
{
    struct outbox_topic *t = data;
    struct outbox *o = t->outbox;

    o->unacked_n--;
    if (status == LOA_OK) {
        o->published_n++;
    } else if (status == LOA_EBUSY) {
        mark_dirty(o, t->topic);
        retry_soon(o);
    } else if (status != LOA_ENOTCONN) { /* Else the next connect repeats it. */
        o->refused_n++;
        log_error("outbox.refused", "topic=%s reason=%u", t->topic, reason);
    }
    t->topic[0] = '\0';
    /* Also after a refusal: it may have been the last of a sweep's page. */
    if (status != LOA_EBUSY && status != LOA_ENOTCONN)
        pump(o);
}

static struct outbox_topic *free_slot(struct outbox *o)
{
    for (size_t i = 0; i < OUTBOX_PAGE_ROWS; i++)
        if (o->unacked[i].topic[0] == '\0')
            return &o->unacked[i];
    return NULL;
}

/* LOA_OK: it is on its way, or never will be and was logged. LOA_EBUSY: later.
 * LOA_ENOTCONN: after the next connect. */
static int publish(struct outbox *o, const PGresult *res, int row)
{
    struct outbox_topic *slot = free_slot(o);
    struct mqtt_msg msg = {.qos = 1, .retain = true};
    int rv;

    if (slot == NULL || FAILPOINT("outbox.publish") != LOA_OK) {
        retry_soon(o);
        return LOA_EBUSY;
    }
    msg.topic = pg_get_text(res, row, 0, NULL);
    msg.payload = pg_get_bytes(res, row, 1, &msg.len);
    rv = mqtt_publish(o->mqtt, &msg, on_ack, slot);
    if (rv == LOA_OK) {
        slot->outbox = o;
        strcpy(slot->topic, msg.topic); /* outbox_put() measured it. */
        o->unacked_n++;
    } else if (rv == LOA_ENOTCONN) {
        o->online = false;
    } else if (rv == LOA_EBUSY) {
        retry_soon(o);
    } else {
        o->refused_n++;
        log_error("outbox.refused", "topic=%s text=%s", msg.topic,
                  loa_strerror(rv));
        rv = LOA_OK;
    }
    return rv;
}

static void on_one(void *data, int status, const PGresult *res)
{
    struct outbox *o = data;

    /* No row: a tombstone that has been pruned. */
    if (status == LOA_OK && PQntuples(res) == 1 &&
        publish(o, res, 0) == LOA_EBUSY)
        mark_dirty(o, pg_get_text(res, 0, 0, NULL));
}

static void on_page(void *data, int status, const PGresult *res)
{
    struct outbox *o = data;
    int row = 0;

    if (status != LOA_OK)
        return;
    while (row < PQntuples(res) && publish(o, res, row) == LOA_OK)
        strcpy(o->cursor, pg_get_text(res, row++, 0, NULL));
    if (row == PQntuples(res) && row < OUTBOX_PAGE_ROWS) {
        o->sweeping = false;
        log_info("outbox.swept", "published=%llu",
                 (unsigned long long)(o->published_n + o->unacked_n));
    }
}

/* A SELECT of dirty topics or of a page is done. */
static void on_read(void *data, int status)
{
    struct outbox *o = data;

    o->reading = false;
    if (status != LOA_OK) {
        o->sweep_due = true; /* Which ones were not read is not known. */
        retry_soon(o);
    }
    if (!o->closed && !uv_is_active((uv_handle_t *)&o->retry))
        pump(o);
}

/* Ask for the dirty topics, as many as the window has room for. Each is read
 * anew, so the newest body goes out however often it was put. */
static int read_dirty(struct outbox *o)
{
    size_t n = OUTBOX_PAGE_ROWS - o->unacked_n, i = 0;
    int rv = LOA_OK;

    if (n > o->dirty_n)
        n = o->dirty_n;
    while (rv == LOA_OK && i < n) {
        struct pg_value value = pg_text(o->dirty[i]);
        rv = pg_query(o->pg, &stmts[STMT_ONE], &value, on_one, o);
        i += rv == LOA_OK;
    }
    if (rv != LOA_OK) { /* Repeat them all. */
        pg_abort(o->pg);
        return rv;
    }
    memmove(o->dirty, o->dirty + n, (o->dirty_n - n) * sizeof o->dirty[0]);
    o->dirty_n -= n;
    return LOA_OK;
}

static int read_page(struct outbox *o)
{
    struct pg_value value = pg_text(o->cursor);
    int rv;

    if (!o->sweeping) {
        o->sweep_due = false;
        o->sweeping = true;
        o->cursor[0] = '\0';
    }
    rv = pg_query(o->pg, &stmts[STMT_PAGE], &value, on_page, o);
    if (rv != LOA_OK)
        pg_abort(o->pg);
    return rv;
}

static void pump(struct outbox *o)
{
    int rv = LOA_OK;

    if (o->closed || !o->online || o->reading ||
        o->unacked_n >= OUTBOX_PAGE_ROWS)
        return;
    if (o->dirty_n > 0)
        rv = read_dirty(o);
    else if ((o->sweeping || o->sweep_due) && o->unacked_n == 0)
        rv = read_page(o);
    else
        return;
    if (rv == LOA_OK)
        rv = pg_commit(o->pg, on_read, o);
    o->reading = rv == LOA_OK;
    if (rv != LOA_OK)
        retry_soon(o);
}

static void on_committed(void *data, int status)
{
    struct outbox_topic *t = data;
    struct outbox *o = t->outbox;

    /* Batches end in the order they were made, so this is the oldest put. */
    assert(t == &o->puts[o->puts_head]);
    o->puts_head = (o->puts_head + 1) % OUTBOX_DIRTY_MAX;
    o->puts_n--;
    if (status != LOA_OK && status != LOA_ESHAPE)
        return;
    mark_dirty(o, t->topic);
    pump(o);
}

/* As on_committed(), of a put that found the ring full. */
static void on_committed_some(void *data, int status)
{
    struct outbox *o = data;

    if (status != LOA_OK && status != LOA_ESHAPE)
        return;
    o->sweep_due = true;
    pump(o);
}

static int remember(struct outbox *o, const char *topic)
{
    size_t at = (o->puts_head + o->puts_n) % OUTBOX_DIRTY_MAX;
    int rv;

    if (o->puts_n == OUTBOX_DIRTY_MAX)
        return pg_after(o->pg, on_committed_some, o);
    rv = pg_after(o->pg, on_committed, &o->puts[at]);
    if (rv != LOA_OK)
        return rv;
    o->puts[at].outbox = o;
    strcpy(o->puts[at].topic, topic);
    o->puts_n++;
    return LOA_OK;
}

int outbox_put(struct outbox *o,
               const char *topic,
               const void *body,
               size_t len)
{
    struct pg_value values[] = {pg_text(topic), pg_bytes(body, len)};
    int rv;

    if (topic[0] == '\0' || strlen(topic) >= OUTBOX_TOPIC_LEN_MAX)
        return LOA_EINVAL;
    rv = pg_query(o->pg, &stmts[STMT_PUT], values, NULL, NULL);
    return rv == LOA_OK ? remember(o, topic) : rv;
}

int outbox_remove(struct outbox *o, const char *topic)
{
    return outbox_put(o, topic, NULL, 0);
}

void outbox_connected(struct outbox *o)
{
    o->online = true;
    /* A sweep under way began on an older connection: begin it again. */
    o->sweeping = false;
    o->sweep_due = true;
    pump(o);
}

void outbox_disconnected(struct outbox *o)
{
    o->online = false;
}

bool outbox_settled(const struct outbox *o)
{
    return o->online && !o->reading && !o->sweeping && !o->sweep_due &&
           o->puts_n == 0 && o->dirty_n == 0 && o->unacked_n == 0;
}

/* Only when the broker has everything: what is pruned has been published. */
static void on_prune(uv_timer_t *timer)
{
    struct outbox *o = timer->data;

    if (!outbox_settled(o))
        return;
    if (pg_query(o->pg, &stmts[STMT_PRUNE], NULL, NULL, NULL) != LOA_OK ||
        pg_commit(o->pg, NULL, NULL) != LOA_OK)
        pg_abort(o->pg); /* The next hour does it. */
}

int outbox_open(struct outbox *o,
                uv_loop_t *loop,
                struct pg *pg,
                struct mqtt *mqtt)
{
    int rv;

    memset(o, 0, sizeof *o);
    o->pg = pg;
    o->mqtt = mqtt;
    rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);
    if (rv != LOA_OK)
        return rv;
    uv_timer_init(loop, &o->retry);
    uv_timer_init(loop, &o->prune);
    o->retry.data = o->prune.data = o;
    uv_timer_start(&o->prune, on_prune, PRUNE_EVERY_MS, PRUNE_EVERY_MS);
    return LOA_OK;
}

void outbox_close(struct outbox *o)
{
    if (o->closed)
        return;
    o->closed = true;
    uv_close((uv_handle_t *)&o->retry, NULL);
    uv_close((uv_handle_t *)&o->prune, NULL);
}
