/* key.h -- Ed25519 keys, signatures with domain separation, text forms.
 *
 * libsodium is called here, in trust.c, enrol.c and audio.c (hashes); nowhere
 * else. sodium_init() is the program's first call; a key's randomness comes
 * from the caller. */

#ifndef LOA_PROTO_KEY_H
#define LOA_PROTO_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define LOA_KEY_BYTES 32
#define LOA_SECRET_BYTES 64
#define LOA_SIGNATURE_BYTES 64
#define LOA_HASH_BYTES 32
#define LOA_ID_BYTES 16 /* Message ids, bulletin ids, upload ids. */

/* Bytes of somebody else's memory. */
struct loa_bytes {
    const uint8_t *data;
    size_t len;
};

struct loa_key {
    uint8_t public_key[LOA_KEY_BYTES];
    uint8_t secret[LOA_SECRET_BYTES];
};

/* The key pair of a 32-byte seed. */
void loa_key_from_seed(struct loa_key *k, const uint8_t seed[32]);

/* Sign "loa/1/" name 0x00 data. name is a type's lower-case name. */
void loa_sign(const struct loa_key *k,
              const char *name,
              struct loa_bytes data,
              uint8_t signature[LOA_SIGNATURE_BYTES]);

/* True if signature is key's over that. data.len is at most 65,536. */
bool loa_sign_verify(const uint8_t key[LOA_KEY_BYTES],
                     const char *name,
                     struct loa_bytes data,
                     const uint8_t signature[LOA_SIGNATURE_BYTES]);

/* BLAKE2b-256. */
void loa_hash(struct loa_bytes data, uint8_t out[LOA_HASH_BYTES]);

/* What stands for a key among the serials of a revocation list: the beginning
 * of a hash of it, with the highest bit set, which no serial has that we make.
 */
uint64_t loa_key_number(const uint8_t key[LOA_KEY_BYTES]);

/* Lower-case hexadecimal; out has 2 * len + 1 bytes. */
void loa_hex(const uint8_t *data, size_t len, char *out);
/* LOA_EINVAL unless text is exactly 2 * len hexadecimal digits. */
LOA_MUST_CHECK int loa_unhex(const char *text, uint8_t *out, size_t len);

/* base64url without padding (RFC 4648 section 5). LOA_ENOSPC if cap is too
 * small for the text and its NUL. */
LOA_MUST_CHECK int loa_base64(struct loa_bytes data, char *out, size_t cap);
/* LOA_EINVAL: not base64url; LOA_ENOSPC: more than cap bytes. */
LOA_MUST_CHECK int loa_unbase64(const char *text,
                                uint8_t *out,
                                size_t cap,
                                size_t *len);

#endif /* LOA_PROTO_KEY_H */
