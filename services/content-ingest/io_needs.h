/* io_needs.h -- programmes in, the tables of needs kept like the database.
 *
 * Memory is changed at once and areas become dirty; their rows are written a
 * few at a time, and again until it works. Marks of pushes take the same way.
 * So a burst of programmes after a reconnect waits in one flag per area. */

#ifndef LOA_CONTENT_IO_NEEDS_H
#define LOA_CONTENT_IO_NEEDS_H

#include "common/pg.h"
#include "common/trustlist.h"
#include "content-ingest/needs.h"
#include "content-ingest/signers.h"
#include "content-ingest/stats.h"

#define NEEDS_SAVES_MAX 4 /* Areas on their way to the database. */

struct needs_io {
    uv_loop_t *loop;
    struct pg *pg;
    struct trustlist *trust;
    struct needs *needs;
    struct stats *stats;
    struct loa_arena *arena; /* For one programme at a time. */
    const char *own_area;
    /* A programme of this scheduler was believed. */
    void (*signer)(void *data, const char *principal, int64_t expires_at_ms);
    /* What this scheduler has signed is believed no more. */
    void (*revoked)(void *data, const char *principal);
    /* There may be something to push. */
    void (*changed)(void *data);
    void *data;
    struct needs_save {
        struct needs_io *io;
        struct need_area *area; /* NULL: free. */
    } saves[NEEDS_SAVES_MAX];
    struct signers signers;
    uv_timer_t timer; /* Past needs go; what could not be written is retried. */
};

/* Prepare statements, load the tables, start the timer: blocking. */
LOA_MUST_CHECK int needs_io_open(struct needs_io *s);

/* A message on down/programme/<area>, retained or new. */
void needs_io_programme(struct needs_io *s,
                        const char *area,
                        struct loa_bytes p);

/* A newer list of revocations: forget what those have signed whom it revokes.
 * Returns how many signers those are. */
size_t needs_io_trust(struct needs_io *s);

/* Write what is dirty, as far as there is room. */
void needs_io_save(struct needs_io *s);

/* Whether the database has all that memory has. */
bool needs_io_settled(const struct needs_io *s);

void needs_io_close(struct needs_io *s);

#endif /* LOA_CONTENT_IO_NEEDS_H */
