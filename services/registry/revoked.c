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

struct usage {
    size_t entries_n, issuers_n, bytes;
};

/* What the list holds of an area and below (NULL: of all) with one entry more,
 * as if that had an issuer of its own. */
static struct usage use(const struct revoked *r,
                        const struct revoked_entry *e,
                        const char *area)
{
    struct usage u = {1, 1, ISSUER_BYTES + varint_bytes(e->serial)};
    const uint8_t *issuer = NULL;

    for (size_t i = 0; i < r->entries_n; i++) {
        const struct revoked_entry *x = &r->entries[i];

        if (area != NULL &&
            (x->area[0] == '\0' || !loa_area_within(x->area, area)))
            continue;
        u.entries_n++;
        u.bytes += varint_bytes(x->serial);
        if (issuer == NULL || memcmp(issuer, x->issuer, LOA_KEY_BYTES) != 0) {
            u.bytes += ISSUER_BYTES;
            u.issuers_n++;
        }
        issuer = x->issuer;
    }
    return u;
}

struct share revoked_share(const char *own, const char *area, bool authority)
{
    struct share s = share_of(own, area);

    if (s.of_all > REVOKED_SHARE && !authority)
        s.of_all = s.of_area = REVOKED_SHARE;
    return s;
}

bool revoked_may(const struct revoked *r,
                 const struct revoked_entry *e,
                 const struct share *s)
{
    const struct usage all = use(r, e, NULL), area = use(r, e, s->area);

    return share_allows(s, REVOKED_MAX, all.entries_n, area.entries_n) &&
           share_allows(s, LOA_REVOCATIONS_MAX, all.issuers_n,
                        area.issuers_n) &&
           share_allows(s, REVOKED_BYTES_MAX, all.bytes, area.bytes);
}

static bool fits(const struct revoked *r, const struct revoked_entry *e)
{
    const struct usage all = use(r, e, NULL);

    return all.entries_n <= REVOKED_MAX &&
           all.issuers_n <= LOA_REVOCATIONS_MAX &&
           all.bytes <= REVOKED_BYTES_MAX;
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
