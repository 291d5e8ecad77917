/* link: services/scheduler/approvals.c services/scheduler/areas.c
 * services/scheduler/asking.c services/scheduler/conflict.c
 * services/scheduler/find.c services/scheduler/heads.c
 * services/scheduler/passes.c services/scheduler/plan.c
 * services/scheduler/programme.c services/scheduler/rows.c
 * services/scheduler/say.c services/scheduler/schedule.c
 * services/scheduler/release.c services/scheduler/released.c
 * services/scheduler/scheduler.c services/scheduler/slots.c
 * services/scheduler/sync.c services/scheduler/wire.c  */
/* Any sequence of requests, days and revocations, and what must hold after
 * each:
 *
 *  - nobody ever hears two bulletins of one class at once;
 *  - a proposal is free: asking for it succeeds;
 *  - versions rise;
 *  - a programme lists exactly what stands and is to come;
 *  - a refusal changes nothing. */

#include "test/unit/scheduler/world.h"

#define OPS_MAX 48
#define GRID_MS (5 * MINUTE_MS)

static struct world *w;
static uint8_t approvals[6][APPROVAL_ENVELOPE_MAX];
static size_t approval_len[6];
static uint64_t versions[64];
static uint64_t revocations_n;

struct input {
    const uint8_t *p;
    size_t left;
};

static uint8_t next(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->p++;
}

static void prepare(void)
{
    static const uint32_t durations[] = {300000,   600000, 3600000,
                                         86400000, 900000, 1};

    if (w != NULL)
        return;
    w = world_new("vn");
    /* Small tables: they are made anew for every input, and get full. */
    w->conf.limits = (struct plan_limits){.areas = 16,
                                          .bulletins = 24,
                                          .placements = 48,
                                          .approvals = 6,
                                          .certificates = 8};
    for (uint8_t i = 0; i < 6; i++) {
        const struct person *who = i < 4 ? &w->minh : &w->hoa;
        struct loa_bytes p =
            world_approval(w, who, i == 5 ? "vn/08" : "vn", i, durations[i],
                           WORLD_AT_MS + (i == 1 ? 12 : 500) * LOA_DAY_MS);

        memcpy(approvals[i], p.data, p.len);
        approval_len[i] = p.len;
    }
}

static void begin(void)
{
    scheduler_close(&w->core);
    loa_trust_init(&w->trust, w->root.public_key);
    w->at_ms = WORLD_AT_MS;
    memset(versions, 0, sizeof versions);
    for (size_t i = 0; i < 64; i++)
        w->retained[i].len = 0;
    world_open_core(w);
    world_send_areas(w);
    revocations_n = 0;
}

/* --- what must hold ---------------------------------------------------------
 */

static void check_versions(void)
{
    for (uint32_t i = 0; i < w->up.programmes_n; i++) {
        uint32_t row = w->up.programmes[i].area;
        uint64_t version = w->core.plan.areas.rows[row].programme.version;

        assert(version > versions[row]);
        assert(w->up.programmes[i].omitted_n == 0);
        versions[row] = version;
        if (version % 16 == 0) /* A signature takes longer than the rest. */
            assert(world_read(w, row, true) != NULL);
    }
}

/* All bulletins that a device in this area hears: its own and those above. */
static size_t heard(uint32_t row, const struct bulletin *list[512])
{
    const struct plan *p = &w->core.plan;
    size_t n = 0;

    for (; row != AREA_NONE; row = p->areas.rows[row].parent)
        for (uint32_t at = p->areas.rows[row].placement; at != ROW_NONE;
             at = p->placements[at].here)
            if (p->bulletins[p->placements[at].bulletin].why == BULLETIN_STANDS)
                list[n++] = &p->bulletins[p->placements[at].bulletin];
    return n;
}

static void check_one_voice(void)
{
    const struct bulletin *list[512];
    int64_t a_ms, b_ms;
    uint64_t looks_n = 0;

    for (uint32_t row = 0; row < w->core.plan.areas.rows_n; row++) {
        size_t n;

        if (w->core.plan.areas.rows[row].child != AREA_NONE)
            continue;
        n = heard(row, list);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < i; k++)
                assert(list[i]->class != list[k]->class ||
                       !slots_overlap(&list[i]->rule, &list[k]->rule,
                                      list[i]->rule.first_ms, &a_ms, &b_ms,
                                      &looks_n));
    }
}

static bool is_listed(const Loa__V1__Programme *m, const struct bulletin *b)
{
    for (size_t i = 0; m != NULL && i < m->n_bulletins; i++)
        if (memcmp(m->bulletins[i]->bulletin_id.data, b->id, LOA_ID_BYTES) == 0)
            return true;
    return false;
}

/* What stands, has not ended and begins within the window is listed, and
 * nothing that was cancelled is. */
