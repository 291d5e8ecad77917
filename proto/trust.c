#include "proto/trust.h"

#include <string.h>

#include "proto/chain.h"

const char *loa_verdict_name(enum loa_verdict v)
{
    static const char *const names[] = {[LOA_VERDICT_OK] = "ok",
#define X(code, text) [LOA_VERDICT_##code] = text,
                                        LOA_VERDICT_MAP(X)
#undef X
    };

    return v < sizeof names / sizeof names[0] ? names[v] : "unknown";
}

/* --- who may say what ----------------------------------------------------- */

#define STAFF (1u << LOA_ROLE_STAFF)
#define SERVICE (1u << LOA_ROLE_SERVICE)
#define DEVICE (1u << LOA_ROLE_DEVICE)
#define BRIDGE (1u << LOA_ROLE_BRIDGE)

#define MINUTE_MS (60 * INT64_C(1000))
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* The whole policy. A type without a row (its quorum is 0) is never believed
 * here: certificates and packets are signed outside envelopes, an enrolment is
 * signed by a key that nobody knows yet.
 *
 * Every signer must have one of the roles and all of the powers; a signer that
 * is a service must be the one named, if one is. No message may live longer
 * than lifetime_ms (0: as long as it says). A timeless one is judged without
 * the clock while the caller has none. docs/trust.md has the same table.
 *
 * Some powers bar a key. One for drills says nothing real, whatever else it may
 * do. One that may approve content makes no programme: so no single key can put
 * new speech on air, even if its holder was given both powers by mistake. */
static const struct rule {
    uint32_t roles;
    uint32_t powers;
    const char *service; /* NULL: any. */
    size_t quorum;
    bool timeless;
    int64_t lifetime_ms;
    uint32_t barred; /* LOA_POWER_DRILL too, for every type. */
} rules[] = {
    /* clang-format off */
    [LOA_TYPE_LOGIN] =
        {STAFF | SERVICE | DEVICE | BRIDGE, 0, NULL, 1, true, 10 * MINUTE_MS, 0},
    [LOA_TYPE_APPROVAL] =
        {STAFF, LOA_POWER_CONTENT_APPROVE, NULL, 1, false, 0, 0},
    [LOA_TYPE_PROGRAMME] =
        {STAFF | SERVICE, LOA_POWER_SCHEDULE, "scheduler", 1, false, 0,
         LOA_POWER_CONTENT_APPROVE},
    [LOA_TYPE_HEAD] =
        {SERVICE, LOA_POWER_SCHEDULE | LOA_POWER_TIME, "scheduler", 1, true,
         HOUR_MS, 0},
    [LOA_TYPE_COMMAND] =
        {STAFF | SERVICE, LOA_POWER_COMMAND, NULL, 1, false, DAY_MS, 0},
    [LOA_TYPE_TRUST] =
        {STAFF | SERVICE, LOA_POWER_REVOKE, "registry", 1, true, 0, 0},
    [LOA_TYPE_RECEIPTS] =
        {DEVICE, 0, NULL, 1, false, 0, 0},
    [LOA_TYPE_ACK] =
        {SERVICE, 0, "telemetry-collector", 1, false, 0, 0},
    [LOA_TYPE_REGISTRY_REQUEST] =
        {STAFF | SERVICE, 0, NULL, 1, false, DAY_MS, 0},
    [LOA_TYPE_REGISTRY_ANSWER] =
        {SERVICE, LOA_POWER_REVOKE, "registry", 1, false, DAY_MS, 0},
    [LOA_TYPE_CONTENT_REQUEST] =
        {STAFF | SERVICE, 0, NULL, 1, false, DAY_MS, 0},
    [LOA_TYPE_CONTENT_ANSWER] =
        {SERVICE, 0, "content-ingest", 1, false, DAY_MS, 0},
    [LOA_TYPE_SCHEDULER_REQUEST] =
        {STAFF | SERVICE, 0, NULL, 1, false, DAY_MS, 0},
    [LOA_TYPE_SCHEDULER_ANSWER] =
        {SERVICE, LOA_POWER_SCHEDULE, "scheduler", 1, false, DAY_MS, 0},
    [LOA_TYPE_TELEMETRY_REQUEST] =
        {STAFF | SERVICE, 0, NULL, 1, false, DAY_MS, 0},
    [LOA_TYPE_TELEMETRY_ANSWER] =
        {SERVICE, 0, "telemetry-collector", 1, false, DAY_MS, 0},
    /* clang-format on */
};
#define RULES_N (sizeof rules / sizeof rules[0])

/* NULL if the envelope is of another type than the caller acts on, or of one
 * that no envelope may be believed for. */
static const struct rule *rule_find(const struct loa_envelope *e,
                                    const struct loa_expect *want)
{
    size_t type = (size_t)want->type;

    if (e->header.type != want->type || type >= RULES_N ||
        rules[type].quorum == 0)
        return NULL;
    return &rules[type];
}

/* --- the steps of the decision, in order ---------------------------------- */

void loa_trust_init(struct loa_trust *t, const uint8_t root[LOA_KEY_BYTES])
{
    memset(t, 0, sizeof *t);
    if (root == NULL)
        return;
    memcpy(t->root, root, LOA_KEY_BYTES);
    t->root_known = true;
}

static enum loa_verdict judge_chains(struct loa_trust *t,
                                     const struct loa_envelope *e,
                                     const struct loa_expect *want,
                                     struct loa_certificate *leaves)
{
    struct loa_chain_bag bag;
    enum loa_verdict v;

