#include <string.h>

#include "proto/trust.h"

#define AHEAD_US_MAX (24 * 3600 * UINT64_C(1000000))

static bool id_seen(const struct loa_replay *r, const uint8_t id[LOA_ID_BYTES])
{
    for (uint32_t i = 0; i < r->ids_n; i++) {
        if (memcmp(r->ids[i], id, LOA_ID_BYTES) == 0)
            return true;
    }
    return false;
}

static void id_remember(struct loa_replay *r, const uint8_t id[LOA_ID_BYTES])
{
    memcpy(r->ids[r->ids_next], id, LOA_ID_BYTES);
    r->ids_next = (r->ids_next + 1) % LOA_REPLAY_IDS_N;
    if (r->ids_n < LOA_REPLAY_IDS_N)
        r->ids_n++;
}

/* The key's place in the table, or keys_n if it has none. */
static uint32_t key_find(const struct loa_replay *r,
                         const uint8_t key[LOA_KEY_BYTES])
{
    uint32_t i = 0;

    while (i < r->keys_n && memcmp(r->keys[i].key, key, LOA_KEY_BYTES) != 0)
        i++;
    return i;
}

/* A place for a new key: a free one, or that of the lowest counter, which is
 * the key that has been silent longest. */
static uint32_t key_place(struct loa_replay *r)
{
    uint32_t lowest = 0;

    if (r->keys_n < LOA_REPLAY_KEYS_MAX)
        return r->keys_n++;
    for (uint32_t i = 1; i < r->keys_n; i++) {
        if (r->keys[i].counter < r->keys[lowest].counter)
            lowest = i;
    }
    return lowest;
}

enum loa_verdict loa_replay_accept(struct loa_replay *r,
                                   const uint8_t key[LOA_KEY_BYTES],
                                   uint64_t counter,
                                   const uint8_t message_id[LOA_ID_BYTES],
                                   int64_t now_ms)
{
    uint64_t now_us = now_ms > 0 ? (uint64_t)now_ms * 1000 : 0;
    uint32_t at = key_find(r, key);
    uint64_t last = at < r->keys_n ? r->keys[at].counter : 0;

    if (counter <= last || id_seen(r, message_id))
        return LOA_VERDICT_REPLAYED;
    if (counter > now_us + AHEAD_US_MAX)
        return LOA_VERDICT_FUTURE;
    if (at == r->keys_n) {
        at = key_place(r);
        memcpy(r->keys[at].key, key, LOA_KEY_BYTES);
    }
    r->keys[at].counter = counter;
    id_remember(r, message_id);
    return LOA_VERDICT_OK;
}
