/* cmd_report.c -- what every loudspeaker did with a bulletin. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "loactl/pages.h"
#include "loactl/report.h"
#include "loactl/words.h"

#define EVENTS_N (LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_COMMAND + 1)

json_t *receipt_json(const char *device,
                     const char *area,
                     const Loa__V1__Receipt *r)
{
    return json_pack(
        "{s:s,s:s,s:I,s:o,s:s,s:I,s:o,s:s,s:o,s:i,s:i}", "device", device,
        "area", area, "sequence", (json_int_t)r->sequence, "bulletin",
        json_hex(r->bulletin_id.data, r->bulletin_id.len), "event",
        word_event(true, r->event), "at_us", (json_int_t)r->at_us,
        "start_at_ms", json_time(r->start_at_ms), "reason", r->reason,
        "first_sample_us", json_time(r->first_sample_us), "played_ms",
        (int)r->played_ms, "concealed_ms", (int)r->concealed_ms);
}

/* The last that one loudspeaker told, and when its sound began. */
struct heard {
    char device[LOA_PRINCIPAL_CAP], area[LOA_AREA_CAP], reason[64];
    Loa__V1__ReceiptEvent event;
    int64_t at_us;
    int64_t late_us;
    int64_t committed_at_ms;
    bool began;
};

struct report_list {
    struct pages_list list;
    uint8_t *id;
    bool all;          /* A line per receipt, not per loudspeaker. */
    struct heard last; /* Receipts come in order of loudspeaker. */
    unsigned devices_n, events_n[EVENTS_N];
    json_t *expected; /* {device: true}: who has not reported yet. */
    bool expected_known;
};

static void heard_row(struct report_list *r, const struct heard *h)
{
    const struct ctl *c = r->list.c;
    char at[32], late[32] = "-";

    if (h->began)
        snprintf(late, sizeof late, "%+.1f ms", (double)h->late_us / 1000);
    table_row(&r->list.table, h->device, h->area,
              word_event(c->english, h->event), out_time(h->at_us / 1000, at),
              late, word_reason(c->english, h->reason));
}

/* The loudspeaker before is complete: count it, show it. */
static void close_device(struct report_list *r)
{
    struct heard *h = &r->last;

    if (h->device[0] == '\0')
        return;
    r->devices_n++;
    if ((unsigned)h->event < EVENTS_N)
        r->events_n[h->event]++;
    if (!r->all)
        heard_row(r, h);
}

static void note(struct report_list *r, const Loa__V1__DeviceReceipt *d)
{
    const Loa__V1__Receipt *m = d->receipt;
    struct heard *h = &r->last;
    bool began = m->first_sample_us != 0 && m->start_at_ms != 0;

    if (strcmp(h->device, d->device) != 0) {
        close_device(r);
        memset(h, 0, sizeof *h);
        snprintf(h->device, sizeof h->device, "%s", d->device);
    }
    /* Numbers begin again with a new log: then the last row is of the old one.
     */
    if (!r->all && d->committed_at_ms < h->committed_at_ms)
        return;
    h->committed_at_ms = d->committed_at_ms;
    snprintf(h->area, sizeof h->area, "%s", d->area);
    snprintf(h->reason, sizeof h->reason, "%s", m->reason);
    h->event = m->event;
    h->at_us = m->at_us;
    if (began || r->all)
        h->began = began;
    if (began)
        h->late_us = m->first_sample_us - m->start_at_ms * 1000;
    if (r->all)
        heard_row(r, h);
}

static void add_receipts(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__TelemetryAnswer *a = (const Loa__V1__TelemetryAnswer *)m;
    struct report_list *r = data;

    for (size_t i = 0; i < a->n_receipts; i++) {
        Loa__V1__DeviceReceipt *d = a->receipts[i];
        ProtobufCBinaryData own = d->receipt->bulletin_id;

        /* The answer leaves out what was asked for. */
        if (own.len == 0)
            d->receipt->bulletin_id =
                (ProtobufCBinaryData){LOA_ID_BYTES, r->id};
        json_array_append_new(r->list.rows,
                              receipt_json(d->device, d->area, d->receipt));
        d->receipt->bulletin_id = own;
        note(r, d);
    }
}

static int list_report(struct ctl *c, struct report_list *r)
{
    Loa__V1__TelemetryRequest q = LOA__V1__TELEMETRY_REQUEST__INIT;
    Loa__V1__BulletinReport report = LOA__V1__BULLETIN_REPORT__INIT;
    struct pages p = {.service = LINK_TELEMETRY,
                      .request = &q.base,
                      .each = add_receipts,
                      .data = r};
    int rc;

    report.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, r->id};
    report.limit = 200;
    report.after = p.after;
    q.what_case = LOA__V1__TELEMETRY_REQUEST__WHAT_BULLETIN;
    q.bulletin = &report;
    rc = pages_ask(c, &p);
    close_device(r);
    return rc;
}

