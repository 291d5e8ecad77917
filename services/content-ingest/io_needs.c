#include "content-ingest/io_needs.h"

#include <string.h>

#include "content-ingest/approved.h"
#include "content-ingest/io_signers.h"
#include "content-ingest/sqlarray.h"
#include "content-ingest/wire.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

#define TIMER_MS 10000

enum {
    STMT_LOAD_AREAS,
    STMT_LOAD_NEEDS,
    STMT_LOAD_CONTENTS,
    STMT_PROGRAMME,
    STMT_OVER,
    STMT_GONE,
    STMT_NEEDS,
    STMT_SAVED,
    STMT_CONTENTS,
};

static const struct pg_stmt stmts[] = {
    [STMT_LOAD_AREAS] = {"programme_load",
                         "SELECT replace(area::text, '.', '/'), version,"
                         " expires_at, signer FROM programme",
                         0, PG_ROWS, true},
    [STMT_LOAD_NEEDS] = {"need_load",
                         "SELECT replace(area::text, '.', '/'), content_hash,"
                         " first_start_at, until_at, pushed_at IS NOT NULL"
                         " FROM need WHERE until_at > now()",
                         0, PG_ROWS, true},
    [STMT_LOAD_CONTENTS] =
        {"need_contents",
         "SELECT content_hash, stream_key, packets_n FROM content c"
         " WHERE EXISTS (SELECT FROM need n"
         " WHERE n.content_hash = c.content_hash)",
         0, PG_ROWS, true},
    [STMT_PROGRAMME] =
        {"programme_put",
         "INSERT INTO programme (area, version, expires_at, signer)"
         " VALUES (replace($1, '/', '.')::ltree, $2::bigint, $3::timestamptz,"
         " $4) ON CONFLICT (area) DO UPDATE SET version = excluded.version,"
         " expires_at = excluded.expires_at, signer = excluded.signer",
         4, PG_NONE, false},
    [STMT_OVER] = {"programme_over",
                   "DELETE FROM programme"
                   " WHERE area = replace($1, '/', '.')::ltree",
                   1, PG_NONE, false},
    [STMT_GONE] = {"need_gone",
                   "DELETE FROM need WHERE area = replace($1, '/', '.')::ltree"
                   " AND content_hash <> ALL ($2::bytea[])",
                   2, PG_NONE, false},
    [STMT_NEEDS] =
        {"need_put",
         "INSERT INTO need (area, version, content_hash, first_start_at,"
         " until_at, pushed_at)"
         " SELECT replace($1, '/', '.')::ltree, $2::bigint, hash,"
         " to_timestamp(start_ms / 1000.0), to_timestamp(until_ms / 1000.0),"
         " CASE WHEN pushed = 1 THEN now() END"
         " FROM unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[])"
         " AS n (hash, start_ms, until_ms, pushed)"
         " ON CONFLICT (area, content_hash) DO UPDATE SET"
         " version = excluded.version, first_start_at = "
         "excluded.first_start_at,"
         " until_at = excluded.until_at,"
         " pushed_at = coalesce(need.pushed_at, excluded.pushed_at)",
         6, PG_NONE, false},
    /* A programme saves what was about to be deleted. */
    [STMT_SAVED] = {"content_saved",
                    "UPDATE content SET deleting_at = NULL"
                    " WHERE content_hash = ANY ($1::bytea[])"
                    " AND deleting_at IS NOT NULL",
                    1, PG_NONE, false},
    [STMT_CONTENTS] = {"content_known",
                       "SELECT content_hash, stream_key, packets_n"
                       " FROM content WHERE content_hash = ANY ($1::bytea[])",
                       1, PG_ROWS, true},
};

/* --- at start --------------------------------------------------------------
 */

static void take_contents(struct needs_io *s, const PGresult *res)
{
    size_t len;

    for (int i = 0; i < PQntuples(res); i++)
        needs_content(s->needs, pg_get_bytes(res, i, 0, &len),
                      pg_get_bytes(res, i, 1, &len),
                      (uint32_t)pg_get_u64(res, i, 2));
}

static uint32_t loaded_signer(const struct needs_io *s,
                              const PGresult *res,
                              int i)
{
    size_t len;

    return pg_is_null(res, i, 3)
               ? SIGNER_NONE
               : signers_find(&s->signers, pg_get_bytes(res, i, 3, &len));
}

