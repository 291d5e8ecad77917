/* trustlist.h -- what a service knows of root and revocations, kept durable.
 *
 * The newest TRUST envelope lies in <schema>.trust_list and comes retained on
 * down/trust/<area>. A service that starts without a broker still knows whom
 * not to believe. */

#ifndef LOA_COMMON_TRUSTLIST_H
#define LOA_COMMON_TRUSTLIST_H

#include "common/pg.h"
#include "proto/io/mqtt.h"
#include "proto/trust.h"

/* A newer list was believed and is durable. */
typedef void (*trustlist_changed_cb)(void *data);

struct trustlist {
    struct loa_trust trust;
    struct pg *pg;
    trustlist_changed_cb on_changed;
    void *data;
    uint8_t *envelope; /* The newest, as received; LOA_ENVELOPE_BYTES_MAX. */
    size_t envelope_len;
};

/* Statements to be prepared on the service's connection, next to its own. */
extern const struct pg_stmt trustlist_stmts[];
extern const size_t trustlist_stmts_n;

/* Pin the root and read the stored list (queues a statement; on_loaded comes
 * when it is there). on_changed may be NULL. */
LOA_MUST_CHECK int trustlist_open(struct trustlist *t,
                                  struct pg *pg,
                                  const uint8_t root[LOA_KEY_BYTES],
                                  pg_done_cb on_loaded,
                                  trustlist_changed_cb on_changed,
                                  void *data);

/* Feed a message on down/trust/...; anything older or unbelievable is dropped
 * with a log line. */
void trustlist_message(struct trustlist *t, const struct mqtt_message *m);

void trustlist_close(struct trustlist *t);

#endif /* LOA_COMMON_TRUSTLIST_H */
