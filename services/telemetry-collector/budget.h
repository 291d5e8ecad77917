/* budget.h -- the core: what one device may cost the database and the log,
 * however much it says. An honest device never comes near it. */

#ifndef LOA_TELEMETRY_COLLECTOR_BUDGET_H
#define LOA_TELEMETRY_COLLECTOR_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much at once, and one more in so many milliseconds. A device reports its
 * health once a minute. One that was without network for a week has thousands
 * of receipts: they pass at once; its whole log (100,000) within a day. */
#define BUDGET_HEALTH_MAX 6
#define BUDGET_HEALTH_MS 10000
#define BUDGET_RECEIPTS_MAX 10000
#define BUDGET_RECEIPT_MS 1000
#define BUDGET_LINES_MAX 64
#define BUDGET_LINE_MS 60000

enum budget_what {
    BUDGET_HEALTH,   /* Rows of telemetry.health. */
    BUDGET_RECEIPTS, /* Receipts, good or not, repeats included. */
    BUDGET_LINES,    /* Lines of the log that a device can cause. */
    BUDGET_N,
};

struct budget {
    uint64_t full_ms[BUDGET_N]; /* Monotonic: when all of it is there again. */
};

/* Take n, all or nothing; false: there are not so many now. Zeroed, a budget is
 * full. */
bool budget_take(struct budget *b,
                 enum budget_what what,
                 size_t n,
                 uint64_t now_ms);

#endif /* LOA_TELEMETRY_COLLECTOR_BUDGET_H */
