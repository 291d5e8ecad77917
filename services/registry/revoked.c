#include "registry/revoked.h"

#include <string.h>

/* Clocks of devices may be wrong by weeks before anybody notices. */
#define GRACE_MS (30 * 86400000ll)

/* An issuer's entry: tags, lengths and the key. */
#define ISSUER_BYTES 48

static int compare(const struct revoked_entry *e,
                   const uint8_t issuer[LOA_KEY_BYTES],
                   uint64_t serial)
{
    int by_issuer = memcmp(e->issuer, issuer, LOA_KEY_BYTES);

    if (by_issuer != 0)
        return by_issuer;
    return (e->serial > serial) - (e->serial < serial);
}

/* The first place that is not before issuer and serial. */
static size_t place_of(const struct revoked *r,
                       const uint8_t issuer[LOA_KEY_BYTES],
                       uint64_t serial)
{
    size_t low = 0, high = r->entries_n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(&r->entries[middle], issuer, serial) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool revoked_has(const struct revoked *r,
                 const uint8_t issuer[LOA_KEY_BYTES],
                 uint64_t serial)
{
    size_t at = place_of(r, issuer, serial);

    return at < r->entries_n && compare(&r->entries[at], issuer, serial) == 0;
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;

    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

/* Would the list still fit with one entry more? */
static bool fits(const struct revoked *r, const struct revoked_entry *e)
{
    size_t bytes = ISSUER_BYTES + varint_bytes(e->serial), issuers_n = 1;
    const uint8_t *issuer = NULL;

    for (size_t i = 0; i < r->entries_n; i++) {
        bytes += varint_bytes(r->entries[i].serial);
        if (issuer == NULL ||
            memcmp(issuer, r->entries[i].issuer, LOA_KEY_BYTES) != 0) {
            bytes += ISSUER_BYTES;
            issuers_n++;
        }
        issuer = r->entries[i].issuer;
    }
    return r->entries_n < REVOKED_MAX && issuers_n <= LOA_REVOCATIONS_MAX &&
           bytes <= REVOKED_BYTES_MAX;
}

int revoked_add(struct revoked *r, const struct revoked_entry *e)
{
    size_t at = place_of(r, e->issuer, e->serial);

    if (revoked_has(r, e->issuer, e->serial))
        return LOA_OK;
    if (!fits(r, e))
        return LOA_EBUSY;
    memmove(&r->entries[at + 1], &r->entries[at],
            (r->entries_n - at) * sizeof r->entries[0]);
    r->entries[at] = *e;
    r->entries_n++;
    return LOA_OK;
}

void revoked_prune(struct revoked *r, int64_t now_ms)
{
    size_t to = 0;

    for (size_t i = 0; i < r->entries_n; i++)
        if (r->entries[i].not_after_ms > now_ms - GRACE_MS)
            r->entries[to++] = r->entries[i];
    r->entries_n = to;
}
