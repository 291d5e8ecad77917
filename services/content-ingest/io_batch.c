#include "content-ingest/io_batch.h"

#include <string.h>

#include "proto/io/log.h"

enum refusal batch_refusal(const struct pg *pg, int status)
{
    if (status == LOA_EBUSY)
        return REFUSE_DATABASE_BUSY;
    /* Class 53: disk full, out of memory, too many connections. */
    if (status == LOA_EDB && strncmp(pg_sqlstate(pg), "53", 2) == 0)
        return REFUSE_DATABASE_FULL;
    return REFUSE_DATABASE;
}

int batch_ask(struct pg *pg,
              const struct pg_stmt *stmt,
              const struct pg_value values[],
              pg_rows_cb rows,
              void *data)
{
    int rv = pg_query(pg, stmt, values, rows, data);

    if (rv != LOA_OK) {
        pg_abort(pg);
        return rv;
    }
    if (pg_commit(pg, NULL, NULL) != LOA_OK) /* rows hears of the loss. */
        log_debug("pg.ask", "stmt=%s text=the connection is being lost",
                  stmt->name);
    return LOA_OK;
}

int batch_change(struct pg *pg,
                 const struct pg_stmt *stmt,
                 const struct pg_value values[],
                 pg_done_cb done,
                 void *data)
{
    int rv = pg_query(pg, stmt, values, NULL, NULL);

    (void)rv; /* A batch that found no room says so at its end. */
    return pg_commit(pg, done, data);
}
