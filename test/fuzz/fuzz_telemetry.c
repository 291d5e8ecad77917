/* link: services/telemetry-collector/wire.c
 * services/telemetry-collector/presence.c */
/* Whatever a device sends: no crash, and a batch that is taken never moves the
 * acknowledgement over a receipt that neither came nor was given up. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry-collector/wire.h"
#include "test/fuzz/mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &loa__v1__state__descriptor, &loa__v1__health__descriptor,
        &loa__v1__receipt_batch__descriptor};

    (void)chance;
    return len > 0 && mutator_whole(len, 1, types[data[0] % 3], part);
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    static uint8_t log_id[LOA_ID_BYTES] = {1};
    Loa__V1__ReceiptBatch m = LOA__V1__RECEIPT_BATCH__INIT;
    Loa__V1__Receipt rows[8], *refs[8];

    (void)cap;
    m.log_id = (ProtobufCBinaryData){sizeof log_id, log_id};
    m.oldest_sequence = chance % 3;
    m.receipts = refs;
    m.n_receipts = 1 + chance % 8;
    for (size_t i = 0; i < m.n_receipts; i++) {
        loa__v1__receipt__init(&rows[i]);
        rows[i].sequence = chance % 250 + i + 1;
        rows[i].bulletin_id = m.log_id;
        rows[i].event = (Loa__V1__ReceiptEvent)(1 + (chance >> i) % 7);
        rows[i].at_us = 1790000000000000;
        refs[i] = &rows[i];
    }
    out[0] = (uint8_t)(chance % 250);
    if (out[0] % 3 != 2)
        return 1;
    return 1 + loa__v1__receipt_batch__pack(&m, out + 1);
}

static const struct mutator mutator = {.find = find, .seed = seed};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t memory[WIRE_ARENA_BYTES];
    static struct wire_batch b;
    struct loa_bytes p = {data + 1, len - 1};
    struct wire_state s;
    struct wire_health h;
    struct device d;
    struct loa_arena a;

    if (len < 2)
        return 0;
    loa_arena_init(&a, memory, sizeof memory);
    if (data[0] % 3 == 0) {
        if (wire_state(&a, p, &s) == LOA_OK)
            assert(s.presence >= PRESENCE_ONLINE &&
                   s.presence <= PRESENCE_DISCONNECTED);
    } else if (data[0] % 3 == 1) {
        if (wire_health(&a, p, &h) == LOA_OK)
            assert(h.volume_percent <= 100);
    } else if (wire_batch(&a, p, &b) == LOA_OK) {
        uint64_t before;
        memset(&d, 0, sizeof d);
        d.log_known = true;
        memcpy(d.log_id, b.log_id, LOA_ID_BYTES);
        before = d.committed = d.flying = d.pending = data[0];
        presence_batch(&d, b.log_id, b.oldest, b.receipts[0].sequence,
                       b.receipts[b.receipts_n - 1].sequence);
        assert(d.pending >= before);
        if (d.pending != before)
            assert(b.oldest == 0 || b.receipts[0].sequence <= before + 1 ||
                   b.oldest == b.receipts[0].sequence);
    }
    return 0;
}
