/* io_rpc.c -- questions of staff: devices, the report of a bulletin, summaries.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/services.pb-c.h"
#include "proto/io/clock.h"
#include "telemetry-collector/collector.h"

#define DEVICES_MAX 50 /* A page; fewer if what they said is long. */
#define DEVICES_BYTES (RPC_ANSWER_MAX - 1024)
#define REPORT_MAX 200
#define SUMMARIES_MAX 200

/* The area asked about: inside the asker's own, which is the default. */
static const char *area_of(struct rpc_call *call, const char *under)
{
    if (under[0] == '\0')
        return call->who.area;
    if (loa_area_valid(under) && loa_area_within(under, call->who.area))
        return under;
    rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_NOT_ALLOWED,
               "Địa bàn này không thuộc quyền xem của bạn.",
               "This area is not within yours: ask about your own.");
    return NULL;
}

static size_t limit(uint32_t asked, size_t max)
{
    return asked == 0 || asked > max ? max : asked;
}

/* --- devices
 * ------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    return strcmp((*(const struct device *const *)a)->id,
                  (*(const struct device *const *)b)->id);
}

/* The first n devices of an area behind `after`, in order of id. */
static size_t page(const struct collector *c,
                   const char *under,
                   const Loa__V1__DeviceStatusFind *q,
                   const struct device **out,
                   size_t *total)
{
    size_t n = 0;

    for (size_t i = 0; i < c->presence.n; i++) {
        const struct device *d = &c->presence.devices[i];
        if (!loa_area_within(d->area, under) || strcmp(d->id, q->after) <= 0 ||
            (q->device[0] != '\0' && strcmp(d->id, q->device) != 0))
            continue;
        out[n++] = d;
    }
    qsort(out, n, sizeof(struct device *), by_id);
    *total = n;
    return n < limit(q->limit, DEVICES_MAX) ? n : limit(q->limit, DEVICES_MAX);
}

static void fill_device(const struct device *d,
                        struct loa_arena *a,
                        Loa__V1__DeviceStatus *s)
{
    loa__v1__device_status__init(s);
    s->device = (char *)(uintptr_t)d->id;
    s->area = (char *)(uintptr_t)d->area;
    s->presence = (Loa__V1__Presence)presence_now(d, clock_wall_ms());
    s->last_seen_at_ms = d->last_seen_at_ms;
    if (d->state_len > 0)
        s->state =
            loa__v1__state__unpack(&a->allocator, d->state_len, d->state);
    if (d->health_len > 0)
        s->health =
            loa__v1__health__unpack(&a->allocator, d->health_len, d->health);
}

static void ask_devices(struct collector *c,
                        struct rpc_call *call,
                        const Loa__V1__DeviceStatusFind *q)
{
    static Loa__V1__DeviceStatus rows[DEVICES_MAX];
    Loa__V1__DeviceStatus *list[DEVICES_MAX];
    Loa__V1__TelemetryAnswer a = LOA__V1__TELEMETRY_ANSWER__INIT;
    const struct device **found;
    const char *under = area_of(call, q->under);
    size_t n, total, bytes = 0;

    if (under == NULL)
        return;
    found = malloc((c->presence.n + 1) * sizeof(struct device *));
    if (found == NULL) {
        rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_BUSY,
                   "Dịch vụ đang bận, hãy hỏi lại sau.",
                   "The service is busy: ask again later.");
        return;
    }
    n = page(c, under, q, found, &total);
    loa_arena_reset(&c->arena);
    for (size_t i = 0; i < n; i++) {
        fill_device(found[i], &c->arena, &rows[i]);
        bytes += loa__v1__device_status__get_packed_size(&rows[i]) + 4;
        if (i > 0 && bytes > DEVICES_BYTES)
            break;
        list[a.n_devices++] = &rows[i];
    }
    a.devices = list;
    a.turned_away_n = c->presence.turned_away_n;
    if (total > a.n_devices && a.n_devices > 0)
        a.next = (char *)(uintptr_t)found[a.n_devices - 1]->id;
    rpc_answer(call, &a.base);
    free(found);
}

/* --- the report of a bulletin
 * -------------------------------------------------- */

/* One for each call that may be under way. */
static struct report {
    struct rpc_call *call;
    int limit;
} reports[RPC_CALLS_MAX];

