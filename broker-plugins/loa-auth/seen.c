#include "seen.h"

#include <string.h>

static struct seen_id *set_of(struct seen *s, const uint8_t id[LOA_ID_BYTES])
{
    size_t n;

    memcpy(&n, id, sizeof n);
    return s->sets[n % SEEN_SETS_N];
}

bool seen_add(struct seen *s,
              const uint8_t id[LOA_ID_BYTES],
              int64_t now_ms,
              int64_t until_ms)
{
    struct seen_id *set = set_of(s, id), *oldest = set;

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
