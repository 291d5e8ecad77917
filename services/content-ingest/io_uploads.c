#include "content-ingest/io_uploads.h"

#include <assert.h>
#include <string.h>

#include "content-ingest/io_reply.h"
#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"

enum {
    STMT_LOAD,
    STMT_RANGES,
    STMT_GET,
    STMT_INSERT,
    STMT_PART,
    STMT_WAITING,
    STMT_ENCODING,
    STMT_FAILED,
    STMT_DROPPED,
    STMT_DONE,
    STMT_READ,
};

static const struct pg_stmt stmts[] = {
    [STMT_LOAD] =
        {"upload_load",
         "SELECT upload_id, replace(area::text, '.', '/'), submitted_by,"
         " media, title, language, file_name, size, state, attempts_n,"
         " coalesce((SELECT max(at) FROM upload_part p"
         " WHERE p.upload_id = u.upload_id), begun_at)"
         " FROM upload u WHERE state IN ('receiving', 'waiting', 'encoding')"
         " ORDER BY begun_at",
         0, PG_ROWS, true},
    /* Islands of the parts: an island begins where no earlier part reaches. */
    [STMT_RANGES] =
        {"upload_ranges",
         "SELECT min(from_byte), max(to_byte) FROM ("
         "  SELECT from_byte, to_byte, count(*) FILTER (WHERE from_byte >"
         "    coalesce(reached, -1)) OVER (ORDER BY from_byte) AS island"
         "  FROM (SELECT at_byte AS from_byte,"
         "    at_byte + octet_length(data) AS to_byte,"
         "    max(at_byte + octet_length(data)) OVER (ORDER BY at_byte"
         "      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached"
         "    FROM upload_part WHERE upload_id = $1) AS part) AS placed"
         " GROUP BY island ORDER BY 1",
         1, PG_ROWS, true},
    [STMT_GET] =
        {"upload_get",
         "SELECT submitted_by, state, size, content_hash, failure_code,"
         " failure_vi, failure_en, area <@ replace($2, '/', '.')::ltree"
         " FROM upload WHERE upload_id = $1",
         2, PG_MAYBE, true},
    [STMT_INSERT] =
        {"upload_insert",
         "INSERT INTO upload (upload_id, area, submitted_by, media, title,"
         " language, file_name, size) VALUES ($1, replace($2, '/', '.')::ltree,"
         " $3, $4::int, $5, $6, $7, $8::bigint)",
         8, PG_NONE, false},
    /* The longer of two parts at the same place holds the shorter one. */
    [STMT_PART] =
        {"upload_part",
         "INSERT INTO upload_part (upload_id, at_byte, data)"
         " VALUES ($1, $2::bigint, $3)"
         " ON CONFLICT (upload_id, at_byte) DO UPDATE"
         " SET data = excluded.data, at = now()"
         " WHERE octet_length(upload_part.data) < octet_length(excluded.data)",
         3, PG_NONE, false},
    [STMT_WAITING] = {"upload_waiting",
                      "UPDATE upload SET state = 'waiting'"
                      " WHERE upload_id = $1 AND state = 'receiving'",
                      1, PG_NONE, false},
    [STMT_ENCODING] =
        {"upload_encoding",
         "UPDATE upload SET state = 'encoding', attempts_n = $2::int"
         " WHERE upload_id = $1",
         2, PG_NONE, false},
    [STMT_FAILED] = {"upload_failed",
                     "UPDATE upload SET state = 'failed', ended_at = now(),"
                     " failure_code = $2::int, failure_vi = $3, failure_en = $4"
                     " WHERE upload_id = $1",
                     4, PG_NONE, false},
    [STMT_DROPPED] = {"upload_dropped",
                      "UPDATE upload SET state = 'dropped', ended_at = now()"
                      " WHERE upload_id = $1",
                      1, PG_NONE, false},
    [STMT_DONE] = {"upload_done",
                   "UPDATE upload SET state = 'done', ended_at = now(),"
                   " content_hash = $2 WHERE upload_id = $1",
                   2, PG_NONE, false},
    [STMT_READ] = {"upload_read",
                   "SELECT at_byte, data FROM upload_part"
                   " WHERE upload_id = $1 AND at_byte > $2::bigint"
                   " ORDER BY at_byte LIMIT $3::int",
                   3, PG_ROWS, true},
};

