/* cmd_status.c -- what is heard: status, the report of a bulletin, watch. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "loactl/pages.h"
#include "proto/io/clock.h"

#define ID_SHOWN 8 /* Digits: `report` takes so many. */

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

/* Remembers who is revoked: the collector does not know. */
static void note_revoked(void *data, const Loa__V1__Device *d)
{
    if (d->revoked)
        json_object_set_new(data, d->id, json_true());
}

/* {device: true} of the revoked ones; empty while the registry is silent. */
static json_t *find_revoked(struct ctl *c, const char *under)
{
    json_t *revoked = json_object();

    if (link_devices(c, under, note_revoked, revoked) != LINK_KNOWN)
        ctl_warn(c, "sổ đăng ký không trả lời: không rõ loa nào bị thu hồi",
                 "the registry does not answer: who is revoked is not known");
    return revoked;
}

static json_t *status_json(const struct ctl *c,
                           const Loa__V1__DeviceStatus *d,
                           bool revoked)
{
    const Loa__V1__Health *h = d->health;
    json_t *j = json_pack("{s:s,s:s,s:s,s:b,s:o}", "device", d->device, "area",
                          d->area, "presence", presence_name(c, d->presence),
                          "revoked", (int)revoked, "last_seen_at_ms",
                          json_time(d->last_seen_at_ms));

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

/* One device in both forms: of both lists one is printed. */
static void add_status(const struct ctl *c,
                       struct table *t,
                       json_t *list,
                       const Loa__V1__DeviceStatus *d,
                       bool revoked)
{
    const Loa__V1__Health *h = d->health;
    char volume[16] = "-", seen[32], presence[64];
    char plays[2 * LOA_ID_BYTES + 1] = "-";

    if (h != NULL)
        snprintf(volume, sizeof volume, "%u %%", h->volume_percent);
    if (h != NULL && h->playing_bulletin_id.len == LOA_ID_BYTES) {
        loa_hex(h->playing_bulletin_id.data, LOA_ID_BYTES, plays);
        plays[ID_SHOWN] = '\0';
    }
    snprintf(presence, sizeof presence, "%s%s", presence_name(c, d->presence),
             !revoked     ? ""
             : c->english ? ", REVOKED"
                          : ", THU HỒI");
    json_array_append_new(list, status_json(c, d, revoked));
    table_row(t, d->device, d->area, presence,
              out_time(d->last_seen_at_ms, seen), volume, plays);
}

static void status_table(const struct ctl *c, struct table *t)
{
    table_init(
        t, 6, c->english ? "DEVICE" : "THIẾT BỊ",
        c->english ? "AREA" : "ĐỊA BÀN", c->english ? "PRESENCE" : "KẾT NỐI",
        c->english ? "LAST SEEN" : "THẤY LẦN CUỐI",
        c->english ? "VOLUME" : "ÂM LƯỢNG", c->english ? "PLAYS" : "ĐANG PHÁT");
}

/* A list of devices, and who of them is revoked; asked for when the first page
 * has come. */
struct status_list {
    struct pages_list list;
    const char *under;
    json_t *revoked;
    uint64_t turned_away_n; /* By the collector, of any area. */
};

static void add_statuses(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__TelemetryAnswer *a = (const Loa__V1__TelemetryAnswer *)m;
    struct status_list *s = data;

    if (a->n_devices > 0 && s->revoked == NULL)
        s->revoked = find_revoked(s->list.c, s->under);
    s->turned_away_n = a->turned_away_n;
    for (size_t i = 0; i < a->n_devices; i++)
        add_status(s->list.c, &s->list.table, s->list.rows, a->devices[i],
                   json_object_get(s->revoked, a->devices[i]->device) != NULL);
}

static int run_status(struct ctl *c)
{
    Loa__V1__TelemetryRequest q = LOA__V1__TELEMETRY_REQUEST__INIT;
    Loa__V1__DeviceStatusFind find = LOA__V1__DEVICE_STATUS_FIND__INIT;
    char under[LOA_AREA_CAP], after[PAGES_AFTER_CAP];
    struct status_list s = {.list = {.c = c, .rows = json_array()},
                            .under = under};
    struct pages p = {.service = LINK_TELEMETRY,
                      .request = &q.base,
                      .after = after,
                      .each = add_statuses,
                      .data = &s};
    int rc =
        link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under);

    status_table(c, &s.list.table);
    find.under = under;
    find.limit = 50;
    find.after = after;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_DEVICES;
    q.devices = &find;
    if (rc == CTL_OK)
        rc = pages_ask(c, &p);
    if (s.turned_away_n > 0)
        ctl_warn(c,
                 "danh sách chưa đủ: có nhiều loa hơn devices-max của "
                 "loa-telemetry-collector, hãy tăng giá trị này",
                 "the list is not complete: there are more loudspeakers than "
                 "devices-max of loa-telemetry-collector; raise it");
    json_decref(s.revoked);
    return pages_print(&s.list, rc, "chưa biết loa nào ở đây",
                       "nothing is known about loudspeakers here (yet)");
}

