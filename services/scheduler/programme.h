/* programme.h -- the signed programme of an area, made from the plan.
 *
 * A programme lists every bulletin of its area (not of those above or below:
 * devices read these too) that has an occurrence which has not ended and starts
 * before the window's end. The window ends at a local midnight, so that a day's
 * changes need no new programmes elsewhere, and advances once a day. */

#ifndef LOA_SCHEDULER_PROGRAMME_H
#define LOA_SCHEDULER_PROGRAMME_H

#include "proto/envelope.h"
#include "scheduler/plan.h"

#define PROGRAMME_BULLETINS_MAX 128
#define PROGRAMME_STARTS_MAX 64 /* Of one bulletin. */
#define PROGRAMME_CERTIFICATES_MAX 64
/* A programme outlives its window by this, for devices that were cut off. */
#define PROGRAMME_MARGIN_MS LOA_DAY_MS
#define PROGRAMME_HORIZON_DAYS_MAX 60
/* Devices take no version that is further ahead of their time than a day;
 * theirs may be a little behind ours. */
#define PROGRAMME_AHEAD_MS (LOA_DAY_MS - 600000)

/* Is the version so far ahead that devices do not take it, nor the next ones?
 * A clock that was wrong once leaves such. */
bool programme_far(uint64_t version, int64_t now_ms);

/* Where the window of that moment ends. */
int64_t programme_window_end(int64_t now_ms, unsigned horizon_days);

/* Is the bulletin listed in the area's newest programme? */
bool programme_carries(const struct area *a, const struct bulletin *b);

/* Must the area's programme be made anew for a window up to window_end_ms?
 * Not for occurrences that have merely passed: only if one comes into the
 * window, a bulletin is over, the plan changed, its own end is near, or its
 * version is far. */
bool programme_due(const struct plan *p,
                   const struct area *a,
                   int64_t now_ms,
                   int64_t window_end_ms);

/* Would the area's programmes stay within their limits, on every coming day,
 * with *b added? skip: a bulletin that *b replaces. body_max: bytes. */
bool programme_fits(struct plan *p,
                    uint32_t area,
                    const struct bulletin *b,
                    uint32_t skip,
                    int64_t now_ms,
                    unsigned horizon_days,
                    size_t body_max);

/* Bytes of body that fit into an envelope of this signer. */
size_t programme_body_max(const struct loa_signer *signer);

/* Room to work in; allocate once. */
struct programme_maker {
    struct loa_signer signer; /* Lent. */
    size_t body_max;
    struct {
        uint32_t row;
        int64_t next_ms;
    } listed[PROGRAMME_BULLETINS_MAX];
    int64_t starts[PROGRAMME_BULLETINS_MAX][PROGRAMME_STARTS_MAX];
    uint8_t body[LOA_ENVELOPE_BYTES_MAX];
};

/* Make the area's next programme: its state goes to a->programme, the envelope
 * to buf. The version is max(last + 1, now), or after a far one the highest
 * that devices take: what they hold is not above it, as they refused the rest.
 * What does not fit is left out, the latest first; *omitted_n says how many.
 * LOA_ENOSPC: cap is too small. */
LOA_MUST_CHECK int programme_make(struct programme_maker *m,
                                  struct plan *p,
                                  uint32_t area,
                                  int64_t now_ms,
                                  int64_t window_end_ms,
                                  struct loa_bytes *envelope,
                                  uint8_t buf[LOA_ENVELOPE_BYTES_MAX],
                                  uint32_t *omitted_n);

#endif /* LOA_SCHEDULER_PROGRAMME_H */
