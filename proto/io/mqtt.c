#include "proto/io/mqtt.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "proto/io/mqtt_conn.h"
#include "proto/io/mqtt_msg.h"

#define KEEPALIVE_S 30
#define MISC_EVERY_MS 1000
#define LASTING_MS 10000 /* A connection this old resets the back-off. */
#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 30000

static void on_retry(uv_timer_t *timer);

void mqtt_mark_lost(struct mqtt *m, int rc)
{
    if (m->lost || m->conn == NULL)
        return;
    m->lost = true;
    m->lost_rc = rc;
    if (m->conn->polled)
        uv_poll_stop(&m->conn->poll);
    uv_timer_start(&m->retry, on_retry, 0, 0);
}

static uint64_t random_below(uint64_t n)
{
    uint64_t r = 0;

    /* Without randomness there is no jitter, and that is all that is lost. */
    (void)uv_random(NULL, NULL, &r, sizeof r, 0, NULL);
    return n == 0 ? 0 : r % n;
}

/* Half of the time is fixed and half is chance: a thousand clients that lost
 * one broker do not come back in the same moment. */
static uint64_t retry_delay_ms(struct mqtt *m)
{
    uint64_t ms = m->conf.retry_ms_min;

    if (m->retry_now) {
        m->retry_now = false;
        return 0;
    }
    for (unsigned i = 0; i < m->attempts_n && ms < m->conf.retry_ms_max; i++)
        ms *= 2;
    if (ms > m->conf.retry_ms_max)
        ms = m->conf.retry_ms_max;
    m->attempts_n++;
    return ms / 2 + random_below(ms / 2 + 1);
}

static void note_failure(struct mqtt *m, int rc)
{
    m->fail_rc = rc;
    m->fails_n++;
}

static void fail_unacked(struct mqtt *m)
{
    for (size_t i = 0; i < MQTT_UNACKED_MAX && !m->closed; i++) {
        mqtt_ack_cb cb = m->unacked[i].cb;
        if (m->unacked[i].mid == 0)
            continue;
        m->unacked[i].mid = 0;
        m->unacked_n--;
        if (cb != NULL)
            cb(m->unacked[i].data, LOA_ENOTCONN, 0);
    }
}

/* The connection has ended: forget it, tell, and see what the policy says. */
static void down(struct mqtt *m)
{
    bool was = m->connected;

    log_warn("mqtt.lost", "host=%s port=%u rc=%d text=%s", m->conf.host,
             m->conf.port, m->lost_rc, mqtt_reason(m->lost_rc));
    if (was && uv_now(m->loop) - m->connected_ms >= LASTING_MS)
        m->attempts_n = 0;
    if (!was)
        note_failure(m, m->lost_rc);
    mqtt_conn_let_go(m);
    m->connected = m->lost = false;
    for (size_t i = 0; i < m->filters_n; i++)
        m->filters[i].mid = 0;
    fail_unacked(m);
    if (m->closed)
        return;
    if (!m->connack && m->address_i + 1 < m->addresses_n) {
        m->address_i++; /* The name has one more address. */
        uv_timer_start(&m->retry, on_retry, 0, 0);
        return;
    }
    m->addresses_n = 0;
    if (m->conf.policy == MQTT_RETRY)
        uv_timer_start(&m->retry, on_retry, retry_delay_ms(m), 0);
    else
        uv_timer_stop(&m->misc);
    if (m->conf.on_lost != NULL && (was || m->conf.policy == MQTT_EXIT))
        m->conf.on_lost(m->conf.data);
}

/* It does not even come to a connection: as one that failed. */
static void unresolved(struct mqtt *m, const char *text)
{
    log_warn("mqtt.begin", "host=%s text=%s", m->conf.host, text);
    note_failure(m, MOSQ_ERR_EAI);
    if (m->conf.policy == MQTT_RETRY)
        uv_timer_start(&m->retry, on_retry, retry_delay_ms(m), 0);
    else
        m->conf.on_lost(m->conf.data);
}

static void begin(struct mqtt *m, const char *host)
{
    if (mqtt_conn_start(m, host) != LOA_OK)
        unresolved(m, "out of memory");
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct mqtt *m = req->data;

    free(req);
    if (m == NULL) {
        uv_freeaddrinfo(res);
        return;
    }
    m->resolving = NULL;
    m->addresses_n = m->address_i = 0;
    for (struct addrinfo *a = res;
         a != NULL && m->addresses_n < MQTT_ADDRESSES_MAX; a = a->ai_next) {
        char *to = m->addresses[m->addresses_n];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, to, sizeof m->addresses[0],
                        NULL, 0, NI_NUMERICHOST) == 0)
            m->addresses_n++;
    }
    uv_freeaddrinfo(res);
    if (status != 0 || m->addresses_n == 0)
        unresolved(m, status != 0 ? uv_strerror(status) : "no address");
    else if (mqtt_is_tls(m)) { /* The certificate bears the name. */
        m->addresses_n = 0;
        begin(m, m->conf.host);
    } else
        begin(m, m->addresses[0]);
}

