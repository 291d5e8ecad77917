/* telemetry-collector -- what devices say, kept and counted.
 *
 * State, health and receipts come in over MQTT; receipts are acknowledged after
 * the commit. Wires only: presence.c decides, io_store.c and io_pg.c keep,
 * io_out.c and io_rpc.c tell. */

#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/config.h"
#include "proto/io/log.h"
#include "telemetry-collector/collector.h"

#define SAVE_INTERVAL_MS 500
#define SAVE_ROWS_MAX 200 /* Of one turn. */
#define DAY_MS 86400000u

static const struct config_option options[] = {
    SERVICE_OPTIONS(struct config, service, "9104"),
    {"devices-max", CONFIG_UINT, offsetof(struct config, devices_max), "16384",
     16, 131072, "devices that may be known"},
    {"summary-interval", CONFIG_DURATION,
     offsetof(struct config, summary_interval_ms), "2s", 100, 600000,
     "how often changed summaries are published"},
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
    for (size_t i = 0; i < c->flying_n; i++) {
        c->flying[i]->flying = c->flying[i]->pending;
        c->flying[i]->filling = false;
    }
}

static void on_committed(void *data)
{
    struct collector *c = data;

    for (size_t i = 0; i < c->flying_n; i++) {
        c->flying[i]->committed = c->flying[i]->flying;
        io_out_ack(c, c->flying[i]);
    }
    c->flying_n = 0;
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
        unsigned event = b->receipts[i].event;
        if (b->receipts[i].sequence > known && event >= 3 && event <= 6)
            presence_count(&c->presence, d, (enum presence_count)(event - 3),
                           clock_wall_ms());
    }
}

static void take_receipts(struct collector *c,
                          struct device *d,
                          const struct wire_batch *b)
{
    uint64_t known = d->pending;
    struct device before = *d;

    if (!d->filling && c->filling_n == c->conf.devices_max)
        return;
    presence_batch(d, b->log_id, b->oldest, b->receipts[0].sequence,
                   b->receipts[b->receipts_n - 1].sequence);
    if (store_receipts(&c->store, d, b) != LOA_OK) {
        *d = before; /* No room: not acknowledged, so it comes again. */
        c->refused_n++;
        return;
    }
    if (memcmp(before.log_id, d->log_id, LOA_ID_BYTES) != 0)
        known = 0;
    count(c, d, b, known);
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
        log_warn("receipt.malformed", "device=%s", t->principal);
        return;
    }
    d = presence_touch(&c->presence, t->principal, t->area, clock_wall_ms());
    if (d != NULL)
        take_receipts(c, d, &b);
}

/* --- state and health
 * --------------------------------------------------------- */

