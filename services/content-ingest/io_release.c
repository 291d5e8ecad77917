#include "content-ingest/io_release.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/services.pb-c.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

#define TICK_MS 100
#define REQUEST_LIFE_MS 60000

_Static_assert(RELEASE_SIGNERS_MAX <= 32, "one bit each");

/* --- whose word is needed ------------------------------------------------- */

static int find_signer(const struct release *r, const char *principal)
{
    for (size_t i = 0; i < r->signers_n; i++)
        if (strcmp(r->signers[i].principal, principal) == 0)
            return (int)i;
    return -1;
}

/* A place; one whose programmes are over gives way. */
static int place_signer(struct release *r, int64_t now_at_ms)
{
    if (r->signers_n < RELEASE_SIGNERS_MAX)
        return (int)r->signers_n++;
    for (int i = 0; i < RELEASE_SIGNERS_MAX; i++)
        if (r->signers[i].until_at_ms <= now_at_ms) {
            r->signers[i].until_at_ms = 0;
            for (size_t k = 0; k < RELEASE_ASKS_MAX; k++)
                r->asks[k].answered &= ~(1u << i);
            return i;
        }
    return -1;
}

void release_signer(struct release *r,
                    const char *principal,
                    int64_t expires_at_ms)
{
    int64_t now_at_ms = clock_wall_ms();
    int i = find_signer(r, principal);
    struct release_signer *s;

    if (i < 0)
        i = place_signer(r, now_at_ms);
    if (i < 0) {
        if (r->crowded_at_ms <= now_at_ms)
            log_error("release.signers",
                      "text=more schedulers than are kept;"
                      " nothing is deleted while their programmes are good");
        if (r->crowded_at_ms < expires_at_ms)
            r->crowded_at_ms = expires_at_ms;
        return;
    }
    s = &r->signers[i];
    memcpy(s->principal, principal, strlen(principal) + 1);
    if (s->until_at_ms < expires_at_ms)
        s->until_at_ms = expires_at_ms;
}

/* Those that found no place are tried anew: their programmes are asked for
 * again whenever a signer goes. */
void release_revoked(struct release *r, const char *principal)
{
    int i = find_signer(r, principal);

    if (i >= 0)
        r->signers[i].until_at_ms = 0;
    r->crowded_at_ms = 0;
}

/* Has everybody answered whose programmes are still good? */
static bool all_agree(const struct release *r, const struct release_ask *a)
{
    int64_t now_at_ms = clock_wall_ms();

    for (size_t i = 0; i < r->signers_n; i++)
        if (r->signers[i].until_at_ms > now_at_ms && !(a->answered >> i & 1))
            return false;
    return r->crowded_at_ms <= now_at_ms && r->known(r->data);
}

/* --- asking --------------------------------------------------------------- */

static void end(struct release_ask *a,
                enum release_answer answer,
                const char *vi,
                const char *en)
{
    a->used = false;
    a->cb(a->data, answer, vi, en);
}

static void on_timer(uv_timer_t *timer)
{
    struct release *r = timer->data;
    uint64_t now_ms = clock_mono_ms();
    bool open = false;

    for (size_t i = 0; i < RELEASE_ASKS_MAX; i++) {
        struct release_ask *a = &r->asks[i];

        if (!a->used)
            continue;
        if (a->free_ms != 0 && now_ms - a->free_ms >= RELEASE_SETTLE_MS &&
            all_agree(r, a))
            end(a, RELEASE_FREE, "", "");
        else if (now_ms - a->asked_ms >= RELEASE_ANSWER_MS)
            end(a, RELEASE_UNKNOWN, "", "");
    }
    /* Who was answered may have asked again. */
    for (size_t i = 0; i < RELEASE_ASKS_MAX; i++)
        open = open || r->asks[i].used;
    if (!open && !uv_is_closing((uv_handle_t *)timer))
        uv_timer_stop(timer);
}

static int publish(struct release *r,
                   struct release_ask *a,
                   const uint8_t hash[LOA_HASH_BYTES],
                   bool only)
{
    const struct loa_identity *id = &r->service->identity;
    struct loa_signer signer = loa_identity_signer(id);
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ContentRelease c = LOA__V1__CONTENT_RELEASE__INIT;
    struct loa_header h = {.type = LOA_TYPE_SCHEDULER_REQUEST,
                           .issued_at_ms = clock_wall_ms()};
    uint8_t body[64], envelope[8192];
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.topic = topic, .payload = envelope, .qos = 1};
    int rv;

    c.content_hash =
        (ProtobufCBinaryData){LOA_HASH_BYTES, (uint8_t *)(uintptr_t)hash};
    c.ask_only = only;
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_RELEASE;
    q.release = &c;
    memcpy(h.message_id, a->message_id, sizeof h.message_id);
    memcpy(h.area, id->leaf.area, sizeof h.area);
    h.expires_at_ms = h.issued_at_ms + REQUEST_LIFE_MS;
    h.body =
        (struct loa_bytes){body, loa__v1__scheduler_request__pack(&q, body)};
    rv = loa_envelope_seal(&h, &signer, envelope, sizeof envelope, &m.len);
    if (rv == LOA_OK)
        rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_RPC, "scheduler",
                             id->leaf.area, id->leaf.principal);
    return rv == LOA_OK ? mqtt_publish(&r->service->mqtt, &m, NULL, NULL) : rv;
}

