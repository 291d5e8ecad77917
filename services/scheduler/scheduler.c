#include "scheduler/scheduler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core.h"

/* Upper bounds of an encoded ScheduleEntry. */
#define ENTRY_BYTES 200
#define START_BYTES 6

const char *scheduler_why_name(enum bulletin_why why)
{
    static const char *const names[BULLETIN_WHYS_N] = {
        [BULLETIN_STANDS] = "",
        [BULLETIN_ASKED] = "asked",
        [BULLETIN_APPROVER_REVOKED] = "approver-revoked",
        [BULLETIN_REQUESTER_REVOKED] = "requester-revoked",
        [BULLETIN_APPROVAL_VOID] = "approval-void",
    };

    return names[why];
}

bool scheduler_sees(const char *viewer, const char *area)
{
    return loa_area_within(area, viewer) || loa_area_within(viewer, area);
}

int scheduler_open(struct scheduler *s, const struct scheduler_conf *conf)
{
    int rv;

    if (!loa_area_valid(conf->area) || conf->horizon_days < 1 ||
        conf->horizon_days > PROGRAMME_HORIZON_DAYS_MAX ||
        conf->min_lead_ms < 0)
        return LOA_EINVAL;
    memset(s, 0, sizeof *s);
    s->conf = *conf;
    s->spare_approval = APPROVAL_NONE;
    s->maker.signer = conf->signer;
    s->maker.body_max = programme_body_max(&conf->signer);
    s->envelopes =
        malloc((size_t)SCHEDULER_PROGRAMMES_MAX * LOA_ENVELOPE_BYTES_MAX);
    if (s->envelopes == NULL)
        return LOA_ENOMEM;
    rv = plan_open(&s->plan, &conf->limits, conf->trust);
    if (rv != LOA_OK)
        goto err_after_envelopes;
    /* Whatever was left undone when the last process ended. */
    core_begin(s, PASS_JUDGE);
    core_begin(s, PASS_ROLL);
    return LOA_OK;

err_after_envelopes:
    free(s->envelopes);
    s->envelopes = NULL;
    return rv;
}

void scheduler_close(struct scheduler *s)
{
    plan_close(&s->plan);
    free(s->envelopes);
    s->envelopes = NULL;
}

/* --- restoring ------------------------------------------------------------ */

int scheduler_load_area(struct scheduler *s, const struct scheduler_area *a)
{
    uint32_t row;
    int rv = areas_put(&s->plan.areas, a->path, &row);

    if (rv != LOA_OK)
        return rv;
    areas_valid(&s->plan.areas, row, a->valid);
    return LOA_OK;
}

int scheduler_load_programme(struct scheduler *s,
                             const char *path,
                             const struct area_programme *g)
{
    uint32_t row;
    int rv = areas_put(&s->plan.areas, path, &row);
    struct area *a;

    if (rv != LOA_OK)
        return rv;
    a = &s->plan.areas.rows[row];
    a->programme = *g;
    a->head_version = g->version;
    memcpy(a->head_hash, g->hash, sizeof a->head_hash);
    if (g->revision > s->revision)
        s->revision = g->revision;
    return LOA_OK;
}

/* A bulletin that was cancelled, when the process ended before the programmes
 * followed: they still list it. */
static void mark_stale(struct scheduler *s, uint32_t row)
{
    const struct bulletin *b = &s->plan.bulletins[row];
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(&s->plan, row, areas);

    for (uint32_t i = 0; b->why != BULLETIN_STANDS && i < areas_n; i++) {
        struct area *a = &s->plan.areas.rows[areas[i]];

        if (a->programme.version != 0 && b->revision > a->programme.revision)
            a->stale = true;
    }
}

/* The tables are ours, but people can write to them too. */
static bool is_sound(const struct bulletin *b)
{
    return (b->class == BULLETIN_NORMAL || b->class == BULLETIN_PRIORITY) &&
           b->rule.frequency <= SLOTS_WEEKLY &&
           (b->rule.frequency != SLOTS_WEEKLY ||
            (b->rule.weekdays >= 1 && b->rule.weekdays <= 127)) &&
           loa_area_valid(b->requester_area);
}

int scheduler_load_bulletin(struct scheduler *s,
                            const struct bulletin *b,
                            const char (*areas)[LOA_AREA_CAP],
                            uint32_t areas_n,
                            struct loa_bytes approval,
                            struct loa_bytes chain)
{
    struct bulletin copy = *b;
    uint32_t rows[BULLETIN_AREAS_MAX], row;
    int rv;

