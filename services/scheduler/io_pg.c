#include "scheduler/io_pg.h"

#include <stdio.h>
#include <string.h>

enum {
    PUT_AREAS,
    PUT_SYNC,
    PUT_APPROVAL,
    PUT_BULLETIN,
    PUT_PROGRAMME,
    PUT_RELEASED,
    PRUNE_RELEASED,
    FORGET,
    CLOCK,
};

/* Columns of bulletin and of bulletin_past alike. */
#define PAST                                                              \
    "bulletin_id, approval_id, areas, class, title, start_at, frequency," \
    " weekdays, until_at, requested_by, requested_at, requester_area,"    \
    " requester_issuer, requester_serial, cancelled_at, cancelled_by,"    \
    " cancelled_why, revision, requester_chain"

const struct pg_stmt io_pg_stmts[] = {
    /* A page is one statement, whatever its size. */
    [PUT_AREAS] =
        {"scheduler_put_areas",
         "INSERT INTO area"
         " SELECT DISTINCT ON (p, f) replace(p, '/', '.')::ltree, c, n, t,"
         " to_timestamp(f / 1000.0),"
         " CASE WHEN u = 0 THEN NULL ELSE to_timestamp(u / 1000.0) END, v"
         " FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[],"
         " $5::bigint[], $6::bigint[], $7::bigint[]) AS r(p, c, n, t, f, u, v)"
         " ORDER BY p, f, v DESC"
         " ON CONFLICT (path, valid_from) DO UPDATE SET code = excluded.code,"
         " name = excluded.name, tier = excluded.tier,"
         " valid_until = excluded.valid_until, version = excluded.version",
         7, PG_NONE, false},
    [PUT_SYNC] = {"scheduler_put_sync",
                  "INSERT INTO area_sync (version) VALUES ($1::bigint)"
                  " ON CONFLICT (one) DO UPDATE SET version ="
                  " excluded.version, at = now()",
                  1, PG_NONE, false},
    [PUT_APPROVAL] =
        {"scheduler_put_approval",
         "INSERT INTO approval VALUES ($1::bytea, $2::bytea, $3::bytea,"
         " $4::text, $5::timestamptz) ON CONFLICT DO NOTHING",
         5, PG_NONE, false},
    [PUT_BULLETIN] =
        {"scheduler_put_bulletin",
         "INSERT INTO bulletin VALUES ($1::bytea, $2::bytea,"
         " $3::text::ltree[], $4::int, $5::text, $6::timestamptz, $7::int,"
         " $8::int, $9::timestamptz, $10::text, $11::timestamptz,"
         " replace($12::text, '/', '.')::ltree, $13::bytea, $14::bigint,"
         " $15::timestamptz, $16::text, $17::text, $18::bigint, $19::bytea)"
         " ON CONFLICT (bulletin_id) DO UPDATE SET"
         " approval_id = excluded.approval_id, start_at = excluded.start_at,"
         " weekdays = excluded.weekdays, until_at = excluded.until_at,"
         " requested_by = excluded.requested_by,"
         " requested_at = excluded.requested_at,"
         " requester_area = excluded.requester_area,"
         " requester_issuer = excluded.requester_issuer,"
         " requester_serial = excluded.requester_serial,"
         " requester_chain = excluded.requester_chain,"
         " cancelled_at = excluded.cancelled_at,"
         " cancelled_by = excluded.cancelled_by,"
         " cancelled_why = excluded.cancelled_why,"
         " revision = excluded.revision",
         19, PG_NONE, false},
    [PUT_PROGRAMME] =
        {"scheduler_put_programme",
         "INSERT INTO programme VALUES (replace($1::text, '/', '.')::ltree,"
         " $2::bigint, $3::bytea, $4::timestamptz, $5::timestamptz,"
         " $6::timestamptz, $7::int, $8::bigint)"
         " ON CONFLICT (area) DO UPDATE SET version = excluded.version,"
         " hash = excluded.hash, built_at = excluded.built_at,"
         " window_end = excluded.window_end, expires_at = excluded.expires_at,"
         " bulletins_n = excluded.bulletins_n, revision = excluded.revision",
         8, PG_NONE, false},
    [PUT_RELEASED] = {"scheduler_put_released",
                      "INSERT INTO released VALUES ($1::bytea,"
                      " replace($2::text, '/', '.')::ltree, $3::timestamptz)"
                      " ON CONFLICT (content_hash, area) DO UPDATE SET"
                      " closed_until = excluded.closed_until",
                      3, PG_NONE, false},
    /* Nobody reads what is older than all that is kept. */
    [PRUNE_RELEASED] = {"scheduler_prune_released",
                        "DELETE FROM released WHERE closed_until <"
                        " $1::timestamptz",
                        1, PG_NONE, false},
    [FORGET] = {"scheduler_forget",
                "WITH gone AS (DELETE FROM bulletin WHERE bulletin_id ="
                " $1::bytea RETURNING *)"
                " INSERT INTO bulletin_past (" PAST ") SELECT " PAST
                " FROM gone",
                1, PG_NONE, false},
    [CLOCK] = {"scheduler_clock", "SELECT clock_timestamp()", 0, PG_ONE, true},
};
const struct pg_stmt *const io_pg_clock = &io_pg_stmts[CLOCK];
const size_t io_pg_stmts_n = sizeof io_pg_stmts / sizeof io_pg_stmts[0];

