/* pg.h -- one PostgreSQL connection in pipeline mode on a libuv loop.
 *
 * Statements are named constants, prepared before the loop runs. pg_query()
 * adds one to the current batch, pg_commit() ends the batch. A batch is ONE
 * transaction: all of it is committed, or none. Many batches may be on their
 * way. Build a batch within one turn of the loop: who returns to the loop with
 * a batch open has a bug (asserted). */

#ifndef LOA_COMMON_PG_H
#define LOA_COMMON_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "proto/err.h"

#define PG_QUEUE_MAX 1024                /* Statements, hooks and batch ends. */
#define PG_UNANSWERED_LEN_MAX (32 << 20) /* Bytes of their parameters. */
#define PG_PARAMS_MAX 32

enum pg_shape {
    PG_NONE,  /* A command: no rows may come back. */
    PG_ONE,   /* Exactly one row. */
    PG_MAYBE, /* One row or none. */
    PG_ROWS,  /* Any number of rows, also none. */
};

struct pg_stmt {
    const char *name; /* Unique per connection; also what logs say. */
    const char *sql;
    int params_n;
    enum pg_shape shape;
    bool binary; /* Result columns come in binary, as pg_i64() etc. want. */
};

/* One parameter. data NULL is SQL NULL. Text must be 0-terminated (len is not
 * used); binary is the type's own wire form: cast in SQL ($1::bigint) so that
 * the server's type is the one meant. */
struct pg_value {
    const void *data;
    int len;
    bool binary;
};

/* Outcome of one statement, in order. status: LOA_OK; LOA_EDB (refused, or an
 * earlier one of its batch was); LOA_ESHAPE (our bug: see shape); LOA_ENOTCONN.
 * res is NULL unless LOA_OK and is lent for the call. It comes BEFORE the
 * commit: act on pg_done_cb where durability counts. */
typedef void (*pg_rows_cb)(void *data, int status, const PGresult *res);

/* Outcome of a batch. LOA_OK: committed. LOA_EDB: rolled back, pg_sqlstate()
 * says why. LOA_EBUSY: rolled back, because a pg_query() of it had been refused
 * or pg_abort() was called. LOA_ESHAPE: committed, but an answer had the wrong
 * shape. LOA_ENOTCONN: the connection ended; it may or may not be committed.
 * The callback may build the next batch, or pg_close(). */
typedef void (*pg_done_cb)(void *data, int status);

/* The connection is gone for good, busy or idle. Comes once, after the outcome
 * of everything outstanding. Only pg_close() may follow. */
typedef void (*pg_lost_cb)(void *data);

struct pg_conf {
    const char *conninfo; /* libpq's; "" takes PGHOST etc. */
    const char *name;     /* application_name, unless conninfo has one. */
    const char *schema;   /* Becomes search_path (then public), or NULL. */
};

struct pg_entry; /* A queued statement, hook or batch end. */

struct pg {
    PGconn *conn; /* NULL when lost or closed. */
    uv_poll_t poll;
    uv_timer_t wake; /* Brings a loss seen in a caller's call to the loop. */
    pg_lost_cb on_lost;
    void *data;
    struct pg_entry *queue; /* Ring of PG_QUEUE_MAX. */
    size_t head, queue_n;   /* Oldest entry; entries. */
    size_t answered_n;      /* Entries from head whose answer is in. */
    size_t batch_n;         /* Entries of the batch being built. */
    size_t unanswered_len;
    PGresult *res;   /* Answer so far of the statement at answered_n. */
    bool open_batch; /* Something was asked for since the last commit. */
    bool spoilt;     /* ... and it must be rolled back. */
    uint64_t turn, turn_next; /* pg_follow(): of the last batch, of this one. */
    bool failed;              /* The connection is gone, on_lost is due. */
    bool closed;
    int batch_status; /* Worst outcome in the batch being answered. */
    char sqlstate[6];
    char constraint[64];
    uint64_t batches_n, failed_n; /* For metrics. */
};

/* Connect (blocking: call before the loop runs). LOA_ENOTCONN, LOA_EDB (the
 * schema setting was refused), LOA_ESYS, LOA_ENOMEM; then *pg needs no
 * pg_close(), and a log line says why. */
LOA_MUST_CHECK int pg_open(struct pg *pg,
                           uv_loop_t *loop,
                           const struct pg_conf *conf,
                           pg_lost_cb on_lost,
                           void *data);

/* Prepare statements (blocking, nothing outstanding); may be called several
 * times. stmts must outlive *pg. LOA_EDB: the log line says which;
 * LOA_ENOTCONN. pg_close() is still needed. */
LOA_MUST_CHECK int pg_prepare(struct pg *pg,
                              const struct pg_stmt *stmts,
                              size_t stmts_n);

