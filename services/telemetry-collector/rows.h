/* rows.h -- rows of receipts as text for COPY, when the database refuses some:
 * cutting a batch in halves, and what is kept of a row that is refused. Pure.
 *
 * A row is a line; COPY's escapes leave no other newline and no other tab. */

#ifndef LOA_TELEMETRY_COLLECTOR_ROWS_H
#define LOA_TELEMETRY_COLLECTOR_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/topic.h"

/* Columns of io_store.c's receipt_stage. */
enum {
    ROWS_DEVICE,
    ROWS_LOG_ID,
    ROWS_SEQUENCE,
    ROWS_AREA = 4,
    ROWS_ACKED = 14,
    ROWS_WHY,
    ROWS_RAW,
    ROWS_COLUMNS_N,
};

#define ROWS_RAW_MAX 2048 /* Kept of a refused row. */
#define ROWS_REFUSED_CAP (2 * ROWS_RAW_MAX + 512)

/* Where the row begins in which the middle of text[from..to) lies, or, if that
 * is `from`, where it ends: `to` when there is but one. */
size_t rows_half(const char *text, size_t from, size_t to);

struct rows_refused {
    char device[LOA_PRINCIPAL_CAP];
    uint64_t sequence;
    char text[ROWS_REFUSED_CAP]; /* The row to put in its place. */
    size_t len;
};

/* row is one row with its newline; sqlstate says why it was refused.
 * LOA_EINVAL: it is such a replacement itself, or no row of ours. */
LOA_MUST_CHECK int rows_refuse(const char *row,
                               size_t len,
                               const char *sqlstate,
                               struct rows_refused *out);

#endif /* LOA_TELEMETRY_COLLECTOR_ROWS_H */
