/* io_out.c -- what the collector says: acknowledgements and summaries. */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "telemetry-collector/collector.h"

#define ACK_LIFE_MS 600000
#define ACK_REFUSED_MAX 64
#define ACK_BYTES_MAX (64 + 11 * ACK_REFUSED_MAX)
#define SUMMARY_BYTES_MAX 512

static void send_acks(struct collector *c);

static void on_acked(void *data, int status, unsigned reason)
{
    (void)status;
    (void)reason;
    send_acks(data); /* There is room for one more. */
}

/* A lost acknowledgement is harmless: the device sends the batch again. */
static int send_ack(struct collector *c, const struct device *d)
{
    Loa__V1__Ack ack = LOA__V1__ACK__INIT;
    struct loa_signer signer = loa_identity_signer(&c->service.identity);
    struct loa_header h = {.type = LOA_TYPE_ACK,
                           .issued_at_ms = clock_wall_ms()};
    uint8_t body[ACK_BYTES_MAX], envelope[4096];
    uint64_t refused[ACK_REFUSED_MAX];
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.topic = topic, .payload = envelope, .qos = 1};
    int rv;

    ack.log_id =
        (ProtobufCBinaryData){LOA_ID_BYTES, (uint8_t *)(uintptr_t)d->log_id};
    ack.committed_sequence = d->committed;
    ack.refused_sequences = refused;
    ack.n_refused_sequences =
        refusals_of(&c->refusals, d, refused, ACK_REFUSED_MAX);
    h.body = (struct loa_bytes){body, loa__v1__ack__pack(&ack, body)};
    h.expires_at_ms = h.issued_at_ms + ACK_LIFE_MS;
    memcpy(h.area, d->area, sizeof h.area);
    randombytes_buf(h.message_id, sizeof h.message_id);
    rv = loa_envelope_seal(&h, &signer, envelope, sizeof envelope, &m.len);
    if (rv == LOA_OK)
        rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, "ack",
                             d->area, d->id);
    if (rv != LOA_OK) {
        log_error("ack.seal", "device=%s", d->id);
        return LOA_OK; /* It would not be better the next time. */
    }
    rv = mqtt_publish(&c->service.mqtt, &m, on_acked, c);
    if (rv == LOA_OK)
        refusals_drop(&c->refusals, d, refused, ack.n_refused_sequences);
    return rv;
}

/* One commit may be about more devices than the broker takes messages from us
 * at a time; the others wait for its PUBACKs. */
static void send_acks(struct collector *c)
{
    while (c->acks_n > 0) {
        struct device *d = c->acks[c->acks_first];
        if (send_ack(c, d) != LOA_OK)
            return;
        d->ack_due = false;
        c->acks_first = (c->acks_first + 1) % c->conf.devices_max;
        c->acks_n--;
    }
}

void io_out_ack(struct collector *c, struct device *d)
{
    if (!d->ack_due) {
        d->ack_due = true;
        c->acks[(c->acks_first + c->acks_n) % c->conf.devices_max] = d;
        c->acks_n++;
    }
    send_acks(c);
}

static int publish(struct collector *c, const struct summary *s)
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
        return LOA_OK;
    m.len = loa__v1__summary__pack(&out, body);
    if (loa_topic_build(topic, sizeof topic, LOA_PLANE_PUB, "summary", s->area,
                        NULL) != LOA_OK)
        return LOA_OK;
    return mqtt_publish(&c->service.mqtt, &m, NULL, NULL);
}

/* Nobody is in this area any more: it says so, once. */
static int publish_empty(struct collector *c, const struct summary *was)
{
    struct summary none;

    memset(&none, 0, sizeof none);
    memcpy(none.area, was->area, sizeof none.area);
    return publish(c, &none);
}

static int by_area(const void *a, const void *b)
{
    return strcmp(((const struct summary *)a)->area,
                  ((const struct summary *)b)->area);
}

