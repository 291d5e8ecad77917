/* network.h -- for fuzz_trust: a network of honest and stolen keys, all that
 * its honest keys ever signed, and what of it all may be believed. The last is
 * said by who holds which key, not by the rules of trust.c. */

#ifndef LOA_FUZZ_NETWORK_H
#define LOA_FUZZ_NETWORK_H

#include "test/unit/proto/world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define SIGNED_LEN_MAX 512

/* --- the network ---------------------------------------------------------- */

enum {
    LAN,
    MINH,
    SCHEDULER,
    REGISTRY,
    POLE, /* Stolen, from here on. */
    THIEF,
    SERVANT,
    BOSS,
    ACTORS_N
};
#define IS_STOLEN(a) ((a) >= POLE)
#define STOLEN_N (ACTORS_N - POLE)
#define BOSS_AREA "vn/09/001"
#define BOSS_POWERS (uint32_t)(LOA_POWER_COMMAND | LOA_POWER_DELEGATE)

static struct actor actors[ACTORS_N], province, district, commune;
static struct actor gone; /* An old certificate of lan's, with every power. */
static struct loa_key root;
static struct loa_trust trust;

/* Certificates that the attacker has: these, and what it makes itself. */
static struct loa_bytes pool[ACTORS_N + 5];

static const struct actor *issuer_of(int a)
{
    return a == THIEF || a == BOSS ? &district
           : a == POLE             ? &actors[REGISTRY]
           : a == LAN              ? &commune
                                   : &province;
}

static void add_actor(int a,
                      const char *principal,
                      enum loa_role role,
                      const char *service,
                      const char *area,
                      uint32_t powers)
{
    struct actor *x = &actors[a];

    actor_init(x, (uint8_t)(10 + a), principal, role, area);
    strcpy(x->c.service, service);
    x->c.powers = powers;
    x->c.max_depth = (powers & LOA_POWER_DELEGATE) != 0;
    actor_issue(x, &issuer_of(a)->key);
    pool[a] = x->cert;
}

static void add_authority(struct actor *x,
                          uint8_t seed,
                          const char *area,
                          uint32_t depth,
                          const struct loa_key *issuer)
{
    actor_init(x, seed, "authority", LOA_ROLE_AUTHORITY, area);
    x->c.max_depth = depth;
    actor_issue(x, issuer);
}

