/* io_load.c -- everything the tables hold, read before the loop runs. */

#include <string.h>

#include "proto/io/log.h"
#include "scheduler/io_pg.h"

enum {
    LOAD_AREAS,
    LOAD_SYNC,
    LOAD_PROGRAMMES,
    LOAD_BULLETINS,
    LOAD_RELEASED,
};

static const struct pg_stmt stmts[] = {
    [LOAD_AREAS] = {"scheduler_load_areas",
                    "SELECT replace(path::text, '.', '/'), valid_from,"
                    " valid_until FROM area ORDER BY valid_from",
                    0, PG_ROWS, true},
    [LOAD_SYNC] = {"scheduler_load_sync", "SELECT version FROM area_sync", 0,
                   PG_MAYBE, true},
    [LOAD_PROGRAMMES] =
        {"scheduler_load_programmes",
         "SELECT replace(area::text, '.', '/'), version, hash, built_at,"
         " window_end, expires_at, bulletins_n, revision FROM programme",
         0, PG_ROWS, true},
    [LOAD_BULLETINS] =
        {"scheduler_load_bulletins",
         "SELECT b.bulletin_id,"
         " replace(array_to_string(b.areas, ','), '.', '/'), b.class::int,"
         " b.title, b.start_at, b.frequency::int, b.weekdays::int, b.until_at,"
         " b.requested_by, b.requested_at,"
         " replace(b.requester_area::text, '.', '/'), b.requester_issuer,"
         " b.requester_serial, b.cancelled_at, b.cancelled_by,"
         " b.cancelled_why, b.revision, a.envelope, b.requester_chain"
         " FROM bulletin b JOIN approval a USING (approval_id)"
         " ORDER BY b.revision",
         0, PG_ROWS, true},
    /* The newest ones, the earliest of them first. */
    [LOAD_RELEASED] =
        {"scheduler_load_released",
         "SELECT content_hash, area, closed_until FROM (SELECT content_hash,"
         " replace(area::text, '.', '/') AS area, closed_until FROM released"
         " ORDER BY closed_until DESC LIMIT 8192) AS newest"
         " ORDER BY closed_until",
         0, PG_ROWS, true},
};
_Static_assert(RELEASED_MAX == 8192, "load_released");

/* Text of a column into a fixed buffer; false: too long. */
static bool get_text(const PGresult *res,
                     int row,
                     int col,
                     char *out,
                     size_t cap)
{
    size_t len;
    const char *text = pg_get_text(res, row, col, &len);

    if (len >= cap)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

/* A bytea of exactly that length. */
static bool get_bytes(const PGresult *res,
                      int row,
                      int col,
                      uint8_t *out,
                      size_t len)
{
    size_t got_len;
    const void *data = pg_get_bytes(res, row, col, &got_len);

    if (got_len != len)
        return false;
    memcpy(out, data, len);
    return true;
}

static int load_area(struct scheduler *s, const PGresult *res, int row)
{
    struct scheduler_area a;

    memset(&a, 0, sizeof a);
    if (!get_text(res, row, 0, a.path, sizeof a.path))
        return LOA_EINVAL;
    a.valid.from_ms = pg_get_time_ms(res, row, 1);
    if (!pg_is_null(res, row, 2))
        a.valid.until_ms = pg_get_time_ms(res, row, 2);
    return scheduler_load_area(s, &a);
}

static int load_programme(struct scheduler *s, const PGresult *res, int row)
{
    struct area_programme g;
    char path[LOA_AREA_CAP];

    memset(&g, 0, sizeof g);
    if (!get_text(res, row, 0, path, sizeof path) ||
        !get_bytes(res, row, 2, g.hash, sizeof g.hash))
        return LOA_EINVAL;
    g.version = pg_get_u64(res, row, 1);
    g.built_at_ms = pg_get_time_ms(res, row, 3);
    g.window_end_ms = pg_get_time_ms(res, row, 4);
    g.expires_at_ms = pg_get_time_ms(res, row, 5);
    g.bulletins_n = (uint32_t)pg_get_i64(res, row, 6);
    g.revision = pg_get_u64(res, row, 7);
    return scheduler_load_programme(s, path, &g);
}

/* "vn/08/070,vn/08/071" */
static bool split_areas(const char *text,
                        char (*areas)[LOA_AREA_CAP],
                        uint32_t *areas_n)
{
    *areas_n = 0;
    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, ",");

        if (len >= LOA_AREA_CAP || *areas_n == BULLETIN_AREAS_MAX)
            return false;
        memcpy(areas[*areas_n], p, len);
        areas[(*areas_n)++][len] = '\0';
        p += len + (p[len] == ',');
    }
    return true;
}

