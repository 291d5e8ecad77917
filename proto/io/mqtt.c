#include "proto/io/mqtt.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "proto/io/mqtt_msg.h"

#define KEEPALIVE_S 30
#define MISC_EVERY_MS 1000
#define CONNECT_MS_MAX 10000
#define LASTING_MS 10000 /* A connection this old resets the back-off. */
#define RETRY_MS_MIN 1000
#define RETRY_MS_MAX 30000
#define READS_PER_TURN_MAX 64
#define SEND_MAXIMUM 100

/* Every connection has its own library handle and its own poll handle: closing
 * is asynchronous, and the next socket often gets the same number. */
struct mqtt_conn {
    struct mqtt *m; /* NULL: let go, waiting to be freed. */
    struct mosquitto *mosq;
    uv_poll_t poll;
    bool polled;   /* poll is initialised. */
    bool writable; /* The socket has been writable: TCP is through. */
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_retry(uv_timer_t *timer);

static bool is_tls(const struct mqtt *m)
{
    return m->conf.ca_file != NULL && m->conf.ca_file[0] != '\0';
}

/* Note that the connection has ended. Dealt with later, by down(): we may be
 * deep inside the library or in our caller's hands. */
static void mark_lost(struct mqtt *m, int rc)
{
    if (m->lost || m->conn == NULL)
        return;
    m->lost = true;
    m->lost_rc = rc;
    if (m->conn->polled)
        uv_poll_stop(&m->conn->poll);
    uv_timer_start(&m->retry, on_retry, 0, 0);
}

/* To be called after every use of the library: it alone knows whether it has
 * something to write. */
static void watch(struct mqtt *m)
{
    struct mqtt_conn *c = m->conn;
    int events = UV_READABLE;

    if (c == NULL || m->lost)
        return;
    if (!c->writable || mosquitto_want_write(c->mosq))
        events |= UV_WRITABLE;
    if (uv_poll_start(&c->poll, events, on_poll) != 0)
        mark_lost(m, MOSQ_ERR_ERRNO);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct mqtt_conn *c = handle->data;

    /* A goodbye said inside one of the library's callbacks was only queued. */
    if (mosquitto_socket(c->mosq) >= 0 && mosquitto_want_write(c->mosq))
        mosquitto_loop_write(c->mosq, 1);
    mosquitto_destroy(c->mosq);
    free(c);
}

static void conn_let_go(struct mqtt *m)
{
    struct mqtt_conn *c = m->conn;

    if (c == NULL)
        return;
    m->conn = NULL;
    c->m = NULL;
    if (c->polled)
        uv_poll_stop(&c->poll); /* Before the library closes the socket. */
    if (mosquitto_socket(c->mosq) >= 0)
        mosquitto_disconnect_v5(c->mosq, 0, NULL);
    if (c->polled) {
        uv_close((uv_handle_t *)&c->poll, on_conn_closed);
    } else {
        mosquitto_destroy(c->mosq); /* Never polled: nothing is below us. */
        free(c);
    }
}

static bool all_granted(const struct mqtt *m)
{
    for (size_t i = 0; i < m->filters_n; i++)
        if (m->filters[i].mid != 0)
            return false;
    return true;
}

static void check_connected(struct mqtt *m)
{
    if (m->connected || m->lost || !m->connack || !all_granted(m))
        return;
    m->connected = true;
    m->connected_ms = uv_now(m->loop);
    log_info("mqtt.connected", "host=%s port=%u client=%s filters=%zu",
             m->conf.host, m->conf.port,
             m->conf.client_id == NULL ? "" : m->conf.client_id, m->filters_n);
    if (m->conf.on_connected != NULL)
        m->conf.on_connected(m->conf.data);
}

static void subscribe(struct mqtt *m, size_t i)
{
    int rc = mosquitto_subscribe_v5(m->conn->mosq, &m->filters[i].mid,
                                    m->filters[i].filter, m->filters[i].qos, 0,
                                    NULL);

    if (rc != MOSQ_ERR_SUCCESS)
        mark_lost(m, rc);
}

static void on_connect(struct mosquitto *mosq,
                       void *data,
                       int rc,
                       int flags,
                       const mosquitto_property *props)
{
    struct mqtt_conn *c = data;

    (void)mosq;
    (void)flags;
    (void)props;
    if (c->m == NULL)
        return;
    if (rc != 0) {
        mark_lost(c->m, rc);
        return;
    }
    c->m->connack = true;
    for (size_t i = 0; i < c->m->filters_n; i++)
        subscribe(c->m, i);
    check_connected(c->m);
}

static void on_disconnect(struct mosquitto *mosq,
                          void *data,
                          int rc,
                          const mosquitto_property *props)
{
    struct mqtt_conn *c = data;

    (void)mosq;
    (void)props;
    if (c->m != NULL)
        mark_lost(c->m, rc);
}

static void on_subscribed(struct mosquitto *mosq,
                          void *data,
                          int mid,
                          int codes_n,
                          const int *codes,
                          const mosquitto_property *props)
{
    struct mqtt_conn *c = data;
    struct mqtt *m = c->m;

    (void)mosq;
    (void)props;
    for (size_t i = 0; m != NULL && i < m->filters_n; i++) {
        if (m->filters[i].mid != mid)
            continue;
        m->filters[i].mid = 0;
        if (codes_n < 1 || codes[0] >= 0x80) {
            log_error("mqtt.filter_refused", "filter=%s reason=%d text=%s",
                      m->filters[i].filter, codes_n < 1 ? 0 : codes[0],
                      codes_n < 1 ? "no code" : mqtt_reason(codes[0]));
            mark_lost(m, codes_n < 1 ? MOSQ_ERR_PROTOCOL : codes[0]);
            return;
        }
        check_connected(m);
        return;
    }
}

static int ack_status(int reason)
{
    if (reason < 0x80)
        return LOA_OK;
    if (reason == MQTT_RC_NOT_AUTHORIZED)
        return LOA_EACCES;
    return reason == MQTT_RC_QUOTA_EXCEEDED ? LOA_EBUSY : LOA_EINVAL;
}

static void on_puback(struct mosquitto *mosq,
                      void *data,
                      int mid,
                      int reason,
                      const mosquitto_property *props)
{
    struct mqtt_conn *c = data;
    struct mqtt *m = c->m;

    (void)mosq;
    (void)props;
    /* PUBACKs come in the order of the messages, so the search is short. */
    for (size_t k = 0; m != NULL && k < MQTT_UNACKED_MAX; k++) {
        size_t i = ((size_t)mid + k) % MQTT_UNACKED_MAX;
        mqtt_ack_cb cb = m->unacked[i].cb;
        if (m->unacked[i].mid != mid)
            continue;
        m->unacked[i].mid = 0;
        m->unacked_n--;
        if (cb != NULL)
            cb(m->unacked[i].data, ack_status(reason), (unsigned)reason);
        return;
    }
}

static void on_message(struct mosquitto *mosq,
                       void *data,
                       const struct mosquitto_message *from,
                       const mosquitto_property *props)
{
    struct mqtt_conn *c = data;
    struct mqtt_msg msg;

    (void)mosq;
    if (c->m == NULL || c->m->conf.on_message == NULL)
        return;
    c->m->received_n++;
    mqtt_msg_take(&msg, from, props);
    c->m->conf.on_message(c->m->conf.data, &msg);
    mqtt_msg_release(&msg);
}

static int set_login(struct mqtt *m, struct mosquitto *mosq)
{
    char password[MQTT_PASSWORD_LEN_MAX];
    bool has = m->conf.password != NULL;
    int rc = MOSQ_ERR_SUCCESS;

    if (has &&
        m->conf.password(m->conf.data, password, sizeof password) != LOA_OK) {
        log_warn("mqtt.password", "text=no password could be made");
        return MOSQ_ERR_AUTH;
    }
    if (has || m->conf.username != NULL)
        rc = mosquitto_username_pw_set(mosq, m->conf.username,
                                       has ? password : NULL);
    explicit_bzero(password, sizeof password);
    return rc;
}

static int set_will(const struct mqtt_msg *will, struct mosquitto *mosq)
{
    mosquitto_property *props;
    int rc;

    if (will == NULL)
        return MOSQ_ERR_SUCCESS;
    rc = mqtt_msg_props(will, &props);
    if (rc != MOSQ_ERR_SUCCESS)
        return rc;
    rc = mosquitto_will_set_v5(mosq, will->topic, (int)will->len, will->payload,
                               will->qos, will->retain, props);
    if (rc != MOSQ_ERR_SUCCESS)
        mosquitto_property_free_all(&props); /* Else they are the library's. */
    return rc;
}

static void set_callbacks(struct mosquitto *mosq)
{
    mosquitto_connect_v5_callback_set(mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
    mosquitto_subscribe_v5_callback_set(mosq, on_subscribed);
    mosquitto_publish_v5_callback_set(mosq, on_puback);
    mosquitto_message_v5_callback_set(mosq, on_message);
}

static int set_up(struct mqtt *m, struct mosquitto *mosq)
{
    int rc;

    set_callbacks(mosq);
    mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(mosq, MOSQ_OPT_SEND_MAXIMUM, SEND_MAXIMUM);
    mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
    rc = set_login(m, mosq);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = set_will(m->conf.will, mosq);
    if (rc == MOSQ_ERR_SUCCESS && is_tls(m))
        rc = mosquitto_tls_set(mosq, m->conf.ca_file, NULL, m->conf.cert_file,
                               m->conf.key_file, NULL);
    return rc;
}

/* Begin one connection; what fails here is lost at once, like any other. */
static void conn_start(struct mqtt *m, const char *host)
{
    struct mqtt_conn *c = calloc(1, sizeof *c);
    int rc = MOSQ_ERR_NOMEM;

    if (c != NULL)
        c->mosq = mosquitto_new(m->conf.client_id, true, c);
    if (c == NULL || c->mosq == NULL) {
        free(c);
        log_error("mqtt.start", "text=out of memory");
        abort(); /* Nothing of ours works without some memory. */
    }
    c->m = m;
    m->conn = c;
    m->connack = false;
    m->unsent_len = 0;
    m->connect_deadline_ms = uv_now(m->loop) + CONNECT_MS_MAX;
    rc = set_up(m, c->mosq);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect_async(c->mosq, host, (int)m->conf.port,
                                     (int)m->conf.keepalive_s);
    if (rc == MOSQ_ERR_SUCCESS &&
        uv_poll_init(m->loop, &c->poll, mosquitto_socket(c->mosq)) == 0) {
        c->polled = true;
        c->poll.data = c;
    } else if (rc == MOSQ_ERR_SUCCESS) {
        rc = MOSQ_ERR_ERRNO;
    }
    if (rc != MOSQ_ERR_SUCCESS)
        mark_lost(m, rc);
    watch(m);
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
    conn_let_go(m);
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

/* The name did not resolve: as a connection that failed. */
static void unresolved(struct mqtt *m, const char *text)
{
    log_warn("mqtt.resolve", "host=%s text=%s", m->conf.host, text);
    if (m->conf.policy == MQTT_RETRY)
        uv_timer_start(&m->retry, on_retry, retry_delay_ms(m), 0);
    else
        m->conf.on_lost(m->conf.data);
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
    else if (is_tls(m)) { /* The certificate bears the name. */
        m->addresses_n = 0;
        conn_start(m, m->conf.host);
    } else
        conn_start(m, m->addresses[0]);
}

/* The library resolves names while it blocks; we never let it wait for a name
 * server that is away. */
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
        conn_start(m, m->addresses[m->address_i]);
    else if (is_numeric(m->conf.host))
        conn_start(m, m->conf.host);
    else
        resolve(m);
}

static void read_dry(struct mqtt_conn *c)
{
    for (int i = 0; i < READS_PER_TURN_MAX; i++) {
        int waiting = 0;
        int rc = mosquitto_loop_read(c->mosq, 1);
        if (c->m == NULL)
            return;
        if (rc != MOSQ_ERR_SUCCESS)
            mark_lost(c->m, rc);
        if (c->m->lost ||
            ioctl(mosquitto_socket(c->mosq), FIONREAD, &waiting) != 0 ||
            waiting == 0)
            return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct mqtt_conn *c = poll->data;
    struct mqtt *m = c->m;
    int rc = MOSQ_ERR_SUCCESS;

    if (events & UV_WRITABLE)
        c->writable = true;
    if (status < 0)
        mark_lost(m, MOSQ_ERR_CONN_LOST);
    else if (events & UV_READABLE)
        read_dry(c);
    if (c->m != NULL && !m->lost && (events & UV_WRITABLE))
        rc = mosquitto_loop_write(c->mosq, 1);
    if (c->m != NULL && rc != MOSQ_ERR_SUCCESS)
        mark_lost(m, rc);
    watch(m);
}

static void on_misc(uv_timer_t *timer)
{
    struct mqtt *m = timer->data;
    struct mqtt_conn *c = m->conn;
    int rc;

    if (c == NULL || m->lost)
        return;
    rc = mosquitto_loop_misc(c->mosq);
    if (rc == MOSQ_ERR_SUCCESS && !m->connected &&
        uv_now(m->loop) >= m->connect_deadline_ms)
        rc = MOSQ_ERR_CONN_LOST;
    if (rc != MOSQ_ERR_SUCCESS)
        mark_lost(m, rc);
    check_connected(m); /* A filter may have been dropped meanwhile. */
    watch(m);
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
            mark_lost(m, rc);
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
    watch(m);
    return publish_status(m, rc);
}

int mqtt_subscribe(struct mqtt *m, const char *filter, int qos)
{
    size_t before = m->filters_n, at;
    int rv = add_filter(m, filter, qos, &at);

    if (rv != LOA_OK)
        return rv;
    if (m->filters_n > before && m->conn != NULL && m->connack && !m->lost) {
        subscribe(m, at);
        watch(m);
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
        watch(m);
    }
}

void mqtt_reconnect(struct mqtt *m)
{
    assert(m->conf.policy == MQTT_RETRY);
    if (m->closed)
        return;
    m->retry_now = true;
    if (m->conn != NULL) {
        mark_lost(m, MOSQ_ERR_SUCCESS);
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
    conn_let_go(m);
    if (m->resolving != NULL) {
        m->resolving->data = NULL;
        uv_cancel((uv_req_t *)m->resolving);
        m->resolving = NULL;
    }
    uv_close((uv_handle_t *)&m->misc, NULL);
    uv_close((uv_handle_t *)&m->retry, NULL);
}
