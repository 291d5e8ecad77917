#include "loactl/when.h"

#include <stdio.h>

#include "proto/civil.h"

#define AHEAD_MS_MAX (100 * 366 * LOA_DAY_MS)

const char *when_text(enum when_fault fault, bool english)
{
    static const struct {
        const char *en, *vi;
    } texts[] = {
        [WHEN_OK] = {"", ""},
        [WHEN_FORM] = {"a time looks like 17:00, 17h30, 01/12/2026 17:00, "
                       "2026-12-01T17:00, +5m or +1h30m",
                       "thời gian viết theo dạng 17:00, 17h30, 01/12/2026 "
                       "17:00, 2026-12-01T17:00, +5m hoặc +1h30m"},
        [WHEN_HOUR] = {"there are only hours 0 to 23", "giờ phải từ 0 đến 23"},
        [WHEN_MINUTE] = {"there are only minutes 00 to 59",
                         "phút phải từ 00 đến 59"},
        [WHEN_SECOND] = {"there are only seconds 00 to 59",
                         "giây phải từ 00 đến 59"},
        [WHEN_DAY] = {"this month has no such day",
                      "tháng này không có ngày đó"},
        [WHEN_MONTH] = {"there are only months 1 to 12 (the day comes first: "
                        "31/12/2026)",
                        "tháng phải từ 1 đến 12 (ngày viết trước: 31/12/2026)"},
        [WHEN_YEAR] = {"the year must lie between 1970 and 2106",
                       "năm phải từ 1970 đến 2106"},
        [WHEN_SHORT_YEAR] =
            {"write the year with four digits: 01/12/2026 17:00",
             "hãy viết năm đủ bốn chữ số: 01/12/2026 17:00"},
        [WHEN_NO_CLOCK] =
            {"at what time of that day? Write 01/12/2026 17:00",
             "vào giờ nào của ngày đó? Hãy viết 01/12/2026 17:00"},
        [WHEN_ZONE] = {"the zone is Z or an offset such as +07:00, at most 14 "
                       "hours",
                       "múi giờ là Z hoặc dạng +07:00, tối đa 14 giờ"},
        [WHEN_RELATIVE] =
            {"a time from now looks like +90s, +5m, +1h30m or +1d",
             "khoảng thời gian viết theo dạng +90s, +5m, +1h30m "
             "hoặc +1d"},
    };

    return english ? texts[fault].en : texts[fault].vi;
}

static enum when_fault of_civil(enum loa_civil_fault fault)
{
    switch (fault) {
        case LOA_CIVIL_OK:
            return WHEN_OK;
        case LOA_CIVIL_YEAR:
            return WHEN_YEAR;
        case LOA_CIVIL_MONTH:
            return WHEN_MONTH;
        case LOA_CIVIL_DAY:
        case LOA_CIVIL_LEAP_DAY:
            return WHEN_DAY;
        case LOA_CIVIL_HOUR:
            return WHEN_HOUR;
        case LOA_CIVIL_MINUTE:
            return WHEN_MINUTE;
        case LOA_CIVIL_SECOND:
            return WHEN_SECOND;
        case LOA_CIVIL_ZONE:
            return WHEN_ZONE;
        default:
            return WHEN_FORM;
    }
}

/* One to `most` digits at *s, stepped over; -1 if there are none or more. n
 * gets how many. */
static int number(const char **s, int most, int *n)
{
    int value = 0;

    for (*n = 0; **s >= '0' && **s <= '9'; ++*s, ++*n) {
        if (*n == most)
            return -1;
        value = 10 * value + (**s - '0');
    }
    return *n > 0 ? value : -1;
}

static void skip_spaces(const char **s)
{
    while (**s == ' ')
        ++*s;
}

/* --- "+1h30m" ------------------------------------------------------------- */

static int64_t unit_ms(char unit)
{
    switch (unit) {
        case 's':
            return 1000;
        case 'm':
        case 'p': /* phút */
            return 60000;
        case 'h':
        case 'g': /* giờ */
            return 3600000;
        case 'd':
            return LOA_DAY_MS;
        default:
            return 0;
    }
}

static enum when_fault relative(const char *p, int64_t now_ms, int64_t *at_ms)
{
    int64_t ahead_ms = 0;

    do {
        int digits_n, n = number(&p, 8, &digits_n);

        if (n < 0 || unit_ms(*p) == 0)
            return WHEN_RELATIVE;
        ahead_ms += n * unit_ms(*p++);
        if (ahead_ms > AHEAD_MS_MAX)
            return WHEN_YEAR;
    } while (*p != '\0');
    *at_ms = now_ms + ahead_ms;
    return WHEN_OK;
}

/* --- "17:00", "17h30", "17h" ---------------------------------------------- */

