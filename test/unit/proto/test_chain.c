/* Chains: every way in which a link can be wrong, and every certificate of a
 * key tried until one holds. */

#include <sodium.h>

#include "check.h"
#include "proto/chain.h"
#include "world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct loa_trust trust;

static enum loa_verdict judge(const struct world *w,
                              const struct actor *leaf,
                              const struct loa_bytes *certificates,
                              size_t n)
{
    struct loa_certificate found;

    loa_trust_init(&trust, w->root.public_key);
    return loa_trust_chain(&trust, leaf->key.public_key, certificates, n,
                           WORLD_NOW_MS, true, &found);
}

static enum loa_verdict judge_world(const struct world *w)
{
    struct loa_bytes chain[] = {w->signer.cert, w->commune.cert,
                                w->province.cert};

    return judge(w, &w->signer, chain, N(chain));
}

/* --- one link wrong --------------------------------------------------------
 */

static void child_area(struct world *w)
{
    strcpy(w->signer.c.area, "vn/08/071");
}
static void child_wider_area(struct world *w)
{
    strcpy(w->signer.c.area, "vn");
}
static void middle_area(struct world *w)
{
    strcpy(w->commune.c.area, "vn/09/070");
    strcpy(w->signer.c.area, "vn/09/070");
}
static void child_power(struct world *w)
{
    w->commune.c.powers = LOA_POWER_DELEGATE | LOA_POWER_COMMAND;
    w->signer.c.powers = LOA_POWER_COMMAND | LOA_POWER_LIVE;
}
static void child_begins_early(struct world *w)
{
    w->signer.c.not_before_ms = w->commune.c.not_before_ms - 1;
}
static void child_ends_late(struct world *w)
{
    w->signer.c.not_after_ms = w->commune.c.not_after_ms + 1;
}
static void issuer_without_delegate(struct world *w)
{
    w->commune.c.powers = WORLD_POWERS & ~(uint32_t)LOA_POWER_DELEGATE;
    w->signer.c.powers = LOA_POWER_COMMAND;
}
static void issuer_without_depth(struct world *w)
{
    w->commune.c.max_depth = 0;
}
static void child_as_deep(struct world *w)
{
    w->commune.c.max_depth = 3;
}
static void leaf_deep_enough(struct world *w)
{
    w->signer.c.max_depth = 1;
}
static void not_yet(struct world *w)
{
    w->signer.c.not_before_ms = WORLD_NOW_MS + LOA_SKEW_MS + 1;
}
static void just_begun(struct world *w)
{
    w->signer.c.not_before_ms = WORLD_NOW_MS + LOA_SKEW_MS;
}
static void expired(struct world *w)
{
    w->signer.c.not_after_ms = WORLD_NOW_MS;
}
static void nearly_expired(struct world *w)
{
    w->signer.c.not_after_ms = WORLD_NOW_MS + 1;
}
static void middle_expired(struct world *w)
{
    w->commune.c.not_after_ms = WORLD_NOW_MS - 1;
    w->signer.c.not_after_ms = WORLD_NOW_MS - 1;
}
static void top_not_yet(struct world *w)
{
    int64_t at_ms = WORLD_NOW_MS + LOA_SKEW_MS + 1;
    w->province.c.not_before_ms = at_ms;
    w->commune.c.not_before_ms = at_ms;
    w->signer.c.not_before_ms = at_ms;
}
static void nothing(struct world *w)
{
    (void)w;
}

/* clang-format off */
static const struct row {
    const char *name;
    void (*change)(struct world *w);
    enum loa_verdict verdict;
} rows[] = {
    {"as it should be",      nothing,                LOA_VERDICT_OK},
    {"leaf may issue",       leaf_deep_enough,       LOA_VERDICT_OK},
    {"area beside",          child_area,             LOA_VERDICT_CHAIN_AREA},
    {"area above",           child_wider_area,       LOA_VERDICT_CHAIN_AREA},
    {"middle area",          middle_area,            LOA_VERDICT_CHAIN_AREA},
    {"more powers",          child_power,            LOA_VERDICT_CHAIN_POWERS},
    {"begins before issuer", child_begins_early,     LOA_VERDICT_CHAIN_VALIDITY},
    {"outlives issuer",      child_ends_late,        LOA_VERDICT_CHAIN_VALIDITY},
    {"issuer may not issue", issuer_without_delegate, LOA_VERDICT_CHAIN_DEPTH},
    {"issuer is a leaf",     issuer_without_depth,   LOA_VERDICT_CHAIN_DEPTH},
    {"as deep as issuer",    child_as_deep,          LOA_VERDICT_CHAIN_DEPTH},
    {"not yet valid",        not_yet,                LOA_VERDICT_NOT_YET_VALID},
    {"valid within skew",    just_begun,             LOA_VERDICT_OK},
    {"expired",              expired,                LOA_VERDICT_EXPIRED_CERTIFICATE},
    {"last ms",              nearly_expired,         LOA_VERDICT_OK},
    {"middle expired",       middle_expired,         LOA_VERDICT_EXPIRED_CERTIFICATE},
    {"top not yet valid",    top_not_yet,            LOA_VERDICT_NOT_YET_VALID},
};
/* clang-format on */

