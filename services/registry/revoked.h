/* revoked.h -- what the next revocation list says.
 *
 * A revocation is of one certificate, by issuer and serial, or of all that an
 * issuer gave a key, by loa_key_number() in place of the serial. It leaves the
 * list when the certificate has expired: then nobody believes it anyway. The
 * list must fit into what every verifier holds (proto/trust.h) and into one
 * envelope. Pure. */

#ifndef LOA_REGISTRY_REVOKED_H
#define LOA_REGISTRY_REVOKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/trust.h"
#include "registry/share.h"

#define REVOKED_MAX LOA_REVOKED_SERIALS_MAX
#define REVOKED_BYTES_MAX 52000 /* Of the encoded list, without its chain. */
/* Kept so long where nobody knows how long it is needed. */
#define REVOKED_UNKNOWN_END_MS (3653 * 86400000ll)
#define REVOKED_SHARE 124u /* Of SHARE_WHOLE; the rest is for authorities. */

struct revoked_entry {
    uint8_t issuer[LOA_KEY_BYTES];
    uint64_t serial; /* Or number of a key. */
    int64_t not_after_ms;
    char area[LOA_AREA_CAP]; /* Of the certificate; "": not known. */
};

struct revoked {
    size_t entries_n;
    struct revoked_entry entries[REVOKED_MAX]; /* By issuer, then serial. */
};

/* Put a certificate on the list; that it is there already is no error.
 * LOA_EBUSY: the list is full. */
LOA_MUST_CHECK int revoked_add(struct revoked *r,
                               const struct revoked_entry *e);

/* How much of the list an asker of `area` may fill. Its very end is for
 * authorities: who revokes one has revoked all below it, and that must be
 * possible always. */
struct share revoked_share(const char *own, const char *area, bool authority);

/* Does the share of who asks allow this entry, that is not on the list? */
bool revoked_may(const struct revoked *r,
                 const struct revoked_entry *e,
                 const struct share *s);

bool revoked_has(const struct revoked *r,
                 const uint8_t issuer[LOA_KEY_BYTES],
                 uint64_t serial);

/* Forget what has expired so long ago that no clock can doubt it. */
void revoked_prune(struct revoked *r, int64_t now_ms);

#endif /* LOA_REGISTRY_REVOKED_H */
