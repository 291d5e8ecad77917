/* io_heads.h -- publishes heads, and answers devices that ask for the time. */

#ifndef LOA_SCHEDULER_IO_HEADS_H
#define LOA_SCHEDULER_IO_HEADS_H

#include "common/service.h"
#include "scheduler/heads.h"
#include "scheduler/io_clock.h"
#include "scheduler/io_stats.h"

#define IO_HEADS_UNACKED_MAX 64
#define IO_HEADS_TICK_MS 250

struct io_heads {
    struct service *service;
    struct areas *areas; /* Lent: the core's. */
    struct stats *stats;
    struct io_clock *clock; /* Lent: no time is signed while it is doubted. */
    struct heads heads;
    uv_timer_t timer;
    unsigned unacked_n;
    bool open;
};

/* own: row of the scheduler's own area. */
void io_heads_open(struct io_heads *h,
                   struct service *service,
                   struct areas *areas,
                   uint32_t own,
                   uint64_t interval_ms,
                   struct io_clock *clock,
                   struct stats *stats);

/* A message on rpc/scheduler/...: true if it was a TimeRequest. */
bool io_heads_message(struct io_heads *h, const struct mqtt_msg *m);

void io_heads_close(struct io_heads *h);

#endif /* LOA_SCHEDULER_IO_HEADS_H */
