#include "common/pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg_conn.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"

/* A batch always finds room for its own end, and for the ROLLBACK before it. */
#define RESERVE_N 2

struct pg_entry {
    enum { ENTRY_STMT, ENTRY_HOOK, ENTRY_END } kind;
    const struct pg_stmt *stmt; /* ENTRY_STMT */
    pg_rows_cb rows;            /* ENTRY_STMT */
    pg_done_cb done;            /* The others. */
    void *data;
    size_t len;  /* Of its parameters. */
    bool rolled; /* ENTRY_END: after a ROLLBACK of ours. */
};

static const struct pg_stmt rollback = {"pg_rollback", "ROLLBACK", 0, PG_NONE,
                                        false};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_wake(uv_timer_t *timer);

static struct pg_entry *entry_at(struct pg *pg, size_t i)
{
    assert(i < pg->queue_n);
    return &pg->queue[(pg->head + i) % PG_QUEUE_MAX];
}

static void push(struct pg *pg, struct pg_entry entry)
{
    assert(pg->queue_n < PG_QUEUE_MAX);
    pg->queue_n++;
    pg->batch_n++;
    *entry_at(pg, pg->queue_n - 1) = entry;
}

static struct pg_entry pop(struct pg *pg)
{
    struct pg_entry entry = *entry_at(pg, 0);

    pg->head = (pg->head + 1) % PG_QUEUE_MAX;
    pg->queue_n--;
    if (pg->answered_n > 0)
        pg->answered_n--;
    return entry;
}

/* Noticed in the middle of somebody's call: told from the loop. */
static int fail(struct pg *pg)
{
    pg->failed = true;
    uv_poll_stop(&pg->poll);
    uv_timer_start(&pg->wake, on_wake, 0, 0);
    return LOA_ENOTCONN;
}

static void lost(struct pg *pg)
{
    const char *text = PQerrorMessage(pg->conn);
    size_t answered_n = pg->answered_n;

    log_error("pg.lost", "outstanding=%zu text=%.*s", pg->queue_n - answered_n,
              pg_first_line(text), text);
    uv_poll_stop(&pg->poll); /* Before the socket is closed and reused. */
    PQclear(pg->res);
    PQfinish(pg->conn);
    pg->res = NULL;
    pg->conn = NULL;
    for (size_t i = 0; pg->queue_n > 0; i++) {
        struct pg_entry e = pop(pg);
        if (e.kind == ENTRY_STMT && e.rows != NULL && i >= answered_n)
            e.rows(e.data, LOA_ENOTCONN, NULL);
        else if (e.kind != ENTRY_STMT && e.done != NULL)
            e.done(e.data, LOA_ENOTCONN);
        if (pg->closed)
            return;
    }
    pg->on_lost(pg->data);
}

static void on_wake(uv_timer_t *timer)
{
    struct pg *pg = timer->data;

    if (pg->conn != NULL)
        lost(pg);
}

/* Send what libpq has buffered, and ask to be told when there is more to do. */
static int watch(struct pg *pg)
{
    int unsent = PQflush(pg->conn); /* 1: some is left, -1: failed. */

    if (unsent < 0)
        return LOA_ENOTCONN;
    if (uv_poll_start(&pg->poll, UV_READABLE | (unsent ? UV_WRITABLE : 0),
                      on_poll) != 0)
        return LOA_ESYS;
    return LOA_OK;
}

/* A statement has all its answer. The callback may add to the queue, or close.
 */
static void finish_stmt(struct pg *pg)
{
    struct pg_entry *e = entry_at(pg, pg->answered_n);
    PGresult *res = pg->res;
    pg_rows_cb rows = e->rows;
    void *data = e->data;
    int status = pg_judge(pg, e->stmt, res);

    pg->res = NULL;
    pg->unanswered_len -= e->len;
    pg->answered_n++;
    if (rows != NULL)
        rows(data, status, status == LOA_OK ? res : NULL);
    PQclear(res);
}