static void fill_receipt(const PGresult *res,
                         int i,
                         Loa__V1__DeviceReceipt *d,
                         Loa__V1__Receipt *r)
{
    loa__v1__device_receipt__init(d);
    loa__v1__receipt__init(r);
    d->device = (char *)(uintptr_t)pg_get_text(res, i, REPORT_DEVICE, NULL);
    d->area = (char *)(uintptr_t)pg_get_text(res, i, REPORT_AREA, NULL);
    d->committed_at_ms = pg_get_time_ms(res, i, REPORT_COMMITTED);
    d->receipt = r;
    r->sequence = pg_get_u64(res, i, REPORT_SEQUENCE);
    if (!pg_is_null(res, i, REPORT_START))
        r->start_at_ms = pg_get_time_ms(res, i, REPORT_START);
    r->event = (Loa__V1__ReceiptEvent)pg_get_i64(res, i, REPORT_EVENT);
    r->at_us = pg_get_i64(res, i, REPORT_AT_US);
    r->reason = (char *)(uintptr_t)pg_get_text(res, i, REPORT_REASON, NULL);
    r->first_sample_us = pg_get_i64(res, i, REPORT_FIRST_SAMPLE_US);
    r->played_ms = (uint32_t)pg_get_u64(res, i, REPORT_PLAYED_MS);
    r->concealed_ms = (uint32_t)pg_get_u64(res, i, REPORT_CONCEALED_MS);
    if (!pg_is_null(res, i, REPORT_CONTENT)) {
        size_t len;
        const void *hash = pg_get_bytes(res, i, REPORT_CONTENT, &len);
        r->content_hash =
            (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)hash};
    }
}

/* A loudspeaker whose log began anew may have a number twice, and the next page
 * begins behind a number: a full page ends before its last one, so that all
 * rows of that are on the next. Unless the page holds no other number. */
static int page_end(const PGresult *res, int n)
{
    int end = n - 1;

    while (end > 0 &&
           pg_get_u64(res, end - 1, REPORT_SEQUENCE) ==
               pg_get_u64(res, n - 1, REPORT_SEQUENCE) &&
           strcmp(pg_get_text(res, end - 1, REPORT_DEVICE, NULL),
                  pg_get_text(res, n - 1, REPORT_DEVICE, NULL)) == 0)
        end--;
    return end > 0 ? end : n;
}

static void on_report(void *data, int status, const PGresult *res)
{
    static Loa__V1__DeviceReceipt rows[REPORT_MAX];
    static Loa__V1__Receipt receipts[REPORT_MAX];
    Loa__V1__DeviceReceipt *list[REPORT_MAX];
    Loa__V1__TelemetryAnswer a = LOA__V1__TELEMETRY_ANSWER__INIT;
    struct report *report = data;
    char next[LOA_PRINCIPAL_CAP + 24];
    bool more;
    int n;

    if (status != LOA_OK) {
        rpc_refuse(report->call, LOA__V1__STATUS__CODE__CODE_FAILED,
                   "Không đọc được cơ sở dữ liệu, hãy thử lại.",
                   "The database could not be read: try again.");
        return;
    }
    n = PQntuples(res);
    more = n == report->limit;
    if (more)
        n = page_end(res, n);
    for (int i = 0; i < n; i++) {
        fill_receipt(res, i, &rows[i], &receipts[i]);
        receipts[i].bulletin_id = (ProtobufCBinaryData){0};
        list[i] = &rows[i];
    }
    a.receipts = list;
    a.n_receipts = (size_t)n;
    if (more) {
        snprintf(next, sizeof next, "%s %" PRIu64, rows[n - 1].device,
                 receipts[n - 1].sequence);
        a.next = next;
    }
    rpc_answer(report->call, &a.base);
}

/* `after` is "<device> <sequence>". */
static bool parse_after(const char *text, char *device, uint64_t *sequence)
{
    char *end;
    size_t len = strcspn(text, " ");

    *sequence = 0;
    device[0] = '\0';
    if (text[0] == '\0')
        return true;
    if (len == 0 || len >= LOA_PRINCIPAL_CAP || text[len] != ' ')
        return false;
    memcpy(device, text, len);
    device[len] = '\0';
    *sequence = strtoull(text + len + 1, &end, 10);
    return *end == '\0' && *sequence <= INT64_MAX;
}

