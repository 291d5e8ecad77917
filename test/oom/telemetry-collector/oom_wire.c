/* Memory runs out while what devices send is read: a batch is taken with every
 * receipt that it has, or not at all. */

#include "telemetry-collector/wire.h"

#include "loa/v1/device.pb-c.h"
#include "test/oom/oom.h"

#define RECEIPTS 5

static uint8_t memory[WIRE_ARENA_BYTES], batch[1024], state[256], health[256];
static struct loa_bytes batch_body, state_body, health_body;
static struct wire_batch out;

static void prepare(void)
{
    static uint8_t id[LOA_ID_BYTES] = {1};
    Loa__V1__ReceiptBatch b = LOA__V1__RECEIPT_BATCH__INIT;
    Loa__V1__Receipt rows[RECEIPTS], *refs[RECEIPTS];
    Loa__V1__State s = LOA__V1__STATE__INIT;
    Loa__V1__Health h = LOA__V1__HEALTH__INIT;

    b.log_id = (ProtobufCBinaryData){sizeof id, id};
    b.oldest_sequence = 1;
    b.receipts = refs;
    b.n_receipts = RECEIPTS;
    for (size_t i = 0; i < RECEIPTS; i++) {
        loa__v1__receipt__init(&rows[i]);
        rows[i].sequence = i + 1;
        rows[i].bulletin_id = b.log_id;
        rows[i].event = LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_FINISHED;
        rows[i].reason = "đúng giờ";
        refs[i] = &rows[i];
    }
    batch_body =
        (struct loa_bytes){batch, loa__v1__receipt_batch__pack(&b, batch)};
    s.presence = LOA__V1__PRESENCE__PRESENCE_ONLINE;
    s.software = "loa-speaker";
    state_body = (struct loa_bytes){state, loa__v1__state__pack(&s, state)};
    h.volume_percent = 70;
    h.at_ms = 1;
    health_body = (struct loa_bytes){health, loa__v1__health__pack(&h, health)};
}

static struct loa_arena *arena(void)
{
    static struct loa_arena a;

    loa_arena_init(&a, memory, sizeof memory);
    return &a;
}

static void run_batch(bool may_fail)
{
    int rv = wire_batch(arena(), batch_body, &out);

    assert(rv == LOA_OK || may_fail);
    if (rv != LOA_OK)
        return;
    assert(out.receipts_n == RECEIPTS);
    for (size_t i = 0; i < RECEIPTS; i++)
        assert(out.receipts[i].why == NULL &&
               out.receipts[i].sequence == i + 1);
}

static void run_state(bool may_fail)
{
    struct wire_state s;
    struct wire_health h;

    assert(wire_state(arena(), state_body, &s) == LOA_OK || may_fail);
    assert(wire_health(arena(), health_body, &h) == LOA_OK || may_fail);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    prepare();
    oom_case("read receipts", run_batch);
    oom_case("read state and health", run_state);
    return oom_report("telemetry-collector");
}
