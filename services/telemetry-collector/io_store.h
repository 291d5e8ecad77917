/* io_store.h -- receipts and health into PostgreSQL by COPY, in batches.
 *
 * Rows gather in a buffer while the batch before is on its way; each batch is
 * one transaction. Receipts are acknowledged to their devices after it. A batch
 * of which the database does not want a row is cut in halves until the row is
 * alone; that one is set aside (telemetry.receipt_refused). */

#ifndef LOA_TELEMETRY_COLLECTOR_IO_STORE_H
#define LOA_TELEMETRY_COLLECTOR_IO_STORE_H

#include "common/pg_copy.h"
#include "telemetry-collector/presence.h"
#include "telemetry-collector/rows.h"
#include "telemetry-collector/wire.h"

#define STORE_BUFFER_BYTES (4 << 20)
#define STORE_LINGER_MS 100 /* A row waits at most this long for company. */

struct store_calls {
    /* What was handed in so far is on its way; what comes now is the next. */
    void (*on_began)(void *data);
    /* The database refused this receipt of what had begun: it is set aside. */
    void (*on_refused)(void *data, const char *device, uint64_t sequence);
    /* What had begun is durable. */
    void (*on_committed)(void *data);
    /* The database is gone, or refuses everything: the service stops. */
    void (*on_failed)(void *data);
    void *data;
};

struct store {
    struct pg_copy copy;
    uv_timer_t timer;
    struct {
        char *text[2]; /* Filling, on its way. */
        struct pg_copy_buf filling;
    } receipts, health;
    struct {
        const char *text; /* The batch on its way; NULL: none. */
        size_t len, rows_n;
        size_t from, to; /* The part of it that the job is about. */
        bool receipts;
        bool replaced; /* The job is `refused`, in place of that part. */
    } flight;
    struct rows_refused refused;
    bool receipts_next; /* Take turns when both wait. */
    bool closed;
    struct store_calls calls;
    uint64_t rows_n, batches_n, refused_n, health_dropped_n;
};

/* Connect and make the stage (blocking). On error nothing is left open. */
LOA_MUST_CHECK int store_open(struct store *s,
                              uv_loop_t *loop,
                              const struct pg_conf *conf,
                              const struct store_calls *calls);

/* Add a batch of receipts of d, whose `pending` says how far this brings it.
 * LOA_EBUSY: no room now; nothing was taken, the device sends it again. */
LOA_MUST_CHECK int store_receipts(struct store *s,
                                  const struct device *d,
                                  const struct wire_batch *b);

/* Add a health report; dropped when there is no room (the next one tells). */
void store_health(struct store *s,
                  const struct device *d,
                  const struct wire_health *h,
                  int64_t now_ms);

void store_close(struct store *s);

#endif /* LOA_TELEMETRY_COLLECTOR_IO_STORE_H */
