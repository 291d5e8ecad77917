/* mqtt_client.h -- a client that counts what happens to it. */

#ifndef LOA_TEST_MQTT_CLIENT_H
#define LOA_TEST_MQTT_CLIENT_H

#include <stdbool.h>

#include "broker.h"
#include "check.h"
#include "loop.h"
#include "proto/io/mqtt.h"

static uv_loop_t loop;

/* A client, and what it was told. */
struct client {
    struct mqtt mqtt;
    struct mqtt_conf conf;
    int connects, losses, messages, acks, passwords;
    int ack_status;
    unsigned ack_reason;
    char text[256]; /* The last message, in words. */
    const char *password;
    bool close_on_message, close_on_ack, close_on_connect, close_on_loss;
};

UNUSED static void on_connected(void *data)
{
    struct client *c = data;

    c->connects++;
    if (c->close_on_connect)
        mqtt_close(&c->mqtt);
}

UNUSED static void on_lost(void *data)
{
    struct client *c = data;

    c->losses++;
    if (c->close_on_loss)
        mqtt_close(&c->mqtt);
}

UNUSED static void on_ack(void *data, int status, unsigned reason)
{
    struct client *c = data;

    c->acks++;
    c->ack_status = status;
    c->ack_reason = reason;
    if (c->close_on_ack)
        mqtt_close(&c->mqtt);
}

UNUSED static void on_message(void *data, const struct mqtt_msg *m)
{
    struct client *c = data;

    c->messages++;
    snprintf(c->text, sizeof c->text, "%s|%.*s|%d%d|%s|%.*s|%s|%u", m->topic,
             (int)m->len, m->len ? (const char *)m->payload : "", m->qos,
             m->retain, m->response_topic ? m->response_topic : "-",
             (int)m->correlation_len,
             m->correlation ? (const char *)m->correlation : "",
             m->content_type ? m->content_type : "-", m->expiry_s);
    if (c->close_on_message)
        mqtt_close(&c->mqtt);
}

UNUSED static int on_password(void *data, char *buf, size_t cap)
{
    struct client *c = data;

    c->passwords++;
    if (c->password == NULL)
        return LOA_EINVAL;
    snprintf(buf, cap, "%s", c->password);
    return LOA_OK;
}

static const struct mqtt_filter filters[] = {{"t/+", 1}, {"u/#", 0}};

UNUSED static void client_init(struct client *c,
                               const struct broker *b,
                               enum mqtt_policy policy)
{
    memset(c, 0, sizeof *c);
    c->conf = (struct mqtt_conf){.host = "127.0.0.1",
                                 .port = b->port,
                                 .filters = filters,
                                 .filters_n = 2,
                                 .policy = policy,
                                 .retry_ms_min = 50,
                                 .retry_ms_max = 200,
                                 .on_connected = on_connected,
                                 .on_message = on_message,
                                 .on_lost = on_lost,
                                 .data = c};
}

UNUSED static void client_open(struct client *c)
{
    CHECK_INT("open", mqtt_open(&c->mqtt, &loop, &c->conf), LOA_OK);
}

UNUSED static void client_connect(struct client *c)
{
    client_open(c);
    CHECK_INT("connected", loop_await(&loop, &c->connects, 1), 1);
}

/* Close and let the loop run out: nothing may be left of it. */
UNUSED static void client_end(struct client *c)
{
    mqtt_close(&c->mqtt);
    mqtt_close(&c->mqtt);
    uv_run(&loop, UV_RUN_DEFAULT);
}

UNUSED static int publish(struct client *c, const char *topic, int qos)
{
    struct mqtt_msg msg = {
        .topic = topic, .payload = "x", .len = 1, .qos = qos};

    return mqtt_publish(&c->mqtt, &msg, qos == 1 ? on_ack : NULL,
                        qos == 1 ? c : NULL);
}

#endif /* LOA_TEST_MQTT_CLIENT_H */
