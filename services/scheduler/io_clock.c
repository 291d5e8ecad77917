#include "scheduler/io_clock.h"

#include <stdio.h>
#include <string.h>

#include "proto/civil.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "scheduler/io_pg.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

enum { STMT_LAST, STMT_KEEP };

static const struct pg_stmt stmts[] = {
    [STMT_LAST] = {"clock_last",
                   "SELECT offset_ms FROM clock WHERE boot_id = $1::text", 1,
                   PG_MAYBE, true},
    [STMT_KEEP] = {"clock_keep",
                   "INSERT INTO clock (boot_id, offset_ms)"
                   " VALUES ($1::text, $2::bigint) ON CONFLICT (one) DO UPDATE"
                   " SET boot_id = excluded.boot_id,"
                   " offset_ms = excluded.offset_ms, at = now()",
                   2, PG_NONE, false},
};

static void compared(struct io_clock *c, const PGresult *res)
{
    clockwatch_compared(&c->guard, c->asked_at_ms, clock_wall_ms(),
                        clock_boot_ms(), pg_get_time_ms(res, 0, 0));
    c->due_ms = clock_mono_ms() + IO_CLOCK_COMPARE_MS;
    (void)io_clock_believed(c);
}

static void read_boot_id(struct io_clock *c)
{
    FILE *f = fopen(BOOT_ID_FILE, "re");

    if (f == NULL || fgets(c->boot_id, sizeof c->boot_id, f) == NULL) {
        c->boot_id[0] = '\0';
        log_warn("clock.boot",
                 "file=%s text=it cannot be read, so a jump is "
                 "forgotten when this process ends",
                 BOOT_ID_FILE);
    }
    c->boot_id[strcspn(c->boot_id, "\n")] = '\0';
    if (f != NULL)
        fclose(f);
}

static bool is_today(const char *date)
{
    struct loa_civil c;
    char today[32];

    if (loa_civil_from_ms(clock_wall_ms(), &c) != LOA_OK)
        return false;
    snprintf(today, sizeof today, "%04d-%02d-%02d", (int)c.year, (int)c.month,
             (int)c.day);
    return strcmp(today, date) == 0;
}

/* What an earlier process believed on this machine, since it was started. */
static int restore(struct io_clock *c, const char *right)
{
    struct pg *pg = &c->service->pg;
    struct pg_value id = pg_text(c->boot_id);
    PGresult *res;
    int rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);

    if (rv == LOA_OK)
        rv = pg_query_now(pg, &stmts[STMT_LAST], &id, &res);
    if (rv != LOA_OK)
        return rv;
    if (PQntuples(res) == 1 && is_today(right)) {
        log_info("clock.right", "date=%s text=somebody says that it is", right);
    } else if (PQntuples(res) == 1) {
        c->kept_ms = pg_get_i64(res, 0, 0);
        c->kept = true;
        clockwatch_restore(&c->guard, c->kept_ms);
    }
    PQclear(res);
    return LOA_OK;
}

int io_clock_open(struct io_clock *c,
                  struct service *service,
                  const char *right)
{
    PGresult *res;
    int rv;

    c->service = service;
    c->state = CLOCK_BELIEVED;
    clockwatch_init(&c->guard, service->identity.leaf.not_before_ms);
    read_boot_id(c);
    rv = restore(c, right);
    c->asked_at_ms = clock_wall_ms();
    if (rv == LOA_OK)
        rv = pg_query_now(&service->pg, io_pg_clock, NULL, &res);
    if (rv != LOA_OK)
        return rv;
    compared(c, res);
    PQclear(res);
    return LOA_OK;
}

bool io_clock_believed(struct io_clock *c)
{
    enum clockwatch state =
        clockwatch_look(&c->guard, clock_wall_ms(), clock_boot_ms());

    if (state == c->state)
        return state == CLOCK_BELIEVED;
    c->state = state;
    if (state == CLOCK_BELIEVED)
        log_info("clock.believed", "text=plans and heads are made again");
    else
        log_line(state == CLOCK_MOVED ? LOG_WARN : LOG_ERROR, "clock.doubted",
                 "why=%s ahead_of_database_s=%lld text=nothing is planned and "
                 "no head is signed%s",
                 clockwatch_name(state), (long long)c->guard.apart_ms / 1000,
                 state == CLOCK_JUMPED
                     ? "; set the clock, or, if it is right now, start the "
                       "scheduler again with clock-right"
                     : "");
    return state == CLOCK_BELIEVED;
}

static void on_answer(void *data, int status, const PGresult *res)
{
    struct io_clock *c = data;

    c->asking = false;
    if (status == LOA_OK)
        compared(c, res);
}

static void on_kept(void *data, int status)
{
    struct io_clock *c = data;

    c->keeping = false;
    c->kept = status == LOA_OK;
}

static void keep(struct io_clock *c)
{
    struct pg *pg = &c->service->pg;
    int64_t moved_ms = c->guard.offset_ms - c->kept_ms;
    uint8_t offset[8];
    const struct pg_value values[] = {pg_text(c->boot_id),
                                      pg_i64(c->guard.offset_ms, offset)};
    int rv;

    if (c->boot_id[0] == '\0' || c->keeping ||
        (c->kept && moved_ms < IO_CLOCK_KEEP_MS &&
         moved_ms > -IO_CLOCK_KEEP_MS))
        return;
    rv = pg_query(pg, &stmts[STMT_KEEP], values, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_commit(pg, on_kept, c);
    else
        pg_abort(pg);
    c->keeping = rv == LOA_OK;
    c->kept = false; /* Until on_kept() says so. */
    c->kept_ms = c->guard.offset_ms;
    if (rv != LOA_OK) /* The next tick tries again. */
        log_debug("clock.keep", "text=%s", loa_strerror(rv));
}

void io_clock_tick(struct io_clock *c)
{
    struct pg *pg = &c->service->pg;
    int rv;

    if (io_clock_believed(c))
        keep(c);
    if (c->asking || (io_clock_believed(c) && clock_mono_ms() < c->due_ms))
        return;
    c->asked_at_ms = clock_wall_ms();
    rv = pg_query(pg, io_pg_clock, NULL, on_answer, c);
    c->asking = rv == LOA_OK;
    if (rv == LOA_OK)
        rv = pg_commit(pg, NULL, NULL);
    else
        pg_abort(pg);
    if (rv != LOA_OK) /* The next tick tries again. */
        log_debug("clock.compare", "text=%s", loa_strerror(rv));
}
