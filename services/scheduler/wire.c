#include "scheduler/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/services.pb-c.h"
#include "proto/text.h"

#define AT_MS_MAX INT64_C(4291747200000) /* The year 2106. */

int wire_init(struct wire *w)
{
    w->memory = malloc(WIRE_REQUEST_MEMORY + WIRE_ANSWER_MEMORY);
    if (w->memory == NULL)
        return LOA_ENOMEM;
    loa_arena_init(&w->request, w->memory, WIRE_REQUEST_MEMORY);
    loa_arena_init(&w->answer, w->memory + WIRE_REQUEST_MEMORY,
                   WIRE_ANSWER_MEMORY);
    return LOA_OK;
}

void wire_close(struct wire *w)
{
    free(w->memory);
    memset(w, 0, sizeof *w);
}

/* --- requests ------------------------------------------------------------- */

static int wrong(struct say *why, const char *vi, const char *en)
{
    why->code = SAY_INVALID;
    snprintf(why->vi, sizeof why->vi, "%s", vi);
    snprintf(why->en, sizeof why->en, "%s", en);
    return LOA_EINVAL;
}

static bool time_valid(int64_t at_ms)
{
    return at_ms >= 0 && at_ms <= AT_MS_MAX;
}

static int wrong_time(struct say *why)
{
    return wrong(why, "Một thời điểm trong yêu cầu nằm ngoài 1970-2106.",
                 "A time in the request lies outside 1970 to 2106.");
}

static int take_id(ProtobufCBinaryData id,
                   struct scheduler_request *r,
                   struct say *why)
{
    if (id.len != LOA_ID_BYTES)
        return wrong(why, "Mã bản tin phải dài 16 byte.",
                     "A bulletin id has 16 bytes.");
    memcpy(r->bulletin_id, id.data, LOA_ID_BYTES);
    r->by_id = true;
    return LOA_OK;
}

static int take_approval(ProtobufCBinaryData p,
                         struct scheduler_request *r,
                         struct say *why)
{
    if (p.len > APPROVAL_ENVELOPE_MAX)
        return wrong(why, "Phê duyệt dài quá 8192 byte.",
                     "The approval is longer than 8,192 bytes.");
    r->approval = (struct loa_bytes){p.data, p.len};
    return LOA_OK;
}

static int take_areas(const Loa__V1__ScheduleAdd *m,
                      struct scheduler_request *r,
                      struct say *why)
{
    if (m->n_areas > BULLETIN_AREAS_MAX)
        return wrong(why, "Một bản tin có tối đa 64 khu vực.",
                     "A bulletin names at most 64 areas.");
    for (size_t i = 0; i < m->n_areas; i++) {
        if (!loa_area_valid(m->areas[i]))
            return wrong(
                why, "Đường dẫn khu vực không đúng; ví dụ đúng: vn/08/070.",
                "An area is not well formed; it looks like vn/08/070.");
        memcpy(r->areas[i], m->areas[i], strlen(m->areas[i]) + 1);
    }
    r->areas_n = (uint32_t)m->n_areas;
    return LOA_OK;
}

static int take_add(const Loa__V1__ScheduleAdd *m,
                    struct scheduler_request *r,
                    struct say *why)
{
    int rv;

    r->what = SCHEDULER_ADD;
    r->class = (unsigned)m->class_;
    r->start_at_ms = m->start_at_ms;
    r->dry_run = m->dry_run;
    if (m->recurrence != NULL) {
        r->frequency = (unsigned)m->recurrence->frequency;
        r->weekdays = m->recurrence->weekdays;
        r->until_ms = m->recurrence->until_ms;
    }
    if (!time_valid(r->start_at_ms) || !time_valid(r->until_ms))
        return wrong_time(why);
    if (!loa_line_valid(m->title, BULLETIN_TITLE_CAP - 1))
        return wrong(why, "Tiêu đề phải là một dòng UTF-8, tối đa 200 byte.",
                     "The title must be one line of UTF-8, at most 200 bytes.");
    memcpy(r->title, m->title, strlen(m->title) + 1);
    rv = take_id(m->bulletin_id, r, why);
    if (rv == LOA_OK)
        rv = take_approval(m->approval, r, why);
    return rv == LOA_OK ? take_areas(m, r, why) : rv;
}

