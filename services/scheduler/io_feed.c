#include "scheduler/io_feed.h"

#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "scheduler/io_pg.h"

#define TICK_MS 1000  /* Days begin, and certificates end. */
#define PASS_MS 5     /* Between the pieces of a pass. */
#define NO_ROOM_MS 50 /* Until a pass that had no room tries again. */

static void on_tick(uv_timer_t *timer);
static void on_committed(void *data, int status);

/* --- carrying out what the core wants ------------------------------------- */

static struct feed_commit *room(struct feed *f)
{
    const struct pg *pg = &f->service->pg;

    if (!pg_has_room(pg, IO_PG_ENTRIES_MAX) ||
        pg->unanswered_len + IO_PG_BYTES_MAX > PG_UNANSWERED_LEN_MAX)
        return NULL;
    for (size_t i = 0; i < FEED_COMMITS_MAX; i++)
        if (!f->commits[i].used)
            return &f->commits[i];
    return NULL;
}

static void fail(struct feed *f, const char *what, int rv)
{
    log_error("scheduler.store", "what=%s text=%s", what, loa_strerror(rv));
    service_stop(f->service, EXIT_FAILURE);
}

static void log_programmes(struct feed *f, bool asked)
{
    const struct scheduler_update *up = &f->update;

    for (uint32_t i = 0; i < up->programmes_n; i++) {
        const struct scheduler_programme *p = &up->programmes[i];
        const struct area *a = &f->core.plan.areas.rows[p->area];

        log_line(asked ? LOG_INFO : LOG_DEBUG, "programme.made",
                 "area=%s version=%llu bulletins=%u bytes=%zu", a->path,
                 (unsigned long long)a->programme.version,
                 a->programme.bulletins_n, p->envelope.len);
        metric_inc(&f->stats.own[STATS_MADE]);
        if (p->omitted_n > 0)
            log_error("programme.full", "area=%s omitted=%u", a->path,
                      p->omitted_n);
        metric_add(&f->stats.own[STATS_OMITTED], p->omitted_n);
    }
}

/* Bulletins that nobody asked to change were cancelled by a revocation. */
static void log_cancelled(struct feed *f)
{
    const struct scheduler_update *up = &f->update;
    char id[2 * LOA_ID_BYTES + 1];

    for (uint32_t i = 0; i < up->bulletins_n; i++) {
        const struct bulletin *b = &f->core.plan.bulletins[up->bulletins[i]];

        loa_hex(b->id, LOA_ID_BYTES, id);
        log_warn("bulletin.cancelled", "bulletin=%s why=%s requested_by=%s", id,
                 scheduler_why_name(b->why), b->requested_by);
        metric_inc(&f->stats.own[STATS_CANCELLED]);
    }
}

static void remember_made(struct feed *f, struct feed_commit *c)
{
    c->made_n = f->update.programmes_n;
    for (uint32_t i = 0; i < c->made_n; i++) {
        uint32_t row = f->update.programmes[i].area;
        const struct area *a = &f->core.plan.areas.rows[row];

        c->made[i].area = row;
        c->made[i].version = a->programme.version;
        memcpy(c->made[i].hash, a->programme.hash, sizeof a->programme.hash);
    }
}

/* Write the update in one batch, with the answer if there is one to give. */
static void write_update(struct feed *f,
                         struct feed_commit *c,
                         struct rpc_call *call)
{
    const struct scheduler_update *up = &f->update;
    struct pg *pg = &f->service->pg;
    int rv = FAILPOINT("scheduler.write");

    remember_made(f, c);
    c->feed = f;
    c->call = call;
    c->began_us = clock_mono_us();
    if (rv == LOA_OK) /* What it was decided on may not be durable yet. */
        rv = pg_follow(pg);
    if (rv == LOA_OK)
        rv = io_pg_write(pg, &f->service->outbox, &f->core, up);
    if (rv == LOA_OK && call != NULL)
        rv = rpc_store(call, wire_answer(&f->wire, &f->core, up->answer));
    if (rv == LOA_OK)
        rv = pg_commit(pg, on_committed, c);
    c->used = rv == LOA_OK;
    if (rv == LOA_OK)
        return;
    pg_abort(pg);
    fail(f, "batch", rv);
}

/* Is what was decided kept, whatever it was? A refusal that is forgotten would
 * take effect when the broker gives the same envelope again and the reason is
 * gone; and "cancelled already" may rest on a batch that fails. Without the
 * power the outcome is the same for ever. */