    bag.n = 0;
    v = loa_chain_bag_add(&bag, e->certificates, e->certificates_n);
    if (v == LOA_VERDICT_OK)
        v = loa_chain_bag_add(&bag, want->certificates, want->certificates_n);
    for (size_t i = 0; v == LOA_VERDICT_OK && i < e->signatures_n; i++)
        v = loa_chain_judge(t, &bag, e->signatures[i].key, want->now_ms,
                            want->time_trusted, &leaves[i]);
    return v;
}

/* A signature that does not hold refuses the whole, even where the others
 * would have been enough. */
static enum loa_verdict judge_signatures(const struct loa_envelope *e)
{
    const char *name = loa_type_name((int)e->header.type);

    for (size_t i = 0; i < e->signatures_n; i++) {
        if (!loa_sign_verify(e->signatures[i].key, name, e->signed_bytes,
                             e->signatures[i].signature))
            return LOA_VERDICT_BAD_SIGNATURE;
    }
    return LOA_VERDICT_OK;
}

/* Two signatures are two people: neither one key twice nor one person with two
 * keys. */
static enum loa_verdict judge_quorum(const struct rule *r,
                                     const struct loa_certificate *leaves,
                                     size_t n)
{
    if (n < r->quorum)
        return LOA_VERDICT_QUORUM;
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(leaves[i].principal, leaves[j].principal) == 0)
                return LOA_VERDICT_QUORUM;
        }
    }
    return LOA_VERDICT_OK;
}

static enum loa_verdict judge_signer(const struct rule *r,
                                     const struct loa_certificate *leaf)
{
    if ((r->roles & (1u << leaf->role)) == 0)
        return LOA_VERDICT_ROLE;
    if (leaf->role == LOA_ROLE_SERVICE && r->service != NULL &&
        strcmp(leaf->service, r->service) != 0)
        return LOA_VERDICT_ROLE;
    if ((leaf->powers & r->powers) != r->powers)
        return LOA_VERDICT_POWER;
    if ((leaf->powers & (r->barred | LOA_POWER_DRILL)) != 0)
        return LOA_VERDICT_POWER;
    return LOA_VERDICT_OK;
}

static enum loa_verdict judge_signer_area(const struct loa_header *h,
                                          const struct loa_expect *want,
                                          const struct loa_certificate *leaf)
{
    if (!loa_area_within(h->area, leaf->area))
        return LOA_VERDICT_AREA;
    if (want->signer_area != NULL &&
        !loa_area_within(want->signer_area, leaf->area))
        return LOA_VERDICT_AREA;
    return LOA_VERDICT_OK;
}

/* The lifetime is what the message says of itself, so it needs no clock. Both
 * times are positive and in order: see envelope.c. */
static enum loa_verdict judge_time(const struct rule *r,
                                   const struct loa_header *h,
                                   const struct loa_expect *want)
{
    if (r->lifetime_ms != 0 &&
        h->expires_at_ms - h->issued_at_ms > r->lifetime_ms)
        return LOA_VERDICT_MALFORMED;
    if (!want->time_trusted)
        return r->timeless ? LOA_VERDICT_OK : LOA_VERDICT_NO_TIME;
    if (h->issued_at_ms - LOA_SKEW_MS > want->now_ms)
        return LOA_VERDICT_FUTURE;
    if (h->expires_at_ms <= want->now_ms)
        return LOA_VERDICT_EXPIRED;
    return LOA_VERDICT_OK;
}

/* Everything but the signatures: what these people may say, where, when. */
static enum loa_verdict judge_rights(const struct rule *r,
                                     const struct loa_envelope *e,
                                     const struct loa_expect *want,
                                     const struct loa_certificate *leaves)
{
    const struct loa_header *h = &e->header;
    size_t n = e->signatures_n;
    enum loa_verdict v = judge_quorum(r, leaves, n);

    for (size_t i = 0; v == LOA_VERDICT_OK && i < n; i++)
        v = judge_signer(r, &leaves[i]);
    for (size_t i = 0; v == LOA_VERDICT_OK && i < n; i++)
        v = judge_signer_area(h, want, &leaves[i]);
    if (v == LOA_VERDICT_OK && want->area != NULL &&
        !loa_area_within(want->area, h->area))
        v = LOA_VERDICT_NOT_FOR_US;
    if (v == LOA_VERDICT_OK)
        v = judge_time(r, h, want);
    return v;
}

enum loa_verdict loa_trust_verify(struct loa_trust *t,
                                  const struct loa_envelope *e,
                                  const struct loa_expect *want,
                                  struct loa_identity_claim *who)
{
    const struct rule *r = rule_find(e, want);
    struct loa_certificate leaves[LOA_SIGNATURES_MAX];
    enum loa_verdict v;

    if (r == NULL)
        return LOA_VERDICT_WRONG_TYPE;
    if (e->signatures_n > LOA_SIGNATURES_MAX)
        return LOA_VERDICT_MALFORMED;
    if (!t->root_known)
        return LOA_VERDICT_NO_ROOT;
    v = judge_chains(t, e, want, leaves);
    if (v == LOA_VERDICT_OK)
        v = judge_signatures(e);
    if (v == LOA_VERDICT_OK)
        v = judge_rights(r, e, want, leaves);
    if (v == LOA_VERDICT_OK && who != NULL)
        who->certificate = leaves[0];
    return v;
}
