/* refusal.h -- why a request was not done: one sentence in each language. */

#ifndef LOA_REGISTRY_REFUSAL_H
#define LOA_REGISTRY_REFUSAL_H

#include <stdint.h>

#include "proto/err.h"

#define REFUSAL_TEXT_CAP 320

/* The values are those of loa.v1.Status.Code. */
enum refusal_code {
    REFUSAL_NONE = 0,
    REFUSAL_INVALID = 1,
    REFUSAL_NOT_ALLOWED = 2,
    REFUSAL_NOT_FOUND = 3,
    REFUSAL_CONFLICT = 4,
    REFUSAL_EXISTS = 5,
    REFUSAL_PAST = 6,
    REFUSAL_TOO_LARGE = 8,
    REFUSAL_BUSY = 9,
    REFUSAL_FAILED = 10,
    REFUSAL_EXPIRED = 11,
    REFUSAL_REVOKED = 12,
    REFUSAL_IN_USE = 13,
};

struct refusal {
    enum refusal_code code;
    uint32_t line; /* Of an imported file, from 1; 0: not about a line. */
    char vi[REFUSAL_TEXT_CAP];
    char en[REFUSAL_TEXT_CAP];
};

/* Fill *r: both texts take the same arguments in the same order. Sets line to
 * 0. Returns LOA_EINVAL, so that a check can `return refuse(...)`. */
int refuse(struct refusal *r,
           enum refusal_code code,
           const char *vi,
           const char *en,
           ...) LOA_PRINTF(3, 5) LOA_PRINTF(4, 5);

/* The same about a line of a file. */
int refuse_line(struct refusal *r,
                enum refusal_code code,
                uint32_t line,
                const char *vi,
                const char *en,
                ...) LOA_PRINTF(4, 6) LOA_PRINTF(5, 6);

#endif /* LOA_REGISTRY_REFUSAL_H */