/* The library resolves names while it blocks; it is given addresses, or a name
 * in a worker. */
static void resolve(struct mqtt *m)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int rv;

    m->resolving = malloc(sizeof *m->resolving);
    if (m->resolving == NULL) {
        unresolved(m, "out of memory");
        return;
    }
    m->resolving->data = m;
    rv = uv_getaddrinfo(m->loop, m->resolving, on_resolved, m->conf.host, NULL,
                        &hints);
    if (rv == 0)
        return;
    free(m->resolving);
    m->resolving = NULL;
    unresolved(m, uv_strerror(rv));
}

static bool is_numeric(const char *host)
{
    unsigned char addr[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, addr) == 1 ||
           inet_pton(AF_INET6, host, addr) == 1;
}

/* Deal with a loss, or begin to connect. */
static void on_retry(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;

    if (m->lost)
        down(m);
    else if (m->conn != NULL || m->resolving != NULL)
        return;
    else if (m->address_i < m->addresses_n)
        begin(m, m->addresses[m->address_i]);
    else if (is_numeric(m->conf.host))
        begin(m, m->conf.host);
    else
        resolve(m);
}

static void on_misc(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;
    struct mqtt_conn *c = m->conn;
    int rc;

    if (c == NULL || m->lost)
        return;
    rc = c->working ? MOSQ_ERR_SUCCESS : mosquitto_loop_misc(c->mosq);
    if (rc == MOSQ_ERR_SUCCESS && !m->connected &&
        uv_now(m->loop) >= m->connect_deadline_ms)
        rc = MOSQ_ERR_CONN_LOST;
    if (rc != MOSQ_ERR_SUCCESS)
        mqtt_mark_lost(m, rc);
    mqtt_conn_check(m); /* A filter may have been dropped meanwhile. */
    mqtt_conn_watch(m);
}

static int add_filter(struct mqtt *m, const char *filter, int qos, size_t *at)
{
    size_t len = strlen(filter);

    for (*at = 0; *at < m->filters_n; (*at)++)
        if (strcmp(m->filters[*at].filter, filter) == 0)
            return LOA_OK;
    if (mosquitto_sub_topic_check2(filter, len) != MOSQ_ERR_SUCCESS ||
        len >= MQTT_FILTER_LEN_MAX || qos < 0 || qos > 1)
        return LOA_EINVAL;
    if (m->filters_n == MQTT_FILTERS_MAX)
        return LOA_EBUSY;
    memcpy(m->filters[*at].filter, filter, len + 1);
    m->filters[*at].qos = qos;
    m->filters[*at].mid = 0;
    m->filters_n++;
    return LOA_OK;
}

static int check_file(const char *path)
{
    if (path == NULL || access(path, R_OK) == 0)
        return LOA_OK;
    log_error("mqtt.tls", "file=%s text=cannot be read", path);
    return LOA_EINVAL;
}

static int check_conf(const struct mqtt_conf *conf)
{
    int rv = LOA_OK;

    assert(conf->host != NULL && conf->port > 0 && conf->port <= 65535);
    assert(conf->policy == MQTT_RETRY || conf->on_lost != NULL);
    if (conf->ca_file == NULL || conf->ca_file[0] == '\0')
        return LOA_OK;
    rv = check_file(conf->ca_file);
    if (rv == LOA_OK)
        rv = check_file(conf->cert_file);
    if (rv == LOA_OK)
        rv = check_file(conf->key_file);
    return rv;
}

