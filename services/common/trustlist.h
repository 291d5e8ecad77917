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
    struct loa_arena arena; /* For one list at a time. */
    uint8_t *memory;
};

/* Pin the root, keep to lists of the service's own area, prepare the statements
 * and read the stored list: blocking, as pg_query_now(), before the loop runs.
 * on_changed may be NULL. LOA_ENOMEM, LOA_EDB, LOA_ENOTCONN. */
LOA_MUST_CHECK int trustlist_open(struct trustlist *t,
                                  struct pg *pg,
                                  const uint8_t root[LOA_KEY_BYTES],
                                  const char *area,
                                  trustlist_changed_cb on_changed,
                                  void *data);

/* Is this topic one of down/trust/<area>? */
bool trustlist_topic(const char *topic);

/* Feed a message on down/trust/...; anything older or unbelievable is dropped
 * with a log line. */
void trustlist_message(struct trustlist *t, const struct mqtt_msg *m);

void trustlist_close(struct trustlist *t);

#endif /* LOA_COMMON_TRUSTLIST_H */
