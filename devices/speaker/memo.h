/* memo.h -- the small numbers that must survive a power cut and never go back.
 *
 * Plain data and its form on disk (inside a slot.h record). */

#ifndef LOA_SPEAKER_MEMO_H
#define LOA_SPEAKER_MEMO_H

#include "proto/topic.h"
#include "proto/trust.h"

#define MEMO_BYTES_MAX 2048
#define MEMO_REPLAY_BYTES_MAX \
    (16 + LOA_REPLAY_KEYS_MAX * 40 + LOA_REPLAY_IDS_N * LOA_ID_BYTES)

struct memo {
    uint64_t session;           /* No connection has had a higher one. */
    int64_t floor_ms, ahead_ms; /* See walltime.h. */
    uint32_t volume_percent;
    uint64_t revocations; /* Number of the newest list ever believed, */
    char revocations_area[LOA_AREA_CAP]; /* and of whose area it is. */
    uint64_t commands_after_us; /* Counters up to here are refused: they may
                                   have been seen by a memory that was lost. */
    uint64_t acked; /* Receipts up to here are with the collector. */
    uint8_t log_id[LOA_ID_BYTES]; /* The log that acked is about. */
    uint32_t versions_n;
    struct memo_version {
        char area[LOA_AREA_CAP];
        uint64_t version; /* Newest programme of the area ever believed, */
        uint8_t signer[LOA_KEY_BYTES]; /* by whom, */
        uint64_t before;               /* and the newest by anybody else. */
        uint64_t told;       /* The one all of which was told as RECEIVED: */
        uint64_t told_up_to; /* that is in the log, by this number. */
    } versions[LOA_AREA_DEPTH_MAX];
};

void memo_init(struct memo *m, uint32_t volume_percent);

/* A list was believed: it is newer than the last, or of a wider area. */
void memo_set_revocations(struct memo *m, const struct loa_revocations *r);
/* Is what is held older than what was believed once? The newer one, which is
 * lost, may have named anybody. */
bool memo_revocations_lost(const struct memo *m,
                           const struct loa_revocations *r);

/* 0: none yet. */
uint64_t memo_version(const struct memo *m, const char *area);
/* Only raises. own is the device's area: what is not at or above it is
 * forgotten when room is needed. */
void memo_set_version(struct memo *m,
                      const char *own,
                      const char *area,
                      uint64_t version,
                      const uint8_t signer[LOA_KEY_BYTES]);
/* Is all of that version told as RECEIVED? False: what is told of it has higher
 * numbers than *up_to. */
bool memo_told(const struct memo *m,
               const char *area,
               uint64_t version,
               uint64_t *up_to);
/* False: that was known, or nothing is known of the area. */
bool memo_set_told(struct memo *m,
                   const char *area,
                   uint64_t version,
                   uint64_t up_to);
/* The log is another one: its numbers are new. */
void memo_new_log(struct memo *m, const uint8_t log_id[LOA_ID_BYTES]);

/* That signer is believed no longer: how far it ran ahead dies with it. False:
 * the newest version is not its. */
bool memo_disown(struct memo *m,
                 const char *area,
                 const uint8_t signer[LOA_KEY_BYTES]);

/* buf has MEMO_BYTES_MAX bytes; returns how many were written. */
size_t memo_encode(const struct memo *m, uint8_t *buf);
/* LOA_EINVAL: not a memo; *m is unspecified. */
LOA_MUST_CHECK int memo_decode(struct memo *m, struct loa_bytes data);

/* The same for a replay table; buf has MEMO_REPLAY_BYTES_MAX bytes. */
size_t memo_replay_encode(const struct loa_replay *r, uint8_t *buf);
LOA_MUST_CHECK int memo_replay_decode(struct loa_replay *r,
                                      struct loa_bytes data);

#endif /* LOA_SPEAKER_MEMO_H */
