/* pg_copy_text.h -- rows in COPY's text format, into the caller's buffer. Pure.
 *
 * Columns in order, then pg_copy_row(). The first call that fails leaves the
 * buffer as it was after the last complete row once pg_copy_undo() is called.
 */

#ifndef LOA_COMMON_PG_COPY_TEXT_H
#define LOA_COMMON_PG_COPY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

struct pg_copy_buf {
    char *text;
    size_t cap, len;
    size_t rows_n;
    size_t row_at; /* Where the current row began. */
    bool in_row;   /* It has a column already. */
};

void pg_copy_init(struct pg_copy_buf *b, char *text, size_t cap);

/* Append one column. LOA_ENOSPC: the buffer is full; LOA_EINVAL (text only):
 * a NUL byte or malformed UTF-8, which PostgreSQL would refuse. */
LOA_MUST_CHECK int pg_copy_null(struct pg_copy_buf *b);
LOA_MUST_CHECK int pg_copy_text(struct pg_copy_buf *b,
                                const char *text,
                                size_t len);
LOA_MUST_CHECK int pg_copy_bytes(struct pg_copy_buf *b,
                                 const void *bytes,
                                 size_t len); /* bytea */
LOA_MUST_CHECK int pg_copy_i64(struct pg_copy_buf *b, int64_t value);
LOA_MUST_CHECK int pg_copy_u64(struct pg_copy_buf *b, uint64_t value);
LOA_MUST_CHECK int pg_copy_bool(struct pg_copy_buf *b, bool value);
LOA_MUST_CHECK int pg_copy_double(struct pg_copy_buf *b, double value);
/* Unix ms as timestamptz, written in UTC; year 1..9999, else LOA_EINVAL. */
LOA_MUST_CHECK int pg_copy_time_ms(struct pg_copy_buf *b, int64_t at_ms);

/* End the row. LOA_ENOSPC as above. */
LOA_MUST_CHECK int pg_copy_row(struct pg_copy_buf *b);

/* Forget the row that is not complete. */
void pg_copy_undo(struct pg_copy_buf *b);

/* Escape for COPY text (backslash, tab, newline, return, other controls stay):
 * returns the length written, or SIZE_MAX if it does not fit in cap. */
size_t pg_copy_escape(char *out, size_t cap, const char *text, size_t len);

#endif /* LOA_COMMON_PG_COPY_TEXT_H */
