/* io_sweep.h -- what is over goes, a little at a time.
 *
 * Parts of uploads that ended, packets of streams in the trash, contents whose
 * grace is over, rows that nobody asks for any more. Each turn deletes a slice,
 * so that the one database connection is never held up for long. */

#ifndef LOA_CONTENT_IO_SWEEP_H
#define LOA_CONTENT_IO_SWEEP_H

#include <uv.h>

#include "common/pg.h"
#include "content-ingest/io_release.h"
#include "content-ingest/stats.h"

struct sweep {
    uv_loop_t *loop;
    struct pg *pg;
    struct release *release;
    struct stats *stats;
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
    /* The content whose grace is over, and what the scheduler says of it. */
    enum sweep_due {
        SWEEP_NONE,
        SWEEP_DUE, /* To be asked about. */
        SWEEP_ASKED,
        SWEEP_FREE,   /* To be deleted, soon or not at all. */
        SWEEP_IN_USE, /* Its mark goes. */
    } due;
    uint8_t hash[LOA_HASH_BYTES];
    int64_t due_at_ms; /* Found then, by the database's clock. */
    bool silent;       /* The last question had no answer. */
};

/* Prepare the statements and start the timer: blocking. */
LOA_MUST_CHECK int sweep_open(struct sweep *s);
void sweep_close(struct sweep *s);

#endif /* LOA_CONTENT_IO_SWEEP_H */