static void check_programme(uint32_t row)
{
    const struct plan *p = &w->core.plan;
    const Loa__V1__Programme *m = world_read(w, row, false);

    for (uint32_t at = p->areas.rows[row].placement; at != ROW_NONE;
         at = p->placements[at].here) {
        const struct bulletin *b = &p->bulletins[p->placements[at].bulletin];
        int64_t start_ms =
            slots_next(&b->rule, w->at_ms - b->rule.duration_ms + 1);

        if (b->why != BULLETIN_STANDS)
            assert(!is_listed(m, b));
        else if (start_ms < w->core.window_end_ms)
            assert(is_listed(m, b));
    }
    for (size_t i = 0; m != NULL && i < m->n_bulletins; i++) {
        const Loa__V1__Bulletin *b = m->bulletins[i];

        assert(b->n_starts_at_ms >= 1 && b->n_starts_at_ms <= 64);
        for (size_t k = 1; k < b->n_starts_at_ms; k++)
            assert(b->starts_at_ms[k] > b->starts_at_ms[k - 1]);
    }
}

static void check_all(void)
{
    check_one_voice();
    for (uint32_t row = 0; row < w->core.plan.areas.rows_n; row++)
        check_programme(row);
}

/* --- what is done -----------------------------------------------------------
 */

static void ask(struct input *in)
{
    const struct person *who = next(in) % 8 == 1 ? &w->district : &w->lan;
    uint64_t revision = w->core.revision;
    enum say_code code = world_ask(w, who);
    int64_t free_ms = w->up.answer->proposed_start_at_ms;
    bool changing = code == SAY_OK && !w->request.dry_run;

    check_versions();
    assert(w->core.answer.say.vi[0] != '\0' &&
           w->core.answer.say.en[0] != '\0');
    assert(changing || revision == w->core.revision);
    assert(changing || !w->up.durable);
    assert((free_ms != 0) <= (code == SAY_CONFLICT));
    if (free_ms == 0)
        return;
    w->request.start_at_ms = free_ms;
    w->request.dry_run = next(in) % 2 == 0;
    code = world_ask(w, who);
    check_versions();
    assert(code == SAY_OK);
}

/* Mostly within the same hours, so that bulletins meet. */
static int64_t read_start(struct input *in)
{
    int64_t day = next(in) % 64;

    return w->at_ms + (next(in) % 72 - 2) * GRID_MS +
           (day < 14 ? day * LOA_DAY_MS : 0);
}

static uint32_t read_areas(struct input *in, char areas[][LOA_AREA_CAP])
{
    uint32_t n = next(in);

    n = n < 192 ? 1 : n % 3 + 1;
    for (uint32_t i = 0; i < n; i++)
        strcpy(areas[i], world_areas[next(in) % WORLD_AREAS_N]);
    return n;
}

static struct loa_bytes read_approval(struct input *in)
{
    uint8_t i = next(in) % 6;

    return (struct loa_bytes){approvals[i], approval_len[i]};
}

static void do_add(struct input *in)
{
    struct scheduler_request *r = &w->request;

    memset(r, 0, sizeof *r);
    r->what = SCHEDULER_ADD;
    r->by_id = true;
    memset(r->bulletin_id, next(in), sizeof r->bulletin_id);
    r->approval = read_approval(in);
    r->areas_n = read_areas(in, r->areas);
    r->start_at_ms = read_start(in);
    r->class = next(in) % 2 + 1;
    r->frequency = next(in) % 3;
    r->until_ms = r->start_at_ms + (next(in) + 1) * (LOA_DAY_MS / 2);
    r->weekdays = r->frequency == SLOTS_WEEKLY
                      ? next(in) % 128 | 1u << slots_weekday(r->start_at_ms)
                      : 0;
    r->dry_run = next(in) % 8 == 1;
    ask(in);
}

static void do_change(struct input *in)
{
    struct scheduler_request *r = world_about(w, SCHEDULER_CHANGE, next(in));
    uint8_t how = next(in);

    if (how & 1)
        r->start_at_ms = read_start(in);
    if (how & 2)
        r->approval = read_approval(in);
    r->dry_run = how % 16 >= 12;
    ask(in);
}

static void do_time(struct input *in)
{
    struct scheduler_event ev = {.type = SCHEDULER_TICK};

    w->at_ms += (int64_t)next(in) * 20 * MINUTE_MS;
    do {
        world_step(w, &ev);
        check_versions();
    } while (w->up.more);
}

static void do_revoke(struct input *in)
{
    const struct person *people[] = {&w->minh, &w->hoa, &w->lan, &w->district};

    world_revoke(w, people[next(in) % 4], ++revocations_n);
    for (uint32_t i = 0; i < w->core.plan.areas.rows_n; i++)
        versions[i] = w->core.plan.areas.rows[i].programme.version;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    prepare();
    begin();
    for (int op = 0; op < OPS_MAX && in.left > 0; op++) {
        uint8_t what = next(&in);

        if (what < 140) {
            do_add(&in);
        } else if (what < 180) {
            do_change(&in);
        } else if (what < 210) {
            world_about(w, SCHEDULER_CANCEL, next(&in));
            ask(&in);
        } else if (what < 250) {
            do_time(&in);
        } else {
            do_revoke(&in);
        }
        /* While passes are under way programmes may lag behind. */
        if (w->up.more)
            do_time(&(struct input){NULL, 0});
        check_all();
    }
    return 0;
}
