/* receipts.h -- the numbered log of what became of bulletins: what waits for
 * the disk, what waits for the collector, when to send again.
 *
 * Records lie in a file (io_receipts.c); here are only the numbers. A record is
 * sent after it is durable, never before, so a number never means two things.
 */

#ifndef LOA_SPEAKER_RECEIPTS_H
#define LOA_SPEAKER_RECEIPTS_H

#include "speaker/receipt.h"

#define RECEIPTS_FRESH_MAX 256
#define RECEIPTS_KEPT_MAX                                                      \
    100000                         /* Unacknowledged ones; then the oldest go. \
                                    */
#define RECEIPTS_RECEIVED_MAX 1024 /* Of the newest. */
#define RECEIPTS_RESEND_US_MIN 5000000
#define RECEIPTS_RESEND_US_MAX 300000000

struct receipts {
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t first;  /* Lowest number in the file (or the next one). */
    uint64_t next;   /* Number of the next record. */
    uint64_t stored; /* Up to here they are durable. */
    uint64_t acked;  /* Up to here the collector has them. */
    uint64_t lost_n; /* Dropped since start, for want of room. */
    bool connected;
    uint64_t sent;     /* Last of the batch that is out; 0: none. */
    int64_t resend_us; /* Monotonic. */
    int64_t pause_us;
    size_t fresh_n;
    struct receipt fresh[RECEIPTS_FRESH_MAX]; /* Not durable yet. */
    size_t received_n, received_next;
    struct receipts_received {
        uint64_t sequence;
        uint8_t key[LOA_ID_BYTES];
    } received[RECEIPTS_RECEIVED_MAX];
};

/* A record that was found in the log, in order; before receipts_init(). */
void receipts_recall(struct receipts *r, const struct receipt *receipt);

/* The log as it was found, or a new one (first == next == 1). acked is what the
 * memo says, 0 if that is about another log. */
void receipts_init(struct receipts *r,
                   const uint8_t log_id[LOA_ID_BYTES],
                   uint64_t first,
                   uint64_t next,
                   uint64_t acked);

bool receipts_room(const struct receipts *r);

/* Numbers and keeps a copy. Without room it is counted as lost. */
void receipts_add(struct receipts *r, const struct receipt *receipt);

/* Is there a RECEIVED of this bulletin with this content, with a number above
 * `after`? Of the newest only. */
bool receipts_received(const struct receipts *r,
                       const uint8_t id[LOA_ID_BYTES],
                       const uint8_t hash[LOA_HASH_BYTES],
                       uint64_t after);

/* The first n of fresh are durable. */
void receipts_stored(struct receipts *r, size_t n);

void receipts_connected(struct receipts *r, bool connected);

/* A batch that is due: numbers from *first, *n of them (1..BATCH_MAX), all in
 * the file. False: nothing to send now. */
bool receipts_due(const struct receipts *r,
                  int64_t now_us,
                  uint64_t *first,
                  size_t *n);
/* It went out, up to `last`. */
void receipts_sent(struct receipts *r, uint64_t last, int64_t now_us);

/* False: about another log, or nothing new. */
bool receipts_ack(struct receipts *r,
                  const uint8_t log_id[LOA_ID_BYTES],
                  uint64_t committed);

/* How many of the oldest records the file should lose: acknowledged ones when
 * they are many, and unacknowledged ones beyond the maximum. 0: none. */
uint64_t receipts_excess(const struct receipts *r);
/* They are gone from the file. */
void receipts_trimmed(struct receipts *r, uint64_t n);

uint64_t receipts_pending(const struct receipts *r);
int64_t receipts_deadline_us(const struct receipts *r);

#endif /* LOA_SPEAKER_RECEIPTS_H */
