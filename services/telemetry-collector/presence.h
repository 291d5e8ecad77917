/* presence.h -- the core: which devices there are, whether they live, how far
 * their receipts are durable, and the counts per area.
 *
 * All of it fits in memory and is read from the tables at start. Time comes in
 * with every call; nothing here does I/O. */

#ifndef LOA_TELEMETRY_COLLECTOR_PRESENCE_H
#define LOA_TELEMETRY_COLLECTOR_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/key.h"
#include "proto/topic.h"
#include "telemetry-collector/budget.h"

#define PRESENCE_SILENT_MS 180000      /* Three health reports missed: lost. */
#define PRESENCE_SESSION_AHEAD_S 86400 /* See presence_session(). */
#define PRESENCE_BYTES_MAX 1024        /* Of an encoded State or Health kept. */

/* The values are those of loa.v1.Presence. */
enum presence_kind {
    PRESENCE_UNKNOWN = 0,
    PRESENCE_ONLINE = 1,
    PRESENCE_LOST = 2,
    PRESENCE_DISCONNECTED = 3,
};

/* Receipts counted today, by enum presence_count. */
enum presence_count {
    PRESENCE_STARTED, /* In the order of loa.v1.ReceiptEvent, from 3. */
    PRESENCE_FINISHED,
    PRESENCE_INTERRUPTED,
    PRESENCE_REFUSED,
    PRESENCE_COUNTS_N,
};

struct device {
    char id[LOA_PRINCIPAL_CAP]; /* "" : free. */
    char area[LOA_AREA_CAP];
    enum presence_kind said; /* What its last state said. */
    uint64_t session;
    int64_t last_seen_at_ms;
    bool playing, stale;
    uint8_t state[PRESENCE_BYTES_MAX], health[PRESENCE_BYTES_MAX];
    size_t state_len, health_len;
    /* Its log of receipts. */
    bool log_known;
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t committed; /* Durable. */
    uint64_t flying;    /* Will be, when the batch on its way is committed. */
    uint64_t pending;   /* Will be, when the batch being filled is. */
    int64_t counts_day_ms;
    uint32_t counts[PRESENCE_COUNTS_N];
    struct budget budget;
    bool dirty;   /* state, health or last_seen are not in the table yet. */
    bool asked;   /* Its retained state was asked for on this connection. */
    bool filling; /* Its receipts are in the batch being filled. */
    bool ack_due; /* It is to be told what is durable. */
};

struct presence {
    struct device *devices; /* n of them, in the order in which they came. */
    size_t n, max;
    uint32_t *slots; /* Hash table, open addressing: 1 + index; 0: free. */
    size_t slots_n;  /* A power of two. */
    uint64_t turned_away_n; /* presence_touch() calls that found no room. */
    bool summary_dirty;
};

/* devices has max zeroed entries; slots has slots_n, a power of two and at
 * least twice max, zeroed too. Both are lent for ever. */
void presence_init(struct presence *p,
                   struct device *devices,
                   size_t max,
                   uint32_t *slots,
                   size_t slots_n);

/* The device of that name, or NULL. */
struct device *presence_find(struct presence *p, const char *id);

/* The same, made if it is new. NULL: the table is full, which is counted. A
 * device that moved has its area changed. */
struct device *presence_touch(struct presence *p,
                              const char *id,
                              const char *area,
                              int64_t now_ms);

/* Sessions begin with the device's Unix seconds and rise by one or a few with
 * each connection. One beyond tomorrow is of a clock that is ahead, or a lie
 * that must not outlive the key with which it was told: it counts as tomorrow.
 */
uint64_t presence_session(uint64_t session, int64_t now_ms);

/* A State came as it was said, not retained. Wills come late, but a device says
 * that it is online itself: what is known of a higher session was not its own
 * word, or it lost its memory, and is forgotten. Not, if it is online in
 * another area: it cannot be in both. */
void presence_live(struct device *d,
                   const char *area,
                   enum presence_kind said,
                   uint64_t session);

/* A State came. False: it is of an older session than what is known, and
 * changes nothing. bytes are kept. */
bool presence_state(struct presence *p,
                    struct device *d,
                    enum presence_kind said,
                    uint64_t session,
                    struct loa_bytes bytes);

void presence_health(struct presence *p,
                     struct device *d,
                     bool playing,
                     bool stale,
                     struct loa_bytes bytes);

/* What is believed now: a device that says it is online and has been silent for
 * PRESENCE_SILENT_MS is lost; so is one that was last heard in the future, by a
 * clock that was wrong, until it is heard again. */
enum presence_kind presence_now(const struct device *d, int64_t now_ms);

/* A batch first..last of a log came; `oldest` is the oldest that the device
 * still keeps (0: not said). Advances d->pending as far as everything up to it
 * is durable or will be with this batch. A batch that overtook another is
 * stored all the same and does not advance it. */
void presence_batch(struct device *d,
                    const uint8_t log_id[LOA_ID_BYTES],
                    uint64_t oldest,
                    uint64_t first,
                    uint64_t last);

/* Count an event of `at_ms`, by the device's clock, if that is today: what is
 * read from the table at start is counted in the same way. */
void presence_count(struct presence *p,
                    struct device *d,
                    enum presence_count what,
                    int64_t at_ms,
                    int64_t now_ms);

/* --- summaries
 * ---------------------------------------------------------------- */

struct summary {
    char area[LOA_AREA_CAP];
    uint32_t online_n, lost_n, disconnected_n, playing_n, stale_n;
    uint32_t counts[PRESENCE_COUNTS_N];
};

/* Counts of every area that has a device in or below it, into out[cap], sorted
 * by area. Returns how many; areas beyond cap are left out. */
size_t presence_summaries(const struct presence *p,
                          int64_t now_ms,
                          struct summary *out,
                          size_t cap);

#endif /* LOA_TELEMETRY_COLLECTOR_PRESENCE_H */
