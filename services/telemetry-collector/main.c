/* telemetry-collector -- what devices say, kept and counted.
 *
 * State, health and receipts come in over MQTT; receipts are acknowledged after
 * the commit. Wires only: presence.c, save.c and refusals.c decide, io_store.c
 * and io_pg.c keep, io_out.c and io_rpc.c tell. */

#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/config.h"
#include "proto/io/log.h"
#include "telemetry-collector/collector.h"

static const struct config_option options[] = {
    SERVICE_OPTIONS(struct config, service, "9104"),
    {"devices-max", CONFIG_UINT, offsetof(struct config, devices_max), "32768",
     16, 131072, "devices that may be known; more are not heard"},
    {"summary-interval", CONFIG_DURATION,
     offsetof(struct config, summary_interval_ms), "2s", 100, 600000,
     "how often changed summaries are published"},
    {"keep-receipts-days", CONFIG_UINT,
     offsetof(struct config, keep_receipts_days), "400", 366, 36500,
     "how long receipts are kept, at least; they go by the month"},
    {"keep-health-days", CONFIG_UINT, offsetof(struct config, keep_health_days),
     "400", 7, 36500,
     "how long health reports are kept, at least; they go by the month"},
    {"housekeeping-interval", CONFIG_DURATION,
     offsetof(struct config, housekeeping_interval_ms), "1h", 100, 86400000,
     "how often months are made ahead and dropped"},
};

static void on_failed(void *data)
{
    service_stop(&((struct collector *)data)->service, EXIT_FAILURE);
}

/* --- receipts
 * ----------------------------------------------------------------- */

static void on_began(void *data)
{
    struct collector *c = data;
    struct device **list = c->flying;

    c->flying = c->filling;
    c->flying_n = c->filling_n;
    c->filling = list;
    c->filling_n = 0;
    refusals_advance(&c->refusals, REFUSAL_FILLING);
    for (size_t i = 0; i < c->flying_n; i++) {
        c->flying[i]->flying = c->flying[i]->pending;
        c->flying[i]->filling = false;
    }
}

/* Without its device there is nobody to tell, and without room nobody is told
 * now: the database has it in both cases. */
static void on_refused(void *data, const char *id, uint64_t sequence)
{
    struct collector *c = data;
    struct device *d = presence_find(&c->presence, id);

    c->refused_n++;
    if (io_housekeeping_may_say(c, id))
        log_warn("receipt.set_aside", "device=%s sequence=%llu why=database",
                 id, (unsigned long long)sequence);
    if (d != NULL && refusals_room(&c->refusals, 1))
        refusals_add(&c->refusals, d, sequence, REFUSAL_FLYING);
}

static void on_committed(void *data)
{
    struct collector *c = data;

    refusals_advance(&c->refusals, REFUSAL_FLYING);
    for (size_t i = 0; i < c->flying_n; i++) {
        c->flying[i]->committed = c->flying[i]->flying;
        io_out_ack(c, c->flying[i]);
    }
    c->flying_n = 0;
}

/* The device that speaks; NULL: there is no room for it. */
static struct device *touch(struct collector *c,
                            const struct loa_topic *t,
                            int64_t seen_ms)
{
    struct device *d =
        presence_touch(&c->presence, t->principal, t->area, seen_ms);

    if (d == NULL)
        io_housekeeping_turned_away(c);
    else if (d->said == PRESENCE_UNKNOWN && !d->asked)
        c->unknown = true;
    return d;
}

/* The sender of a batch: its signature counts, not the broker's word. */
static bool believe(struct collector *c,
                    const struct loa_topic *t,
                    struct loa_bytes p,
                    struct loa_envelope *e)
{
    struct loa_expect want = {.type = LOA_TYPE_RECEIPTS,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
    struct loa_identity_claim who;
    enum loa_verdict v = LOA_VERDICT_MALFORMED;

