#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loactl/ctl.h"
#include "proto/civil.h"

static int64_t unit_ms(char unit)
{
    switch (unit) {
        case 's':
            return 1000;
        case 'm':
            return 60000;
        case 'h':
            return 3600000;
        case 'd':
            return LOA_DAY_MS;
        default:
            return 0;
    }
}

/* "+90s", "+5m", "+1h30m", "+1d". */
static bool relative(const char *text, int64_t now_ms, int64_t *at_ms)
{
    const char *p = text + 1;

    *at_ms = now_ms;
    do {
        char *end;
        long n = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : -1;
        if (n < 0 || n > 100000000 || unit_ms(*end) == 0)
            return false;
        *at_ms += n * unit_ms(*end);
        p = end + 1;
    } while (*p != '\0');
    return true;
}

/* "17:00": the next time that the clock shows this. */
static bool time_of_day(const char *text, int64_t now_ms, int64_t *at_ms)
{
    int h, m, used = 0;

    if (sscanf(text, "%2d:%2d%n", &h, &m, &used) != 2 || text[used] != '\0' ||
        h < 0 || h > 23 || m < 0 || m > 59)
        return false;
    *at_ms = loa_civil_day_start(now_ms) + h * 3600000LL + m * 60000LL;
    if (*at_ms <= now_ms)
        *at_ms += LOA_DAY_MS;
    return true;
}

bool when_parse(const struct ctl *c,
                const char *text,
                int64_t now_ms,
                int64_t *at_ms)
{
    enum loa_civil_fault fault;

    if (text[0] == '+' ? relative(text, now_ms, at_ms)
                       : time_of_day(text, now_ms, at_ms))
        return true;
    fault = loa_civil_parse(text, at_ms);
    if (fault == LOA_CIVIL_OK)
        return true;
    ctl_fail(c, 0, "%s: %s (hoặc 17:00, +5m, +1h30m)",
             "%s: %s (or 17:00, +5m, +1h30m)", text,
             loa_civil_text(fault, !c->english));
    return false;
}
