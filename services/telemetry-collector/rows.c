#include "telemetry-collector/rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t rows_half(const char *text, size_t from, size_t to)
{
    size_t mid = from + (to - from) / 2;
    const char *end;

    assert(to > from && text[to - 1] == '\n');
    while (mid > from && text[mid - 1] != '\n')
        mid--;
    if (mid > from)
        return mid;
    end = memchr(text + from, '\n', to - from);
    return (size_t)(end - text) + 1;
}

struct column {
    const char *text;
    int len;
};

static bool split(const char *row, size_t len, struct column out[])
{
    int n = 0;

    for (size_t i = 0, from = 0; i < len; i++) {
        if (row[i] != '\t' && row[i] != '\n')
            continue;
        if (n == ROWS_COLUMNS_N)
            return false;
        out[n++] = (struct column){row + from, (int)(i - from)};
        from = i + 1;
    }
    return n == ROWS_COLUMNS_N;
}

static void put_hex(struct rows_refused *out, const char *row, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len && i < ROWS_RAW_MAX; i++) {
        out->text[out->len++] = digits[(unsigned char)row[i] >> 4];
        out->text[out->len++] = digits[row[i] & 15];
    }
    out->text[out->len++] = '\n';
}

/* device, log_id, sequence, area and acked stay as they are; the others are
 * what the columns need, and nothing reads them. */
int rows_refuse(const char *row,
                size_t len,
                const char *sqlstate,
                struct rows_refused *out)
{
    struct column c[ROWS_COLUMNS_N];
    int n;

    if (!split(row, len, c) || c[ROWS_WHY].len != 2 ||
        memcmp(c[ROWS_WHY].text, "\\N", 2) != 0 ||
        c[ROWS_DEVICE].len >= LOA_PRINCIPAL_CAP)
        return LOA_EINVAL;
    memset(out, 0, sizeof *out);
    memcpy(out->device, c[ROWS_DEVICE].text, (size_t)c[ROWS_DEVICE].len);
    out->sequence = strtoull(c[ROWS_SEQUENCE].text, NULL, 10);
    n = snprintf(
        out->text, 512,
        "%.*s\t%.*s\t%.*s\t1970-01-01 00:00:00+00\t%.*s\t\\\\x\t\\N\t0\t\t0\t0"
        "\t0\t0\t\\N\t%.*s\tdatabase %.5s\t\\\\x",
        c[ROWS_DEVICE].len, c[ROWS_DEVICE].text, c[ROWS_LOG_ID].len,
        c[ROWS_LOG_ID].text, c[ROWS_SEQUENCE].len, c[ROWS_SEQUENCE].text,
        c[ROWS_AREA].len, c[ROWS_AREA].text, c[ROWS_ACKED].len,
        c[ROWS_ACKED].text, sqlstate);
    if (n < 0 || n >= 512)
        return LOA_EINVAL;
    out->len = (size_t)n;
    put_hex(out, row, len);
    return LOA_OK;
}
