/* seen.h -- logins that were used: a captured password opens nothing twice.
 *
 * Remembers the message ids of logins for as long as their time would be
 * accepted. Only logins whose signature held come here. */

#ifndef LOA_AUTH_SEEN_H
#define LOA_AUTH_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/key.h"

#define SEEN_SETS_N 4096 /* A power of two. */
#define SEEN_WAYS_N 8    /* When a set is full, the oldest is forgotten. */
#define SEEN_KEY_BYTES 16

/* All zero is empty. Who logs in chooses his ids, but knows no key, so he
 * cannot choose whose place they take; and poles, which are many and stand in
 * the street, have places of their own. */
struct seen {
    uint8_t key[SEEN_KEY_BYTES]; /* Random, of this process alone. */
    struct seen_id {
        uint8_t id[LOA_ID_BYTES];
        int64_t until_ms; /* Wall time; past: free. */
    } sets[2][SEEN_SETS_N][SEEN_WAYS_N];
};

/* False if id is there already; else it is, until until_ms. */
bool seen_add(struct seen *s,
              bool device,
              const uint8_t id[LOA_ID_BYTES],
              int64_t now_ms,
              int64_t until_ms);

#endif /* LOA_AUTH_SEEN_H */
