/* collector.h -- the running telemetry-collector: what its shell files share.
 */

#ifndef LOA_TELEMETRY_COLLECTOR_COLLECTOR_H
#define LOA_TELEMETRY_COLLECTOR_COLLECTOR_H

#include "common/service.h"
#include "telemetry-collector/io_pg.h"
#include "telemetry-collector/io_store.h"

struct config {
    struct service_settings service;
    unsigned devices_max;
    uint64_t summary_interval_ms;
};

struct collector {
    struct config conf;
    struct service service;
    struct presence presence;
    struct store store;
    struct loa_arena arena; /* For one device message at a time. */
    uint8_t *memory;
    uv_timer_t save, summarise, daily;
    /* Devices whose receipts are in the batch being filled, and in the one on
     * its way; devices_max each. */
    struct device **filling, **flying;
    size_t filling_n, flying_n;
    struct summary *summaries; /* Scratch. */
    size_t summaries_cap;
    struct summary *sent; /* What was published last, sorted by area. */
    size_t sent_n;
    bool store_open;
    uint64_t receipts_n, disbelieved_n, refused_n; /* For /metrics. */
};

/* io_rpc.c: answer a request. A rpc_request_cb; data is the collector. */
void io_rpc_request(void *data, struct rpc_call *call, struct loa_bytes body);

/* io_out.c: tell a device what is durable; publish what changed in summaries,
 * or everything. */
void io_out_ack(struct collector *c, const struct device *d);
void io_out_summaries(struct collector *c, bool all);

#endif /* LOA_TELEMETRY_COLLECTOR_COLLECTOR_H */