enum refusal uploads_refusal(const struct pg *pg, int status)
{
    if (status == LOA_EBUSY)
        return REFUSE_DATABASE_BUSY;
    /* Class 53: disk full, out of memory, too many connections. */
    if (status == LOA_EDB && strncmp(pg_sqlstate(pg), "53", 2) == 0)
        return REFUSE_DATABASE_FULL;
    return REFUSE_DATABASE;
}

static void step(struct uploads *s,
                 struct ingest_event *ev,
                 struct ingest_update *up)
{
    ev->now_ms = clock_mono_ms();
    ev->now_at_ms = clock_wall_ms();
    ingest_step(s->ingest, ev, up);
}

/* --- at start -------------------------------------------------------------
 */

static int load_ranges(struct uploads *s, struct upload *u)
{
    struct pg_value value = pg_bytes(u->plan.id, LOA_ID_BYTES);
    PGresult *res;
    int rv = pg_query_now(s->pg, &stmts[STMT_RANGES], &value, &res);

    if (rv != LOA_OK)
        return rv;
    /* More islands than the core keeps are sent again. */
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++)
        rv = ranges_add(&u->durable, pg_get_u64(res, i, 0),
                        pg_get_u64(res, i, 1));
    PQclear(res);
    return LOA_OK;
}

static void copy_text(char *to, size_t cap, const PGresult *res, int i, int col)
{
    size_t len;
    const char *text = pg_get_text(res, i, col, &len);

    assert(len < cap); /* Checked by wire.c before it was stored. */
    memcpy(to, text, len + 1);
}

static void load_row(const PGresult *res, int i, struct upload *u)
{
    struct upload_plan *p = &u->plan;
    size_t len;
    const void *id = pg_get_bytes(res, i, 0, &len);

    memset(u, 0, sizeof *u);
    memcpy(p->id, id, LOA_ID_BYTES);
    copy_text(p->area, sizeof p->area, res, i, 1);
    copy_text(p->principal, sizeof p->principal, res, i, 2);
    p->media = (enum media)pg_get_i64(res, i, 3);
    copy_text(p->title, sizeof p->title, res, i, 4);
    copy_text(p->language, sizeof p->language, res, i, 5);
    copy_text(p->file_name, sizeof p->file_name, res, i, 6);
    p->size = pg_get_u64(res, i, 7);
    u->state = strcmp(pg_get_text(res, i, 8, NULL), "receiving") == 0
                   ? UPLOAD_RECEIVING
                   : UPLOAD_WAITING;
    u->attempts_n = (unsigned)pg_get_u64(res, i, 9);
    u->active_at_ms = pg_get_time_ms(res, i, 10);
}

int uploads_open(struct uploads *s)
{
    int rv = pg_prepare(s->pg, stmts, sizeof stmts / sizeof stmts[0]);
    struct upload u;
    PGresult *res;

    for (size_t i = 0; i < RPC_CALLS_MAX; i++)
        s->slots[i].uploads = s;
    if (rv == LOA_OK)
        rv = pg_query_now(s->pg, &stmts[STMT_LOAD], NULL, &res);
    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++) {
        load_row(res, i, &u);
        rv = load_ranges(s, &u);
        if (rv == LOA_OK && ingest_restore(s->ingest, &u) != LOA_OK) {
            log_warn("upload.restore", "left=%d text=too many unfinished",
                     PQntuples(res) - i);
            break;
        }
    }
    log_info("upload.restore", "unfinished=%d", PQntuples(res));
    PQclear(res);
    return rv;
}

/* --- beginning -------------------------------------------------------------
 */

static void answer_upload(struct rpc_call *call, const struct upload *u)
{
    struct reply_upload v = reply_view(u);

    reply_upload(call, &v);
}

/* Answer with the row of an upload that the core does not have: an ended one.
 */
