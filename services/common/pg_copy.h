/* pg_copy.h -- bulk rows into PostgreSQL: COPY, then statements, one commit.
 *
 * A connection of its own, since COPY is not allowed in pipeline mode. A job is
 * BEGIN; COPY ... FROM STDIN (FORMAT text); the `then` statements in order;
 * COMMIT -- or ROLLBACK when anything is refused. One job at a time. The usual
 * shape: COPY into a temporary or unlogged stage, INSERT ... SELECT ... ON
 * CONFLICT DO NOTHING, TRUNCATE the stage. */

#ifndef LOA_COMMON_PG_COPY_H
#define LOA_COMMON_PG_COPY_H

#include <libpq-fe.h>
#include <stddef.h>
#include <uv.h>

#include "common/pg.h"
#include "common/pg_copy_text.h"
#include "proto/err.h"

#define PG_COPY_THEN_MAX 8

/* Constants and data, all lent until done. */
struct pg_copy_job {
    const char *copy; /* "COPY stage (a, b) FROM STDIN (FORMAT text)" */
    const char *data; /* Rows as pg_copy_text.h makes them. */
    size_t len;
    const char *const *then; /* then_n statements, at most PG_COPY_THEN_MAX. */
    size_t then_n;
};

/* Outcome of a job. rows[i] is how many rows then[i] touched; lent for the
 * call, NULL unless LOA_OK. status as pg_done_cb; may start the next job. */
typedef void (*pg_copy_cb)(void *data, int status, const uint64_t rows[]);

struct pg_copy {
    PGconn *conn; /* NULL when lost or closed. */
    uv_poll_t poll;
    uv_timer_t wake;
    bool closed;
    pg_lost_cb on_lost;
    void *data;
    int step; /* 0: idle. */
    size_t sent_len, then_i;
    struct pg_copy_job job;
    uint64_t rows[PG_COPY_THEN_MAX];
    int status;
    char sqlstate[6];
    pg_copy_cb done;
    void *done_data;
};

/* As pg_open(). setup_n statements run once, blocking (CREATE TEMP TABLE ...);
 * setup may be NULL. */
LOA_MUST_CHECK int pg_copy_open(struct pg_copy *c,
                                uv_loop_t *loop,
                                const struct pg_conf *conf,
                                const char *const *setup,
                                size_t setup_n,
                                pg_lost_cb on_lost,
                                void *data);

/* Start a job. On LOA_OK done is called exactly once, never from within this
 * call. LOA_EBUSY: one is running; LOA_ENOTCONN. */
LOA_MUST_CHECK int pg_copy_run(struct pg_copy *c,
                               const struct pg_copy_job *job,
                               pg_copy_cb done,
                               void *data);

/* As pg_sqlstate(). */
const char *pg_copy_sqlstate(const struct pg_copy *c);

/* As pg_close(); a running job is dropped, and rolled back by the server. */
void pg_copy_close(struct pg_copy *c);

#endif /* LOA_COMMON_PG_COPY_H */
