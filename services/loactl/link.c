#include "loactl/link.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "proto/envelope.h"
#include "proto/io/clock.h"
#include "proto/io/identity_file.h"
#include "proto/trust.h"

#define AGAIN_MS 3000          /* An unanswered request goes out again. */
#define REQUEST_LIFE_MS 300000 /* And is void after this. */
#define TICK_MS 100
#define MEMORY_BYTES (5u * LOA_ENVELOPE_BYTES_MAX)

static const struct service {
    const char *name;
    enum loa_type request, answer;
    const ProtobufCMessageDescriptor *as;
} services[] = {
    [LINK_REGISTRY] = {"registry", LOA_TYPE_REGISTRY_REQUEST,
                       LOA_TYPE_REGISTRY_ANSWER,
                       &loa__v1__registry_answer__descriptor},
    [LINK_CONTENT] = {"content-ingest", LOA_TYPE_CONTENT_REQUEST,
                      LOA_TYPE_CONTENT_ANSWER,
                      &loa__v1__content_answer__descriptor},
    [LINK_SCHEDULER] = {"scheduler", LOA_TYPE_SCHEDULER_REQUEST,
                        LOA_TYPE_SCHEDULER_ANSWER,
                        &loa__v1__scheduler_answer__descriptor},
    [LINK_TELEMETRY] = {"telemetry-collector", LOA_TYPE_TELEMETRY_REQUEST,
                        LOA_TYPE_TELEMETRY_ANSWER,
                        &loa__v1__telemetry_answer__descriptor},
};

/* One request in flight: the sealed envelope, sent until it is answered. */
struct slot {
    bool used;
    enum link_service service;
    uint8_t message_id[LOA_ID_BYTES];
    uint8_t *envelope;
    size_t envelope_len;
    uint64_t sent_ms; /* Monotonic; 0: not yet. */
    uint64_t deadline_ms;
    ProtobufCMessage *answer; /* Once it came. */
};

struct link {
    struct ctl *c;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t sigint;
    struct mqtt mqtt;
    struct identity_login login;
    struct loa_trust trust;
    struct loa_arena arena;
    uint8_t *memory;
    char client_id[LOA_CLIENT_CAP];
    char reply_filter[LOA_TOPIC_CAP];
    struct slot slots[LINK_WINDOW];
    bool connected, interrupted;
    uint64_t connect_deadline_ms;
    bool (*on_message)(void *data, const struct mqtt_msg *m);
    void *listener;
    bool listening;
    int published; /* link_publish: 1 taken, -1 refused. */
};

/* --- answers ----------------------------------------------------------------
 */

static struct slot *slot_of(struct link *l, const uint8_t id[LOA_ID_BYTES])
{
    for (size_t i = 0; i < LINK_WINDOW; i++)
        if (l->slots[i].used &&
            memcmp(l->slots[i].message_id, id, LOA_ID_BYTES) == 0)
            return &l->slots[i];
    return NULL;
}

/* An answer that is not signed by the service's key for this request is none;
 * the request goes out again. */
static void take_answer(struct link *l, const struct mqtt_msg *m)
{
    struct loa_bytes p = {m->payload, m->len};
    struct loa_envelope e;
    struct loa_expect want = {.now_ms = clock_wall_ms(), .time_trusted = true};
    struct slot *s;
    enum loa_verdict v;

    loa_arena_reset(&l->arena);
    if (loa_envelope_parse(&l->arena, p, &e) != LOA_OK)
        return;
    s = slot_of(l, e.header.message_id);
    if (s == NULL || s->answer != NULL)
        return;
    want.type = services[s->service].answer;
    v = loa_trust_verify(&l->trust, &e, &want, NULL);
    if (v != LOA_VERDICT_OK) {
        ctl_fail(l->c, 0, "bỏ qua một trả lời không đáng tin (%s)",
                 "ignored an answer that cannot be believed (%s)",
                 loa_verdict_name(v));
        return;
    }
    s->answer = protobuf_c_message_unpack(
        services[s->service].as, NULL, e.header.body.len, e.header.body.data);
}

static void on_message(void *data, const struct mqtt_msg *m)
{
    struct link *l = data;
    struct loa_topic t;

    if (loa_topic_parse(m->topic, &t) == LOA_OK && t.plane == LOA_PLANE_RPC)
        take_answer(l, m);
    else if (l->listening && !l->on_message(l->listener, m))
        l->listening = false;
}

/* --- the connection ---------------------------------------------------------
 */

static void on_connected(void *data)
{
    struct link *l = data;

    l->connected = true;
    for (size_t i = 0; i < LINK_WINDOW; i++)
        l->slots[i].sent_ms = 0;
}

