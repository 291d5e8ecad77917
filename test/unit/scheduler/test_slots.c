/* Recurrence and overlap: rows by hand, then against a brute-force reference.
 */

#include <stdlib.h>

#include "check.h"
#include "proto/civil.h"
#include "scheduler/slots.h"

#define HOUR_MS INT64_C(3600000)

static int64_t at(const char *text)
{
    int64_t ms = -1;

    CHECK_INT(text, loa_civil_parse(text, &ms), LOA_CIVIL_OK);
    return ms;
}

static void test_days(void)
{
    /* clang-format off */
    static const struct row {
        const char *name, *at, *midnight;
        unsigned weekday;
    } rows[] = {
        {"first day",            "1970-01-01T07:00", "1970-01-01T00:00", 3},
        {"before midnight",      "2025-11-30T23:59:59.999", "2025-11-30T00:00", 6},
        {"at midnight",          "2025-12-01T00:00", "2025-12-01T00:00", 0},
        {"UTC midnight",         "2025-12-01T07:00", "2025-12-01T00:00", 0},
        {"leap day",             "2028-02-29T12:00", "2028-02-29T00:00", 1},
        {"day after leap day",   "2028-03-01T00:00", "2028-03-01T00:00", 2},
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(rows[i].name, slots_weekday(at(rows[i].at)), rows[i].weekday);
        CHECK_INT(rows[i].name, slots_midnight(at(rows[i].at)),
                  at(rows[i].midnight));
    }
    CHECK_INT("before the epoch", slots_day(-8 * HOUR_MS), -1);
    CHECK_INT("before the epoch", slots_weekday(-8 * HOUR_MS), 2);
}

static void test_next(void)
{
    /* clang-format off */
    static const struct row {
        const char *name;
        enum slots_frequency frequency;
        unsigned weekdays;
        const char *first, *until, *from, *next; /* next NULL: none. */
    } rows[] = {
        {"once, before",       SLOTS_ONCE,   0, "2025-12-01T05:00", "2025-12-01T05:00", "2025-11-01T00:00", "2025-12-01T05:00"},
        {"once, at",           SLOTS_ONCE,   0, "2025-12-01T05:00", "2025-12-01T05:00", "2025-12-01T05:00", "2025-12-01T05:00"},
        {"once, after",        SLOTS_ONCE,   0, "2025-12-01T05:00", "2025-12-01T05:00", "2025-12-01T05:00:00.001", NULL},
        {"daily, same day",    SLOTS_DAILY,  0, "2025-12-01T05:00", "2025-12-09T05:00", "2025-12-04T04:59", "2025-12-04T05:00"},
        {"daily, at",          SLOTS_DAILY,  0, "2025-12-01T05:00", "2025-12-09T05:00", "2025-12-04T05:00", "2025-12-04T05:00"},
        {"daily, next day",    SLOTS_DAILY,  0, "2025-12-01T05:00", "2025-12-09T05:00", "2025-12-04T05:01", "2025-12-05T05:00"},
        {"daily, the last",    SLOTS_DAILY,  0, "2025-12-01T05:00", "2025-12-09T05:00", "2025-12-08T05:01", "2025-12-09T05:00"},
        {"daily, over",        SLOTS_DAILY,  0, "2025-12-01T05:00", "2025-12-09T04:59", "2025-12-08T05:01", NULL},
        {"daily, leap day",    SLOTS_DAILY,  0, "2028-02-27T05:00", "2028-03-09T05:00", "2028-02-28T06:00", "2028-02-29T05:00"},
        {"daily, after it",    SLOTS_DAILY,  0, "2028-02-27T05:00", "2028-03-09T05:00", "2028-02-29T06:00", "2028-03-01T05:00"},
        {"daily, no leap day", SLOTS_DAILY,  0, "2027-02-27T05:00", "2027-03-09T05:00", "2027-02-28T06:00", "2027-03-01T05:00"},
        {"weekly, Mon to Thu", SLOTS_WEEKLY, 0x09, "2025-12-01T05:00", "2026-12-01T05:00", "2025-12-01T05:01", "2025-12-04T05:00"},
        {"weekly, Thu to Mon", SLOTS_WEEKLY, 0x09, "2025-12-01T05:00", "2026-12-01T05:00", "2025-12-04T05:01", "2025-12-08T05:00"},
        {"weekly, before dawn in UTC", SLOTS_WEEKLY, 0x40, "2025-12-07T03:00", "2026-12-01T05:00", "2025-12-08T00:00", "2025-12-14T03:00"},
        {"weekly, leap day is Tuesday", SLOTS_WEEKLY, 0x02, "2028-02-22T05:00", "2028-12-01T05:00", "2028-02-23T00:00", "2028-02-29T05:00"},
        {"weekly, over",       SLOTS_WEEKLY, 0x09, "2025-12-01T05:00", "2025-12-06T05:00", "2025-12-04T05:01", NULL},
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct slots_rule rule = {at(r->first), at(r->until), 60000,
                                  r->frequency, r->weekdays};

        CHECK_INT(r->name, slots_next(&rule, at(r->from)),
                  r->next == NULL ? SLOTS_NONE : at(r->next));
    }
}

