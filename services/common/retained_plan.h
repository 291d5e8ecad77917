/* retained_plan.h -- in which pieces to ask a broker for retained messages of
 * which it would drop some if it was asked for all at once.
 *
 * Given is where retained messages are known to be; a piece is an area with all
 * below it, as large as it may be. Pure. */

#ifndef LOA_COMMON_RETAINED_PLAN_H
#define LOA_COMMON_RETAINED_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/topic.h"

/* Of a piece. Half of what brokers keep for a client (Mosquitto: 1,000), since
 * there may be more than is known. */
#define RETAINED_PIECE_MAX 500

struct retained_area {
    char path[LOA_AREA_CAP];
    uint32_t messages_n; /* Exactly here. */
};

struct retained_plan {
    struct retained_area *areas;
    size_t cap, n;
    size_t own_depth;
    size_t at; /* What is before it was asked for. */
    uint64_t messages_n;
    bool whole; /* The own area was asked for as a whole. */
};

/* areas has cap entries, lent until the next init. own_area is what was asked
 * for as a whole. */
void retained_plan_init(struct retained_plan *plan,
                        struct retained_area *areas,
                        size_t cap,
                        const char *own_area);

/* A message is known to be at path. LOA_EBUSY: cap; it was not noted. */
LOA_MUST_CHECK int retained_plan_add(struct retained_plan *plan,
                                     const char *path);

/* All are noted: begin. whole: the own area was just asked for as a whole,
 * which has brought them if they are few. */
void retained_plan_begin(struct retained_plan *plan, bool whole);

/* The next piece, below the own area. False: there is none left. A piece is
 * larger than RETAINED_PIECE_MAX only when its messages are of that very area.
 */
bool retained_plan_next(struct retained_plan *plan, char piece[LOA_AREA_CAP]);

#endif /* LOA_COMMON_RETAINED_PLAN_H */