    if (areas_n < 1 || areas_n > BULLETIN_AREAS_MAX || !is_sound(b) ||
        plan_find(&s->plan, b->id) != BULLETIN_NONE)
        return LOA_EINVAL;
    for (uint32_t i = 0; i < areas_n; i++) {
        rv = areas_put(&s->plan.areas, areas[i], &rows[i]);
        if (rv != LOA_OK)
            return rv;
    }
    rv = approvals_restore(&s->plan.approvals, approval, &copy.approval);
    if (rv != LOA_OK)
        return rv;
    rv = approvals_restore_chain(&s->plan.approvals, chain,
                                 &copy.requester_chain);
    if (rv != LOA_OK)
        goto err_after_approval;
    plan_settle(&s->plan, &copy);
    rv = plan_add(&s->plan, &copy, rows, areas_n, &row);
    if (rv != LOA_OK)
        goto err_after_chain;
    if (b->revision > s->revision)
        s->revision = b->revision;
    mark_stale(s, row);
    return LOA_OK;

err_after_chain:
    approvals_drop_chain(&s->plan.approvals, &copy.requester_chain);
err_after_approval:
    approvals_drop(&s->plan.approvals, copy.approval);
    return rv;
}

int scheduler_load_released(struct scheduler *s, const struct released_row *r)
{
    if (!loa_area_valid(r->area))
        return LOA_EINVAL;
    released_put(&s->released, r->content_hash, r->area, r->closed_until_ms);
    return LOA_OK;
}

/* --- what requests and passes share --------------------------------------- */

void core_make(struct scheduler *s,
               uint32_t area,
               int64_t at_ms,
               struct scheduler_update *up)
{
    struct scheduler_programme *out = &up->programmes[up->programmes_n];
    int rv;

    assert(up->programmes_n < SCHEDULER_PROGRAMMES_MAX);
    rv = programme_make(
        &s->maker, &s->plan, area, at_ms, s->window_end_ms, &out->envelope,
        s->envelopes + (size_t)up->programmes_n * LOA_ENVELOPE_BYTES_MAX,
        &out->omitted_n);
    /* The maker leaves out what does not fit. */
    assert(rv == LOA_OK);
    s->plan.areas.rows[area].programme.revision = s->revision;
    out->area = area;
    up->programmes_n++;
    up->durable = true;
}

void core_touch(struct scheduler *s, uint32_t row)
{
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(&s->plan, row, areas);

    for (uint32_t i = 0; i < areas_n; i++) {
        struct area *a = &s->plan.areas.rows[areas[i]];

        if (programme_carries(a, &s->plan.bulletins[row]))
            a->stale = true;
    }
}

void core_changed(struct scheduler *s,
                  uint32_t row,
                  struct scheduler_update *up)
{
    assert(up->bulletins_n < SCHEDULER_CHANGES_MAX);
    s->plan.bulletins[row].revision = ++s->revision;
    up->bulletins[up->bulletins_n++] = row;
    up->durable = true;
}

void core_remake(struct scheduler *s,
                 uint32_t row,
                 int64_t at_ms,
                 struct scheduler_update *up)
{
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(&s->plan, row, areas);

    for (uint32_t i = 0; i < areas_n; i++)
        if (programme_due(&s->plan, &s->plan.areas.rows[areas[i]], at_ms,
                          s->window_end_ms))
            core_make(s, areas[i], at_ms, up);
}

size_t core_entry_bytes(const struct scheduler *s, uint32_t row)
{
    const struct bulletin *b = &s->plan.bulletins[row];
    int64_t at_ms =
        slots_next(&b->rule, s->answer.from_ms - b->rule.duration_ms + 1);
    size_t bytes = ENTRY_BYTES + strlen(plan_title(&s->plan, b));
    uint32_t areas[BULLETIN_AREAS_MAX], starts_n = 0;
    uint32_t areas_n = plan_areas(&s->plan, row, areas);

    for (uint32_t i = 0; i < areas_n; i++)
        bytes += 2 * strlen(s->plan.areas.rows[areas[i]].path) + 20;
    while (at_ms < s->answer.until_ms &&
           starts_n < SCHEDULER_ENTRY_STARTS_MAX) {
        at_ms = slots_next(&b->rule, at_ms + 1);
        starts_n++;
    }
    return bytes + starts_n * START_BYTES;
}

/* --- events --------------------------------------------------------------- */

static int on_request(struct scheduler *s,
                      const struct scheduler_event *ev,
                      struct scheduler_update *up)
{
    static const core_request_fn handlers[SCHEDULER_WHATS_N] = {
        [SCHEDULER_ADD] = core_add,         [SCHEDULER_CHANGE] = core_change,
        [SCHEDULER_CANCEL] = core_cancel,   [SCHEDULER_FIND] = core_find,
        [SCHEDULER_RELEASE] = core_release,
    };
    struct scheduler_answer *a = &s->answer;

    assert(ev->request->what < SCHEDULER_WHATS_N);
    up->answer = a;
    memset(&a->say, 0, sizeof a->say);
    a->entries_n = a->conflicts_n = a->interrupts_n = 0;
    a->proposed_start_at_ms = 0;
    a->more = false;
    a->from_ms = ev->at_ms;
    a->until_ms = INT64_MAX;
    memcpy(a->viewer, ev->who->area, sizeof a->viewer);
    if (ev->doubted && ev->request->what != SCHEDULER_FIND)
        say(&a->say, SAY_BUSY,
            "Đồng hồ của bộ lập lịch không đáng tin nên chưa thay đổi gì; hãy "
            "báo người quản trị.",
            "The scheduler's clock is not to be believed, so nothing was "
            "changed; tell its administrator.");
    else
        handlers[ev->request->what](s, ev, up);
    return LOA_OK;
}

