/* plugin.c -- Mosquitto's side of loa-auth: options, callbacks, log lines.
 *
 * Everything runs on the broker's one thread, but for the writer of the state
 * file. Every decision is made in gate.c. */

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "gate.h"
#include "io_state.h"
#include "options.h"
#include "report.h"

#define PLUGIN_VERSION 5
#define ROOT_TEXT_CAP 256

struct plugin {
    mosquitto_plugin_id_t *id;
    struct options options;
    struct gate *gate;
    struct io_state *state; /* NULL: no state file. */
    struct report report;
    bool ticking; /* TICK comes: revocations will be carried out. */
    bool looking; /* look_what_is_left() is at work. */
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what the log says ---------------------------------------------------- */

static void report_topic(struct plugin *p,
                         const struct mosquitto_evt_acl_check *ev,
                         const char *why)
{
    static const char *const access[] = {
        [MOSQ_ACL_READ] = "read",
        [MOSQ_ACL_WRITE] = "write",
        [MOSQ_ACL_SUBSCRIBE] = "subscribe",
    };
    char client[REPORT_TEXT_CAP], topic[REPORT_TEXT_CAP];

    if (!report_allow(&p->report, clock_ms(CLOCK_REALTIME)))
        return;
    mosquitto_log_printf(
        MOSQ_LOG_WARNING,
        "level=warn event=acl.denied access=%s client=%s topic=%s why=%s",
        access[ev->access],
        report_word(mosquitto_client_id(ev->client), client),
        report_word(ev->topic, topic), why);
}

static void report_login(struct plugin *p,
                         const struct login_request *r,
                         const struct mosquitto *client,
                         const char *why)
{
    char id[REPORT_TEXT_CAP], user[REPORT_TEXT_CAP], address[REPORT_TEXT_CAP];
    char topic[REPORT_TEXT_CAP];
    bool will = why != NULL && strcmp(why, "will") == 0;

    if (!report_allow(&p->report, r->now_ms))
        return;
    mosquitto_log_printf(
        why == NULL ? MOSQ_LOG_INFO : MOSQ_LOG_WARNING,
        "level=%s event=login.%s client=%s user=%s address=%s why=%s%s%s",
        why == NULL ? "info" : "warn", why == NULL ? "accepted" : "refused",
        report_word(r->client_id, id), report_word(r->user, user),
        report_word(mosquitto_client_address(client), address),
        why == NULL ? "-" : why, will ? " topic=" : "",
        will ? report_word(p->gate->told_will, topic) : "");
}

static void report_rest(struct plugin *p, int64_t now_ms)
{
    unsigned dropped_n = report_dropped(&p->report, now_ms);
    int error = p->state == NULL ? 0 : io_state_poll(p->state);

    if (dropped_n > 0)
        mosquitto_log_printf(MOSQ_LOG_WARNING,
                             "level=warn event=log.dropped lines_n=%u",
                             dropped_n);
    if (error != 0)
        mosquitto_log_printf(MOSQ_LOG_ERR,
                             "level=error event=trust.state file=%s text=%s",
                             p->options.state, strerror(error));
}

/* --- events --------------------------------------------------------------- */

/* After RELOAD this broker asks also about sessions whose connection is over. A
 * refusal would put them a second time on its list of those that expire, and it
 * would use one after it has freed it. Before the next TICK it reads no CONNECT
 * but from WebSockets, so whoever else is asked about was let in before. */
static bool is_left_over(const struct plugin *p, struct mosquitto *client)
{
    return LIBMOSQUITTO_VERSION_NUMBER < 2001000 && p->gate->reloading &&
           mosquitto_client_protocol(client) != mp_websockets;
}

/* With per_listener_settings true this broker never calls TICK, so nobody would
 * ever be cut off: then nobody gets in. Between a connection and its CONNECT
 * there is always a turn of the broker's loop. */
static int on_login(int event, void *event_data, void *userdata)
{
    struct plugin *p = userdata;
    const struct mosquitto_evt_basic_auth *ev = event_data;
    struct login_request r = {
        .client = ev->client,
        .client_id = mosquitto_client_id(ev->client),
        .user = ev->username,
        .password = ev->password,
        .now_ms = clock_ms(CLOCK_REALTIME),
    };
    const char *why = "per_listener_settings";

    (void)event;
    if (p->ticking &&
        (gate_asks_again(p->gate, &r) || is_left_over(p, ev->client)))
        return MOSQ_ERR_SUCCESS;
    if (p->ticking)
        why = gate_login(p->gate, &r);
    report_login(p, &r, ev->client, why);
    return why == NULL ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
}

static struct gate_publication publication(
    const struct mosquitto_evt_acl_check *ev)
{
    return (struct gate_publication){
        .client = ev->client,
        .client_id = mosquitto_client_id(ev->client),
        .topic = ev->topic,
        .payload = {ev->payload, ev->payloadlen},
        .retain = ev->retain,
    };
}

static int on_acl_check(int event, void *event_data, void *userdata)
{
    struct plugin *p = userdata;
    const struct mosquitto_evt_acl_check *ev = event_data;
    struct gate_publication pub;
    enum gate_verdict v = GATE_RIGHT;

    (void)event;
    if (p->looking)
        return MOSQ_ERR_SUCCESS; /* A filter that was granted. */
    switch (ev->access) {
        case MOSQ_ACL_READ:
            v = gate_read(p->gate, ev->client, ev->topic);
            break;
        case MOSQ_ACL_WRITE:
            pub = publication(ev);
            v = gate_write(p->gate, &pub);
            break;
        case MOSQ_ACL_SUBSCRIBE:
            v = gate_subscribe(p->gate, ev->client, ev->topic,
                               (size_t)mosquitto_client_sub_count(ev->client));
            break;
        case MOSQ_ACL_UNSUBSCRIBE:
            return MOSQ_ERR_SUCCESS;
    }
    if (v == GATE_OK)
        return MOSQ_ERR_SUCCESS;
    report_topic(p, ev, gate_verdict_name(v));
    return MOSQ_ERR_ACL_DENIED;
}

/* A trust list takes effect before it goes out; one that is not believed does
 * not go out, so that nothing worse than the last good one stays retained. */
static int on_message(int event, void *event_data, void *userdata)
{
    struct plugin *p = userdata;
    const struct mosquitto_evt_message *ev = event_data;
    struct gate_publication pub = {
        .client = ev->client,
        .topic = ev->topic,
        .payload = {ev->payload, ev->payloadlen},
    };
    char client[REPORT_TEXT_CAP];
    enum loa_verdict v;

    (void)event;
    if (!gate_is_trust(p->gate, &pub))
        return MOSQ_ERR_SUCCESS;
    v = gate_trust(p->gate, pub.payload);
    if (v == LOA_VERDICT_REPLAYED && !gate_trust_older(p->gate, pub.payload))
        return MOSQ_ERR_SUCCESS;
    mosquitto_log_printf(
        v == LOA_VERDICT_OK ? MOSQ_LOG_NOTICE : MOSQ_LOG_WARNING,
        "level=%s event=trust.list client=%s number=%" PRIu64 " verdict=%s",
        v == LOA_VERDICT_OK ? "info" : "warn",
        report_word(mosquitto_client_id(ev->client), client),
        p->gate->trust.revoked.number, loa_verdict_name(v));
    if (v != LOA_VERDICT_OK)
        return MOSQ_ERR_ACL_DENIED;
    if (p->state != NULL)
        io_state_put(p->state, pub.payload.data, pub.payload.len);
    return MOSQ_ERR_SUCCESS;
}

/* SIGHUP. Others may want to know of it too. */
static int on_reload(int event, void *event_data, void *userdata)
{
    struct plugin *p = userdata;

    (void)event;
    (void)event_data;
    gate_reload(p->gate);
    return MOSQ_ERR_PLUGIN_DEFER;
}

static int on_disconnect(int event, void *event_data, void *userdata)
{
    struct plugin *p = userdata;
    const struct mosquitto_evt_disconnect *ev = event_data;

    (void)event;
    gate_gone(p->gate, ev->client);
    return MOSQ_ERR_SUCCESS;
}

/* Of a session that is over, this broker knows nothing but a client id; to one
 * that is not connected, cutting it does nothing but ask about its filters. */
static void look_what_is_left(struct plugin *p)
{
    const struct gate_ended *e;

    p->looking = true;
    while ((e = gate_next_ended(p->gate)) != NULL)
        if (mosquitto_kick_client_by_clientid(e->client_id, true) ==
            MOSQ_ERR_SUCCESS)
            gate_left(p->gate, e);
    p->looking = false;
}

static int on_tick(int event, void *event_data, void *userdata)
{
    struct plugin *p = userdata;
    struct gate_kick kicks[GATE_KICKS_MAX];
    int64_t now_ms = clock_ms(CLOCK_REALTIME);
    size_t n;

    (void)event;
    (void)event_data;
    p->ticking = true;
    n = gate_tick(p->gate, now_ms, clock_ms(CLOCK_MONOTONIC), kicks);
    for (size_t i = 0; i < n; i++) {
        mosquitto_log_printf(
            MOSQ_LOG_NOTICE, "level=info event=client.cut client=%s why=%s",
            kicks[i].client_id, gate_verdict_name(kicks[i].why));
        mosquitto_kick_client_by_clientid(kicks[i].client_id, true);
    }
    look_what_is_left(p);
    report_rest(p, now_ms);
    return MOSQ_ERR_SUCCESS;
}

/* --- start and stop ------------------------------------------------------- */

static int refuse(const char *sentence)
{
    mosquitto_log_printf(MOSQ_LOG_ERR, "loa-auth: %s", sentence);
    return LOA_EINVAL;
}

static int read_root(struct options *o)
{
    char text[ROOT_TEXT_CAP];
    size_t len;

    if (o->root_known)
        return LOA_OK;
    if (io_file_read(o->root_file, (uint8_t *)text, sizeof text - 1, &len) !=
        LOA_OK) {
        mosquitto_log_printf(MOSQ_LOG_ERR,
                             "loa-auth: cannot read the root key from %s: %s",
                             o->root_file, strerror(errno));
        return LOA_EINVAL;
    }
    text[len] = '\0';
    if (options_root_text(o, text) == LOA_OK)
        return LOA_OK;
    mosquitto_log_printf(MOSQ_LOG_ERR, "loa-auth: %s: %s", o->root_file,
                         o->error);
    return LOA_EINVAL;
}

static int read_options(struct options *o,
                        const struct mosquitto_opt *options,
                        int options_n)
{
    int rv = LOA_OK;

    options_init(o);
    for (int i = 0; i < options_n && rv == LOA_OK; i++)
        rv = options_set(o, options[i].key, options[i].value);
    if (rv == LOA_OK)
        rv = options_check(o);
    return rv == LOA_OK ? read_root(o) : refuse(o->error);
}

/* The broker has lost what it retained, and the registry's tables may be from
 * an older backup than this list: it must see it before it signs the next one.
 */
static int retain_list(struct plugin *p, struct loa_bytes list)
{
    char topic[LOA_TOPIC_CAP];
    int rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, "trust",
                             p->gate->trust.revoked.area, NULL);

