/* save.h -- the core: which devices' rows are written next, and again after a
 * failure.
 *
 * A row that the database refuses must not keep the others from being written:
 * a refused batch is halved until the row is alone, and then given up until its
 * device speaks again. */

#ifndef LOA_TELEMETRY_COLLECTOR_SAVE_H
#define LOA_TELEMETRY_COLLECTOR_SAVE_H

#include "telemetry-collector/presence.h"

#define SAVE_ROWS_MAX 500 /* Of a batch. */

enum save_outcome {
    SAVE_DONE,
    SAVE_REFUSED, /* The database does not want one of the rows. */
    SAVE_FAILED,  /* Anything else: the same rows may be good later. */
};

struct save {
    struct presence *presence;
    size_t at;                          /* Where to look next: fair to all. */
    size_t rows_max;                    /* 1..SAVE_ROWS_MAX */
    struct device *rows[SAVE_ROWS_MAX]; /* On their way, in order of id. */
    size_t rows_n;
    size_t first; /* Index of the first that was found. */
    bool on_way;
};

void save_init(struct save *s, struct presence *presence);

/* Take dirty devices into rows; they are clean from now on. Returns how many: 0
 * while a batch is on its way. In order of id, as whoever else writes these
 * rows: two transactions cannot wait for each other. */
size_t save_take(struct save *s);

/* What became of the batch. Returns the device whose row is given up, or NULL.
 */
const struct device *save_end(struct save *s, enum save_outcome outcome);

#endif /* LOA_TELEMETRY_COLLECTOR_SAVE_H */
