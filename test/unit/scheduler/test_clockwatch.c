/* When the clock may be believed. Wall time is w, monotonic time m. */

#include "check.h"
#include "scheduler/clockwatch.h"

#define DAY INT64_C(86400000)
#define MINUTE INT64_C(60000)
#define W (20000 * DAY)
#define M INT64_C(5000)

static struct clock_guard g;

/* Everybody agrees, at W and M. */
static void begin(void)
{
    clockwatch_init(&g, W - 100 * DAY);
    clockwatch_compared(&g, W, W, M, W);
}

static void test_agrees(void)
{
    static const struct {
        const char *what;
        int64_t w, m;
        enum clockwatch state;
    } rows[] = {
        {"now", W, M, CLOCK_BELIEVED},
        {"an hour later", W + 60 * MINUTE, M + 60 * MINUTE, CLOCK_BELIEVED},
        {"two minutes put right", W + 2 * MINUTE, M, CLOCK_BELIEVED},
        {"more", W + 2 * MINUTE + 1, M, CLOCK_MOVED},
        {"back", W - 2 * MINUTE, M, CLOCK_BELIEVED},
        {"more", W - 2 * MINUTE - 1, M, CLOCK_MOVED},
        {"a day", W + DAY, M, CLOCK_MOVED},
        {"more", W + DAY + 1, M, CLOCK_JUMPED},
        {"ten days back", W - 10 * DAY, M, CLOCK_MOVED},
        {"before we were certified", W - 100 * DAY - 2 * MINUTE - 1, M,
         CLOCK_EARLY},
    };

    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_INT(rows[i].what, clockwatch_look(&g, rows[i].w, rows[i].m),
                  rows[i].state);
}

static void test_apart(void)
{
    clockwatch_init(&g, W - 100 * DAY);
    CHECK_INT("not compared", clockwatch_look(&g, W, M), CLOCK_MOVED);
    clockwatch_compared(&g, W, W + 10, M, W - 3 * DAY);
    CHECK_INT("three days ahead", clockwatch_look(&g, W, M), CLOCK_APART);
    CHECK_INT("by so much", g.apart_ms, 3 * DAY);
    clockwatch_compared(&g, W, W + 10, M, W + 3 * DAY);
    CHECK_INT("behind", clockwatch_look(&g, W, M), CLOCK_APART);
    CHECK_INT("by so much", g.apart_ms, 10 - 3 * DAY);
    /* Ours was wrong and is put right: it had never been believed. */
    clockwatch_compared(&g, W + 3 * DAY, W + 3 * DAY, M, W + 3 * DAY);
    CHECK_INT("right", clockwatch_look(&g, W + 3 * DAY, M), CLOCK_BELIEVED);
    /* Theirs is put wrong, and right again. */
    clockwatch_compared(&g, W + 3 * DAY, W + 3 * DAY, M, W);
    CHECK_INT("theirs is wrong", clockwatch_look(&g, W + 3 * DAY, M),
              CLOCK_APART);
    clockwatch_compared(&g, W + 3 * DAY, W + 3 * DAY, M, W + 3 * DAY);
    CHECK_INT("right", clockwatch_look(&g, W + 3 * DAY, M), CLOCK_BELIEVED);
    clockwatch_compared(&g, W + 3 * DAY, W + 4 * DAY, M, W + 3 * DAY);
    CHECK_INT("a slow answer", g.apart_ms, 0);
}

static void test_jumps(void)
{
    begin();
    /* On one machine the database's clock jumps along. */
    clockwatch_compared(&g, W + 3 * DAY, W + 3 * DAY, M, W + 3 * DAY);
    CHECK_INT("ahead", clockwatch_look(&g, W + 3 * DAY, M), CLOCK_JUMPED);
    clockwatch_compared(&g, W + MINUTE, W + MINUTE, M + MINUTE, W + MINUTE);
    CHECK_INT("back again", clockwatch_look(&g, W + MINUTE, M + MINUTE),
              CLOCK_BELIEVED);
    clockwatch_compared(&g, W - 9 * DAY, W - 9 * DAY, M, W - 9 * DAY);
    CHECK_INT("put back", clockwatch_look(&g, W - 9 * DAY, M), CLOCK_BELIEVED);
    clockwatch_compared(&g, W - 8 * DAY, W - 8 * DAY, M, W - 8 * DAY);
    CHECK_INT("a day on", clockwatch_look(&g, W - 8 * DAY, M), CLOCK_BELIEVED);
}

/* Any restart, a lost database's too, had ended the doubt. */
static void test_jump_is_one_for_the_next_process(void)
{
    static const struct {
        const char *what;
        int64_t w;
        enum clockwatch state;
    } rows[] = {
        {"as it was", W, CLOCK_BELIEVED},
        {"an hour on", W + 60 * MINUTE, CLOCK_BELIEVED},
        {"a day on", W + DAY, CLOCK_BELIEVED},
        {"more", W + DAY + 1, CLOCK_JUMPED},
        {"put back", W - 9 * DAY, CLOCK_BELIEVED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        clockwatch_init(&g, W - 100 * DAY);
        clockwatch_restore(&g, W - M);
        clockwatch_compared(&g, rows[i].w, rows[i].w, M, rows[i].w);
        CHECK_INT(rows[i].what, clockwatch_look(&g, rows[i].w, M),
                  rows[i].state);
    }
}

/* A machine that knows no date until the network tells it. */
static void test_no_date_at_boot(void)
{
    clockwatch_init(&g, W - 100 * DAY);
    clockwatch_compared(&g, DAY, DAY, M, DAY);
    CHECK_INT("1970", clockwatch_look(&g, DAY, M), CLOCK_EARLY);
    CHECK_INT("not compared", clockwatch_look(&g, W, M), CLOCK_MOVED);
    clockwatch_compared(&g, W, W, M, W);
    CHECK_INT("set", clockwatch_look(&g, W, M), CLOCK_BELIEVED);
    CHECK_STR("words", clockwatch_name(CLOCK_JUMPED), "jumped");
}

int main(void)
{
    test_agrees();
    test_apart();
    test_jumps();
    test_jump_is_one_for_the_next_process();
    test_no_date_at_boot();
    return CHECK_DONE();
}
