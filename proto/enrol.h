/* enrol.h -- one-time codes and the two proofs of an enrolment.
 *
 * A code is 16 characters of Crockford's base32 (80 bits), for people
 * XXXX-XXXX-XXXX-XXXX. It never travels: device and registry prove to each
 * other that they know it, by BLAKE2b keyed with the code's hash. See
 * EnrolRequest and Enrolment in loa/v1/registry.proto. */

#ifndef LOA_PROTO_ENROL_H
#define LOA_PROTO_ENROL_H

#include "proto/key.h"

#define LOA_CODE_RANDOM_BYTES 10
#define LOA_CODE_CAP 20         /* "XXXX-XXXX-XXXX-XXXX" and the NUL. */
#define LOA_ENROL_SERIAL_MAX 64 /* Bytes of the maker's serial and model. */

/* The code of ten random bytes, as it is shown. */
void loa_enrol_code(const uint8_t random[LOA_CODE_RANDOM_BYTES],
                    char out[LOA_CODE_CAP]);

/* The key that both proofs are made with. Dashes and blanks are skipped, lower
 * case counts as upper case, and as Crockford asks O is 0, I and L are 1.
 * LOA_EINVAL: text is not 16 of his characters. */
LOA_MUST_CHECK int loa_enrol_key(const char *text, uint8_t key[LOA_HASH_BYTES]);

/* EnrolRequest.proof: who knows the code asks for `device_key`. LOA_EINVAL:
 * device or serial is longer than LOA_ENROL_SERIAL_MAX. */
LOA_MUST_CHECK int loa_enrol_proof(const uint8_t key[LOA_HASH_BYTES],
                                   const char *device,
                                   const char *serial,
                                   const uint8_t device_key[LOA_KEY_BYTES],
                                   uint8_t out[LOA_HASH_BYTES]);

/* Enrolment.proof: who made the code vouches for `root`. */
void loa_enrolled_proof(const uint8_t key[LOA_HASH_BYTES],
                        const uint8_t device_key[LOA_KEY_BYTES],
                        const uint8_t root[LOA_KEY_BYTES],
                        uint8_t out[LOA_HASH_BYTES]);

/* Equal, in a time that does not depend on where they differ. */
bool loa_proof_equal(const uint8_t a[LOA_HASH_BYTES],
                     const uint8_t b[LOA_HASH_BYTES]);

#endif /* LOA_PROTO_ENROL_H */
