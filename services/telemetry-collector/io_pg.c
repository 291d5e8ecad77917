#include "telemetry-collector/io_pg.h"

#include <string.h>

#include "proto/civil.h"
#include "proto/io/log.h"

enum { SESSIONS, LOAD, COUNTS, PARTITIONS, DROP, DROP_REFUSED, DEVICE, REPORT };

/* An area path is a prefix only up to a slash: "vn/08" is not above "vn/080".
 */
const struct pg_stmt io_pg_stmts[] = {
    [SESSIONS] = {"session_clamp",
                  "UPDATE device SET session = $1::bigint"
                  " WHERE session > $1::bigint",
                  1, PG_NONE, true},
    [LOAD] = {"device_load",
              "SELECT device, area, session, state, health, last_seen, log_id,"
              " committed FROM device ORDER BY last_seen DESC",
              0, PG_ROWS, true},
    [COUNTS] = {"count_load",
                "SELECT device, event::int, count(*) FROM receipt"
                " WHERE at >= $1::timestamptz"
                " AND at < $1::timestamptz + interval '24 hours'"
                " AND event BETWEEN 3 AND 6"
                " GROUP BY device, event",
                1, PG_ROWS, true},
    [PARTITIONS] = {"partitions", "SELECT make_partitions($1::timestamptz)", 1,
                    PG_ROWS, false},
    [DROP] = {"partitions_drop",
              "SELECT drop_partitions('receipt', $1::timestamptz, $2::int),"
              " drop_partitions('health', $1::timestamptz, $3::int)",
              3, PG_ONE, true},
    [DROP_REFUSED] = {"refused_drop",
                      "DELETE FROM receipt_refused WHERE committed_at <"
                      " least($1::timestamptz, now()) - make_interval(days =>"
                      " $2::int)",
                      2, PG_NONE, false},
    /* A will of an older session must not overwrite a newer word of a device
     * that found no room in memory; a live word of a lower one may. */
    [DEVICE] = {"device_store",
                "INSERT INTO device (device, area, session, state, health,"
                " last_seen) VALUES ($1, $2, $3::bigint, $4::bytea, $5::bytea,"
                " $6::timestamptz) ON CONFLICT (device) DO UPDATE SET"
                " area = excluded.area, session = excluded.session,"
                " state = excluded.state,"
                " health = coalesce(excluded.health, device.health),"
                " last_seen = excluded.last_seen"
                " WHERE device.session <= excluded.session"
                " OR device.last_seen < excluded.last_seen",
                6, PG_NONE, false},
    [REPORT] = {"report",
                "SELECT device, area, sequence, start_at, event::int, at_us,"
                " reason, first_sample_us, played_ms, concealed_ms,"
                " content_hash, committed_at FROM receipt"
                " WHERE bulletin_id = $1::bytea"
                " AND (area = $2 OR starts_with(area, $2 || '/'))"
                " AND (device, sequence) > ($3, $4::bigint)"
                " ORDER BY device, sequence LIMIT $5::int",
                5, PG_ROWS, true},
};
const size_t io_pg_stmts_n = sizeof io_pg_stmts / sizeof io_pg_stmts[0];

static struct loa_bytes bytes(const PGresult *res, int row, int col)
{
    struct loa_bytes b = {0};

    if (!pg_is_null(res, row, col))
        b.data = pg_get_bytes(res, row, col, &b.len);
    return b;
}

static void load_row(struct presence *p, const PGresult *res, int i)
{
    struct device *d =
        presence_touch(p, pg_get_text(res, i, 0, NULL),
                       pg_get_text(res, i, 1, NULL), pg_get_time_ms(res, i, 5));
    struct loa_bytes state = bytes(res, i, 3), health = bytes(res, i, 4);
    struct loa_bytes log_id = bytes(res, i, 6);

    if (d == NULL)
        return;
    d->session = pg_get_u64(res, i, 2);
    if (state.len <= PRESENCE_BYTES_MAX && state.len > 0)
        memcpy(d->state, state.data, d->state_len = state.len);
    if (health.len <= PRESENCE_BYTES_MAX && health.len > 0)
        memcpy(d->health, health.data, d->health_len = health.len);
    if (log_id.len == LOA_ID_BYTES) {
        d->log_known = true;
        memcpy(d->log_id, log_id.data, LOA_ID_BYTES);
        d->committed = d->flying = d->pending = pg_get_u64(res, i, 7);
    }
    d->dirty = false;
}