    if (rv == LOA_OK &&
        mosquitto_broker_publish_copy(NULL, topic, (int)list.len, list.data, 1,
                                      true, NULL) != MOSQ_ERR_SUCCESS)
        rv = LOA_ENOMEM;
    return rv == LOA_OK ? rv : refuse("cannot retain the kept trust list");
}

/* A state file that is there and cannot be believed means forgotten
 * revocations: better no broker than one that lets the revoked in. */
static int restore(struct plugin *p)
{
    const char *path = p->options.state;
    static uint8_t bytes[IO_STATE_BYTES_MAX];
    struct loa_bytes list = {bytes, 0};
    enum loa_verdict v;
    int rv = io_file_read(path, bytes, sizeof bytes, &list.len);

    if (rv == LOA_ENOENT)
        return LOA_OK;
    if (rv == LOA_ESYS) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "loa-auth: cannot read %s: %s", path,
                             strerror(errno));
        return rv;
    }
    v = rv == LOA_OK ? gate_restore(p->gate, list) : LOA_VERDICT_MALFORMED;
    if (v == LOA_VERDICT_OK)
        return retain_list(p, list);
    mosquitto_log_printf(
        MOSQ_LOG_ERR,
        "loa-auth: %s is no trust list of this root (%s); move it away to "
        "start without revocations",
        path, loa_verdict_name(v));
    return LOA_EINVAL;
}

