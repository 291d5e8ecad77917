#include "proto/chain.h"

#include <stddef.h>
#include <string.h>

#define CERTIFICATE_ARENA_LEN 2048

static bool key_equal(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, LOA_KEY_BYTES) == 0;
}

/* --- signatures of certificates, each checked once ------------------------ */

/* The hash is over all that the check depends on. Body and signature have no
 * length in front because the last two parts have a fixed one. */
static void cache_hash(const struct loa_certificate *c,
                       uint8_t out[LOA_HASH_BYTES])
{
    uint8_t in[LOA_CERTIFICATE_BYTES_MAX + LOA_SIGNATURE_BYTES + LOA_KEY_BYTES];
    uint8_t *p = in;

    memcpy(p, c->body.data, c->body.len);
    p += c->body.len;
    memcpy(p, c->signature, LOA_SIGNATURE_BYTES);
    p += LOA_SIGNATURE_BYTES;
    memcpy(p, c->issuer, LOA_KEY_BYTES);
    p += LOA_KEY_BYTES;
    loa_hash((struct loa_bytes){in, (size_t)(p - in)}, out);
}

static bool cache_has(const struct loa_chain_cache *k,
                      const uint8_t hash[LOA_HASH_BYTES])
{
    for (size_t i = 0; i < k->n; i++) {
        if (memcmp(k->hashes[i], hash, LOA_HASH_BYTES) == 0)
            return true;
    }
    return false;
}

static void cache_add(struct loa_chain_cache *k,
                      const uint8_t hash[LOA_HASH_BYTES])
{
    memcpy(k->hashes[k->next], hash, LOA_HASH_BYTES);
    k->next = (k->next + 1) % LOA_CHAIN_CACHE_N;
    if (k->n < LOA_CHAIN_CACHE_N)
        k->n++;
}

static bool signature_holds(struct loa_chain_cache *k,
                            const struct loa_certificate *c)
{
    uint8_t hash[LOA_HASH_BYTES];

    cache_hash(c, hash);
    if (cache_has(k, hash))
        return true;
    if (!loa_sign_verify(c->issuer, "certificate", c->body, c->signature))
        return false;
    cache_add(k, hash);
    return true;
}

/* --- one link ------------------------------------------------------------- */

enum loa_verdict loa_trust_may_issue(const struct loa_certificate *issuer,
                                     const struct loa_certificate *child)
{
    if (!loa_area_within(child->area, issuer->area))
        return LOA_VERDICT_CHAIN_AREA;
    if ((child->powers | issuer->powers) != issuer->powers)
        return LOA_VERDICT_CHAIN_POWERS;
    if (child->not_before_ms < issuer->not_before_ms ||
        child->not_after_ms > issuer->not_after_ms)
        return LOA_VERDICT_CHAIN_VALIDITY;
    if ((issuer->powers & LOA_POWER_DELEGATE) == 0 ||
        child->max_depth >= issuer->max_depth)
        return LOA_VERDICT_CHAIN_DEPTH;
    return LOA_VERDICT_OK;
}

/* An issuer's clock may be ahead of ours: a certificate counts as begun
 * LOA_SKEW_MS early, as a message does. Its end is exact. */
static enum loa_verdict judge_validity(const struct loa_certificate *c,
                                       int64_t now_ms)
{
    if (c->not_before_ms - LOA_SKEW_MS > now_ms)
        return LOA_VERDICT_NOT_YET_VALID;
    if (c->not_after_ms <= now_ms)
        return LOA_VERDICT_EXPIRED_CERTIFICATE;
    return LOA_VERDICT_OK;
}

/* A search for a chain: what it looks through, and by which time. */
struct search {
    struct loa_trust *t;
    const struct loa_chain_bag *bag;
    int64_t now_ms;
    bool time_trusted;
    size_t tries;
};

/* child is NULL for the leaf. */
static enum loa_verdict judge_link(const struct search *s,
                                   const struct loa_certificate *c,
                                   const struct loa_certificate *child)
{
    enum loa_verdict v = LOA_VERDICT_OK;

    if (!signature_holds(&s->t->cache, c))
        return LOA_VERDICT_CHAIN_SIGNATURE;
    if (child != NULL)
        v = loa_trust_may_issue(c, child);
    if (v == LOA_VERDICT_OK && s->time_trusted)
        v = judge_validity(c, s->now_ms);
    if (v == LOA_VERDICT_OK && loa_trust_revoked(s->t, c))
        v = LOA_VERDICT_REVOKED;
    return v;
}

