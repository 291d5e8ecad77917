/* world.h -- a small network of keys and certificates for tests of trust.
 *
 *     root -> province (vn/08) -> commune (vn/08/070) -> the signer
 *
 * Everything is made from seeds, so every run makes the same bytes. */

#ifndef LOA_TEST_WORLD_H
#define LOA_TEST_WORLD_H

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/identity.h"

#define WORLD_NOW_MS INT64_C(1790000000000)
#define WORLD_DAY_MS INT64_C(86400000)
#define WORLD_POWERS ((uint32_t)LOA_POWERS_ALL & ~(uint32_t)LOA_POWER_DRILL)

/* Somebody with a key, and the certificate that speaks of it. */
struct actor {
    struct loa_key key;
    struct loa_certificate c;
    uint8_t bytes[LOA_CERTIFICATE_BYTES_MAX];
    struct loa_bytes cert;
};

struct world {
    struct loa_key root;
    struct actor province, commune, signer, second;
};

static inline void world_key(struct loa_key *k, uint8_t seed)
{
    uint8_t bytes[32] = {seed, 0x10, 0xa};

    loa_key_from_seed(k, bytes);
}

/* Sign the actor's certificate (again) as its fields are now. */
static inline void actor_issue(struct actor *a, const struct loa_key *issuer)
{
    size_t len;
    int rv;

    memcpy(a->c.subject, a->key.public_key, LOA_KEY_BYTES);
    rv = loa_certificate_issue(&a->c, issuer, a->bytes, sizeof a->bytes, &len);
    assert(rv == LOA_OK);
    a->cert = (struct loa_bytes){a->bytes, len};
}

static inline void actor_init(struct actor *a,
                              uint8_t seed,
                              const char *principal,
                              enum loa_role role,
                              const char *area)
{
    memset(a, 0, sizeof *a);
    world_key(&a->key, seed);
    a->c.serial = seed;
    strcpy(a->c.principal, principal);
    strcpy(a->c.name, principal);
    a->c.role = role;
    strcpy(a->c.area, area);
    a->c.powers = role == LOA_ROLE_AUTHORITY ? LOA_POWERS_ALL : WORLD_POWERS;
    a->c.not_before_ms = WORLD_NOW_MS - 10 * WORLD_DAY_MS;
    a->c.not_after_ms = WORLD_NOW_MS + 10 * WORLD_DAY_MS;
}

static inline void world_issue(struct world *w)
{
    actor_issue(&w->province, &w->root);
    actor_issue(&w->commune, &w->province.key);
    actor_issue(&w->signer, &w->commune.key);
    actor_issue(&w->second, &w->commune.key);
}

static inline void world_init(struct world *w)
{
    world_key(&w->root, 1);
    actor_init(&w->province, 2, "province", LOA_ROLE_AUTHORITY, "vn/08");
    w->province.c.max_depth = 3;
    actor_init(&w->commune, 3, "commune", LOA_ROLE_AUTHORITY, "vn/08/070");
    w->commune.c.max_depth = 2;
    actor_init(&w->signer, 4, "lan", LOA_ROLE_STAFF, "vn/08/070");
    actor_init(&w->second, 5, "minh", LOA_ROLE_STAFF, "vn/08/070");
    world_issue(w);
}

static inline struct loa_header world_header(enum loa_type type,
                                             const char *area)
{
    struct loa_header h = {
        .type = type,
        .message_id = {7},
        .issued_at_ms = WORLD_NOW_MS - 1000,
        .expires_at_ms = WORLD_NOW_MS + 60000,
        .body = {(const uint8_t *)"body", 4},
    };

    strcpy(h.area, area);
    return h;
}

/* An envelope as it came from the wire, and the memory that it lies in. */
struct letter {
    uint8_t bytes[LOA_ENVELOPE_BYTES_MAX];
    size_t len;
    _Alignas(max_align_t) uint8_t room[4 * LOA_ENVELOPE_BYTES_MAX];
    struct loa_arena arena;
    struct loa_envelope e;
};

static inline void letter_parse(struct letter *l)
{
    int rv;

    loa_arena_init(&l->arena, l->room, sizeof l->room);
    rv = loa_envelope_parse(&l->arena, (struct loa_bytes){l->bytes, l->len},
                            &l->e);
    assert(rv == LOA_OK);
}

/* Seal by key with these certificates, and parse what came out. */
static inline void letter_seal(struct letter *l,
                               const struct loa_header *h,
                               const struct loa_key *key,
                               const struct loa_bytes *certificates,
                               size_t n)
{
    struct loa_signer s = {key, certificates, n};
    int rv = loa_envelope_seal(h, &s, l->bytes, sizeof l->bytes, &l->len);

    assert(rv == LOA_OK);
    letter_parse(l);
}

/* Sealed by the world's signer with its whole chain. */
static inline void world_seal(const struct world *w,
                              const struct loa_header *h,
                              struct letter *l)
{
    struct loa_bytes chain[] = {w->signer.cert, w->commune.cert,
                                w->province.cert};

    letter_seal(l, h, &w->signer.key, chain, 3);
}

/* A second signature by `a` over the same bytes, and its certificate. */
static inline void letter_cosign(struct letter *l, const struct actor *a)
{
    struct loa_signature *s = &l->e.signatures[l->e.signatures_n++];

    memcpy(s->key, a->key.public_key, LOA_KEY_BYTES);
    loa_sign(&a->key, loa_type_name((int)l->e.header.type), l->e.signed_bytes,
             s->signature);
    l->e.certificates[l->e.certificates_n++] = a->cert;
}

#endif /* LOA_TEST_WORLD_H */
