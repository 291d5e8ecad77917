#include "seen.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SEEN_KEY_BYTES == crypto_shorthash_KEYBYTES, "of SipHash");

static struct seen_id *set_of(struct seen *s,
                              bool device,
                              const uint8_t id[LOA_ID_BYTES])
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t n;

    crypto_shorthash(hash, id, LOA_ID_BYTES, s->key);
    memcpy(&n, hash, sizeof n);
    return s->sets[device][n % SEEN_SETS_N];
}

bool seen_add(struct seen *s,
              bool device,
              const uint8_t id[LOA_ID_BYTES],
              int64_t now_ms,
              int64_t until_ms)
{
    struct seen_id *set = set_of(s, device, id), *oldest = set;

    for (size_t i = 0; i < SEEN_WAYS_N; i++) {
        if (set[i].until_ms > now_ms &&
            memcmp(set[i].id, id, LOA_ID_BYTES) == 0)
            return false;
        if (set[i].until_ms < oldest->until_ms)
            oldest = &set[i];
    }
    memcpy(oldest->id, id, LOA_ID_BYTES);
    oldest->until_ms = until_ms;
    return true;
}