static int load_areas(struct needs_io *s)
{
    PGresult *res;
    int rv = pg_query_now(s->pg, &stmts[STMT_LOAD_AREAS], NULL, &res);

    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++)
        rv = needs_restore_area(
            s->needs, pg_get_text(res, i, 0, NULL), pg_get_u64(res, i, 1),
            pg_get_time_ms(res, i, 2), loaded_signer(s, res, i));
    PQclear(res);
    return rv;
}

static int load_needs(struct needs_io *s)
{
    struct need_item item;
    PGresult *res;
    size_t len;
    int rv = pg_query_now(s->pg, &stmts[STMT_LOAD_NEEDS], NULL, &res);

    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++) {
        memcpy(item.content_hash, pg_get_bytes(res, i, 1, &len),
               LOA_HASH_BYTES);
        item.start_at_ms = pg_get_time_ms(res, i, 2);
        item.until_at_ms = pg_get_time_ms(res, i, 3);
        item.pushed = pg_get_bool(res, i, 4);
        rv = needs_restore(s->needs, pg_get_text(res, i, 0, NULL), &item);
    }
    log_info("needs.restore", "needs=%d text=%s", PQntuples(res),
             loa_strerror(rv));
    PQclear(res);
    return rv;
}

static int load_contents(struct needs_io *s)
{
    PGresult *res;
    int rv = pg_query_now(s->pg, &stmts[STMT_LOAD_CONTENTS], NULL, &res);

    if (rv != LOA_OK)
        return rv;
    take_contents(s, res);
    PQclear(res);
    return LOA_OK;
}

/* --- writing ---------------------------------------------------------------
 */

/* Nothing of it is left here, in the database, or on its way there. */
static bool is_over(const struct needs_io *s, const struct need_area *area)
{
    for (size_t i = 0; i < NEEDS_SAVES_MAX; i++)
        if (s->saves[i].area == area)
            return false;
    return needs_area_over(area) && !area->dirty;
}

static void on_saved(void *data, int status)
{
    struct needs_save *v = data;
    struct needs_io *s = v->io;
    struct need_area *area = v->area;

    v->area = NULL;
    if (status == LOA_OK) {
        if (is_over(s, area))
            needs_free_area(s->needs, area);
        needs_io_save(s);
        return;
    }
    /* The timer tries again; the full disk is told by who watches it. */
    log_warn("needs.save", "area=%s text=%s", area->path, loa_strerror(status));
    needs_mark_dirty(s->needs, area);
}

static void on_contents(void *data, int status, const PGresult *res)
{
    struct needs_save *v = data;

    if (status != LOA_OK)
        return;
    take_contents(v->io, res);
    v->io->changed(v->io->data);
}

struct rows {
    uint8_t hashes[NEED_PROGRAMME_MAX * (LOA_HASH_BYTES + 4) + 20];
    uint8_t numbers[3][NEED_PROGRAMME_MAX * 12 + 20];
    struct sqlarray hash, start, until, pushed;
};

/* The needs of an area as columns. There are no more than one programme has,
 * or the arrays would be full: asserted. */
static int columns(const struct needs *n,
                   const struct need_area *a,
                   struct rows *r)
{
    int rv = LOA_OK;

    sqlarray_init(&r->hash, r->hashes, sizeof r->hashes, SQLARRAY_BYTEA);
    sqlarray_init(&r->start, r->numbers[0], sizeof r->numbers[0],
                  SQLARRAY_INT8);
    sqlarray_init(&r->until, r->numbers[1], sizeof r->numbers[1],
                  SQLARRAY_INT8);
    sqlarray_init(&r->pushed, r->numbers[2], sizeof r->numbers[2],
                  SQLARRAY_INT8);
    for (uint32_t i = a->first; i != NEEDS_NONE && rv == LOA_OK;
         i = n->needs[i].in_area) {
        const struct need *d = &n->needs[i];

        rv = sqlarray_bytes(&r->hash, n->contents[d->content].hash,
                            LOA_HASH_BYTES);
        if (rv == LOA_OK)
            rv = sqlarray_i64(&r->start, d->start_at_ms);
        if (rv == LOA_OK)
            rv = sqlarray_i64(&r->until, d->until_at_ms);
        if (rv == LOA_OK)
            rv = sqlarray_i64(&r->pushed, d->pushed);
    }
    return rv;
}

static struct pg_value array(const struct sqlarray *a)
{
    return pg_bytes(a->buf, a->len);
}