/* --- writing -------------------------------------------------------------- */

static int put_approval(struct pg *pg,
                        const struct approval *v,
                        struct loa_bytes envelope)
{
    uint8_t expires[8];
    const struct pg_value values[] = {
        pg_bytes(v->id, sizeof v->id),
        pg_bytes(envelope.data, envelope.len),
        pg_bytes(v->content_hash, sizeof v->content_hash),
        pg_text(v->approver),
        pg_time_ms(v->expires_at_ms, expires),
    };

    return pg_query(pg, &io_pg_stmts[PUT_APPROVAL], values, NULL, NULL);
}

/* "{vn.08.070,vn.08.071}"; area paths hold nothing to be escaped. */
static void join_areas(const struct scheduler *s,
                       uint32_t row,
                       char out[BULLETIN_AREAS_MAX * LOA_AREA_CAP + 3])
{
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(&s->plan, row, areas);
    char *p = out;

    *p++ = '{';
    for (uint32_t i = 0; i < areas_n; i++) {
        if (i > 0)
            *p++ = ',';
        for (const char *q = s->plan.areas.rows[areas[i]].path; *q != '\0'; q++)
            *p++ = *q == '/' ? '.' : *q;
    }
    *p++ = '}';
    *p = '\0';
}

static int put_bulletin(struct pg *pg, const struct scheduler *s, uint32_t row)
{
    const struct bulletin *b = &s->plan.bulletins[row];
    const struct approval *v = &s->plan.approvals.rows[b->approval];
    char areas[BULLETIN_AREAS_MAX * LOA_AREA_CAP + 3];
    uint8_t class[4], start[8], frequency[4], weekdays[4], until[8],
        requested[8], serial[8], cancelled[8], revision[8];
    uint8_t chain[APPROVALS_CHAIN_BYTES_MAX];
    size_t chain_len =
        approvals_pack_chain(&s->plan.approvals, &b->requester_chain, chain);

    join_areas(s, row, areas);
    const struct pg_value values[] = {
        pg_bytes(b->id, sizeof b->id),
        pg_bytes(v->id, sizeof v->id),
        pg_text(areas),
        pg_i32((int32_t)b->class, class),
        pg_text(b->title),
        pg_time_ms(b->rule.first_ms, start),
        pg_i32((int32_t)b->rule.frequency, frequency),
        pg_i32((int32_t)b->rule.weekdays, weekdays),
        pg_time_ms(b->until_ms, until),
        pg_text(b->requested_by),
        pg_time_ms(b->requested_at_ms, requested),
        pg_text(b->requester_area),
        pg_bytes(b->requester_issuer, sizeof b->requester_issuer),
        pg_i64((int64_t)b->requester_serial, serial),
        b->cancelled_at_ms == 0 ? PG_NULL
                                : pg_time_ms(b->cancelled_at_ms, cancelled),
        pg_text(b->cancelled_by),
        pg_text(scheduler_why_name(b->why)),
        pg_i64((int64_t)b->revision, revision),
        pg_bytes(chain, chain_len),
    };
    return pg_query(pg, &io_pg_stmts[PUT_BULLETIN], values, NULL, NULL);
}

static int put_programme(struct pg *pg,
                         struct outbox *outbox,
                         const struct area *a,
                         struct loa_bytes envelope)
{
    const struct area_programme *g = &a->programme;
    uint8_t version[8], built[8], window[8], expires[8], n[4], revision[8];
    const struct pg_value values[] = {
        pg_text(a->path),
        pg_i64((int64_t)g->version, version),
        pg_bytes(g->hash, sizeof g->hash),
        pg_time_ms(g->built_at_ms, built),
        pg_time_ms(g->window_end_ms, window),
        pg_time_ms(g->expires_at_ms, expires),
        pg_i32((int32_t)g->bulletins_n, n),
        pg_i64((int64_t)g->revision, revision),
    };
    char topic[LOA_TOPIC_CAP];
    int rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, "programme",
                             a->path, NULL);

    if (rv == LOA_OK)
        rv = pg_query(pg, &io_pg_stmts[PUT_PROGRAMME], values, NULL, NULL);
    return rv == LOA_OK ? outbox_put(outbox, topic, envelope.data, envelope.len)
                        : rv;
}

