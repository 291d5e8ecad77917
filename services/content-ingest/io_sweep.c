#include "content-ingest/io_sweep.h"

#include <string.h>

#include "proto/io/log.h"

#define REST_MS 5000 /* Nothing to do: look again after this. */
#define TURN_MS 20   /* Between two slices. */

enum {
    STMT_DUE,
    STMT_SAVED,
    STMT_CONTENT,
    STMT_PARTS,
    STMT_SWEPT,
    STMT_PACKETS,
    STMT_UPLOADS
};

/* Each says how many rows it deleted; 0 is the end of its work. */
static const struct pg_stmt stmts[] = {
    [STMT_DUE] = {"sweep_due",
                  "SELECT content_hash, now() FROM content c"
                  " WHERE deleting_at < now() -"
                  "  $1::bigint * interval '1 millisecond'"
                  " AND NOT EXISTS (SELECT FROM need n"
                  "  WHERE n.content_hash = c.content_hash"
                  "  AND n.until_at > now())"
                  " ORDER BY deleting_at LIMIT 1",
                  1, PG_MAYBE, true},
    [STMT_SAVED] = {"sweep_saved",
                    "UPDATE content SET deleting_at = NULL"
                    " WHERE content_hash = $1",
                    1, PG_NONE, false},
    /* The packets go to the trash with the same commit. An answer that has
     * become old, while the database was slow, deletes nothing. */
    [STMT_CONTENT] =
        {"sweep_content",
         "WITH gone AS (DELETE FROM content c WHERE content_hash = $2"
         " AND deleting_at < now() - $1::bigint * interval '1 millisecond'"
         " AND clock_timestamp() < $3::timestamptz"
         " AND NOT EXISTS (SELECT FROM need n"
         "  WHERE n.content_hash = c.content_hash AND n.until_at > now())"
         " RETURNING content_hash, stream_key),"
         " trashed AS (INSERT INTO trash (stream_key, ready)"
         "  SELECT stream_key, true FROM gone)"
         " SELECT content_hash FROM gone",
         3, PG_MAYBE, true},
    [STMT_SWEPT] =
        {"sweep_ended",
         "WITH done AS (UPDATE upload u SET swept = true WHERE NOT swept"
         " AND state IN ('done', 'failed', 'dropped') AND NOT EXISTS"
         " (SELECT FROM upload_part p WHERE p.upload_id = u.upload_id)"
         " RETURNING 1) SELECT count(*) FROM done",
         0, PG_ONE, true},
    [STMT_PARTS] =
        {"sweep_parts",
         "WITH slice AS (SELECT upload_id, at_byte FROM upload_part"
         " WHERE upload_id = (SELECT upload_id FROM upload WHERE NOT swept"
         "  AND state IN ('done', 'failed', 'dropped') LIMIT 1)"
         " ORDER BY at_byte LIMIT 64),"
         " gone AS (DELETE FROM upload_part p USING slice"
         "  WHERE p.upload_id = slice.upload_id AND p.at_byte = slice.at_byte"
         "  RETURNING 1) SELECT count(*) FROM gone",
         0, PG_ONE, true},
    [STMT_PACKETS] =
        {"sweep_packets",
         "WITH stream AS (SELECT stream_key FROM trash WHERE ready LIMIT 1),"
         " slice AS (SELECT stream_key, sequence FROM packet"
         "  WHERE stream_key = (SELECT stream_key FROM stream) LIMIT 1000),"
         " gone AS (DELETE FROM packet p USING slice"
         "  WHERE p.stream_key = slice.stream_key"
         "  AND p.sequence = slice.sequence RETURNING 1),"
         " empty AS (DELETE FROM trash t USING stream"
         "  WHERE t.stream_key = stream.stream_key"
         "  AND NOT EXISTS (SELECT FROM slice) RETURNING 1)"
         " SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM empty)",
         0, PG_ONE, true},
    [STMT_UPLOADS] =
        {"sweep_uploads",
         "WITH gone AS (DELETE FROM upload WHERE swept"
         " AND (state = 'dropped' OR ended_at < now() - interval '7 days')"
         " RETURNING 1) SELECT count(*) FROM gone",
         0, PG_ONE, true},
};

static void on_timer(uv_timer_t *timer);

static void on_count(void *data, int status, const PGresult *res)
{
    struct sweep *s = data;

    if (status == LOA_OK)
        s->done_n += pg_get_i64(res, 0, 0);
}

static void on_content(void *data, int status, const PGresult *res)
{
    struct sweep *s = data;
    size_t len;

    if (status != LOA_OK || PQntuples(res) == 0)
        return;
    s->done_n++;
    stats_add(s->stats, STATS_DELETED, 1);
    log_info("content.deleted", "text=the grace is over and nobody needs it");
    s->deleted(s->data, pg_get_bytes(res, 0, 0, &len));
}

