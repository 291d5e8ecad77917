/* loa-scheduler -- takes schedules, publishes programmes and heads.
 *
 * This file only wires: the core meets the world in feed(), the one place where
 * updates are carried out. Requests wait in a queue while the database has no
 * room for what they may write. */

#include <stdlib.h>
#include <string.h>

#include "common/service.h"
#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "scheduler/config.h"
#include "scheduler/io_heads.h"
#include "scheduler/io_pg.h"
#include "scheduler/io_stats.h"
#include "scheduler/io_sync.h"
#include "scheduler/wire.h"

#define COMMITS_MAX 64 /* Batches on their way to the database. */
#define TICK_MS 1000   /* Days begin, and certificates end. */
#define PASS_MS 5      /* Between the pieces of a pass. */
#define NO_ROOM_MS 50  /* Until a pass that had no room tries again. */

struct app;

/* A batch on its way, and what is to be told after it. */
struct commit {
    struct app *app;
    bool used;
    struct rpc_call *call; /* NULL: nobody asked. */
    uint64_t began_us;
    struct scheduler_made made[SCHEDULER_PROGRAMMES_MAX];
    uint32_t made_n;
};

struct app {
    struct config conf;
    struct service service;
    struct scheduler core;
    struct scheduler_update update;
    struct wire wire;
    struct sync sync;
    struct io_heads heads;
    struct stats stats;
    uv_timer_t tick;
    bool tick_open, trust_due;
    struct commit commits[COMMITS_MAX];
    struct rpc_call *pending[RPC_CALLS_MAX]; /* Ring. */
    size_t pending_head, pending_n;
};

static void on_tick(uv_timer_t *timer);

/* --- carrying out what the core wants
 * --------------------------------------------- */

static struct commit *room(struct app *a)
{
    if (!pg_has_room(&a->service.pg, IO_PG_ENTRIES_MAX))
        return NULL;
    for (size_t i = 0; i < COMMITS_MAX; i++)
        if (!a->commits[i].used)
            return &a->commits[i];
    return NULL;
}

/* Memory is ahead of the tables and cannot go back: a restart reads the truth.
 */
static void fail(struct app *a, const char *what, int rv)
{
    log_error("scheduler.store", "what=%s text=%s", what, loa_strerror(rv));
    service_stop(&a->service, EXIT_FAILURE);
}

static void log_update(struct app *a, bool asked)
{
    const struct scheduler_update *up = &a->update;
    char id[2 * LOA_ID_BYTES + 1];

    for (uint32_t i = 0; !asked && i < up->bulletins_n; i++) {
        const struct bulletin *b = &a->core.plan.bulletins[up->bulletins[i]];

        loa_hex(b->id, LOA_ID_BYTES, id);
        log_warn("bulletin.cancelled", "bulletin=%s why=%s requested_by=%s", id,
                 scheduler_why_name(b->why), b->requested_by);
        metric_inc(&a->stats.own[STATS_CANCELLED]);
    }
    for (uint32_t i = 0; i < up->programmes_n; i++) {
        const struct scheduler_programme *p = &up->programmes[i];
        const struct area *area = &a->core.plan.areas.rows[p->area];

        log_line(asked ? LOG_INFO : LOG_DEBUG, "programme.made",
                 "area=%s version=%llu bulletins=%u bytes=%zu", area->path,
                 (unsigned long long)area->programme.version,
                 area->programme.bulletins_n, p->envelope.len);
        metric_inc(&a->stats.own[STATS_MADE]);
        if (p->omitted_n > 0)
            log_error("programme.full", "area=%s omitted=%u", area->path,
                      p->omitted_n);
        metric_add(&a->stats.own[STATS_OMITTED], p->omitted_n);
    }
}

static void on_committed(void *data, int status);

/* Write the update in one batch, with the answer if there is one to give. */
static void write_update(struct app *a, struct commit *c, struct rpc_call *call)
{
    const struct scheduler_update *up = &a->update;
    struct pg *pg = &a->service.pg;
    int rv = FAILPOINT("scheduler.write");

    c->call = call;
    c->made_n = up->programmes_n;
    for (uint32_t i = 0; i < up->programmes_n; i++) {
        uint32_t area = up->programmes[i].area;
        const struct area_programme *g =
            &a->core.plan.areas.rows[area].programme;

        c->made[i].area = area;
        c->made[i].version = g->version;
        memcpy(c->made[i].hash, g->hash, sizeof g->hash);
    }
    if (rv == LOA_OK)
        rv = io_pg_write(pg, &a->service.outbox, &a->core, up);
    if (rv == LOA_OK && call != NULL)
        rv = rpc_store(call, wire_answer(&a->wire, &a->core, up->answer));
    c->app = a;
    c->began_us = clock_mono_us();
    c->used = true;
    if (rv == LOA_OK)
        rv = pg_commit(pg, on_committed, c);
    if (rv == LOA_OK)
        return;
    c->used = false;
    pg_abort(pg);
    fail(a, "batch", rv);
}