static enum bulletin_why why_of(const char *name)
{
    for (int why = 0; why < BULLETIN_WHYS_N; why++)
        if (strcmp(scheduler_why_name((enum bulletin_why)why), name) == 0)
            return (enum bulletin_why)why;
    return BULLETIN_APPROVAL_VOID;
}

static int load_bulletin(struct scheduler *s, const PGresult *res, int row)
{
    static char areas[BULLETIN_AREAS_MAX][LOA_AREA_CAP];
    uint32_t areas_n;
    struct bulletin b;
    struct loa_bytes approval, chain;

    memset(&b, 0, sizeof b);
    if (!get_bytes(res, row, 0, b.id, sizeof b.id) ||
        !split_areas(pg_get_text(res, row, 1, NULL), areas, &areas_n) ||
        !get_text(res, row, 3, b.title, sizeof b.title) ||
        !get_text(res, row, 8, b.requested_by, sizeof b.requested_by) ||
        !get_text(res, row, 10, b.requester_area, sizeof b.requester_area) ||
        !get_bytes(res, row, 11, b.requester_issuer,
                   sizeof b.requester_issuer) ||
        !get_text(res, row, 14, b.cancelled_by, sizeof b.cancelled_by))
        return LOA_EINVAL;
    b.class = (enum bulletin_class)pg_get_i64(res, row, 2);
    b.rule.first_ms = pg_get_time_ms(res, row, 4);
    b.rule.frequency = (enum slots_frequency)pg_get_i64(res, row, 5);
    b.rule.weekdays = (unsigned)pg_get_i64(res, row, 6);
    b.until_ms = pg_get_time_ms(res, row, 7);
    b.requested_at_ms = pg_get_time_ms(res, row, 9);
    b.requester_serial = (uint64_t)pg_get_i64(res, row, 12);
    if (!pg_is_null(res, row, 13)) {
        b.cancelled_at_ms = pg_get_time_ms(res, row, 13);
        b.why = why_of(pg_get_text(res, row, 15, NULL));
    }
    b.revision = pg_get_u64(res, row, 16);
    approval.data = pg_get_bytes(res, row, 17, &approval.len);
    chain.data = pg_get_bytes(res, row, 18, &chain.len);
    return scheduler_load_bulletin(s, &b, (const char(*)[LOA_AREA_CAP])areas,
                                   areas_n, approval, chain);
}

static int load_released(struct scheduler *s, const PGresult *res, int row)
{
    struct released_row r;

    memset(&r, 0, sizeof r);
    if (!get_bytes(res, row, 0, r.content_hash, sizeof r.content_hash) ||
        !get_text(res, row, 1, r.area, sizeof r.area))
        return LOA_EINVAL;
    r.closed_until_ms = pg_get_time_ms(res, row, 2);
    return scheduler_load_released(s, &r);
}

static int load(struct pg *pg,
                struct scheduler *s,
                int stmt,
                int (*take)(struct scheduler *, const PGresult *, int))
{
    PGresult *res;
    int rv = pg_query_now(pg, &stmts[stmt], NULL, &res);

    if (rv != LOA_OK)
        return rv;
    for (int row = 0; rv == LOA_OK && row < PQntuples(res); row++) {
        rv = take(s, res, row);
        if (rv != LOA_OK)
            log_error("scheduler.load", "stmt=%s row=%d text=%s",
                      stmts[stmt].name, row, loa_strerror(rv));
    }
    PQclear(res);
    return rv;
}

static int load_sync(struct pg *pg,
                     struct scheduler *s,
                     uint64_t *areas_version)
{
    PGresult *res;
    int rv = pg_query_now(pg, &stmts[LOAD_SYNC], NULL, &res);

    *areas_version = 0;
    if (rv != LOA_OK)
        return rv;
    s->areas_known = PQntuples(res) == 1;
    if (s->areas_known)
        *areas_version = pg_get_u64(res, 0, 0);
    PQclear(res);
    return LOA_OK;
}

int io_pg_load(struct pg *pg, struct scheduler *s, uint64_t *areas_version)
{
    int rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);

    if (rv == LOA_OK)
        rv = load(pg, s, LOAD_AREAS, load_area);
    if (rv == LOA_OK)
        rv = load_sync(pg, s, areas_version);
    if (rv == LOA_OK)
        rv = load(pg, s, LOAD_PROGRAMMES, load_programme);
    if (rv == LOA_OK)
        rv = load(pg, s, LOAD_BULLETINS, load_bulletin);
    if (rv == LOA_OK)
        rv = load(pg, s, LOAD_RELEASED, load_released);
    return rv;
}