/* The server has ended the batch at the head of the queue. */
static void finish_batch(struct pg *pg)
{
    int status = pg->batch_status;
    bool more = true;

    if (entry_at(pg, pg->answered_n)->rolled && status != LOA_EDB)
        status = LOA_EBUSY;
    pg->batch_status = LOA_OK;
    pg->batches_n++;
    pg->failed_n += status != LOA_OK;
    (void)FAILPOINT("pg.committed");
    while (more && !pg->closed) {
        struct pg_entry e = pop(pg);
        more = e.kind != ENTRY_END;
        if (e.kind != ENTRY_STMT && e.done != NULL)
            e.done(e.data, status);
    }
}

/* Hooks have no answer of their own; they wait for their batch's end. */
static struct pg_entry *awaited(struct pg *pg)
{
    while (pg->answered_n < pg->queue_n &&
           entry_at(pg, pg->answered_n)->kind == ENTRY_HOOK)
        pg->answered_n++;
    return pg->answered_n < pg->queue_n ? entry_at(pg, pg->answered_n) : NULL;
}

static void take(struct pg *pg, struct pg_entry *e, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);

    if (e->kind == ENTRY_STMT) {
        PQclear(pg->res);
        pg->res = res;
        return;
    }
    if (status == PGRES_FATAL_ERROR) /* A deferred constraint, at commit. */
        pg_refused(pg, "commit", res);
    PQclear(res);
    if (status == PGRES_PIPELINE_SYNC)
        finish_batch(pg);
}

/* libpq gives the results of one statement, then NULL; a batch's end is one
 * result without a NULL behind it. */
