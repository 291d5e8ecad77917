/* Which samples leave: every row is one period of 960 samples. */

#include <string.h>

#include "check.h"
#include "speaker/player.h"

#define AT_MS INT64_C(1790000000000) /* Wall time when monotonic time is 0. */

static struct walltime w;

static struct turn turn(int voice,
                        enum bulletin_class class,
                        int64_t due_ms,
                        uint64_t samples_n,
                        uint64_t done_n,
                        bool begun)
{
    struct turn t = {.used = true, .marked = true, .ready = true};

    t.voice = voice;
    t.occ.class = class;
    t.occ.due_at_ms = AT_MS + due_ms;
    t.samples_n = samples_n;
    t.done_n = done_n;
    t.begun = begun;
    return t;
}

#define N BULLETIN_NORMAL
#define P BULLETIN_PRIORITY

/* cur: samples left (0: nothing sounds). next: due after so many ms (-1: there
 * is none), so long. Expected: how many samples of whom, in order. */
static const struct {
    const char *name;
    uint64_t cur_left;
    enum bulletin_class cur_class;
    int64_t next_ms;
    enum bulletin_class next_class;
    uint64_t next_n;
    struct {
        int voice;
        size_t n;
    } want[4];
    bool begins, preempts, finishes;
} rows[] = {
    {"nothing", 0, N, -1, N, 0, {{-1, 960}}, false, false, false},
    {"sounds on", 5000, N, -1, N, 0, {{0, 960}}, false, false, false},
    {"ends inside",
     100,
     N,
     -1,
     N,
     0,
     {{0, 100}, {-1, 860}},
     false,
     false,
     true},
    {"ends exactly", 960, N, -1, N, 0, {{0, 960}}, false, false, true},
    {"next later", 0, N, 20, N, 5000, {{-1, 960}}, false, false, false},
    {"next at once", 0, N, 0, N, 5000, {{1, 960}}, true, false, false},
    {"next inside",
     0,
     N,
     7,
     N,
     5000,
     {{-1, 336}, {1, 624}},
     true,
     false,
     false},
    {"next overdue", 0, N, -300, N, 5000, {{1, 960}}, true, false, false},
    {"a short one",
     0,
     N,
     5,
     N,
     96,
     {{-1, 240}, {1, 96}, {-1, 624}},
     true,
     false,
     false},
    {"preempts inside",
     5000,
     N,
     7,
     P,
     5000,
     {{0, 336}, {1, 624}},
     true,
     true,
     false},
    {"an equal waits", 5000, N, 7, N, 5000, {{0, 960}}, false, false, false},
    {"a weaker waits", 5000, P, 7, N, 5000, {{0, 960}}, false, false, false},
    {"an equal follows",
     500,
     N,
     7,
     N,
     5000,
     {{0, 500}, {1, 460}},
     true,
     false,
     true},
    {"with a gap",
     100,
     N,
     7,
     N,
     5000,
     {{0, 100}, {-1, 236}, {1, 624}},
     true,
     false,
     true},
    {"ends before it is cut",
     336,
     N,
     7,
     P,
     5000,
     {{0, 336}, {1, 624}},
     true,
     false,
     true},
    {"all four",
     100,
     N,
     7,
     P,
     50,
     {{0, 100}, {-1, 236}, {1, 50}, {-1, 574}},
     true,
     false,
     true},
};

static void test_plans(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct player p = {0};
        struct player_period period = {1000000, 1000000, 960};
        struct player_plan plan;
        size_t n = 0;

        if (rows[i].cur_left > 0)
            p.cur = turn(0, rows[i].cur_class, 0, 9600, 9600 - rows[i].cur_left,
                         true);
        if (rows[i].next_ms != -1)
            p.next = turn(1, rows[i].next_class, 1000 + rows[i].next_ms,
                          rows[i].next_n, 0, false);
        player_plan(&p, &w, &period, player_begins(&p, &w, &period), &plan);
        while (n < 4 && rows[i].want[n].n > 0)
            n++;
        CHECK_INT(rows[i].name, plan.segments_n, n);
        for (size_t k = 0; k < n && k < plan.segments_n; k++) {
            CHECK_INT(rows[i].name, plan.segments[k].voice,
                      rows[i].want[k].voice);
            CHECK_INT(rows[i].name, plan.segments[k].samples_n,
                      rows[i].want[k].n);
        }
        CHECK_INT(rows[i].name, plan.begins, rows[i].begins);
        CHECK_INT(rows[i].name, plan.preempts, rows[i].preempts);
        CHECK_INT(rows[i].name, plan.finishes, rows[i].finishes);
    }
}

/* Whatever the plan, a period is full and no turn says more than it has. */
static void test_whole(void)
{
    unsigned x = 1;

    for (int i = 0; i < 200000; i++) {
        struct player p = {0};
        struct player_period period = {0, 0, 960};
        struct player_plan plan;
        size_t sum = 0, of_next = 0;
        uint64_t left;

        x = x * 1103515245u + 12345u;
        left = (x >> 8) % 2000;
        period.next_us = period.now_us = (x >> 5) % 100000;
        if (left > 0)
            p.cur = turn(0, x & 1 ? N : P, 0, 2000, 2000 - left, true);
        p.next = turn(1, x & 2 ? N : P, (int)((x >> 16) % 140) - 20,
                      1 + (x >> 10) % 1500, 0, false);
        player_plan(&p, &w, &period, x & 4, &plan);
        for (size_t k = 0; k < plan.segments_n; k++) {
            sum += plan.segments[k].samples_n;
            if (plan.segments[k].voice == 0 &&
                plan.segments[k].samples_n > left)
                CHECK_INT("cur", plan.segments[k].samples_n, left);
            if (plan.segments[k].voice == 1)
                of_next += plan.segments[k].samples_n;
        }
        if (sum != 960 || of_next > p.next.samples_n)
            CHECK_INT("whole", sum, 960);
    }
}

int main(void)
{
    walltime_init(&w, WALLTIME_SYSTEM, 0);
    walltime_sample(&w, 0, AT_MS * 1000);
    test_plans();
    test_whole();
    return CHECK_DONE();
}
