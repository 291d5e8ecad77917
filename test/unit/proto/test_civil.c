/* Civil time: rows from `date -d`, every day of the years there and back, and
 * each kind of moment that does not exist. */

#include <string.h>

#include "check.h"
#include "proto/civil.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
static const struct {
    const char *text;
    enum loa_civil_fault fault;
    int64_t at_ms;
    const char *back;
} rows[] = {
    {"2026-12-01T17:00",             LOA_CIVIL_OK, 1796119200000, "2026-12-01T17:00:00+07:00"},
    {"2026-12-01 17:00",             LOA_CIVIL_OK, 1796119200000, "2026-12-01T17:00:00+07:00"},
    {"2026-12-01T17:00+07:00",       LOA_CIVIL_OK, 1796119200000, "2026-12-01T17:00:00+07:00"},
    {"2026-12-01T10:00Z",            LOA_CIVIL_OK, 1796119200000, "2026-12-01T17:00:00+07:00"},
    {"2026-12-01T17:00:05",          LOA_CIVIL_OK, 1796119205000, "2026-12-01T17:00:05+07:00"},
    {"2026-12-01T17:00:05.040Z",     LOA_CIVIL_OK, 1796144405040, "2026-12-02T00:00:05.040+07:00"},
    {"2026-12-01T05:30-04:30",       LOA_CIVIL_OK, 1796119200000, "2026-12-01T17:00:00+07:00"},
    {"1970-01-01T00:00",             LOA_CIVIL_OK, -25200000,     "1970-01-01T00:00:00+07:00"},
    {"1970-01-01T00:00Z",            LOA_CIVIL_OK, 0,             "1970-01-01T07:00:00+07:00"},
    {"1969-12-31T17:00Z",            LOA_CIVIL_YEAR, 0, NULL},
    {"2000-02-29T12:00",             LOA_CIVIL_OK, 951800400000,  "2000-02-29T12:00:00+07:00"},
    {"2028-02-29T00:00",             LOA_CIVIL_OK, 1835370000000, "2028-02-29T00:00:00+07:00"},
    {"2038-01-19T03:14:08Z",         LOA_CIVIL_OK, 2147483648000, "2038-01-19T10:14:08+07:00"},
    {"2106-12-31T23:59:59.999",      LOA_CIVIL_OK, 4323257999999, "2106-12-31T23:59:59.999+07:00"},
    {"2106-12-31T23:59Z",            LOA_CIVIL_YEAR, 0, NULL},
    {"2107-01-01T00:00",             LOA_CIVIL_YEAR, 0, NULL},
    {"1970-01-01T00:00+14:00",       LOA_CIVIL_YEAR, 0, NULL},
    {"0000-01-01T00:00",             LOA_CIVIL_YEAR, 0, NULL},
    {"2026-02-29T12:00",             LOA_CIVIL_LEAP_DAY, 0, NULL},
    {"2100-02-29T12:00",             LOA_CIVIL_LEAP_DAY, 0, NULL},
    {"2028-02-30T12:00",             LOA_CIVIL_DAY, 0, NULL},
    {"2026-04-31T12:00",             LOA_CIVIL_DAY, 0, NULL},
    {"2026-12-32T12:00",             LOA_CIVIL_DAY, 0, NULL},
    {"2026-12-00T12:00",             LOA_CIVIL_DAY, 0, NULL},
    {"2026-13-01T12:00",             LOA_CIVIL_MONTH, 0, NULL},
    {"2026-00-01T12:00",             LOA_CIVIL_MONTH, 0, NULL},
    {"2026-12-01T24:00",             LOA_CIVIL_HOUR, 0, NULL},
    {"2026-12-01T17:60",             LOA_CIVIL_MINUTE, 0, NULL},
    {"2026-12-01T17:00:60",          LOA_CIVIL_SECOND, 0, NULL},
    {"2026-12-01T17:00+15:00",       LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00+07:60",       LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00+7",           LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00+0700",        LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00+07:0",        LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00+07:00x",      LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00Zulu",         LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:00 ",            LOA_CIVIL_ZONE, 0, NULL},
    {"2026-12-01T17:001",            LOA_CIVIL_ZONE, 0, NULL},
    {"",                             LOA_CIVIL_FORM, 0, NULL},
    {"2026",                         LOA_CIVIL_FORM, 0, NULL},
    {"2026-12",                      LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01",                   LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T",                  LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17",                LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17:",               LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17:0",              LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17:00:",            LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17:00:00.",         LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17:00:00.25",       LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01t17:00",             LOA_CIVIL_FORM, 0, NULL},
    {"2026-1-01T17:00",              LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-1T17:00",              LOA_CIVIL_FORM, 0, NULL},
    {"2026/12/01T17:00",             LOA_CIVIL_FORM, 0, NULL},
    {"2026-12/01T17:00",             LOA_CIVIL_FORM, 0, NULL},
    {"01-12-2026T17:00",             LOA_CIVIL_FORM, 0, NULL},
    {"-026-12-01T17:00",             LOA_CIVIL_FORM, 0, NULL},
    {"2026-12-01T17.00",             LOA_CIVIL_FORM, 0, NULL},
    {"tomorrow",                     LOA_CIVIL_FORM, 0, NULL},
};
/* clang-format on */

static void test_rows(void)
{
    char buf[LOA_CIVIL_CAP];

    for (size_t i = 0; i < N(rows); i++) {
        int64_t at_ms = -1;
        enum loa_civil_fault fault = loa_civil_parse(rows[i].text, &at_ms);

        CHECK_INT(rows[i].text, fault, rows[i].fault);
        if (fault != LOA_CIVIL_OK) {
            CHECK_INT(rows[i].text, at_ms, -1);
            continue;
        }
        CHECK_INT(rows[i].text, at_ms, rows[i].at_ms);
        loa_civil_format(at_ms, buf);
        CHECK_INT(rows[i].text, strcmp(buf, rows[i].back), 0);
    }
    loa_civil_format(-25200001, buf);
    CHECK_INT("before", strcmp(buf, "-"), 0);
    loa_civil_format(INT64_MAX, buf);
    CHECK_INT("after", strcmp(buf, "-"), 0);
}

/* Every day follows its predecessor in the calendar and in the week. */
static void test_every_day(void)
{
    struct loa_civil c, last = {.year = 1969, .month = 12, .day = 31};
    int64_t at_ms = -LOA_CIVIL_OFFSET_MS, back_ms;
    int weekday = 3, days = 0;

    while (loa_civil_from_ms(at_ms + LOA_DAY_MS - 1, &c) == LOA_OK) {
        bool next_day = c.day == last.day + 1 && c.month == last.month;
        bool next_month =
            c.day == 1 && c.month == last.month + 1 && c.year == last.year;
        bool next_year = c.day == 1 && c.month == 1 && last.month == 12 &&
                         c.year == last.year + 1;

        CHECK_INT("follows", next_day || next_month || next_year, 1);
        CHECK_INT("week", c.weekday, weekday);
        CHECK_INT("last ms", c.hour, 23);
        CHECK_INT("back", loa_civil_to_ms(&c, &back_ms), LOA_CIVIL_OK);
        CHECK_INT("back", back_ms, at_ms + LOA_DAY_MS - 1);
        CHECK_INT("midnight", loa_civil_day_start(back_ms), at_ms);
        CHECK_INT("midnight", loa_civil_day_start(at_ms), at_ms);
        last = c;
        weekday = (weekday + 1) % 7;
        at_ms += LOA_DAY_MS;
        days++;
    }
    CHECK_INT("the last", last.year, LOA_CIVIL_YEAR_MAX);
    CHECK_INT("days of 137 years, 33 of them leap years", days, 137 * 365 + 33);
}

static void test_struct(void)
{
    struct loa_civil good = {2026, 12, 1, 17, 0, 0, 0, 0}, c;
    int64_t at_ms;

    CHECK_INT("good", loa_civil_to_ms(&good, &at_ms), LOA_CIVIL_OK);
    CHECK_INT("good", at_ms, 1796119200000);
    c = good;
    c.day = -1;
    CHECK_INT("day", loa_civil_to_ms(&c, &at_ms), LOA_CIVIL_DAY);
    c = good;
    c.hour = -1;
    CHECK_INT("hour", loa_civil_to_ms(&c, &at_ms), LOA_CIVIL_HOUR);
    c = good;
    c.minute = -1;
    CHECK_INT("minute", loa_civil_to_ms(&c, &at_ms), LOA_CIVIL_MINUTE);
    c = good;
    c.second = -1;
    CHECK_INT("second", loa_civil_to_ms(&c, &at_ms), LOA_CIVIL_SECOND);
    c = good;
    c.millisecond = -1;
    CHECK_INT("ms", loa_civil_to_ms(&c, &at_ms), LOA_CIVIL_SECOND);
    c.millisecond = 1000;
    CHECK_INT("ms", loa_civil_to_ms(&c, &at_ms), LOA_CIVIL_SECOND);
}

static void test_texts(void)
{
    CHECK_INT("none", strcmp(loa_civil_text(LOA_CIVIL_OK, true), ""), 0);
    for (int f = LOA_CIVIL_FORM; f <= LOA_CIVIL_ZONE; f++) {
        const char *vi = loa_civil_text((enum loa_civil_fault)f, true);
        const char *en = loa_civil_text((enum loa_civil_fault)f, false);
        CHECK_INT(en, vi[strlen(vi) - 1], '.');
        CHECK_INT(vi, en[strlen(en) - 1], '.');
        CHECK_INT(en, strcmp(vi, en) != 0, 1);
    }
}

int main(void)
{
    test_rows();
    test_every_day();
    test_struct();
    test_texts();
    return CHECK_DONE();
}
