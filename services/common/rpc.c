#include "common/rpc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

#define MEMORY_BYTES (5u * LOA_ENVELOPE_BYTES_MAX)
#define ANSWER_LIFE_MS 86400000LL /* No request may live longer either. */

/* What a request was refused for before the service saw it. */
struct refusal {
    Loa__V1__Status__Code code;
    const char *vi, *en;
};

static struct refusal refusal_of(enum loa_verdict v)
{
    switch (v) {
        case LOA_VERDICT_EXPIRED:
        case LOA_VERDICT_FUTURE:
            return (struct refusal){
                LOA__V1__STATUS__CODE__CODE_EXPIRED,
                "Yêu cầu đã quá hạn hoặc đồng hồ máy gửi sai: hãy chỉnh giờ và "
                "gửi lại.",
                "The request is out of date or the sender's clock is wrong: "
                "set the clock and send it again."};
        case LOA_VERDICT_EXPIRED_CERTIFICATE:
        case LOA_VERDICT_NOT_YET_VALID:
            return (struct refusal){
                LOA__V1__STATUS__CODE__CODE_EXPIRED,
                "Chứng thư của người gửi không còn hoặc chưa có hiệu lực: hãy "
                "xin cấp lại.",
                "The sender's certificate is not valid now: have it renewed."};
        case LOA_VERDICT_REVOKED:
            return (struct refusal){
                LOA__V1__STATUS__CODE__CODE_REVOKED,
                "Chứng thư của người gửi đã bị thu hồi: hãy liên hệ quản trị.",
                "The sender's certificate is revoked: ask the administrator."};
        case LOA_VERDICT_MALFORMED:
            return (struct refusal){
                LOA__V1__STATUS__CODE__CODE_INVALID,
                "Yêu cầu không đọc được: hãy kiểm tra phiên bản phần mềm.",
                "The request cannot be read: check the software's version."};
        default:
            return (struct refusal){
                LOA__V1__STATUS__CODE__CODE_NOT_ALLOWED,
                "Không xác minh được người gửi: hãy kiểm tra tệp danh tính.",
                "The sender could not be verified: check the identity file."};
    }
}

int rpc_init(struct rpc *r, const struct rpc_options *o)
{
    memset(r, 0, sizeof *r);
    r->o = *o;
    r->memory = malloc(MEMORY_BYTES);
    if (r->memory == NULL)
        return LOA_ENOMEM;
    loa_arena_init(&r->arena, r->memory, MEMORY_BYTES);
    return LOA_OK;
}

static void end(struct rpc_call *call)
{
    free(call->body);
    free(call->answer);
    memset(call, 0, sizeof *call);
}

void rpc_close(struct rpc *r)
{
    for (size_t i = 0; i < RPC_CALLS_MAX; i++)
        end(&r->calls[i]);
    free(r->memory);
    r->memory = NULL;
}

void rpc_filter(const struct rpc *r, char out[LOA_TOPIC_CAP])
{
    snprintf(out, LOA_TOPIC_CAP, "loa/1/rpc/%s/%s/#", r->o.service,
             r->o.identity->leaf.area);
}

/* Send a sealed answer. If it does not get through, the asker repeats the
 * request and gets it from the inbox. */
static void send_answer(const struct rpc_call *call,
                        const void *envelope,
                        size_t len)
{
    struct mqtt_msg m = {.topic = call->reply_topic,
                         .payload = envelope,
                         .len = len,
                         .qos = 1,
                         .correlation = call->correlation,
                         .correlation_len = call->correlation_len};
    int rv = mqtt_publish(call->rpc->o.mqtt, &m, NULL, NULL);

    if (rv != LOA_OK)
        log_warn("rpc.answer", "topic=%s text=%s", call->reply_topic,
                 loa_strerror(rv));
}

/* Seal an answer into memory of its own; NULL if that is not possible. The
 * answer carries the request's message id under its signature, so nobody can
 * give it as the answer to another question. */
static uint8_t *seal(const struct rpc_call *call,
                     const ProtobufCMessage *answer,
                     size_t *len)
{
    struct rpc *r = call->rpc;
    size_t body_len = protobuf_c_message_get_packed_size(answer);
    struct loa_signer signer = loa_identity_signer(r->o.identity);
    struct loa_header h = {.type = r->o.answer_type,
                           .issued_at_ms = clock_wall_ms()};
    uint8_t *body, *out;
    int rv = LOA_ENOSPC;

    if (body_len > RPC_ANSWER_MAX) {
        log_error("rpc.answer", "topic=%s bytes=%zu text=answer is too long",
                  call->reply_topic, body_len);
        return NULL;
    }
    body = malloc(body_len + 1);
    out = malloc(LOA_ENVELOPE_BYTES_MAX);
    if (body != NULL && out != NULL) {
        protobuf_c_message_pack(answer, body);
        h.expires_at_ms = h.issued_at_ms + ANSWER_LIFE_MS;
        h.body = (struct loa_bytes){body, body_len};
        memcpy(h.message_id, call->message_id, LOA_ID_BYTES);
        /* The answer speaks to the asker's area, which lies inside ours. */
        memcpy(h.area, call->who.area, sizeof h.area);
        rv = loa_envelope_seal(&h, &signer, out, LOA_ENVELOPE_BYTES_MAX, len);
    }
    free(body);
    if (rv != LOA_OK) {
        log_error("rpc.seal", "topic=%s text=%s", call->reply_topic,
                  loa_strerror(rv));
        free(out);
        return NULL;
    }
    return out;
}

