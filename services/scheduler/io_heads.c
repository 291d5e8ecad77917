#include "scheduler/io_heads.h"

#include <sodium.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "scheduler/wire.h"

static void pump(struct io_heads *h);

static void on_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

void io_heads_open(struct io_heads *h,
                   struct service *service,
                   struct areas *areas,
                   uint32_t own,
                   uint64_t interval_ms,
                   struct io_clock *clock,
                   struct stats *stats)
{
    memset(h, 0, sizeof *h);
    h->service = service;
    h->areas = areas;
    h->stats = stats;
    h->clock = clock;
    heads_init(&h->heads, own, interval_ms);
    uv_timer_init(&service->loop, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, on_timer, IO_HEADS_TICK_MS, IO_HEADS_TICK_MS);
    h->open = true;
}

void io_heads_close(struct io_heads *h)
{
    if (h->open)
        uv_close((uv_handle_t *)&h->timer, NULL);
    h->open = false;
}

static void on_acked(void *data, int status, unsigned reason)
{
    struct io_heads *h = data;

    h->unacked_n--;
    if (status != LOA_OK)
        log_warn("head.refused", "reason=0x%02x text=%s", reason,
                 loa_strerror(status));
    else
        pump(h);
}

/* device NULL: for everybody, retained. row may be AREA_NONE: an area without
 * a programme. */
static int publish(struct io_heads *h,
                   const char *path,
                   uint32_t row,
                   const char *device,
                   const uint8_t *nonce)
{
    struct loa_signer signer = loa_identity_signer(&h->service->identity);
    const struct area *a = row == AREA_NONE ? NULL : &h->areas->rows[row];
    bool known = a != NULL && a->head_version != 0;
    uint8_t id[LOA_ID_BYTES], envelope[HEAD_BYTES_MAX];
    char topic[LOA_TOPIC_CAP];
    struct head head = {
        .area = path,
        .at_ms = clock_wall_ms(),
        .programme_version = known ? a->head_version : 0,
        .programme_hash = known ? a->head_hash : NULL,
        .revocation_number = h->service->trust.trust.revoked.number,
        .nonce = nonce,
        .message_id = id,
    };
    struct mqtt_msg m = {.topic = topic,
                         .payload = envelope,
                         .qos = 1,
                         .retain = device == NULL};
    int rv;

    randombytes_buf(id, sizeof id);
    rv = head_seal(&head, &signer, envelope, &m.len);
    if (rv == LOA_OK)
        rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, "head", path,
                             device);
    if (rv == LOA_OK)
        rv = mqtt_publish(&h->service->mqtt, &m, on_acked, h);
    if (rv == LOA_OK)
        h->unacked_n++;
    return rv;
}

/* Publish what is due, as far as the broker keeps up. A head waits for the next
 * tick, so that the programme it names is mostly there before it. */
static void pump(struct io_heads *h)
{
    while (h->open && h->service->mqtt.connected &&
           io_clock_believed(h->clock) && h->unacked_n < IO_HEADS_UNACKED_MAX) {
        uint32_t row = heads_next(&h->heads, h->areas, clock_mono_ms());

        if (row == AREA_NONE)
            return;
        if (publish(h, h->areas->rows[row].path, row, NULL, NULL) != LOA_OK) {
            h->areas->rows[row].head_due_ms = 0; /* With the next tick. */
            return;
        }
        metric_inc(&h->stats->own[STATS_HEADS]);
    }
}

bool io_heads_message(struct io_heads *h, const struct mqtt_msg *m)
{
    struct loa_bytes p = {m->payload, m->len};
    uint8_t nonce[LOA_ID_BYTES];
    struct loa_topic t;

    if (wire_time_request(p, nonce) != LOA_OK ||
        loa_topic_parse(m->topic, &t) != LOA_OK || t.plane != LOA_PLANE_RPC ||
        strcmp(t.kind, "scheduler") != 0 || t.principal[0] == '\0')
        return false;
    if (!io_clock_believed(h->clock) ||
        !loa_area_within(t.area, h->service->identity.leaf.area) ||
        !heads_asked(&h->heads, t.principal, clock_mono_ms()) ||
        publish(h, t.area, areas_find(h->areas, t.area), t.principal, nonce) !=
            LOA_OK) {
        metric_inc(&h->stats->own[STATS_TIME_DROPPED]);
        return true;
    }
    metric_inc(&h->stats->own[STATS_TIME_ANSWERED]);
    return true;
}