    loa_arena_reset(&c->arena);
    if (loa_envelope_parse(&c->arena, p, e) == LOA_OK)
        v = loa_trust_verify(&c->service.trust.trust, e, &want, &who);
    if (v == LOA_VERDICT_OK &&
        (strcmp(who.certificate.principal, t->principal) != 0 ||
         strcmp(who.certificate.area, t->area) != 0))
        v = LOA_VERDICT_AREA;
    if (v == LOA_VERDICT_OK)
        return true;
    c->disbelieved_n++;
    if (io_housekeeping_may_say(c, t->principal))
        log_warn("receipt.refused", "device=%s verdict=%s", t->principal,
                 loa_verdict_name(v));
    return false;
}

static void count(struct collector *c,
                  struct device *d,
                  const struct wire_batch *b,
                  uint64_t known)
{
    for (size_t i = 0; i < b->receipts_n; i++) {
        const struct wire_receipt *r = &b->receipts[i];
        if (r->why == NULL && r->sequence > known && r->event >= 3 &&
            r->event <= 6)
            presence_count(&c->presence, d, (enum presence_count)(r->event - 3),
                           r->at_us / 1000, clock_wall_ms());
    }
}

/* Receipts that could not be read are durable like the others; the device is
 * told which. */
static size_t unreadable(const struct wire_batch *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->receipts_n; i++)
        n += b->receipts[i].why != NULL;
    return n;
}

static void set_aside(struct collector *c,
                      const struct device *d,
                      const struct wire_batch *b)
{
    for (size_t i = 0; i < b->receipts_n; i++) {
        const struct wire_receipt *r = &b->receipts[i];
        if (r->why == NULL)
            continue;
        c->refused_n++;
        if (io_housekeeping_may_say(c, d->id))
            log_warn("receipt.set_aside", "device=%s sequence=%llu why=%s",
                     d->id, (unsigned long long)r->sequence, r->why);
        refusals_add(&c->refusals, d, r->sequence, REFUSAL_FILLING);
    }
}

static void take_receipts(struct collector *c,
                          struct device *d,
                          const struct wire_batch *b)
{
    uint64_t known = d->pending;
    struct device before = *d;

    if (!refusals_room(&c->refusals, unreadable(b))) {
        c->busy_n++;
        return;
    }
    if (!budget_take(&d->budget, BUDGET_RECEIPTS, b->receipts_n,
                     clock_mono_ms())) {
        c->limited_n++;
        if (io_housekeeping_may_say(c, d->id))
            log_warn("receipt.limited",
                     "device=%s text=it sends more than one device may; what "
                     "it keeps, it sends again",
                     d->id);
        return;
    }
    presence_batch(d, b->log_id, b->oldest, b->receipts[0].sequence,
                   b->receipts[b->receipts_n - 1].sequence);
    if (store_receipts(&c->store, d, b) != LOA_OK) {
        *d = before; /* No room: not acknowledged, so it comes again. */
        c->busy_n++;
        return;
    }
    if (memcmp(before.log_id, d->log_id, LOA_ID_BYTES) != 0)
        known = 0;
    count(c, d, b, known);
    set_aside(c, d, b);
    c->receipts_n += b->receipts_n;
    if (!d->filling)
        c->filling[c->filling_n++] = d;
    d->filling = true;
}

static void on_receipts(struct collector *c,
                        const struct loa_topic *t,
                        struct loa_bytes p)
{
    static struct wire_batch b;
    static uint8_t body[LOA_ENVELOPE_BYTES_MAX];
    struct loa_envelope e;
    struct device *d;

    if (!believe(c, t, p, &e))
        return;
    /* wire_batch() uses the arena again, in which the body lies. */
    memcpy(body, e.header.body.data, e.header.body.len);
    if (wire_batch(&c->arena, (struct loa_bytes){body, e.header.body.len},
                   &b) != LOA_OK) {
        c->malformed_n++;
        if (io_housekeeping_may_say(c, t->principal))
            log_warn("receipt.malformed", "device=%s", t->principal);
        return;
    }
    d = touch(c, t, clock_wall_ms());
    if (d != NULL)
        take_receipts(c, d, &b);
}

/* --- state and health
 * --------------------------------------------------------- */

/* A retained message says what was, not that the device lives now; nor does a
 * will. */
static int64_t seen_at(const struct device *d,
                       const struct wire_state *s,
                       bool retained)
{
    int64_t now_ms = clock_wall_ms();

    if (!retained && s->presence != PRESENCE_LOST)
        return now_ms;
    if (d != NULL)
        return d->last_seen_at_ms;
    return s->at_ms < now_ms ? s->at_ms : now_ms;
}

