#include "scheduler/io_clock.h"

#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "scheduler/io_pg.h"

static void compared(struct io_clock *c, const PGresult *res)
{
    clockwatch_compared(&c->guard, c->asked_at_ms, clock_wall_ms(),
                        clock_boot_ms(), pg_get_time_ms(res, 0, 0));
    c->due_ms = clock_mono_ms() + IO_CLOCK_COMPARE_MS;
    (void)io_clock_believed(c);
}

int io_clock_open(struct io_clock *c, struct service *service)
{
    PGresult *res;
    int rv;

    c->service = service;
    c->state = CLOCK_BELIEVED;
    clockwatch_init(&c->guard, service->identity.leaf.not_before_ms);
    c->asked_at_ms = clock_wall_ms();
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
                       "scheduler again"
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

void io_clock_tick(struct io_clock *c)
{
    struct pg *pg = &c->service->pg;
    int rv;

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
