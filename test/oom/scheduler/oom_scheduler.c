/* Memory runs out in the scheduler: while it starts it says so and leaves
 * nothing behind; a request is granted whole or refused whole; what the
 * registry sent is taken or not. */

#include "loa/v1/registry.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "scheduler/sync.h"
#include "scheduler/wire.h"
#include "test/oom/oom.h"
#include "world.h"

static struct world *w;
static struct wire wire;
static uint8_t add[8192], find[64], areas[4096];
static struct loa_bytes add_body, find_body, areas_body;

static void prepare_add(void)
{
    static uint8_t id[LOA_ID_BYTES] = {9};
    Loa__V1__SchedulerRequest m = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleAdd a = LOA__V1__SCHEDULE_ADD__INIT;
    Loa__V1__Recurrence again = LOA__V1__RECURRENCE__INIT;
    struct loa_bytes approval = world_approval(w, &w->minh, "vn", 1, 600000,
                                               WORLD_AT_MS + 500 * LOA_DAY_MS);
    char *list[] = {(char *)(uintptr_t)world_areas[5],
                    (char *)(uintptr_t)world_areas[8]};

    a.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    a.approval = (ProtobufCBinaryData){approval.len,
                                       (uint8_t *)(uintptr_t)approval.data};
    a.areas = list;
    a.n_areas = 2;
    a.class_ = LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_NORMAL;
    a.start_at_ms = WORLD_AT_MS + HOUR_MS;
    again.frequency = LOA__V1__RECURRENCE__FREQUENCY__FREQUENCY_DAILY;
    again.until_ms = WORLD_AT_MS + 9 * LOA_DAY_MS;
    a.recurrence = &again;
    m.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_ADD;
    m.add = &a;
    add_body =
        (struct loa_bytes){add, loa__v1__scheduler_request__pack(&m, add)};
}

static void prepare_answer(void)
{
    Loa__V1__RegistryAnswer m = LOA__V1__REGISTRY_ANSWER__INIT;
    Loa__V1__Status ok = LOA__V1__STATUS__INIT;
    static Loa__V1__Area rows[4];
    Loa__V1__Area *refs[4];
    char name[] = "Phường Phan Thiết";

    for (size_t i = 0; i < 4; i++) {
        loa__v1__area__init(&rows[i]);
        rows[i].path = (char *)(uintptr_t)world_areas[i];
        rows[i].code = name;
        rows[i].name = name;
        rows[i].tier = LOA__V1__TIER__TIER_PROVINCE;
        refs[i] = &rows[i];
    }
    m.status = &ok;
    m.areas = refs;
    m.n_areas = 4;
    m.version = 7;
    areas_body =
        (struct loa_bytes){areas, loa__v1__registry_answer__pack(&m, areas)};
}

static void prepare_find(void)
{
    Loa__V1__SchedulerRequest m = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind f = LOA__V1__SCHEDULE_FIND__INIT;

    f.under = (char *)(uintptr_t)world_areas[1];
    m.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    m.find = &f;
    find_body =
        (struct loa_bytes){find, loa__v1__scheduler_request__pack(&m, find)};
}

static void run_start(bool may_fail)
{
    static struct scheduler core;
    int rv = scheduler_open(&core, &w->conf);

    assert(rv == LOA_OK || (may_fail && rv == LOA_ENOMEM));
    if (rv == LOA_OK)
        scheduler_close(&core);
}

static uint32_t bulletins(void)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < w->conf.limits.bulletins; i++)
        n += w->core.plan.bulletins[i].used;
    return n;
}

/* From the bytes to the answer. Refused: the plan is as it was. */
static void run_add(bool may_fail)
{
    struct say why;
    enum say_code code = SAY_FAILED;
    uint64_t revision;
    bool was = oom_pause();

    scheduler_close(&w->core);
    world_open_core(w);
    world_send_areas(w);
    revision = w->core.revision;
    oom_resume(was);
    if (wire_request(&wire, add_body, &w->request, &why) == LOA_OK)
        code = world_ask(w, &w->lan);
    was = oom_pause();
    assert(code == SAY_OK || may_fail);
    assert((w->core.revision != revision) == (code == SAY_OK));
    assert(bulletins() == (code == SAY_OK));
    /* With memory again it is granted, or was already. */
    if (code != SAY_OK) {
        assert(wire_request(&wire, add_body, &w->request, &why) == LOA_OK);
        code = world_ask(w, &w->lan);
        assert(code == SAY_OK && bulletins() == 1);
    }
    oom_resume(was);
}

static void run_find(bool may_fail)
{
    struct say why;
    int rv = wire_request(&wire, find_body, &w->request, &why);

    assert(rv == LOA_OK || may_fail);
    if (rv == LOA_OK)
        assert(world_ask(w, &w->lan) == SAY_OK || may_fail);
}

static void run_areas(bool may_fail)
{
    static struct sync_page page;
    char why[SAY_CAP];
    int rv;

    loa_arena_init(&w->arena, w->arena_memory, sizeof w->arena_memory);
    rv = sync_answer(&w->arena, areas_body, &page, why);
    assert(rv == LOA_OK || may_fail);
    assert(rv != LOA_OK || page.rows_n == 4);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    w = world_new("vn");
    if (wire_init(&wire) != LOA_OK)
        return 1;
    prepare_add();
    prepare_find();
    prepare_answer();
    oom_case("start", run_start);
    oom_case("grant a bulletin", run_add);
    oom_case("find bulletins", run_find);
    oom_case("take areas", run_areas);
    return oom_report("scheduler");
}
