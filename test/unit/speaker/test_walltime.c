/* What time it is, and whether that may be believed. */

#include <string.h>

#include "check.h"
#include "speaker/walltime.h"

#define T INT64_C(1790000000000)
#define US 1000

static void test_system(void)
{
    static const struct {
        const char *name;
        int64_t at_ms, floor_ms;
        bool trusted;
    } rows[] = {
        {"no floor", 5, 0, true},
        {"above", T + 1, T, true},
        {"a little behind", T - WALLTIME_BEHIND_MS, T, true},
        {"behind", T - WALLTIME_BEHIND_MS - 1, T, false},
        {"1970", 0, T, false},
        {"2038", INT64_C(2147483648000), T, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct walltime w;

        walltime_init(&w, WALLTIME_SYSTEM, rows[i].floor_ms);
        walltime_sample(&w, 77, rows[i].at_ms * US);
        CHECK_INT(rows[i].name, w.trusted, rows[i].trusted);
        CHECK_INT(rows[i].name, walltime_at_us(&w, 177),
                  rows[i].at_ms * US + 100);
        CHECK_INT(rows[i].name, walltime_now_us(&w, rows[i].at_ms * US), 77);
        CHECK_INT("never asks", walltime_must_ask(&w, INT64_MAX), 0);
    }
}

static void test_none(void)
{
    /* A question at 10 s of monotonic time; the answer's age, time, nonce. */
    static const struct {
        const char *name;
        int64_t took_ms, time_ms;
        uint8_t nonce;
        bool set;
    } rows[] = {
        {"quick", 100, T, 1, true},
        {"just quick enough", WALLTIME_ANSWER_MS, T, 1, true},
        {"too slow", WALLTIME_ANSWER_MS + 1, T, 1, false},
        {"another nonce", 100, T, 2, false},
        {"before the floor", 100, T - 2 * WALLTIME_BEHIND_MS, 1, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t asked[WALLTIME_NONCE_BYTES] = {1};
        uint8_t answer[WALLTIME_NONCE_BYTES] = {rows[i].nonce};
        int64_t now_us = 10000 * US + rows[i].took_ms * US;
        struct walltime w;

        walltime_init(&w, WALLTIME_NONE, T - 1000);
        walltime_sample(&w, 10000 * US, T * US); /* Is not looked at. */
        CHECK_INT(rows[i].name, w.trusted, 0);
        CHECK_INT(rows[i].name, walltime_must_ask(&w, 10000 * US), 1);
        CHECK_INT("unasked", walltime_answered(&w, asked, T, 10000 * US), 0);
        walltime_asked(&w, asked, 10000 * US);
        CHECK_INT(rows[i].name, walltime_must_ask(&w, 10001 * US), 0);
        CHECK_INT(rows[i].name,
                  walltime_answered(&w, answer, rows[i].time_ms, now_us),
                  rows[i].set);
        CHECK_INT(rows[i].name, w.trusted, rows[i].set);
        if (!rows[i].set)
            continue;
        CHECK_INT(rows[i].name, walltime_at_us(&w, now_us),
                  rows[i].time_ms * US + rows[i].took_ms * US / 2);
        CHECK_INT("the same answer twice",
                  walltime_answered(&w, answer, T + 99999, now_us), 0);
        CHECK_INT("asks again in an hour",
                  walltime_must_ask(&w, now_us + INT64_C(3600000) * US), 1);
    }
}

static void test_floor(void)
{
    struct walltime w;

    walltime_init(&w, WALLTIME_SYSTEM, T);
    walltime_raise(&w, T - 5);
    CHECK_INT("does not go back", w.floor_ms, T);
    walltime_raise(&w, T + 5);
    CHECK_INT("rises", w.floor_ms, T + 5);
}

int main(void)
{
    test_system();
    test_none();
    test_floor();
    return CHECK_DONE();
}
