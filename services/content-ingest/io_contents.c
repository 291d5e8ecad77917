#include "content-ingest/io_contents.h"

#include <sodium.h>
#include <string.h>

#include "content-ingest/io_batch.h"
#include "content-ingest/io_list.h"
#include "content-ingest/io_reply.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

enum { STMT_FIND, STMT_MANIFEST, STMT_APPROVE, STMT_RIGHTS, STMT_DELETE };

/* What a member of staff of area $1 may see: what was handed in there or below,
 * and what is approved for that area, one above it or one below it. */
#define VISIBLE                                                  \
    "(EXISTS (SELECT FROM submission s"                          \
    "  WHERE s.content_hash = c.content_hash AND s.area <@ own)" \
    " OR EXISTS (SELECT FROM approval a"                         \
    "  WHERE a.content_hash = c.content_hash"                    \
    "  AND (a.area @> own OR a.area <@ own) AND a.expires_at > now()))"

static const struct pg_stmt stmts[] = {
    /* One row per approval, or one without; see list_answer(). */
    [STMT_FIND] =
        {"content_find",
         "WITH page AS (SELECT c.*, own FROM content c,"
         " (SELECT replace($1, '/', '.')::ltree AS own) AS asker"
         " WHERE " VISIBLE " AND ($2::bytea IS NULL OR c.content_hash = $2)"
         " AND ($3::bigint IS NULL OR (c.created_at, c.content_hash) <"
         "  (timestamptz 'epoch' + $3 * interval '1 microsecond', $4::bytea))"
         " ORDER BY c.created_at DESC, c.content_hash DESC LIMIT $5::int)"
         " SELECT p.content_hash, p.manifest, replace(s.area::text, '.', '/'),"
         " s.submitted_by, s.submitted_at, p.deleting_at IS NOT NULL,"
         " (extract(epoch FROM p.created_at) * 1000000)::bigint,"
         " coalesce(n.areas, ''), a.envelope"
         " FROM page p"
         " LEFT JOIN LATERAL (SELECT area, submitted_by, submitted_at"
         "  FROM submission s WHERE s.content_hash = p.content_hash"
         "  ORDER BY s.area <@ p.own DESC, submitted_at LIMIT 1) s ON true"
         " LEFT JOIN LATERAL (SELECT string_agg(replace(area::text, '.', '/'),"
         "  ' ' ORDER BY area) AS areas FROM (SELECT area FROM need n"
         "  WHERE n.content_hash = p.content_hash AND until_at > now()"
         "  ORDER BY area LIMIT 16) AS slice) n ON true"
         " LEFT JOIN LATERAL (SELECT envelope, approved_at FROM approval a"
         "  WHERE a.content_hash = p.content_hash AND a.expires_at > now()"
         "  ORDER BY approved_at DESC LIMIT 64) a ON true"
         " ORDER BY p.created_at DESC, p.content_hash DESC, a.approved_at DESC",
         5, PG_ROWS, true},
    [STMT_MANIFEST] =
        {"content_manifest",
         "SELECT c.manifest, a.envelope FROM content c LEFT JOIN LATERAL"
         " (SELECT envelope FROM approval a"
         "  WHERE a.content_hash = c.content_hash AND a.approval_id <> $2"
         "  AND a.expires_at > now() LIMIT 64) a ON true"
         " WHERE c.content_hash = $1",
         2, PG_ROWS, true},
    [STMT_APPROVE] =
        {"approval_insert",
         "INSERT INTO approval (approval_id, content_hash, envelope, area,"
         " approved_by, expires_at)"
         " VALUES ($1, $2, $3, replace($4, '/', '.')::ltree, $5,"
         " $6::timestamptz) ON CONFLICT (approval_id) DO NOTHING",
         6, PG_NONE, false},
    /* Who may delete: everything within the asker's area is the asker's own, or
     * the asker approves contents there. */
    [STMT_RIGHTS] =
        {"content_rights",
         "SELECT coalesce(bool_and(s.submitted_by = $3)"
         "   FILTER (WHERE s.area <@ own), false),"
         " count(*) FILTER (WHERE s.area <@ own) > 0,"
         " EXISTS (SELECT FROM need n WHERE n.content_hash = $2"
         "  AND n.until_at > now())"
         " FROM submission s, (SELECT replace($1, '/', '.')::ltree AS own) o"
         " WHERE s.content_hash = $2",
         3, PG_ONE, true},
    /* Others' submissions of the same sound stay; the last one marks it. */
    [STMT_DELETE] =
        {"content_delete",
         "WITH own AS (SELECT replace($1, '/', '.')::ltree AS area),"
         " others AS (SELECT FROM submission s, own"
         "  WHERE s.content_hash = $2 AND NOT s.area <@ own.area LIMIT 1),"
         " taken AS (DELETE FROM submission s USING own"
         "  WHERE s.content_hash = $2 AND s.area <@ own.area"
         "  AND EXISTS (SELECT FROM others))"
         " UPDATE content SET deleting_at = coalesce(deleting_at, now())"
         " WHERE content_hash = $2 AND NOT EXISTS (SELECT FROM others)"
         " AND NOT EXISTS (SELECT FROM need n WHERE n.content_hash = $2"
         "  AND n.until_at > now())",
         2, PG_NONE, false},
};