static void test_last(void)
{
    struct slots_rule daily = {at("2028-02-27T05:00"), at("2028-03-02T04:00"),
                               60000, SLOTS_DAILY, 0};
    struct slots_rule weekly = {at("2025-12-01T05:00"), at("2025-12-21T00:00"),
                                60000, SLOTS_WEEKLY, 0x11};
    struct slots_rule cut = {at("2025-12-01T05:00"), at("2025-12-01T04:00"),
                             60000, SLOTS_ONCE, 0};

    CHECK_INT("daily", slots_last(&daily), at("2028-03-01T05:00"));
    CHECK_INT("daily", slots_end(&daily), at("2028-03-01T05:01"));
    CHECK_INT("weekly", slots_last(&weekly), at("2025-12-19T05:00"));
    CHECK_INT("cut off", slots_last(&cut), SLOTS_NONE);
    CHECK_INT("cut off", slots_end(&cut), INT64_MIN);
    cut.until_ms = cut.first_ms;
    CHECK_INT("once", slots_last(&cut), cut.first_ms);
}

/* --- against a reference -------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint64_t chance(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* All starts, one by one, as a calendar would give them. */
static size_t list(const struct slots_rule *r, int64_t starts[64])
{
    size_t n = 0;

    for (int64_t at_ms = r->first_ms; at_ms <= r->until_ms && n < 64;
         at_ms += LOA_DAY_MS) {
        struct loa_civil c;

        CHECK_INT("civil", loa_civil_from_ms(at_ms, &c), LOA_OK);
        if (r->frequency != SLOTS_WEEKLY || (r->weekdays >> c.weekday & 1) != 0)
            starts[n++] = at_ms;
        if (r->frequency == SLOTS_ONCE)
            break;
    }
    return n;
}

static struct slots_rule random_rule(void)
{
    struct slots_rule r;

    /* Around the leap day of 2028; at most 30 days. */
    r.first_ms = at("2028-02-20T00:00") + (int64_t)chance(240) * HOUR_MS / 2;
    r.until_ms = r.first_ms + (int64_t)chance(30 * 24) * HOUR_MS;
    r.duration_ms = (uint32_t)(1 + chance(48) * 1800000);
    if (r.duration_ms > SLOTS_DURATION_MS_MAX)
        r.duration_ms = SLOTS_DURATION_MS_MAX;
    r.frequency = (enum slots_frequency)chance(3);
    r.weekdays = (unsigned)(1 + chance(127));
    if (r.frequency == SLOTS_ONCE)
        r.until_ms = r.first_ms;
    return r;
}

static void test_against_reference(void)
{
    for (int round = 0; round < 20000; round++) {
        struct slots_rule a = random_rule(), b = random_rule();
        int64_t as[64], bs[64], a_ms, b_ms;
        size_t as_n = list(&a, as), bs_n = list(&b, bs);
        bool want = false, got;
        uint64_t looks_n = 0;

        for (size_t i = 0; i < as_n; i++)
            for (size_t k = 0; k < bs_n; k++)
                want = want || (as[i] < bs[k] + b.duration_ms &&
                                bs[k] < as[i] + a.duration_ms);
        got = slots_overlap(&a, &b, a.first_ms, &a_ms, &b_ms, &looks_n);
        CHECK_INT("overlap", got, want);
        if (got) {
            CHECK_INT("a's", slots_next(&a, a_ms), a_ms);
            CHECK_INT("b's", slots_next(&b, b_ms), b_ms);
            CHECK_INT(
                "the pair",
                a_ms < b_ms + b.duration_ms && b_ms < a_ms + a.duration_ms, 1);
        }
        CHECK_INT("last", slots_last(&a), as_n > 0 ? as[as_n - 1] : SLOTS_NONE);
        if (check_failures > 0)
            return;
    }
}

int main(void)
{
    test_days();
    test_next();
    test_last();
    test_against_reference();
    return CHECK_DONE();
}
