/* cmd_status.c -- what is heard: status, the report of a bulletin, watch. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loactl/link.h"
#include "proto/io/clock.h"

static const char *presence_name(const struct ctl *c, Loa__V1__Presence p)
{
    static const char *const en[] = {"unknown", "online", "lost",
                                     "disconnected"};
    static const char *const vi[] = {"chưa rõ", "trực tuyến", "mất liên lạc",
                                     "đã ngắt"};

    if ((unsigned)p >= sizeof en / sizeof en[0])
        return "?";
    return c->english || c->json ? en[p] : vi[p];
}

static const char *event_name(Loa__V1__ReceiptEvent e)
{
    static const char *const names[] = {"?",       "received", "verified",
                                        "started", "finished", "interrupted",
                                        "refused", "command"};

    return (unsigned)e < sizeof names / sizeof names[0] ? names[e] : "?";
}

static json_t *status_json(const struct ctl *c, const Loa__V1__DeviceStatus *d)
{
    const Loa__V1__Health *h = d->health;
    json_t *j = json_pack("{s:s,s:s,s:s,s:o}", "device", d->device, "area",
                          d->area, "presence", presence_name(c, d->presence),
                          "last_seen", json_time(d->last_seen_at_ms));

    if (d->state != NULL)
        json_object_set_new(j, "software", json_string(d->state->software));
    if (h != NULL)
        json_object_set_new(
            j, "health",
            json_pack("{s:I,s:i,s:i,s:i,s:i,s:I,s:I,s:b,s:o}", "resident_bytes",
                      (json_int_t)h->resident_bytes, "cpu_permille",
                      (int)h->cpu_permille, "volume_percent",
                      (int)h->volume_percent, "receipts_pending",
                      (int)h->receipts_pending, "contents_missing",
                      (int)h->contents_missing, "frames_played",
                      (json_int_t)h->frames_played, "frames_concealed",
                      (json_int_t)h->frames_concealed, "stale", (int)h->stale,
                      "playing",
                      json_hex(h->playing_bulletin_id.data,
                               h->playing_bulletin_id.len)));
    return j;
}

static int run_status(struct ctl *c)
{
    Loa__V1__TelemetryRequest q = LOA__V1__TELEMETRY_REQUEST__INIT;
    Loa__V1__DeviceStatusFind find = LOA__V1__DEVICE_STATUS_FIND__INIT;
    char under[LOA_AREA_CAP], after[256] = "", seen[32];
    json_t *list = json_array();
    struct table t;
    int rc;

    if (!link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under))
        return CTL_USAGE;
    table_init(&t, 5, c->english ? "DEVICE" : "THIẾT BỊ",
               c->english ? "AREA" : "ĐỊA BÀN",
               c->english ? "PRESENCE" : "KẾT NỐI",
               c->english ? "LAST SEEN" : "THẤY LẦN CUỐI",
               c->english ? "VOLUME" : "ÂM LƯỢNG");
    find.under = under;
    find.limit = 100;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_DEVICES;
    q.devices = &find;
    do {
        ProtobufCMessage *m;
        find.after = after;
        rc = link_ask(c, LINK_TELEMETRY, &q.base, &m);
        if (rc == CTL_OK) {
            Loa__V1__TelemetryAnswer *a = (Loa__V1__TelemetryAnswer *)m;
            for (size_t i = 0; i < a->n_devices; i++) {
                const Loa__V1__DeviceStatus *d = a->devices[i];
                char volume[16] = "-";
                if (d->health != NULL)
                    snprintf(volume, sizeof volume, "%u %%",
                             d->health->volume_percent);
                json_array_append_new(list, status_json(c, d));
                table_row(&t, d->device, d->area, presence_name(c, d->presence),
                          out_time(d->last_seen_at_ms, seen), volume);
            }
            snprintf(after, sizeof after, "%s", a->next);
        }
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    } while (rc == CTL_OK && after[0] != '\0');
    if (rc == CTL_OK && c->json)
        out_json(json_incref(list));
    else if (rc == CTL_OK)
        table_print(c, &t);
    json_decref(list);
    return rc;
}

/* --- report
 * --------------------------------------------------------------------- */

