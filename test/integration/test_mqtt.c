/* The MQTT client against a real Mosquitto: messages, losses, endings. */

#include "mqtt_client.h"

static void test_messages(const struct broker *b)
{
    struct mqtt_msg all = {.topic = "t/a",
                           .payload = "Hòa",
                           .len = 4,
                           .qos = 1,
                           .response_topic = "u/answer",
                           .correlation = "abc",
                           .correlation_len = 3,
                           .content_type = "text/plain",
                           .expiry_s = 60};
    static struct client c;

    client_init(&c, b, MQTT_EXIT);
    client_open(&c);
    CHECK_INT("not yet", publish(&c, "t/a", 1), LOA_ENOTCONN);
    CHECK_INT("connected", loop_await(&loop, &c.connects, 1), 1);
    CHECK_INT("publish", mqtt_publish(&c.mqtt, &all, on_ack, &c), LOA_OK);
    CHECK_INT("message", loop_await(&loop, &c.messages, 1), 1);
    CHECK_INT("ack", loop_await(&loop, &c.acks, 1), 1);
    CHECK_STR("all of it", c.text, "t/a|Hòa|10|u/answer|abc|text/plain|60");
    CHECK_INT("granted", c.ack_status, LOA_OK);
    CHECK_INT("reason", c.ack_reason, 0);
    CHECK_INT("QoS 0", publish(&c, "u/x/y", 0), LOA_OK);
    CHECK_INT("message", loop_await(&loop, &c.messages, 2), 1);
    CHECK_STR("bare", c.text, "u/x/y|x|00|-||-|0");
    CHECK_INT("nobody listens", publish(&c, "v", 1), LOA_OK);
    CHECK_INT("ack", loop_await(&loop, &c.acks, 2), 1);
    CHECK_INT("nobody listens", c.ack_status, LOA_OK);
    CHECK_INT("nobody listens", c.ack_reason, 0x10);
    CHECK_INT("wildcard", publish(&c, "t/#", 1), LOA_EINVAL);
    CHECK_INT("not UTF-8", publish(&c, "t/\xff", 0), LOA_EINVAL);
    CHECK_INT("not a filter", mqtt_subscribe(&c.mqtt, "a#", 1), LOA_EINVAL);
    CHECK_INT("new filter", mqtt_subscribe(&c.mqtt, "v", 1), LOA_OK);
    CHECK_INT("known filter", mqtt_subscribe(&c.mqtt, "v", 1), LOA_OK);
    CHECK_INT("publish", publish(&c, "v", 1), LOA_OK);
    CHECK_INT("message", loop_await(&loop, &c.messages, 3), 1);
    mqtt_unsubscribe(&c.mqtt, "v");
    mqtt_unsubscribe(&c.mqtt, "unknown");
    CHECK_INT("publish", publish(&c, "v", 1), LOA_OK);
    CHECK_INT("ack", loop_await(&loop, &c.acks, 4), 1);
    CHECK_INT("nobody listens again", c.ack_reason, 0x10);
    CHECK_INT("no loss", c.losses, 0);
    client_end(&c);
    CHECK_INT("no loss told after close", c.losses, 0);
}

static void test_many(const struct broker *b)
{
    enum { N = 20000 };
    static struct client c;
    uint64_t began = uv_hrtime();
    int sent = 0, busy = 0;

    client_init(&c, b, MQTT_EXIT);
    client_connect(&c);
    while (sent < N) {
        int rv = publish(&c, "t/a", 1);
        if (rv == LOA_OK) {
            sent++;
            continue;
        }
        CHECK_INT("full", rv, LOA_EBUSY);
        CHECK_INT("full", c.mqtt.unacked_n, MQTT_UNACKED_MAX);
        busy++;
        if (!loop_await(&loop, &c.acks, sent - MQTT_UNACKED_MAX / 2))
            break;
    }
    CHECK_INT("every ack", loop_await(&loop, &c.acks, N), 1);
    CHECK_INT("every message", loop_await(&loop, &c.messages, N), 1);
    CHECK_INT("exactly", c.acks, N);
    CHECK_INT("exactly", c.messages, N);
    CHECK_INT("it was full", busy > 0, 1);
    printf("  %d messages of QoS 1 out and back: %.2f s\n", N,
           (double)(uv_hrtime() - began) / 1e9);
    client_end(&c);
}

