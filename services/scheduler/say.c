#include "scheduler/say.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/civil.h"

const char *say_name(enum say_code code)
{
    static const char *const names[SAY_CODES_N] = {
        [SAY_OK] = "ok",
        [SAY_INVALID] = "invalid",
        [SAY_NOT_ALLOWED] = "not-allowed",
        [SAY_NOT_FOUND] = "not-found",
        [SAY_CONFLICT] = "conflict",
        [SAY_EXISTS] = "exists",
        [SAY_PAST] = "past",
        [SAY_NOT_APPROVED] = "not-approved",
        [SAY_TOO_LARGE] = "too-large",
        [SAY_BUSY] = "busy",
        [SAY_FAILED] = "failed",
        [SAY_EXPIRED] = "expired",
        [SAY_REVOKED] = "revoked",
        [SAY_IN_USE] = "in-use",
    };

    return code < SAY_CODES_N ? names[code] : "unknown";
}

void say(struct say *s, enum say_code code, const char *vi, const char *en, ...)
{
    va_list ap, again;

    va_start(ap, en);
    va_copy(again, ap);
    s->code = code;
    vsnprintf(s->vi, sizeof s->vi, vi, ap);
    vsnprintf(s->en, sizeof s->en, en, again);
    va_end(again);
    va_end(ap);
}

const char *say_time(int64_t at_ms, char buf[SAY_TIME_CAP])
{
    struct loa_civil c;

    if (loa_civil_from_ms(at_ms, &c) != LOA_OK)
        snprintf(buf, SAY_TIME_CAP, "-");
    else
        snprintf(buf, SAY_TIME_CAP, "%02d:%02d:%02d %02d/%02d/%04d",
                 (uint8_t)c.hour, (uint8_t)c.minute, (uint8_t)c.second,
                 (uint8_t)c.day, (uint8_t)c.month, (uint16_t)c.year);
    return buf;
}