int contents_open(struct contents *s)
{
    for (size_t i = 0; i < RPC_CALLS_MAX; i++)
        s->slots[i].contents = s;
    return pg_prepare(s->pg, stmts, sizeof stmts / sizeof stmts[0]);
}

static struct contents_slot *slot_of(struct contents *s, struct rpc_call *call)
{
    struct contents_slot *t = &s->slots[call - call->rpc->calls];

    t->call = call;
    return t;
}

static void ask(struct contents_slot *t,
                const struct pg_stmt *stmt,
                const struct pg_value values[],
                pg_rows_cb rows)
{
    if (batch_ask(t->contents->pg, stmt, values, rows, t) != LOA_OK)
        reply_refusal(t->call, REFUSE_DATABASE_BUSY);
}

static void change(struct contents_slot *t,
                   const struct pg_stmt *stmt,
                   const struct pg_value values[],
                   pg_done_cb done)
{
    int rv = batch_change(t->contents->pg, stmt, values, done, t);

    if (rv != LOA_OK)
        done(t, rv);
}

/* --- finding ---------------------------------------------------------------
 */

static void on_found(void *data, int status, const PGresult *res)
{
    struct contents_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, batch_refusal(t->contents->pg, status));
    else if (t->find.by_hash && PQntuples(res) == 0)
        reply_refusal(t->call, REFUSE_CONTENT_UNKNOWN);
    else
        list_answer(t->contents, t->call, res, t->find.limit);
}

static void find(struct contents_slot *t)
{
    const struct wire_find *f = &t->find;
    uint8_t after[8], limit[4];
    struct pg_value values[] = {
        pg_text(f->under[0] != '\0' ? f->under : t->call->who.area),
        f->by_hash ? pg_bytes(f->content_hash, LOA_HASH_BYTES) : PG_NULL,
        f->after_us == INT64_MAX ? PG_NULL : pg_i64(f->after_us, after),
        pg_bytes(f->after_hash, LOA_HASH_BYTES),
        /* One more shows that there is more. */
        pg_i32((int32_t)f->limit + 1, limit)};

    ask(t, &stmts[STMT_FIND], values, on_found);
}

void contents_find(struct contents *s,
                   struct rpc_call *call,
                   const struct wire_find *f)
{
    struct contents_slot *t = slot_of(s, call);

    t->find = *f;
    if (f->under[0] != '\0' && !loa_area_within(f->under, call->who.area))
        reply_refusal(call, REFUSE_AREA_OUTSIDE);
    else
        find(t);
}

/* --- approving -------------------------------------------------------------
 */

static enum refusal refusal_of(enum loa_verdict v)
{
    switch (v) {
        case LOA_VERDICT_OK:
            return REFUSE_NOTHING;
        case LOA_VERDICT_MALFORMED:
        case LOA_VERDICT_WRONG_TYPE:
            return REFUSE_APPROVAL_MALFORMED;
        case LOA_VERDICT_POWER:
        case LOA_VERDICT_ROLE:
            return REFUSE_APPROVAL_POWER;
        case LOA_VERDICT_AREA:
            return REFUSE_APPROVAL_AREA;
        case LOA_VERDICT_EXPIRED:
        case LOA_VERDICT_FUTURE:
        case LOA_VERDICT_EXPIRED_CERTIFICATE:
        case LOA_VERDICT_NOT_YET_VALID:
            return REFUSE_APPROVAL_EXPIRED;
        case LOA_VERDICT_REVOKED:
            return REFUSE_APPROVAL_REVOKED;
        default:
            return REFUSE_APPROVAL_SIGNATURE;
    }
}