/* --- who should have reported --------------------------------------------- */

static void expect(void *data, const Loa__V1__Device *d)
{
    if (d->enrolled_at_ms != 0 && !d->revoked)
        json_object_set_new(data, d->id, json_true());
}

/* No receipt: is it a bulletin at all? Only a clear no is a refusal. */
static int judge_empty(struct ctl *c)
{
    return ctl_fail(c, CTL_REFUSED,
                    "chưa biết gì về bản tin hay lệnh này, và lịch không "
                    "có nó",
                    "nothing is known about this bulletin or command (yet), "
                    "and no schedule has it");
}

/* Ask the scheduler where it was meant to be heard, and the registry who is
 * there. A command has no schedule. CTL_REFUSED: the scheduler has no such
 * bulletin. Nothing is said here about a service that is silent. */
static int find_expected(struct ctl *c, struct report_list *r)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
    ProtobufCMessage *m;
    Loa__V1__SchedulerAnswer *a;
    int rc;

    find.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, r->id};
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    q.find = &find;
    rc = link_try(c, LINK_SCHEDULER, &q.base, LINK_TRY_MS, &m);
    a = (Loa__V1__SchedulerAnswer *)m;
    r->expected_known = rc == CTL_OK && a->n_entries > 0;
    for (size_t i = 0; r->expected_known && i < a->entries[0]->n_areas; i++)
        r->expected_known = link_devices(c, a->entries[0]->areas[i], expect,
                                         r->expected) == LINK_KNOWN;
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

/* --- for people ----------------------------------------------------------- */

static void print_summary(const struct report_list *r)
{
    const struct ctl *c = r->list.c;
    const unsigned *n = r->events_n;
    unsigned waiting = n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_RECEIVED] +
                       n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_VERIFIED];
    unsigned playing = n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_STARTED];
    unsigned obeyed = n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_COMMAND];
    bool en = c->english;

    if (obeyed == r->devices_n) {
        printf(en ? "%u received the command" : "%u đã nhận lệnh", obeyed);
    } else {
        printf(en ? "%u finished, %u interrupted, %u refused"
                  : "%u đã phát xong, %u bị ngắt, %u từ chối",
               n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_FINISHED],
               n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_INTERRUPTED],
               n[LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_REFUSED]);
        if (playing > 0)
            printf(en ? ", %u playing" : ", %u đang phát", playing);
        if (waiting > 0)
            printf(en ? ", %u ready and waiting" : ", %u đang chờ đến giờ",
                   waiting);
    }
    if (r->expected_known)
        printf(en ? ", %zu not heard from" : ", %zu chưa báo",
               json_object_size(r->expected));
    putchar('\n');
}

/* Who is silent comes last in the list. */
static void add_silent(struct report_list *r)
{
    const char *device;
    json_t *value;

    if (!r->expected_known)
        return;
    json_object_foreach(r->expected, device, value)
    {
        table_row(&r->list.table, device, "",
                  r->list.c->english ? "not heard from" : "chưa báo", "-", "-",
                  "");
    }
}

static void forget_heard(struct report_list *r)
{
    const json_t *row;
    size_t i;

    json_array_foreach(r->list.rows, i, row)
    {
        json_object_del(r->expected,
                        json_string_value(json_object_get(row, "device")));
    }
}

static int run_report(struct ctl *c)
{
    uint8_t id[LOA_ID_BYTES];
    struct report_list r = {.list = {.c = c, .rows = json_array()},
                            .id = id,
                            .all = ctl_option(c, "all") != NULL,
                            .expected = json_object()};
    int rc = link_bulletin(c, c->positionals[0], id);
    bool any;

    table_init(&r.list.table, 6, c->english ? "DEVICE" : "THIẾT BỊ",
               c->english ? "AREA" : "ĐỊA BÀN",
               c->english ? "EVENT" : "SỰ KIỆN", c->english ? "AT" : "LÚC",
               c->english ? "BEGAN" : "LỆCH", c->english ? "REASON" : "LÝ DO");
    if (rc == CTL_OK)
        rc = list_report(c, &r);
    any = json_array_size(r.list.rows) > 0;
    if (rc == CTL_OK && (!any || !c->json) &&
        find_expected(c, &r) == CTL_REFUSED && !any)
        rc = judge_empty(c);
    if (rc == CTL_OK && any && !c->json) {
        forget_heard(&r);
        print_summary(&r);
        add_silent(&r);
    }
    json_decref(r.expected);
    return pages_print(&r.list, rc, "chưa biết gì về bản tin này",
                       "nothing is known about this bulletin (yet)");
}

static const struct option_def report_options[] = {
    {"all", NULL, "every receipt, not only the last of each device"},
    {NULL, NULL, NULL},
};

const struct command commands_report[] = {
    {"report", "", "BULLETIN", "what every device did with a bulletin",
     "loactl report 5c0e...", report_options, 1, 1, run_report},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
