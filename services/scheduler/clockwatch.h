/* clockwatch.h -- may the scheduler's clock be believed?
 *
 * What is signed with a clock that runs days ahead outlives the mistake: heads
 * move the time of devices, and programmes get versions that devices refuse.
 * So nothing is planned and no head is signed while the clock disagrees with
 * the database's, or after it has jumped. What a single machine's wrong clock
 * does all the same is healed: see programme_far(). */

#ifndef LOA_SCHEDULER_CLOCKWATCH_H
#define LOA_SCHEDULER_CLOCKWATCH_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCKWATCH_APART_MS INT64_C(120000)  /* Clocks may differ by this. */
#define CLOCKWATCH_JUMP_MS INT64_C(86400000) /* Devices forgive no more. */

enum clockwatch {
    CLOCK_BELIEVED,
    CLOCK_MOVED,  /* Not compared yet, or not since it moved: compare now. */
    CLOCK_EARLY,  /* It is before our own certificate begins. */
    CLOCK_APART,  /* The database has another time. */
    CLOCK_JUMPED, /* Ahead, by more than a day at once while the machine ran;
                     until it comes back, or somebody who knows better says so.
                     Nothing here can tell a virtual machine that was paused
                     from a clock that is wrong. */
};

struct clock_guard {
    int64_t not_before_ms; /* Of our own certificate. */
    bool known;            /* offset_ms was believed once. */
    int64_t offset_ms;     /* Wall less boot time, when last believed. */
    int64_t apart_ms;      /* Ours less the database's; 0: they agree. */
};

void clockwatch_init(struct clock_guard *g, int64_t not_before_ms);

/* An earlier process believed offset_ms, since the machine was started. */
void clockwatch_restore(struct clock_guard *g, int64_t offset_ms);

/* What to think of at_ms (wall) at now_ms (boot time: monotonic, and it counts
 * while the machine is suspended; else each long sleep would be a jump). */
enum clockwatch clockwatch_look(const struct clock_guard *g,
                                int64_t at_ms,
                                int64_t now_ms);

/* The database, asked at asked_at_ms and answering at at_ms, both by our own
 * clock, said database_at_ms. */
void clockwatch_compared(struct clock_guard *g,
                         int64_t asked_at_ms,
                         int64_t at_ms,
                         int64_t now_ms,
                         int64_t database_at_ms);

/* "apart" ...; a fixed word for logs. */
const char *clockwatch_name(enum clockwatch state);

#endif /* LOA_SCHEDULER_CLOCKWATCH_H */
