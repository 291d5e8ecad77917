/* io_clock.h -- compares our clock with the database's, and says whether it may
 * be believed now: clockwatch.h. What was believed last is kept in a table, so
 * that a jump stays one when the process ends. */

#ifndef LOA_SCHEDULER_IO_CLOCK_H
#define LOA_SCHEDULER_IO_CLOCK_H

#include "common/service.h"
#include "scheduler/clockwatch.h"

#define IO_CLOCK_COMPARE_MS 10000 /* All is well; else with each tick. */
#define IO_CLOCK_KEEP_MS 60000    /* A change that is worth a row. */
#define IO_CLOCK_BOOT_CAP 40

struct io_clock {
    struct service *service;
    struct clock_guard guard;
    enum clockwatch state; /* As it was logged. */
    bool asking;
    int64_t asked_at_ms;
    uint64_t due_ms;                 /* Monotonic: of the next comparison. */
    char boot_id[IO_CLOCK_BOOT_CAP]; /* "": not known, nothing is kept. */
    bool kept, keeping;              /* In the table; on its way there. */
    int64_t kept_ms;                 /* The offset that is, or will be. */
};

/* Compare for the first time; blocking. right: "", or the date of the day on
 * which somebody says that the clock is right ("2026-11-21"); on that day what
 * an earlier process believed does not count. Errors as pg_prepare() and
 * pg_query_now(). */
LOA_MUST_CHECK int io_clock_open(struct io_clock *c,
                                 struct service *service,
                                 const char *right);

/* May what clock_wall_ms() says be believed now? A change is logged. */
bool io_clock_believed(struct io_clock *c);

/* A second has passed: compare if it is time to, keep what changed. No batch
 * may be open. */
void io_clock_tick(struct io_clock *c);

#endif /* LOA_SCHEDULER_IO_CLOCK_H */
