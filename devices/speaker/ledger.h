/* ledger.h -- which occurrences have had their turn, over restarts.
 *
 * An occurrence (bulletin, start) is marked, and the mark is made durable,
 * before its first sample may leave: a kill at any moment can cost a sound but
 * never repeat one. The table is bounded; what falls out of it is remembered as
 * a moment before which nothing begins any more. */

#ifndef LOA_SPEAKER_LEDGER_H
#define LOA_SPEAKER_LEDGER_H

#include "proto/err.h"
#include "proto/key.h"

#define LEDGER_MARKS_MAX 1024
#define LEDGER_VERIFIED_MAX 512
#define LEDGER_AHEAD_MS 86400000 /* A mark further ahead is doubtful. */
#define LEDGER_BYTES_MAX (32 + LEDGER_MARKS_MAX * 25 + LEDGER_VERIFIED_MAX * 16)

enum ledger_mark {
    LEDGER_NONE = 0,
    LEDGER_BEGUN = 1, /* May sound, or was cut by a restart. */
    LEDGER_DONE = 2,  /* Its end was reported, whatever it was. */
};

struct ledger {
    uint32_t marks_n;
    struct ledger_entry {
        uint8_t bulletin_id[LOA_ID_BYTES];
        int64_t start_at_ms;
        uint8_t mark;
    } marks[LEDGER_MARKS_MAX];
    int64_t closed_at_ms; /* Starts up to here are over, marked or not. */
    uint32_t verified_n, verified_next;
    uint8_t verified[LEDGER_VERIFIED_MAX][16];
};

void ledger_init(struct ledger *l, int64_t closed_at_ms);

enum ledger_mark ledger_find(const struct ledger *l,
                             const uint8_t id[LOA_ID_BYTES],
                             int64_t start_at_ms);
void ledger_set(struct ledger *l,
                const uint8_t id[LOA_ID_BYTES],
                int64_t start_at_ms,
                enum ledger_mark mark);

/* Any occurrence that was begun and has no end; NULL: none. */
const struct ledger_entry *ledger_begun(const struct ledger *l);

/* Has this bulletin with this content been reported as verified? The second
 * remembers that it has. */
bool ledger_verified(const struct ledger *l,
                     const uint8_t id[LOA_ID_BYTES],
                     const uint8_t hash[LOA_HASH_BYTES]);
void ledger_set_verified(struct ledger *l,
                         const uint8_t id[LOA_ID_BYTES],
                         const uint8_t hash[LOA_HASH_BYTES]);

/* buf has LEDGER_BYTES_MAX bytes; returns how many were written. */
size_t ledger_encode(const struct ledger *l, uint8_t *buf);
/* LOA_EINVAL: not a ledger; *l is then empty. */
LOA_MUST_CHECK int ledger_decode(struct ledger *l, struct loa_bytes data);

#endif /* LOA_SPEAKER_LEDGER_H */