static int register_callbacks(struct plugin *p)
{
    static const struct {
        int event;
        MOSQ_FUNC_generic_callback callback;
    } callbacks[] = {
        {MOSQ_EVT_BASIC_AUTH, on_login}, {MOSQ_EVT_ACL_CHECK, on_acl_check},
        {MOSQ_EVT_MESSAGE, on_message},  {MOSQ_EVT_DISCONNECT, on_disconnect},
        {MOSQ_EVT_TICK, on_tick},        {MOSQ_EVT_RELOAD, on_reload},
    };

    for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++)
        if (mosquitto_callback_register(p->id, callbacks[i].event,
                                        callbacks[i].callback, NULL,
                                        p) != MOSQ_ERR_SUCCESS)
            return refuse("the broker does not take our callbacks");
    return LOA_OK;
}

static void discard(struct plugin *p)
{
    io_state_close(p->state);
    free(p->gate);
    free(p);
}

static int start(struct plugin *p, const struct mosquitto_opt *options, int n)
{
    if (sodium_init() < 0)
        return refuse("libsodium does not start");
    if (read_options(&p->options, options, n) != LOA_OK)
        return LOA_EINVAL;
    gate_init(p->gate, &p->options.rules, p->options.root);
    randombytes_buf(p->gate->seen.key, sizeof p->gate->seen.key);
    if (p->options.state[0] != '\0') {
        if (restore(p) != LOA_OK)
            return LOA_EINVAL;
        if (io_state_open(&p->state, p->options.state) != LOA_OK) {
            mosquitto_log_printf(MOSQ_LOG_ERR,
                                 "loa-auth: cannot write %s.part: %s",
                                 p->options.state, strerror(errno));
            return LOA_ESYS;
        }
    }
    return register_callbacks(p);
}

