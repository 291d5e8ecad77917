#include "common/service.h"

#include <assert.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/log.h"

enum {
    OWN_CONNECTED,
    OWN_RECEIVED,
    OWN_PUBLISHED,
    OWN_BATCHES,
    OWN_FAILED,
    OWN_OUTBOX,
    OWN_REFUSED,
    OWN_ANSWERED,
    OWN_REPEATED,
    OWN_DISBELIEVED,
    OWN_REVOCATIONS,
    OWN_N
};

static const struct metric own[OWN_N] = {
    [OWN_CONNECTED] = METRIC_GAUGE_INIT("loa_mqtt_connected",
                                        "Whether the broker is connected",
                                        NULL),
    [OWN_RECEIVED] = METRIC_COUNTER_INIT("loa_mqtt_received_total",
                                         "MQTT messages received",
                                         NULL),
    [OWN_PUBLISHED] = METRIC_COUNTER_INIT("loa_mqtt_published_total",
                                          "MQTT messages published",
                                          NULL),
    [OWN_BATCHES] = METRIC_COUNTER_INIT("loa_pg_transactions_total",
                                        "PostgreSQL transactions ended",
                                        NULL),
    [OWN_FAILED] = METRIC_COUNTER_INIT("loa_pg_transactions_failed_total",
                                       "PostgreSQL transactions rolled back",
                                       NULL),
    [OWN_OUTBOX] = METRIC_COUNTER_INIT("loa_outbox_published_total",
                                       "Retained documents acknowledged",
                                       NULL),
    [OWN_REFUSED] = METRIC_COUNTER_INIT("loa_outbox_refused_total",
                                        "Retained documents refused",
                                        NULL),
    [OWN_ANSWERED] = METRIC_COUNTER_INIT("loa_rpc_answered_total",
                                         "Requests answered",
                                         NULL),
    [OWN_REPEATED] = METRIC_COUNTER_INIT("loa_rpc_repeated_total",
                                         "Requests answered from the inbox",
                                         NULL),
    [OWN_DISBELIEVED] = METRIC_COUNTER_INIT("loa_rpc_disbelieved_total",
                                            "Requests that failed verification",
                                            NULL),
    [OWN_REVOCATIONS] = METRIC_GAUGE_INIT("loa_trust_list_number",
                                          "Number of the revocation list",
                                          NULL),
};
_Static_assert(OWN_N <=
                   sizeof((struct service *)0)->own / sizeof(struct metric),
               "struct service has room for them");

static void on_lost(void *data)
{
    service_stop(data, EXIT_FAILURE); /* Who was lost is logged. */
}

static void on_signal(uv_signal_t *handle, int signum)
{
    log_info("service.signal", "number=%d", signum);
    service_stop(handle->data, EXIT_SUCCESS);
}

static void on_connected(void *data)
{
    struct service *s = data;

    if (s->outbox_open)
        outbox_connected(&s->outbox);
    log_info("service.ready", "name=%s http_port=%u", s->conf.name,
             s->http_open ? http_port(&s->http) : 0);
    if (s->conf.connected != NULL)
        s->conf.connected(s->conf.data);
}

static void on_message(void *data, const struct mqtt_msg *msg)
{
    struct service *s = data;
    struct loa_topic t;

    if (loa_topic_parse(msg->topic, &t) != LOA_OK ||
        (s->conf.intercept != NULL && s->conf.intercept(s->conf.data, msg)))
        return;
    if (s->trust_open && trustlist_topic(msg->topic))
        trustlist_message(&s->trust, msg);
    else if (s->rpc_open && t.plane == LOA_PLANE_RPC &&
             strcmp(t.kind, s->conf.name) == 0 &&
             loa_area_within(t.area, s->identity.leaf.area))
        rpc_message(&s->rpc, msg);
    else if (s->conf.message != NULL)
        s->conf.message(s->conf.data, msg);
}

static void on_trust(void *data)
{
    struct service *s = data;

    if (s->conf.trust_changed != NULL)
        s->conf.trust_changed(s->conf.data);
}

static int on_password(void *data, char *buf, size_t cap)
{
    return identity_password(&((struct service *)data)->login, buf, cap);
}

/* Revocations of the own area and of those above; requests. */
static int subscribe(struct service *s)
{
    const char *area = s->identity.leaf.area;
    char filter[LOA_TOPIC_CAP], prefix[LOA_AREA_CAP];
    int rv = LOA_OK;

    for (size_t d = 1;
         s->trust_open && rv == LOA_OK && d <= loa_area_depth(area); d++) {
        loa_area_prefix(area, d, prefix);
        rv = loa_topic_build(filter, sizeof filter, LOA_PLANE_DOWN, "trust",
                             prefix, NULL);
        if (rv == LOA_OK)
            rv = mqtt_subscribe(&s->mqtt, filter, 1);
    }
    for (size_t i = 0; rv == LOA_OK && i < s->conf.topics_n; i++) {
        snprintf(filter, sizeof filter, "loa/1/%s/%s/%s/#",
                 loa_plane_name(s->conf.topics[i].plane),
                 s->conf.topics[i].kind, area);
        rv = mqtt_subscribe(&s->mqtt, filter, 1);
    }
    if (rv == LOA_OK && s->rpc_open) {
        rpc_filter(&s->rpc, filter);
        rv = mqtt_subscribe(&s->mqtt, filter, 1);
    }
    return rv;
}

