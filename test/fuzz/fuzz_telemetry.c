/* link: services/telemetry-collector/wire.c
 * services/telemetry-collector/presence.c */
/* Whatever a device sends: no crash, and a batch that is taken never moves the
 * acknowledgement over a receipt that neither came nor was given up. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry-collector/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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
