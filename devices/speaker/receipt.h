/* receipt.h -- a receipt as a plain struct, and its fixed form on disk.
 *
 * A record's place in the log gives its number, so damage to one record never
 * renumbers another. */

#ifndef LOA_SPEAKER_RECEIPT_H
#define LOA_SPEAKER_RECEIPT_H

#include "proto/key.h"

#define RECEIPT_REASON_CAP 24
#define RECEIPT_RECORD_BYTES 128
#define RECEIPTS_BATCH_MAX 64

/* The values are those of loa.v1.ReceiptEvent. */
enum receipt_event {
    RECEIPT_RECEIVED = 1,
    RECEIPT_VERIFIED = 2,
    RECEIPT_STARTED = 3,
    RECEIPT_FINISHED = 4,
    RECEIPT_INTERRUPTED = 5,
    RECEIPT_REFUSED = 6,
    RECEIPT_COMMAND = 7,
};

struct receipt {
    uint64_t sequence; /* From 1. */
    uint8_t bulletin_id[LOA_ID_BYTES];
    int64_t start_at_ms; /* 0: about the bulletin as a whole. */
    enum receipt_event event;
    int64_t at_us;
    char reason[RECEIPT_REASON_CAP]; /* "" if there is none. */
    int64_t first_sample_us;
    uint32_t played_ms, concealed_ms;
    bool hash_known;
    uint8_t hash[LOA_HASH_BYTES];
};

const char *receipt_event_name(enum receipt_event event);

void receipt_encode(const struct receipt *r, uint8_t out[RECEIPT_RECORD_BYTES]);
/* LOA_EINVAL: torn or damaged. */
LOA_MUST_CHECK int receipt_decode(const uint8_t in[RECEIPT_RECORD_BYTES],
                                  struct receipt *r);

/* The log's first record: its id, and the number of the record behind it. */
void receipt_head_encode(const uint8_t log_id[LOA_ID_BYTES],
                         uint64_t first_sequence,
                         uint8_t out[RECEIPT_RECORD_BYTES]);
LOA_MUST_CHECK int receipt_head_decode(const uint8_t in[RECEIPT_RECORD_BYTES],
                                       uint8_t log_id[LOA_ID_BYTES],
                                       uint64_t *first_sequence);

#endif /* LOA_SPEAKER_RECEIPT_H */
