#include "scheduler/io_sync.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"

#define MEMORY_BYTES (8u * LOA_ENVELOPE_BYTES_MAX + SYNC_ROWS_MAX * 512u)
#define REQUEST_LIFE_MS 300000

static void ask(struct sync *y);

static void on_timer(uv_timer_t *timer)
{
    struct sync *y = timer->data;

    if (y->asking && y->answer_ms < SYNC_ANSWER_MS_MAX)
        y->answer_ms *= 2;
    else if (y->asking)
        log_info("sync.silent", "since=%llu text=the registry does not answer",
                 (unsigned long long)y->since);
    ask(y);
}

int sync_open(struct sync *y,
              struct service *service,
              uint64_t since,
              sync_page_cb on_page,
              void *data)
{
    memset(y, 0, sizeof *y);
    y->memory = malloc(MEMORY_BYTES);
    if (y->memory == NULL)
        return LOA_ENOMEM;
    loa_arena_init(&y->arena, y->memory, MEMORY_BYTES);
    y->service = service;
    y->since = since;
    y->answer_ms = SYNC_ANSWER_MS_MIN;
    y->on_page = on_page;
    y->data = data;
    uv_timer_init(&service->loop, &y->timer);
    y->timer.data = y;
    return LOA_OK;
}

void sync_filter(const struct service *service, char out[LOA_TOPIC_CAP])
{
    const struct loa_certificate *me = &service->identity.leaf;
    int rv = loa_topic_build(out, LOA_TOPIC_CAP, LOA_PLANE_RPC, "reply",
                             me->area, me->principal);

    if (rv != LOA_OK) /* The parts were checked with the certificate. */
        abort();
}

/* Ask for the page after y->after; the timer asks again if nothing comes. */
static void ask(struct sync *y)
{
    const struct loa_identity *id = &y->service->identity;
    struct loa_signer signer = loa_identity_signer(id);
    struct loa_header h = {.type = LOA_TYPE_REGISTRY_REQUEST,
                           .issued_at_ms = clock_wall_ms()};
    uint8_t body[SYNC_REQUEST_MAX], envelope[8192];
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.topic = topic, .payload = envelope, .qos = 1};
    int rv;

    randombytes_buf(y->message_id, sizeof y->message_id);
    memcpy(h.message_id, y->message_id, sizeof h.message_id);
    memcpy(h.area, id->leaf.area, sizeof h.area);
    h.expires_at_ms = h.issued_at_ms + REQUEST_LIFE_MS;
    h.body = (struct loa_bytes){body, sync_request(y->since, y->after, body)};
    rv = loa_envelope_seal(&h, &signer, envelope, sizeof envelope, &m.len);
    if (rv == LOA_OK)
        rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_RPC, "registry",
                             id->leaf.area, id->leaf.principal);
    if (rv == LOA_OK)
        rv = mqtt_publish(&y->service->mqtt, &m, NULL, NULL);
    if (rv != LOA_OK)
        log_warn("sync.ask", "text=%s", loa_strerror(rv));
    y->asking = true;
    uv_timer_start(&y->timer, on_timer, y->answer_ms, 0);
}

void sync_start(struct sync *y)
{
    if (y->asking || y->storing) {
        y->again = true; /* A page on its way may be older. */
        return;
    }
    y->after[0] = '\0';
    ask(y);
}

static void on_stored(void *data, int status)
{
    struct sync *y = data;
    bool complete = y->page.next[0] == '\0';

    y->storing = false;
    if (status != LOA_OK) {
        log_warn("sync.store", "text=%s", loa_strerror(status));
        uv_timer_start(&y->timer, on_timer, SYNC_RETRY_MS, 0);
        return;
    }
    if (complete && y->page.version > y->since)
        log_info("sync.complete", "version=%llu",
                 (unsigned long long)y->page.version);
    if (complete)
        y->since = y->page.version;
    y->on_page(y->data, &y->page, complete);
    memcpy(y->after, y->page.next, sizeof y->after);
    if (!complete) {
        ask(y);
    } else if (y->again) {
        y->again = false;
        sync_start(y);
    }
}

static void store(struct sync *y)
{
    struct pg *pg = &y->service->pg;
    int rv = io_pg_write_areas(pg, &y->page, y->page.next[0] == '\0');

    y->storing = true;
    if (rv == LOA_OK)
        rv = pg_commit(pg, on_stored, y);
    else
        pg_abort(pg);
    if (rv == LOA_OK)
        return;
    log_warn("sync.store", "text=%s", loa_strerror(rv));
    y->storing = false;
    uv_timer_start(&y->timer, on_timer, SYNC_RETRY_MS, 0);
}

/* Is it the registry's answer to the last question? */
static int read_answer(struct sync *y,
                       const struct mqtt_msg *m,
                       struct loa_bytes *body)
{
    struct loa_expect want = {.type = LOA_TYPE_REGISTRY_ANSWER,
                              .signer_area = y->service->identity.leaf.area,
                              .now_ms = clock_wall_ms(),
                              .time_trusted = true};
    struct loa_envelope e;
    enum loa_verdict v;

    loa_arena_reset(&y->arena);
    if (loa_envelope_parse(&y->arena, (struct loa_bytes){m->payload, m->len},
                           &e) != LOA_OK)
        return LOA_EINVAL;
    if (memcmp(e.header.message_id, y->message_id, LOA_ID_BYTES) != 0)
        return LOA_ESTALE;
    v = loa_trust_verify(&y->service->trust.trust, &e, &want, NULL);
    if (v != LOA_VERDICT_OK) {
        log_warn("sync.refused", "verdict=%s", loa_verdict_name(v));
        return LOA_EACCES;
    }
    *body = e.header.body;
    return LOA_OK;
}

void sync_message(struct sync *y, const struct mqtt_msg *m)
{
    static uint8_t copy[LOA_ENVELOPE_BYTES_MAX];
    struct loa_bytes body;
    char why[SAY_CAP] = "";
    int rv;

    if (!y->asking || read_answer(y, m, &body) != LOA_OK)
        return;
    /* The page is unpacked into the arena that holds the envelope. */
    memcpy(copy, body.data, body.len);
    body.data = copy;
    rv = sync_answer(&y->arena, body, &y->page, why);
    y->asking = false;
    y->answer_ms = SYNC_ANSWER_MS_MIN;
    uv_timer_stop(&y->timer);
    if (rv == LOA_OK) {
        store(y);
        return;
    }
    log_warn("sync.answer", "text=%s", why[0] != '\0' ? why : loa_strerror(rv));
    y->after[0] = '\0';
    uv_timer_start(&y->timer, on_timer, SYNC_RETRY_MS, 0);
}

void sync_close(struct sync *y)
{
    if (y->memory == NULL)
        return;
    uv_close((uv_handle_t *)&y->timer, NULL);
    free(y->memory);
    y->memory = NULL;
}
