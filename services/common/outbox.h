/* outbox.h -- the retained documents a service owns, never lost, never ahead.
 *
 * outbox_put() stores a document in the batch that changes the state it tells
 * of; after the commit it is read back and published, retained, QoS 1. Every
 * connect publishes all of them again, paced by the broker's acknowledgements,
 * so a broker may lose its memory and a service may die at any point: what the
 * table says is what the broker gets. A newer body replaces an unsent older.
 *
 * The table, in the service's own schema (its schema file has this):
 *
 *   CREATE TABLE outbox (
 *       topic      text PRIMARY KEY,
 *       body       bytea NOT NULL,
 *       changed_at timestamptz NOT NULL DEFAULT now()
 *   );
 *   COMMENT ON TABLE outbox IS 'Retained MQTT messages this service owns';
 *   COMMENT ON COLUMN outbox.body IS 'Empty: removed; kept a day as a
 * tombstone';
 *
 * A removed document is published empty and its row stays for a day as a
 * tombstone: a broker that comes back from an old backup forgets it again. */

#ifndef LOA_COMMON_OUTBOX_H
#define LOA_COMMON_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/pg.h"
#include "proto/err.h"
#include "proto/io/mqtt.h"

#define OUTBOX_TOPIC_LEN_MAX 256 /* With the terminating 0. */
#define OUTBOX_DIRTY_MAX 256     /* More: everything is published again. */
#define OUTBOX_PAGE_ROWS 32      /* Published at once, then acknowledged. */

/* A topic on its way: put but not committed, or published but not acknowledged.
 */
struct outbox_topic {
    struct outbox *outbox;
    char topic[OUTBOX_TOPIC_LEN_MAX]; /* "": free. */
};

struct outbox {
    struct pg *pg;
    struct mqtt *mqtt;
    uv_timer_t retry; /* When the database or the broker had no room. */
    uv_timer_t prune; /* Hourly. */
    bool online;
    bool closed;
    struct outbox_topic puts[OUTBOX_DIRTY_MAX]; /* Ring, not yet committed. */
    size_t puts_head, puts_n;
    char dirty[OUTBOX_DIRTY_MAX][OUTBOX_TOPIC_LEN_MAX]; /* To be published. */
    size_t dirty_n;
    bool sweep_due;                    /* Publish everything (again). */
    bool sweeping;                     /* Between its first and last page. */
    char cursor[OUTBOX_TOPIC_LEN_MAX]; /* The sweep's last topic. */
    bool reading;                      /* A SELECT is on its way. */
    struct outbox_topic unacked[OUTBOX_PAGE_ROWS];
    size_t unacked_n;
    uint64_t published_n, refused_n; /* For metrics. */
};

/* Prepare the statements on pg (blocking, as pg_prepare()). */
LOA_MUST_CHECK int outbox_open(struct outbox *o,
                               uv_loop_t *loop,
                               struct pg *pg,
                               struct mqtt *mqtt);

/* Add to the current batch: the document of topic is body from its commit on.
 * body is copied. len 0 is outbox_remove(). Errors as pg_query(), and
 * LOA_EINVAL: the topic is too long or empty. */
LOA_MUST_CHECK int outbox_put(struct outbox *o,
                              const char *topic,
                              const void *body,
                              size_t len);

/* Add to the current batch: there is no document of topic any more. */
LOA_MUST_CHECK int outbox_remove(struct outbox *o, const char *topic);

/* The broker is there (mqtt's on_connected): publish everything. */
void outbox_connected(struct outbox *o);

/* The broker is gone (MQTT_RETRY only). */
void outbox_disconnected(struct outbox *o);

/* Whether everything committed is at the broker. */
bool outbox_settled(const struct outbox *o);

/* Before pg_close() and mqtt_close(). The memory is free to reuse after the
 * loop has run out. */
void outbox_close(struct outbox *o);

#endif /* LOA_COMMON_OUTBOX_H */
