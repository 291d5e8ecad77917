#include "planner.h"

#include <assert.h>
#include <string.h>

#include "scheduler/scheduler.h"

static struct scheduler core;
static struct scheduler_update update;
static struct scheduler_request request;
static struct loa_trust trust;
static void (*made)(const char *area, struct loa_bytes envelope);

static void step(struct scheduler_event *ev, int64_t at_ms)
{
    int rv;

    ev->at_ms = at_ms;
    rv = scheduler_step(&core, ev, &update);
    assert(rv == LOA_OK);
    for (uint32_t i = 0; i < update.programmes_n; i++) {
        const struct scheduler_programme *p = &update.programmes[i];

        assert(p->omitted_n == 0);
        made(core.plan.areas.rows[p->area].path, p->envelope);
    }
}

static void settle(int64_t at_ms)
{
    struct scheduler_event ev = {.type = SCHEDULER_TICK};

    do
        step(&ev, at_ms);
    while (update.more);
}

void planner_open(const struct planner_conf *conf, int64_t at_ms)
{
    struct scheduler_conf c = {
        .limits = {16, 300, 600, 300, 32},
        .trust = &trust,
        .signer = conf->signer,
        .min_lead_ms = PLANNER_LEAD_MS,
        .horizon_days = conf->horizon_days,
        .keep_days = 35,
    };
    struct scheduler_area areas[16];
    struct scheduler_event ev = {.type = SCHEDULER_AREAS,
                                 .areas = areas,
                                 .areas_n = (uint32_t)conf->areas_n,
                                 .areas_complete = true};
    int rv;

    assert(conf->areas_n <= 16);
    strcpy(c.area, conf->area);
    made = conf->made;
    loa_trust_init(&trust, conf->root);
    rv = scheduler_open(&core, &c);
    assert(rv == LOA_OK);
    memset(areas, 0, sizeof areas);
    for (size_t i = 0; i < conf->areas_n; i++)
        strcpy(areas[i].path, conf->areas[i]);
    step(&ev, at_ms);
    settle(at_ms);
}

void planner_close(void)
{
    scheduler_close(&core);
}

static bool ask(const struct loa_certificate *who, int64_t at_ms)
{
    struct scheduler_event ev = {
        .type = SCHEDULER_REQUEST, .request = &request, .who = who};

    step(&ev, at_ms);
    return update.answer->say.code == SAY_OK;
}

static void about(enum scheduler_what what, uint8_t id)
{
    memset(&request, 0, sizeof request);
    request.what = what;
    request.by_id = true;
    memset(request.bulletin_id, id, sizeof request.bulletin_id);
}

bool planner_add(const struct planner_ask *a,
                 const struct loa_certificate *who,
                 int64_t at_ms)
{
    about(SCHEDULER_ADD, a->id);
    request.approval = a->approval;
    request.areas_n = 1;
    strcpy(request.areas[0], a->area);
    request.class = (unsigned)a->class;
    request.start_at_ms = a->start_at_ms;
    request.until_ms = a->until_ms;
    request.frequency = a->frequency;
    request.weekdays = a->weekdays;
    return ask(who, at_ms);
}

bool planner_move(uint8_t id,
                  int64_t start_at_ms,
                  const struct loa_certificate *who,
                  int64_t at_ms)
{
    about(SCHEDULER_CHANGE, id);
    request.start_at_ms = start_at_ms;
    return ask(who, at_ms);
}

bool planner_cancel(uint8_t id,
                    const struct loa_certificate *who,
                    int64_t at_ms)
{
    about(SCHEDULER_CANCEL, id);
    return ask(who, at_ms);
}

void planner_trust(struct loa_bytes envelope, int64_t at_ms)
{
    static _Alignas(16) uint8_t room[64 * 1024];
    struct scheduler_event ev = {.type = SCHEDULER_TRUST};
    struct loa_envelope e;
    struct loa_arena arena;
    int rv;

    loa_arena_init(&arena, room, sizeof room);
    rv = loa_envelope_parse(&arena, envelope, &e);
    assert(rv == LOA_OK);
    if (loa_trust_update(&trust, &e, at_ms, true) != LOA_VERDICT_OK)
        return;
    step(&ev, at_ms);
    if (update.more)
        settle(at_ms);
}

void planner_tick(int64_t at_ms)
{
    settle(at_ms);
}
