/* io_stats.h -- what /metrics says about the scheduler. */

#ifndef LOA_SCHEDULER_IO_STATS_H
#define LOA_SCHEDULER_IO_STATS_H

#include "common/metrics.h"
#include "scheduler/scheduler.h"

enum stats_own {
    STATS_HEADS,
    STATS_TIME_ANSWERED,
    STATS_TIME_DROPPED,
    STATS_MADE,
    STATS_OMITTED,
    STATS_CANCELLED,
    STATS_COMMIT,
    STATS_BULLETINS,
    STATS_APPROVALS,
    STATS_AREAS,
    STATS_PROGRAMMES,
    STATS_PENDING,
    STATS_CLOCK_DOUBTED,
    STATS_UNCOVERED,
    STATS_N,
};

struct stats {
    struct metric own[STATS_N];
    struct metric requests[SCHEDULER_WHATS_N][SAY_CODES_N];
    char labels[SCHEDULER_WHATS_N][SAY_CODES_N][48];
};

/* Errors as metrics_register(). */
LOA_MUST_CHECK int stats_init(struct stats *t, struct metrics *metrics);

/* Set the gauges. */
void stats_collect(struct stats *t,
                   const struct scheduler *s,
                   size_t pending_n);

const char *stats_what_name(enum scheduler_what what);

#endif /* LOA_SCHEDULER_IO_STATS_H */