static void test_rows(void)
{
    for (size_t i = 0; i < N(rows); i++) {
        struct world w;

        world_init(&w);
        rows[i].change(&w);
        world_issue(&w);
        CHECK_INT(rows[i].name, judge_world(&w), rows[i].verdict);
    }
}

static void test_time_unknown(void)
{
    struct world w;
    struct loa_certificate leaf;

    world_init(&w);
    expired(&w);
    world_issue(&w);
    struct loa_bytes chain[] = {w.signer.cert, w.commune.cert, w.province.cert};
    loa_trust_init(&trust, w.root.public_key);
    CHECK_INT("no clock",
              loa_trust_chain(&trust, w.signer.key.public_key, chain, 3, 0,
                              false, &leaf),
              LOA_VERDICT_OK);
    CHECK_INT("leaf", strcmp(leaf.principal, "lan"), 0);
    loa_trust_init(&trust, NULL);
    CHECK_INT("no root",
              loa_trust_chain(&trust, w.signer.key.public_key, chain, 3, 0,
                              false, &leaf),
              LOA_VERDICT_NO_ROOT);
}

/* --- what is in the bag ----------------------------------------------------
 */

static void test_bag(void)
{
    struct world w;
    struct loa_bytes
        many[LOA_CERTIFICATES_MAX + LOA_CERTIFICATES_EXTRA_MAX + 1];
    uint8_t bent[LOA_CERTIFICATE_BYTES_MAX];

    world_init(&w);
    struct loa_bytes s = w.signer.cert, c = w.commune.cert, p = w.province.cert;
    struct loa_bytes upside_down[] = {p, c, s};
    struct loa_bytes twice[] = {s, s, c, c, p, p};
    struct loa_bytes no_leaf[] = {c, p};
    struct loa_bytes no_middle[] = {s, p};
    struct loa_bytes no_top[] = {s, c};
    CHECK_INT("any order", judge(&w, &w.signer, upside_down, 3),
              LOA_VERDICT_OK);
    CHECK_INT("twice", judge(&w, &w.signer, twice, 6), LOA_VERDICT_OK);
    CHECK_INT("empty", judge(&w, &w.signer, NULL, 0),
              LOA_VERDICT_NO_CERTIFICATE);
    CHECK_INT("no leaf", judge(&w, &w.signer, no_leaf, 2),
              LOA_VERDICT_NO_CERTIFICATE);
    CHECK_INT("no middle", judge(&w, &w.signer, no_middle, 2),
              LOA_VERDICT_NO_CERTIFICATE);
    CHECK_INT("no top", judge(&w, &w.signer, no_top, 2),
              LOA_VERDICT_NO_CERTIFICATE);

    for (size_t i = 0; i < N(many); i++)
        many[i] = s;
    many[0] = p;
    many[1] = c;
    CHECK_INT("a full bag", judge(&w, &w.signer, many, N(many) - 1),
              LOA_VERDICT_OK);
    CHECK_INT("too many", judge(&w, &w.signer, many, N(many)),
              LOA_VERDICT_CHAIN_LENGTH);

    struct loa_bytes broken[] = {s, c, p, {bent, 3}};
    memcpy(bent, s.data, s.len);
    CHECK_INT("one malformed", judge(&w, &w.signer, broken, 4),
              LOA_VERDICT_BAD_CERTIFICATE);
    struct loa_bytes forged[] = {{bent, s.len}, c, p};
    bent[s.len - 1] ^= 1;
    CHECK_INT("forged signature", judge(&w, &w.signer, forged, 3),
              LOA_VERDICT_CHAIN_SIGNATURE);
}

/* A certificate signed by another key than it names. */
/* Bytes that were a certificate when they came into the bag lead nowhere when
 * they are none any more. */
