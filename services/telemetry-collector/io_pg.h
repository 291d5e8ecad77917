/* io_pg.h -- the collector's own statements: devices, counts, reports. */

#ifndef LOA_TELEMETRY_COLLECTOR_IO_PG_H
#define LOA_TELEMETRY_COLLECTOR_IO_PG_H

#include "common/pg.h"
#include "telemetry-collector/presence.h"

extern const struct pg_stmt io_pg_stmts[];
extern const size_t io_pg_stmts_n;

/* Lower sessions of the table to what presence_session() allows, then read
 * every device and today's counts into *p; blocking, before the loop runs.
 * Those that were seen last come first, if there are more than it holds. */
LOA_MUST_CHECK int io_pg_load(struct pg *pg,
                              struct presence *p,
                              int64_t now_ms);

/* Make the coming months' partitions; blocking. */
LOA_MUST_CHECK int io_pg_partitions_now(struct pg *pg, int64_t now_ms);

/* The same, and drop the months that are over for so many days: two batches of
 * their own; done has the outcome of the second. LOA_EBUSY: no room now. */
LOA_MUST_CHECK int io_pg_partitions(struct pg *pg,
                                    int64_t now_ms,
                                    unsigned receipts_days,
                                    unsigned health_days,
                                    pg_done_cb done,
                                    void *data);

/* Add the device's row to the current batch. */
LOA_MUST_CHECK int io_pg_device(struct pg *pg, const struct device *d);

/* Receipts of a bulletin inside an area, after (device, sequence), in this
 * order; limit rows. A batch of its own. On LOA_OK on_rows is called exactly
 * once. */
LOA_MUST_CHECK int io_pg_report(struct pg *pg,
                                const uint8_t bulletin_id[LOA_ID_BYTES],
                                const char *under,
                                const char *after_device,
                                uint64_t after_sequence,
                                int limit,
                                pg_rows_cb on_rows,
                                void *data);

/* Columns of io_pg_report(). */
enum {
    REPORT_DEVICE,
    REPORT_AREA,
    REPORT_SEQUENCE,
    REPORT_START,
    REPORT_EVENT,
    REPORT_AT_US,
    REPORT_REASON,
    REPORT_FIRST_SAMPLE_US,
    REPORT_PLAYED_MS,
    REPORT_CONCEALED_MS,
    REPORT_CONTENT,
    REPORT_COMMITTED,
};

#endif /* LOA_TELEMETRY_COLLECTOR_IO_PG_H */
