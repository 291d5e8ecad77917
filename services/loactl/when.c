#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loactl/ctl.h"
#include "proto/civil.h"

/* "+90s", "+5m", "+2h", "+1d". */
static bool relative(const char *text, int64_t now_ms, int64_t *at_ms)
{
    char *end;
    long n = strtol(text + 1, &end, 10);
    long long unit_ms;

    switch (*end) {
        case 's':
            unit_ms = 1000;
            break;
        case 'm':
            unit_ms = 60000;
            break;
        case 'h':
            unit_ms = 3600000;
            break;
        case 'd':
            unit_ms = LOA_DAY_MS;
            break;
        default:
            return false;
    }
    if (end == text + 1 || end[1] != '\0' || n < 0 || n > 100000000)
        return false;
    *at_ms = now_ms + n * unit_ms;
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
    ctl_fail(c, 0, "%s: %s (hoặc 17:00, +5m)", "%s: %s (or 17:00, +5m)", text,
             loa_civil_text(fault, !c->english));
    return false;
}
