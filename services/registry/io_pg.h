/* io_pg.h -- the registry's tables: loaded at start, written by updates. */

#ifndef LOA_REGISTRY_IO_PG_H
#define LOA_REGISTRY_IO_PG_H

#include "common/pg.h"
#include "registry/registry.h"

/* Statements of one update at most, with room for inbox and outbox. */
#define IO_PG_STMTS_MAX 33

extern const struct pg_stmt io_pg_stmts[];
extern const size_t io_pg_stmts_n;

/* Wait until no other registry works on this database, and read everything into
 * *r. Blocking: before the loop runs. LOA_EBUSY: another one does, or there is
 * more than fits; a log line says which. LOA_EDB, LOA_ENOTCONN. */
LOA_MUST_CHECK int io_pg_load(struct pg *pg, struct registry *r);

/* Add what an update writes to the current batch; not the answer and not the
 * signed list. Errors as pg_query(). */
LOA_MUST_CHECK int io_pg_save(struct pg *pg,
                              const struct registry *r,
                              const struct registry_event *ev,
                              const struct registry_update *up);

/* Forget requests for codes that ended a week ago, and the oldest of very many.
 * In a batch of its own; what fails is done the next time. */
void io_pg_prune(struct pg *pg);

/* Ask for a device's newest certificate, in the current batch. */
LOA_MUST_CHECK int io_pg_certificate(struct pg *pg,
                                     const struct device *d,
                                     pg_rows_cb cb,
                                     void *data);

#endif /* LOA_REGISTRY_IO_PG_H */
