#include "content-ingest/io_sweep.h"

#include "proto/io/log.h"

#define REST_MS 5000 /* Nothing to do: look again after this. */
#define TURN_MS 20   /* Between two slices. */

enum { STMT_CONTENT, STMT_PARTS, STMT_SWEPT, STMT_PACKETS, STMT_UPLOADS };

/* Each says how many rows it deleted; 0 is the end of its work. */
static const struct pg_stmt stmts[] = {
    /* The packets go to the trash with the same commit. */
    [STMT_CONTENT] =
        {"sweep_content",
         "WITH gone AS (DELETE FROM content c WHERE content_hash IN"
         " (SELECT content_hash FROM content WHERE deleting_at <"
         "  now() - $1::bigint * interval '1 millisecond' LIMIT 1)"
         " AND NOT EXISTS (SELECT FROM need n"
         "  WHERE n.content_hash = c.content_hash AND n.until_at > now())"
         " RETURNING content_hash, stream_key),"
         " trashed AS (INSERT INTO trash (stream_key, ready)"
         "  SELECT stream_key, true FROM gone)"
         " SELECT content_hash FROM gone",
         1, PG_MAYBE, true},
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
    log_info("content.deleted", "text=the grace is over and nobody needs it");
    s->deleted(s->data, pg_get_bytes(res, 0, 0, &len));
}

static void on_done(void *data, int status)
{
    struct sweep *s = data;

    s->running = false;
    if (s->closed)
        return;
    uv_timer_start(&s->timer, on_timer,
                   status == LOA_OK && s->done_n > 0 ? TURN_MS : REST_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct sweep *s = timer->data;
    uint8_t grace[8];
    struct pg_value value = pg_i64((int64_t)s->delete_grace_ms, grace);
    int rv = LOA_OK;

    if (!pg_has_room(s->pg, 64)) {
        uv_timer_start(&s->timer, on_timer, REST_MS, 0);
        return;
    }
    s->done_n = 0;
    if (s->may_delete(s->data))
        rv = pg_query(s->pg, &stmts[STMT_CONTENT], &value, on_content, s);
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