static json_t *receipt_json(const char *device,
                            const char *area,
                            const Loa__V1__Receipt *r)
{
    return json_pack(
        "{s:s,s:s,s:I,s:o,s:s,s:I,s:I,s:s,s:I,s:i,s:i}", "device", device,
        "area", area, "sequence", (json_int_t)r->sequence, "bulletin",
        json_hex(r->bulletin_id.data, r->bulletin_id.len), "event",
        event_name(r->event), "at_us", (json_int_t)r->at_us, "start_at_ms",
        (json_int_t)r->start_at_ms, "reason", r->reason, "first_sample_us",
        (json_int_t)r->first_sample_us, "played_ms", (int)r->played_ms,
        "concealed_ms", (int)r->concealed_ms);
}

static void receipt_row(struct table *t,
                        const char *device,
                        const char *area,
                        const Loa__V1__Receipt *r)
{
    char at[32], late[32] = "-";

    if (r->first_sample_us != 0 && r->start_at_ms != 0)
        snprintf(late, sizeof late, "%+.1f ms",
                 (double)(r->first_sample_us - r->start_at_ms * 1000) / 1000);
    table_row(t, device, area, event_name(r->event),
              out_time(r->at_us / 1000, at), late, r->reason);
}

static int run_report(struct ctl *c)
{
    Loa__V1__TelemetryRequest q = LOA__V1__TELEMETRY_REQUEST__INIT;
    Loa__V1__BulletinReport report = LOA__V1__BULLETIN_REPORT__INIT;
    uint8_t id[LOA_ID_BYTES];
    json_t *list = json_array();
    struct table t;
    char after[256] = "";
    int rc;

    if (loa_unhex(c->positionals[0], id, sizeof id) != LOA_OK)
        return ctl_fail(c, CTL_USAGE, "%s: cần 32 chữ số mười sáu",
                        "%s: want 32 hexadecimal digits", c->positionals[0]);
    table_init(&t, 6, c->english ? "DEVICE" : "THIẾT BỊ",
               c->english ? "AREA" : "ĐỊA BÀN",
               c->english ? "EVENT" : "SỰ KIỆN", c->english ? "AT" : "LÚC",
               c->english ? "BEGAN" : "LỆCH", c->english ? "REASON" : "LÝ DO");
    report.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    report.limit = 200;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_BULLETIN;
    q.bulletin = &report;
    do {
        ProtobufCMessage *m;
        report.after = after;
        rc = link_ask(c, LINK_TELEMETRY, &q.base, &m);
        if (rc == CTL_OK) {
            Loa__V1__TelemetryAnswer *a = (Loa__V1__TelemetryAnswer *)m;
            for (size_t i = 0; i < a->n_receipts; i++) {
                const Loa__V1__DeviceReceipt *d = a->receipts[i];
                json_array_append_new(
                    list, receipt_json(d->device, d->area, d->receipt));
                receipt_row(&t, d->device, d->area, d->receipt);
            }
            snprintf(after, sizeof after, "%s", a->next);
        }
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    } while (rc == CTL_OK && after[0] != '\0');
    if (rc == CTL_OK && c->json)
        out_json(json_incref(list));
    else if (rc == CTL_OK)
        table_print(c, &t);
    json_decref(list);
    return rc;
}

/* --- watch
 * ------------------------------------------------------------------------ */

static void line(const struct ctl *c, json_t *j, const char *text)
{
    char at[32];

    if (c->json)
        out_json(json_incref(j));
    else
        printf("%s  %s\n", out_time(clock_wall_ms(), at), text);
    fflush(stdout);
    json_decref(j);
}

static void watch_state(const struct ctl *c,
                        const struct loa_topic *t,
                        const struct mqtt_msg *m)
{
    Loa__V1__State *s = loa__v1__state__unpack(NULL, m->len, m->payload);
    char text[160];

    if (s == NULL)
        return;
    snprintf(text, sizeof text, "%s  %s", t->principal,
             presence_name(c, s->presence));
    line(c,
         json_pack("{s:s,s:s,s:s}", "device", t->principal, "area", t->area,
                   "presence", presence_name(c, s->presence)),
         text);
    loa__v1__state__free_unpacked(s, NULL);
}

