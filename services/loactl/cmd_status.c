/* cmd_status.c -- who is there: status of every loudspeaker, counts. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "loactl/pages.h"
#include "loactl/words.h"
#include "proto/io/clock.h"

#define ID_SHOWN 8 /* Digits: `report` takes so many. */

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
    enum link_known known = link_devices(c, under, note_revoked, revoked);

    if (known == LINK_NOT_TOLD)
        ctl_warn(c,
                 "bạn không được xem danh sách thiết bị ở %s: không rõ loa "
                 "nào bị thu hồi",
                 "you may not see the devices of %s: who is revoked is not "
                 "known",
                 under);
    if (known == LINK_SILENT)
        ctl_warn(c, "sổ đăng ký không trả lời: không rõ loa nào bị thu hồi",
                 "the registry does not answer: who is revoked is not known");
    return revoked;
}

static json_t *status_json(const struct ctl *c,
                           const Loa__V1__DeviceStatus *d,
                           bool revoked)
{
    const Loa__V1__Health *h = d->health;
    json_t *j =
        json_pack("{s:s,s:s,s:s,s:b,s:o}", "device", d->device, "area", d->area,
                  "presence", word_presence(c->english || c->json, d->presence),
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
    snprintf(presence, sizeof presence, "%s%s",
             word_presence(c->english || c->json, d->presence),
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
    char under[LOA_AREA_CAP];
    struct status_list s = {.list = {.c = c, .rows = json_array()},
                            .under = under};
    struct pages p = {.service = LINK_TELEMETRY,
                      .request = &q.base,
                      .each = add_statuses,
                      .data = &s};
    int rc = link_area_given(c, under);

    status_table(c, &s.list.table);
    find.under = under;
    find.limit = 50;
    find.after = p.after;
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
    char under[LOA_AREA_CAP];
    struct pages_list l = {.c = c, .rows = json_array()};
    struct pages p = {.service = LINK_TELEMETRY,
                      .request = &q.base,
                      .each = add_summaries,
                      .data = &l};
    int rc = link_area_given(c, under);

    counts_table(c, &l.table);
    find.under = under;
    find.after = p.after;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_SUMMARY;
    q.summary = &find;
    if (rc == CTL_OK)
        rc = pages_ask(c, &p);
    return pages_print(&l, rc, "chưa biết loa nào ở đây",
                       "nothing is known about loudspeakers here (yet)");
}

const struct command commands_status[] = {
    {"counts", "", "[AREA]", "counts of an area and of each one below it",
     "loactl counts vn/08", NULL, 0, 1, run_counts},
    {"status", "", "[AREA]", "every device of an area", "loactl status vn/08",
     NULL, 0, 1, run_status},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
