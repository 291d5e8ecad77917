/* pg_copy.c against a real server: PGHOST etc. name it. */

#include <stdlib.h>

#include "check.h"
#include "common/pg_copy.h"
#include "loop.h"

#define DATA_CAP (64u << 20)

static const char *const setup[] = {
    "CREATE SCHEMA IF NOT EXISTS copytest",
    /* One statement, not two: hence the parentheses. */
    ("CREATE TABLE IF NOT EXISTS t"
     " (k bigint PRIMARY KEY, x text, b bytea, at timestamptz)"),
    "TRUNCATE t",
    "CREATE TEMP TABLE stage (LIKE t)",
};

static const char *const then[] = {
    "INSERT INTO t SELECT * FROM stage ON CONFLICT DO NOTHING",
    "TRUNCATE stage",
};
static const char *const then_bad[] = {
    "INSERT INTO t SELECT * FROM stage ON CONFLICT DO NOTHING",
    "INSERT INTO t SELECT nonsense",
};
static const char *const then_kill[] = {
    "SELECT pg_terminate_backend(pg_backend_pid())",
};
static const char *const then_check[] = {
    "DELETE FROM t WHERE x = E'a\\tb\\\\c\\nXã' AND b = '\\x00ff'"
    " AND at = '2024-02-29 12:00:00.5+00'",
};

static uv_loop_t loop;
static struct pg_copy c;
static struct pg_copy_buf buf;
static int dones, lost_n, status;
static uint64_t rows[2];

static void on_lost(void *data)
{
    (void)data;
    lost_n++;
}

static void on_done(void *data, int s, const uint64_t r[])
{
    (void)data;
    dones++;
    status = s;
    CHECK_INT("rows only when it went well", r != NULL, s == LOA_OK);
    if (r != NULL)
        memcpy(rows, r, sizeof rows);
}

static void row(int64_t k)
{
    CHECK_INT("k", pg_copy_i64(&buf, k), LOA_OK);
    CHECK_INT("x", pg_copy_text(&buf, "a\tb\\c\nXã", 9), LOA_OK);
    CHECK_INT("b", pg_copy_bytes(&buf, "\0\xff", 2), LOA_OK);
    CHECK_INT("at", pg_copy_time_ms(&buf, 1709208000500), LOA_OK);
    CHECK_INT("row", pg_copy_row(&buf), LOA_OK);
}

static int start(const char *const *statements, size_t n)
{
    struct pg_copy_job job = {"COPY stage FROM STDIN (FORMAT text)", buf.text,
                              buf.len, statements, n};

    return pg_copy_run(&c, &job, on_done, NULL);
}

static int run(const char *const *statements, size_t n)
{
    int before = dones;

    CHECK_INT("run", start(statements, n), LOA_OK);
    CHECK_INT("one at a time", start(statements, n), LOA_EBUSY);
    CHECK_INT("await", loop_await(&loop, &dones, before + 1), 1);
    return status;
}

static void test_rows(void)
{
    buf.len = 0;
    row(1), row(2), row(3);
    CHECK_INT("three", run(then, 2), LOA_OK);
    CHECK_INT("three", rows[0], 3);
    buf.len = 0;
    row(3), row(4);
    CHECK_INT("one is known", run(then, 2), LOA_OK);
    CHECK_INT("one is known", rows[0], 1);
    buf.len = 0;
    CHECK_INT("no data", run(then, 2), LOA_OK);
    CHECK_INT("no data", rows[0], 0);
    CHECK_INT("as they were", run(then_check, 1), LOA_OK);
    CHECK_INT("as they were", rows[0], 4);
}

static void test_refused(void)
{
    static char bad[] = "5\tx\t\\N\t\\N\nfive\tx\t\\N\t\\N\n";
    struct pg_copy_buf good = buf;

    buf.text = bad;
    buf.len = strlen(bad);
    CHECK_INT("bad row", run(then, 2), LOA_EDB);
    CHECK_STR("bad row", pg_copy_sqlstate(&c), "22P02");
    buf = good;
    buf.len = 0;
    row(6);
    CHECK_INT("bad statement", run(then_bad, 2), LOA_EDB);
    CHECK_STR("bad statement", pg_copy_sqlstate(&c), "42703");
    /* Nothing of either is left, in the table or the stage. */
    buf.len = 0;
    CHECK_INT("usable", run(then, 2), LOA_OK);
    CHECK_INT("the stage is empty", rows[0], 0);
    buf.len = 0;
    row(6);
    CHECK_INT("usable", run(then, 2), LOA_OK);
    CHECK_INT("it was not there", rows[0], 1);
}

/* More than the socket takes at once. */
static void test_many(void)
{
    enum { N = 200000 };
    uint64_t began = uv_hrtime();

    buf.len = 0;
    for (int k = 0; k < N; k++)
        row(1000 + k);
    CHECK_INT("many", run(then, 2), LOA_OK);
    CHECK_INT("many", rows[0], N);
    printf("  %d rows, %zu MB: %.2f s\n", N, buf.len >> 20,
           (double)(uv_hrtime() - began) / 1e9);
    /* Refused in the first row of them: the rest is taken and dropped. */
    buf.text[0] = 'x';
    CHECK_INT("many refused", run(then, 2), LOA_EDB);
}

static void on_done_close(void *data, int s, const uint64_t r[])
{
    (void)r;
    CHECK_INT("close", s, LOA_OK);
    dones++;
    pg_copy_close(data);
}

static void open_copy(void)
{
    struct pg_conf conf = {"", "test_pg_copy", "copytest"};

    CHECK_INT("open", pg_copy_open(&c, &loop, &conf, setup, 4, on_lost, NULL),
              LOA_OK);
}

static void test_lost(void)
{
    buf.len = 0;
    row(7);
    CHECK_INT("killed", run(then_kill, 1), LOA_ENOTCONN);
    CHECK_INT("await", loop_await(&loop, &lost_n, 1), 1);
    CHECK_INT("lost", start(then, 2), LOA_ENOTCONN);
    pg_copy_close(&c);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT("once", lost_n, 1);
}

static void test_close(void)
{
    struct pg_copy_job job = {"COPY stage FROM STDIN (FORMAT text)", buf.text,
                              buf.len, then, 2};

    open_copy();
    CHECK_INT("run", pg_copy_run(&c, &job, on_done_close, &c), LOA_OK);
    uv_run(&loop, UV_RUN_DEFAULT);
    open_copy(); /* And in the middle of a job. */
    CHECK_INT("run", pg_copy_run(&c, &job, on_done, NULL), LOA_OK);
    pg_copy_close(&c);
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(void)
{
    char *text = malloc(DATA_CAP);

    pg_copy_init(&buf, text, DATA_CAP);
    CHECK_INT("loop", uv_loop_init(&loop), 0);
    open_copy();
    test_rows();
    test_refused();
    test_many();
    CHECK_INT("nothing was lost so far", lost_n, 0);
    test_lost();
    test_close();
    CHECK_INT("loop closes", uv_loop_close(&loop), 0);
    free(text);
    return CHECK_DONE();
}