static void on_state(struct collector *c,
                     const struct loa_topic *t,
                     const struct mqtt_msg *m)
{
    struct loa_bytes p = {m->payload, m->len};
    struct wire_state s;
    struct device *d;

    if (m->retain)
        retained_heard(&c->retained);
    if (m->len == 0 || wire_state(&c->arena, p, &s) != LOA_OK)
        return;
    s.session = presence_session(s.session, clock_wall_ms());
    d = presence_find(&c->presence, t->principal);
    if (d != NULL && !m->retain)
        presence_live(d, t->area, s.presence, s.session);
    if (d != NULL && s.session < d->session)
        return; /* Retained in the area in which it was before, maybe. */
    d = presence_touch(&c->presence, t->principal, t->area,
                       seen_at(d, &s, m->retain));
    if (d == NULL)
        io_housekeeping_turned_away(c);
    else if (presence_state(&c->presence, d, s.presence, s.session, p) &&
             io_housekeeping_may_say(c, d->id))
        log_info("device.state", "device=%s presence=%d session=%llu", d->id,
                 (int)s.presence, (unsigned long long)s.session);
}

static void on_health(struct collector *c,
                      const struct loa_topic *t,
                      struct loa_bytes p)
{
    int64_t now_ms = clock_wall_ms();
    struct wire_health h;
    struct device *d;

    if (wire_health(&c->arena, p, &h) != LOA_OK)
        return;
    d = touch(c, t, now_ms);
    if (d == NULL)
        return;
    presence_health(&c->presence, d, h.playing, h.stale, p);
    if (budget_take(&d->budget, BUDGET_HEALTH, 1, clock_mono_ms()))
        store_health(&c->store, d, &h, now_ms);
    else
        c->unstored_n++;
}

static void on_message(void *data, const struct mqtt_msg *m)
{
    struct collector *c = data;
    struct loa_bytes p = {m->payload, m->len};
    struct loa_topic t;

    if (loa_topic_parse(m->topic, &t) != LOA_OK || t.plane != LOA_PLANE_UP ||
        t.principal[0] == '\0')
        return;
    if (strcmp(t.kind, "receipt") == 0)
        on_receipts(c, &t, p);
    else if (strcmp(t.kind, "state") == 0)
        on_state(c, &t, m);
    else if (strcmp(t.kind, "health") == 0)
        on_health(c, &t, p);
}

/* --- timers
 * --------------------------------------------------------------------- */

static void on_summarise(uv_timer_t *t)
{
    struct collector *c = t->data;

    if (!c->service.mqtt.connected)
        return;
    /* Also without a message: silence makes a device lost. */
    io_out_summaries(c, false);
    io_housekeeping_states(c);
}

static void on_connected(void *data)
{
    struct collector *c = data;

    io_out_summaries(c, true);
    retained_ask(&c->retained, true);
}

static void on_collect(void *data)
{
    io_out_collect(data);
}

/* --- start and stop
 * ---------------------------------------------------------------- */

static int allocate(struct collector *c)
{
    size_t slots_n = 32, n = c->conf.devices_max;
    struct device *devices;
    uint32_t *slots;

    while (slots_n < 2 * n)
        slots_n *= 2;
    c->summaries_cap = n * LOA_AREA_DEPTH_MAX;
    devices = calloc(n, sizeof *devices);
    slots = calloc(slots_n, sizeof *slots);
    presence_init(&c->presence, devices, n, slots, slots_n);
    c->memory = malloc(WIRE_ARENA_BYTES + 5 * LOA_ENVELOPE_BYTES_MAX);
    c->filling = calloc(n, sizeof(struct device *));
    c->flying = calloc(n, sizeof(struct device *));
    c->acks = calloc(n, sizeof(struct device *));
    c->summaries = calloc(c->summaries_cap, sizeof *c->summaries);
    c->sent = calloc(c->summaries_cap, sizeof *c->sent);
    if (devices == NULL || slots == NULL || c->memory == NULL ||
        c->filling == NULL || c->flying == NULL || c->acks == NULL ||
        c->summaries == NULL || c->sent == NULL)
        return LOA_ENOMEM;
    loa_arena_init(&c->arena, c->memory,
                   WIRE_ARENA_BYTES + 5 * LOA_ENVELOPE_BYTES_MAX);
    return LOA_OK;
}

