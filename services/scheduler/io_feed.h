/* io_feed.h -- feeds the core and carries out its updates: each is one database
 * batch, and what others are to hear leaves after its commit.
 *
 * Requests wait in a queue while the database has no room for what they may
 * write. A batch that fails stops the service: memory is ahead of the tables
 * then, and cannot go back. */

#ifndef LOA_SCHEDULER_IO_FEED_H
#define LOA_SCHEDULER_IO_FEED_H

#include "common/service.h"
#include "scheduler/io_clock.h"
#include "scheduler/io_stats.h"
#include "scheduler/sync.h"
#include "scheduler/wire.h"

#define FEED_COMMITS_MAX 64 /* Batches on their way to the database. */

struct feed;

/* A batch on its way, and what is to be told after it. */
struct feed_commit {
    struct feed *feed;
    bool used;
    struct rpc_call *call; /* NULL: nobody asked. */
    uint64_t began_us;
    struct scheduler_made made[SCHEDULER_PROGRAMMES_MAX];
    uint32_t made_n;
};

struct feed {
    struct service *service;
    struct scheduler core;
    struct scheduler_update update;
    struct wire wire;
    struct stats stats;
    struct io_clock clock;
    uv_timer_t tick;
    bool open, trust_due;
    struct feed_commit commits[FEED_COMMITS_MAX];
    struct rpc_call *pending[RPC_CALLS_MAX]; /* Ring. */
    size_t pending_head, pending_n;
};

/* Open the core, restore it from the tables (blocking), start its passes. The
 * clock is to be opened before the loop runs.
 * *areas_version as io_pg_load(). On error *f needs feed_close() all the same.
 */
LOA_MUST_CHECK int feed_open(struct feed *f,
                             struct service *service,
                             const struct scheduler_conf *conf,
                             uint64_t *areas_version);

/* A rpc_request_cb without its data. */
void feed_request(struct feed *f, struct rpc_call *call);

/* A newer trust list is believed. */
void feed_trust(struct feed *f);

/* A page of the area tree is durable. */
void feed_areas(struct feed *f, const struct sync_page *page, bool complete);

/* A message on down/programme/...: what the broker holds, and our own. */
void feed_programme(struct feed *f, const struct mqtt_msg *m);

/* Close the handles; feed_free() when the loop has run out. */
void feed_close(struct feed *f);
void feed_free(struct feed *f);

#endif /* LOA_SCHEDULER_IO_FEED_H */
