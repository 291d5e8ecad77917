/* loa-registry -- areas, devices, principals and revocations.
 *
 * This file only wires: what comes in becomes an event for the core, and
 * jobs_feed() carries out what the core decides. */

#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "registry/config.h"
#include "registry/io_figures.h"
#include "registry/io_jobs.h"
#include "registry/io_pg.h"
#include "registry/wire.h"

#define MALFORMED_MS 10000 /* One line in this time for all of them. */
#define TICK_MS 600000     /* Of the list's age and of certificates' ends. */
#define MEMORY_BYTES (5u * LOA_ENVELOPE_BYTES_MAX)

static struct app {
    struct service service;
    struct config conf;
    struct registry registry;
    struct jobs jobs;
    struct figures figures;
    struct loa_arena arena;
    uint8_t *memory;
    uv_timer_t tick;
    bool tick_open;
    uint64_t malformed_told_ms; /* uv_now(); 0: never. */
} app;

/* --- requests ------------------------------------------------------------- */

static void on_request(void *data, struct rpc_call *call, struct loa_bytes body)
{
    struct registry_request q;
    struct registry_event ev = {.type = REGISTRY_REQUEST,
                                .now_ms = clock_wall_ms(),
                                .who = &call->who,
                                .message_id = call->message_id,
                                .request = &q};
    struct refusal why;

    (void)data;
    loa_arena_reset(&app.arena);
    if (wire_request(&app.arena, body, &q, &why) != LOA_OK) {
        rpc_refuse(call, (Loa__V1__Status__Code)why.code, why.vi, why.en);
        return;
    }
    ev.type = REGISTRY_SEEN;
    jobs_feed(&app.jobs, &ev, NULL, NULL);
    ev.type = REGISTRY_REQUEST;
    jobs_feed(&app.jobs, &ev, call, NULL);
}

/* The envelope of a device that has no certificate: signed by the key that it
 * asks to have certified, on the topic that is that key's. */
static int read_enrol(const struct mqtt_msg *m,
                      const struct loa_topic *t,
                      struct registry_enrol *e,
                      struct enrol_lane *lane)
{
    struct loa_bytes p = {m->payload, m->len};
    char name[LOA_PRINCIPAL_CAP] = LOA_ENROL_PREFIX;
    struct loa_envelope envelope;

    loa_arena_reset(&app.arena);
    if (loa_envelope_parse(&app.arena, p, &envelope) != LOA_OK ||
        envelope.header.type != LOA_TYPE_ENROL ||
        wire_enrol(&app.arena, envelope.header.body, e) != LOA_OK ||
        m->correlation_len > 64)
        return LOA_EINVAL;
    loa_hex(e->key, 12, name + strlen(name));
    if (strcmp(name, t->principal) != 0 ||
        loa_topic_build(lane->topic, sizeof lane->topic, LOA_PLANE_RPC, "reply",
                        LOA_ENROL_AREA, name) != LOA_OK)
        return LOA_EINVAL;
    e->signed_by_key =
        registry_proves(&app.registry, e) &&
        memcmp(envelope.signatures[0].key, e->key, LOA_KEY_BYTES) == 0 &&
        loa_envelope_self_signed(&envelope);
    memcpy(lane->message_id, envelope.header.message_id, LOA_ID_BYTES);
    lane->correlation = m->correlation;
    lane->correlation_len = m->correlation_len;
    return LOA_OK;
}

/* Anybody can send these: they are counted, and told of at a bounded rate. */
static void on_malformed(const char *topic)
{
    uint64_t now_ms = uv_now(&app.service.loop);

    app.registry.malformed_n++;
    if (app.malformed_told_ms != 0 &&
        now_ms - app.malformed_told_ms < MALFORMED_MS)
        return;
    app.malformed_told_ms = now_ms;
    log_info("registry.enrol", "topic=%s malformed=%llu text=malformed", topic,
             (unsigned long long)app.registry.malformed_n);
}

static bool intercept(void *data, const struct mqtt_msg *m)
{
    struct registry_enrol enrol;
    struct registry_event ev = {
        .type = REGISTRY_ENROL, .now_ms = clock_wall_ms(), .enrol = &enrol};
    struct enrol_lane lane;
    struct loa_topic t;

    (void)data;
    if (loa_topic_parse(m->topic, &t) != LOA_OK || t.plane != LOA_PLANE_RPC ||
        strcmp(t.kind, "registry") != 0 || strcmp(t.area, LOA_ENROL_AREA) != 0)
        return false;
    if (read_enrol(m, &t, &enrol, &lane) == LOA_OK)
        jobs_feed(&app.jobs, &ev, NULL, &lane);
    else
        on_malformed(m->topic);
    return true;
}

