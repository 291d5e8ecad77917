#include "telemetry-collector/budget.h"

#include <assert.h>

static const struct {
    uint64_t max, each_ms;
} rates[BUDGET_N] = {
    [BUDGET_HEALTH] = {BUDGET_HEALTH_MAX, BUDGET_HEALTH_MS},
    [BUDGET_RECEIPTS] = {BUDGET_RECEIPTS_MAX, BUDGET_RECEIPT_MS},
    [BUDGET_LINES] = {BUDGET_LINES_MAX, BUDGET_LINE_MS},
};

bool budget_take(struct budget *b,
                 enum budget_what what,
                 size_t n,
                 uint64_t now_ms)
{
    uint64_t max = rates[what].max, each_ms = rates[what].each_ms;
    uint64_t from_ms = b->full_ms[what];

    assert(n >= 1 && n <= max);
    if (from_ms < now_ms)
        from_ms = now_ms;
    if (from_ms + n * each_ms - now_ms > max * each_ms)
        return false;
    b->full_ms[what] = from_ms + n * each_ms;
    return true;
}