static void on_approved(void *data, int status)
{
    struct contents_slot *t = data;

    if (status != LOA_OK) {
        reply_refusal(t->call, batch_refusal(t->contents->pg, status));
        return;
    }
    stats_add(t->contents->stats, STATS_APPROVALS, 1);
    log_info("content.approved", "principal=%s area=%s", t->approver, t->area);
    /* Answer with the content as it is now. */
    t->find =
        (struct wire_find){.by_hash = true, .limit = 1, .after_us = INT64_MAX};
    memcpy(t->find.content_hash, t->hash, LOA_HASH_BYTES);
    find(t);
}

static void approve(struct contents_slot *t)
{
    uint8_t expires[8];
    struct pg_value values[] = {pg_bytes(t->approval_id, LOA_HASH_BYTES),
                                pg_bytes(t->hash, LOA_HASH_BYTES),
                                pg_bytes(t->envelope, t->envelope_len),
                                pg_text(t->area),
                                pg_text(t->approver),
                                pg_time_ms(t->expires_at_ms, expires)};

    change(t, &stmts[STMT_APPROVE], values, on_approved);
}

/* Those of who was revoked since hold nothing, and keep nobody from approving
 * the content anew. */
static bool has_room(struct contents *s, const PGresult *res)
{
    int valid_n = 0;

    for (int row = 0; row < PQntuples(res) && !pg_is_null(res, row, 1); row++) {
        char principal[LOA_PRINCIPAL_CAP];
        struct loa_bytes a;

        a.data = pg_get_bytes(res, row, 1, &a.len);
        valid_n += !list_revoked(s, a, principal);
    }
    return PQntuples(res) < CONTENT_APPROVALS_KEPT_MAX &&
           valid_n < CONTENT_APPROVALS_MAX;
}

static void on_manifest(void *data, int status, const PGresult *res)
{
    struct contents_slot *t = data;
    const void *manifest;
    size_t len;

    if (status != LOA_OK) {
        reply_refusal(t->call, batch_refusal(t->contents->pg, status));
        return;
    }
    if (PQntuples(res) == 0) {
        reply_refusal(t->call, REFUSE_CONTENT_UNKNOWN);
        return;
    }
    manifest = pg_get_bytes(res, 0, 0, &len);
    if (len != t->manifest_len || memcmp(manifest, t->manifest, len) != 0)
        reply_refusal(t->call, REFUSE_APPROVAL_DIFFERENT);
    else if (!has_room(t->contents, res))
        reply_refusal(t->call, REFUSE_APPROVALS_FULL);
    else
        approve(t);
}

/* Signatures may be made more than once over the same words; the words and who
 * said them are what an approval is. */
static void identify(const struct loa_envelope *e, uint8_t id[LOA_HASH_BYTES])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, LOA_HASH_BYTES);
    crypto_generichash_update(&h, e->signatures[0].key, LOA_KEY_BYTES);
    crypto_generichash_update(&h, e->signed_bytes.data, e->signed_bytes.len);
    crypto_generichash_final(&h, id, LOA_HASH_BYTES);
}

/* Verified, and everything that is kept of it is in the slot. */
static enum refusal read_approval(struct contents_slot *t)
{
    struct contents *s = t->contents;
    struct loa_expect want = {.type = LOA_TYPE_APPROVAL,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
    struct loa_bytes p = {t->envelope, t->envelope_len};
    struct loa_identity_claim who;
    struct loa_envelope e;
    enum refusal r;