static void on_lost(void *data)
{
    ((struct link *)data)->connected = false;
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
                             .policy = MQTT_RETRY,
                             .retry_ms_min = 300,
                             .retry_ms_max = 2000,
                             .on_connected = on_connected,
                             .on_message = on_message,
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

/* Run the loop until something happens; CTL_UNREACHABLE on Ctrl-C. */
static int turn(struct link *l)
{
    uv_run(&l->loop, UV_RUN_ONCE);
    return l->interrupted
               ? ctl_fail(l->c, CTL_UNREACHABLE, "đã dừng", "interrupted")
               : CTL_OK;
}

static int open_link(struct ctl *c)
{
    const struct loa_identity *id = ctl_identity(c);
    uint64_t deadline_ms = clock_mono_ms() + c->timeout_s * 1000ull;
    int rc = CTL_OK;

    if (id == NULL)
        return CTL_USAGE;
    if (id->certificates_n == 0 || !id->root_known)
        return ctl_fail(c, CTL_USAGE,
                        "%s: chưa có chứng thư, hãy xin cấp (loactl key issue)",
                        "%s: it holds no certificate: have one issued "
                        "(loactl key issue)",
                        c->identity_path);
    if (c->link == NULL) {
        c->link = link_new(c);
        if (c->link == NULL)
            return ctl_fail(c, CTL_FAILED, "hết bộ nhớ", "out of memory");
        if (start_mqtt(c->link) != LOA_OK)
            return ctl_fail(c, CTL_FAILED, "không mở được kết nối tới %s",
                            "cannot open a connection to %s", c->host);
    }
    while (rc == CTL_OK && !c->link->connected) {
        if (clock_mono_ms() > deadline_ms)
            return ctl_fail(c, CTL_UNREACHABLE,
                            "không kết nối được máy chủ %s cổng %u (tắt, sai "
                            "địa chỉ, hoặc từ chối danh tính này)",
                            "no connection to the broker at %s port %u (down, "
                            "another address, or it refuses this identity)",
                            c->host, c->port);
        rc = turn(c->link);
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

/* --- requests ---------------------------------------------------------------
 */

static void send_slot(struct link *l, struct slot *s)
{
    const struct loa_certificate *me = &l->c->identity.leaf;
    char topic[LOA_TOPIC_CAP], reply[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.topic = topic,
                         .payload = s->envelope,
                         .len = s->envelope_len,
                         .qos = 1,
                         .response_topic = reply,
                         .correlation = s->message_id,
                         .correlation_len = LOA_ID_BYTES};

    if (loa_topic_build(topic, sizeof topic, LOA_PLANE_RPC,
                        services[s->service].name, me->area,
                        me->principal) != LOA_OK ||
        loa_topic_build(reply, sizeof reply, LOA_PLANE_RPC, "reply", me->area,
                        me->principal) != LOA_OK)
        return;
    if (mqtt_publish(&l->mqtt, &m, NULL, NULL) == LOA_OK)
        s->sent_ms = clock_mono_ms();
}

/* Send what was never sent, or has waited too long. */
static void send_due(struct link *l)
{
    uint64_t now_ms = clock_mono_ms();

    for (size_t i = 0; l->connected && i < LINK_WINDOW; i++) {
        struct slot *s = &l->slots[i];
        if (s->used && s->answer == NULL &&
            (s->sent_ms == 0 || now_ms - s->sent_ms > AGAIN_MS))
            send_slot(l, s);
    }
}

static int seal_request(struct link *l,
                        struct slot *s,
                        const ProtobufCMessage *request)
{
    struct loa_signer signer = loa_identity_signer(&l->c->identity);
    struct loa_header h = {.type = services[s->service].request,
                           .issued_at_ms = clock_wall_ms()};
    size_t len = protobuf_c_message_get_packed_size(request);
    uint8_t *body = malloc(len + 1);
    int rv = LOA_ENOMEM;

    free(s->envelope);
    s->envelope = malloc(LOA_ENVELOPE_BYTES_MAX);
    if (body != NULL && s->envelope != NULL) {
        protobuf_c_message_pack(request, body);
        randombytes_buf(s->message_id, LOA_ID_BYTES);
        memcpy(h.message_id, s->message_id, LOA_ID_BYTES);
        memcpy(h.area, l->c->identity.leaf.area, sizeof h.area);
        h.expires_at_ms = h.issued_at_ms + REQUEST_LIFE_MS;
        h.body = (struct loa_bytes){body, len};
        rv = loa_envelope_seal(&h, &signer, s->envelope, LOA_ENVELOPE_BYTES_MAX,
                               &s->envelope_len);
    }
    free(body);
    return rv;
}

int link_start(struct ctl *c,
               enum link_service service,
               const ProtobufCMessage *request,
               int *slot)
{
    int rc = open_link(c);
    struct link *l = c->link;
    int i = 0;

    if (rc != CTL_OK)
        return rc;
    while (i < LINK_WINDOW && l->slots[i].used)
        i++;
    if (i == LINK_WINDOW)
        return ctl_fail(c, CTL_FAILED, "quá nhiều yêu cầu cùng lúc",
                        "too many requests at once");
    struct slot *s = &l->slots[i];
    s->service = service;
    s->answer = NULL;
    s->sent_ms = 0;
    if (seal_request(l, s, request) != LOA_OK)
        return ctl_fail(c, CTL_USAGE, "yêu cầu quá lớn (hơn %d byte)",
                        "the request is too large (over %d bytes)",
                        LOA_ENVELOPE_BYTES_MAX);
    s->used = true;
    s->deadline_ms = clock_mono_ms() + c->timeout_s * 1000ull;
    send_due(l);
    *slot = i;
    return CTL_OK;
}

/* Field 1 of every answer is its Status; absent means OK (code 0). */
static int judge(const struct ctl *c, const ProtobufCMessage *answer)
{
    const Loa__V1__Status *s =
        ((const Loa__V1__RegistryAnswer *)answer)->status;

    if (s == NULL || s->code == LOA__V1__STATUS__CODE__CODE_OK)
        return CTL_OK;
    return ctl_fail(c, CTL_REFUSED, "%s", "%s",
                    c->english ? s->text_en : s->text_vi);
}

int link_wait(struct ctl *c, int slot, ProtobufCMessage **answer)
{
    struct link *l = c->link;
    struct slot *s = &l->slots[slot];
    int rc = CTL_OK;

    *answer = NULL;
    while (rc == CTL_OK && s->answer == NULL) {
        if (clock_mono_ms() > s->deadline_ms) {
            rc = ctl_fail(c, CTL_UNREACHABLE,
                          "%s không trả lời trong %u giây; chưa biết đã làm "
                          "hay chưa, cứ lặp lại lệnh",
                          "no answer from %s within %u s; whether it was done "
                          "is not known, look before you repeat it",
                          services[s->service].name, c->timeout_s);
            break;
        }
        send_due(l);
        rc = turn(l);
    }
    s->used = false;
    if (rc != CTL_OK)
        return rc;
    *answer = s->answer;
    s->answer = NULL;
    return judge(c, *answer);
}

int link_ask(struct ctl *c,
             enum link_service service,
             const ProtobufCMessage *request,
             ProtobufCMessage **answer)
{
    int slot, rc;

    *answer = NULL;
    rc = link_start(c, service, request, &slot);
    return rc == CTL_OK ? link_wait(c, slot, answer) : rc;
}

/* --- listening, publishing
 * ---------------------------------------------------- */

int link_listen(struct ctl *c,
                const char *const filters[],
                size_t filters_n,
                bool (*on_msg)(void *data, const struct mqtt_msg *m),
                void *data)
{
    int rc = open_link(c);
    struct link *l = c->link;

    if (rc != CTL_OK)
        return rc;
    l->on_message = on_msg;
    l->listener = data;
    l->listening = true;
    for (size_t i = 0; i < filters_n; i++)
        if (mqtt_subscribe(&l->mqtt, filters[i], 1) != LOA_OK)
            return ctl_fail(c, CTL_FAILED, "không đăng ký được %s",
                            "cannot subscribe to %s", filters[i]);
    while (l->listening && !l->interrupted)
        uv_run(&l->loop, UV_RUN_ONCE);
    return CTL_OK;
}

static void on_published(void *data, int status, unsigned reason)
{
    struct link *l = data;

    (void)reason;
    l->published = status == LOA_OK ? 1 : status == LOA_EACCES ? -1 : 0;
    if (status == LOA_ENOTCONN)
        l->connected = false;
}

int link_publish(struct ctl *c,
                 const char *topic,
                 const uint8_t *payload,
                 size_t len)
{
    struct mqtt_msg m = {
        .topic = topic, .payload = payload, .len = len, .qos = 1};
    int rc = open_link(c);
    struct link *l = c->link;

    if (rc != CTL_OK)
        return rc;
    l->published = 0;
    if (mqtt_publish(&l->mqtt, &m, on_published, l) != LOA_OK)
        return ctl_fail(c, CTL_UNREACHABLE, "không gửi được", "cannot send");
    while (rc == CTL_OK && l->published == 0 && l->connected)
        rc = turn(l);
    if (rc == CTL_OK && l->published < 0)
        return ctl_fail(c, CTL_REFUSED, "máy chủ không cho phép gửi vào %s",
                        "the broker does not let you send to %s", topic);
    if (rc == CTL_OK && l->published == 0)
        return ctl_fail(c, CTL_UNREACHABLE, "mất kết nối khi đang gửi",
                        "the connection broke while sending");
    return rc;
}
