#include "proto/civil.h"

#include <assert.h>
#include <string.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define ZONE_HOURS_MAX 14
#define EPOCH_WEEKDAY 3 /* 1 January 1970 was a Thursday. */

const char *loa_civil_text(enum loa_civil_fault fault, bool vietnamese)
{
    switch (fault) {
#define X(code, en, vi)    \
    case LOA_CIVIL_##code: \
        return vietnamese ? vi : en;
        LOA_CIVIL_MAP(X)
#undef X
        default:
            return "";
    }
}

/* --- days ----------------------------------------------------------------- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1 January 1970 to 1 January of year. */
static int year_start(int year)
{
    int y = year - 1;

    return (year - 1970) * 365 + (y / 4 - y / 100 + y / 400) -
           (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int days_of(int year, int month, int day)
{
    int days = year_start(year) + day - 1;

    for (int m = 1; m < month; m++)
        days += month_days(year, m);
    return days;
}

/* --- conversion ----------------------------------------------------------- */

int loa_civil_from_ms(int64_t at_ms, struct loa_civil *c)
{
    int64_t first_ms = -LOA_CIVIL_OFFSET_MS;
    int64_t end_ms = first_ms + year_start(LOA_CIVIL_YEAR_MAX + 1) * LOA_DAY_MS;
    int days, in_day_ms;

    if (at_ms < first_ms || at_ms >= end_ms)
        return LOA_EINVAL;
    days = (int)((at_ms - first_ms) / LOA_DAY_MS);
    in_day_ms = (int)((at_ms - first_ms) % LOA_DAY_MS);
    c->weekday = (days + EPOCH_WEEKDAY) % 7;
    c->hour = in_day_ms / (int)HOUR_MS;
    c->minute = in_day_ms / (int)MINUTE_MS % 60;
    c->second = in_day_ms / (int)SECOND_MS % 60;
    c->millisecond = in_day_ms % (int)SECOND_MS;

    c->year = LOA_CIVIL_YEAR_MIN + days / 366; /* At most one too early. */
    while (days >= year_start(c->year + 1))
        c->year++;
    days -= year_start(c->year);
    c->month = 1;
    while (days >= month_days(c->year, c->month))
        days -= month_days(c->year, c->month++);
    c->day = days + 1;
    return LOA_OK;
}

static enum loa_civil_fault civil_check(const struct loa_civil *c)
{
    if (c->year < LOA_CIVIL_YEAR_MIN || c->year > LOA_CIVIL_YEAR_MAX)
        return LOA_CIVIL_YEAR;
    if (c->month < 1 || c->month > 12)
        return LOA_CIVIL_MONTH;
    if (c->month == 2 && c->day == 29 && !is_leap(c->year))
        return LOA_CIVIL_LEAP_DAY;
    if (c->day < 1 || c->day > month_days(c->year, c->month))
        return LOA_CIVIL_DAY;
    if (c->hour < 0 || c->hour > 23)
        return LOA_CIVIL_HOUR;
    if (c->minute < 0 || c->minute > 59)
        return LOA_CIVIL_MINUTE;
    if (c->second < 0 || c->second > 59 || c->millisecond < 0 ||
        c->millisecond > 999)
        return LOA_CIVIL_SECOND;
    return LOA_CIVIL_OK;
}

/* The moment that a clock shows which is offset_ms ahead of UTC. */
static int64_t moment(const struct loa_civil *c, int64_t offset_ms)
{
    return days_of(c->year, c->month, c->day) * LOA_DAY_MS + c->hour * HOUR_MS +
           c->minute * MINUTE_MS + c->second * SECOND_MS + c->millisecond -
           offset_ms;
}

enum loa_civil_fault loa_civil_to_ms(const struct loa_civil *c, int64_t *at_ms)
{
    enum loa_civil_fault fault = civil_check(c);

    if (fault == LOA_CIVIL_OK)
        *at_ms = moment(c, LOA_CIVIL_OFFSET_MS);
    return fault;
}

int64_t loa_civil_day_start(int64_t at_ms)
{
    int64_t local_ms = at_ms + LOA_CIVIL_OFFSET_MS;

    assert(local_ms >= 0);
    return local_ms - local_ms % LOA_DAY_MS - LOA_CIVIL_OFFSET_MS;
}

/* --- text ----------------------------------------------------------------- */

/* Reads exactly n digits at *s and steps over them; -1 if they are not there.
 */
static int digits(const char **s, int n)
{
    int value = 0;

    for (; n > 0; n--, ++*s) {
        if (**s < '0' || **s > '9')
            return -1;
        value = 10 * value + (**s - '0');
    }
    return value;
}

static bool skip(const char **s, char c)
{
    if (**s != c)
        return false;
    ++*s;
    return true;
}

/* Reads "YYYY-MM-DDTHH:MM". False unless it has this form. */
static bool parse_date(const char **s, struct loa_civil *c)
{
    c->year = digits(s, 4);
    if (c->year < 0 || !skip(s, '-'))
        return false;
    c->month = digits(s, 2);
    if (c->month < 0 || !skip(s, '-'))
        return false;
    c->day = digits(s, 2);
    if (c->day < 0 || (!skip(s, 'T') && !skip(s, ' ')))
        return false;
    c->hour = digits(s, 2);
    if (c->hour < 0 || !skip(s, ':'))
        return false;
    c->minute = digits(s, 2);
    return c->minute >= 0;
}

/* Reads "", ":SS" or ":SS.mmm". */
static bool parse_seconds(const char **s, struct loa_civil *c)
{
    c->second = 0;
    c->millisecond = 0;
    if (!skip(s, ':'))
        return true;
    c->second = digits(s, 2);
    if (c->second < 0)
        return false;
    if (skip(s, '.'))
        c->millisecond = digits(s, 3);
    return c->millisecond >= 0;
}

/* Reads the rest: "", "Z" or "+HH:MM". */
static bool parse_zone(const char *s, int64_t *offset_ms)
{
    int sign = *s == '-' ? -1 : 1;
    int hours, minutes;

    *offset_ms = LOA_CIVIL_OFFSET_MS;
    if (*s == '\0')
        return true;
    *offset_ms = 0;
    if (*s == 'Z')
        return s[1] == '\0';
    if (*s != '+' && *s != '-')
        return false;
    s++;
    hours = digits(&s, 2);
    if (hours < 0 || hours > ZONE_HOURS_MAX || !skip(&s, ':'))
        return false;
    minutes = digits(&s, 2);
    *offset_ms = sign * (hours * HOUR_MS + minutes * MINUTE_MS);
    return minutes >= 0 && minutes <= 59 && *s == '\0';
}

enum loa_civil_fault loa_civil_parse(const char *text, int64_t *at_ms)
{
    struct loa_civil c;
    enum loa_civil_fault fault;
    int64_t offset_ms;

    if (!parse_date(&text, &c) || !parse_seconds(&text, &c))
        return LOA_CIVIL_FORM;
    fault = civil_check(&c);
    if (fault != LOA_CIVIL_OK)
        return fault;
    if (!parse_zone(text, &offset_ms))
        return LOA_CIVIL_ZONE;
    /* At either end of the years a zone can lead outside of them. */
    if (loa_civil_from_ms(moment(&c, offset_ms), &c) != LOA_OK)
        return LOA_CIVIL_YEAR;
    return loa_civil_to_ms(&c, at_ms);
}

/* Both write at `to` and return what is behind it: n digits, one character. */
static char *put(char *to, int value, int n)
{
    for (int i = n; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + n;
}

static char *add(char *to, char c)
{
    *to = c;
    return to + 1;
}

void loa_civil_format(int64_t at_ms, char buf[LOA_CIVIL_CAP])
{
    struct loa_civil c;
    char *p;

    if (loa_civil_from_ms(at_ms, &c) != LOA_OK) {
        memcpy(buf, "-", 2);
        return;
    }
    p = put(buf, c.year, 4);
    p = put(add(p, '-'), c.month, 2);
    p = put(add(p, '-'), c.day, 2);
    p = put(add(p, 'T'), c.hour, 2);
    p = put(add(p, ':'), c.minute, 2);
    p = put(add(p, ':'), c.second, 2);
    if (c.millisecond != 0)
        p = put(add(p, '.'), c.millisecond, 3);
    memcpy(p, "+07:00", sizeof "+07:00");
}
