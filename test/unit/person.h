/* person.h -- somebody with a key and the certificates that prove it, for unit
 * tests. Keys are from fixed seeds. Whoever includes this defines
 *
 *     PERSON_SALT      second byte of every seed
 *     PERSON_FROM_MS   validity of a certificate that says nothing else
 *     PERSON_UNTIL_MS
 */

#ifndef LOA_TEST_PERSON_H
#define LOA_TEST_PERSON_H

#include <assert.h>
#include <string.h>

#include "proto/identity.h"

struct person {
    struct loa_key key;
    uint8_t store[LOA_CHAIN_MAX][LOA_CERTIFICATE_BYTES_MAX];
    struct loa_bytes certificates[LOA_CHAIN_MAX]; /* Own one first. */
    size_t certificates_n;
    struct loa_certificate leaf; /* As issued. */
};

/* A key without a certificate: a root. */
static void person_key(struct person *p, uint8_t seed, uint8_t salt)
{
    uint8_t bytes[32] = {seed, salt};

    memset(p, 0, sizeof *p);
    loa_key_from_seed(&p->key, bytes);
}

/* p gets a key of its own and the certificate *c by its issuer, with the
 * issuer's chain behind it. Serial and validity that are 0 get defaults. */
static void person_issue(struct person *p,
                         const struct person *issuer,
                         uint8_t seed,
                         const struct loa_certificate *c)
{
    size_t len;
    int rv;

    person_key(p, seed, PERSON_SALT);
    p->leaf = *c;
    memcpy(p->leaf.subject, p->key.public_key, LOA_KEY_BYTES);
    if (p->leaf.serial == 0)
        p->leaf.serial = seed;
    if (p->leaf.not_before_ms == 0)
        p->leaf.not_before_ms = PERSON_FROM_MS;
    if (p->leaf.not_after_ms == 0)
        p->leaf.not_after_ms = PERSON_UNTIL_MS;
    rv = loa_certificate_issue(&p->leaf, &issuer->key, p->store[0],
                               sizeof p->store[0], &len);
    assert(rv == LOA_OK);
    p->certificates[0] = (struct loa_bytes){p->store[0], len};
    for (size_t i = 0; i < issuer->certificates_n; i++)
        p->certificates[i + 1] = issuer->certificates[i];
    p->certificates_n = issuer->certificates_n + 1;
}

__attribute__((unused)) static void person_make(struct person *p,
                                                const struct person *issuer,
                                                uint8_t seed,
                                                enum loa_role role,
                                                const char *principal,
                                                const char *area,
                                                const char *service,
                                                uint32_t powers)
{
    struct loa_certificate c = {.role = role, .powers = powers};

    strcpy(c.principal, principal);
    strcpy(c.area, area);
    strcpy(c.service, service);
    c.max_depth = role == LOA_ROLE_AUTHORITY ? 5 : 0;
    person_issue(p, issuer, seed, &c);
}

#endif /* LOA_TEST_PERSON_H */