static int take_change(const Loa__V1__ScheduleChange *m,
                       struct scheduler_request *r,
                       struct say *why)
{
    int rv = take_id(m->bulletin_id, r, why);

    r->what = SCHEDULER_CHANGE;
    r->start_at_ms = m->start_at_ms;
    r->dry_run = m->dry_run;
    if (rv == LOA_OK && !time_valid(r->start_at_ms))
        return wrong_time(why);
    return rv == LOA_OK ? take_approval(m->approval, r, why) : rv;
}

/* A cursor is "<start ms>-<id, hexadecimal>". */
static bool take_cursor(const char *text, struct scheduler_request *r)
{
    const char *p = text;
    int64_t ms = 0;

    if (*text == '\0')
        return true;
    for (; *p >= '0' && *p <= '9' && ms <= AT_MS_MAX; p++)
        ms = ms * 10 + (*p - '0');
    if (p == text || *p != '-' || ms > AT_MS_MAX ||
        loa_unhex(p + 1, r->after_id, LOA_ID_BYTES) != LOA_OK)
        return false;
    r->after_start_ms = ms;
    r->resume = true;
    return true;
}

static int take_find(const Loa__V1__ScheduleFind *m,
                     struct scheduler_request *r,
                     struct say *why)
{
    r->what = SCHEDULER_FIND;
    r->from_ms = m->from_ms;
    r->until_ms = m->until_ms;
    r->limit = m->limit;
    if (!time_valid(r->from_ms) || !time_valid(r->until_ms))
        return wrong_time(why);
    if (!take_cursor(m->after, r))
        return wrong(why, "`after` không phải là giá trị `next` đã trả về.",
                     "`after` is not a `next` that was answered.");
    if (m->under[0] != '\0') {
        if (!loa_area_valid(m->under))
            return wrong(
                why, "Đường dẫn khu vực không đúng; ví dụ đúng: vn/08/070.",
                "An area is not well formed; it looks like vn/08/070.");
        memcpy(r->under, m->under, strlen(m->under) + 1);
    }
    return m->bulletin_id.len == 0 ? LOA_OK : take_id(m->bulletin_id, r, why);
}

static int take_release(const Loa__V1__ContentRelease *m,
                        struct scheduler_request *r,
                        struct say *why)
{
    r->what = SCHEDULER_RELEASE;
    r->dry_run = m->ask_only;
    if (m->content_hash.len != LOA_HASH_BYTES)
        return wrong(why, "Mã nội dung phải dài 32 byte.",
                     "A content hash has 32 bytes.");
    memcpy(r->content_hash, m->content_hash.data, LOA_HASH_BYTES);
    return LOA_OK;
}

int wire_request(struct wire *w,
                 struct loa_bytes body,
                 struct scheduler_request *r,
                 struct say *why)
{
    Loa__V1__SchedulerRequest *m;

    memset(r, 0, sizeof *r);
    loa_arena_reset(&w->request);
    m = loa__v1__scheduler_request__unpack(&w->request.allocator, body.len,
                                           body.data);
    if (m == NULL)
        return wrong(why, "Yêu cầu không đọc được.",
                     "The request cannot be read.");
    switch (m->what_case) {
        case LOA__V1__SCHEDULER_REQUEST__WHAT_ADD:
            return take_add(m->add, r, why);
        case LOA__V1__SCHEDULER_REQUEST__WHAT_CHANGE:
            return take_change(m->change, r, why);
        case LOA__V1__SCHEDULER_REQUEST__WHAT_CANCEL:
            r->what = SCHEDULER_CANCEL;
            return take_id(m->cancel->bulletin_id, r, why);
        case LOA__V1__SCHEDULER_REQUEST__WHAT_FIND:
            return take_find(m->find, r, why);
        case LOA__V1__SCHEDULER_REQUEST__WHAT_RELEASE:
            return take_release(m->release, r, why);
        default:
            return wrong(why, "Yêu cầu không nói muốn làm gì.",
                         "The request does not say what it wants.");
    }
}

