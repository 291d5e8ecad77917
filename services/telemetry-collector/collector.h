/* collector.h -- the running telemetry-collector: what its shell files share.
 */

#ifndef LOA_TELEMETRY_COLLECTOR_COLLECTOR_H
#define LOA_TELEMETRY_COLLECTOR_COLLECTOR_H

#include "common/retained.h"
#include "common/service.h"
#include "telemetry-collector/io_pg.h"
#include "telemetry-collector/io_store.h"
#include "telemetry-collector/refusals.h"
#include "telemetry-collector/save.h"

struct config {
    struct service_settings service;
    unsigned devices_max;
    uint64_t summary_interval_ms, housekeeping_interval_ms;
    unsigned keep_receipts_days, keep_health_days;
};

enum { COUNTERS_N = 14 }; /* Of io_out.c's table. */

struct collector {
    struct config conf;
    struct service service;
    struct presence presence;
    struct store store;
    struct loa_arena arena; /* For one device message at a time. */
    uint8_t *memory;
    uv_timer_t save_timer, summarise, housekeeping;
    struct save save;
    /* Devices whose receipts are in the batch being filled, in the one on its
     * way, and those to be acknowledged; devices_max each. */
    struct device **filling, **flying, **acks;
    size_t filling_n, flying_n;
    size_t acks_first, acks_n; /* A ring. */
    struct refusals refusals;
    struct budget strangers; /* Lines about those that are not known. */
    struct retained retained;
    bool known_asked; /* The states of all that are known were asked for. */
    bool unknown;     /* A device spoke whose state we do not have. */
    struct summary *summaries; /* Scratch. */
    size_t summaries_cap;
    struct summary *sent; /* What was published last, sorted by area. */
    size_t sent_n;
    bool store_open;
    struct metric counters[COUNTERS_N];
    uint64_t receipts_n, disbelieved_n, malformed_n, refused_n, busy_n;
    uint64_t unsaved_n, housekept_n;
    uint64_t unstored_n, limited_n, unsaid_n; /* Beyond a device's budget. */
    uint64_t complained_n, complained_ms; /* Turned away, as the log has it. */
};

/* io_rpc.c: answer a request. A rpc_request_cb; data is the collector. */
void io_rpc_request(void *data, struct rpc_call *call, struct loa_bytes body);

/* io_out.c: what is durable of d's receipts is told to it, as soon as the
 * broker takes it; publish what changed in summaries, or everything. */
void io_out_ack(struct collector *c, struct device *d);
void io_out_summaries(struct collector *c, bool all);
LOA_MUST_CHECK int io_out_metrics(struct collector *c);
void io_out_collect(struct collector *c);

/* io_housekeeping.c: what goes by the clock. LOA_ENOMEM: stop it all the same.
 */
LOA_MUST_CHECK int io_housekeeping_start(struct collector *c);
void io_housekeeping_stop(struct collector *c);

/* Ask for the states of devices that spoke without one. */
void io_housekeeping_states(struct collector *c);

/* The log may have one more line that this device caused; else it is counted.
 */
bool io_housekeeping_may_say(struct collector *c, const char *id);

/* A device found no room: told to the log, once a minute. */
void io_housekeeping_turned_away(struct collector *c);

#endif /* LOA_TELEMETRY_COLLECTOR_COLLECTOR_H */