static void watch_receipts(const struct ctl *c,
                           const struct loa_topic *t,
                           const struct mqtt_msg *m)
{
    static uint8_t memory[5 * LOA_ENVELOPE_BYTES_MAX];
    struct loa_bytes p = {m->payload, m->len};
    struct loa_arena arena;
    struct loa_envelope e;
    Loa__V1__ReceiptBatch *b;
    char text[200], id[2 * LOA_ID_BYTES + 1];

    loa_arena_init(&arena, memory, sizeof memory);
    if (m->len > LOA_ENVELOPE_BYTES_MAX ||
        loa_envelope_parse(&arena, p, &e) != LOA_OK)
        return;
    b = loa__v1__receipt_batch__unpack(NULL, e.header.body.len,
                                       e.header.body.data);
    for (size_t i = 0; b != NULL && i < b->n_receipts; i++) {
        const Loa__V1__Receipt *r = b->receipts[i];
        id[0] = '\0';
        if (r->bulletin_id.len == LOA_ID_BYTES)
            loa_hex(r->bulletin_id.data, LOA_ID_BYTES, id);
        snprintf(text, sizeof text, "%s  %s  %.8s  %s", t->principal,
                 event_name(r->event), id, r->reason);
        line(c, receipt_json(t->principal, t->area, r), text);
    }
    if (b != NULL)
        loa__v1__receipt_batch__free_unpacked(b, NULL);
}

static void watch_summary(const struct ctl *c, const struct mqtt_msg *m)
{
    Loa__V1__Summary *s = loa__v1__summary__unpack(NULL, m->len, m->payload);
    char text[200];

    if (s == NULL)
        return;
    snprintf(text, sizeof text,
             c->english ? "%s: %u online, %u lost, %u playing"
                        : "%s: %u trực tuyến, %u mất liên lạc, %u đang phát",
             s->area, s->online_n, s->lost_n, s->playing_n);
    line(c,
         json_pack("{s:s,s:i,s:i,s:i,s:i,s:i}", "area", s->area, "online",
                   (int)s->online_n, "lost", (int)s->lost_n, "playing",
                   (int)s->playing_n, "started_today", (int)s->started_today_n,
                   "finished_today", (int)s->finished_today_n),
         text);
    loa__v1__summary__free_unpacked(s, NULL);
}

static bool on_message(void *data, const struct mqtt_msg *m)
{
    const struct ctl *c = data;
    struct loa_topic t;

    if (loa_topic_parse(m->topic, &t) != LOA_OK)
        return true;
    if (strcmp(t.kind, "state") == 0)
        watch_state(c, &t, m);
    else if (strcmp(t.kind, "receipt") == 0)
        watch_receipts(c, &t, m);
    else if (strcmp(t.kind, "summary") == 0)
        watch_summary(c, m);
    return true;
}

static int run_watch(struct ctl *c)
{
    static char filters[3][LOA_TOPIC_CAP];
    const char *const list[] = {filters[0], filters[1], filters[2]};
    char under[LOA_AREA_CAP];

    if (!link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under))
        return CTL_USAGE;
    snprintf(filters[0], LOA_TOPIC_CAP, "loa/1/up/state/%s/#", under);
    snprintf(filters[1], LOA_TOPIC_CAP, "loa/1/up/receipt/%s/#", under);
    snprintf(filters[2], LOA_TOPIC_CAP, "loa/1/pub/summary/%s", under);
    return link_listen(c, list, 3, on_message, c);
}

const struct command commands_status[] = {
    {"report", "", "BULLETIN", "what every device did with a bulletin",
     "loactl report 5c0e...", NULL, 1, 1, run_report},
    {"status", "", "[AREA]", "every device of an area", "loactl status vn/08",
     NULL, 0, 1, run_status},
    {"watch", "", "[AREA]", "what happens, as it happens; Ctrl-C ends it",
     "loactl watch vn/08/070", NULL, 0, 1, run_watch},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