int wire_programme(struct wire *w, struct loa_bytes body, uint64_t *version)
{
    Loa__V1__Programme *m;

    loa_arena_reset(&w->request);
    m = loa__v1__programme__unpack(&w->request.allocator, body.len, body.data);
    if (m == NULL || m->version > INT64_MAX)
        return LOA_EINVAL;
    *version = m->version;
    return LOA_OK;
}

int wire_time_request(struct loa_bytes p, uint8_t nonce[LOA_ID_BYTES])
{
    /* Field 1, length 16: the only encoding a TimeRequest has, and too short
     * for an Envelope. */
    if (p.len != WIRE_TIME_REQUEST_LEN || p.data[0] != 0x0a ||
        p.data[1] != LOA_ID_BYTES)
        return LOA_EINVAL;
    memcpy(nonce, p.data + 2, LOA_ID_BYTES);
    return LOA_OK;
}

/* --- answers -------------------------------------------------------------- */

/* What an answer is made with. */
struct making {
    struct loa_arena *arena;
    const struct scheduler *s;
    const struct scheduler_answer *a;
};

/* The arena is sized for the largest answer: see SCHEDULER_ENTRIES_MAX. */
static void *need(struct making *k, size_t len)
{
    void *p = loa_arena_alloc(k->arena, len);

    if (p == NULL)
        abort();
    memset(p, 0, len);
    return p;
}

static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static void put_areas(struct making *k,
                      const struct bulletin *b,
                      const uint32_t areas[],
                      uint32_t areas_n,
                      Loa__V1__ScheduleEntry *e)
{
    e->areas = need(k, areas_n * sizeof *e->areas);
    e->programmes = need(k, areas_n * sizeof *e->programmes);
    for (uint32_t i = 0; i < areas_n; i++) {
        const struct area *area = &k->s->plan.areas.rows[areas[i]];
        Loa__V1__AreaVersion *v;

        if (!scheduler_sees(k->a->viewer, area->path))
            continue;
        e->areas[e->n_areas++] = (char *)(uintptr_t)area->path;
        if (!programme_carries(area, b))
            continue;
        v = need(k, sizeof *v);
        loa__v1__area_version__init(v);
        v->area = (char *)(uintptr_t)area->path;
        v->version = area->programme.version;
        e->programmes[e->n_programmes++] = v;
    }
}

static void put_starts(struct making *k,
                       const struct bulletin *b,
                       Loa__V1__ScheduleEntry *e)
{
    int64_t at_ms =
        slots_next(&b->rule, k->a->from_ms - b->rule.duration_ms + 1);

    e->starts_at_ms =
        need(k, SCHEDULER_ENTRY_STARTS_MAX * sizeof *e->starts_at_ms);
    while (at_ms != SLOTS_NONE && at_ms < k->a->until_ms &&
           e->n_starts_at_ms < SCHEDULER_ENTRY_STARTS_MAX) {
        e->starts_at_ms[e->n_starts_at_ms++] = at_ms;
        at_ms = slots_next(&b->rule, at_ms + 1);
    }
}

static Loa__V1__Recurrence *recurrence(struct making *k,
                                       const struct bulletin *b)
{
    Loa__V1__Recurrence *r = need(k, sizeof *r);

    loa__v1__recurrence__init(r);
    r->frequency = (Loa__V1__Recurrence__Frequency)b->rule.frequency;
    r->weekdays = b->rule.weekdays;
    r->until_ms = b->until_ms;
    return r;
}

