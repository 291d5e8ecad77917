/* inbox.h -- a request that arrives twice is done once and answered alike.
 *
 * inbox_find() asks for the stored answer of a message id. If there is none,
 * the caller does the work and stores its answer with inbox_put() in the same
 * batch (= transaction) as the state it changes. Two of the same id at the same
 * time: the second is told LOA_ESTALE, since the first one's answer goes to the
 * same asker.
 *
 * The table, in the service's own schema (its schema file has this):
 *
 *   CREATE TABLE inbox (
 *       message_id bytea PRIMARY KEY,
 *       answer     bytea NOT NULL,
 *       at         timestamptz NOT NULL DEFAULT now()
 *   );
 *   CREATE INDEX ON inbox (at);
 *   COMMENT ON TABLE inbox IS 'Requests done in the last 7 days, and answers';
 */

#ifndef LOA_COMMON_INBOX_H
#define LOA_COMMON_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/pg.h"
#include "proto/err.h"

#define INBOX_ID_LEN_MAX 32
#define INBOX_INFLIGHT_MAX 256

/* LOA_OK: done before, this is its answer (lent for the call). LOA_ENOENT: new;
 * end it with inbox_put() or inbox_drop(). LOA_EDB, LOA_ENOTCONN: not known,
 * the asker must repeat; nothing to end. */
typedef void (*inbox_cb)(void *data,
                         int status,
                         const void *answer,
                         size_t len);

struct inbox {
    struct pg *pg;
    uv_timer_t prune; /* Hourly: rows older than 7 days go. */
    struct inbox_entry {
        struct inbox *inbox;
        uint8_t id[INBOX_ID_LEN_MAX];
        size_t id_len; /* 0: free. */
        bool putting;  /* inbox_put() has been called. */
        inbox_cb cb;
        void *data;
    } inflight[INBOX_INFLIGHT_MAX];
    size_t inflight_n;
};

/* Prepare the statements on pg (blocking, as pg_prepare()). */
LOA_MUST_CHECK int inbox_open(struct inbox *in, uv_loop_t *loop, struct pg *pg);

/* Look an id up, in a batch of its own: no batch may be open. On LOA_OK cb is
 * called exactly once, never from within this call. LOA_ESTALE: the same id is
 * in flight, drop this one; LOA_EBUSY: INBOX_INFLIGHT_MAX, or the database has
 * no room; LOA_EINVAL: id is empty or too long; LOA_ENOTCONN. */
LOA_MUST_CHECK int inbox_find(struct inbox *in,
                              const void *id,
                              size_t id_len,
                              inbox_cb cb,
                              void *data);

/* Add the answer of an id in flight to the current batch. When the batch has
 * ended, well or not, the id is no longer in flight. Errors as pg_query(). */
LOA_MUST_CHECK int inbox_put(struct inbox *in,
                             const void *id,
                             size_t id_len,
                             const void *answer,
                             size_t len);

/* The id in flight was answered without a change of state: a repetition is
 * simply done again. Unknown ids are ignored. */
void inbox_drop(struct inbox *in, const void *id, size_t id_len);

/* Before pg_close(). The memory is free to reuse after the loop has run out. */
void inbox_close(struct inbox *in);

#endif /* LOA_COMMON_INBOX_H */
