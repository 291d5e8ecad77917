#include "common/pg_copy_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

#define MS_PER_DAY INT64_C(86400000)
#define TIME_MS_MIN INT64_C(-62135596800000) /* 0001-01-01 */
#define TIME_MS_MAX INT64_C(253402300799999) /* 9999-12-31 */

void pg_copy_init(struct pg_copy_buf *b, char *text, size_t cap)
{
    *b = (struct pg_copy_buf){.text = text, .cap = cap};
}

static char escape_of(char c)
{
    switch (c) {
        case '\\':
            return '\\';
        case '\t':
            return 't';
        case '\n':
            return 'n';
        case '\r':
            return 'r';
        default:
            return 0;
    }
}

size_t pg_copy_escape(char *out, size_t cap, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char e = escape_of(text[i]);
        if (cap - n < (e ? 2u : 1u))
            return SIZE_MAX;
        if (e)
            out[n++] = '\\';
        out[n++] = e ? e : text[i];
    }
    return n;
}

/* Room for a column of len bytes, its tab written. */
static int column(struct pg_copy_buf *b, size_t len)
{
    size_t tab = b->in_row ? 1 : 0;

    if (b->cap - b->len < tab || b->cap - b->len - tab < len)
        return LOA_ENOSPC;
    if (tab)
        b->text[b->len++] = '\t';
    b->in_row = true;
    return LOA_OK;
}

static int append(struct pg_copy_buf *b, const char *text, size_t len)
{
    int rv = column(b, len);

    if (rv != LOA_OK)
        return rv;
    memcpy(b->text + b->len, text, len);
    b->len += len;
    return LOA_OK;
}

int pg_copy_null(struct pg_copy_buf *b)
{
    return append(b, "\\N", 2);
}

int pg_copy_text(struct pg_copy_buf *b, const char *text, size_t len)
{
    size_t n;
    int rv;

    if (!loa_utf8_valid((const uint8_t *)text, len) ||
        memchr(text, '\0', len) != NULL)
        return LOA_EINVAL;
    rv = column(b, 0);
    if (rv != LOA_OK)
        return rv;
    n = pg_copy_escape(b->text + b->len, b->cap - b->len, text, len);
    if (n == SIZE_MAX)
        return LOA_ENOSPC;
    b->len += n;
    return LOA_OK;
}

int pg_copy_bytes(struct pg_copy_buf *b, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    int rv;

    if (len > (SIZE_MAX - 3) / 2)
        return LOA_ENOSPC;
    rv = column(b, 3 + 2 * len);
    if (rv != LOA_OK)
        return rv;
    memcpy(b->text + b->len, "\\\\x", 3); /* COPY halves the backslashes. */
    b->len += 3;
    for (size_t i = 0; i < len; i++) {
        b->text[b->len++] = digits[p[i] >> 4];
        b->text[b->len++] = digits[p[i] & 15];
    }
    return LOA_OK;
}

int pg_copy_i64(struct pg_copy_buf *b, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, value);

    return append(b, text, (size_t)len);
}

int pg_copy_u64(struct pg_copy_buf *b, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, value);

    return append(b, text, (size_t)len);
}

int pg_copy_bool(struct pg_copy_buf *b, bool value)
{
    return append(b, value ? "t" : "f", 1);
}

int pg_copy_double(struct pg_copy_buf *b, double value)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%.17g", value);

    return append(b, text, (size_t)len);
}

/* Days since 1970-01-01 to a date of the Gregorian calendar: count from
 * 0000-03-01, so that the leap day is the last of its year. */
static void civil(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097; /* z is positive from year 1 on. */
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

int pg_copy_time_ms(struct pg_copy_buf *b, int64_t at_ms)
{
    char text[48];
    int64_t days, ms, year;
    int month, day, len;

    if (at_ms < TIME_MS_MIN || at_ms > TIME_MS_MAX)
        return LOA_EINVAL;
    days = (at_ms - TIME_MS_MIN) / MS_PER_DAY + TIME_MS_MIN / MS_PER_DAY;
    ms = at_ms - days * MS_PER_DAY;
    civil(days, &year, &month, &day);
    len = snprintf(text, sizeof text,
                   "%04" PRId64 "-%02d-%02d %02d:%02d:%02d.%03d+00", year,
                   month, day, (int)(ms / 3600000), (int)(ms / 60000 % 60),
                   (int)(ms / 1000 % 60), (int)(ms % 1000));
    return append(b, text, (size_t)len);
}

int pg_copy_row(struct pg_copy_buf *b)
{
    if (b->len == b->cap)
        return LOA_ENOSPC;
    b->text[b->len++] = '\n';
    b->row_at = b->len;
    b->rows_n++;
    b->in_row = false;
    return LOA_OK;
}

void pg_copy_undo(struct pg_copy_buf *b)
{
    b->len = b->row_at;
    b->in_row = false;
}