static void answer_row(struct rpc_call *call,
                       const uint8_t *id,
                       const PGresult *res)
{
    const char *state = pg_get_text(res, 0, 1, NULL);
    struct reply_upload v = {.id = id, .received = pg_get_u64(res, 0, 2)};
    size_t len;

    if (strcmp(state, "done") == 0) {
        v.stage = STAGE_DONE;
        v.hash = pg_get_bytes(res, 0, 3, &len);
    } else if (strcmp(state, "failed") == 0) {
        v.stage = STAGE_FAILED;
        v.failure_code = (int)pg_get_i64(res, 0, 4);
        v.failure_vi = pg_get_text(res, 0, 5, NULL);
        v.failure_en = pg_get_text(res, 0, 6, NULL);
    } else if (strcmp(state, "dropped") == 0) {
        reply_refusal(call, REFUSE_UPLOAD_UNKNOWN);
        return;
    } else {
        reply_refusal(call, REFUSE_UPLOADS_FULL);
        return;
    }
    reply_upload(call, &v);
}

static struct uploads_slot *slot_of(struct uploads *s,
                                    struct rpc_call *call,
                                    const uint8_t *id)
{
    struct uploads_slot *t = &s->slots[call - call->rpc->calls];

    t->call = call;
    memcpy(t->plan.id, id, LOA_ID_BYTES);
    return t;
}

/* Ask for the row of an upload that the core does not know. */
static void get(struct uploads_slot *t, pg_rows_cb rows)
{
    struct pg *pg = t->uploads->pg;
    struct pg_value values[] = {pg_bytes(t->plan.id, LOA_ID_BYTES),
                                pg_text(t->call->who.area)};
    int rv = pg_query(pg, &stmts[STMT_GET], values, rows, t);

    if (rv != LOA_OK) {
        pg_abort(pg);
        reply_refusal(t->call, REFUSE_DATABASE_BUSY);
        return;
    }
    rv = pg_commit(pg, NULL, NULL);
    if (rv != LOA_OK) /* rows is told by the loss of the connection. */
        log_debug("upload.get", "text=%s", loa_strerror(rv));
}

static void on_inserted(void *data, int status)
{
    struct uploads_slot *t = data;
    struct uploads *s = t->uploads;
    struct ingest_event ev = {.id = t->plan.id};
    struct ingest_update up;

    ev.type = status == LOA_OK ? INGEST_BEGUN : INGEST_BEGIN_FAILED;
    step(s, &ev, &up);
    if (status != LOA_OK) {
        reply_refusal(t->call, uploads_refusal(s->pg, status));
        return;
    }
    stats_add(s->stats, STATS_UPLOADS_BEGUN, 1);
    log_info("upload.begun", "principal=%s size=%llu media=%d title=%s",
             t->plan.principal, (unsigned long long)t->plan.size,
             (int)t->plan.media, t->plan.title);
    answer_upload(t->call, up.upload);
}

static void insert(struct uploads_slot *t)
{
    const struct upload_plan *p = &t->plan;
    struct pg *pg = t->uploads->pg;
    uint8_t media[4], size[8];
    struct pg_value values[] = {pg_bytes(p->id, LOA_ID_BYTES),
                                pg_text(p->area),
                                pg_text(p->principal),
                                pg_i32((int32_t)p->media, media),
                                pg_text(p->title),
                                pg_text(p->language),
                                pg_text(p->file_name),
                                pg_i64((int64_t)p->size, size)};
    int rv = pg_query(pg, &stmts[STMT_INSERT], values, NULL, NULL);

    (void)rv; /* A batch that found no room says so at its end. */
    rv = pg_commit(pg, on_inserted, t);
    if (rv != LOA_OK)
        on_inserted(t, rv);
}

/* The database has no such upload, or the core knows it: let the core judge. */
static void judge(struct uploads_slot *t)
{
    struct ingest_event ev = {.type = INGEST_BEGIN, .plan = &t->plan};
    struct ingest_update up;

    step(t->uploads, &ev, &up);
    if (up.action == INGEST_INSERT)
        insert(t);
    else if (up.action == INGEST_ANSWER)
        answer_upload(t->call, up.upload);
    else
        reply_refusal(t->call, up.refusal);
}