int mosquitto_plugin_version(int versions_n, const int *versions)
{
    for (int i = 0; i < versions_n; i++)
        if (versions[i] == PLUGIN_VERSION)
            return PLUGIN_VERSION;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id,
                          void **userdata,
                          struct mosquitto_opt *options,
                          int options_n)
{
    struct plugin *p = calloc(1, sizeof *p);

    if (p == NULL)
        return MOSQ_ERR_NOMEM;
    p->id = id;
    p->gate = calloc(1, sizeof *p->gate);
    if (p->gate == NULL || start(p, options, options_n) != LOA_OK) {
        discard(p);
        return MOSQ_ERR_INVAL;
    }
    *userdata = p;
    mosquitto_log_printf(MOSQ_LOG_NOTICE,
                         "level=info event=auth.ready broker=%s "
                         "revocations=%" PRIu64,
                         p->options.rules.broker,
                         p->gate->trust.revoked.number);
    return MOSQ_ERR_SUCCESS;
}

/* The broker drops the callbacks of a plugin with the plugin. */
int mosquitto_plugin_cleanup(void *userdata,
                             struct mosquitto_opt *options,
                             int options_n)
{
    (void)options;
    (void)options_n;
    if (userdata != NULL)
        discard(userdata);
    return MOSQ_ERR_SUCCESS;
}
