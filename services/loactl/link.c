#include "loactl/link_conn.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "proto/envelope.h"
#include "proto/io/clock.h"

#define AGAIN_MS 3000          /* An unanswered request goes out again. */
#define REQUEST_LIFE_MS 300000 /* And is void after this. */

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
    /* A service of somewhere else has nothing to say to us. */
    struct loa_expect want = {.signer_area = l->c->identity.leaf.area,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
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

void link_on_message(void *data, const struct mqtt_msg *m)
{
    struct link *l = data;
    struct loa_topic t;

    if (loa_topic_parse(m->topic, &t) == LOA_OK && t.plane == LOA_PLANE_RPC)
        take_answer(l, m);
    else if (l->listening && !l->on_message(l->listener, m))
        l->listening = false;
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
    int rc = link_open(c);
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

/* "CODE_NOT_FOUND" becomes "not_found". */
static void name_code(const struct ctl *c, int code)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
        &loa__v1__status__code__descriptor, code);
    const char *name = v != NULL ? v->name : "CODE_FAILED";
    size_t i = 0;

    for (name += strlen("CODE_");
         name[i] != '\0' && i + 1 < sizeof c->error->code; i++)
        c->error->code[i] = (char)tolower((unsigned char)name[i]);
    c->error->code[i] = '\0';
}

/* Field 1 of every answer is its Status; absent means OK (code 0). */
static int judge(const struct ctl *c,
                 const ProtobufCMessage *answer,
                 bool quietly)
{
    const Loa__V1__Status *s =
        ((const Loa__V1__RegistryAnswer *)answer)->status;

    if (s == NULL || s->code == LOA__V1__STATUS__CODE__CODE_OK)
        return CTL_OK;
    if (quietly)
        return CTL_REFUSED;
    ctl_fail(c, CTL_REFUSED, "%s", "%s", c->english ? s->text_en : s->text_vi);
    snprintf(c->error->vi, sizeof c->error->vi, "%s", s->text_vi);
    snprintf(c->error->en, sizeof c->error->en, "%s", s->text_en);
    name_code(c, (int)s->code);
    return CTL_REFUSED;
}

/* The answer of a slot, which is free then; NULL: none came in time. */
static int await(struct ctl *c, struct slot *s, ProtobufCMessage **answer)
{
    int rc = CTL_OK;

    *answer = NULL;
    while (rc == CTL_OK && s->answer == NULL &&
           clock_mono_ms() <= s->deadline_ms) {
        send_due(c->link);
        rc = link_turn(c->link);
    }
    s->used = false;
    if (rc != CTL_OK)
        return rc;
    *answer = s->answer;
    s->answer = NULL;
    return CTL_OK;
}

int link_wait(struct ctl *c, int slot, ProtobufCMessage **answer)
{
    struct slot *s = &c->link->slots[slot];
    int rc = await(c, s, answer);

    if (rc != CTL_OK)
        return rc;
    if (*answer == NULL)
        return ctl_fail(c, CTL_UNREACHABLE,
                        "%s không trả lời trong %u giây; chưa biết đã làm "
                        "hay chưa, hãy xem lại trước khi lặp lại lệnh",
                        "no answer from %s within %u s; whether it was done "
                        "is not known, look before you repeat it",
                        services[s->service].name, c->timeout_s);
    return judge(c, *answer, false);
}

int link_try(struct ctl *c,
             enum link_service service,
             const ProtobufCMessage *request,
             uint64_t within_ms,
             ProtobufCMessage **answer)
{
    int slot, rc;

    *answer = NULL;
    if (service == LINK_REGISTRY && c->registry_silent)
        return CTL_UNREACHABLE;
    rc = link_start(c, service, request, &slot);
    if (rc != CTL_OK)
        return rc;
    struct slot *s = &c->link->slots[slot];
    if (s->deadline_ms > clock_mono_ms() + within_ms)
        s->deadline_ms = clock_mono_ms() + within_ms;
    rc = await(c, s, answer);
    if (rc == CTL_OK && *answer == NULL) {
        c->registry_silent = c->registry_silent || service == LINK_REGISTRY;
        rc = CTL_UNREACHABLE;
    }
    return rc == CTL_OK ? judge(c, *answer, true) : rc;
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
    int rc = link_open(c);
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
    int rc = link_open(c);
    struct link *l = c->link;

    if (rc != CTL_OK)
        return rc;
    l->published = 0;
    if (mqtt_publish(&l->mqtt, &m, on_published, l) != LOA_OK)
        return ctl_fail(c, CTL_UNREACHABLE, "không gửi được", "cannot send");
    while (rc == CTL_OK && l->published == 0 && l->connected)
        rc = link_turn(l);
    if (rc == CTL_OK && l->published < 0)
        return ctl_fail(c, CTL_REFUSED, "máy chủ không cho phép gửi vào %s",
                        "the broker does not let you send to %s", topic);
    if (rc == CTL_OK && l->published == 0)
        return ctl_fail(c, CTL_UNREACHABLE, "mất kết nối khi đang gửi",
                        "the connection broke while sending");
    return rc;
}