static bool is_mine(const struct uploads_slot *t, const PGresult *res)
{
    return strcmp(pg_get_text(res, 0, 0, NULL), t->call->who.principal) == 0;
}

static void on_begin_row(void *data, int status, const PGresult *res)
{
    struct uploads_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, uploads_refusal(t->uploads->pg, status));
    else if (PQntuples(res) == 0)
        judge(t);
    else if (!is_mine(t, res))
        reply_refusal(t->call, REFUSE_UPLOAD_OTHER);
    else
        answer_row(t->call, t->plan.id, res);
}

void uploads_begin(struct uploads *s,
                   struct rpc_call *call,
                   const struct upload_plan *plan)
{
    struct uploads_slot *t = slot_of(s, call, plan->id);

    t->plan = *plan;
    memcpy(t->plan.principal, call->who.principal, sizeof t->plan.principal);
    if (plan->area[0] == '\0')
        memcpy(t->plan.area, call->who.area, sizeof t->plan.area);
    if (!loa_area_within(t->plan.area, call->who.area))
        reply_refusal(call, REFUSE_AREA_OUTSIDE);
    else if (ingest_find(s->ingest, plan->id) != NULL)
        judge(t);
    else
        get(t, on_begin_row);
}

/* --- parts -----------------------------------------------------------------
 */

/* Durable, so that a service that starts now goes on from here. Whether the
 * note itself gets there does not matter: all bytes there means waiting. */
static void note_waiting(struct uploads *s, const uint8_t *id)
{
    struct pg_value value = pg_bytes(id, LOA_ID_BYTES);
    int rv = pg_query(s->pg, &stmts[STMT_WAITING], &value, NULL, NULL);

    (void)rv;
    rv = pg_commit(s->pg, NULL, NULL);
    if (rv != LOA_OK)
        log_debug("upload.waiting", "text=%s", loa_strerror(rv));
}

static void on_part_stored(void *data, int status)
{
    struct uploads_slot *t = data;
    struct uploads *s = t->uploads;
    struct ingest_event ev = {.id = t->plan.id, .range = t->piece};
    struct ingest_update up;

    ev.type = status == LOA_OK ? INGEST_PART_STORED : INGEST_PART_FAILED;
    step(s, &ev, &up);
    if (status != LOA_OK) {
        reply_refusal(t->call, uploads_refusal(s->pg, status));
        return;
    }
    stats_add(s->stats, STATS_PARTS, 1);
    stats_add(s->stats, STATS_UPLOAD_BYTES,
              (double)(t->piece.to - t->piece.from));
    answer_upload(t->call, up.upload);
    if (up.action == INGEST_COMPLETE) {
        log_info("upload.complete", "principal=%s size=%llu",
                 up.upload->plan.principal,
                 (unsigned long long)up.upload->plan.size);
        note_waiting(s, t->plan.id);
        s->poke(s->data);
    }
}

static void store(struct uploads_slot *t, const uint8_t *data)
{
    struct pg *pg = t->uploads->pg;
    uint8_t at[8];
    struct pg_value values[] = {
        pg_bytes(t->plan.id, LOA_ID_BYTES), pg_i64((int64_t)t->piece.from, at),
        pg_bytes(data, (size_t)(t->piece.to - t->piece.from))};
    int rv = pg_query(pg, &stmts[STMT_PART], values, NULL, NULL);

    (void)rv;
    rv = pg_commit(pg, on_part_stored, t);
    if (rv != LOA_OK)
        on_part_stored(t, rv);
}

static void on_part_row(void *data, int status, const PGresult *res)
{
    struct uploads_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, uploads_refusal(t->uploads->pg, status));
    else if (PQntuples(res) == 0)
        reply_refusal(t->call, REFUSE_UPLOAD_UNKNOWN);
    else if (!is_mine(t, res))
        reply_refusal(t->call, REFUSE_UPLOAD_OTHER);
    else
        answer_row(t->call, t->plan.id, res);
}