static void on_due(void *data, int status, const PGresult *res)
{
    struct sweep *s = data;
    size_t len;

    if (status != LOA_OK || PQntuples(res) == 0)
        return;
    memcpy(s->hash, pg_get_bytes(res, 0, 0, &len), LOA_HASH_BYTES);
    s->due_at_ms = pg_get_time_ms(res, 0, 1);
    s->due = SWEEP_DUE;
}

static void note_answer(struct sweep *s,
                        enum release_answer answer,
                        const char *why)
{
    if (answer == RELEASE_UNKNOWN && !s->silent)
        log_warn("content.waiting",
                 "text=the scheduler does not say whether a content may be "
                 "deleted; it stays");
    if (answer == RELEASE_UNKNOWN)
        stats_add(s->stats, STATS_DELETE_UNANSWERED, 1);
    if (answer == RELEASE_IN_USE) {
        stats_add(s->stats, STATS_DELETE_IN_USE, 1);
        log_info("content.saved", "text=%s", why);
    }
    s->silent = answer == RELEASE_UNKNOWN;
}

static void on_released(void *data,
                        enum release_answer answer,
                        const char *vi,
                        const char *en)
{
    struct sweep *s = data;

    (void)vi;
    if (s->closed)
        return;
    note_answer(s, answer, en);
    s->due = answer == RELEASE_FREE     ? SWEEP_FREE
             : answer == RELEASE_IN_USE ? SWEEP_IN_USE
                                        : SWEEP_NONE;
    if (s->due != SWEEP_NONE && !s->running)
        uv_timer_start(&s->timer, on_timer, TURN_MS, 0);
}

/* A content is found in one turn, asked about, and goes or stays in another. */
static int decide(struct sweep *s)
{
    enum sweep_due due = s->due;
    uint8_t grace[8], until[8];
    struct pg_value values[] = {
        pg_i64((int64_t)s->delete_grace_ms, grace),
        pg_bytes(s->hash, LOA_HASH_BYTES),
        pg_time_ms(s->due_at_ms + RELEASE_FRESH_MS, until)};

    if (due == SWEEP_ASKED)
        return LOA_OK;
    s->due = SWEEP_NONE; /* What is not done now is found again. */
    if (!s->may_delete(s->data))
        return LOA_OK;
    if (due == SWEEP_FREE)
        return pg_query(s->pg, &stmts[STMT_CONTENT], values, on_content, s);
    if (due == SWEEP_IN_USE)
        return pg_query(s->pg, &stmts[STMT_SAVED], &values[1], NULL, NULL);
    return pg_query(s->pg, &stmts[STMT_DUE], values, on_due, s);
}

static void ask(struct sweep *s)
{
    s->due = SWEEP_ASKED;
    if (release_ask(s->release, s->hash, false, on_released, s) != LOA_OK)
        s->due = SWEEP_NONE;
}

static void on_done(void *data, int status)
{
    struct sweep *s = data;
    bool more;

    s->running = false;
    if (s->closed)
        return;
    if (s->due == SWEEP_DUE)
        ask(s);
    more = s->done_n > 0 || s->due == SWEEP_FREE || s->due == SWEEP_IN_USE;
    uv_timer_start(&s->timer, on_timer,
                   status == LOA_OK && more ? TURN_MS : REST_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct sweep *s = timer->data;
    int rv;

    if (!pg_has_room(s->pg, 64)) {
        uv_timer_start(&s->timer, on_timer, REST_MS, 0);
        return;
    }
    s->done_n = 0;
    rv = decide(s);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_PARTS], NULL, on_count, s);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_SWEPT], NULL, on_count, s);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_PACKETS], NULL, on_count, s);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_UPLOADS], NULL, on_count, s);
    s->running = pg_commit(s->pg, on_done, s) == LOA_OK;
    if (!s->running) /* No room, or the connection is being lost. */
        uv_timer_start(&s->timer, on_timer, REST_MS, 0);
}

int sweep_open(struct sweep *s)
{
    uv_timer_init(s->loop, &s->timer);
    s->timer.data = s;
    uv_timer_start(&s->timer, on_timer, TURN_MS, 0);
    return pg_prepare(s->pg, stmts, sizeof stmts / sizeof stmts[0]);
}

void sweep_close(struct sweep *s)
{
    s->closed = true;
    if (s->timer.data != NULL) /* It was opened. */
        uv_close((uv_handle_t *)&s->timer, NULL);
}