void service_connect(struct service *s)
{
    struct mqtt_conf conf = {
        .host = s->conf.settings->mqtt_host,
        .port = s->conf.settings->mqtt_port,
        .client_id = s->identity.leaf.principal,
        .username = s->identity.leaf.principal,
        .password = on_password,
        .filters = s->conf.filters,
        .filters_n = s->conf.filters_n,
        .ca_file = s->conf.settings->mqtt_ca_file,
        .policy = MQTT_EXIT,
        .on_connected = on_connected,
        .on_message = on_message,
        .on_lost = on_lost,
        .data = s,
    };

    if (s->stopping || s->mqtt_open)
        return;
    s->mqtt_open = mqtt_open(&s->mqtt, &s->loop, &conf) == LOA_OK;
    if (!s->mqtt_open || subscribe(s) != LOA_OK)
        service_stop(s, EXIT_FAILURE);
}

static bool is_ready(void *data, const char **why)
{
    struct service *s = data;

    if (s->pg_open && s->pg.conn == NULL) {
        *why = "the database is not connected";
        return false;
    }
    if (!s->mqtt_open || !s->mqtt.connected) {
        *why = "the broker is not connected";
        return false;
    }
    return s->conf.ready == NULL || s->conf.ready(s->conf.data, why);
}

static void collect(void *data)
{
    struct service *s = data;
    const double values[OWN_N] = {
        [OWN_CONNECTED] = s->mqtt.connected,
        [OWN_RECEIVED] = (double)s->mqtt.received_n,
        [OWN_PUBLISHED] = (double)s->mqtt.published_n,
        [OWN_BATCHES] = (double)s->pg.batches_n,
        [OWN_FAILED] = (double)s->pg.failed_n,
        [OWN_OUTBOX] = (double)s->outbox.published_n,
        [OWN_REFUSED] = (double)s->outbox.refused_n,
        [OWN_ANSWERED] = (double)s->rpc.answered_n,
        [OWN_REPEATED] = (double)s->rpc.repeated_n,
        [OWN_DISBELIEVED] = (double)s->rpc.refused_n,
        [OWN_REVOCATIONS] = (double)s->trust.trust.revoked.number,
    };

    for (int i = 0; i < OWN_N; i++)
        metric_set(&s->own[i], values[i]);
    if (s->conf.collect != NULL)
        s->conf.collect(s->conf.data);
}

static int open_http(struct service *s)
{
    struct http_conf conf = {
        .host = s->conf.settings->http_host,
        .port = s->conf.settings->http_port,
        .metrics = &s->metrics,
        .collect = collect,
        .ready = is_ready,
        .data = s,
    };
    int rv;

    memcpy(s->own, own, sizeof own);
    rv = metrics_register(&s->metrics, s->own, OWN_N);
    if (rv != LOA_OK || conf.port == 0)
        return rv;
    rv = http_open(&s->http, &s->loop, &conf);
    s->http_open = rv == LOA_OK;
    return rv;
}

static int open_pg(struct service *s)
{
    struct pg_conf conf = {.conninfo = s->conf.settings->pg,
                           .name = s->conf.name,
                           .schema = s->conf.schema};
    int rv;

    if (s->conf.schema == NULL)
        return LOA_OK;
    rv = pg_open(&s->pg, &s->loop, &conf, on_lost, s);
    s->pg_open = rv == LOA_OK;
    if (rv == LOA_OK)
        rv = pg_prepare(&s->pg, s->conf.stmts, s->conf.stmts_n);
    if (rv == LOA_OK && s->conf.outbox) {
        rv = outbox_open(&s->outbox, &s->loop, &s->pg, &s->mqtt);
        s->outbox_open = rv == LOA_OK;
    }
    if (rv == LOA_OK && s->conf.inbox) {
        rv = inbox_open(&s->inbox, &s->loop, &s->pg);
        s->inbox_open = rv == LOA_OK;
    }
    if (rv == LOA_OK) {
        rv = trustlist_open(&s->trust, &s->pg, s->identity.root,
                            s->identity.leaf.area, on_trust, s);
        s->trust_open = rv == LOA_OK;
    }
    return rv;
}

/* A service reads its tables once and keeps them in memory: another one on the
 * same tables would not see what the first one writes. Nor would one that is
 * started again see what the server is still committing for the one that was
 * killed; the lock is the session's, so it is free when that is done. */