void uploads_part(struct uploads *s,
                  struct rpc_call *call,
                  const struct wire_request *r)
{
    struct uploads_slot *t = slot_of(s, call, r->id);
    struct ingest_event ev = {.type = INGEST_PART,
                              .id = r->id,
                              .principal = call->who.principal,
                              .range = r->range};
    struct ingest_update up;

    if (ingest_find(s->ingest, r->id) == NULL) {
        get(t, on_part_row); /* A late repetition, when it has ended. */
        return;
    }
    step(s, &ev, &up);
    if (up.action == INGEST_STORE) {
        t->piece = up.piece;
        store(t, r->data.data + (up.piece.from - r->range.from));
    } else if (up.action == INGEST_ANSWER) {
        answer_upload(call, up.upload);
    } else {
        reply_refusal(call, up.refusal);
    }
}

/* --- questions, notes ------------------------------------------------------
 */

static void on_find_row(void *data, int status, const PGresult *res)
{
    struct uploads_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, uploads_refusal(t->uploads->pg, status));
    else if (PQntuples(res) == 0 ||
             (!pg_get_bool(res, 0, 7) && !is_mine(t, res)))
        reply_refusal(t->call, REFUSE_UPLOAD_UNKNOWN);
    else
        answer_row(t->call, t->plan.id, res);
}

void uploads_find(struct uploads *s,
                  struct rpc_call *call,
                  const uint8_t id[LOA_ID_BYTES])
{
    const struct upload *u = ingest_find(s->ingest, id);

    if (u == NULL)
        get(slot_of(s, call, id), on_find_row);
    else if (!loa_area_within(u->plan.area, call->who.area) ||
             u->state == UPLOAD_BEGINNING)
        reply_refusal(call, REFUSE_UPLOAD_UNKNOWN);
    else
        answer_upload(call, u);
}

int uploads_note_encoding(struct uploads *s,
                          const uint8_t id[LOA_ID_BYTES],
                          unsigned attempts_n,
                          pg_done_cb done,
                          void *data)
{
    uint8_t attempts[4];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i32((int32_t)attempts_n, attempts)};
    int rv = pg_query(s->pg, &stmts[STMT_ENCODING], values, NULL, NULL);

    (void)rv;
    return pg_commit(s->pg, done, data);
}

int uploads_note_failed(struct uploads *s,
                        const uint8_t id[LOA_ID_BYTES],
                        int code,
                        const char *vi,
                        const char *en,
                        pg_done_cb done,
                        void *data)
{
    uint8_t number[4];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i32(code, number), pg_text(vi), pg_text(en)};
    int rv = pg_query(s->pg, &stmts[STMT_FAILED], values, NULL, NULL);

    (void)rv;
    return pg_commit(s->pg, done, data);
}

int uploads_note_dropped(struct uploads *s, const uint8_t id[LOA_ID_BYTES])
{
    struct pg_value value = pg_bytes(id, LOA_ID_BYTES);
    int rv = pg_query(s->pg, &stmts[STMT_DROPPED], &value, NULL, NULL);

    (void)rv;
    return pg_commit(s->pg, NULL, NULL);
}

int uploads_done(struct uploads *s,
                 const uint8_t id[LOA_ID_BYTES],
                 const uint8_t hash[LOA_HASH_BYTES])
{
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_bytes(hash, LOA_HASH_BYTES)};

    return pg_query(s->pg, &stmts[STMT_DONE], values, NULL, NULL);
}

int uploads_read(struct uploads *s,
                 const uint8_t id[LOA_ID_BYTES],
                 int64_t after_byte,
                 pg_rows_cb rows,
                 void *data)
{
    uint8_t after[8], limit[4];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i64(after_byte, after),
                                pg_i32(UPLOADS_PAGE_PARTS, limit)};
    int rv = pg_query(s->pg, &stmts[STMT_READ], values, rows, data);

    if (rv != LOA_OK) {
        pg_abort(s->pg);
        return rv;
    }
    rv = pg_commit(s->pg, NULL, NULL);
    return rv == LOA_ENOTCONN ? LOA_OK : rv; /* rows is told in any case. */
}