int release_ask(struct release *r,
                const uint8_t hash[LOA_HASH_BYTES],
                bool only,
                release_cb cb,
                void *data)
{
    struct release_ask *a = NULL;

    for (size_t i = 0; i < RELEASE_ASKS_MAX && a == NULL; i++)
        if (!r->asks[i].used)
            a = &r->asks[i];
    if (a == NULL)
        return LOA_EBUSY;
    *a = (struct release_ask){
        .asked_ms = clock_mono_ms(), .cb = cb, .data = data};
    randombytes_buf(a->message_id, sizeof a->message_id);
    if (publish(r, a, hash, only) != LOA_OK)
        return LOA_EBUSY;
    a->used = true;
    if (!uv_is_active((uv_handle_t *)&r->timer))
        uv_timer_start(&r->timer, on_timer, TICK_MS, TICK_MS);
    return LOA_OK;
}

/* --- answers -------------------------------------------------------------- */

/* Which question does a scheduler whose area holds ours answer here? */
static struct release_ask *believe(struct release *r,
                                   const struct mqtt_msg *msg,
                                   struct loa_envelope *e,
                                   struct loa_identity_claim *who)
{
    struct loa_expect want = {.type = LOA_TYPE_SCHEDULER_ANSWER,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true,
                              .signer_area = r->service->identity.leaf.area};
    struct loa_bytes p = {msg->payload, msg->len};
    struct release_ask *a = NULL;
    enum loa_verdict v;

    loa_arena_reset(r->arena);
    if (loa_envelope_parse(r->arena, p, e) != LOA_OK)
        return NULL;
    for (size_t i = 0; i < RELEASE_ASKS_MAX && a == NULL; i++)
        if (r->asks[i].used && memcmp(r->asks[i].message_id,
                                      e->header.message_id, LOA_ID_BYTES) == 0)
            a = &r->asks[i];
    if (a == NULL)
        return NULL;
    v = loa_trust_verify(&r->service->trust.trust, e, &want, who);
    if (v == LOA_VERDICT_OK)
        return a;
    log_warn("release.refused", "verdict=%s", loa_verdict_name(v));
    return NULL;
}

static void note_free(struct release *r,
                      struct release_ask *a,
                      const char *principal)
{
    int i = find_signer(r, principal);

    if (i >= 0)
        a->answered |= 1u << i;
    if (a->free_ms == 0)
        a->free_ms = clock_mono_ms();
}

void release_message(struct release *r, const struct mqtt_msg *msg)
{
    struct loa_identity_claim who;
    Loa__V1__SchedulerAnswer *m;
    struct loa_envelope e;
    struct release_ask *a = believe(r, msg, &e, &who);

    if (a == NULL)
        return;
    m = loa__v1__scheduler_answer__unpack(
        &r->arena->allocator, e.header.body.len, e.header.body.data);
    if (m == NULL || m->status == NULL)
        return;
    if (m->status->code == LOA__V1__STATUS__CODE__CODE_IN_USE)
        end(a, RELEASE_IN_USE, m->status->text_vi, m->status->text_en);
    else if (m->status->code == LOA__V1__STATUS__CODE__CODE_OK)
        note_free(r, a, who.certificate.principal);
    else /* Its clock is in doubt, or it is too old to know the question. */
        log_info("release.refused", "principal=%s text=%s",
                 who.certificate.principal, m->status->text_en);
}

/* --- open, close ---------------------------------------------------------- */

void release_open(struct release *r,
                  struct service *service,
                  struct loa_arena *arena,
                  bool (*known)(void *data),
                  void *data)
{
    r->service = service;
    r->arena = arena;
    r->known = known;
    r->data = data;
    uv_timer_init(&service->loop, &r->timer);
    r->timer.data = r;
    r->open = true;
}

void release_close(struct release *r)
{
    if (r->open)
        uv_close((uv_handle_t *)&r->timer, NULL);
    r->open = false;
}

void release_filter(const struct release *r, char out[LOA_TOPIC_CAP])
{
    const struct loa_certificate *me = &r->service->identity.leaf;
    int rv = loa_topic_build(out, LOA_TOPIC_CAP, LOA_PLANE_RPC, "reply",
                             me->area, me->principal);

    if (rv != LOA_OK) /* The parts were checked with the certificate. */
        abort();
}
