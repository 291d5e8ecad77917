/* Batches of receipts as devices send them: what can be read is read, what
 * cannot is set aside under its number. */

#include <string.h>

#include "check.h"
#include "loa/v1/device.pb-c.h"
#include "telemetry-collector/wire.h"

static uint8_t memory[WIRE_ARENA_BYTES];
static struct loa_arena arena;
static struct wire_batch out;
static uint8_t id[LOA_ID_BYTES];

/* One receipt of a batch: its number, and one thing that is wrong. */
static const struct row {
    const char *name;
    uint64_t oldest;
    struct {
        uint64_t sequence;
        char wrong; /* e: event, r: reason, m: no protobuf at all. */
    } in[4];
    int rv;
    uint64_t first;
    const char *out; /* '.': good, 'e', 'r', 'm' as above. */
} rows[] = {
    {"all good", 1, {{1, 0}, {2, 0}}, LOA_OK, 1, ".."},
    {"event of a newer device",
     1,
     {{1, 0}, {2, 'e'}, {3, 0}},
     LOA_OK,
     1,
     ".e."},
    {"reason is not UTF-8", 1, {{1, 'r'}, {2, 0}}, LOA_OK, 1, "r."},
    {"no number, and one before it", 4, {{5, 0}, {0, 'm'}}, LOA_OK, 5, ".m"},
    {"no number, and one behind it", 4, {{4, 'm'}, {5, 0}}, LOA_OK, 4, "m."},
    {"no number at all: the oldest", 7, {{7, 'm'}, {8, 'm'}}, LOA_OK, 7, "mm"},
    {"a wrong number in one that is bad",
     7,
     {{900, 'e'}, {8, 0}},
     LOA_OK,
     7,
     "e."},
    {"alone, without an oldest", 0, {{9, 'e'}}, LOA_OK, 9, "e"},
    {"alone, and nobody knows its number", 0, {{9, 'm'}}, LOA_EINVAL, 0, ""},
    {"a gap: up to it", 1, {{1, 0}, {2, 0}, {4, 0}}, LOA_OK, 1, ".."},
    {"falling", 1, {{2, 0}, {1, 0}}, LOA_OK, 2, "."},
    {"oldest is younger", 3, {{2, 0}}, LOA_EINVAL, 0, ""},
    {"number 0", 0, {{0, 'e'}}, LOA_EINVAL, 0, ""},
    {"beyond what PostgreSQL counts",
     0,
     {{UINT64_MAX, 'e'}},
     LOA_EINVAL,
     0,
     ""},
};

static size_t pack(const struct row *row, uint8_t buf[512])
{
    static uint8_t raw[4][128];
    ProtobufCBinaryData list[4];
    Loa__V1__RawReceiptBatch b = LOA__V1__RAW_RECEIPT_BATCH__INIT;

    b.log_id = (ProtobufCBinaryData){LOA_ID_BYTES, id};
    b.oldest_sequence = row->oldest;
    b.receipts = list;
    for (size_t i = 0; i < 4 && (row->in[i].sequence || row->in[i].wrong);
         i++) {
        Loa__V1__Receipt r = LOA__V1__RECEIPT__INIT;
        r.sequence = row->in[i].sequence;
        r.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, id};
        r.event = (Loa__V1__ReceiptEvent)(row->in[i].wrong == 'e' ? 9 : 4);
        r.reason = row->in[i].wrong == 'r' ? "l\xe0" : "late";
        list[i].data = raw[i];
        list[i].len = loa__v1__receipt__pack(&r, raw[i]);
        if (row->in[i].wrong == 'm')
            list[i].len = 1;
        b.n_receipts = i + 1;
    }
    return loa__v1__raw_receipt_batch__pack(&b, buf);
}

/* A batch with one receipt that could not be read was refused as a whole, and
 * its device repeated it for ever. */
static void test_one_unreadable_receipt_does_not_take_the_others(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        uint8_t buf[512];
        struct loa_bytes body = {buf, pack(row, buf)};
        char got[8] = "";
        int rv = wire_batch(&arena, body, &out);

        CHECK_INT(row->name, rv, row->rv);
        if (rv != LOA_OK)
            continue;
        for (size_t k = 0; k < out.receipts_n; k++) {
            const struct wire_receipt *r = &out.receipts[k];
            got[k] = r->why == NULL ? '.' : r->why[0];
            CHECK_INT(row->name, r->sequence, row->first + k);
            CHECK_INT(row->name, r->raw.len > 0, r->why != NULL);
        }
        CHECK_STR(row->name, got, row->out);
    }
}

/* RawReceiptBatch is ReceiptBatch, byte for byte. */
static void test_same_bytes(void)
{
    uint8_t buf[512];
    struct loa_bytes body = {buf, 0};
    Loa__V1__Receipt r = LOA__V1__RECEIPT__INIT, *list[1] = {&r};
    Loa__V1__ReceiptBatch b = LOA__V1__RECEIPT_BATCH__INIT;

    r.sequence = 3;
    r.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, id};
    r.event = LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_FINISHED;
    r.reason = "đúng giờ";
    r.at_us = -5;
    b.log_id = r.bulletin_id;
    b.oldest_sequence = 3;
    b.receipts = list;
    b.n_receipts = 1;
    body.len = loa__v1__receipt_batch__pack(&b, buf);
    CHECK_INT("read", wire_batch(&arena, body, &out), LOA_OK);
    CHECK_INT("good", out.receipts[0].why == NULL, 1);
    CHECK_INT("number", out.receipts[0].sequence, 3);
    CHECK_STR("reason", out.receipts[0].reason, "đúng giờ");
    CHECK_INT("a time that makes no sense", out.receipts[0].at_us, 0);
}

int main(void)
{
    loa_arena_init(&arena, memory, sizeof memory);
    test_one_unreadable_receipt_does_not_take_the_others();
    test_same_bytes();
    return CHECK_DONE();
}
