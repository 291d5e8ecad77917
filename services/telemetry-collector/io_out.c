/* io_out.c -- what the collector says: acknowledgements and summaries. */

#include <sodium.h>
#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "telemetry-collector/collector.h"

#define ACK_LIFE_MS 600000
#define SUMMARY_BYTES_MAX 512

/* A lost acknowledgement is harmless: the device sends the batch again. */
void io_out_ack(struct collector *c, const struct device *d)
{
    Loa__V1__Ack ack = LOA__V1__ACK__INIT;
    struct loa_signer signer = loa_identity_signer(&c->service.identity);
    struct loa_header h = {.type = LOA_TYPE_ACK,
                           .issued_at_ms = clock_wall_ms()};
    uint8_t body[64], envelope[4096];
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.topic = topic, .payload = envelope, .qos = 1};

    ack.log_id =
        (ProtobufCBinaryData){LOA_ID_BYTES, (uint8_t *)(uintptr_t)d->log_id};
    ack.committed_sequence = d->committed;
    h.body = (struct loa_bytes){body, loa__v1__ack__pack(&ack, body)};
    h.expires_at_ms = h.issued_at_ms + ACK_LIFE_MS;
    memcpy(h.area, d->area, sizeof h.area);
    randombytes_buf(h.message_id, sizeof h.message_id);
    if (loa_envelope_seal(&h, &signer, envelope, sizeof envelope, &m.len) !=
            LOA_OK ||
        loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, "ack", d->area,
                        d->id) != LOA_OK)
        log_error("ack.seal", "device=%s", d->id);
    else if (mqtt_publish(&c->service.mqtt, &m, NULL, NULL) != LOA_OK)
        log_debug("ack.unsent", "device=%s", d->id);
}

static void publish(struct collector *c, const struct summary *s)
{
    Loa__V1__Summary out = LOA__V1__SUMMARY__INIT;
    uint8_t body[SUMMARY_BYTES_MAX];
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {
        .topic = topic, .payload = body, .qos = 1, .retain = true};

    out.area = (char *)(uintptr_t)s->area;
    out.at_ms = clock_wall_ms();
    out.online_n = s->online_n;
    out.lost_n = s->lost_n;
    out.disconnected_n = s->disconnected_n;
    out.playing_n = s->playing_n;
    out.stale_n = s->stale_n;
    out.started_today_n = s->counts[PRESENCE_STARTED];
    out.finished_today_n = s->counts[PRESENCE_FINISHED];
    out.interrupted_today_n = s->counts[PRESENCE_INTERRUPTED];
    out.refused_today_n = s->counts[PRESENCE_REFUSED];
    if (loa__v1__summary__get_packed_size(&out) > sizeof body)
        return;
    m.len = loa__v1__summary__pack(&out, body);
    if (loa_topic_build(topic, sizeof topic, LOA_PLANE_PUB, "summary", s->area,
                        NULL) != LOA_OK ||
        mqtt_publish(&c->service.mqtt, &m, NULL, NULL) != LOA_OK)
        c->presence.summary_dirty = true; /* The next round tries again. */
}

/* Both lists are sorted by area, so one walk finds what is new or changed. */
void io_out_summaries(struct collector *c, bool all)
{
    size_t n = presence_summaries(&c->presence, clock_wall_ms(), c->summaries,
                                  c->summaries_cap);

    c->presence.summary_dirty = false;
    for (size_t i = 0, k = 0; i < n; i++) {
        const struct summary *s = &c->summaries[i];
        while (k < c->sent_n && strcmp(c->sent[k].area, s->area) < 0)
            k++;
        if (all || k == c->sent_n || memcmp(&c->sent[k], s, sizeof *s) != 0)
            publish(c, s);
    }
    memcpy(c->sent, c->summaries, n * sizeof *c->sent);
    c->sent_n = n;
}