/* --- counts
 * --------------------------------------------------------------------- */

static void add_summaries(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__TelemetryAnswer *a = (const Loa__V1__TelemetryAnswer *)m;
    struct pages_list *l = data;

    for (size_t i = 0; i < a->n_summaries; i++) {
        const Loa__V1__Summary *s = a->summaries[i];
        const uint32_t n[] = {
            s->online_n,         s->lost_n,          s->disconnected_n,
            s->playing_n,        s->stale_n,         s->started_today_n,
            s->finished_today_n, s->refused_today_n, s->interrupted_today_n};
        char text[sizeof n / sizeof n[0]][16];

        for (size_t k = 0; k < sizeof n / sizeof n[0]; k++)
            snprintf(text[k], sizeof text[0], "%u", n[k]);
        table_row(&l->table, s->area, text[0], text[1], text[2], text[3],
                  text[4], text[5], text[6], text[7], text[8]);
        json_array_append_new(
            l->rows,
            json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "area",
                      s->area, "online", (int)n[0], "lost", (int)n[1],
                      "disconnected", (int)n[2], "playing", (int)n[3], "stale",
                      (int)n[4], "started_today", (int)n[5], "finished_today",
                      (int)n[6], "refused_today", (int)n[7],
                      "interrupted_today", (int)n[8]));
    }
}

static void counts_table(const struct ctl *c, struct table *t)
{
    if (c->english)
        table_init(t, 10, "AREA", "ONLINE", "LOST", "OFF", "PLAY", "STALE",
                   "STARTED", "FINISHED", "REFUSED", "CUT");
    else
        table_init(t, 10, "ĐỊA BÀN", "TRỰC TUYẾN", "MẤT", "NGẮT", "PHÁT", "CŨ",
                   "BẮT ĐẦU", "XONG", "TỪ CHỐI", "DỞ DANG");
}

static int run_counts(struct ctl *c)
{
    Loa__V1__TelemetryRequest q = LOA__V1__TELEMETRY_REQUEST__INIT;
    Loa__V1__SummaryFind find = LOA__V1__SUMMARY_FIND__INIT;
    char under[LOA_AREA_CAP], after[PAGES_AFTER_CAP];
    struct pages_list l = {.c = c, .rows = json_array()};
    struct pages p = {.service = LINK_TELEMETRY,
                      .request = &q.base,
                      .after = after,
                      .each = add_summaries,
                      .data = &l};
    int rc =
        link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under);

    counts_table(c, &l.table);
    find.under = under;
    find.after = after;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_SUMMARY;
    q.summary = &find;
    if (rc == CTL_OK)
        rc = pages_ask(c, &p);
    return pages_print(&l, rc, "chưa biết loa nào ở đây",
                       "nothing is known about loudspeakers here (yet)");
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

/* No receipt: is it a bulletin at all? Only a clear no is a refusal. */
static int judge_empty(struct ctl *c, uint8_t id[LOA_ID_BYTES])
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
    ProtobufCMessage *m;
    int rc;

    find.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, id};
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    q.find = &find;
    rc = link_try(c, LINK_SCHEDULER, &q.base, LINK_TRY_MS, &m);
    if (rc == CTL_REFUSED)
        return ctl_fail(
            c, CTL_REFUSED,
            "chưa biết gì về bản tin hay lệnh này, và lịch không "
            "có nó",
            "nothing is known about this bulletin or command (yet), "
            "and no schedule has it");
    ctl_empty(c, "chưa biết gì về bản tin này",
              "nothing is known about this bulletin (yet)");
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return CTL_OK;
}

