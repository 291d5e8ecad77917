#include "proto/io/mqtt_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "proto/io/log.h"
#include "proto/io/mqtt_msg.h"

#define CONNECT_MS_MAX 10000
#define READS_PER_TURN_MAX 64
#define SEND_MAXIMUM 100

static void on_poll(uv_poll_t *poll, int status, int events);

bool mqtt_is_tls(const struct mqtt *m)
{
    return m->conf.ca_file != NULL && m->conf.ca_file[0] != '\0';
}

void mqtt_conn_watch(struct mqtt *m)
{
    struct mqtt_conn *c = m->conn;
    int events = UV_READABLE;

    if (c == NULL || m->lost || c->working)
        return;
    if (!c->writable || mosquitto_want_write(c->mosq))
        events |= UV_WRITABLE;
    if (uv_poll_start(&c->poll, events, on_poll) != 0)
        mqtt_mark_lost(m, MOSQ_ERR_ERRNO);
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

void mqtt_conn_let_go(struct mqtt *m)
{
    struct mqtt_conn *c = m->conn;

    if (c == NULL)
        return;
    m->conn = NULL;
    c->m = NULL;
    if (c->working)
        return; /* on_connecting_done() frees it. */
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

void mqtt_conn_check(struct mqtt *m)
{
    if (m->connected || m->lost || !m->connack || !all_granted(m))
        return;
    m->connected = true;
    m->fails_n = 0;
    m->connected_ms = uv_now(m->loop);
    log_info("mqtt.connected", "host=%s port=%u client=%s filters=%zu",
             m->conf.host, m->conf.port,
             m->conf.client_id == NULL ? "" : m->conf.client_id, m->filters_n);
    if (m->conf.on_connected != NULL)
        m->conf.on_connected(m->conf.data);
}

void mqtt_conn_subscribe(struct mqtt *m, size_t i)
{
    int rc = mosquitto_subscribe_v5(m->conn->mosq, &m->filters[i].mid,
                                    m->filters[i].filter, m->filters[i].qos, 0,
                                    NULL);

    if (rc != MOSQ_ERR_SUCCESS)
        mqtt_mark_lost(m, rc);
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
        mqtt_mark_lost(c->m, rc);
        return;
    }
    c->m->connack = true;
    for (size_t i = 0; i < c->m->filters_n; i++)
        mqtt_conn_subscribe(c->m, i);
    mqtt_conn_check(c->m);
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
        mqtt_mark_lost(c->m, rc);
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
            mqtt_mark_lost(m, codes_n < 1 ? MOSQ_ERR_PROTOCOL : codes[0]);
            return;
        }
        mqtt_conn_check(m);
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
    if (rc == MOSQ_ERR_SUCCESS && mqtt_is_tls(m))
        rc = mosquitto_tls_set(mosq, m->conf.ca_file, NULL, m->conf.cert_file,
                               m->conf.key_file, NULL);
    return rc;
}

static void read_dry(struct mqtt_conn *c)
{
    for (int i = 0; i < READS_PER_TURN_MAX; i++) {
        int waiting = 0;
        int rc = mosquitto_loop_read(c->mosq, 1);
        if (c->m == NULL)
            return;
        if (rc != MOSQ_ERR_SUCCESS)
            mqtt_mark_lost(c->m, rc);
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
        mqtt_mark_lost(m, MOSQ_ERR_CONN_LOST);
    else if (events & UV_READABLE)
        read_dry(c);
    if (c->m != NULL && !m->lost && (events & UV_WRITABLE))
        rc = mosquitto_loop_write(c->mosq, 1);
    if (c->m != NULL && rc != MOSQ_ERR_SUCCESS)
        mqtt_mark_lost(m, rc);
    mqtt_conn_watch(m);
}

static void connect_now(struct mqtt_conn *c)
{
    c->rc = mosquitto_connect_async(c->mosq, c->host, c->port, c->keepalive_s);
}

static void watch_new(struct mqtt_conn *c)
{
    struct mqtt *m = c->m;

    if (c->rc == MOSQ_ERR_SUCCESS &&
        uv_poll_init(m->loop, &c->poll, mosquitto_socket(c->mosq)) == 0) {
        c->polled = true;
        c->poll.data = c;
    } else if (c->rc == MOSQ_ERR_SUCCESS) {
        c->rc = MOSQ_ERR_ERRNO;
    }
    if (c->rc != MOSQ_ERR_SUCCESS)
        mqtt_mark_lost(m, c->rc);
    mqtt_conn_watch(m);
}

static void on_connecting(uv_work_t *work)
{
    connect_now(work->data);
}

static void on_connecting_done(uv_work_t *work, int status)
{
    struct mqtt_conn *c = work->data;

    (void)status; /* Nobody cancels it. */
    c->working = false;
    if (c->m != NULL) {
        watch_new(c);
    } else {
        mosquitto_destroy(c->mosq);
        free(c);
    }
}

/* With TLS the library is given the name, which the certificate bears, and asks
 * the name server once more; an answer that is lost must not stop the loop. */
static void connect_begin(struct mqtt *m, struct mqtt_conn *c)
{
    c->working = mqtt_is_tls(m);
    c->connecting.data = c;
    if (c->working && uv_queue_work(m->loop, &c->connecting, on_connecting,
                                    on_connecting_done) == 0)
        return;
    c->working = false;
    connect_now(c);
    watch_new(c);
}

int mqtt_conn_start(struct mqtt *m, const char *host)
{
    struct mqtt_conn *c = calloc(1, sizeof *c);
    int rc;

    if (c != NULL)
        c->mosq = mosquitto_new(m->conf.client_id, true, c);
    if (c == NULL || c->mosq == NULL) {
        free(c);
        return LOA_ENOMEM;
    }
    c->m = m;
    c->port = (int)m->conf.port;
    c->keepalive_s = (int)m->conf.keepalive_s;
    snprintf(c->host, sizeof c->host, "%s", host);
    m->conn = c;
    m->connack = false;
    m->unsent_len = 0;
    m->connect_deadline_ms = uv_now(m->loop) + CONNECT_MS_MAX;
    rc = set_up(m, c->mosq);
    if (rc == MOSQ_ERR_SUCCESS)
        connect_begin(m, c);
    else
        mqtt_mark_lost(m, rc);
    return LOA_OK;
}