/* Feed one event, carry out its update. *c is room for a batch, or NULL where
 * the event never writes. */
static void feed(struct app *a,
                 struct scheduler_event *ev,
                 struct commit *c,
                 struct rpc_call *call)
{
    int rv;

    if (a->service.stopping)
        return;
    ev->at_ms = clock_wall_ms();
    rv = scheduler_step(&a->core, ev, &a->update);
    if (rv != LOA_OK) {
        log_error("scheduler.step", "event=%d text=%s", (int)ev->type,
                  loa_strerror(rv));
        return;
    }
    log_update(a, call != NULL);
    if (a->update.more)
        uv_timer_start(&a->tick, on_tick, PASS_MS, TICK_MS);
    if (a->update.durable)
        write_update(a, c, call);
    else if (call != NULL)
        rpc_answer(call, wire_answer(&a->wire, &a->core, a->update.answer));
}

/* --- requests
 * ------------------------------------------------------------------------ */

static void process(struct app *a, struct commit *c, struct rpc_call *call)
{
    static struct scheduler_request request;
    struct scheduler_event ev = {
        .type = SCHEDULER_REQUEST, .request = &request, .who = &call->who};
    struct loa_bytes body = {call->body, call->body_len};
    char principal[LOA_PRINCIPAL_CAP], id[2 * LOA_ID_BYTES + 1];
    struct say why;

    if (wire_request(&a->wire, body, &request, &why) != LOA_OK) {
        log_info("scheduler.malformed", "who=%s text=%s", call->who.principal,
                 why.en);
        metric_inc(&a->stats.requests[request.what][why.code]);
        rpc_answer(call, wire_refusal(&a->wire, &why));
        return;
    }
    /* The call may be over when its answer has been sent. */
    memcpy(principal, call->who.principal, sizeof principal);
    a->update.answer = NULL;
    feed(a, &ev, c, call);
    if (a->update.answer == NULL)
        return;
    loa_hex(request.bulletin_id, LOA_ID_BYTES, id);
    metric_inc(&a->stats.requests[request.what][a->update.answer->say.code]);
    log_line(request.what == SCHEDULER_FIND ? LOG_DEBUG : LOG_INFO,
             "scheduler.request", "what=%s code=%s who=%s bulletin=%s text=%s",
             stats_what_name(request.what),
             say_name(a->update.answer->say.code), principal, id,
             a->update.answer->say.en);
}

static void drain(struct app *a)
{
    struct commit *c;

    while (a->pending_n > 0 && !a->service.stopping && (c = room(a)) != NULL) {
        struct rpc_call *call = a->pending[a->pending_head];

        a->pending_head = (a->pending_head + 1) % RPC_CALLS_MAX;
        a->pending_n--;
        process(a, c, call);
    }
}

static void on_request(void *data, struct rpc_call *call, struct loa_bytes body)
{
    struct app *a = data;

    (void)body; /* The call keeps it. */
    a->pending[(a->pending_head + a->pending_n++) % RPC_CALLS_MAX] = call;
    drain(a);
}

static void on_committed(void *data, int status)
{
    struct commit *c = data;
    struct app *a = c->app;
    struct scheduler_event ev = {
        .type = SCHEDULER_COMMITTED, .made = c->made, .made_n = c->made_n};

    if (c->call != NULL)
        rpc_committed(c->call, status);
    c->used = false;
    if (status != LOA_OK) {
        fail(a, "commit", status);
        return;
    }
    metric_observe(&a->stats.own[STATS_COMMIT],
                   (double)(clock_mono_us() - c->began_us) / 1e6);
    feed(a, &ev, NULL, NULL);
    io_heads_pump(&a->heads);
    drain(a);
}

/* --- time, trust, areas
 * ------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
    struct app *a = timer->data;
    struct scheduler_event ev = {.type = a->trust_due ? SCHEDULER_TRUST
                                                      : SCHEDULER_TICK};
    struct commit *c = room(a);

    if (c == NULL) {
        uv_timer_start(&a->tick, on_tick, NO_ROOM_MS, TICK_MS);
        return;
    }
    a->trust_due = false;
    feed(a, &ev, c, NULL);
    drain(a);
}

static void on_trust_changed(void *data)
{
    struct app *a = data;

    a->trust_due = true;
    uv_timer_start(&a->tick, on_tick, 0, TICK_MS);
    if (a->service.trust.trust.revoked.areas_version > a->sync.since)
        sync_start(&a->sync);
}

static void on_page(void *data, const struct sync_page *page, bool complete)
{
    static struct scheduler_area areas[SYNC_ROWS_MAX];
    struct scheduler_event ev = {.type = SCHEDULER_AREAS,
                                 .areas = areas,
                                 .areas_n = page->rows_n,
                                 .areas_complete = complete};

    for (uint32_t i = 0; i < page->rows_n; i++)
        areas[i] = page->rows[i].area;
    feed(data, &ev, NULL, NULL);
}

/* --- the service
 * ----------------------------------------------------------------------------
 */