static Loa__V1__ScheduleEntry *entry(struct making *k, uint32_t row)
{
    const struct plan *p = &k->s->plan;
    Loa__V1__ScheduleEntry *e = need(k, sizeof *e);
    const struct bulletin *b = &k->s->candidate;
    const uint32_t *areas = k->s->candidate_areas;
    uint32_t areas_n = k->s->candidate_areas_n, found[BULLETIN_AREAS_MAX];
    int64_t uncovered_ms;

    if (row != BULLETIN_NONE) {
        b = &p->bulletins[row];
        areas = found;
        areas_n = plan_areas(p, row, found);
    }
    loa__v1__schedule_entry__init(e);
    e->bulletin_id = binary(b->id, LOA_ID_BYTES);
    e->class_ = (Loa__V1__BulletinClass)b->class;
    e->content_hash =
        binary(p->approvals.rows[b->approval].content_hash, LOA_HASH_BYTES);
    e->title = (char *)(uintptr_t)plan_title(p, b);
    e->duration_ms = b->rule.duration_ms;
    if (b->rule.frequency != SLOTS_ONCE)
        e->recurrence = recurrence(k, b);
    e->requested_by = (char *)(uintptr_t)b->requested_by;
    e->requested_at_ms = b->requested_at_ms;
    e->cancelled = b->why != BULLETIN_STANDS;
    put_areas(k, b, areas, areas_n, e);
    put_starts(k, b, e);
    uncovered_ms = plan_uncovered(b, k->a->from_ms);
    if (uncovered_ms != SLOTS_NONE)
        e->uncovered_start_at_ms = uncovered_ms;
    return e;
}

static Loa__V1__ScheduleEntry **entries(struct making *k,
                                        const uint32_t rows[],
                                        uint32_t rows_n)
{
    Loa__V1__ScheduleEntry **list = need(k, rows_n * sizeof *list + 1);

    for (uint32_t i = 0; i < rows_n; i++)
        list[i] = entry(k, rows[i]);
    return list;
}

static Loa__V1__SchedulerAnswer *answer(struct making *k, const struct say *why)
{
    Loa__V1__SchedulerAnswer *m = need(k, sizeof *m);
    Loa__V1__Status *status = need(k, sizeof *status);

    loa__v1__scheduler_answer__init(m);
    loa__v1__status__init(status);
    status->code = (Loa__V1__Status__Code)why->code;
    status->text_vi = (char *)(uintptr_t)why->vi;
    status->text_en = (char *)(uintptr_t)why->en;
    m->status = status;
    return m;
}

static char *cursor(struct making *k)
{
    const struct scheduler_answer *a = k->a;
    uint32_t row = a->entries[a->entries_n - 1];
    char hex[2 * LOA_ID_BYTES + 1];
    char *text = need(k, 64);

    loa_hex(k->s->plan.bulletins[row].id, LOA_ID_BYTES, hex);
    snprintf(text, 64, "%" PRId64 "-%s", a->last_start_ms, hex);
    return text;
}

const ProtobufCMessage *wire_answer(struct wire *w,
                                    const struct scheduler *s,
                                    const struct scheduler_answer *a)
{
    struct making k = {&w->answer, s, a};
    Loa__V1__SchedulerAnswer *m;

    loa_arena_reset(&w->answer);
    m = answer(&k, &a->say);
    m->n_entries = a->entries_n;
    m->entries = entries(&k, a->entries, a->entries_n);
    m->n_conflicts = a->conflicts_n;
    m->conflicts = entries(&k, a->conflicts, a->conflicts_n);
    m->n_interrupts = a->interrupts_n;
    m->interrupts = entries(&k, a->interrupts, a->interrupts_n);
    m->proposed_start_at_ms = a->proposed_start_at_ms;
    if (a->more)
        m->next = cursor(&k);
    return &m->base;
}

const ProtobufCMessage *wire_refusal(struct wire *w, const struct say *why)
{
    struct making k = {&w->answer, NULL, NULL};

    loa_arena_reset(&w->answer);
    return &answer(&k, why)->base;
}