static void test_bag_that_changed(void)
{
    struct world w;
    struct loa_chain_bag bag = {.n = 0};
    struct loa_certificate leaf;
    enum loa_verdict v;

    world_init(&w);
    loa_trust_init(&trust, w.root.public_key);
    v = loa_chain_bag_add(&bag, &w.signer.cert, 1);
    CHECK_INT("in the bag", v, LOA_VERDICT_OK);
    bag.certificates[0].len--;
    v = loa_chain_judge(&trust, &bag, w.signer.key.public_key, WORLD_NOW_MS,
                        true, &leaf);
    CHECK_INT("cut in the bag", v, LOA_VERDICT_BAD_CERTIFICATE);
}

static void test_wrong_issuer(void)
{
    struct world w;

    world_init(&w);
    actor_issue(&w.signer, &w.second.key);
    CHECK_INT("issuer unknown", judge_world(&w), LOA_VERDICT_NO_CERTIFICATE);
    actor_issue(&w.signer, &w.root);
    CHECK_INT("by the root itself", judge_world(&w), LOA_VERDICT_OK);
}

/* --- length, loops, copies --------------------------------------------------
 */

static void test_length(void)
{
    struct world w;
    struct actor link[LOA_CHAIN_MAX + 1];
    struct loa_bytes chain[LOA_CHAIN_MAX + 1];

    world_init(&w);
    for (size_t i = 0; i < N(link); i++) {
        actor_init(&link[i], (uint8_t)(20 + i), "link", LOA_ROLE_AUTHORITY,
                   "vn");
        link[i].c.max_depth = (uint32_t)(7 - i);
        actor_issue(&link[i], i == 0 ? &w.root : &link[i - 1].key);
        chain[i] = link[i].cert;
    }
    CHECK_INT("six links", judge(&w, &link[5], chain, 7), LOA_VERDICT_OK);
    CHECK_INT("seven links", judge(&w, &link[6], chain, 7),
              LOA_VERDICT_CHAIN_LENGTH);
}

/* Two that vouch for each other, and nobody for them. */
static void test_loop(void)
{
    struct world w;
    struct actor a, b, b2;

    world_init(&w);
    actor_init(&a, 30, "a", LOA_ROLE_AUTHORITY, "vn");
    actor_init(&b, 31, "b", LOA_ROLE_AUTHORITY, "vn");
    a.c.max_depth = 1;
    b.c.max_depth = 2;
    actor_issue(&a, &b.key);
    actor_issue(&b, &a.key);
    struct loa_bytes chain[] = {a.cert, b.cert};
    CHECK_INT("a loop", judge(&w, &a, chain, 2), LOA_VERDICT_CHAIN_DEPTH);

    actor_issue(&a, &a.key);
    CHECK_INT("of one", judge(&w, &a, &a.cert, 1), LOA_VERDICT_CHAIN_DEPTH);

    /* Beside the loop there is a way to the root. */
    b2 = b;
    b2.c.serial = 99;
    actor_issue(&a, &b.key);
    actor_issue(&b2, &w.root);
    struct loa_bytes way_out[] = {a.cert, b.cert, b2.cert};
    CHECK_INT("a way out", judge(&w, &a, way_out, 3), LOA_VERDICT_OK);
}

/* An old certificate beside its renewal, in both orders; the first reason is
 * what is reported when neither holds. */
static void test_renewal(void)
{
    struct world w;
    struct actor old;

    world_init(&w);
    old = w.signer;
    old.c.not_after_ms = WORLD_NOW_MS - 1;
    actor_issue(&old, &w.commune.key);
    struct loa_bytes old_first[] = {old.cert, w.signer.cert, w.commune.cert,
                                    w.province.cert};
    struct loa_bytes new_first[] = {w.signer.cert, old.cert, w.commune.cert,
                                    w.province.cert};
    CHECK_INT("old first", judge(&w, &w.signer, old_first, 4), LOA_VERDICT_OK);
    CHECK_INT("new first", judge(&w, &w.signer, new_first, 4), LOA_VERDICT_OK);

    old_first[1] = old_first[0];
    CHECK_INT("no renewal", judge(&w, &w.signer, old_first, 4),
              LOA_VERDICT_EXPIRED_CERTIFICATE);

    /* The first way fails only further up: its issuer is gone. */
    old = w.signer;
    actor_issue(&old, &w.second.key);
    struct loa_bytes other_way[] = {old.cert, w.signer.cert, w.commune.cert,
                                    w.province.cert};
    CHECK_INT("other issuer", judge(&w, &w.signer, other_way, 4),
              LOA_VERDICT_OK);
}

/* Copies of links that all fail cost a bounded number of looks: without the
 * bound, 12 copies at each of 6 levels are three million. */
