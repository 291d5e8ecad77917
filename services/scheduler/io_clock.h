/* io_clock.h -- compares our clock with the database's, and says whether it may
 * be believed now: clockwatch.h. */

#ifndef LOA_SCHEDULER_IO_CLOCK_H
#define LOA_SCHEDULER_IO_CLOCK_H

#include "common/service.h"
#include "scheduler/clockwatch.h"

#define IO_CLOCK_COMPARE_MS                          \
    10000 /* While all is well; else with each tick. \
           */

struct io_clock {
    struct service *service;
    struct clock_guard guard;
    enum clockwatch state; /* As it was logged. */
    bool asking;
    int64_t asked_at_ms;
    uint64_t due_ms; /* Monotonic: of the next comparison. */
};

/* Compare for the first time; blocking. Errors as pg_query_now(). */
LOA_MUST_CHECK int io_clock_open(struct io_clock *c, struct service *service);

/* May what clock_wall_ms() says be believed now? A change is logged. */
bool io_clock_believed(struct io_clock *c);

/* A second has passed: compare if it is time to. No batch may be open. */
void io_clock_tick(struct io_clock *c);

#endif /* LOA_SCHEDULER_IO_CLOCK_H */
