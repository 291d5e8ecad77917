/* link: */
/* A bag of certificates under one envelope, in any order, with loops, doubles,
 * renewals and links that lead nowhere; the mutator signs each certificate
 * again with its issuer's key. The verdict is compared with another way to
 * judge: from the root down, link by link, instead of from the leaf up.
 *
 * The input is an Envelope; its first signature says whose chain is meant. */

#include <sodium.h>

#include "test/fuzz/mutator.h"
#include "test/unit/proto/world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define TIERS_N 7
#define GONE_SERIAL 13

static struct loa_key root, keys_of[TIERS_N];
static struct actor tiers[TIERS_N]; /* Each is issued by the one before. */
static struct loa_trust trust;

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    (void)data;
    (void)chance;
    return mutator_whole(len, 0, &loa__v1__envelope__descriptor, part);
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    struct loa_bytes chain[TIERS_N];
    size_t depth = 1 + chance % (TIERS_N - 1), len = 0;
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");
    struct loa_signer s = {&tiers[depth - 1].key, chain, depth};
    int rv;

    for (size_t i = 0; i < depth; i++)
        chain[i] = tiers[chance & 64 ? i : depth - 1 - i].cert;
    rv = loa_envelope_seal(&h, &s, out, cap, &len);
    assert(rv == LOA_OK);
    return len;
}

static struct mutator_key keys[TIERS_N + 1];
static const struct mutator mutator = {find, seed, keys, TIERS_N + 1};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const areas[TIERS_N] = {
        "vn",        "vn/08",     "vn/08",          "vn/08/070",
        "vn/08/070", "vn/08/070", "vn/08/070/02215"};
    struct loa_revocation *r = &trust.revoked.entries[0];

    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    world_key(&root, 1);
    keys[TIERS_N] = (struct mutator_key){&root, NULL, 0};
    for (uint8_t i = 0; i < TIERS_N; i++) {
        actor_init(&tiers[i], (uint8_t)(10 + i), "tier",
                   i + 1 < TIERS_N ? LOA_ROLE_AUTHORITY : LOA_ROLE_STAFF,
                   areas[i]);
        tiers[i].c.max_depth = (uint32_t)(TIERS_N - 1 - i);
        actor_issue(&tiers[i], i == 0 ? &root : &keys_of[i - 1]);
        keys_of[i] = tiers[i].key;
        keys[i] = (struct mutator_key){&keys_of[i], NULL, 0};
    }
    loa_trust_init(&trust, root.public_key);
    trust.revoked.number = 1;
    strcpy(trust.revoked.area, "vn/08");
    trust.revoked.entries_n = 1;
    memcpy(r->issuer, keys_of[1].public_key, LOA_KEY_BYTES);
    r->floor_serial = 3;
    r->serials_n = trust.revoked.serials_n = 1;
    trust.revoked.serials[0] = GONE_SERIAL;
    return 0;
}

/* --- another judge -------------------------------------------------------- */

static bool area_inside(const char *inner, const char *outer)
{
    size_t n = strlen(outer);

    return strncmp(inner, outer, n) == 0 &&
           (inner[n] == '\0' || inner[n] == '/');
}

static bool may_issue(const struct loa_certificate *up,
                      const struct loa_certificate *c)
{
    return memcmp(up->subject, c->issuer, LOA_KEY_BYTES) == 0 &&
           area_inside(c->area, up->area) && (c->powers & ~up->powers) == 0 &&
           c->not_before_ms >= up->not_before_ms &&
           c->not_after_ms <= up->not_after_ms &&
           (up->powers & LOA_POWER_DELEGATE) && c->max_depth < up->max_depth;
}

/* Whatever its issuer is: signed, in force, not revoked. */
static bool good_alone(const struct loa_certificate *c, int64_t now_ms)
{
    bool listed =
        memcmp(c->issuer, keys_of[1].public_key, LOA_KEY_BYTES) == 0 &&
        area_inside(c->area, "vn/08") &&
        (c->serial < 3 || c->serial == GONE_SERIAL);

    return !listed && c->not_before_ms - LOA_SKEW_MS <= now_ms &&
           c->not_after_ms > now_ms &&
           loa_sign_verify(c->issuer, "certificate", c->body, c->signature);
}

/* Is there a way from the root down to `key` in at most LOA_CHAIN_MAX links? */
static bool reaches(const struct loa_certificate *c,
                    size_t n,
                    const uint8_t *key,
                    int64_t now_ms)
{
    bool good[LOA_CERTIFICATES_MAX], below[LOA_CERTIFICATES_MAX] = {false};
    bool next[LOA_CERTIFICATES_MAX];

    for (size_t i = 0; i < n; i++) {
        good[i] = good_alone(&c[i], now_ms);
        below[i] =
            good[i] && memcmp(c[i].issuer, root.public_key, LOA_KEY_BYTES) == 0;
    }
    for (size_t links = 1; links <= LOA_CHAIN_MAX; links++) {
        for (size_t i = 0; i < n; i++)
            if (below[i] && memcmp(c[i].subject, key, LOA_KEY_BYTES) == 0)
                return true;
        for (size_t i = 0; i < n; i++) {
            next[i] = false;
            for (size_t k = 0; k < n; k++)
                next[i] |=
                    below[k] && good[i] && may_issue(&c[k], &c[i]) &&
                    memcmp(c[i].issuer, root.public_key, LOA_KEY_BYTES) != 0;
        }
        memcpy(below, next, sizeof below);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static _Alignas(16) uint8_t room[4 * LOA_ENVELOPE_BYTES_MAX + 8192];
    static _Alignas(16) uint8_t more[LOA_CERTIFICATES_MAX][2048];
    struct loa_certificate c[LOA_CERTIFICATES_MAX], leaf;
    struct loa_envelope e;
    struct loa_arena arena;
    const uint8_t *key;
    enum loa_verdict v;
    bool well = true;

    loa_arena_init(&arena, room, sizeof room);
    if (loa_envelope_parse(&arena, (struct loa_bytes){data, len}, &e) != LOA_OK)
        return 0;
    key = e.signatures[0].key;
    for (size_t i = 0; i < e.certificates_n; i++) {
        loa_arena_init(&arena, more[i], sizeof more[i]);
        well &=
            loa_certificate_parse(&arena, e.certificates[i], &c[i]) == LOA_OK;
    }
    v = loa_trust_chain(&trust, key, e.certificates, e.certificates_n,
                        WORLD_NOW_MS, true, &leaf);
    assert(well || v != LOA_VERDICT_OK);
    if (!well)
        return 0;
    if (reaches(c, e.certificates_n, key, WORLD_NOW_MS)) {
        assert(v == LOA_VERDICT_OK || v == LOA_VERDICT_CHAIN_LENGTH);
        assert(v == LOA_VERDICT_OK || e.certificates_n > 2);
    } else {
        assert(v != LOA_VERDICT_OK);
    }
    if (v == LOA_VERDICT_OK)
        assert(memcmp(leaf.subject, key, LOA_KEY_BYTES) == 0);
    return 0;
}
