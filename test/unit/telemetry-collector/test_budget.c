/* What one device may cost: each row is a moment, and how many are taken. */

#include "check.h"
#include "telemetry-collector/budget.h"

#define HOUR_MS 3600000

static unsigned take_all(struct budget *b,
                         enum budget_what what,
                         size_t each,
                         uint64_t now_ms)
{
    unsigned n = 0;

    while (budget_take(b, what, each, now_ms))
        n++;
    return n;
}

static const struct row {
    const char *name;
    uint64_t now_ms;
    unsigned taken;
} rows[] = {
    {"full at first", 5000, BUDGET_HEALTH_MAX},
    {"none left", 5000, 0},
    {"not yet", 5000 + BUDGET_HEALTH_MS - 1, 0},
    {"one more", 5000 + BUDGET_HEALTH_MS, 1},
    {"one, not two", 5000 + 3 * BUDGET_HEALTH_MS - 1, 1},
    {"no more than the maximum, however long", HOUR_MS, BUDGET_HEALTH_MAX},
};

static void test_rates(void)
{
    struct budget b = {0};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_INT(rows[i].name, take_all(&b, BUDGET_HEALTH, 1, rows[i].now_ms),
                  rows[i].taken);
}

/* All of a batch or nothing of it, and no kind takes from another. */
static void test_batches(void)
{
    struct budget b = {0};
    unsigned n = take_all(&b, BUDGET_RECEIPTS, 64, 1);

    CHECK_INT("whole batches", n, BUDGET_RECEIPTS_MAX / 64);
    CHECK_INT("not sixty-four", budget_take(&b, BUDGET_RECEIPTS, 64, 1), false);
    CHECK_INT("what is left",
              budget_take(&b, BUDGET_RECEIPTS, BUDGET_RECEIPTS_MAX % 64, 1),
              true);
    CHECK_INT("empty", budget_take(&b, BUDGET_RECEIPTS, 1, 1), false);
    CHECK_INT("health", budget_take(&b, BUDGET_HEALTH, 1, 1), true);
    CHECK_INT("lines", take_all(&b, BUDGET_LINES, 1, 1), BUDGET_LINES_MAX);
}

/* A whole log, 64 at a time, tried every five minutes at the latest. */
static void test_a_week_without_network_passes(void)
{
    struct budget b = {0};
    uint64_t now_ms = 1, kept = 100000, at_once = 0;

    for (; kept > 0 && now_ms < 48 * HOUR_MS; now_ms += 300000) {
        while (kept > 0 &&
               budget_take(&b, BUDGET_RECEIPTS, kept < 64 ? kept : 64, now_ms))
            kept -= kept < 64 ? kept : 64;
        if (now_ms == 1)
            at_once = 100000 - kept;
    }
    CHECK_INT("thousands at once", at_once > 9900, 1);
    CHECK_INT("all", kept, 0);
    CHECK_INT("within 26 hours", now_ms < 26 * HOUR_MS, 1);
}

int main(void)
{
    test_rates();
    test_batches();
    test_a_week_without_network_passes();
    return CHECK_DONE();
}