static int put_released(struct pg *pg,
                        const struct scheduler *s,
                        const struct released_row *r)
{
    int64_t earliest_ms = released_earliest(&s->released);
    uint8_t until[8], earliest[8];
    int rv;
    const struct pg_value values[] = {
        pg_bytes(r->content_hash, sizeof r->content_hash),
        pg_text(r->area),
        pg_time_ms(r->closed_until_ms, until),
    };

    rv = pg_query(pg, &io_pg_stmts[PUT_RELEASED], values, NULL, NULL);
    if (rv == LOA_OK && earliest_ms != INT64_MIN) {
        struct pg_value before = pg_time_ms(earliest_ms, earliest);

        rv = pg_query(pg, &io_pg_stmts[PRUNE_RELEASED], &before, NULL, NULL);
    }
    return rv;
}

int io_pg_write(struct pg *pg,
                struct outbox *outbox,
                const struct scheduler *s,
                const struct scheduler_update *up)
{
    int rv = LOA_OK;

    if (up->approval.len > 0)
        rv = put_approval(pg, &s->plan.approvals.rows[up->approval_row],
                          up->approval);
    if (rv == LOA_OK && up->released != NULL)
        rv = put_released(pg, s, up->released);
    for (uint32_t i = 0; rv == LOA_OK && i < up->bulletins_n; i++)
        rv = put_bulletin(pg, s, up->bulletins[i]);
    for (uint32_t i = 0; rv == LOA_OK && i < up->forgotten_n; i++) {
        struct pg_value id = pg_bytes(up->forgotten[i], LOA_ID_BYTES);

        rv = pg_query(pg, &io_pg_stmts[FORGET], &id, NULL, NULL);
    }
    for (uint32_t i = 0; rv == LOA_OK && i < up->programmes_n; i++)
        rv = put_programme(pg, outbox,
                           &s->plan.areas.rows[up->programmes[i].area],
                           up->programmes[i].envelope);
    return rv;
}

/* --- the area tree -------------------------------------------------------- */

/* An array literal that grows: {"a","b"}. */
struct literal {
    char text[SYNC_ROWS_MAX * (2 * SYNC_TEXT_CAP + 4) + 3];
    size_t len;
};

static void literal_add(struct literal *l, const char *text)
{
    char separator = l->len == 0 ? '{' : ',';

    l->text[l->len++] = separator;
    l->text[l->len++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            l->text[l->len++] = '\\';
        l->text[l->len++] = *text;
    }
    l->text[l->len++] = '"';
}

static void literal_add_number(struct literal *l, int64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)n);
    literal_add(l, text);
}

static struct pg_value literal_value(struct literal *l)
{
    if (l->len == 0)
        l->text[l->len++] = '{';
    l->text[l->len++] = '}';
    l->text[l->len] = '\0';
    return pg_text(l->text);
}

static int put_areas(struct pg *pg, const struct sync_page *page)
{
    static struct literal columns[7];
    struct pg_value values[7];

    for (int c = 0; c < 7; c++)
        columns[c].len = 0;
    for (uint32_t i = 0; i < page->rows_n; i++) {
        const struct sync_area *r = &page->rows[i];

        literal_add(&columns[0], r->area.path);
        literal_add(&columns[1], r->code);
        literal_add(&columns[2], r->name);
        literal_add_number(&columns[3], r->tier);
        literal_add_number(&columns[4], r->area.valid.from_ms);
        literal_add_number(&columns[5], r->area.valid.until_ms);
        literal_add_number(&columns[6], (int64_t)r->version);
    }
    for (int c = 0; c < 7; c++)
        values[c] = literal_value(&columns[c]);
    return pg_query(pg, &io_pg_stmts[PUT_AREAS], values, NULL, NULL);
}

int io_pg_write_areas(struct pg *pg,
                      const struct sync_page *page,
                      bool complete)
{
    uint8_t version[8];
    struct pg_value value = pg_i64((int64_t)page->version, version);
    int rv = put_areas(pg, page);

    if (rv == LOA_OK && complete)
        rv = pg_query(pg, &io_pg_stmts[PUT_SYNC], &value, NULL, NULL);
    return rv;
}