static int on_areas(struct scheduler *s,
                    const struct scheduler_event *ev,
                    struct scheduler_update *up)
{
    (void)up;
    for (uint32_t i = 0; i < ev->areas_n; i++) {
        int rv = scheduler_load_area(s, &ev->areas[i]);

        if (rv != LOA_OK)
            return rv;
    }
    s->areas_known = s->areas_known || ev->areas_complete;
    return LOA_OK;
}

static int on_trust(struct scheduler *s,
                    const struct scheduler_event *ev,
                    struct scheduler_update *up)
{
    core_begin(s, PASS_JUDGE);
    if (!ev->doubted)
        core_work(s, ev->at_ms, up);
    return LOA_OK;
}

static int on_tick(struct scheduler *s,
                   const struct scheduler_event *ev,
                   struct scheduler_update *up)
{
    if (!ev->doubted)
        core_work(s, ev->at_ms, up);
    return LOA_OK;
}

static int on_committed(struct scheduler *s,
                        const struct scheduler_event *ev,
                        struct scheduler_update *up)
{
    (void)up;
    for (uint32_t i = 0; i < ev->made_n; i++) {
        struct area *a = &s->plan.areas.rows[ev->made[i].area];

        a->head_version = ev->made[i].version;
        memcpy(a->head_hash, ev->made[i].hash, sizeof a->head_hash);
        a->head_due_ms = 0;
    }
    return LOA_OK;
}

/* A programme newer than ours, or of an area that never had one: our tables are
 * older than what we once signed, as after a restore. Devices refuse older
 * versions, so ours must be made anew above it.
 *
 * Only where the registry knows an area, or we made a programme before: who has
 * our key could fill our tables with areas that are none. */
static int on_seen(struct scheduler *s,
                   const struct scheduler_event *ev,
                   struct scheduler_update *up)
{
    uint32_t row = areas_find(&s->plan.areas, ev->seen_area);
    struct area *a;

    (void)up;
    if (row == AREA_NONE)
        return LOA_OK;
    a = &s->plan.areas.rows[row];
    if (a->spans_n == 0 && a->programme.version == 0)
        return LOA_OK;
    if (ev->seen_version <= a->programme.version)
        return LOA_OK;
    a->programme.version = ev->seen_version;
    a->stale = true;
    core_begin(s, PASS_ROLL);
    return LOA_OK;
}

/* A new day moves the window, and so does a clock that was ahead and is put
 * right: programmes lack what seemed over. The little that clocks are put right
 * by all the time does not, or at midnight a day would come, go and come again.
 *
 * Nothing is forgotten on the first day: a machine that was started with a
 * wrong date would put away what is to come. */
static void advance(struct scheduler *s, int64_t at_ms)
{
    int64_t end_ms = programme_window_end(at_ms, s->conf.horizon_days);
    bool back = at_ms < s->at_ms - SCHEDULER_BACK_MS;

    s->at_ms = at_ms;
    if (end_ms <= s->window_end_ms && !back)
        return;
    if (end_ms > s->window_end_ms && s->window_end_ms != 0)
        core_begin(s, PASS_FORGET);
    s->window_end_ms = end_ms;
    core_begin(s, PASS_ROLL);
    core_begin(s, PASS_JUDGE);
}

int scheduler_step(struct scheduler *s,
                   const struct scheduler_event *ev,
                   struct scheduler_update *up)
{
    static int (*const handlers[])(struct scheduler *,
                                   const struct scheduler_event *,
                                   struct scheduler_update *) = {
        [SCHEDULER_REQUEST] = on_request,     [SCHEDULER_AREAS] = on_areas,
        [SCHEDULER_TRUST] = on_trust,         [SCHEDULER_TICK] = on_tick,
        [SCHEDULER_COMMITTED] = on_committed, [SCHEDULER_SEEN] = on_seen,
    };
    int rv;

    assert((size_t)ev->type < sizeof handlers / sizeof handlers[0]);
    up->answer = NULL;
    up->durable = up->more = false;
    up->released = NULL;
    up->approval = (struct loa_bytes){NULL, 0};
    up->bulletins_n = up->forgotten_n = up->programmes_n = 0;
    if (s->spare_approval != APPROVAL_NONE)
        approvals_drop(&s->plan.approvals, s->spare_approval);
    s->spare_approval = APPROVAL_NONE;
    if (!ev->doubted)
        advance(s, ev->at_ms);
    rv = handlers[ev->type](s, ev, up);
    up->more = s->passes != 0 && !ev->doubted;
    assert(rv == LOA_OK || !up->durable);
    return rv;
}
