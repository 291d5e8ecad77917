#include "common/pg_copy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg_conn.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"

#define CHUNK_LEN 65536

/* A job walks down this list. A refusal anywhere goes to STEP_ROLLBACK; during
 * STEP_DATA the server's refusal shows when the data's end is answered. */
enum step {
    STEP_IDLE,
    STEP_BEGIN,
    STEP_COPY, /* COPY sent, the server is to ask for data. */
    STEP_DATA, /* Sending it. */
    STEP_END,  /* Sent; the server is to say how many rows. */
    STEP_THEN, /* then[then_i] sent. */
    STEP_COMMIT,
    STEP_ROLLBACK,
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void finish(struct pg_copy *c)
{
    pg_copy_cb done = c->done;

    c->step = STEP_IDLE;
    c->done = NULL;
    done(c->done_data, c->status, c->status == LOA_OK ? c->rows : NULL);
}

static void lost(struct pg_copy *c)
{
    const char *text = PQerrorMessage(c->conn);

    log_error("pg.lost", "step=%d text=%.*s", c->step, pg_first_line(text),
              text);
    uv_poll_stop(&c->poll);
    PQfinish(c->conn);
    c->conn = NULL;
    if (c->step != STEP_IDLE) {
        c->status = LOA_ENOTCONN;
        finish(c);
    }
    if (!c->closed)
        c->on_lost(c->data);
}

static int watch(struct pg_copy *c)
{
    int unsent = PQflush(c->conn);

    if (unsent < 0)
        return LOA_ENOTCONN;
    return uv_poll_start(&c->poll, UV_READABLE | (unsent ? UV_WRITABLE : 0),
                         on_poll) == 0
               ? LOA_OK
               : LOA_ESYS;
}

static int send_step(struct pg_copy *c, enum step step)
{
    const char *sql = step == STEP_BEGIN    ? "BEGIN"
                      : step == STEP_COPY   ? c->job.copy
                      : step == STEP_THEN   ? c->job.then[c->then_i]
                      : step == STEP_COMMIT ? "COMMIT"
                                            : "ROLLBACK";

    c->step = (int)step;
    if (step == STEP_COMMIT && FAILPOINT("pg_copy.commit") != LOA_OK)
        return LOA_ENOTCONN;
    return PQsendQuery(c->conn, sql) ? LOA_OK : LOA_ENOTCONN;
}

/* Put as much data as goes out without piling up in libpq's buffer. */
static int send_data(struct pg_copy *c)
{
    while (c->sent_len < c->job.len) {
        size_t len = c->job.len - c->sent_len;
        int rc;
        if (len > CHUNK_LEN)
            len = CHUNK_LEN;
        rc = PQputCopyData(c->conn, c->job.data + c->sent_len, (int)len);
        if (rc < 0)
            return LOA_ENOTCONN;
        if (rc == 0)
            return LOA_OK;
        c->sent_len += len;
        rc = PQflush(c->conn);
        if (rc < 0)
            return LOA_ENOTCONN;
        if (rc == 1)
            return LOA_OK; /* on_poll() comes back when it is writable. */
    }
    if (PQputCopyEnd(c->conn, NULL) < 0)
        return LOA_ENOTCONN;
    c->step = STEP_END;
    return LOA_OK;
}

static void refused(struct pg_copy *c, const PGresult *res)
{
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *where = PQresultErrorField(res, PG_DIAG_CONTEXT);

    if (c->status != LOA_OK)
        return; /* The first one counts. */
    c->status = LOA_EDB;
    memset(c->sqlstate, 0, sizeof c->sqlstate);
    if (state != NULL)
        memcpy(c->sqlstate, state, strnlen(state, sizeof c->sqlstate - 1));
    /* The context names table, line and column, and then quotes data. */
    log_warn("pg.copy_refused", "sqlstate=%s where=%.*s text=%s", c->sqlstate,
             where == NULL ? 0 : (int)strcspn(where, ":\n"),
             where == NULL ? "" : where, text == NULL ? "" : text);
}

/* One result of the step. */
static int take(struct pg_copy *c, const PGresult *res)
{
    switch (PQresultStatus(res)) {
        case PGRES_COPY_IN:
            if (c->step == STEP_COPY) {
                c->step = STEP_DATA;
                return send_data(c);
            }
            return LOA_OK; /* Still in it. */
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
            if (c->step == STEP_THEN)
                c->rows[c->then_i] =
                    strtoull(PQcmdTuples((PGresult *)(uintptr_t)res), NULL, 10);
            return LOA_OK;
        default:
            refused(c, res);
            return LOA_OK;
    }
}

/* The step has all its results: go on. */
static int next(struct pg_copy *c)
{
    if (c->step == STEP_COMMIT || c->step == STEP_ROLLBACK) {
        finish(c);
        return LOA_OK;
    }
    if (c->status != LOA_OK)
        return send_step(c, STEP_ROLLBACK);
    if (c->step == STEP_BEGIN)
        return send_step(c, STEP_COPY);
    c->then_i = c->step == STEP_THEN ? c->then_i + 1 : 0;
    return send_step(c, c->then_i < c->job.then_n ? STEP_THEN : STEP_COMMIT);
}

static int results(struct pg_copy *c)
{
    int rv = LOA_OK;

    while (rv == LOA_OK && c->conn != NULL && c->step != STEP_IDLE &&
           c->step != STEP_DATA && !PQisBusy(c->conn)) {
        PGresult *res = PQgetResult(c->conn);
        if (res == NULL)
            rv = next(c);
        else
            rv = take(c, res);
        PQclear(res);
    }
    return rv;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pg_copy *c = poll->data;
    int rv = LOA_OK;

    (void)events;
    if (status < 0 || !PQconsumeInput(c->conn))
        rv = LOA_ENOTCONN;
    if (rv == LOA_OK && c->step == STEP_DATA)
        rv = send_data(c);
    if (rv == LOA_OK)
        rv = results(c);
    if (c->closed)
        return;
    if (rv == LOA_OK)
        rv = watch(c);
    if (rv != LOA_OK)
        lost(c);
}

static void on_wake(uv_timer_t *timer)
{
    struct pg_copy *c = timer->data;

    if (c->conn != NULL)
        lost(c);
}

int pg_copy_run(struct pg_copy *c,
                const struct pg_copy_job *job,
                pg_copy_cb done,
                void *data)
{
    assert(job->then_n <= PG_COPY_THEN_MAX);
    if (c->conn == NULL)
        return LOA_ENOTCONN;
    if (c->step != STEP_IDLE)
        return LOA_EBUSY;
    c->job = *job;
    c->done = done;
    c->done_data = data;
    c->status = LOA_OK;
    c->sent_len = 0;
    memset(c->rows, 0, sizeof c->rows);
    if (send_step(c, STEP_BEGIN) != LOA_OK || watch(c) != LOA_OK)
        uv_timer_start(&c->wake, on_wake, 0, 0); /* done is told by lost(). */
    return LOA_OK;
}

const char *pg_copy_sqlstate(const struct pg_copy *c)
{
    return c->sqlstate;
}

static int run_now(PGconn *conn, const char *sql)
{
    PGresult *res = PQexec(conn, sql);
    int rv = LOA_OK;

    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        rv = PQstatus(conn) == CONNECTION_OK ? LOA_EDB : LOA_ENOTCONN;
        log_error("pg.setup", "text=%.*s", pg_first_line(PQerrorMessage(conn)),
                  PQerrorMessage(conn));
    }
    PQclear(res);
    return rv;
}

