#include <assert.h>
#include <stdio.h>

#include "common/pg_conn.h"

/* A setting of the session goes back when the transaction that made it fails,
 * and costs no row. The cast is what refuses; it reads the setting so that it
 * is not worked out before it is needed. */
const struct pg_stmt pg_follow_stmt = {
    "pg_follow",
    "SELECT set_config('loa.turn', CASE"
    " WHEN coalesce(nullif(current_setting('loa.turn', true), ''), '0')"
    " = $1::text THEN $2::text"
    " ELSE ('the batch before failed, the last turn was '"
    " || coalesce(current_setting('loa.turn', true), ''))::bigint::text END,"
    " false)",
    2, PG_ONE, false};

int pg_follow(struct pg *pg)
{
    char last[24], next[24];
    struct pg_value values[2];

    assert(pg->batch_n == 0);
    pg->turn_next = pg->turn + 1;
    snprintf(last, sizeof last, "%llu", (unsigned long long)pg->turn);
    snprintf(next, sizeof next, "%llu", (unsigned long long)pg->turn_next);
    values[0] = pg_text(last);
    values[1] = pg_text(next);
    return pg_query(pg, &pg_follow_stmt, values, NULL, NULL);
}