static int save(struct needs_save *v)
{
    struct needs_io *s = v->io;
    static struct rows r;
    uint8_t version[8], expires[8];
    int rv = columns(s->needs, v->area, &r);
    struct pg_value area = pg_text(v->area->path);
    struct pg_value number = pg_i64((int64_t)v->area->version, version);
    struct pg_value programme[] = {
        area, number, pg_time_ms(v->area->expires_at_ms, expires), PG_NULL};
    struct pg_value gone[] = {area, array(&r.hash)};
    struct pg_value needs[] = {area,
                               number,
                               array(&r.hash),
                               array(&r.start),
                               array(&r.until),
                               array(&r.pushed)};
    struct pg_value hashes = array(&r.hash);

    if (rv != LOA_OK)
        return rv;
    if (v->area->signer != SIGNER_NONE) {
        const struct signer *who = &s->signers.rows[v->area->signer];

        rv = signers_io_save(s->pg, who);
        programme[3] = pg_bytes(who->key, LOA_KEY_BYTES);
    }
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_PROGRAMME], programme, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_GONE], gone, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_NEEDS], needs, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_SAVED], &hashes, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(s->pg, &stmts[STMT_CONTENTS], &hashes, on_contents, v);
    return pg_commit(s->pg, on_saved, v);
}

static int save_over(struct needs_save *v)
{
    struct pg *pg = v->io->pg;
    struct pg_value area = pg_text(v->area->path);
    int rv = pg_query(pg, &stmts[STMT_OVER], &area, NULL, NULL);

    (void)rv; /* What found no room is told at the end of the batch. */
    return pg_commit(pg, on_saved, v);
}

void needs_io_save(struct needs_io *s)
{
    for (size_t i = 0; i < NEEDS_SAVES_MAX; i++) {
        struct needs_save *v = &s->saves[i];
        int rv;

        if (v->area != NULL)
            continue;
        if (!pg_has_room(s->pg, 16) ||
            (v->area = needs_take_dirty(s->needs)) == NULL)
            return;
        rv = needs_area_over(v->area) ? save_over(v) : save(v);
        if (rv != LOA_OK) {
            on_saved(v, rv);
            return;
        }
    }
}

bool needs_io_settled(const struct needs_io *s)
{
    for (size_t i = 0; i < NEEDS_SAVES_MAX; i++)
        if (s->saves[i].area != NULL)
            return false;
    return s->needs->dirty_n == 0;
}

/* --- programmes ------------------------------------------------------------
 */

static void refuse(struct needs_io *s, const char *area, const char *why)
{
    stats_add(s->stats, STATS_PROGRAMMES_REFUSED, 1);
    log_warn("programme.refused", "area=%s text=%s", area, why);
}

static bool believe(struct needs_io *s,
                    const char *area,
                    struct loa_bytes p,
                    struct loa_envelope *e)
{
    struct loa_expect want = {.type = LOA_TYPE_PROGRAMME,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
    struct loa_identity_claim who;
    enum loa_verdict v;

    loa_arena_reset(s->arena);
    if (loa_envelope_parse(s->arena, p, e) != LOA_OK) {
        refuse(s, area, "malformed");
        return false;
    }
    v = loa_trust_verify(&s->trust->trust, e, &want, &who);
    if (v != LOA_VERDICT_OK) {
        refuse(s, area, loa_verdict_name(v));
        return false;
    }
    if (strcmp(e->header.area, area) != 0 ||
        !loa_area_within(area, s->own_area)) {
        refuse(s, area, "it is another area's");
        return false;
    }
    if (e->header.expires_at_ms > want.now_ms + NEEDS_LIFE_MS)
        e->header.expires_at_ms = want.now_ms + NEEDS_LIFE_MS;
    s->signer(s->data, who.certificate.principal, e->header.expires_at_ms);
    return true;
}

/* Its row in the table of signers; SIGNER_NONE: that is full of others whose
 * programmes are needed. */
static uint32_t take_signer(struct needs_io *s, const struct loa_envelope *e)
{
    const uint8_t *key = e->signatures[0].key;
    uint8_t chain[SIGNER_CHAIN_BYTES_MAX];
    struct loa_bytes packed = {chain, 0};
    uint32_t row = signers_find(&s->signers, key);

    if (signers_pack(e->certificates, e->certificates_n, chain, &packed.len) !=
        LOA_OK)
        return SIGNER_NONE;
    row = signers_put(&s->signers, key, packed,
                      row == SIGNER_NONE ? needs_signers(s->needs) : 0);
    /* It was believed just now: this is for its name. */
    return row != SIGNER_NONE &&
                   signers_hold(&s->signers, row, &s->trust->trust)
               ? row
               : SIGNER_NONE;
}

size_t needs_io_trust(struct needs_io *s)
{
    size_t revoked_n = 0, n;

    for (uint32_t i = 0; i < SIGNERS_MAX; i++) {
        struct signer *r = &s->signers.rows[i];

        if (!r->used || signers_hold(&s->signers, i, &s->trust->trust))
            continue;
        n = needs_forget_signer(s->needs, i);
        log_warn("programme.forgotten",
                 "principal=%s areas=%zu text=its signer was revoked",
                 r->principal, n);
        s->revoked(s->data, r->principal);
        signers_drop(&s->signers, i);
        revoked_n++;
    }
    needs_io_save(s);
    return revoked_n;
}

/* A version that is not taken costs no look at its approvals. */
static void keep_approved(struct needs_io *s,
                          const char *area,
                          int64_t issued_at_ms,
                          struct wire_programme *p)
{
    int64_t now_at_ms = clock_wall_ms();
    size_t gone_n;

