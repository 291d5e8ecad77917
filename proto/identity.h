/* identity.h -- the text file in which a principal keeps its key and chain.
 *
 *     loa-identity 1
 *     root <base64url, 32 bytes>
 *     certificate <base64url>          leaf first, then up; may be missing
 *     secret <base64url, 32-byte seed>
 *
 * Pure: the caller reads and writes the file (mode 0600). */

#ifndef LOA_PROTO_IDENTITY_H
#define LOA_PROTO_IDENTITY_H

#include "proto/trust.h"

#define LOA_IDENTITY_BYTES_MAX 8192

struct loa_identity {
    uint8_t root[LOA_KEY_BYTES];
    bool root_known;
    struct loa_key key;
    uint8_t seed[32];
    struct loa_certificate leaf; /* Valid if certificates_n > 0. */
    uint8_t store[LOA_CHAIN_MAX][LOA_CERTIFICATE_BYTES_MAX];
    struct loa_bytes certificates[LOA_CHAIN_MAX]; /* Into store. */
    size_t certificates_n;
};

/* LOA_EINVAL: malformed; *line is the wrong line, from 1. Do not copy *id: it
 * points into itself. */
LOA_MUST_CHECK int loa_identity_parse(const char *text,
                                      size_t len,
                                      struct loa_identity *id,
                                      size_t *line);

LOA_MUST_CHECK int loa_identity_format(const struct loa_identity *id,
                                       char *buf,
                                       size_t cap);

/* The signer of an identity, to be lent to loa_envelope_seal(). */
struct loa_signer loa_identity_signer(const struct loa_identity *id);

/* An MQTT password: a LOGIN envelope, issued now, valid LOA_LOGIN_MS, as
 * base64url. Its area is the leaf's; an identity without certificates signs for
 * LOA_ENROL_AREA, and nobody vouches for it. LOA_ENOSPC: cap (4,096 is enough
 * for four certificates of the usual 300 bytes, and more). LOA_EINVAL: now_ms
 * is negative. */
#define LOA_LOGIN_MS 60000
#define LOA_PASSWORD_CAP 4096
LOA_MUST_CHECK int loa_identity_password(const struct loa_identity *id,
                                         const char *broker,
                                         const char *client_id,
                                         const uint8_t message_id[LOA_ID_BYTES],
                                         int64_t now_ms,
                                         char *buf,
                                         size_t cap);

#endif /* LOA_PROTO_IDENTITY_H */
