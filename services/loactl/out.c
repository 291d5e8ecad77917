#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loactl/ctl.h"
#include "proto/civil.h"

#define BAR_WIDTH 30

const char *out_time(int64_t at_ms, char buf[32])
{
    struct loa_civil t;

    if (at_ms == 0 || loa_civil_from_ms(at_ms, &t) != LOA_OK)
        snprintf(buf, 32, "-");
    else
        snprintf(buf, 32, "%04d-%02d-%02d %02d:%02d:%02d", t.year, t.month,
                 t.day, t.hour, t.minute, t.second);
    return buf;
}

const char *out_time_exact(int64_t at_ms, char buf[32])
{
    _Static_assert(LOA_CIVIL_CAP <= 32, "buf");
    if (at_ms == 0)
        snprintf(buf, 32, "-");
    else
        loa_civil_format(at_ms, buf);
    return buf;
}

json_t *json_time(int64_t at_ms)
{
    return at_ms == 0 ? json_null() : json_integer(at_ms);
}

json_t *json_tenths(double value)
{
    return json_real(round(value * 10) / 10);
}

void out_json(json_t *value)
{
    /* Six digits: -23.2, not -23.199999999999999. */
    json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(value);
}

static void add_cells(struct table *t, const char *first, va_list ap)
{
    if ((t->rows_n + 1) * t->columns_n > t->cap) {
        t->cap = t->cap == 0 ? 64 * t->columns_n : t->cap * 2;
        t->cells = realloc(t->cells, t->cap * sizeof *t->cells);
        if (t->cells == NULL)
            abort();
    }
    for (size_t i = 0; i < t->columns_n; i++) {
        const char *s = i == 0 ? first : va_arg(ap, const char *);
        t->cells[t->rows_n * t->columns_n + i] = strdup(s != NULL ? s : "");
    }
    t->rows_n++;
}

void table_init(struct table *t, size_t columns_n, ...)
{
    va_list ap;

    memset(t, 0, sizeof *t);
    t->columns_n = columns_n;
    va_start(ap, columns_n);
    const char *first = va_arg(ap, const char *);
    add_cells(t, first, ap);
    va_end(ap);
}

void table_row(struct table *t, ...)
{
    va_list ap;

    va_start(ap, t);
    const char *first = va_arg(ap, const char *);
    add_cells(t, first, ap);
    va_end(ap);
}

/* Characters, not bytes: Vietnamese names are NFC, so a code point is a column.
 */
static size_t width(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_row(const struct ctl *c,
                      const struct table *t,
                      size_t row,
                      const size_t widths[])
{
    if (row == 0 && c->color)
        fputs("\033[1m", stdout);
    for (size_t i = 0; i < t->columns_n; i++) {
        const char *s = t->cells[row * t->columns_n + i];
        int pad = i + 1 < t->columns_n ? (int)(widths[i] - width(s)) + 2 : 0;
        printf("%s%*s", s, pad, "");
    }
    if (row == 0 && c->color)
        fputs("\033[0m", stdout);
    putchar('\n');
}

void table_print(const struct ctl *c, const struct table *t)
{
    size_t widths[16] = {0};

    for (size_t k = 0; k < t->rows_n * t->columns_n; k++) {
        size_t w = width(t->cells[k]);
        if (w > widths[k % t->columns_n])
            widths[k % t->columns_n] = w;
    }
    for (size_t row = 0; row < t->rows_n; row++)
        print_row(c, t, row, widths);
}

void table_free(struct table *t)
{
    for (size_t k = 0; k < t->rows_n * t->columns_n; k++)
        free(t->cells[k]);
    free(t->cells);
    memset(t, 0, sizeof *t);
}

const char *out_hex(const void *data, size_t len, char *buf)
{
    loa_hex(data, len, buf);
    return buf;
}

json_t *json_hex(const void *data, size_t len)
{
    char text[2 * 64 + 1];

    if (data == NULL || len == 0 || len > 64)
        return json_null();
    loa_hex(data, len, text);
    return json_string(text);
}

void out_progress(const struct ctl *c, const char *label, unsigned permille)
{
    char bar[BAR_WIDTH + 1];
    unsigned full = permille * BAR_WIDTH / 1000;

    if (c->quiet || !isatty(STDERR_FILENO))
        return;
    for (unsigned i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%-14s [%s] %3u %%%s", label, bar, permille / 10,
            permille >= 1000 ? "\n" : "");
    fflush(stderr);
}
