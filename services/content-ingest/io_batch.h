/* io_batch.h -- batches of one statement, and what to say when one fails. */

#ifndef LOA_CONTENT_IO_BATCH_H
#define LOA_CONTENT_IO_BATCH_H

#include "common/pg.h"
#include "content-ingest/refusal.h"

/* A question. LOA_OK: rows is told, whatever happens. Otherwise there was no
 * room, and nothing is left open. */
LOA_MUST_CHECK int batch_ask(struct pg *pg,
                             const struct pg_stmt *stmt,
                             const struct pg_value values[],
                             pg_rows_cb rows,
                             void *data);

/* A change; returns and tells as pg_commit(). */
LOA_MUST_CHECK int batch_change(struct pg *pg,
                                const struct pg_stmt *stmt,
                                const struct pg_value values[],
                                pg_done_cb done,
                                void *data);

/* What to tell somebody whose statement or batch failed: the disk is full, the
 * database is busy, or it refused. */
enum refusal batch_refusal(const struct pg *pg, int status);

#endif /* LOA_CONTENT_IO_BATCH_H */