/* What a device said last is in its state as it came. */
static void restore(struct collector *c)
{
    for (size_t i = 0; i < c->presence.n; i++) {
        struct device *d = &c->presence.devices[i];
        struct loa_bytes p = {d->state, d->state_len};
        struct wire_state s;
        if (d->state_len > 0 && wire_state(&c->arena, p, &s) == LOA_OK)
            d->said = s.presence;
    }
}

/* Without its month a row goes into the default partition, and from there into
 * the month when that is made: a table that is locked (by a backup) is no
 * reason not to start. */
static int make_months(struct collector *c)
{
    int rv = io_pg_partitions_now(&c->service.pg, clock_wall_ms());

    if (rv != LOA_EDB)
        return rv;
    log_warn("partitions.unmade", "sqlstate=%s text=tried again later",
             pg_sqlstate(&c->service.pg));
    return LOA_OK;
}

static int on_start(void *data)
{
    struct collector *c = data;
    const struct pg_conf conf = {.conninfo = c->conf.service.pg,
                                 .name = "telemetry-copy",
                                 .schema = "telemetry"};
    const struct store_calls calls = {on_began, on_refused, on_committed,
                                      on_failed, c};
    int rv = io_housekeeping_start(c);

    uv_timer_init(&c->service.loop, &c->summarise);
    c->summarise.data = c;
    uv_timer_start(&c->summarise, on_summarise, c->conf.summary_interval_ms,
                   c->conf.summary_interval_ms);
    if (rv == LOA_OK)
        rv = io_out_metrics(c);
    if (rv == LOA_OK)
        rv = allocate(c);
    if (rv == LOA_OK)
        rv = make_months(c);
    if (rv == LOA_OK)
        rv = io_pg_load(&c->service.pg, &c->presence, clock_wall_ms());
    if (rv == LOA_OK) {
        restore(c);
        rv = store_open(&c->store, &c->service.loop, &conf, &calls);
        c->store_open = rv == LOA_OK;
    }
    return rv;
}

static void on_stop(void *data)
{
    struct collector *c = data;

    uv_close((uv_handle_t *)&c->summarise, NULL);
    io_housekeeping_stop(c);
    if (c->store_open)
        store_close(&c->store);
}

static void release(struct collector *c)
{
    free(c->presence.devices);
    free(c->presence.slots);
    free(c->acks);
    free(c->memory);
    free(c->filling);
    free(c->flying);
    free(c->summaries);
    free(c->sent);
}

int main(int argc, char *argv[])
{
    static struct collector c;
    static const struct service_topic topics[] = {
        {LOA_PLANE_UP, "state"},
        {LOA_PLANE_UP, "health"},
        {LOA_PLANE_UP, "receipt"},
    };
    const struct config_program program = {
        .name = "loa-telemetry-collector",
        .about = "keeps and counts what devices say",
        .example =
            "loa-telemetry-collector --pg 'dbname=loa' --identity "
            "telemetry.id",
        .options = options,
        .options_n = sizeof options / sizeof options[0],
    };
    struct service_conf conf = {
        .name = "telemetry-collector",
        .settings = &c.conf.service,
        .schema = "telemetry",
        .stmts = io_pg_stmts,
        .stmts_n = io_pg_stmts_n,
        .inbox = true,
        .topics = topics,
        .topics_n = sizeof topics / sizeof topics[0],
        .on_request = io_rpc_request,
        .request_type = LOA_TYPE_TELEMETRY_REQUEST,
        .answer_type = LOA_TYPE_TELEMETRY_ANSWER,
        .start = on_start,
        .connected = on_connected,
        .message = on_message,
        .collect = on_collect,
        .stop = on_stop,
        .data = &c,
    };
    int exit_code;

    if (!config_load(&program, argc, argv, &c.conf, &exit_code))
        return exit_code;
    exit_code = service_run(&c.service, &conf);
    release(&c);
    return exit_code;
}