static void answers(struct pg *pg)
{
    struct pg_entry *e;
    int nulls = 0;

    while (!pg->closed && (e = awaited(pg)) != NULL && nulls < 2 &&
           !PQisBusy(pg->conn)) {
        PGresult *res = PQgetResult(pg->conn);
        if (res != NULL) {
            nulls = 0;
            take(pg, e, res);
        } else if (e->kind == ENTRY_STMT && pg->res != NULL) {
            nulls = 0;
            finish_stmt(pg);
        } else {
            nulls++;
        }
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pg *pg = poll->data;

    (void)events;
    assert(!pg->open_batch); /* Somebody returned to the loop without commit. */
    if (status < 0 || !PQconsumeInput(pg->conn)) {
        lost(pg);
        return;
    }
    answers(pg);
    if (pg->closed || pg->failed)
        return;
    if (watch(pg) != LOA_OK)
        lost(pg);
}

bool pg_has_room(const struct pg *pg, size_t stmts_n)
{
    return pg->queue_n + stmts_n + RESERVE_N <= PG_QUEUE_MAX;
}

static int begin(struct pg *pg, size_t len)
{
    if (pg->conn == NULL || pg->failed)
        return LOA_ENOTCONN;
    pg->open_batch = true;
    /* One statement over the limit is let through when it is alone. */
    if (!pg_has_room(pg, 1) ||
        (pg->unanswered_len > 0 &&
         pg->unanswered_len + len > PG_UNANSWERED_LEN_MAX))
        pg->spoilt = true;
    return pg->spoilt ? LOA_EBUSY : LOA_OK;
}

/* Parameters as libpq wants them: three arrays. */
struct params {
    const char *data[PG_PARAMS_MAX];
    int lens[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
};

static void spread(const struct pg_stmt *stmt,
                   const struct pg_value values[],
                   struct params *p)
{
    assert(stmt->params_n <= PG_PARAMS_MAX);
    for (int i = 0; i < stmt->params_n; i++) {
        p->data[i] = values[i].data;
        p->lens[i] = values[i].len;
        p->formats[i] = values[i].binary;
    }
}

static int submit(struct pg *pg,
                  const struct pg_stmt *stmt,
                  const struct pg_value values[])
{
    struct params p;

    spread(stmt, values, &p);
    return PQsendQueryPrepared(pg->conn, stmt->name, stmt->params_n, p.data,
                               p.lens, p.formats, stmt->binary)
               ? LOA_OK
               : fail(pg);
}

static size_t values_len(const struct pg_stmt *stmt,
                         const struct pg_value values[])
{
    size_t len = 0;

    for (int i = 0; i < stmt->params_n; i++)
        if (values[i].data != NULL)
            len += values[i].binary ? (size_t)values[i].len
                                    : strlen(values[i].data);
    return len;
}

int pg_query(struct pg *pg,
             const struct pg_stmt *stmt,
             const struct pg_value values[],
             pg_rows_cb cb,
             void *data)
{
    size_t len = values_len(stmt, values);
    int rv = begin(pg, len);

    if (rv == LOA_OK)
        rv = submit(pg, stmt, values);
    if (rv != LOA_OK)
        return rv;
    pg->unanswered_len += len;
    push(pg, (struct pg_entry){.kind = ENTRY_STMT,
                               .stmt = stmt,
                               .rows = cb,
                               .data = data,
                               .len = len});
    return LOA_OK;
}

int pg_after(struct pg *pg, pg_done_cb cb, void *data)
{
    int rv = begin(pg, 0);

    if (rv == LOA_OK)
        push(pg,
             (struct pg_entry){.kind = ENTRY_HOOK, .done = cb, .data = data});
    return rv;
}

int pg_commit(struct pg *pg, pg_done_cb done, void *data)
{
    bool spoilt = pg->spoilt;
    size_t batch_n = pg->batch_n;

    pg->open_batch = pg->spoilt = false;
    pg->batch_n = 0;
    if (spoilt)
        pg->turn_next = pg->turn;
    pg->turn = pg->turn_next;
    if (pg->conn == NULL || pg->failed)
        return LOA_ENOTCONN;
    if (batch_n == 0 && (spoilt || !pg_has_room(pg, 1)))
        return LOA_EBUSY;
    if (spoilt && submit(pg, &rollback, NULL) != LOA_OK)
        return LOA_ENOTCONN;
    if (spoilt)
        push(pg, (struct pg_entry){.kind = ENTRY_STMT, .stmt = &rollback});
    if (FAILPOINT("pg.commit") != LOA_OK || !PQpipelineSync(pg->conn))
        return fail(pg);
    push(pg,
         (struct pg_entry){
             .kind = ENTRY_END, .done = done, .data = data, .rolled = spoilt});
    pg->batch_n = 0;
    if (watch(pg) != LOA_OK)
        fail(pg); /* done is told by lost(). */
    return LOA_OK;
}

void pg_abort(struct pg *pg)
{
    if (!pg->open_batch)
        return;
    pg->spoilt = true;
    if (pg_commit(pg, NULL, NULL) != LOA_OK)
        log_debug("pg.abort", "text=nothing to roll back");
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

const char *pg_constraint(const struct pg *pg)
{
    return pg->constraint;
}

static int pipeline(PGconn *conn, bool on)
{
    if (on)
        return PQenterPipelineMode(conn) && PQsetnonblocking(conn, 1) == 0
                   ? LOA_OK
                   : LOA_ESYS;
    return PQexitPipelineMode(conn) && PQsetnonblocking(conn, 0) == 0
               ? LOA_OK
               : LOA_ESYS;
}

static int prepare(PGconn *conn, const struct pg_stmt *stmt)
{
    PGresult *res =
        PQprepare(conn, stmt->name, stmt->sql, stmt->params_n, NULL);
    int rv = PQresultStatus(res) == PGRES_COMMAND_OK ? LOA_OK : LOA_EDB;

    if (rv != LOA_OK) {
        rv = PQstatus(conn) == CONNECTION_OK ? LOA_EDB : LOA_ENOTCONN;
        log_error("pg.prepare", "stmt=%s text=%.*s", stmt->name,
                  pg_first_line(PQerrorMessage(conn)), PQerrorMessage(conn));
    }
    PQclear(res);
    return rv;
}

int pg_prepare(struct pg *pg, const struct pg_stmt *stmts, size_t stmts_n)
{
    int rv = pipeline(pg->conn, false);

    assert(pg->queue_n == 0);
    for (size_t i = 0; rv == LOA_OK && i < stmts_n; i++)
        rv = prepare(pg->conn, &stmts[i]);
    if (rv == LOA_OK)
        rv = pipeline(pg->conn, true);
    return rv;
}

int pg_query_now(struct pg *pg,
                 const struct pg_stmt *stmt,
                 const struct pg_value values[],
                 PGresult **res)
{
    struct params p;
    PGresult *answer;
    int rv;

    assert(pg->queue_n == 0);
    spread(stmt, values, &p);
    if (pipeline(pg->conn, false) != LOA_OK)
        return LOA_ENOTCONN;
    answer = PQexecPrepared(pg->conn, stmt->name, stmt->params_n, p.data,
                            p.lens, p.formats, stmt->binary);
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        log_error("pg.lost", "stmt=%s text=%.*s", stmt->name,
                  pg_first_line(PQerrorMessage(pg->conn)),
                  PQerrorMessage(pg->conn));
        rv = LOA_ENOTCONN;
    } else {
        rv = pg_judge(pg, stmt, answer);
        pg->batch_status = LOA_OK;
        if (pipeline(pg->conn, true) != LOA_OK)
            rv = LOA_ENOTCONN;
    }
    if (rv == LOA_OK && res != NULL)
        *res = answer;
    else
        PQclear(answer);
    return rv;
}

int pg_open(struct pg *pg,
            uv_loop_t *loop,
            const struct pg_conf *conf,
            pg_lost_cb on_lost,
            void *data)
{
    int rv;

    memset(pg, 0, sizeof *pg);
    pg->on_lost = on_lost;
    pg->data = data;
    pg->queue = calloc(PG_QUEUE_MAX, sizeof *pg->queue);
    if (pg->queue == NULL)
        return LOA_ENOMEM;
    pg->conn = pg_conn_open(conf, &rv);
    if (pg->conn == NULL)
        goto err_after_queue;
    rv = prepare(pg->conn, &rollback);
    if (rv == LOA_OK)
        rv = prepare(pg->conn, &pg_follow_stmt);
    if (rv == LOA_OK)
        rv = pipeline(pg->conn, true);
    if (rv != LOA_OK)
        goto err_after_connect;
    rv = LOA_ESYS;
    if (uv_poll_init(loop, &pg->poll, PQsocket(pg->conn)) != 0)
        goto err_after_connect; /* Last that can fail: needs no undoing. */
    uv_timer_init(loop, &pg->wake);
    pg->poll.data = pg->wake.data = pg;
    /* Watch while idle too, else a loss shows only at the next statement. */
    uv_poll_start(&pg->poll, UV_READABLE, on_poll);
    return LOA_OK;

err_after_connect:
    PQfinish(pg->conn);
    pg->conn = NULL;
err_after_queue:
    free(pg->queue);
    pg->queue = NULL;
    return rv;
}

static void on_closed(uv_handle_t *handle)
{
    struct pg *pg = handle->data;

    free(pg->queue); /* Not earlier: a callback may be walking it. */
    pg->queue = NULL;
}

void pg_close(struct pg *pg)
{
    if (pg->closed)
        return;
    pg->closed = true;
    uv_close((uv_handle_t *)&pg->wake, NULL);
    uv_close((uv_handle_t *)&pg->poll, on_closed);
    PQclear(pg->res);
    PQfinish(pg->conn); /* NULL is fine for both. */
    pg->res = NULL;
    pg->conn = NULL;
}