static void test_tries(void)
{
    struct world w;
    struct actor link[LOA_CHAIN_MAX];
    struct loa_bytes bag[72];

    world_init(&w);
    for (size_t i = 0; i < N(link); i++) {
        actor_init(&link[i], (uint8_t)(20 + i), "link", LOA_ROLE_AUTHORITY,
                   "vn");
        link[i].c.max_depth = (uint32_t)(7 - i);
        actor_issue(&link[i], i == 0 ? &w.second.key : &link[i - 1].key);
    }
    for (size_t i = 0; i < N(bag); i++)
        bag[i] = link[i / 12].cert;
    CHECK_INT("given up", judge(&w, &link[5], bag, 72),
              LOA_VERDICT_CHAIN_LENGTH);
    CHECK_INT("checked once", trust.cache.n, LOA_CHAIN_MAX);
}

/* --- the cache ---------------------------------------------------------------
 */

/* More certificates than the cache holds: it turns over and still works. */
static void test_cache(void)
{
    struct world w;
    struct actor a;
    struct loa_certificate leaf;

    world_init(&w);
    loa_trust_init(&trust, w.root.public_key);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < LOA_CHAIN_CACHE_N + 6; i++) {
            actor_init(&a, 40, "a", LOA_ROLE_STAFF, "vn");
            a.c.serial = (uint64_t)(1000 + i);
            actor_issue(&a, &w.root);
            CHECK_INT("holds",
                      loa_trust_chain(&trust, a.key.public_key, &a.cert, 1,
                                      WORLD_NOW_MS, true, &leaf),
                      LOA_VERDICT_OK);
            CHECK_INT("holds", leaf.serial, 1000 + i);
        }
    }
    CHECK_INT("full", trust.cache.n, LOA_CHAIN_CACHE_N);

    /* A cached signature does not save an expired certificate. */
    CHECK_INT("later",
              loa_trust_chain(&trust, a.key.public_key, &a.cert, 1,
                              WORLD_NOW_MS + 20 * WORLD_DAY_MS, true, &leaf),
              LOA_VERDICT_EXPIRED_CERTIFICATE);
}

/* Same body, another signature: what was cached says nothing about it. */
static void test_cache_is_by_signature(void)
{
    struct world w;
    struct loa_certificate leaf;
    uint8_t bent[LOA_CERTIFICATE_BYTES_MAX];

    world_init(&w);
    actor_issue(&w.signer, &w.root);
    loa_trust_init(&trust, w.root.public_key);
    CHECK_INT("cached",
              loa_trust_chain(&trust, w.signer.key.public_key, &w.signer.cert,
                              1, WORLD_NOW_MS, true, &leaf),
              LOA_VERDICT_OK);
    memcpy(bent, w.signer.cert.data, w.signer.cert.len);
    bent[w.signer.cert.len - 1] ^= 1;
    struct loa_bytes cert = {bent, w.signer.cert.len};
    CHECK_INT("bent",
              loa_trust_chain(&trust, w.signer.key.public_key, &cert, 1,
                              WORLD_NOW_MS, true, &leaf),
              LOA_VERDICT_CHAIN_SIGNATURE);
}

/* --- certificates from elsewhere ---------------------------------------------
 */

static struct letter letter;

static void test_extra_certificates(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_APPROVAL, "vn/08/070");
    struct loa_expect want = {.type = LOA_TYPE_APPROVAL,
                              .now_ms = WORLD_NOW_MS,
                              .time_trusted = true};

    world_init(&w);
    struct loa_bytes extra[] = {w.province.cert, w.commune.cert, w.signer.cert};
    letter_seal(&letter, &h, &w.signer.key, NULL, 0);
    loa_trust_init(&trust, w.root.public_key);
    CHECK_INT("none", loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_NO_CERTIFICATE);
    want.certificates = extra;
    want.certificates_n = 3;
    CHECK_INT("all extra", loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_OK);
    letter_seal(&letter, &h, &w.signer.key, &w.signer.cert, 1);
    want.certificates_n = 2;
    CHECK_INT("some extra", loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_OK);
    extra[0].len--;
    CHECK_INT("one malformed", loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_BAD_CERTIFICATE);
    letter.e.certificates[0].len--;
    CHECK_INT("own malformed", loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_BAD_CERTIFICATE);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_rows();
    test_time_unknown();
    test_bag();
    test_bag_that_changed();
    test_wrong_issuer();
    test_length();
    test_loop();
    test_renewal();
    test_tries();
    test_cache();
    test_cache_is_by_signature();
    test_extra_certificates();
    return CHECK_DONE();
}
