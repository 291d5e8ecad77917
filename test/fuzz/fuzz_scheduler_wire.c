/* link: services/scheduler/approvals.c services/scheduler/areas.c
 * services/scheduler/asking.c services/scheduler/conflict.c
 * services/scheduler/find.c services/scheduler/heads.c
 * services/scheduler/passes.c services/scheduler/plan.c
 * services/scheduler/programme.c services/scheduler/rows.c
 * services/scheduler/say.c services/scheduler/schedule.c
 * services/scheduler/release.c services/scheduler/released.c
 * services/scheduler/scheduler.c services/scheduler/slots.c
 * services/scheduler/sync.c services/scheduler/wire.c  */
/* What peers may send: requests of staff, answers of the registry, questions
 * for the time. What is accepted is asked, and its answer must fit into a
 * message. */

#include "loa/v1/services.pb-c.h"
#include "scheduler/sync.h"
#include "scheduler/wire.h"
#include "test/fuzz/mutator.h"
#include "test/unit/scheduler/world.h"

#define ANSWER_MAX 57344

static struct world *w;
static struct wire wire;

/* The same bytes are read as each of them. */
static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &loa__v1__scheduler_request__descriptor,
        &loa__v1__scheduler_request__descriptor,
        &loa__v1__registry_answer__descriptor,
        &loa__v1__time_request__descriptor};

    (void)data;
    return mutator_whole(len, 0, types[chance % 4], part);
}

/* A request that would be granted, with a genuine approval. */
static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    static uint8_t id[LOA_ID_BYTES] = {0xee};
    Loa__V1__SchedulerRequest m = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleAdd add = LOA__V1__SCHEDULE_ADD__INIT;
    Loa__V1__Recurrence again = LOA__V1__RECURRENCE__INIT;
    char *area = (char *)(uintptr_t)world_areas[chance % WORLD_AREAS_N];
    struct loa_bytes approval;

    (void)cap;
    if (w == NULL)
        return 0;
    approval = world_approval(w, chance & 1 ? &w->minh : &w->hoa, "vn", 7,
                              600000, WORLD_AT_MS + 500 * LOA_DAY_MS);
    add.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    add.approval = (ProtobufCBinaryData){approval.len,
                                         (uint8_t *)(uintptr_t)approval.data};
    add.areas = &area;
    add.n_areas = 1;
    add.class_ = (Loa__V1__BulletinClass)(1 + chance / 2 % 2);
    add.start_at_ms = WORLD_AT_MS + (int64_t)(chance % 200) * HOUR_MS;
    again.frequency = (Loa__V1__Recurrence__Frequency)(chance / 4 % 3);
    again.weekdays = 127;
    again.until_ms = add.start_at_ms + 9 * LOA_DAY_MS;
    add.recurrence = &again;
    m.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_ADD;
    m.add = &add;
    return loa__v1__scheduler_request__pack(&m, out);
}

static struct mutator_key keys[4];
static const struct mutator mutator = {find, seed, keys, 4};

static void keys_init(void)
{
    const struct person *who[] = {&w->minh, &w->hoa, &w->lan, &w->province};

    for (size_t i = 0; i < 4; i++)
        keys[i] = (struct mutator_key){&who[i]->key, NULL, 0};
}

static void prepare(void)
{
    if (w != NULL)
        return;
    w = world_new("vn");
    if (wire_init(&wire) != LOA_OK)
        abort();
    for (uint8_t i = 0; i < 100; i++) {
        world_add(w, i, world_areas[i % WORLD_AREAS_N],
                  WORLD_AT_MS + HOUR_MS + i * 20 * MINUTE_MS);
        world_ask(w, &w->lan);
    }
    keys_init();
}

static void check_answer(const ProtobufCMessage *m)
{
    static uint8_t packed[ANSWER_MAX];
    Loa__V1__SchedulerAnswer *again;
    size_t len = protobuf_c_message_get_packed_size(m);

    assert(len <= ANSWER_MAX);
    protobuf_c_message_pack(m, packed);
    again = loa__v1__scheduler_answer__unpack(NULL, len, packed);
    assert(again != NULL && again->status != NULL);
    assert(again->status->text_en[0] != '\0');
    loa__v1__scheduler_answer__free_unpacked(again, NULL);
}

static void request(struct loa_bytes body)
{
    struct say why;

    if (wire_request(&wire, body, &w->request, &why) != LOA_OK) {
        check_answer(wire_refusal(&wire, &why));
        return;
    }
    w->request.dry_run = true;
    world_ask(w, &w->lan);
    check_answer(wire_answer(&wire, &w->core, w->up.answer));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    prepare();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sync_page page;
    static char why[SAY_CAP];
    uint8_t nonce[LOA_ID_BYTES];
    struct loa_bytes p = {data, size};

    request(p);
    if (wire_time_request(p, nonce) == LOA_OK)
        assert(size == WIRE_TIME_REQUEST_LEN);
    if (sync_answer(&w->arena, p, &page, why) == LOA_OK)
        for (uint32_t i = 0; i < page.rows_n; i++)
            assert(loa_area_valid(page.rows[i].area.path));
    return 0;
}
