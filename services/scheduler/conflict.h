/* conflict.h -- what a bulletin would collide with, and where there is room.
 *
 * Works on the bulletins that plan_audible() listed: whatever somebody in the
 * areas asked for would hear. Two of one class never sound at once for anybody;
 * across classes the higher one interrupts, which is said but not refused. */

#ifndef LOA_SCHEDULER_CONFLICT_H
#define LOA_SCHEDULER_CONFLICT_H

#include "scheduler/plan.h"

#define CONFLICTS_MAX 16 /* Named in an answer. */
/* How far from what was asked a proposal may lie. A daily bulletin moves by
 * less than a day, a weekly one stays on its days. */
#define CONFLICT_SEARCH_MS (7 * LOA_DAY_MS)
/* Occurrences looked at for a proposal; beyond, none is made: the service has
 * others to answer. About 50 ms. */
#define CONFLICT_LOOKS_MAX UINT64_C(2000000)

struct conflict_query {
    enum bulletin_class class;
    enum slots_frequency frequency;
    unsigned weekdays;
    int64_t first_ms;
    int64_t until_ms;   /* As asked; ONCE: not used. */
    int64_t covered_ms; /* The approval covers no later start. */
    uint32_t duration_ms;
    uint32_t skip; /* The bulletin that is being changed, or BULLETIN_NONE. */
    int64_t earliest_ms, latest_ms; /* Between these a first start may lie. */
    int64_t window_end_ms;          /* Programmes list what starts before it. */
};

/* The rule that would sound if it began at first_ms. */
struct slots_rule conflict_rule(const struct conflict_query *q,
                                int64_t first_ms);

/* Does the approval cover it if it began then: at least one occurrence, and
 * every one that the coming programmes would list? */
bool conflict_covered(const struct conflict_query *q, int64_t first_ms);

/* Up to CONFLICTS_MAX listed bulletins that it overlaps: of its own class
 * (same) or of another one. */
uint32_t conflict_list(const struct plan *p,
                       const struct conflict_query *q,
                       bool same,
                       uint32_t rows[CONFLICTS_MAX]);

/* The free full second nearest to q->first_ms for all occurrences; of two
 * equally near the later one. 0: none found. */
int64_t conflict_propose(const struct plan *p, const struct conflict_query *q);

#endif /* LOA_SCHEDULER_CONFLICT_H */