static void network_init(void)
{
    world_key(&root, 1);
    add_authority(&province, 2, "vn/08", 3, &root);
    add_authority(&district, 3, "vn/09", 3, &root);
    add_authority(&commune, 4, "vn/08/070", 2, &province.key);
    add_actor(
        LAN, "lan", LOA_ROLE_STAFF, "", "vn/08/070",
        LOA_POWER_CONTENT_APPROVE | LOA_POWER_COMMAND | LOA_POWER_SCHEDULE);
    add_actor(MINH, "minh", LOA_ROLE_STAFF, "", "vn/08", LOA_POWER_COMMAND);
    add_actor(SCHEDULER, "scheduler_08", LOA_ROLE_SERVICE, "scheduler", "vn/08",
              LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    add_actor(REGISTRY, "registry_08", LOA_ROLE_SERVICE, "registry", "vn/08",
              LOA_POWER_REVOKE | LOA_POWER_DELEGATE);
    add_actor(POLE, "pole_1", LOA_ROLE_DEVICE, "", "vn/08/070", 0);
    add_actor(
        THIEF, "thief", LOA_ROLE_STAFF, "", "vn/09",
        LOA_POWER_COMMAND | LOA_POWER_CONTENT_APPROVE | LOA_POWER_SCHEDULE);
    add_actor(SERVANT, "other_08", LOA_ROLE_SERVICE, "other", "vn/08",
              LOA_POWER_SCHEDULE | LOA_POWER_TIME | LOA_POWER_REVOKE);
    add_actor(BOSS, "boss", LOA_ROLE_AUTHORITY, "", BOSS_AREA, BOSS_POWERS);

    gone = actors[LAN];
    gone.c.powers = WORLD_POWERS;
    gone.c.not_after_ms = WORLD_NOW_MS - WORLD_DAY_MS;
    actor_issue(&gone, &commune.key);
    pool[ACTORS_N] = province.cert;
    pool[ACTORS_N + 1] = district.cert;
    pool[ACTORS_N + 2] = commune.cert;
    pool[ACTORS_N + 3] = gone.cert;
    pool[ACTORS_N + 4] = actors[LAN].cert;
    loa_trust_init(&trust, root.public_key);
}

/* --- what may be believed, said again and simpler ------------------------- */

/* Which types an actor's certificate is good for. */
static bool may_sign(int a, enum loa_type type)
{
    switch (type) {
        case LOA_TYPE_LOGIN:
            return a != BOSS;
        case LOA_TYPE_APPROVAL:
            return a == LAN || a == THIEF;
        case LOA_TYPE_PROGRAMME:
            return a == SCHEDULER; /* lan may approve: two locks. */
        case LOA_TYPE_HEAD:
            return a == SCHEDULER;
        case LOA_TYPE_COMMAND:
            return a == LAN || a == MINH || a == THIEF;
        case LOA_TYPE_TRUST:
            return a == REGISTRY;
        case LOA_TYPE_RECEIPTS:
            return a == POLE;
        case LOA_TYPE_REGISTRY_REQUEST:
        case LOA_TYPE_CONTENT_REQUEST:
        case LOA_TYPE_SCHEDULER_REQUEST:
        case LOA_TYPE_TELEMETRY_REQUEST:
            return a != POLE && a != BOSS;
        case LOA_TYPE_REGISTRY_ANSWER:
            return a == REGISTRY;
        case LOA_TYPE_SCHEDULER_ANSWER:
            return a == SCHEDULER;
        default:
            return false;
    }
}

/* Everything that honest keys ever signed. */
struct genuine {
    int actor, second; /* second: -1 if one signed. */
    struct loa_header header;
    uint8_t bytes[LOA_ENVELOPE_BYTES_MAX];
    size_t len;
    uint8_t signed_bytes[SIGNED_LEN_MAX];
    size_t signed_len;
    struct loa_signature signatures[2];
};

/* clang-format off */
static struct genuine genuine[] = {
    {.actor = LAN,       .second = -1,   .header = {.type = LOA_TYPE_APPROVAL,  .area = "vn/08/070"}},
    {.actor = LAN,       .second = -1,   .header = {.type = LOA_TYPE_COMMAND,   .area = "vn/08/070/02215"}},
    {.actor = LAN,       .second = MINH, .header = {.type = LOA_TYPE_COMMAND,   .area = "vn/08/070"}},
    {.actor = MINH,      .second = -1,   .header = {.type = LOA_TYPE_COMMAND,   .area = "vn/08"}},
    {.actor = SCHEDULER, .second = -1,   .header = {.type = LOA_TYPE_PROGRAMME, .area = "vn/08/070"}},
    {.actor = SCHEDULER, .second = -1,   .header = {.type = LOA_TYPE_HEAD,      .area = "vn/08"}},
    {.actor = REGISTRY,  .second = -1,   .header = {.type = LOA_TYPE_TRUST,     .area = "vn/08"}},
    {.actor = REGISTRY,  .second = -1,   .header = {.type = LOA_TYPE_REGISTRY_ANSWER, .area = "vn/08"}},
    {.actor = LAN,       .second = -1,   .header = {.type = LOA_TYPE_LOGIN,     .area = "vn/08/070"}},
    {.actor = POLE,      .second = -1,   .header = {.type = LOA_TYPE_RECEIPTS,  .area = "vn/08/070"}},
    {.actor = THIEF,     .second = -1,   .header = {.type = LOA_TYPE_COMMAND,   .area = "vn/09"}},
    {.actor = THIEF,     .second = -1,   .header = {.type = LOA_TYPE_CONTENT_REQUEST, .area = "vn/09"}},
};
/* clang-format on */

static size_t chain_of(int a, struct loa_bytes chain[4])
{
    const struct actor *up = issuer_of(a);
    size_t n = 0;

    chain[n++] = actors[a].cert;
    chain[n++] = up->cert;
    if (up == &commune || up == &actors[REGISTRY])
        chain[n++] = province.cert;
    return n;
}

static void genuine_init(struct genuine *g, uint8_t id)
{
    static struct letter letter;
    struct loa_bytes chain[4];
    struct loa_header *h = &g->header;

    h->message_id[0] = id;
    h->issued_at_ms = WORLD_NOW_MS;
    h->expires_at_ms = WORLD_NOW_MS + 60000;
    h->body = (struct loa_bytes){(const uint8_t *)"said", 4};
    letter_seal(&letter, h, &actors[g->actor].key, chain,
                chain_of(g->actor, chain));
    if (g->second >= 0)
        letter_cosign(&letter, &actors[g->second]);
    memcpy(g->bytes, letter.bytes, letter.len);
    g->len = letter.len;
    assert(letter.e.signed_bytes.len <= SIGNED_LEN_MAX);
    g->signed_len = letter.e.signed_bytes.len;
    memcpy(g->signed_bytes, letter.e.signed_bytes.data, g->signed_len);
    memcpy(g->signatures, letter.e.signatures, sizeof g->signatures);
}

static int actor_of(const uint8_t *key)
{
    for (int a = 0; a < ACTORS_N; a++) {
        if (memcmp(actors[a].key.public_key, key, LOA_KEY_BYTES) == 0)
            return a;
    }
    return -1;
}

static bool ever_said(int a, const struct loa_envelope *e)
{
    for (size_t i = 0; i < N(genuine); i++) {
        const struct genuine *g = &genuine[i];
        if ((g->actor == a || g->second == a) &&
            g->header.type == e->header.type &&
            g->signed_len == e->signed_bytes.len &&
            memcmp(g->signed_bytes, e->signed_bytes.data, g->signed_len) == 0)
            return true;
    }
    return false;
}

/* Whom the stolen authority certifies may do what the authority itself was
 * trusted with, below its area: any role, but not these powers. */
static bool by_grace_of_boss(const struct loa_header *h)
{
    return loa_area_within(h->area, BOSS_AREA) &&
           h->type != LOA_TYPE_APPROVAL && h->type != LOA_TYPE_PROGRAMME &&
           h->type != LOA_TYPE_HEAD && h->type != LOA_TYPE_TRUST &&
           h->type != LOA_TYPE_REGISTRY_ANSWER &&
           h->type != LOA_TYPE_SCHEDULER_ANSWER;
}

static void check_signer(const struct loa_envelope *e,
                         const struct loa_expect *want,
                         const uint8_t *key)
{
    const struct loa_header *h = &e->header;
    int a = actor_of(key);

    assert(a >= 0);
    assert(IS_STOLEN(a) || ever_said(a, e));
    if (IS_STOLEN(a) && by_grace_of_boss(h)) {
        assert(want->signer_area == NULL ||
               loa_area_within(want->signer_area, BOSS_AREA) ||
               loa_area_within(want->signer_area, actors[a].c.area));
    } else {
        assert(may_sign(a, h->type));
        assert(loa_area_within(h->area, actors[a].c.area));
        assert(want->signer_area == NULL ||
               loa_area_within(want->signer_area, actors[a].c.area));
    }
    if (want->time_trusted) {
        assert(want->now_ms < actors[a].c.not_after_ms);
        assert(want->now_ms >= actors[a].c.not_before_ms - LOA_SKEW_MS);
    }
}

/* The certificate is one that was handed out, or one by the stolen authority
 * within its bounds. The old one of lan's counts only for who has no clock. */
static void check_certificate(const struct loa_certificate *c,
                              int a,
                              bool time_trusted)
{
    const struct loa_certificate *boss = &actors[BOSS].c;

    if (memcmp(c->issuer, boss->subject, LOA_KEY_BYTES) == 0) {
        assert(loa_area_within(c->area, BOSS_AREA));
        assert((c->powers & ~BOSS_POWERS) == 0 && c->max_depth == 0);
        assert(c->not_before_ms >= boss->not_before_ms);
        assert(c->not_after_ms <= boss->not_after_ms);
        return;
    }
    assert(strcmp(c->principal, actors[a].c.principal) == 0);
    assert(strcmp(c->area, actors[a].c.area) == 0);
    assert(c->role == actors[a].c.role);
    assert(memcmp(c->issuer, actors[a].c.issuer, LOA_KEY_BYTES) == 0);
    assert(!time_trusted || c->powers == actors[a].c.powers);
}

static void check_believed(const struct loa_envelope *e,
                           const struct loa_expect *want,
                           const struct loa_identity_claim *who)
{
    const struct loa_header *h = &e->header;
    int a = actor_of(e->signatures[0].key);

    assert(h->type == want->type);
    for (size_t i = 0; i < e->signatures_n; i++)
        check_signer(e, want, e->signatures[i].key);
    assert(e->signatures_n == 1 ||
           memcmp(e->signatures[0].key, e->signatures[1].key, LOA_KEY_BYTES) !=
               0);
    check_certificate(&who->certificate, a, want->time_trusted);
    assert(want->area == NULL || loa_area_within(want->area, h->area));
    if (!want->time_trusted) {
        assert(h->type == LOA_TYPE_TRUST || h->type == LOA_TYPE_HEAD ||
               h->type == LOA_TYPE_LOGIN);
        return;
    }
    assert(h->issued_at_ms <= want->now_ms + LOA_SKEW_MS);
    assert(want->now_ms < h->expires_at_ms);
}

#endif /* LOA_FUZZ_NETWORK_H */
