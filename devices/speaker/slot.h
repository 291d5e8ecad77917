/* slot.h -- a record that is kept twice, so that no damage takes it back.
 *
 *     "loaslot1" | sequence u64 | length u32 | payload | check 8 bytes
 *
 * The check is the first 8 bytes of BLAKE2b-256 over all before it. A writer
 * writes the one file, makes it durable, then the other: after a power cut one
 * of the two is whole, and is the newest or the one before an update that was
 * never acted on. Damage to one file later finds the newest in the other. */

#ifndef LOA_SPEAKER_SLOT_H
#define LOA_SPEAKER_SLOT_H

#include "proto/err.h"
#include "proto/key.h"

#define SLOT_OVERHEAD 28

/* Write the record into buf[cap]; *len is its length. LOA_ENOSPC: cap. */
LOA_MUST_CHECK int slot_encode(uint64_t sequence,
                               struct loa_bytes payload,
                               uint8_t *buf,
                               size_t cap,
                               size_t *len);

/* *payload points into data. LOA_EINVAL: torn, damaged or something else. */
LOA_MUST_CHECK int slot_decode(struct loa_bytes data,
                               uint64_t *sequence,
                               struct loa_bytes *payload);

/* The payload of the newer of two files (either may be empty).
 * LOA_ENOENT: both are missing or damaged. */
LOA_MUST_CHECK int slot_choose(struct loa_bytes a,
                               struct loa_bytes b,
                               uint64_t *sequence,
                               struct loa_bytes *payload);

#endif /* LOA_SPEAKER_SLOT_H */