static int take_lock(struct service *s)
{
    static const struct pg_stmt lock[] = {
        {"lock_patience", "SELECT set_config('lock_timeout', '20s', false)", 0,
         PG_ONE, false},
        {"lock", "SELECT pg_advisory_lock(7031977, hashtext(current_schema()))",
         0, PG_ONE, false},
        {"lock_taken", "SELECT set_config('lock_timeout', '0', false)", 0,
         PG_ONE, false},
    };
    const size_t n = sizeof lock / sizeof lock[0];
    int rv;

    if (!s->pg_open)
        return LOA_OK;
    rv = pg_prepare(&s->pg, lock, n);
    for (size_t i = 0; rv == LOA_OK && i < n; i++)
        rv = pg_query_now(&s->pg, &lock[i], NULL, NULL);
    if (rv == LOA_EDB && strcmp(pg_sqlstate(&s->pg), "55P03") == 0)
        log_error("service.lock", "schema=%s text=another %s works on it",
                  s->conf.schema, s->conf.name);
    return rv;
}

static int open_rpc(struct service *s)
{
    const struct rpc_options o = {.service = s->conf.name,
                                  .request_type = s->conf.request_type,
                                  .answer_type = s->conf.answer_type,
                                  .mqtt = &s->mqtt,
                                  .pg = &s->pg,
                                  .inbox = &s->inbox,
                                  .identity = &s->identity,
                                  .trust = &s->trust,
                                  .on_request = s->conf.on_request,
                                  .data = s->conf.data};
    int rv;

    if (o.on_request == NULL)
        return LOA_OK;
    assert(s->inbox_open && s->trust_open);
    rv = rpc_init(&s->rpc, &o);
    s->rpc_open = rv == LOA_OK;
    return rv;
}

/* Who this service is. A wrong file stops it before it opens anything. */
static int read_identity(struct service *s)
{
    const char *path = s->conf.settings->identity_path;
    const struct loa_certificate *me = &s->identity.leaf;
    char why[IDENTITY_WHY_CAP];
    int rv = identity_file_read(path, &s->identity, why);

    if (rv != LOA_OK) {
        log_error("service.identity", "text=%s", why);
        return rv;
    }
    if (s->identity.certificates_n == 0 || !s->identity.root_known ||
        me->role != LOA_ROLE_SERVICE ||
        strcmp(me->service, s->conf.name) != 0) {
        log_error("service.identity",
                  "file=%s text=its certificate is not that of a service "
                  "called %s",
                  path, s->conf.name);
        return LOA_EINVAL;
    }
    s->login = (struct identity_login){&s->identity, s->conf.settings->broker,
                                       me->principal};
    return LOA_OK;
}

static int start(struct service *s)
{
    int rv = LOA_ESYS;

    if (uv_signal_start(&s->sigint, on_signal, SIGINT) == 0 &&
        uv_signal_start(&s->sigterm, on_signal, SIGTERM) == 0)
        rv = read_identity(s);
    if (rv == LOA_OK)
        rv = open_pg(s);
    if (rv == LOA_OK)
        rv = open_rpc(s);
    if (rv == LOA_OK)
        rv = open_http(s);
    if (rv == LOA_OK)
        rv = take_lock(s);
    if (rv != LOA_OK)
        return rv;
    s->started = true;
    if (s->conf.start != NULL)
        rv = s->conf.start(s->conf.data);
    if (rv == LOA_OK && !s->conf.connect_later)
        service_connect(s);
    return rv;
}

void service_stop(struct service *s, int exit_code)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->exit_code = exit_code;
    log_info("service.stop", "name=%s code=%d", s->conf.name, exit_code);
    if (s->started && s->conf.stop != NULL)
        s->conf.stop(s->conf.data);
    if (s->rpc_open)
        rpc_close(&s->rpc);
    if (s->inbox_open)
        inbox_close(&s->inbox);
    if (s->outbox_open)
        outbox_close(&s->outbox);
    if (s->mqtt_open)
        mqtt_close(&s->mqtt);
    if (s->http_open)
        http_close(&s->http);
    if (s->trust_open)
        trustlist_close(&s->trust);
    if (s->pg_open)
        pg_close(&s->pg);
    uv_close((uv_handle_t *)&s->sigint, NULL);
    uv_close((uv_handle_t *)&s->sigterm, NULL);
}

int service_run(struct service *s, const struct service_conf *conf)
{
    int rv;

    memset(s, 0, sizeof *s);
    s->conf = *conf;
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    rv = uv_loop_init(&s->loop);
    /* The first signal handle makes the loop's pipe; the second cannot fail. */
    if (rv != 0 || (rv = uv_signal_init(&s->loop, &s->sigint)) != 0) {
        log_error("service.loop", "text=%s", uv_strerror(rv));
        return EXIT_FAILURE;
    }
    uv_signal_init(&s->loop, &s->sigterm);
    s->sigint.data = s->sigterm.data = s;
    rv = start(s);
    if (rv != LOA_OK) {
        log_error("service.start", "name=%s text=%s", conf->name,
                  loa_strerror(rv));
        service_stop(s, EXIT_FAILURE);
    }
    uv_run(&s->loop, UV_RUN_DEFAULT);
    rv = uv_loop_close(&s->loop);
    assert(rv == 0); /* Else a handle was left open: a leak. */
    (void)rv;
    sodium_memzero(&s->identity, sizeof s->identity);
    return s->exit_code;
}
