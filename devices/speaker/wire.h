/* wire.h -- bodies of messages to plain structs and back.
 *
 * The only place of the speaker that knows protobuf. Every range is checked
 * here, once. What is read lies in the caller's structs when the call returns;
 * the arena holds the intermediate form during the call. */

#ifndef LOA_SPEAKER_WIRE_H
#define LOA_SPEAKER_WIRE_H

#include "proto/arena.h"
#include "proto/topic.h"
#include "speaker/programmes.h"
#include "speaker/receipt.h"

#define WIRE_NONCE_BYTES 16

/* --- read: LOA_EINVAL is malformed or out of range -------------------------
 */

LOA_MUST_CHECK int wire_programme(struct loa_arena *arena,
                                  struct loa_bytes body,
                                  struct programme *p);
LOA_MUST_CHECK int wire_manifest(struct loa_arena *arena,
                                 struct loa_bytes body,
                                 struct manifest *m);

struct wire_head {
    int64_t time_ms;
    uint64_t programme_version; /* 0: none. */
    uint8_t programme_hash[LOA_HASH_BYTES];
    bool hash_known;
    uint64_t revocation_number;
    bool nonce_known;
    uint8_t nonce[WIRE_NONCE_BYTES];
};
LOA_MUST_CHECK int wire_head(struct loa_arena *arena,
                             struct loa_bytes body,
                             struct wire_head *h);

struct wire_command {
    enum { WIRE_STOP, WIRE_SET_VOLUME } what;
    char device[LOA_PRINCIPAL_CAP]; /* "": every device of the area. */
    bool bulletin_known;            /* STOP; false: whatever plays. */
    uint8_t bulletin_id[LOA_ID_BYTES];
    uint32_t percent; /* SET_VOLUME: 0..100. */
};
LOA_MUST_CHECK int wire_command(struct loa_arena *arena,
                                struct loa_bytes body,
                                struct wire_command *c);

struct wire_ack {
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t committed_sequence;
    size_t refused_n; /* Of those, set aside by the collector. */
    uint64_t refused_first;
};
LOA_MUST_CHECK int wire_ack(struct loa_arena *arena,
                            struct loa_bytes body,
                            struct wire_ack *a);

/* The answer to an EnrolRequest. */
struct wire_enrolment {
    bool granted;
    char why[128]; /* If not: the registry's sentence. */
    size_t certificates_n;
    struct loa_bytes certificates[LOA_CHAIN_MAX]; /* In the arena. */
    uint8_t root[LOA_KEY_BYTES];
    uint8_t proof[LOA_HASH_BYTES];
};
LOA_MUST_CHECK int wire_enrolment(struct loa_arena *arena,
                                  struct loa_bytes body,
                                  struct wire_enrolment *w);

/* --- write: LOA_ENOSPC is cap; *len is the length --------------------------
 */

struct wire_out {
    uint8_t *buf;
    size_t cap;
    size_t len;
};

/* The values are those of loa.v1.Presence. */
enum presence { PRESENCE_ONLINE = 1, PRESENCE_LOST = 2, PRESENCE_GONE = 3 };

struct wire_state {
    enum presence presence;
    uint64_t session;
    int64_t at_ms;
    const char *software;
    const char *model;
    const struct programmes *programmes;
    uint64_t revocation_number;
};
LOA_MUST_CHECK int wire_state(const struct wire_state *s, struct wire_out *out);

struct wire_health {
    int64_t at_ms;
    uint64_t uptime_s;
    uint64_t resident_bytes;
    uint64_t disk_free_bytes;
    uint32_t cpu_permille;
    uint32_t volume_percent;
    bool time_trusted;
    bool stale;
    uint32_t receipts_pending;
    uint32_t contents_complete;
    uint32_t contents_missing;
    uint64_t frames_played;
    uint64_t frames_concealed;
    int64_t clock_offset_us;
    bool playing;
    uint8_t playing_bulletin_id[LOA_ID_BYTES];
    uint64_t refused_messages;
    bool storage_fault, sound_fault;
};
LOA_MUST_CHECK int wire_health(const struct wire_health *h,
                               struct wire_out *out);

/* At most RECEIPTS_BATCH_MAX. */
LOA_MUST_CHECK int wire_receipts(const uint8_t log_id[LOA_ID_BYTES],
                                 uint64_t oldest_sequence,
                                 const struct receipt *receipts,
                                 size_t receipts_n,
                                 struct wire_out *out);

#define WIRE_WANT_STREAMS_MAX 8
#define WIRE_WANT_PAIRS_MAX 64
struct wire_want {
    size_t streams_n;
    struct wire_want_stream {
        uint8_t stream_key[LOA_KEY_BYTES];
        size_t pairs_n;
        uint32_t pairs[WIRE_WANT_PAIRS_MAX][2]; /* First, how many. */
    } streams[WIRE_WANT_STREAMS_MAX];
};
LOA_MUST_CHECK int wire_want(const struct wire_want *w, struct wire_out *out);

LOA_MUST_CHECK int wire_time_request(const uint8_t nonce[WIRE_NONCE_BYTES],
                                     struct wire_out *out);

struct wire_enrol_request {
    const char *device, *serial, *model;
    uint8_t key[LOA_KEY_BYTES];
    uint8_t proof[LOA_HASH_BYTES];
};
LOA_MUST_CHECK int wire_enrol_request(const struct wire_enrol_request *r,
                                      struct wire_out *out);

#endif /* LOA_SPEAKER_WIRE_H */