int pg_copy_open(struct pg_copy *c,
                 uv_loop_t *loop,
                 const struct pg_conf *conf,
                 const char *const *setup,
                 size_t setup_n,
                 pg_lost_cb on_lost,
                 void *data)
{
    int rv;

    memset(c, 0, sizeof *c);
    c->on_lost = on_lost;
    c->data = data;
    c->conn = pg_conn_open(conf, &rv);
    if (c->conn == NULL)
        return rv;
    for (size_t i = 0; rv == LOA_OK && i < setup_n; i++)
        rv = run_now(c->conn, setup[i]);
    if (rv == LOA_OK && (PQsetnonblocking(c->conn, 1) != 0 ||
                         uv_poll_init(loop, &c->poll, PQsocket(c->conn)) != 0))
        rv = LOA_ESYS;
    if (rv != LOA_OK) {
        PQfinish(c->conn);
        c->conn = NULL;
        return rv;
    }
    uv_timer_init(loop, &c->wake);
    c->poll.data = c->wake.data = c;
    uv_poll_start(&c->poll, UV_READABLE, on_poll); /* Also while idle. */
    return LOA_OK;
}

void pg_copy_close(struct pg_copy *c)
{
    if (c->closed)
        return;
    c->closed = true;
    uv_close((uv_handle_t *)&c->wake, NULL);
    uv_close((uv_handle_t *)&c->poll, NULL);
    PQfinish(c->conn);
    c->conn = NULL;
}