    if (!needs_newer(s->needs, area, p->version, now_at_ms))
        return;
    gone_n = approved_keep(s->needs, area, &s->trust->trust, s->arena,
                           now_at_ms, issued_at_ms, p);
    if (gone_n > 0)
        log_warn("programme.unapproved",
                 "area=%s contents=%zu text=no approver signed for them", area,
                 gone_n);
}

void needs_io_programme(struct needs_io *s,
                        const char *area,
                        struct loa_bytes p)
{
    static struct wire_programme programme;
    struct loa_envelope e;
    uint32_t signer;
    int rv;

    /* Somebody cleared the retained message. It was not signed, so what the
     * last programme needs is kept until that expires. */
    if (p.len == 0 || !believe(s, area, p, &e))
        return;
    if (wire_programme(s->arena, e.header.body, clock_wall_ms(),
                       e.header.expires_at_ms, &programme) != LOA_OK) {
        refuse(s, area, "malformed");
        return;
    }
    signer = take_signer(s, &e);
    if (signer == SIGNER_NONE) {
        refuse(s, area, "more signers than are kept");
        return;
    }
    keep_approved(s, area, e.header.issued_at_ms, &programme);
    rv = needs_programme(s->needs, area, programme.version,
                         e.header.expires_at_ms, programme.items,
                         programme.items_n, clock_wall_ms());
    if (rv != LOA_EINVAL)
        needs_sign(s->needs, area, programme.version, signer);
    if (rv == LOA_ESTALE)
        return;
    if (rv == LOA_EINVAL) {
        refuse(s, area, "future");
        return;
    }
    if (rv != LOA_OK)
        log_error("programme.room", "area=%s needs=%u text=no room for all",
                  area, s->needs->needs_n);
    stats_add(s->stats, STATS_PROGRAMMES, 1);
    log_info("programme.taken", "area=%s version=%llu contents=%zu", area,
             (unsigned long long)programme.version, programme.items_n);
    needs_io_save(s);
    s->changed(s->data);
}

/* --- open, close -----------------------------------------------------------
 */

static void on_timer(uv_timer_t *timer)
{
    struct needs_io *s = timer->data;

    needs_expire(s->needs, clock_wall_ms());
    needs_io_save(s);
}

int needs_io_open(struct needs_io *s)
{
    int rv = pg_prepare(s->pg, stmts, sizeof stmts / sizeof stmts[0]);

    uv_timer_init(s->loop, &s->timer);
    s->timer.data = s;
    for (size_t i = 0; i < NEEDS_SAVES_MAX; i++)
        s->saves[i].io = s;
    if (rv == LOA_OK)
        rv = signers_io_open(s->pg, &s->signers, &s->trust->trust);
    if (rv == LOA_OK)
        rv = load_areas(s);
    if (rv == LOA_OK)
        rv = load_needs(s);
    if (rv == LOA_OK)
        rv = load_contents(s);
    uv_timer_start(&s->timer, on_timer, TIMER_MS, TIMER_MS);
    return rv;
}

void needs_io_close(struct needs_io *s)
{
    if (s->timer.data != NULL) /* It was opened. */
        uv_close((uv_handle_t *)&s->timer, NULL);
}