static int load_counts(struct pg *pg, struct presence *p, int64_t now_ms)
{
    uint8_t at[8];
    struct pg_value value = pg_time_ms(loa_civil_day_start(now_ms), at);
    PGresult *res;
    int rv = pg_query_now(pg, &io_pg_stmts[COUNTS], &value, &res);

    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res); i++) {
        struct device *d = presence_find(p, pg_get_text(res, i, 0, NULL));
        int64_t event = pg_get_i64(res, i, 1);
        if (d == NULL)
            continue;
        d->counts_day_ms = loa_civil_day_start(now_ms);
        d->counts[event - 3 + PRESENCE_STARTED] =
            (uint32_t)pg_get_u64(res, i, 2);
    }
    PQclear(res);
    return LOA_OK;
}

int io_pg_load(struct pg *pg, struct presence *p, int64_t now_ms)
{
    uint8_t session[8];
    struct pg_value most =
        pg_i64((int64_t)presence_session(UINT64_MAX, now_ms), session);
    PGresult *res;
    int rv = pg_query_now(pg, &io_pg_stmts[SESSIONS], &most, NULL);

    if (rv == LOA_OK)
        rv = pg_query_now(pg, &io_pg_stmts[LOAD], NULL, &res);
    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res); i++)
        load_row(p, res, i);
    PQclear(res);
    return load_counts(pg, p, now_ms);
}

int io_pg_partitions_now(struct pg *pg, int64_t now_ms)
{
    uint8_t at[8];
    struct pg_value value = pg_time_ms(now_ms, at);

    return pg_query_now(pg, &io_pg_stmts[PARTITIONS], &value, NULL);
}

static void on_dropped(void *data, int status, const PGresult *res)
{
    int64_t receipts_n, health_n;

    (void)data;
    if (status != LOA_OK)
        return;
    receipts_n = pg_get_i64(res, 0, 0);
    health_n = pg_get_i64(res, 0, 1);
    if (receipts_n + health_n > 0)
        log_info("partitions.dropped", "receipts=%lld health=%lld",
                 (long long)receipts_n, (long long)health_n);
}

int io_pg_partitions(struct pg *pg,
                     int64_t now_ms,
                     unsigned receipts_days,
                     unsigned health_days,
                     pg_done_cb done,
                     void *data)
{
    uint8_t at[8], receipts[4], health[4];
    struct pg_value values[3] = {pg_time_ms(now_ms, at),
                                 pg_i32((int32_t)receipts_days, receipts),
                                 pg_i32((int32_t)health_days, health)};
    int rv;

    if (!pg_has_room(pg, 5))
        return LOA_EBUSY;
    rv = pg_query(pg, &io_pg_stmts[PARTITIONS], values, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_commit(pg, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(pg, &io_pg_stmts[DROP], values, on_dropped, NULL);
    if (rv == LOA_OK)
        rv = pg_query(pg, &io_pg_stmts[DROP_REFUSED], values, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_commit(pg, done, data);
    if (rv != LOA_OK)
        pg_abort(pg);
    return rv;
}

int io_pg_device(struct pg *pg, const struct device *d)
{
    uint8_t session[8], seen[8];
    struct pg_value values[6] = {
        pg_text(d->id),
        pg_text(d->area),
        pg_i64((int64_t)d->session, session),
        d->state_len > 0 ? pg_bytes(d->state, d->state_len) : PG_NULL,
        d->health_len > 0 ? pg_bytes(d->health, d->health_len) : PG_NULL,
        pg_time_ms(d->last_seen_at_ms, seen),
    };

    return pg_query(pg, &io_pg_stmts[DEVICE], values, NULL, NULL);
}

int io_pg_report(struct pg *pg,
                 const uint8_t bulletin_id[LOA_ID_BYTES],
                 const char *under,
                 const char *after_device,
                 uint64_t after_sequence,
                 int limit,
                 pg_rows_cb on_rows,
                 void *data)
{
    uint8_t sequence[8], n[4];
    struct pg_value values[5] = {
        pg_bytes(bulletin_id, LOA_ID_BYTES),
        pg_text(under),
        pg_text(after_device),
        pg_i64((int64_t)after_sequence, sequence),
        pg_i32(limit, n),
    };
    int rv = pg_query(pg, &io_pg_stmts[REPORT], values, on_rows, data);

    if (rv != LOA_OK) {
        pg_abort(pg);
        return rv;
    }
    if (pg_commit(pg, NULL, NULL) != LOA_OK) /* on_rows hears of the loss. */
        log_debug("report.ask", "text=the connection is being lost");
    return LOA_OK;
}