/* --- the way up ----------------------------------------------------------- */

enum loa_verdict loa_chain_bag_add(struct loa_chain_bag *bag,
                                   const struct loa_bytes *certificates,
                                   size_t n)
{
    if (n > sizeof bag->subjects / sizeof bag->subjects[0] - bag->n)
        return LOA_VERDICT_CHAIN_LENGTH;
    for (size_t i = 0; i < n; i++) {
        _Alignas(max_align_t) uint8_t room[CERTIFICATE_ARENA_LEN];
        struct loa_arena arena;
        struct loa_certificate c;

        loa_arena_init(&arena, room, sizeof room);
        if (loa_certificate_parse(&arena, certificates[i], &c) != LOA_OK)
            return LOA_VERDICT_BAD_CERTIFICATE;
        bag->certificates[bag->n] = certificates[i];
        memcpy(bag->subjects[bag->n], c.subject, LOA_KEY_BYTES);
        bag->n++;
    }
    return LOA_VERDICT_OK;
}

static enum loa_verdict climb(struct search *s,
                              const uint8_t *key,
                              const struct loa_certificate *child,
                              size_t links,
                              struct loa_certificate *found);

/* Judge certificate i of the bag and everything above it. It was parsed when it
 * came into the bag; should it fail now, it leads nowhere. */
static enum loa_verdict try_link(struct search *s,
                                 size_t i,
                                 const struct loa_certificate *child,
                                 size_t links,
                                 struct loa_certificate *found)
{
    _Alignas(max_align_t) uint8_t room[CERTIFICATE_ARENA_LEN];
    struct loa_arena arena;
    struct loa_certificate above;
    enum loa_verdict v;
    int rv;

    loa_arena_init(&arena, room, sizeof room);
    rv = loa_certificate_parse(&arena, s->bag->certificates[i], found);
    v = rv == LOA_OK ? judge_link(s, found, child)
                     : LOA_VERDICT_BAD_CERTIFICATE;
    if (v == LOA_VERDICT_OK && !key_equal(found->issuer, s->t->root))
        v = climb(s, found->issuer, found, links + 1, &above);
    /* What the arena lent ends here. */
    found->body = (struct loa_bytes){NULL, 0};
    found->signature = NULL;
    return v;
}

/* A loop among the certificates ends at LOA_CHAIN_MAX like any long chain;
 * certificates for the same keys over and over end at LOA_CHAIN_TRIES_MAX. */
static enum loa_verdict climb(struct search *s,
                              const uint8_t *key,
                              const struct loa_certificate *child,
                              size_t links,
                              struct loa_certificate *found)
{
    enum loa_verdict reason = LOA_VERDICT_NO_CERTIFICATE;

    if (links == LOA_CHAIN_MAX)
        return LOA_VERDICT_CHAIN_LENGTH;
    for (size_t i = 0; i < s->bag->n; i++) {
        enum loa_verdict v;

        if (!key_equal(s->bag->subjects[i], key))
            continue;
        if (s->tries++ >= LOA_CHAIN_TRIES_MAX)
            return LOA_VERDICT_CHAIN_LENGTH;
        v = try_link(s, i, child, links, found);
        if (v == LOA_VERDICT_OK)
            return v;
        if (reason == LOA_VERDICT_NO_CERTIFICATE)
            reason = v;
    }
    return reason;
}

enum loa_verdict loa_chain_judge(struct loa_trust *t,
                                 const struct loa_chain_bag *bag,
                                 const uint8_t *key,
                                 int64_t now_ms,
                                 bool time_trusted,
                                 struct loa_certificate *leaf)
{
    struct search s = {t, bag, now_ms, time_trusted, 0};

    if (!t->root_known)
        return LOA_VERDICT_NO_ROOT;
    return climb(&s, key, NULL, 0, leaf);
}

enum loa_verdict loa_trust_chain(struct loa_trust *t,
                                 const uint8_t key[LOA_KEY_BYTES],
                                 const struct loa_bytes *certificates,
                                 size_t certificates_n,
                                 int64_t now_ms,
                                 bool time_trusted,
                                 struct loa_certificate *leaf)
{
    struct loa_chain_bag bag;
    enum loa_verdict v;

    bag.n = 0;
    v = loa_chain_bag_add(&bag, certificates, certificates_n);
    if (v != LOA_VERDICT_OK)
        return v;
    return loa_chain_judge(t, &bag, key, now_ms, time_trusted, leaf);
}
