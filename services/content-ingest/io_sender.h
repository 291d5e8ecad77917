/* io_sender.h -- orders of push and want become published packets, paced.
 *
 * Two lanes, so that repairs do not wait for pushes nor pushes for repairs. A
 * lane carries out one order at a time: its block comes from memory or from the
 * database, then its packets go out as the lane's rate allows. */

#ifndef LOA_CONTENT_IO_SENDER_H
#define LOA_CONTENT_IO_SENDER_H

#include "common/pg.h"
#include "content-ingest/cache.h"
#include "content-ingest/push.h"
#include "content-ingest/stats.h"
#include "content-ingest/want.h"
#include "proto/io/mqtt.h"

#define SENDER_TICK_MS 20
#define SENDER_BURST_MS 100 /* A lane that fell behind catches up so much. */

struct sender;

enum { LANE_PUSH, LANE_REPAIR };

struct sender_lane {
    struct sender *sender;
    int kind; /* LANE_PUSH or LANE_REPAIR. */
    unsigned packets_per_s;
    double tokens;
    uint64_t filled_ms; /* When the tokens were counted. */
    bool busy;          /* There is an order. */
    bool fetching;      /* Its block is on its way from the database. */
    struct order order;
    char topic[LOA_TOPIC_CAP];
};

struct sender {
    uv_loop_t *loop;
    struct pg *pg;
    struct mqtt *mqtt;
    struct push *push;
    struct want *want;
    struct stats *stats;
    /* A push has ended: areas are dirty. */
    void (*pushed)(void *data);
    void *data;
    struct cache cache;
    uint8_t *ring;
    struct sender_lane lanes[2];
    uv_timer_t timer;
    bool online, closed;
};

struct sender_conf {
    unsigned push_packets_per_s, repair_packets_per_s;
    size_t cache_len;
};

/* The fields up to data are set. Blocking. LOA_ENOMEM, as pg_prepare(). */
LOA_MUST_CHECK int sender_open(struct sender *s, const struct sender_conf *c);

/* There may be something to send: a need, a content, a want, the broker. */
void sender_wake(struct sender *s);

/* The broker is there. */
void sender_connected(struct sender *s);

void sender_close(struct sender *s);

#endif /* LOA_CONTENT_IO_SENDER_H */
