/* pg_follow() against a real server: a batch that was decided on one that
 * fails, fails too, although both are on their way already. */

#include <string.h>

#include "check.h"
#include "common/pg.h"
#include "loop.h"

enum { PUT, BAD_REF, COUNT };

static const struct pg_stmt stmts[] = {
    [PUT] = {"put", "INSERT INTO t (k) VALUES ($1)", 1, PG_NONE, false},
    [BAD_REF] = {"bad_ref", "INSERT INTO r (k) VALUES (-1)", 0, PG_NONE, false},
    [COUNT] = {"count", "SELECT count(*) FROM t", 0, PG_ONE, true},
};

static const char *const setup[] = {
    "DROP SCHEMA IF EXISTS follow CASCADE",
    "CREATE SCHEMA follow",
    "CREATE TABLE follow.t (k int PRIMARY KEY)",
    "CREATE TABLE follow.r (k int REFERENCES follow.t DEFERRABLE INITIALLY"
    " DEFERRED)",
};

static const struct pg_conf conf = {"", "test_pg_follow", "follow"};
static uv_loop_t loop;
static struct pg pg;
static char trace[64]; /* A letter a batch, in order. */
static int dones, lost_n;

static void on_done(void *data, int status)
{
    size_t len = strlen(trace);

    (void)data;
    trace[len] = status == LOA_OK      ? 'd'
                 : status == LOA_EDB   ? 'E'
                 : status == LOA_EBUSY ? 'B'
                                       : '?';
    trace[len + 1] = '\0';
    dones++;
}

static void on_lost(void *data)
{
    (void)data;
    lost_n++;
}

static void on_count(void *data, int status, const PGresult *res)
{
    CHECK_INT("count", status, LOA_OK);
    *(int64_t *)data = res == NULL ? -1 : pg_get_i64(res, 0, 0);
}

static void create(void)
{
    PGconn *conn = PQconnectdb("");

    CHECK_INT("connect", PQstatus(conn), CONNECTION_OK);
    for (size_t i = 0; i < sizeof setup / sizeof setup[0]; i++) {
        PGresult *res = PQexec(conn, setup[i]);

        CHECK_INT(setup[i], PQresultStatus(res), PGRES_COMMAND_OK);
        PQclear(res);
    }
    PQfinish(conn);
}

static void begin(void)
{
    CHECK_INT("open", pg_open(&pg, &loop, &conf, on_lost, NULL), LOA_OK);
    CHECK_INT("prepare", pg_prepare(&pg, stmts, sizeof stmts / sizeof stmts[0]),
              LOA_OK);
    trace[0] = '\0';
    dones = 0;
}

static void end(void)
{
    pg_close(&pg);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void put(int k)
{
    uint8_t buf[4];
    struct pg_value value = pg_i32(k, buf);

    CHECK_INT("put", pg_query(&pg, &stmts[PUT], &value, NULL, NULL), LOA_OK);
}

static void follow(void)
{
    CHECK_INT("follow", pg_follow(&pg), LOA_OK);
}

static void commit(void)
{
    CHECK_INT("commit", pg_commit(&pg, on_done, NULL), LOA_OK);
}

static int64_t count(void)
{
    int64_t n = -1;
    int before = dones;

    CHECK_INT("count", pg_query(&pg, &stmts[COUNT], NULL, on_count, &n),
              LOA_OK);
    CHECK_INT("count", pg_commit(&pg, on_done, NULL), LOA_OK);
    CHECK_INT("count", loop_await(&loop, &dones, before + 1), 1);
    return n;
}

static void await(int batches, const char *want)
{
    CHECK_INT("await", loop_await(&loop, &dones, batches), 1);
    CHECK_STR("batches", trace, want);
}

static void test_one_after_the_other(void)
{
    begin();
    for (int k = 0; k < 20; k++)
        follow(), put(k), commit();
    await(20, "dddddddddddddddddddd");
    CHECK_INT("all", count(), 20);
    end();
}

static void test_batch_after_one_that_failed_was_committed(void)
{
    begin(); /* A new connection begins anew. */
    follow(), put(100), commit();
    follow(), put(100), commit(); /* It is there. */
    follow(), put(101), commit();
    put(102), commit(); /* Decided on nothing. */
    await(4, "dEEd");
    CHECK_INT("the first and the last", count(), 22);
    follow(), put(103), commit();
    await(6, "dEEddE");
    end();
}

static void test_the_first_of_all_fails(void)
{
    begin();
    follow(), put(0), commit();
    follow(), put(200), commit();
    await(2, "EE");
    CHECK_INT("none", count(), 22);
    end();
}

static void test_refused_at_the_commit(void)
{
    begin();
    follow(), put(300), commit();
    follow();
    CHECK_INT("bad", pg_query(&pg, &stmts[BAD_REF], NULL, NULL, NULL), LOA_OK);
    commit();
    follow(), put(301), commit();
    await(3, "dEE");
    CHECK_INT("the first", count(), 23);
    end();
}

static void test_spoilt_does_not_count(void)
{
    begin();
    follow(), put(400), commit();
    follow(), put(401);
    pg_abort(&pg);
    follow(), put(402), commit();
    await(2, "dd");
    CHECK_INT("the first and the third", count(), 25);
    end();
}

int main(void)
{
    CHECK_INT("loop", uv_loop_init(&loop), 0);
    create();
    test_one_after_the_other();
    test_batch_after_one_that_failed_was_committed();
    test_the_first_of_all_fails();
    test_refused_at_the_commit();
    test_spoilt_does_not_count();
    CHECK_INT("nothing was lost", lost_n, 0);
    CHECK_INT("loop closes", uv_loop_close(&loop), 0);
    return CHECK_DONE();
}