static bool settles(const struct scheduler_event *ev)
{
    return ev->type == SCHEDULER_REQUEST &&
           (ev->request->what == SCHEDULER_ADD ||
            ev->request->what == SCHEDULER_CHANGE ||
            ev->request->what == SCHEDULER_CANCEL) &&
           !ev->request->dry_run && (ev->who->powers & LOA_POWER_SCHEDULE) != 0;
}

/* Feed one event, carry out its update. c is room for a batch, or NULL where
 * the event never writes. */
static void feed(struct feed *f,
                 struct scheduler_event *ev,
                 struct feed_commit *c,
                 struct rpc_call *call)
{
    int rv;

    if (f->service->stopping)
        return;
    ev->at_ms = clock_wall_ms();
    ev->doubted = !io_clock_believed(&f->clock);
    rv = scheduler_step(&f->core, ev, &f->update);
    if (rv != LOA_OK) {
        log_error("scheduler.step", "event=%d text=%s", (int)ev->type,
                  loa_strerror(rv));
        return;
    }
    log_programmes(f, call != NULL);
    if (call == NULL)
        log_cancelled(f);
    if (f->update.more)
        uv_timer_start(&f->tick, on_tick, PASS_MS, TICK_MS);
    if (f->update.durable || settles(ev))
        write_update(f, c, call);
    else if (call != NULL)
        rpc_answer(call, wire_answer(&f->wire, &f->core, f->update.answer));
}

/* --- requests ------------------------------------------------------------- */

static void log_request(const struct scheduler_request *r,
                        const struct say *say,
                        const char *principal)
{
    char id[2 * LOA_ID_BYTES + 1];

    loa_hex(r->bulletin_id, LOA_ID_BYTES, id);
    log_line(r->what == SCHEDULER_FIND ? LOG_DEBUG : LOG_INFO,
             "scheduler.request", "what=%s code=%s who=%s bulletin=%s text=%s",
             stats_what_name(r->what), say_name(say->code), principal, id,
             say->en);
}

static void process(struct feed *f,
                    struct feed_commit *c,
                    struct rpc_call *call)
{
    static struct scheduler_request request;
    struct scheduler_event ev = {.type = SCHEDULER_REQUEST,
                                 .request = &request,
                                 .who = &call->who,
                                 .certificates = call->certificates,
                                 .certificates_n = call->certificates_n};
    struct loa_bytes body = {call->body, call->body_len};
    char principal[LOA_PRINCIPAL_CAP];
    const struct say *say;
    struct say why;

    /* The call may be over when its answer has been sent. */
    memcpy(principal, call->who.principal, sizeof principal);
    if (wire_request(&f->wire, body, &request, &why) != LOA_OK) {
        say = &why;
        rpc_answer(call, wire_refusal(&f->wire, &why));
    } else {
        feed(f, &ev, c, call);
        say = &f->core.answer.say;
    }
    metric_inc(&f->stats.requests[request.what][say->code]);
    log_request(&request, say, principal);
}

static void drain(struct feed *f)
{
    while (f->pending_n > 0 && !f->service->stopping) {
        struct rpc_call *call = f->pending[f->pending_head];
        struct feed_commit *c = room(f);

        if (c == NULL)
            return;
        f->pending_head = (f->pending_head + 1) % RPC_CALLS_MAX;
        f->pending_n--;
        process(f, c, call);
    }
}

void feed_request(struct feed *f, struct rpc_call *call)
{
    /* There are never more calls than the ring has places. */
    f->pending[(f->pending_head + f->pending_n++) % RPC_CALLS_MAX] = call;
    drain(f);
}

static void on_committed(void *data, int status)
{
    struct feed_commit *c = data;
    struct feed *f = c->feed;
    struct scheduler_event ev = {
        .type = SCHEDULER_COMMITTED, .made = c->made, .made_n = c->made_n};

    if (c->call != NULL)
        rpc_committed(c->call, status);
    c->used = false;
    if (status != LOA_OK) {
        fail(f, "commit", status);
        return;
    }
    metric_observe(&f->stats.own[STATS_COMMIT],
                   (double)(clock_mono_us() - c->began_us) / 1e6);
    feed(f, &ev, NULL, NULL);
    drain(f);
}

