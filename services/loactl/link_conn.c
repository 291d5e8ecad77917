/* link_conn.c -- the connection to the broker, and why there is none. */

#include "loactl/link_conn.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loactl/words.h"
#include "proto/io/clock.h"
#include "proto/io/mqtt_msg.h"

#define TICK_MS 100
#define MEMORY_BYTES (5u * LOA_ENVELOPE_BYTES_MAX)
#define FAILS_MAX 3         /* So many failed attempts, */
#define FAILING_MS_MAX 2000 /* for so long: nobody is there. */

static void on_connected(void *data)
{
    struct link *l = data;

    l->connected = true;
    for (size_t i = 0; i < LINK_WINDOW; i++)
        l->slots[i].sent_ms = 0;
    if (l->away)
        ctl_warn(l->c,
                 "đã nối lại với máy chủ; những gì xảy ra khi mất kết "
                 "nối thì xem bằng status và report",
                 "the broker is back; status and report tell what happened "
                 "meanwhile");
    l->away = false;
}

/* Who listens would take the silence for quiet. */
static void on_lost(void *data)
{
    struct link *l = data;

    l->connected = false;
    if (l->listening && !l->away)
        ctl_warn(l->c, "mất kết nối với máy chủ; đang thử nối lại",
                 "the connection to the broker is lost; trying again");
    l->away = l->listening;
}

static void on_tick(uv_timer_t *t)
{
    (void)t; /* Its only purpose is that uv_run(ONCE) returns. */
}

static void on_signal(uv_signal_t *s, int signum)
{
    (void)signum;
    ((struct link *)s->data)->interrupted = true;
}

/* Several loactl of one person may run at once: the client id has a random
 * suffix. */
static void name_client(struct link *l)
{
    uint8_t r[6];
    char hex[2 * sizeof r + 1];

    randombytes_buf(r, sizeof r);
    loa_hex(r, sizeof r, hex);
    snprintf(l->client_id, sizeof l->client_id, "%s-%s",
             l->c->identity.leaf.principal, hex);
}

static int password(void *data, char *buf, size_t cap)
{
    return identity_password(&((struct link *)data)->login, buf, cap);
}

static int start_mqtt(struct link *l)
{
    const struct loa_identity *id = &l->c->identity;
    struct mqtt_filter filter = {l->reply_filter, 1};
    struct mqtt_conf conf = {.host = l->c->host,
                             .port = l->c->port,
                             .client_id = l->client_id,
                             .username = id->leaf.principal,
                             .password = password,
                             .filters = &filter,
                             .filters_n = 1,
                             .ca_file = l->c->ca_file,
                             .policy = MQTT_RETRY,
                             .retry_ms_min = 300,
                             .retry_ms_max = 2000,
                             .on_connected = on_connected,
                             .on_message = link_on_message,
                             .on_lost = on_lost,
                             .data = l};

    name_client(l);
    l->login = (struct identity_login){id, l->c->broker, l->client_id};
    snprintf(l->reply_filter, sizeof l->reply_filter, "loa/1/rpc/reply/%s/@%s",
             id->leaf.area, id->leaf.principal);
    return mqtt_open(&l->mqtt, &l->loop, &conf);
}

static struct link *link_new(struct ctl *c)
{
    struct link *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->c = c;
    l->memory = malloc(MEMORY_BYTES);
    if (l->memory == NULL || uv_loop_init(&l->loop) != 0) {
        free(l->memory);
        free(l);
        return NULL;
    }
    loa_arena_init(&l->arena, l->memory, MEMORY_BYTES);
    loa_trust_init(&l->trust, c->identity.root);
    uv_timer_init(&l->loop, &l->tick);
    uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(&l->loop, &l->sigint);
    l->sigint.data = l;
    uv_signal_start(&l->sigint, on_signal, SIGINT);
    return l;
}

int link_turn(struct link *l)
{
    uv_run(&l->loop, UV_RUN_ONCE);
    return l->interrupted
               ? ctl_fail(l->c, CTL_UNREACHABLE, "đã dừng", "interrupted")
               : CTL_OK;
}

/* The broker's answers that another try does not change. */
static bool is_refusal(int rc)
{
    return rc == MQTT_RC_MALFORMED_PACKET || rc == MQTT_RC_CLIENTID_NOT_VALID ||
           rc == MQTT_RC_BAD_USERNAME_OR_PASSWORD ||
           rc == MQTT_RC_NOT_AUTHORIZED || rc == MQTT_RC_BANNED ||
           rc == MQTT_RC_BAD_AUTHENTICATION_METHOD;
}

