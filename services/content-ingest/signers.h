/* signers.h -- whose programmes are known, with the certificates that lead from
 * them to the root: when one of these is revoked, it is found here, and what
 * was signed with it can be forgotten.
 *
 * A fixed table; the index of a row is what needs.h keeps of a signer. */

#ifndef LOA_CONTENT_SIGNERS_H
#define LOA_CONTENT_SIGNERS_H

#include "proto/trust.h"

#define SIGNERS_MAX 64
#define SIGNER_NONE UINT32_MAX
/* Each certificate stands after its length, two bytes, the high one first. */
#define SIGNER_CHAIN_BYTES_MAX \
    ((size_t)LOA_CERTIFICATES_MAX * (LOA_CERTIFICATE_BYTES_MAX + 2))

struct signer {
    bool used;
    uint8_t key[LOA_KEY_BYTES];
    char principal[LOA_PRINCIPAL_CAP]; /* "": not judged yet. */
    size_t chain_len;
    uint8_t chain[SIGNER_CHAIN_BYTES_MAX];
};

struct signers {
    struct signer rows[SIGNERS_MAX];
};

/* Write certificates one behind the other; returns the length. LOA_ENOSPC: one
 * is longer than certificates are. */
LOA_MUST_CHECK int signers_pack(const struct loa_bytes certificates[],
                                size_t n,
                                uint8_t out[SIGNER_CHAIN_BYTES_MAX],
                                size_t *len);

/* The row of a key, or SIGNER_NONE. */
uint32_t signers_find(const struct signers *s,
                      const uint8_t key[LOA_KEY_BYTES]);

/* Keep the chain, the newest one, of a key. When there is no place, one gives
 * way that is not in kept, which has a bit for each row. SIGNER_NONE: all are
 * kept. chain_len is at most SIGNER_CHAIN_BYTES_MAX. */
uint32_t signers_put(struct signers *s,
                     const uint8_t key[LOA_KEY_BYTES],
                     struct loa_bytes chain,
                     uint64_t kept);

/* Does the chain of a row still lead to the root, time left aside? It once did:
 * if it does not, a link was revoked. Notes the principal when it does. */
bool signers_hold(struct signers *s, uint32_t row, struct loa_trust *trust);

void signers_drop(struct signers *s, uint32_t row);

#endif /* LOA_CONTENT_SIGNERS_H */
