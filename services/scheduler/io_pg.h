/* io_pg.h -- the core's tables: read once at start, written batch by batch. */

#ifndef LOA_SCHEDULER_IO_PG_H
#define LOA_SCHEDULER_IO_PG_H

#include "common/outbox.h"
#include "common/pg.h"
#include "scheduler/scheduler.h"
#include "scheduler/sync.h"

/* Entries that one update may take in the queue of pg, at most. */
#define IO_PG_ENTRIES_MAX 400
#define IO_PG_BYTES_MAX \
    ((SCHEDULER_PROGRAMMES_MAX + 8) * LOA_ENVELOPE_BYTES_MAX)

extern const struct pg_stmt io_pg_stmts[];
extern const size_t io_pg_stmts_n;
extern const struct pg_stmt *const io_pg_clock; /* One row: the time there. */

/* Restore *s from the tables; blocking. *areas_version: what the copy of the
 * area tree is complete up to, 0: it never was. LOA_EDB and others of
 * pg_query_now(); LOA_EINVAL, LOA_EBUSY: as scheduler_load_*(), with a log
 * line. */
LOA_MUST_CHECK int io_pg_load(struct pg *pg,
                              struct scheduler *s,
                              uint64_t *areas_version);

/* Add all that an update wants durable to the current batch. Errors as
 * pg_query(). */
LOA_MUST_CHECK int io_pg_write(struct pg *pg,
                               struct outbox *outbox,
                               const struct scheduler *s,
                               const struct scheduler_update *up);

/* Add a page of the area tree to the current batch; with complete, also that
 * the copy is complete up to the page's version. */
LOA_MUST_CHECK int io_pg_write_areas(struct pg *pg,
                                     const struct sync_page *page,
                                     bool complete);

#endif /* LOA_SCHEDULER_IO_PG_H */