static int start(void *data)
{
    struct app *a = data;
    struct service *s = &a->service;
    struct scheduler_conf conf = {
        .limits = {.areas = SCHEDULER_AREAS_MAX,
                   .bulletins = SCHEDULER_BULLETINS_MAX,
                   .placements = SCHEDULER_PLACEMENTS_MAX,
                   .approvals = SCHEDULER_APPROVALS_MAX,
                   .certificates = SCHEDULER_CERTIFICATES_MAX},
        .trust = &s->trust.trust,
        .signer = loa_identity_signer(&s->identity),
        .min_lead_ms = (int64_t)a->conf.min_lead_ms,
        .horizon_days = a->conf.horizon_days,
        .keep_days = a->conf.keep_days,
    };
    uint64_t areas_version;
    uint32_t own;
    int rv;

    memcpy(conf.area, s->identity.leaf.area, sizeof conf.area);
    uv_timer_init(&s->loop, &a->tick);
    a->tick.data = a;
    a->tick_open = true;
    rv = scheduler_open(&a->core, &conf);
    if (rv == LOA_OK)
        rv = wire_init(&a->wire);
    if (rv == LOA_OK)
        rv = stats_init(&a->stats, &s->metrics);
    if (rv == LOA_OK)
        rv = io_pg_load(&s->pg, &a->core, &areas_version);
    if (rv == LOA_OK)
        rv = areas_put(&a->core.plan.areas, conf.area, &own);
    if (rv == LOA_OK)
        rv = sync_open(&a->sync, s, areas_version, on_page, a);
    if (rv != LOA_OK)
        return rv;
    io_heads_open(&a->heads, s, &a->core.plan.areas, own,
                  a->conf.head_interval_ms, &a->stats);
    uv_timer_start(&a->tick, on_tick, 0, TICK_MS);
    log_info("scheduler.loaded", "bulletins=%u approvals=%u areas=%u",
             a->core.plan.index.rows_n, a->core.plan.approvals.index.rows_n,
             a->core.plan.areas.rows_n);
    return LOA_OK;
}

static void connected(void *data)
{
    struct app *a = data;
    char filter[LOA_TOPIC_CAP];

    sync_filter(&a->service, filter);
    if (mqtt_subscribe(&a->service.mqtt, filter, 1) != LOA_OK) {
        service_stop(&a->service, EXIT_FAILURE);
        return;
    }
    sync_start(&a->sync);
    io_heads_pump(&a->heads);
}

static bool intercept(void *data, const struct mqtt_msg *m)
{
    struct app *a = data;

    return io_heads_message(&a->heads, m);
}

/* What no request, no trust list and no TimeRequest is: answers to us. */
static void message(void *data, const struct mqtt_msg *m)
{
    struct app *a = data;

    sync_message(&a->sync, m);
}

static bool ready(void *data, const char **why)
{
    struct app *a = data;

    *why = "the areas have not come from the registry yet";
    return a->core.areas_known;
}

static void collect(void *data)
{
    struct app *a = data;

    stats_collect(&a->stats, &a->core, a->pending_n);
}

static void stop(void *data)
{
    struct app *a = data;

    if (a->tick_open)
        uv_close((uv_handle_t *)&a->tick, NULL);
    io_heads_close(&a->heads);
    sync_close(&a->sync);
}

int main(int argc, char *argv[])
{
    static struct app a; /* Zeroed, and too big for the stack. */
    const struct service_conf conf = {
        .name = "scheduler",
        .settings = &a.conf.service,
        .schema = "scheduler",
        .stmts = io_pg_stmts,
        .stmts_n = io_pg_stmts_n,
        .outbox = true,
        .inbox = true,
        .on_request = on_request,
        .request_type = LOA_TYPE_SCHEDULER_REQUEST,
        .answer_type = LOA_TYPE_SCHEDULER_ANSWER,
        .trust_changed = on_trust_changed,
        .intercept = intercept,
        .start = start,
        .connected = connected,
        .message = message,
        .ready = ready,
        .collect = collect,
        .stop = stop,
        .data = &a,
    };
    int exit_code;

    if (!scheduler_config(argc, argv, &a.conf, &exit_code))
        return exit_code;
    exit_code = service_run(&a.service, &conf);
    wire_close(&a.wire);
    scheduler_close(&a.core);
    return exit_code;
}