int mqtt_open(struct mqtt *m, uv_loop_t *loop, const struct mqtt_conf *conf)
{
    static bool library_ready;
    size_t at;
    int rv = check_conf(conf);

    if (rv != LOA_OK)
        return rv;
    if (!library_ready && mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
        return LOA_ESYS;
    library_ready = true;
    memset(m, 0, sizeof *m);
    m->loop = loop;
    m->conf = *conf;
    if (m->conf.keepalive_s == 0)
        m->conf.keepalive_s = KEEPALIVE_S;
    if (m->conf.retry_ms_min == 0)
        m->conf.retry_ms_min = RETRY_MS_MIN;
    if (m->conf.retry_ms_max == 0)
        m->conf.retry_ms_max = RETRY_MS_MAX;
    for (size_t i = 0; i < conf->filters_n; i++) {
        rv = add_filter(m, conf->filters[i].filter, conf->filters[i].qos, &at);
        if (rv != LOA_OK) {
            log_error("mqtt.filter", "filter=%s text=%s",
                      conf->filters[i].filter, loa_strerror(rv));
            return LOA_EINVAL;
        }
    }
    uv_timer_init(loop, &m->misc); /* These cannot fail. */
    uv_timer_init(loop, &m->retry);
    m->misc.data = m->retry.data = m;
    uv_timer_start(&m->misc, on_misc, MISC_EVERY_MS, MISC_EVERY_MS);
    uv_timer_start(&m->retry, on_retry, random_below(conf->start_ms_max + 1),
                   0);
    return LOA_OK;
}

/* What the library has not yet written is in memory without a limit of its
 * own. We know no more than whether there is any, so we count from there. */
static bool has_room(struct mqtt *m, const struct mqtt_msg *msg)
{
    if (!mosquitto_want_write(m->conn->mosq))
        m->unsent_len = 0;
    if (msg->qos > 0 && m->unacked_n == MQTT_UNACKED_MAX)
        return false;
    return m->unsent_len == 0 || m->unsent_len + msg->len < MQTT_UNSENT_LEN_MAX;
}

static void await_ack(struct mqtt *m, int mid, mqtt_ack_cb cb, void *data)
{
    size_t i = (size_t)mid % MQTT_UNACKED_MAX;

    while (m->unacked[i].mid != 0)
        i = (i + 1) % MQTT_UNACKED_MAX;
    m->unacked[i].mid = mid;
    m->unacked[i].cb = cb;
    m->unacked[i].data = data;
    m->unacked_n++;
}

/* The library's answer to a message. Losing the connection after it took a
 * QoS 1 message is told by the callback. */
static int publish_status(struct mqtt *m, int rc)
{
    switch (rc) {
        case MOSQ_ERR_SUCCESS:
            return LOA_OK;
        case MOSQ_ERR_NOMEM:
            return LOA_ENOMEM;
        case MOSQ_ERR_INVAL:
        case MOSQ_ERR_MALFORMED_UTF8:
        case MOSQ_ERR_PAYLOAD_SIZE:
        case MOSQ_ERR_OVERSIZE_PACKET:
        case MOSQ_ERR_QOS_NOT_SUPPORTED:
        case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
            return LOA_EINVAL;
        default:
            mqtt_mark_lost(m, rc);
            return LOA_ENOTCONN;
    }
}

int mqtt_publish(struct mqtt *m,
                 const struct mqtt_msg *msg,
                 mqtt_ack_cb cb,
                 void *data)
{
    mosquitto_property *props;
    int mid = 0, rc;

    assert(msg->qos == 1 || (msg->qos == 0 && cb == NULL));
    if (m->conn == NULL || m->lost || !m->connected || m->closed)
        return LOA_ENOTCONN;
    if (!has_room(m, msg))
        return LOA_EBUSY;
    rc = mqtt_msg_props(msg, &props);
    if (rc == MOSQ_ERR_SUCCESS && FAILPOINT("mqtt.publish") != LOA_OK)
        rc = MOSQ_ERR_CONN_LOST;
    if (rc == MOSQ_ERR_SUCCESS && msg->len > INT32_MAX)
        rc = MOSQ_ERR_PAYLOAD_SIZE;
    if (rc == MOSQ_ERR_SUCCESS)
        rc =
            mosquitto_publish_v5(m->conn->mosq, &mid, msg->topic, (int)msg->len,
                                 msg->payload, msg->qos, msg->retain, props);
    mosquitto_property_free_all(&props);
    if (rc == MOSQ_ERR_SUCCESS) {
        m->published_n++;
        m->unsent_len += msg->len + strlen(msg->topic);
        if (msg->qos > 0)
            await_ack(m, mid, cb, data);
    }
    mqtt_conn_watch(m);
    return publish_status(m, rc);
}

int mqtt_subscribe(struct mqtt *m, const char *filter, int qos)
{
    size_t before = m->filters_n, at;
    int rv = add_filter(m, filter, qos, &at);

    if (rv != LOA_OK)
        return rv;
    if (m->filters_n > before && m->conn != NULL && m->connack && !m->lost) {
        mqtt_conn_subscribe(m, at);
        mqtt_conn_watch(m);
    }
    return LOA_OK;
}

void mqtt_unsubscribe(struct mqtt *m, const char *filter)
{
    size_t i = 0;

    while (i < m->filters_n && strcmp(m->filters[i].filter, filter) != 0)
        i++;
    if (i == m->filters_n)
        return;
    m->filters[i] = m->filters[--m->filters_n];
    if (m->conn != NULL && m->connack && !m->lost) {
        mosquitto_unsubscribe_v5(m->conn->mosq, NULL, filter, NULL);
        mqtt_conn_watch(m);
    }
}

void mqtt_reconnect(struct mqtt *m)
{
    assert(m->conf.policy == MQTT_RETRY);
    if (m->closed)
        return;
    m->retry_now = true;
    if (m->conn != NULL) {
        mqtt_mark_lost(m, MOSQ_ERR_SUCCESS);
    } else {
        m->retry_now = false;
        uv_timer_start(&m->retry, on_retry, 0, 0);
    }
}

void mqtt_close(struct mqtt *m)
{
    if (m->closed)
        return;
    m->closed = true;
    mqtt_conn_let_go(m);
    if (m->resolving != NULL) {
        m->resolving->data = NULL;
        uv_cancel((uv_req_t *)m->resolving);
        m->resolving = NULL;
    }
    uv_close((uv_handle_t *)&m->misc, NULL);
    uv_close((uv_handle_t *)&m->retry, NULL);
}
