/* pg.c and pg_value.c against a real server: PGHOST etc. name it. */

#include <stdlib.h>

#include "check.h"
#include "common/pg.h"
#include "common/pg_copy.h"
#include "loop.h"

#define BIG_LEN (20u << 20)

enum {
    PUT,
    BAD_REF,
    COUNT,
    TYPES,
    TYPES_TEXT,
    TWO,
    NOTHING,
    ROWS_FOR_NONE,
    BIG,
    SLOW,
    KILL,
};

static const struct pg_stmt stmts[] = {
    [PUT] = {"put", "INSERT INTO t (k) VALUES ($1)", 1, PG_NONE, false},
    [BAD_REF] = {"bad_ref", "INSERT INTO r (k) VALUES (-1)", 0, PG_NONE, false},
    [COUNT] = {"count", "SELECT count(*) FROM t", 0, PG_ONE, true},
    [TYPES] = {"types",
               "SELECT $1::bigint, $2::int, $3::boolean, $4::bytea, $5::text,"
               " $6::timestamptz, $7::text, $8::text",
               8, PG_ONE, true},
    [TYPES_TEXT] = {"types_text",
                    "SELECT $1::bigint, $2::int, $3::boolean, $4::text", 4,
                    PG_ONE, false},
    [TWO] = {"two", "SELECT generate_series(1, 2)", 0, PG_MAYBE, false},
    [NOTHING] = {"nothing", "SELECT 1 WHERE false", 0, PG_ONE, false},
    [ROWS_FOR_NONE] = {"rows_for_none", "SELECT 1", 0, PG_NONE, false},
    [BIG] = {"big", "SELECT $1::bytea", 1, PG_ONE, true},
    [SLOW] = {"slow", "SELECT pg_sleep(30)", 0, PG_ONE, false},
    [KILL] = {"kill", "SELECT pg_terminate_backend($1::int)", 1, PG_ONE, true},
};
#define STMTS_N (sizeof stmts / sizeof stmts[0])

static const char *const setup[] = {
    "DROP SCHEMA IF EXISTS \"tést\" CASCADE",
    "CREATE SCHEMA \"tést\"",
    "CREATE TABLE t (k int PRIMARY KEY)",
    "CREATE TABLE r (k int REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
};

static const struct pg_conf conf = {"", "test_pg", "tést"};
static uv_loop_t loop;
static struct pg pg;
static char trace[256]; /* One letter a callback, in order. */
static int dones, rows_cbs, lost_n, last_status;

static void note(char c)
{
    size_t len = strlen(trace);

    if (len < sizeof trace - 1) {
        trace[len] = c;
        trace[len + 1] = '\0';
    }
}

static char letter(int status, char ok)
{
    return status == LOA_OK         ? ok
           : status == LOA_EDB      ? 'E'
           : status == LOA_ESHAPE   ? 'S'
           : status == LOA_EBUSY    ? 'B'
           : status == LOA_ENOTCONN ? 'L'
                                    : '?';
}

static void on_rows(void *data, int status, const PGresult *res)
{
    (void)data;
    rows_cbs++;
    CHECK_INT("a result only when it went well", res != NULL, status == LOA_OK);
    note(letter(status, 'r'));
}

static void on_done(void *data, int status)
{
    (void)data;
    dones++;
    last_status = status;
    note(letter(status, 'd'));
    note(' ');
}

static void on_hook(void *data, int status)
{
    (void)data;
    note(letter(status, 'h'));
}

static void on_lost(void *data)
{
    (void)data;
    lost_n++;
    note('!');
}

static void fresh(void)
{
    trace[0] = '\0';
    dones = rows_cbs = 0;
}

static void put(int k)
{
    uint8_t buf[4];
    struct pg_value value = pg_i32(k, buf);

    CHECK_INT("put", pg_query(&pg, &stmts[PUT], &value, on_rows, NULL), LOA_OK);
}

static void add(int stmt)
{
    CHECK_INT(stmts[stmt].name,
              pg_query(&pg, &stmts[stmt], NULL, on_rows, NULL), LOA_OK);
}

static void commit(void)
{
    CHECK_INT("commit", pg_commit(&pg, on_done, NULL), LOA_OK);
}

static void on_count(void *data, int status, const PGresult *res)
{
    CHECK_INT("count", status, LOA_OK);
    *(int64_t *)data = res == NULL ? -1 : pg_get_i64(res, 0, 0);
}