/* Every <Service>Answer has its Status as field 1, so the encoding of this one
 * is the encoding of all. */
static uint8_t *seal_status(const struct rpc_call *call,
                            Loa__V1__Status__Code code,
                            const char *text_vi,
                            const char *text_en,
                            size_t *len)
{
    Loa__V1__RegistryAnswer a = LOA__V1__REGISTRY_ANSWER__INIT;
    Loa__V1__Status s = LOA__V1__STATUS__INIT;

    s.code = code;
    s.text_vi = (char *)(uintptr_t)text_vi;
    s.text_en = (char *)(uintptr_t)text_en;
    a.status = &s;
    return seal(call, &a.base, len);
}

static void finish(struct rpc_call *call, uint8_t *envelope, size_t len)
{
    struct rpc *r = call->rpc;

    /* A message that was refused may bear the id of another one's request. */
    if (call->in_flight)
        inbox_drop(r->o.inbox, call->inbox_id, sizeof call->inbox_id);
    if (envelope != NULL)
        send_answer(call, envelope, len);
    free(envelope);
    r->answered_n++;
    end(call);
}

void rpc_answer(struct rpc_call *call, const ProtobufCMessage *answer)
{
    size_t len;
    uint8_t *envelope = seal(call, answer, &len);

    if (envelope == NULL) /* Silence would have the asker ask for ever. */
        envelope =
            seal_status(call, LOA__V1__STATUS__CODE__CODE_FAILED,
                        "Máy chủ không lập được câu trả lời: hãy hỏi ít hơn "
                        "một lần, hoặc báo quản trị.",
                        "The server could not make the answer: ask for less at "
                        "once, or tell the administrator.",
                        &len);
    finish(call, envelope, len);
}

void rpc_refuse(struct rpc_call *call,
                Loa__V1__Status__Code code,
                const char *text_vi,
                const char *text_en)
{
    size_t len;
    uint8_t *envelope = seal_status(call, code, text_vi, text_en, &len);

    finish(call, envelope, len);
}

int rpc_store(struct rpc_call *call, const ProtobufCMessage *answer)
{
    int rv;

    assert(call->answer == NULL);
    call->answer = seal(call, answer, &call->answer_len);
    if (call->answer == NULL)
        return LOA_ENOMEM;
    rv = inbox_put(call->rpc->o.inbox, call->inbox_id, sizeof call->inbox_id,
                   call->answer, call->answer_len);
    if (rv != LOA_OK) {
        free(call->answer);
        call->answer = NULL;
    }
    return rv;
}

void rpc_committed(void *data, int status)
{
    struct rpc_call *call = data;

    if (status == LOA_OK) {
        send_answer(call, call->answer, call->answer_len);
        call->rpc->answered_n++;
    }
    end(call);
}

bool rpc_may(const struct rpc_call *call, uint32_t powers, const char *area)
{
    return (call->who.powers & powers) == powers &&
           loa_area_within(area, call->who.area);
}

static struct rpc_call *call_new(struct rpc *r)
{
    for (size_t i = 0; i < RPC_CALLS_MAX; i++)
        if (!r->calls[i].used) {
            r->calls[i].used = true;
            r->calls[i].rpc = r;
            return &r->calls[i];
        }
    return NULL;
}

static void on_found(void *data, int status, const void *answer, size_t len)
{
    struct rpc_call *call = data;

    if (status == LOA_OK) {
        call->rpc->repeated_n++;
        send_answer(call, answer, len);
        end(call);
    } else if (status == LOA_ENOENT) {
        struct loa_bytes body = {call->body, call->body_len};

        call->in_flight = true;
        call->rpc->o.on_request(call->rpc->o.data, call, body);
    } else {
        end(call); /* The asker repeats. */
    }
}

/* Where the answer goes follows from the request's own topic, which the broker
 * lets nobody but the asker write to; MQTT 5's response topic is not believed.
 */
