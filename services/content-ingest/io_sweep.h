/* io_sweep.h -- what is over goes, a little at a time.
 *
 * Parts of uploads that ended, packets of streams in the trash, contents whose
 * grace is over, rows that nobody asks for any more. Each turn deletes a slice,
 * so that the one database connection is never held up for long. */

#ifndef LOA_CONTENT_IO_SWEEP_H
#define LOA_CONTENT_IO_SWEEP_H

#include <uv.h>

#include "common/pg.h"
#include "proto/key.h"

struct sweep {
    uv_loop_t *loop;
    struct pg *pg;
    uint64_t delete_grace_ms;
    /* Whether contents may be deleted now. */
    bool (*may_delete)(void *data);
    /* A content was deleted. */
    void (*deleted)(void *data, const uint8_t hash[LOA_HASH_BYTES]);
    void *data;
    uv_timer_t timer;
    bool running; /* A batch is on its way. */
    bool closed;
    int64_t done_n; /* Rows of the turn: none, then rest. */
};

/* Prepare the statements and start the timer: blocking. */
LOA_MUST_CHECK int sweep_open(struct sweep *s);
void sweep_close(struct sweep *s);

#endif /* LOA_CONTENT_IO_SWEEP_H */