static void ask_bulletin(struct collector *c,
                         struct rpc_call *call,
                         const Loa__V1__BulletinReport *q)
{
    struct report *report = &reports[call - call->rpc->calls];
    const char *under = area_of(call, q->under);
    char device[LOA_PRINCIPAL_CAP];
    uint64_t sequence;

    if (under == NULL)
        return;
    if (q->bulletin_id.len != LOA_ID_BYTES ||
        !parse_after(q->after, device, &sequence)) {
        rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_INVALID,
                   "Mã bản tin phải có 16 byte.",
                   "A bulletin's id has 16 bytes.");
        return;
    }
    *report = (struct report){call, (int)limit(q->limit, REPORT_MAX)};
    if (io_pg_report(&c->service.pg, q->bulletin_id.data, under, device,
                     sequence, report->limit, on_report, report) != LOA_OK)
        rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_BUSY,
                   "Dịch vụ đang bận, hãy hỏi lại sau.",
                   "The service is busy: ask again later.");
}

/* --- summaries
 * ------------------------------------------------------------------ */

static int by_area(const void *a, const void *b)
{
    return strcmp(((const struct summary *)a)->area,
                  ((const struct summary *)b)->area);
}

static void fill_summary(const struct summary *s, Loa__V1__Summary *to)
{
    loa__v1__summary__init(to);
    to->area = (char *)(uintptr_t)s->area;
    to->at_ms = clock_wall_ms();
    to->online_n = s->online_n;
    to->lost_n = s->lost_n;
    to->disconnected_n = s->disconnected_n;
    to->playing_n = s->playing_n;
    to->stale_n = s->stale_n;
    to->started_today_n = s->counts[PRESENCE_STARTED];
    to->finished_today_n = s->counts[PRESENCE_FINISHED];
    to->interrupted_today_n = s->counts[PRESENCE_INTERRUPTED];
    to->refused_today_n = s->counts[PRESENCE_REFUSED];
}

static void ask_summary(struct collector *c,
                        struct rpc_call *call,
                        const Loa__V1__SummaryFind *q)
{
    static Loa__V1__Summary rows[SUMMARIES_MAX];
    Loa__V1__Summary *list[SUMMARIES_MAX];
    Loa__V1__TelemetryAnswer a = LOA__V1__TELEMETRY_ANSWER__INIT;
    const char *under = area_of(call, q->under);
    size_t n, most = limit(q->limit, SUMMARIES_MAX);

    if (under == NULL)
        return;
    n = presence_summaries(&c->presence, clock_wall_ms(), c->summaries,
                           c->summaries_cap);
    qsort(c->summaries, n, sizeof c->summaries[0], by_area);
    for (size_t i = 0; i < n; i++) {
        const struct summary *s = &c->summaries[i];

        if (!loa_area_within(s->area, under) || strcmp(s->area, q->after) <= 0)
            continue;
        if (a.n_summaries == most) {
            a.next = list[most - 1]->area;
            break;
        }
        fill_summary(s, &rows[a.n_summaries]);
        list[a.n_summaries] = &rows[a.n_summaries];
        a.n_summaries++;
    }
    a.summaries = list;
    rpc_answer(call, &a.base);
}

void io_rpc_request(void *data, struct rpc_call *call, struct loa_bytes body)
{
    struct collector *c = data;
    Loa__V1__TelemetryRequest *q =
        loa__v1__telemetry_request__unpack(NULL, body.len, body.data);

    switch (q != NULL ? q->what_case
                      : LOA__V1__TELEMETRY_REQUEST__WHAT__NOT_SET) {
        case LOA__V1__TELEMETRY_REQUEST__WHAT_DEVICES:
            ask_devices(c, call, q->devices);
            break;
        case LOA__V1__TELEMETRY_REQUEST__WHAT_BULLETIN:
            ask_bulletin(c, call, q->bulletin);
            break;
        case LOA__V1__TELEMETRY_REQUEST__WHAT_SUMMARY:
            ask_summary(c, call, q->summary);
            break;
        default:
            rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_INVALID,
                       "Yêu cầu này dịch vụ không biết: hãy cập nhật phần mềm.",
                       "The service does not know this request: update the "
                       "software.");
    }
    if (q != NULL)
        loa__v1__telemetry_request__free_unpacked(q, NULL);
}