/* False, with *s where it was: no clock is here. Values are not judged. */
static bool take_clock(const char **s, struct loa_civil *t)
{
    const char *p = *s;
    int n;
    bool letter;

    t->minute = t->second = t->millisecond = 0;
    t->hour = number(&p, 2, &n);
    letter = *p == 'h' || *p == 'H' || *p == 'g' || *p == 'G';
    if (t->hour < 0 || (!letter && *p != ':'))
        return false;
    p++;
    if (*p >= '0' && *p <= '9') {
        t->minute = number(&p, 2, &n);
        if (n != 2)
            return false; /* 17h3: 17:03 or 17:30? */
    } else if (!letter) {
        return false;
    }
    if (*p == ':') {
        p++;
        t->second = number(&p, 2, &n);
        if (n != 2)
            return false;
    }
    *s = p;
    return true;
}

static enum when_fault judge_clock(const struct loa_civil *t)
{
    if (t->hour > 23)
        return WHEN_HOUR;
    if (t->minute > 59)
        return WHEN_MINUTE;
    return t->second > 59 ? WHEN_SECOND : WHEN_OK;
}

/* The next time that the clock shows this. */
static enum when_fault next_time(const struct loa_civil *t,
                                 int64_t now_ms,
                                 int64_t *at_ms)
{
    enum when_fault fault = judge_clock(t);

    if (fault != WHEN_OK)
        return fault;
    *at_ms = loa_civil_day_start(now_ms) + t->hour * 3600000LL +
             t->minute * 60000LL + t->second * 1000LL;
    if (*at_ms <= now_ms)
        *at_ms += LOA_DAY_MS;
    return WHEN_OK;
}

/* --- "01/12/2026" --------------------------------------------------------- */

/* Day, month, year. WHEN_FORM, with *s where it was: no date is here. */
static enum when_fault take_date(const char **s, struct loa_civil *t)
{
    const char *p = *s;
    char between;
    int n;

    t->day = number(&p, 2, &n);
    between = *p;
    if (t->day < 0 || (between != '/' && between != '-' && between != '.'))
        return WHEN_FORM;
    p++;
    t->month = number(&p, 2, &n);
    if (t->month < 0)
        return WHEN_FORM;
    if (*p != between)
        return *p == '\0' || *p == ' ' ? WHEN_SHORT_YEAR : WHEN_FORM;
    p++;
    t->year = number(&p, 4, &n);
    if (t->year < 0)
        return WHEN_FORM;
    if (n != 4)
        return WHEN_SHORT_YEAR;
    *s = p;
    return WHEN_OK;
}

/* A date and a clock, in either order, and nothing else. */
static enum when_fault of_both(const char *p, bool clock_first, int64_t *at_ms)
{
    struct loa_civil t;
    enum when_fault fault;
    int64_t midnight_ms;

    if (clock_first && !take_clock(&p, &t))
        return WHEN_FORM;
    if (clock_first && *p != ' ')
        return WHEN_FORM;
    skip_spaces(&p);
    fault = take_date(&p, &t);
    if (fault != WHEN_OK)
        return fault;
    if (!clock_first) {
        if (*p == '\0') {
            t.hour = t.minute = t.second = t.millisecond = 0;
            fault = of_civil(loa_civil_to_ms(&t, &midnight_ms));
            return fault == WHEN_OK ? WHEN_NO_CLOCK : fault;
        }
        if (*p != ' ' && *p != 'T')
            return WHEN_FORM;
        p++;
        skip_spaces(&p);
        if (!take_clock(&p, &t))
            return WHEN_FORM;
    }
    return *p == '\0' ? of_civil(loa_civil_to_ms(&t, at_ms)) : WHEN_FORM;
}

enum when_fault when_read(const char *text, int64_t now_ms, int64_t *at_ms)
{
    const char *p = text;
    enum when_fault fault;
    struct loa_civil t;

    if (text[0] == '+')
        return relative(text + 1, now_ms, at_ms);
    if (take_clock(&p, &t)) {
        if (*p == '\0')
            return next_time(&t, now_ms, at_ms);
        return of_both(text, true, at_ms);
    }
    fault = of_both(text, false, at_ms);
    return fault == WHEN_FORM ? of_civil(loa_civil_parse(text, at_ms)) : fault;
}

enum when_fault when_read_end(const char *text, int64_t now_ms, int64_t *at_ms)
{
    enum when_fault fault = when_read(text, now_ms, at_ms);
    char last[32];

    if (fault != WHEN_NO_CLOCK)
        return fault;
    /* What has a fault of this name is a date: ten characters at most. */
    snprintf(last, sizeof last, "%s 23:59:59", text);
    return when_read(last, now_ms, at_ms);
}
