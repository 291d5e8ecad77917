/* link: services/scheduler/approvals.c services/scheduler/areas.c
 * services/scheduler/asking.c services/scheduler/conflict.c
 * services/scheduler/find.c services/scheduler/heads.c
 * services/scheduler/passes.c services/scheduler/plan.c
 * services/scheduler/programme.c services/scheduler/rows.c
 * services/scheduler/say.c services/scheduler/schedule.c
 * services/scheduler/scheduler.c services/scheduler/slots.c
 * services/scheduler/sync.c services/scheduler/wire.c  */
/* What peers may send: requests of staff, answers of the registry, questions
 * for the time. What is accepted is asked, and its answer must fit into a
 * message. */

#include "loa/v1/services.pb-c.h"
#include "scheduler/sync.h"
#include "scheduler/wire.h"
#include "test/unit/scheduler/world.h"

#define ANSWER_MAX 57344

static struct world *w;
static struct wire wire;

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sync_page page;
    static char why[SAY_CAP];
    uint8_t nonce[LOA_ID_BYTES];
    struct loa_bytes p = {data, size};

    prepare();
    request(p);
    if (wire_time_request(p, nonce) == LOA_OK)
        assert(size == WIRE_TIME_REQUEST_LEN);
    if (sync_answer(&w->arena, p, &page, why) == LOA_OK)
        for (uint32_t i = 0; i < page.rows_n; i++)
            assert(loa_area_valid(page.rows[i].area.path));
    return 0;
}