static int64_t count(void)
{
    int64_t n = -1;
    int before = dones;

    CHECK_INT("count", pg_query(&pg, &stmts[COUNT], NULL, on_count, &n),
              LOA_OK);
    commit();
    CHECK_INT("count", loop_await(&loop, &dones, before + 1), 1);
    return n;
}

static void test_batches(void)
{
    fresh();
    put(1), put(2), put(3), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_STR("three in one", trace, "rrrd ");
    CHECK_INT("three", count(), 3);

    fresh();
    put(4), put(1), put(5), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_STR("all or none", trace, "rEEE ");
    CHECK_STR("why", pg_sqlstate(&pg), "23505");
    CHECK_STR("which", pg_constraint(&pg), "t_pkey");
    CHECK_INT("none", count(), 3);

    fresh();
    put(4), commit(), put(1), put(5), commit(), put(6), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 3), 1);
    CHECK_STR("each for itself, in order", trace, "rd EEE rd ");
    CHECK_INT("two more", count(), 5);

    fresh();
    put(7), add(BAD_REF), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_STR("refused at the commit", trace, "rrE ");
    CHECK_STR("why", pg_sqlstate(&pg), "23503");
    CHECK_INT("none", count(), 5);

    fresh();
    commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_STR("an empty batch", trace, "d ");
}

static void test_hooks(void)
{
    fresh();
    put(20);
    CHECK_INT("hook", pg_after(&pg, on_hook, NULL), LOA_OK);
    put(21);
    CHECK_INT("hook", pg_after(&pg, on_hook, NULL), LOA_OK);
    commit();
    CHECK_INT("hook", pg_after(&pg, on_hook, NULL), LOA_OK);
    put(20), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 2), 1);
    CHECK_STR("hooks follow their batch", trace, "rrhhd EEE ");

    fresh();
    put(22);
    CHECK_INT("hook", pg_after(&pg, on_hook, NULL), LOA_OK);
    pg_abort(&pg);
    pg_abort(&pg); /* Nothing is open: harmless. */
    put(23), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_STR("given up", trace, "rBrd ");
    CHECK_INT("given up", count(), 8);
}

static void test_shapes(void)
{
    fresh();
    add(TWO), add(NOTHING), add(ROWS_FOR_NONE), put(30), commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_STR("shapes", trace, "SSSrS ");
    CHECK_INT("it is committed", count(), 9);
}

/* Fill the queue: the batch that does not fit is rolled back whole, and what
 * has no room at all is refused at once. */
static void test_full(void)
{
    uint8_t buf[4];
    struct pg_value value;
    int k = 1000, rv = LOA_OK;

    fresh();
    for (; rv == LOA_OK && k < 3000; k++) {
        value = pg_i32(k, buf);
        rv = pg_query(&pg, &stmts[PUT], &value, on_rows, NULL);
    }
    CHECK_INT("full", rv, LOA_EBUSY);
    CHECK_INT("full after", k - 1001, PG_QUEUE_MAX - 2);
    CHECK_INT("no room", pg_has_room(&pg, 1), 0);
    commit();
    CHECK_INT("refused", pg_query(&pg, &stmts[COUNT], NULL, on_rows, NULL),
              LOA_EBUSY);
    CHECK_INT("refused", pg_commit(&pg, on_done, NULL), LOA_EBUSY);
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_INT("rolled back", last_status, LOA_EBUSY);
    CHECK_INT("every callback", rows_cbs, PG_QUEUE_MAX - 2);
    CHECK_INT("one done", dones, 1);
    CHECK_INT("rolled back", count(), 9);
}

static void on_types(void *data, int status, const PGresult *res)
{
    size_t len;

    (void)data;
    CHECK_INT("types", status, LOA_OK);
    if (res == NULL)
        return;
    CHECK_INT("i64", pg_get_i64(res, 0, 0) == INT64_MIN, 1);
    CHECK_INT("i32", pg_get_i64(res, 0, 1), -7);
    CHECK_INT("bool", pg_get_bool(res, 0, 2), 1);
    CHECK_INT("bytes", memcmp(pg_get_bytes(res, 0, 3, &len), "a\0b", 3), 0);
    CHECK_INT("bytes", len, 3);
    CHECK_STR("text", pg_get_text(res, 0, 4, &len), "Xã Tân Hòa");
    CHECK_INT("text", len, strlen("Xã Tân Hòa"));
    CHECK_INT("time", pg_get_time_ms(res, 0, 5), -1);
    CHECK_INT("null", pg_is_null(res, 0, 6), 1);
    CHECK_STR("null", pg_get_text(res, 0, 6, NULL), "");
    CHECK_STR("chars", pg_get_text(res, 0, 7, NULL), "abc");
}