/* A broker that reads nothing: our memory is bounded, and nothing is lost. */
static void test_stalled(const struct broker *b)
{
    static char payload[65536];
    struct mqtt_msg msg = {
        .topic = "v", .payload = payload, .len = sizeof payload};
    static struct client c;
    int sent = 0, rv;

    client_init(&c, b, MQTT_EXIT);
    client_connect(&c);
    kill(b->pid, SIGSTOP);
    while ((rv = mqtt_publish(&c.mqtt, &msg, NULL, NULL)) == LOA_OK &&
           sent < 1000)
        sent++;
    CHECK_INT("full", rv, LOA_EBUSY);
    CHECK_INT("bounded", sent < 300, 1);
    kill(b->pid, SIGCONT);
    CHECK_INT("a small one fits", publish(&c, "t/a", 1), LOA_OK);
    CHECK_INT("it goes on", loop_await(&loop, &c.acks, 1), 1);
    CHECK_INT("no loss", c.losses, 0);
    client_end(&c);
}

static void test_exit(struct broker *b)
{
    static struct client c;

    /* Busy, with a message on its way. */
    client_init(&c, b, MQTT_EXIT);
    client_connect(&c);
    kill(b->pid, SIGSTOP);
    CHECK_INT("publish", publish(&c, "t/a", 1), LOA_OK);
    broker_stop(b, SIGKILL);
    CHECK_INT("lost", loop_await(&loop, &c.losses, 1), 1);
    CHECK_INT("the ack is told", c.acks, 1);
    CHECK_INT("the ack is told", c.ack_status, LOA_ENOTCONN);
    CHECK_INT("publish", publish(&c, "t/a", 1), LOA_ENOTCONN);
    client_end(&c);
    CHECK_INT("once", c.losses, 1);

    /* Not there at all. */
    client_init(&c, b, MQTT_EXIT);
    client_open(&c);
    CHECK_INT("lost", loop_await(&loop, &c.losses, 1), 1);
    client_end(&c);
    CHECK_INT("never connected", c.connects, 0);
    broker_start(b);
}

static void test_retry(struct broker *b)
{
    static struct client c;

    broker_stop(b, SIGKILL);
    client_init(&c, b, MQTT_RETRY);
    c.password = "secret";
    c.conf.password = on_password;
    c.conf.username = "u";
    client_open(&c);
    CHECK_INT("it tries", loop_await(&loop, &c.passwords, 3), 1);
    CHECK_INT("never had it", c.losses, 0);
    broker_start(b);
    CHECK_INT("there", loop_await(&loop, &c.connects, 1), 1);
    CHECK_INT("subscribed", mqtt_subscribe(&c.mqtt, "later", 1), LOA_OK);
    for (int i = 1; i <= 5; i++) { /* Idle, and again and again. */
        broker_stop(b, i % 2 ? SIGKILL : SIGTERM);
        CHECK_INT("lost", loop_await(&loop, &c.losses, i), 1);
        broker_start(b);
        CHECK_INT("back", loop_await(&loop, &c.connects, i + 1), 1);
        CHECK_INT("publish", publish(&c, "later", 1), LOA_OK);
        CHECK_INT("subscribed again", loop_await(&loop, &c.messages, i), 1);
    }
    CHECK_INT("a password each", c.passwords >= c.connects, 1);
    mqtt_reconnect(&c.mqtt);
    CHECK_INT("lost", loop_await(&loop, &c.losses, 6), 1);
    CHECK_INT("back", loop_await(&loop, &c.connects, 7), 1);
    client_end(&c);
    /* Closing between two attempts. */
    client_init(&c, b, MQTT_RETRY);
    c.conf.port = broker_free_port();
    client_open(&c);
    uv_run(&loop, UV_RUN_ONCE);
    client_end(&c);
}