/* Both lists are sorted by area, so one walk finds what is new, changed or
 * gone. What the broker does not take now is remembered with a count that
 * cannot be, so that the next round finds it changed. */
void io_out_summaries(struct collector *c, bool all)
{
    struct summary *now = c->summaries;
    size_t n = presence_summaries(&c->presence, clock_wall_ms(), now,
                                  c->summaries_cap);
    size_t gone_n = 0, k = 0;

    c->presence.summary_dirty = false;
    for (size_t i = 0; i < n || k < c->sent_n;) {
        int order = i == n           ? 1
                    : k == c->sent_n ? -1
                                     : strcmp(now[i].area, c->sent[k].area);
        struct summary *was = &c->sent[k];
        if (order > 0) {
            if (publish_empty(c, was) != LOA_OK &&
                n + gone_n < c->summaries_cap) {
                was->online_n = UINT32_MAX;
                now[n + gone_n++] = *was;
            }
            k++;
            continue;
        }
        if ((all || order < 0 || memcmp(was, &now[i], sizeof *was) != 0) &&
            publish(c, &now[i]) != LOA_OK)
            now[i].online_n = UINT32_MAX;
        i++;
        k += order == 0;
    }
    c->sent_n = n + gone_n;
    memcpy(c->sent, now, c->sent_n * sizeof *now);
    if (gone_n > 0)
        qsort(c->sent, c->sent_n, sizeof *c->sent, by_area);
}

/* --- metrics
 * -------------------------------------------------------------------- */

static const struct metric counters[] = {
    METRIC_COUNTER_INIT("loa_telemetry_receipts_total",
                        "Receipts taken for storing, repeats included",
                        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_batches_disbelieved_total",
                        "Batches of receipts that failed verification",
                        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_batches_malformed_total",
                        "Batches of receipts of which nothing could be read",
                        NULL),
    METRIC_COUNTER_INIT(
        "loa_telemetry_receipts_refused_total",
        "Receipts set aside: not readable, or refused by the database",
        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_batches_busy_total",
                        "Batches of receipts left to be repeated",
                        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_devices_turned_away_total",
                        "Messages of devices beyond devices-max",
                        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_devices_unsaved_total",
                        "Rows of devices that the database refused",
                        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_health_dropped_total",
                        "Health reports that the database refused",
                        NULL),
    METRIC_COUNTER_INIT(
        "loa_telemetry_housekeeping_total",
        "Times that months were made ahead and old ones dropped",
        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_health_unstored_total",
                        "Health reports beyond what is stored of one device",
                        NULL),
    METRIC_COUNTER_INIT(
        "loa_telemetry_batches_limited_total",
        "Batches of receipts beyond what one device may send, not stored",
        NULL),
    METRIC_COUNTER_INIT("loa_telemetry_lines_unsaid_total",
                        "Lines of the log beyond what one device may cause",
                        NULL),
    METRIC_GAUGE_INIT("loa_telemetry_devices", "Devices known", NULL),
    METRIC_GAUGE_INIT("loa_telemetry_devices_max",
                      "Devices that may be known",
                      NULL),
};
_Static_assert(sizeof counters / sizeof counters[0] == COUNTERS_N,
               "collector.h knows how many");

int io_out_metrics(struct collector *c)
{
    memcpy(c->counters, counters, sizeof counters);
    return metrics_register(&c->service.metrics, c->counters, COUNTERS_N);
}

void io_out_collect(struct collector *c)
{
    const double values[COUNTERS_N] = {
        (double)c->receipts_n,  (double)c->disbelieved_n,
        (double)c->malformed_n, (double)c->refused_n,
        (double)c->busy_n,      (double)c->presence.turned_away_n,
        (double)c->unsaved_n,   (double)c->store.health_dropped_n,
        (double)c->housekept_n, (double)c->unstored_n,
        (double)c->limited_n,   (double)c->unsaid_n,
        (double)c->presence.n,  (double)c->presence.max};

    for (int i = 0; i < COUNTERS_N; i++)
        metric_set(&c->counters[i], values[i]);
}