static void collect(void *data)
{
    (void)data;
    figures_collect(&app.figures);
}

/* --- time and lists ------------------------------------------------------- */

static void on_trust_changed(void *data)
{
    struct registry_event ev = {.type = REGISTRY_LIST,
                                .now_ms = clock_wall_ms(),
                                .list = &app.service.trust.trust.revoked};

    (void)data;
    jobs_feed(&app.jobs, &ev, NULL, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct registry_event ev = {.type = REGISTRY_TICK,
                                .now_ms = clock_wall_ms()};

    (void)timer;
    jobs_feed(&app.jobs, &ev, NULL, NULL);
    io_pg_prune(&app.service.pg);
    figures_look(&app.figures, ev.now_ms);
}

/* What was committed before a crash and not yet believed by ourselves. */
static int believe_stored_list(void)
{
    static const struct pg_stmt stmt = {
        "list_load", "SELECT body FROM outbox WHERE topic = $1::text", 1,
        PG_MAYBE, true};
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.topic = topic};
    struct pg_value v = pg_text(topic);
    PGresult *res;
    int rv = pg_prepare(&app.service.pg, &stmt, 1);

    jobs_list_topic(&app.jobs, topic);
    if (rv == LOA_OK)
        rv = pg_query_now(&app.service.pg, &stmt, &v, &res);
    if (rv != LOA_OK)
        return rv;
    if (PQntuples(res) == 1) {
        m.payload = pg_get_bytes(res, 0, 0, &m.len);
        trustlist_message(&app.service.trust, &m);
    }
    PQclear(res);
    return LOA_OK;
}

/* --- life ----------------------------------------------------------------- */

static int start(void *data)
{
    struct registry_conf conf = {
        .identity = &app.service.identity,
        .trust = &app.service.trust.trust,
        .device_cert_ms = (int64_t)app.conf.device_cert_days * 86400000};
    struct refusal why;
    int rv;

    (void)data;
    jobs_init(&app.jobs, &app.service, &app.registry);
    if (registry_init(&app.registry, &conf, &why) != LOA_OK) {
        log_error("registry.identity", "file=%s text=%s",
                  app.conf.service.identity_path, why.en);
        return LOA_EACCES;
    }
    app.memory = malloc(MEMORY_BYTES);
    if (app.memory == NULL)
        return LOA_ENOMEM;
    loa_arena_init(&app.arena, app.memory, MEMORY_BYTES);
    rv = figures_init(&app.figures, &app.registry, &app.service.metrics);
    if (rv == LOA_OK)
        rv = io_pg_load(&app.service.pg, &app.registry);
    if (rv == LOA_OK)
        rv = believe_stored_list();
    if (rv != LOA_OK)
        return rv;
    uv_timer_init(&app.service.loop, &app.tick);
    app.tick_open = true;
    uv_timer_start(&app.tick, on_tick, TICK_MS, TICK_MS);
    on_trust_changed(NULL); /* The one that was stored. */
    on_tick(&app.tick);
    return LOA_OK;
}

static void stop(void *data)
{
    (void)data;
    jobs_close(&app.jobs);
    free(app.memory);
    app.memory = NULL;
    if (app.tick_open)
        uv_close((uv_handle_t *)&app.tick, NULL);
}

int main(int argc, char *argv[])
{
    static const struct mqtt_filter filters[] = {
        {"loa/1/rpc/registry/" LOA_ENROL_AREA "/#", 1}};
    const struct service_conf conf = {
        .name = "registry",
        .settings = &app.conf.service,
        .schema = "registry",
        .stmts = io_pg_stmts,
        .stmts_n = io_pg_stmts_n,
        .outbox = true,
        .inbox = true,
        .filters = filters,
        .filters_n = 1,
        .on_request = on_request,
        .request_type = LOA_TYPE_REGISTRY_REQUEST,
        .answer_type = LOA_TYPE_REGISTRY_ANSWER,
        .trust_changed = on_trust_changed,
        .intercept = intercept,
        .start = start,
        .collect = collect,
        .stop = stop,
    };
    int exit_code;

    if (!config_load(&config_registry, argc, argv, &app.conf, &exit_code))
        return exit_code;
    return service_run(&app.service, &conf);
}