/* A listener that never answers: the connection is given up. */
static void test_mute(void)
{
    struct broker mute = {.port = 0};
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    static struct client c;
    int fd = broker_socket(0, bind);

    listen(fd, 5);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    mute.port = ntohs(addr.sin_port);
    client_init(&c, &mute, MQTT_EXIT);
    client_open(&c);
    CHECK_INT("given up", loop_await(&loop, &c.losses, 1), 1);
    client_end(&c);
    close(fd);
}

static void test_names(const struct broker *b)
{
    static struct client c;

    client_init(&c, b, MQTT_EXIT); /* ::1 comes first, and refuses. */
    c.conf.host = "localhost";
    client_connect(&c);
    client_end(&c);
    client_init(&c, b, MQTT_EXIT);
    c.conf.host = "no-such-host.invalid";
    client_open(&c);
    CHECK_INT("no such host", loop_await(&loop, &c.losses, 1), 1);
    client_end(&c);
    client_init(&c, b, MQTT_RETRY);
    c.conf.host = "no-such-host.invalid";
    client_open(&c);
    uv_run(&loop, UV_RUN_NOWAIT);
    client_end(&c); /* While it is being resolved. */
}

static void test_closing(const struct broker *b)
{
    static struct client c;

    for (int i = 0; i < 3; i++) {
        client_init(&c, b, MQTT_EXIT);
        c.close_on_connect = i == 0;
        c.close_on_message = i == 1;
        c.close_on_ack = i == 2;
        client_connect(&c);
        if (i > 0)
            CHECK_INT("publish", publish(&c, "t/a", 1), LOA_OK);
        uv_run(&loop, UV_RUN_DEFAULT); /* Runs out by itself. */
        CHECK_INT("closed in on_message", c.messages == 1,
                  i == 1 || c.messages);
        CHECK_INT("no loss", c.losses, 0);
    }
    client_init(&c, b, MQTT_RETRY);
    c.close_on_loss = true;
    client_connect(&c);
    mqtt_reconnect(&c.mqtt);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT("closed in on_lost", c.losses, 1);
}

static void test_will(const struct broker *b)
{
    static const struct mqtt_msg will = {
        .topic = "t/will", .payload = "gone", .len = 4, .qos = 1};
    static struct client watcher, c, twin;

    client_init(&watcher, b, MQTT_EXIT);
    client_connect(&watcher);
    client_init(&c, b, MQTT_EXIT);
    c.conf.will = &will;
    c.conf.client_id = "twin";
    c.conf.filters_n = 0;
    client_connect(&c);
    client_init(&twin, b, MQTT_EXIT);
    twin.conf.client_id = "twin";
    twin.conf.filters_n = 0;
    client_connect(&twin); /* The broker throws the older one out. */
    CHECK_INT("thrown out", loop_await(&loop, &c.losses, 1), 1);
    CHECK_INT("will", loop_await(&loop, &watcher.messages, 1), 1);
    CHECK_STR("will", watcher.text, "t/will|gone|10|-||-|0");
    mqtt_close(&c.mqtt);
    mqtt_close(&twin.mqtt);
    client_end(&watcher);
}

int main(void)
{
    struct broker b = {.conf =
                           "allow_anonymous true\n"
                           "max_queued_messages 30000\n"};

    CHECK_INT("loop", uv_loop_init(&loop), 0);
    broker_start(&b);
    test_messages(&b);
    test_many(&b);
    test_stalled(&b);
    test_exit(&b);
    test_retry(&b);
    test_mute();
    test_names(&b);
    test_closing(&b);
    test_will(&b);
    broker_stop(&b, SIGTERM);
    CHECK_INT("loop closes", uv_loop_close(&loop), 0);
    return CHECK_DONE();
}
