/* wire.h -- what devices send, from protobuf to plain structs; every range is
 * checked here, once. */

#ifndef LOA_TELEMETRY_COLLECTOR_WIRE_H
#define LOA_TELEMETRY_COLLECTOR_WIRE_H

#include "proto/arena.h"
#include "proto/key.h"
#include "telemetry-collector/presence.h"

#define WIRE_RECEIPTS_MAX 64
#define WIRE_REASON_CAP 64
#define WIRE_RAW_MAX 1024 /* Kept of a receipt that cannot be read. */
#define WIRE_ARENA_BYTES (256 * 1024)

struct wire_receipt {
    /* NULL: it is good. Else a fixed word of what is wrong; then only sequence
     * and raw are valid. */
    const char *why;
    struct loa_bytes raw; /* In the arena, at most WIRE_RAW_MAX. */
    uint64_t sequence;
    uint8_t bulletin_id[LOA_ID_BYTES];
    int64_t start_at_ms; /* 0: none. */
    unsigned event;      /* loa.v1.ReceiptEvent, 1..7. */
    int64_t at_us;       /* 0 if it makes no sense. */
    char reason[WIRE_REASON_CAP];
    int64_t first_sample_us;
    uint32_t played_ms, concealed_ms;
    bool has_content;
    uint8_t content_hash[LOA_HASH_BYTES];
};

struct wire_batch {
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t oldest;
    size_t receipts_n; /* 1.. */
    struct wire_receipt receipts[WIRE_RECEIPTS_MAX];
};

struct wire_state {
    enum presence_kind presence;
    uint64_t session;
    int64_t at_ms; /* By the device's clock; 0: none, or it makes no sense. */
};

struct wire_health {
    uint64_t uptime_s, resident_bytes, disk_free_bytes;
    uint32_t cpu_permille, volume_percent, receipts_pending, contents_missing;
    uint64_t frames_played, frames_concealed, refused_messages;
    int64_t clock_offset_us;
    bool stale, playing;
};

/* LOA_EINVAL: malformed, or outside what device.proto says; the message is
 * dropped. LOA_ENOSPC cannot happen with WIRE_ARENA_BYTES. The arena is reset.
 */
LOA_MUST_CHECK int wire_state(struct loa_arena *a,
                              struct loa_bytes p,
                              struct wire_state *s);
LOA_MUST_CHECK int wire_health(struct loa_arena *a,
                               struct loa_bytes p,
                               struct wire_health *h);
/* A receipt that cannot be read does not take the others with it: see
 * wire_receipt.why. What comes behind a gap in the numbers is left out, for the
 * acknowledgement of the last would cover what never came. LOA_EINVAL also: no
 * number can be told. */
LOA_MUST_CHECK int wire_batch(struct loa_arena *a,
                              struct loa_bytes body,
                              struct wire_batch *b);

#endif /* LOA_TELEMETRY_COLLECTOR_WIRE_H */