static int address(struct rpc_call *call,
                   const struct loa_topic *t,
                   const struct mqtt_msg *m)
{
    if (m->correlation_len > sizeof call->correlation)
        return LOA_EINVAL;
    if (m->correlation_len > 0)
        memcpy(call->correlation, m->correlation, m->correlation_len);
    call->correlation_len = m->correlation_len;
    return loa_topic_build(call->reply_topic, sizeof call->reply_topic,
                           LOA_PLANE_RPC, "reply", t->area, t->principal);
}

static enum loa_verdict believe(struct rpc *r,
                                const struct loa_topic *t,
                                const struct mqtt_msg *m,
                                struct loa_envelope *e,
                                struct loa_certificate *who)
{
    struct loa_bytes p = {m->payload, m->len};
    struct loa_expect want = {.type = r->o.request_type,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
    struct loa_identity_claim claim;
    enum loa_verdict v;

    memset(e->header.message_id, 0, LOA_ID_BYTES);
    loa_arena_reset(&r->arena);
    if (loa_envelope_parse(&r->arena, p, e) != LOA_OK)
        return LOA_VERDICT_MALFORMED;
    v = loa_trust_verify(&r->o.trust->trust, e, &want, &claim);
    if (v != LOA_VERDICT_OK)
        return v;
    if (strcmp(claim.certificate.principal, t->principal) != 0 ||
        strcmp(claim.certificate.area, t->area) != 0)
        return LOA_VERDICT_AREA;
    *who = claim.certificate;
    return LOA_VERDICT_OK;
}

/* Who takes another one's message id is neither given its answer nor in its
 * way. */
static void name_for_inbox(struct rpc_call *call)
{
    uint8_t text[LOA_ID_BYTES + LOA_KEY_BYTES], hash[LOA_HASH_BYTES];

    memcpy(text, call->message_id, LOA_ID_BYTES);
    memcpy(text + LOA_ID_BYTES, call->who.subject, LOA_KEY_BYTES);
    loa_hash((struct loa_bytes){text, sizeof text}, hash);
    memcpy(call->inbox_id, hash, sizeof call->inbox_id);
}

/* Copy what the call needs of the message: the body, and the certificates
 * behind it. */
static bool keep(struct rpc_call *call, const struct loa_envelope *e)
{
    size_t len = e->header.body.len + 1;
    uint8_t *p;

    for (size_t i = 0; i < e->certificates_n; i++)
        len += e->certificates[i].len;
    p = call->body = malloc(len);
    if (p == NULL)
        return false;
    if (e->header.body.len > 0) /* Else data may be NULL. */
        memcpy(p, e->header.body.data, e->header.body.len);
    call->body_len = e->header.body.len;
    p += call->body_len;
    for (size_t i = 0; i < e->certificates_n; i++) {
        memcpy(p, e->certificates[i].data, e->certificates[i].len);
        call->certificates[i] = (struct loa_bytes){p, e->certificates[i].len};
        p += e->certificates[i].len;
    }
    call->certificates_n = e->certificates_n;
    return true;
}

/* Look the request up; from here on the call ends in on_found() or later. */
static void look_up(struct rpc_call *call, const struct loa_envelope *e)
{
    struct rpc *r = call->rpc;
    int rv;

    if (!keep(call, e)) {
        end(call);
        return;
    }
    name_for_inbox(call);
    rv = inbox_find(r->o.inbox, call->inbox_id, sizeof call->inbox_id, on_found,
                    call);
    if (rv == LOA_ESTALE) {
        end(call); /* The first one's answer goes to the same asker. */
    } else if (rv != LOA_OK) {
        log_warn("rpc.busy", "topic=%s text=%s", call->reply_topic,
                 loa_strerror(rv));
        end(call); /* The asker repeats. */
    }
}

void rpc_message(struct rpc *r, const struct mqtt_msg *m)
{
    struct loa_envelope e;
    struct loa_topic t;
    struct rpc_call *call;
    enum loa_verdict v;

    if (loa_topic_parse(m->topic, &t) != LOA_OK || t.plane != LOA_PLANE_RPC ||
        strcmp(t.kind, r->o.service) != 0 || t.principal[0] == '\0')
        return;
    call = call_new(r);
    if (call == NULL) {
        log_warn("rpc.busy", "topic=%s calls=%d", m->topic, RPC_CALLS_MAX);
        return; /* The asker repeats. */
    }
    if (address(call, &t, m) != LOA_OK) {
        end(call);
        return;
    }
    call->asked_at_ms = clock_wall_ms();
    v = believe(r, &t, m, &e, &call->who);
    memcpy(call->message_id, e.header.message_id, LOA_ID_BYTES);
    if (v == LOA_VERDICT_OK) {
        look_up(call, &e);
    } else {
        struct refusal f = refusal_of(v);

        r->refused_n++;
        log_info("rpc.refused", "topic=%s verdict=%s", m->topic,
                 loa_verdict_name(v));
        memcpy(call->who.area, t.area, sizeof call->who.area);
        rpc_refuse(call, f.code, f.vi, f.en);
    }
}