static int say_refused(struct ctl *c)
{
    const struct loa_certificate *me = &c->identity.leaf;
    char until[32];

    return ctl_fail(
        c, CTL_UNREACHABLE,
        "máy chủ %s cổng %u từ chối danh tính này (%s, hiệu lực đến %s): sai "
        "danh tính, đã hết hạn, đã bị thu hồi, tên máy chủ không phải '%s' "
        "(--broker), hoặc đồng hồ máy này sai",
        "the broker at %s port %u refuses this identity (%s, valid until %s): "
        "a wrong identity, expired, revoked, a broker of another name than "
        "'%s' (--broker), or this machine's clock is off",
        c->host, c->port, me->principal, out_time(me->not_after_ms, until),
        c->broker);
}

/* Of the library's reasons those that people meet. */
static const char *reason_vi(int rc)
{
    switch (rc) {
        case MOSQ_ERR_CONN_REFUSED:
            return "kết nối bị từ chối";
        case MOSQ_ERR_NO_CONN:
        case MOSQ_ERR_CONN_LOST:
        case MOSQ_ERR_KEEPALIVE:
            return "mất kết nối";
        case MOSQ_ERR_ERRNO:
            return word_errno(false, errno);
        case MOSQ_ERR_EAI:
            return "không tìm ra địa chỉ của máy chủ";
        case MOSQ_ERR_TLS:
            return "lỗi TLS: chứng thư của máy chủ không đúng tên này hoặc "
                   "không do cơ quan của ta ký, hay máy chủ không dùng TLS";
        case MOSQ_ERR_PROTOCOL:
            return "bên kia không nói MQTT";
        default:
            return mqtt_reason(rc);
    }
}

static int say_unreachable(struct ctl *c)
{
    int rc = c->link->mqtt.fail_rc;

    return ctl_fail(
        c, CTL_UNREACHABLE,
        "không kết nối được máy chủ %s cổng %u (%s%.0s): tắt, sai địa chỉ, "
        "hoặc chỉ một bên dùng TLS (--ca)",
        "no connection to the broker at %s port %u (%.0s%s): down, another "
        "address, or only one side uses TLS (--ca)",
        c->host, c->port, rc == 0 ? "không trả lời" : reason_vi(rc),
        rc == 0 ? "no answer" : mqtt_reason(rc));
}

/* Not connected yet: wait on, or say why that is useless. */
static int judge_wait(struct ctl *c, uint64_t since_ms)
{
    const struct mqtt *m = &c->link->mqtt;
    uint64_t waited_ms = clock_mono_ms() - since_ms;

    if (m->fails_n > 0 && is_refusal(m->fail_rc))
        return say_refused(c);
    if ((m->fails_n >= FAILS_MAX && waited_ms > FAILING_MS_MAX) ||
        waited_ms > c->timeout_s * 1000ull)
        return say_unreachable(c);
    return CTL_OK;
}

static int start(struct ctl *c)
{
    c->link = link_new(c);
    if (c->link == NULL)
        return ctl_fail(c, CTL_FAILED, "hết bộ nhớ", "out of memory");
    if (c->ca_file != NULL && access(c->ca_file, R_OK) != 0)
        return ctl_fail_errno(c, CTL_USAGE, c->ca_file);
    if (start_mqtt(c->link) != LOA_OK)
        return ctl_fail(c, CTL_FAILED, "không mở được kết nối tới %s",
                        "cannot open a connection to %s", c->host);
    return CTL_OK;
}

int link_open(struct ctl *c)
{
    const struct loa_identity *id = ctl_identity(c);
    uint64_t since_ms = clock_mono_ms();
    int rc = CTL_OK;

    if (id == NULL)
        return CTL_USAGE;
    if (id->certificates_n == 0 || !id->root_known)
        return ctl_fail(c, CTL_USAGE,
                        "%s: chưa có chứng thư, hãy xin cấp (loactl key issue)",
                        "%s: it holds no certificate: have one issued "
                        "(loactl key issue)",
                        c->identity_path);
    if (c->link == NULL)
        rc = start(c);
    while (rc == CTL_OK && !c->link->connected) {
        rc = judge_wait(c, since_ms);
        if (rc == CTL_OK)
            rc = link_turn(c->link);
    }
    return rc;
}

static void on_walk(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void link_close(struct ctl *c)
{
    struct link *l = c->link;

    if (l == NULL)
        return;
    if (l->mqtt.loop != NULL)
        mqtt_close(&l->mqtt);
    uv_close((uv_handle_t *)&l->tick, NULL);
    uv_close((uv_handle_t *)&l->sigint, NULL);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_walk(&l->loop, on_walk, NULL);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    uv_loop_close(&l->loop);
    for (size_t i = 0; i < LINK_WINDOW; i++)
        free(l->slots[i].envelope);
    free(l->memory);
    free(l);
    c->link = NULL;
}
