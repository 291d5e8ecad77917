/* slots.h -- when a bulletin sounds, and when two of them would at once.
 *
 * A rule is a first start and how it repeats. Wall time is Asia/Ho_Chi_Minh,
 * UTC+7 without daylight saving, so a day is always 24 hours and leap days are
 * days like any other. */

#ifndef LOA_SCHEDULER_SLOTS_H
#define LOA_SCHEDULER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/civil.h"

#define SLOTS_NONE INT64_MAX
/* Longer than a day and a daily bulletin would overlap itself. */
#define SLOTS_DURATION_MS_MAX LOA_DAY_MS

/* The values are those of loa.v1.Recurrence.Frequency. */
enum slots_frequency { SLOTS_ONCE = 0, SLOTS_DAILY = 1, SLOTS_WEEKLY = 2 };

struct slots_rule {
    int64_t first_ms;     /* Start of the first occurrence. */
    int64_t until_ms;     /* None starts later. */
    uint32_t duration_ms; /* 1..SLOTS_DURATION_MS_MAX. */
    enum slots_frequency frequency;
    unsigned
        weekdays; /* WEEKLY: bit 0 Monday ... 6 Sunday, with the first's. */
};

/* Days since 1970-01-01 by the local calendar; 0 is Monday; midnight. */
int64_t slots_day(int64_t at_ms);
unsigned slots_weekday(int64_t at_ms);
int64_t slots_midnight(int64_t at_ms);

/* The first start at or after from_ms, or SLOTS_NONE. */
int64_t slots_next(const struct slots_rule *r, int64_t from_ms);

/* The last start, or SLOTS_NONE if there is no occurrence at all. */
int64_t slots_last(const struct slots_rule *r);

/* When the last occurrence has ended; INT64_MIN if there is none. */
int64_t slots_end(const struct slots_rule *r);

/* Whether an occurrence of a and one of b sound at the same time; the starts
 * of the first such pair, of which a's is not before from_ms. One that starts
 * in the moment the other ends does not overlap it. *looks_n grows by the
 * number of occurrences looked at. */
bool slots_overlap(const struct slots_rule *a,
                   const struct slots_rule *b,
                   int64_t from_ms,
                   int64_t *a_start_ms,
                   int64_t *b_start_ms,
                   uint64_t *looks_n);

#endif /* LOA_SCHEDULER_SLOTS_H */
