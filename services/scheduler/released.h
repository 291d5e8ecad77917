/* released.h -- contents that content-ingest was told it may delete.
 *
 * From the moment in which it was told so, no bulletin may need such a content
 * on the strength of an approval that is older: its sound may be gone. Who
 * hands it in again has it approved again, and that approval counts. */

#ifndef LOA_SCHEDULER_RELEASED_H
#define LOA_SCHEDULER_RELEASED_H

#include <stdint.h>

#include "proto/key.h"
#include "proto/topic.h"

#define RELEASED_MAX 8192 /* Kept; more: the earliest are forgotten. */

/* So long after the answer nothing is taken for the content. content-ingest
 * deletes within half of it, or asks again. */
#define RELEASED_CLOSED_MS 20000

struct released_row {
    uint8_t content_hash[LOA_HASH_BYTES];
    char area[LOA_AREA_CAP]; /* The content-ingest's own. */
    int64_t closed_until_ms;
};

struct released {
    struct released_row rows[RELEASED_MAX];
    uint32_t rows_n;
};

/* Note it, or renew what is noted. Returns the row, lent until the next call.
 */
const struct released_row *released_put(
    struct released *r,
    const uint8_t content_hash[LOA_HASH_BYTES],
    const char *area,
    int64_t closed_until_ms);

/* The earliest closed_until_ms of all that are kept: what is not kept is not
 * needed in the table either. INT64_MIN: there is room for more, all are. */
int64_t released_earliest(const struct released *r);

/* Until when the content is closed for what sounds in `area`, and when its
 * approval must have been given at the earliest; INT64_MIN: it was never let
 * go there, or too long ago. */
int64_t released_until(const struct released *r,
                       const uint8_t content_hash[LOA_HASH_BYTES],
                       const char *area);

#endif /* LOA_SCHEDULER_RELEASED_H */
