/* say.h -- what came of a request: a code and one sentence, in Vietnamese and
 * English. The sentence says what is wrong, where, and what to do. */

#ifndef LOA_SCHEDULER_SAY_H
#define LOA_SCHEDULER_SAY_H

#include <stdint.h>

#include "proto/err.h"

#define SAY_CAP 512
#define SAY_TIME_CAP 32

/* The values are those of loa.v1.Status.Code. */
enum say_code {
    SAY_OK = 0,
    SAY_INVALID = 1,
    SAY_NOT_ALLOWED = 2,
    SAY_NOT_FOUND = 3,
    SAY_CONFLICT = 4,
    SAY_EXISTS = 5,
    SAY_PAST = 6,
    SAY_NOT_APPROVED = 7,
    SAY_TOO_LARGE = 8,
    SAY_BUSY = 9,
    SAY_FAILED = 10,
    SAY_EXPIRED = 11,
    SAY_REVOKED = 12,
    SAY_IN_USE = 13,
    SAY_CODES_N = 14,
};

struct say {
    enum say_code code;
    char vi[SAY_CAP];
    char en[SAY_CAP];
};

/* "ok", "conflict", ...: for logs and metrics. */
const char *say_name(enum say_code code);

/* Both texts take the same arguments in the same order. */
void say(struct say *s, enum say_code code, const char *vi, const char *en, ...)
    LOA_PRINTF(3, 5) LOA_PRINTF(4, 5);

/* "17:05:00 21/11/2025", as read on a clock in Viet Nam. Returns buf. */
const char *say_time(int64_t at_ms, char buf[SAY_TIME_CAP]);

#endif /* LOA_SCHEDULER_SAY_H */