    loa_arena_reset(s->arena);
    if (loa_envelope_parse(s->arena, p, &e) != LOA_OK)
        return REFUSE_APPROVAL_MALFORMED;
    r = refusal_of(loa_trust_verify(&s->trust->trust, &e, &want, &who));
    if (r != REFUSE_NOTHING)
        return r;
    if (e.header.body.len > WIRE_MANIFEST_LEN_MAX ||
        wire_manifest_hash(s->arena, e.header.body, t->hash) != LOA_OK)
        return REFUSE_APPROVAL_MALFORMED;
    memcpy(t->manifest, e.header.body.data, e.header.body.len);
    t->manifest_len = e.header.body.len;
    memcpy(t->area, e.header.area, sizeof t->area);
    memcpy(t->approver, who.certificate.principal, sizeof t->approver);
    /* It holds no longer than who gave it may give. */
    t->expires_at_ms = e.header.expires_at_ms < who.certificate.not_after_ms
                           ? e.header.expires_at_ms
                           : who.certificate.not_after_ms;
    identify(&e, t->approval_id);
    return REFUSE_NOTHING;
}

void contents_approve(struct contents *s,
                      struct rpc_call *call,
                      struct loa_bytes envelope)
{
    struct contents_slot *t = slot_of(s, call);
    enum refusal r;

    if (envelope.len > sizeof t->envelope) {
        reply_refusal(call, REFUSE_APPROVAL_MALFORMED);
        return;
    }
    memcpy(t->envelope, envelope.data, envelope.len);
    t->envelope_len = envelope.len;
    r = read_approval(t);
    if (r != REFUSE_NOTHING) {
        reply_refusal(call, r);
        return;
    }
    struct pg_value values[] = {pg_bytes(t->hash, LOA_HASH_BYTES),
                                pg_bytes(t->approval_id, LOA_HASH_BYTES)};
    ask(t, &stmts[STMT_MANIFEST], values, on_manifest);
}

/* --- deleting --------------------------------------------------------------
 */

static void on_deleted(void *data, int status)
{
    struct contents_slot *t = data;

    if (status != LOA_OK) {
        reply_refusal(t->call, batch_refusal(t->contents->pg, status));
        return;
    }
    log_info("content.deleting", "principal=%s", t->call->who.principal);
    reply_deleting(t->call, t->contents->delete_grace_ms);
}

static void delete (struct contents_slot *t)
{
    struct pg_value values[] = {pg_text(t->call->who.area),
                                pg_bytes(t->hash, LOA_HASH_BYTES)};

    change(t, &stmts[STMT_DELETE], values, on_deleted);
}

/* The scheduler knows of more than programmes do, and names the bulletin. */
static void on_released(void *data,
                        enum release_answer answer,
                        const char *vi,
                        const char *en)
{
    struct contents_slot *t = data;

    if (answer == RELEASE_IN_USE)
        reply_in_use(t->call, vi, en);
    else if (t->needed)
        reply_refusal(t->call, REFUSE_IN_USE);
    else if (answer == RELEASE_UNKNOWN)
        reply_refusal(t->call, REFUSE_SCHEDULER_SILENT);
    else
        delete (t);
}

static void ask_release(struct contents_slot *t)
{
    if (release_ask(t->contents->release, t->hash, true, on_released, t) !=
        LOA_OK)
        on_released(t, RELEASE_UNKNOWN, "", "");
}

static void on_rights(void *data, int status, const PGresult *res)
{
    struct contents_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, batch_refusal(t->contents->pg, status));
    else if (!pg_get_bool(res, 0, 1))
        reply_refusal(t->call, REFUSE_CONTENT_UNKNOWN);
    else if (!pg_get_bool(res, 0, 0) &&
             !(t->call->who.powers & LOA_POWER_CONTENT_APPROVE))
        reply_refusal(t->call, REFUSE_DELETE_POWER);
    else {
        t->needed = pg_get_bool(res, 0, 2);
        ask_release(t);
    }
}

void contents_delete(struct contents *s,
                     struct rpc_call *call,
                     const uint8_t hash[LOA_HASH_BYTES])
{
    struct contents_slot *t = slot_of(s, call);
    struct pg_value values[] = {pg_text(call->who.area),
                                pg_bytes(hash, LOA_HASH_BYTES),
                                pg_text(call->who.principal)};

    memcpy(t->hash, hash, LOA_HASH_BYTES);
    ask(t, &stmts[STMT_RIGHTS], values, on_rights);
}