static void on_state(struct collector *c,
                     const struct loa_topic *t,
                     const struct mqtt_msg *m)
{
    struct loa_bytes p = {m->payload, m->len};
    struct wire_state s;
    struct device *d;
    int64_t seen_ms;

    if (m->len == 0 || wire_state(&c->arena, p, &s) != LOA_OK)
        return;
    /* A retained message says what was, not that the device lives now; nor does
     * a will. */
    d = presence_find(&c->presence, t->principal);
    seen_ms = (m->retain || s.presence == PRESENCE_LOST) && d != NULL
                  ? d->last_seen_at_ms
                  : clock_wall_ms();
    d = presence_touch(&c->presence, t->principal, t->area, seen_ms);
    if (d != NULL && presence_state(&c->presence, d, s.presence, s.session, p))
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
    d = presence_touch(&c->presence, t->principal, t->area, now_ms);
    if (d == NULL)
        return;
    presence_health(&c->presence, d, h.playing, h.stale, p);
    store_health(&c->store, d, &h, now_ms);
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

/* Rows of devices that changed, in one batch; what does not fit waits. */
static void on_save(uv_timer_t *t)
{
    struct collector *c = t->data;
    size_t n = 0;

    if (!pg_has_room(&c->service.pg, SAVE_ROWS_MAX + 1))
        return;
    for (size_t i = 0; i < c->presence.cap && n < SAVE_ROWS_MAX; i++) {
        struct device *d = &c->presence.devices[i];
        if (!d->dirty)
            continue;
        if (io_pg_device(&c->service.pg, d) != LOA_OK)
            break;
        d->dirty = false;
        n++;
    }
    if (n == 0)
        pg_abort(&c->service.pg);
    else if (pg_commit(&c->service.pg, NULL, NULL) != LOA_OK)
        log_warn("device.unsaved", "rows=%zu", n);
}

static void on_summarise(uv_timer_t *t)
{
    struct collector *c = t->data;

    /* Also without a message: silence makes a device lost. */
    if (c->service.mqtt.connected)
        io_out_summaries(c, false);
}

static void on_daily(uv_timer_t *t)
{
    struct collector *c = t->data;

    if (io_pg_partitions(&c->service.pg, clock_wall_ms()) != LOA_OK)
        log_warn("partitions.unmade", "text=tried again tomorrow");
}

static void on_connected(void *data)
{
    io_out_summaries(data, true);
}

/* --- start and stop
 * ---------------------------------------------------------------- */

static int allocate(struct collector *c)
{
    size_t cap = 32, n = c->conf.devices_max;
    struct device *devices;

    while (cap < 2 * n)
        cap *= 2;
    c->summaries_cap = n * LOA_AREA_DEPTH_MAX;
    devices = calloc(cap, sizeof *devices);
    c->memory = malloc(WIRE_ARENA_BYTES + 5 * LOA_ENVELOPE_BYTES_MAX);
    c->filling = calloc(n, sizeof(struct device *));
    c->flying = calloc(n, sizeof(struct device *));
    c->summaries = calloc(c->summaries_cap, sizeof *c->summaries);
    c->sent = calloc(c->summaries_cap, sizeof *c->sent);
    if (devices == NULL || c->memory == NULL || c->filling == NULL ||
        c->flying == NULL || c->summaries == NULL || c->sent == NULL)
        return LOA_ENOMEM;
    presence_init(&c->presence, devices, cap);
    loa_arena_init(&c->arena, c->memory,
                   WIRE_ARENA_BYTES + 5 * LOA_ENVELOPE_BYTES_MAX);
    return LOA_OK;
}

/* What a device said last is in its state as it came. */
static void restore(struct collector *c)
{
    for (size_t i = 0; i < c->presence.cap; i++) {
        struct device *d = &c->presence.devices[i];
        struct loa_bytes p = {d->state, d->state_len};
        struct wire_state s;
        if (d->state_len > 0 && wire_state(&c->arena, p, &s) == LOA_OK)
            d->said = s.presence;
    }
}

static void start_timer(struct collector *c,
                        uv_timer_t *t,
                        uv_timer_cb cb,
                        uint64_t every_ms)
{
    uv_timer_init(&c->service.loop, t);
    t->data = c;
    uv_timer_start(t, cb, every_ms, every_ms);
}

static int on_start(void *data)
{
    struct collector *c = data;
    const struct pg_conf conf = {.conninfo = c->conf.service.pg,
                                 .name = "telemetry-copy",
                                 .schema = "telemetry"};
    const struct store_calls calls = {on_began, on_committed, on_failed, c};
    int rv;

    start_timer(c, &c->save, on_save, SAVE_INTERVAL_MS);
    start_timer(c, &c->summarise, on_summarise, c->conf.summary_interval_ms);
    start_timer(c, &c->daily, on_daily, DAY_MS);
    rv = allocate(c);
    if (rv == LOA_OK)
        rv = io_pg_partitions_now(&c->service.pg, clock_wall_ms());
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

    uv_close((uv_handle_t *)&c->save, NULL);
    uv_close((uv_handle_t *)&c->summarise, NULL);
    uv_close((uv_handle_t *)&c->daily, NULL);
    if (c->store_open)
        store_close(&c->store);
}

static void release(struct collector *c)
{
    free(c->presence.devices);
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
