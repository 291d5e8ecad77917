/* pg_conn.h -- opening a libpq connection and judging its answers, for the
 * modules of pg alone. */

#ifndef LOA_COMMON_PG_CONN_H
#define LOA_COMMON_PG_CONN_H

#include "common/pg.h"

/* Connect (blocking) and set the search path. NULL: *rv says why, and a log
 * line was written. */
PGconn *pg_conn_open(const struct pg_conf *conf, int *rv);

extern const struct pg_stmt pg_follow_stmt; /* Of pg_follow(). */

/* Length of text's first line: the rest is context, often with data in it. */
int pg_first_line(const char *text);

/* Whether the answer is what the statement should give: LOA_OK, LOA_EDB (noted
 * in *pg and logged), LOA_ESHAPE (logged). */
int pg_judge(struct pg *pg, const struct pg_stmt *stmt, const PGresult *res);

/* Note and log that the server refused what name says. */
void pg_refused(struct pg *pg, const char *name, const PGresult *res);

#endif /* LOA_COMMON_PG_CONN_H */
