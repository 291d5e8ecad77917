/* heads.h -- signed time and newest programme of each area, again and again.
 *
 * Heads name only what is committed. They do not go through the database:
 * whoever lost one gets the next. */

#ifndef LOA_SCHEDULER_HEADS_H
#define LOA_SCHEDULER_HEADS_H

#include "proto/envelope.h"
#include "scheduler/areas.h"

#define HEAD_LIFE_MS (15 * 60000)
#define HEAD_BYTES_MAX 6144 /* An envelope of it, chain included. */

/* Devices that ask for the time: one answer per device and second, and so many
 * altogether, since each costs a signature. */
#define HEADS_ASKERS_N 4096
#define HEADS_ASKED_INTERVAL_MS 1000
#define HEADS_ASKED_PER_S_MAX 500

struct heads {
    uint32_t own;    /* The scheduler's own area always has one. */
    uint32_t cursor; /* Areas are looked at in turns. */
    uint64_t interval_ms;
    uint64_t asked_ms[HEADS_ASKERS_N]; /* By hash of the device; 0: never. */
    uint64_t second_ms;                /* Begin of the second counted. */
    unsigned second_n;
};

/* own is a row of the scheduler's own area. */
void heads_init(struct heads *h, uint32_t own, uint64_t interval_ms);

/* The next area whose head is due, and due again an interval later; AREA_NONE:
 * none now. now_ms is monotonic. */
uint32_t heads_next(struct heads *h, struct areas *areas, uint64_t now_ms);

/* May the device be answered now? */
bool heads_asked(struct heads *h, const char *device, uint64_t now_ms);

struct head {
    const char *area;
    int64_t at_ms;
    uint64_t programme_version;    /* 0: none. */
    const uint8_t *programme_hash; /* NULL: none. */
    uint64_t revocation_number;
    const uint8_t *nonce; /* NULL: for everybody. */
    const uint8_t *message_id;
};

/* Sign it. LOA_ENOSPC: the signer's chain is too long. */
LOA_MUST_CHECK int head_seal(const struct head *h,
                             const struct loa_signer *signer,
                             uint8_t buf[HEAD_BYTES_MAX],
                             size_t *len);

#endif /* LOA_SCHEDULER_HEADS_H */
