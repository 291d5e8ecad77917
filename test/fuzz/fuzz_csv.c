/* link: services/registry/area_csv.c services/registry/names.c
 * services/registry/refusal.c */
/* The CSV of areas. Properties: however the text is cut, the result is the
 * same; a row that is taken is well formed, its name is composed and folds, and
 * a refusal has both sentences and a line that the text has. */

#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "registry/area_csv.h"

static struct area_csv_row rows[2][AREA_CSV_ROWS_MAX];
static struct area_csv csv;

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

static int run(const uint8_t *data,
               size_t size,
               size_t piece,
               struct area_csv_row *to,
               size_t *rows_n,
               struct refusal *why)
{
    int rv = LOA_OK;

    area_csv_begin(&csv, to);
    for (size_t at = 0; rv == LOA_OK && at < size; at += piece)
        rv = area_csv_feed(&csv, data + at,
                           size - at < piece ? size - at : piece, why);
    if (rv == LOA_OK)
        rv = area_csv_end(&csv, why);
    *rows_n = csv.rows_n;
    return rv;
}

static void check_row(const struct area_csv_row *r)
{
    char again[NAME_CAP], folded[NAME_FOLDED_CAP];

    CHECK(area_code_valid(r->code));
    CHECK(r->parent[0] == '\0' || area_code_valid(r->parent));
    CHECK(r->tier <= AREA_HAMLET);
    CHECK(r->name[0] != '\0' || r->tier == AREA_CLOSED);
    CHECK(loa_line_valid(r->name, NAME_CAP - 1));
    CHECK(name_compose(r->name, strlen(r->name), again, sizeof again) ==
          LOA_OK);
    CHECK(strcmp(again, r->name) == 0);
    CHECK(name_fold(r->name, strlen(r->name), folded, sizeof folded) == LOA_OK);
    CHECK(loa_utf8_valid((const uint8_t *)folded, strlen(folded)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct refusal whole = {0}, cut = {0};
    size_t piece, n, cut_n, lines = 1;
    int rv;

    if (size < 1)
        return 0;
    piece = 1 + data[0] % 64;
    data++;
    size--;
    rv = run(data, size, size + 1, rows[0], &n, &whole);
    CHECK(run(data, size, piece, rows[1], &cut_n, &cut) == rv);
    CHECK(whole.code == cut.code && whole.line == cut.line);
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    if (rv != LOA_OK) {
        CHECK(whole.vi[0] != '\0' && whole.en[0] != '\0');
        CHECK(loa_utf8_valid((const uint8_t *)whole.vi, strlen(whole.vi)));
        CHECK(loa_utf8_valid((const uint8_t *)whole.en, strlen(whole.en)));
        CHECK(whole.line <= lines);
        return 0;
    }
    CHECK(n == cut_n && n > 0);
    CHECK(memcmp(rows[0], rows[1], n * sizeof rows[0][0]) == 0);
    for (size_t i = 0; i < n; i++)
        check_row(&rows[0][i]);
    return 0;
}