static void on_types_text(void *data, int status, const PGresult *res)
{
    (void)data;
    CHECK_INT("text types", status, LOA_OK);
    if (res == NULL)
        return;
    CHECK_INT("u64", pg_get_u64(res, 0, 0) == INT64_MAX, 1);
    CHECK_INT("i32", pg_get_i64(res, 0, 1), -7);
    CHECK_INT("bool", pg_get_bool(res, 0, 2), 1);
    CHECK_INT("null", pg_is_null(res, 0, 3), 1);
    CHECK_INT("null", pg_get_bool(res, 0, 3), 0);
}

static void test_values(void)
{
    uint8_t b[4][8];
    struct pg_value values[] = {
        pg_i64(INT64_MIN, b[0]),
        pg_i32(-7, b[1]),
        pg_bool(true, b[2]),
        pg_bytes("a\0b", 3),
        pg_text("Xã Tân Hòa"),
        pg_time_ms(-1, b[3]),
        PG_NULL,
        pg_chars("abcdef", 3),
    };
    struct pg_value texts[] = {pg_text("9223372036854775807"), pg_text("-7"),
                               pg_text("true"), pg_text(NULL)};

    fresh();
    CHECK_INT("types", pg_query(&pg, &stmts[TYPES], values, on_types, NULL),
              LOA_OK);
    CHECK_INT("text",
              pg_query(&pg, &stmts[TYPES_TEXT], texts, on_types_text, NULL),
              LOA_OK);
    commit();
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_INT("types", last_status, LOA_OK);
}

static void on_big(void *data, int status, const PGresult *res)
{
    size_t len = 0;

    CHECK_INT("big", status, LOA_OK);
    CHECK_INT("big", memcmp(pg_get_bytes(res, 0, 0, &len), data, BIG_LEN), 0);
    CHECK_INT("big", len, BIG_LEN);
    rows_cbs++;
}

/* More than any socket buffer both ways at once, and more than the limit. */
static void test_big(void)
{
    uint8_t *big = malloc(BIG_LEN);
    struct pg_value value = pg_bytes(big, BIG_LEN);

    for (size_t i = 0; i < BIG_LEN; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 13);
    fresh();
    CHECK_INT("big", pg_query(&pg, &stmts[BIG], &value, on_big, big), LOA_OK);
    commit();
    CHECK_INT("too much", pg_query(&pg, &stmts[BIG], &value, on_big, big),
              LOA_EBUSY);
    CHECK_INT("too much", pg_commit(&pg, on_done, NULL), LOA_EBUSY);
    CHECK_INT("await", loop_await(&loop, &dones, 1), 1);
    CHECK_INT("one came back", rows_cbs, 1);
    CHECK_INT("nothing outstanding", pg.unanswered_len, 0);
    free(big);
}

static void on_done_next(void *data, int status)
{
    int *left = data;

    CHECK_INT("chain", status, LOA_OK);
    if (--*left > 0)
        CHECK_INT("chain", pg_commit(&pg, on_done_next, left), LOA_OK);
    dones++;
}

static void test_chain(void)
{
    int left = 100;

    fresh();
    CHECK_INT("chain", pg_commit(&pg, on_done_next, &left), LOA_OK);
    CHECK_INT("await", loop_await(&loop, &dones, 100), 1);
}

static void test_speed(void)
{
    uint64_t start = uv_hrtime();
    enum { N = 5000 };
    int sent = 0;

    fresh();
    while (sent < N) {
        if (!pg_has_room(&pg, 2)) {
            CHECK_INT("await", loop_await(&loop, &dones, sent - 100), 1);
            continue;
        }
        put(100000 + sent++);
        commit();
    }
    CHECK_INT("await", loop_await(&loop, &dones, N), 1);
    printf("  %d transactions of one insert: %.2f s\n", N,
           (double)(uv_hrtime() - start) / 1e9);
}