/* Run one prepared statement now, blocking, in its own transaction: only before
 * the loop runs. On LOA_OK *res is the caller's to PQclear(); res NULL: not
 * wanted. LOA_EDB, LOA_ESHAPE, LOA_ENOTCONN. */
LOA_MUST_CHECK int pg_query_now(struct pg *pg,
                                const struct pg_stmt *stmt,
                                const struct pg_value values[],
                                PGresult **res);

/* Add a statement to the current batch. values (params_n of them; NULL if none)
 * are copied. On LOA_OK cb (NULL: not interested) is called exactly once, never
 * from within this call. LOA_EBUSY: the queue is full; the batch is spoilt and
 * will be rolled back. LOA_ENOTCONN: on_lost has come or comes from the loop.
 */
LOA_MUST_CHECK int pg_query(struct pg *pg,
                            const struct pg_stmt *stmt,
                            const struct pg_value values[],
                            pg_rows_cb cb,
                            void *data);

/* Also tell cb the outcome of the current batch, before its pg_commit()'s own
 * done; for modules that add to somebody's batch. Errors as pg_query(). */
LOA_MUST_CHECK int pg_after(struct pg *pg, pg_done_cb cb, void *data);

/* The current batch is decided on what earlier ones with a pg_follow() of their
 * own wrote: unless the last of these is committed, it is refused as a whole,
 * and so is every later one. A batch that was spoilt does not count. Batches
 * are on their way together, so without it the second commits although the
 * first failed. Must be the batch's first. Errors as pg_query(). */
LOA_MUST_CHECK int pg_follow(struct pg *pg);

/* End the batch. On LOA_OK done (may be NULL) is called exactly once, never
 * from within this call. Otherwise it is not called: LOA_ENOTCONN; LOA_EBUSY:
 * nothing of this batch was taken, so there is nothing to roll back. */
LOA_MUST_CHECK int pg_commit(struct pg *pg, pg_done_cb done, void *data);

/* Give the current batch up: it is rolled back. Its callbacks come (hooks get
 * LOA_EBUSY). Harmless when nothing is open. */
void pg_abort(struct pg *pg);

/* Whether a batch of stmts_n statements (hooks count) would be taken now. */
bool pg_has_room(const struct pg *pg, size_t stmts_n);

/* The SQLSTATE ("23505") of the last refusal and the constraint's name, or "".
 * Meaningful in a callback that got LOA_EDB. */
const char *pg_sqlstate(const struct pg *pg);
const char *pg_constraint(const struct pg *pg);

/* Close; no callback comes any more, what is outstanding is dropped. May be
 * called in any callback. The memory is free to reuse after the loop has run
 * out. */
void pg_close(struct pg *pg);

/* Parameters: storage is the caller's, and lent until pg_query() returns. */

#define PG_NULL ((struct pg_value){NULL, 0, false})

struct pg_value pg_text(const char *text); /* NULL: SQL NULL. */
/* data NULL with len 0 is an empty bytea, not NULL. */
struct pg_value pg_bytes(const void *data, size_t len);
/* Text with a length, for a value that is not 0-terminated: binary form. */
struct pg_value pg_chars(const char *text, size_t len);
struct pg_value pg_i64(int64_t value, uint8_t buf[8]); /* $n::bigint */
struct pg_value pg_i32(int32_t value, uint8_t buf[4]); /* $n::int */
struct pg_value pg_bool(bool value, uint8_t buf[1]);   /* $n::boolean */
/* Unix ms as timestamptz ($n::timestamptz). */
struct pg_value pg_time_ms(int64_t at_ms, uint8_t buf[8]);

/* Results: row and column must exist; format as the statement asked. All of
 * them take text or binary alike, except pg_get_bytes() and pg_get_time_ms().
 * What is NULL gives 0, "" or false: ask pg_is_null() where it matters. A
 * number that does not fit or does not parse is our bug and asserted: cast in
 * SQL. */

bool pg_is_null(const PGresult *res, int row, int col);
/* 0-terminated, lives as long as res. *len may be NULL. */
const char *pg_get_text(const PGresult *res, int row, int col, size_t *len);
/* bytea of a binary statement: points into res, not copied. */
const void *pg_get_bytes(const PGresult *res, int row, int col, size_t *len);
/* int2, int4, int8. */
int64_t pg_get_i64(const PGresult *res, int row, int col);
uint64_t pg_get_u64(const PGresult *res, int row, int col); /* Not below 0. */
bool pg_get_bool(const PGresult *res, int row, int col);
/* timestamptz as Unix ms; binary statements only. */
int64_t pg_get_time_ms(const PGresult *res, int row, int col);

#endif /* LOA_COMMON_PG_H */