static void add_receipts(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__TelemetryAnswer *a = (const Loa__V1__TelemetryAnswer *)m;
    struct pages_list *l = data;

    for (size_t i = 0; i < a->n_receipts; i++) {
        const Loa__V1__DeviceReceipt *d = a->receipts[i];

        json_array_append_new(l->rows,
                              receipt_json(d->device, d->area, d->receipt));
        receipt_row(&l->table, d->device, d->area, d->receipt);
    }
}

static int list_report(struct ctl *c,
                       uint8_t id[LOA_ID_BYTES],
                       struct pages_list *l)
{
    Loa__V1__TelemetryRequest q = LOA__V1__TELEMETRY_REQUEST__INIT;
    Loa__V1__BulletinReport report = LOA__V1__BULLETIN_REPORT__INIT;
    char after[PAGES_AFTER_CAP];
    struct pages p = {.service = LINK_TELEMETRY,
                      .request = &q.base,
                      .after = after,
                      .each = add_receipts,
                      .data = l};

    report.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, id};
    report.limit = 200;
    report.after = after;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_BULLETIN;
    q.bulletin = &report;
    return pages_ask(c, &p);
}

static int run_report(struct ctl *c)
{
    uint8_t id[LOA_ID_BYTES];
    struct pages_list l = {.c = c, .rows = json_array()};
    int rc = link_bulletin(c, c->positionals[0], id);

    table_init(&l.table, 6, c->english ? "DEVICE" : "THIẾT BỊ",
               c->english ? "AREA" : "ĐỊA BÀN",
               c->english ? "EVENT" : "SỰ KIỆN", c->english ? "AT" : "LÚC",
               c->english ? "BEGAN" : "LỆCH", c->english ? "REASON" : "LÝ DO");
    if (rc == CTL_OK)
        rc = list_report(c, id, &l);
    if (rc == CTL_OK && json_array_size(l.rows) == 0)
        rc = judge_empty(c, id);
    return pages_print(&l, rc, NULL, NULL);
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
        snprintf(text, sizeof text, "%s  %s  %s  %s", t->principal,
                 event_name(r->event), id, r->reason);
        line(c, receipt_json(t->principal, t->area, r), text);
    }
    if (b != NULL)
        loa__v1__receipt_batch__free_unpacked(b, NULL);
}

/* What plays is told by the receipts: the summary is behind them. */
static void watch_summary(const struct ctl *c, const struct mqtt_msg *m)
{
    Loa__V1__Summary *s = loa__v1__summary__unpack(NULL, m->len, m->payload);
    char text[200];

    if (s == NULL)
        return;
    snprintf(text, sizeof text,
             c->english ? "%s: %u online, %u lost"
                        : "%s: %u trực tuyến, %u mất liên lạc",
             s->area, s->online_n, s->lost_n);
    line(c,
         json_pack("{s:s,s:i,s:i,s:i,s:i}", "area", s->area, "online",
                   (int)s->online_n, "lost", (int)s->lost_n, "started_today",
                   (int)s->started_today_n, "finished_today",
                   (int)s->finished_today_n),
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
    int rc =
        link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under);

    if (rc != CTL_OK)
        return rc;
    snprintf(filters[0], LOA_TOPIC_CAP, "loa/1/up/state/%s/#", under);
    snprintf(filters[1], LOA_TOPIC_CAP, "loa/1/up/receipt/%s/#", under);
    snprintf(filters[2], LOA_TOPIC_CAP, "loa/1/pub/summary/%s", under);
    return link_listen(c, list, 3, on_message, c);
}

const struct command commands_status[] = {
    {"report", "", "BULLETIN", "what every device did with a bulletin",
     "loactl report 5c0e...", NULL, 1, 1, run_report},
    {"counts", "", "[AREA]", "counts of an area and of each one below it",
     "loactl counts vn/08", NULL, 0, 1, run_counts},
    {"status", "", "[AREA]", "every device of an area", "loactl status vn/08",
     NULL, 0, 1, run_status},
    {"watch", "", "[AREA]", "what happens, as it happens; Ctrl-C ends it",
     "loactl watch vn/08/070", NULL, 0, 1, run_watch},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