static void open_pg(struct pg *p)
{
    CHECK_INT("open", pg_open(p, &loop, &conf, on_lost, p), LOA_OK);
    CHECK_INT("prepare", pg_prepare(p, stmts, 5), LOA_OK);
    CHECK_INT("twice", pg_prepare(p, stmts + 5, STMTS_N - 5), LOA_OK);
}

static void kill_it(struct pg *killer, const struct pg *victim)
{
    uint8_t buf[4];
    struct pg_value pid = pg_i32(PQbackendPID(victim->conn), buf);
    PGresult *res = NULL;

    CHECK_INT("kill", pg_query_now(killer, &stmts[KILL], &pid, &res), LOA_OK);
    CHECK_INT("killed", res != NULL && pg_get_bool(res, 0, 0), 1);
    PQclear(res);
}

static void test_lost(void)
{
    static struct pg other;

    open_pg(&other);
    /* Busy: everything outstanding is told, then on_lost, once. */
    fresh();
    lost_n = 0;
    add(SLOW);
    CHECK_INT("hook", pg_after(&pg, on_hook, NULL), LOA_OK);
    commit();
    put(50), commit();
    uv_run(&loop, UV_RUN_NOWAIT);
    kill_it(&other, &pg);
    CHECK_INT("await", loop_await(&loop, &lost_n, 1), 1);
    /* The server's last word may arrive as the statement's refusal. */
    if (trace[0] == 'E')
        trace[0] = 'L';
    CHECK_STR("told in order", trace, "LLL LL !");
    CHECK_INT("query", pg_query(&pg, &stmts[COUNT], NULL, NULL, NULL),
              LOA_ENOTCONN);
    CHECK_INT("commit", pg_commit(&pg, on_done, NULL), LOA_ENOTCONN);
    pg_close(&pg);
    pg_close(&pg); /* Harmless. */
    uv_run(&loop, UV_RUN_NOWAIT);

    /* Idle: noticed too. */
    open_pg(&pg);
    fresh();
    lost_n = 0;
    kill_it(&other, &pg);
    CHECK_INT("await", loop_await(&loop, &lost_n, 1), 1);
    CHECK_STR("idle", trace, "!");
    pg_close(&pg);
    pg_close(&other);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void on_rows_close(void *data, int status, const PGresult *res)
{
    (void)status;
    (void)res;
    rows_cbs++;
    pg_close(data);
}

/* Close from inside a callback, with more outstanding. */
static void test_close(void)
{
    open_pg(&pg);
    fresh();
    CHECK_INT("query", pg_query(&pg, &stmts[COUNT], NULL, on_rows_close, &pg),
              LOA_OK);
    add(COUNT), commit(), add(COUNT), commit();
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT("only the first", rows_cbs, 1);
    CHECK_INT("no done", dones, 0);
}

static void test_open_errors(void)
{
    static const struct pg_stmt bad = {"bad", "SELECT nonsense", 0, PG_ONE,
                                       false};
    struct pg_conf nowhere = {"host=/nonexistent", "test_pg", NULL};

    CHECK_INT("nowhere", pg_open(&pg, &loop, &nowhere, on_lost, NULL),
              LOA_ENOTCONN);
    CHECK_INT("open", pg_open(&pg, &loop, &conf, on_lost, NULL), LOA_OK);
    CHECK_INT("bad statement", pg_prepare(&pg, &bad, 1), LOA_EDB);
    pg_close(&pg);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void create(void)
{
    static struct pg_copy ddl;
    struct pg_conf c = conf;

    CHECK_INT("ddl",
              pg_copy_open(&ddl, &loop, &c, setup,
                           sizeof setup / sizeof setup[0], on_lost, NULL),
              LOA_OK);
    pg_copy_close(&ddl);
}

int main(void)
{
    CHECK_INT("loop", uv_loop_init(&loop), 0);
    create();
    test_open_errors();
    open_pg(&pg);
    test_batches();
    test_hooks();
    test_shapes();
    test_full();
    test_values();
    test_big();
    test_chain();
    test_speed();
    CHECK_INT("nothing was lost so far", lost_n, 0);
    test_lost();
    test_close();
    CHECK_INT("loop closes", uv_loop_close(&loop), 0);
    return CHECK_DONE();
}
