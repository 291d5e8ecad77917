/* when.h -- times as people in Viet Nam type them.
 *
 * "2026-12-01T17:00" and what else proto/civil.h reads; "01/12/2026 17:00" and
 * "17:00 01/12/2026", also with "-" or "." between day, month and year;
 * "17:00", "17h30", "17h", "17g30": the next time that the clock shows this;
 * "+90s",
 * "+5m", "+1h30m", "+1d". Day before month, always, and the year with four
 * digits: what could be read in two ways is refused. Pure. */

#ifndef LOA_LOACTL_WHEN_H
#define LOA_LOACTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

enum when_fault {
    WHEN_OK = 0,
    WHEN_FORM, /* Nothing that we read. */
    WHEN_HOUR, /* 25:00 */
    WHEN_MINUTE,
    WHEN_SECOND,
    WHEN_DAY,   /* 31/04, 29/02 of a common year. */
    WHEN_MONTH, /* 12/13/2026: a month 13, whoever means December. */
    WHEN_YEAR,
    WHEN_SHORT_YEAR, /* 01/12/26, 01/12: which year? */
    WHEN_NO_CLOCK,   /* A date that there is, alone: at what time? */
    WHEN_ZONE,
    WHEN_RELATIVE, /* +1h30 */
};

/* *at_ms is not changed unless the answer is WHEN_OK. */
enum when_fault when_read(const char *text, int64_t now_ms, int64_t *at_ms);

/* The same of an end: a date alone is the last second of that day. */
enum when_fault when_read_end(const char *text, int64_t now_ms, int64_t *at_ms);

/* The sentence. Static. */
const char *when_text(enum when_fault fault, bool english);

#endif /* LOA_LOACTL_WHEN_H */
