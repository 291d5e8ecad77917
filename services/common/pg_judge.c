#include <string.h>

#include "common/pg_conn.h"
#include "proto/io/log.h"

static void copy_field(char *to, size_t cap, const PGresult *res, int field)
{
    const char *text = PQresultErrorField(res, field);
    size_t len = text == NULL ? 0 : strlen(text);

    if (len >= cap)
        len = cap - 1;
    if (len > 0)
        memcpy(to, text, len);
    to[len] = '\0';
}

void pg_refused(struct pg *pg, const char *name, const PGresult *res)
{
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    copy_field(pg->sqlstate, sizeof pg->sqlstate, res, PG_DIAG_SQLSTATE);
    copy_field(pg->constraint, sizeof pg->constraint, res,
               PG_DIAG_CONSTRAINT_NAME);
    log_warn("pg.refused", "stmt=%s sqlstate=%s text=%s", name, pg->sqlstate,
             text == NULL ? "" : text);
    pg->batch_status = LOA_EDB;
}

static bool has_shape(enum pg_shape shape, const PGresult *res)
{
    int rows_n = PQntuples(res);

    switch (shape) {
        case PG_NONE:
            return PQresultStatus(res) == PGRES_COMMAND_OK;
        case PG_ONE:
            return rows_n == 1;
        case PG_MAYBE:
            return rows_n <= 1;
        default:
            return true;
    }
}

int pg_judge(struct pg *pg, const struct pg_stmt *stmt, const PGresult *res)
{
    switch (PQresultStatus(res)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
            break;
        case PGRES_PIPELINE_ABORTED:
            return LOA_EDB; /* An earlier one was refused, and logged. */
        default:
            pg_refused(pg, stmt->name, res);
            return LOA_EDB;
    }
    if (has_shape(stmt->shape, res))
        return LOA_OK;
    log_error("pg.shape", "stmt=%s rows=%d", stmt->name, PQntuples(res));
    if (pg->batch_status == LOA_OK)
        pg->batch_status = LOA_ESHAPE;
    return LOA_ESHAPE;
}
