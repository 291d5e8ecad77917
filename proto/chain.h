/* chain.h -- from a key up to the root. Internal to the trust module.
 *
 * Certificates come in a bag, in any order. Where several name the same key (an
 * old one and its renewal), each is tried until one leads to the root. */

#ifndef LOA_PROTO_CHAIN_H
#define LOA_PROTO_CHAIN_H

#include "proto/trust.h"

/* Links that one search may look at; afterwards it gives up. */
#define LOA_CHAIN_TRIES_MAX 128

struct loa_chain_bag {
    struct loa_bytes
        certificates[LOA_CERTIFICATES_MAX + LOA_CERTIFICATES_EXTRA_MAX];
    uint8_t subjects[LOA_CERTIFICATES_MAX + LOA_CERTIFICATES_EXTRA_MAX]
                    [LOA_KEY_BYTES];
    size_t n;
};

/* Lend n certificates to the bag. BAD_CERTIFICATE: one is malformed.
 * CHAIN_LENGTH: more than the bag holds. */
LOA_MUST_CHECK enum loa_verdict loa_chain_bag_add(
    struct loa_chain_bag *bag,
    const struct loa_bytes *certificates,
    size_t n);

/* Judge the chain of `key`; *leaf is its certificate if the verdict is OK. When
 * no chain holds, the verdict is the first reason met. */
LOA_MUST_CHECK enum loa_verdict loa_chain_judge(struct loa_trust *t,
                                                const struct loa_chain_bag *bag,
                                                const uint8_t *key,
                                                int64_t now_ms,
                                                bool time_trusted,
                                                struct loa_certificate *leaf);

#endif /* LOA_PROTO_CHAIN_H */