/* --- time, trust, areas --------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct feed *f = timer->data;
    struct scheduler_event ev = {.type = f->trust_due ? SCHEDULER_TRUST
                                                      : SCHEDULER_TICK};
    struct feed_commit *c = room(f);

    if (c == NULL) {
        uv_timer_start(&f->tick, on_tick, NO_ROOM_MS, TICK_MS);
        return;
    }
    io_clock_tick(&f->clock);
    f->trust_due = false;
    feed(f, &ev, c, NULL);
    drain(f);
}

void feed_trust(struct feed *f)
{
    f->trust_due = true;
    uv_timer_start(&f->tick, on_tick, 0, TICK_MS);
}

void feed_areas(struct feed *f, const struct sync_page *page, bool complete)
{
    static struct scheduler_area areas[SYNC_ROWS_MAX];
    struct scheduler_event ev = {.type = SCHEDULER_AREAS,
                                 .areas = areas,
                                 .areas_n = page->rows_n,
                                 .areas_complete = complete};

    for (uint32_t i = 0; i < page->rows_n; i++)
        areas[i] = page->rows[i].area;
    feed(f, &ev, NULL, NULL);
}

/* Did we sign it? */
static bool is_own(struct feed *f, const struct loa_envelope *e)
{
    struct loa_expect want = {.type = LOA_TYPE_PROGRAMME,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
    enum loa_verdict v =
        loa_trust_verify(&f->service->trust.trust, e, &want, NULL);

    /* Not the dates: our own clock may have been wrong when we signed it. */
    return (v == LOA_VERDICT_OK || v == LOA_VERDICT_EXPIRED ||
            v == LOA_VERDICT_FUTURE) &&
           memcmp(e->signatures[0].key, f->service->identity.key.public_key,
                  LOA_KEY_BYTES) == 0;
}

void feed_programme(struct feed *f, const struct mqtt_msg *m)
{
    struct loa_bytes p = {m->payload, m->len};
    struct scheduler_event ev = {.type = SCHEDULER_SEEN};
    uint8_t hash[LOA_HASH_BYTES];
    struct loa_envelope e;
    struct loa_topic t;
    uint32_t row;

    if (m->len == 0 || loa_topic_parse(m->topic, &t) != LOA_OK)
        return;
    loa_hash(p, hash);
    row = areas_find(&f->core.plan.areas, t.area);
    if (row != AREA_NONE && memcmp(f->core.plan.areas.rows[row].programme.hash,
                                   hash, sizeof hash) == 0)
        return;
    loa_arena_reset(&f->wire.answer);
    if (loa_envelope_parse(&f->wire.answer, p, &e) != LOA_OK ||
        strcmp(e.header.area, t.area) != 0 || !is_own(f, &e)) {
        log_warn("programme.stranger", "area=%s text=not signed by us", t.area);
        return;
    }
    ev.seen_area = t.area;
    if (wire_programme(&f->wire, e.header.body, &ev.seen_version) == LOA_OK)
        feed(f, &ev, NULL, NULL);
}

/* --- open, close ---------------------------------------------------------- */

int feed_open(struct feed *f,
              struct service *service,
              const struct scheduler_conf *conf,
              uint64_t *areas_version)
{
    int rv;

    memset(f, 0, sizeof *f);
    f->service = service;
    uv_timer_init(&service->loop, &f->tick);
    f->tick.data = f;
    f->open = true;
    rv = scheduler_open(&f->core, conf);
    if (rv == LOA_OK)
        rv = wire_init(&f->wire);
    if (rv == LOA_OK)
        rv = stats_init(&f->stats, &service->metrics);
    if (rv == LOA_OK)
        rv = io_pg_load(&service->pg, &f->core, areas_version);
    if (rv != LOA_OK)
        return rv;
    log_info("scheduler.loaded", "bulletins=%u approvals=%u areas=%u",
             f->core.plan.index.rows_n, f->core.plan.approvals.index.rows_n,
             f->core.plan.areas.rows_n);
    return uv_timer_start(&f->tick, on_tick, 0, TICK_MS) == 0 ? LOA_OK
                                                              : LOA_ESYS;
}

void feed_close(struct feed *f)
{
    if (f->open)
        uv_close((uv_handle_t *)&f->tick, NULL);
    f->open = false;
}

void feed_free(struct feed *f)
{
    wire_close(&f->wire);
    scheduler_close(&f->core);
}
