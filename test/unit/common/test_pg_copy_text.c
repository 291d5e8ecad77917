/* Rows of COPY's text format, column by column, in every size of buffer. */

#include "check.h"
#include "common/pg_copy_text.h"

static int fill(struct pg_copy_buf *b)
{
    int rv = pg_copy_i64(b, INT64_MIN);

    if (rv == LOA_OK)
        rv = pg_copy_text(b, "a\tb\\c\nd\re Hòa", 14);
    if (rv == LOA_OK)
        rv = pg_copy_null(b);
    if (rv == LOA_OK)
        rv = pg_copy_bytes(b, "\x00\xff", 2);
    if (rv == LOA_OK)
        rv = pg_copy_bool(b, true);
    if (rv == LOA_OK)
        rv = pg_copy_u64(b, UINT64_MAX);
    if (rv == LOA_OK)
        rv = pg_copy_double(b, -0.5);
    return rv == LOA_OK ? pg_copy_row(b) : rv;
}

static const char want[] =
    "-9223372036854775808\ta\\tb\\\\c\\nd\\re H\xc3\xb2"
    "a\t\\N\t\\\\x00ff\tt\t18446744073709551615\t-0.5\n";

static void test_sizes(void)
{
    char text[256];
    struct pg_copy_buf b;

    for (size_t cap = 0; cap < sizeof want - 1; cap++) {
        pg_copy_init(&b, text, cap);
        CHECK_INT("no room", fill(&b), LOA_ENOSPC);
        pg_copy_undo(&b);
        CHECK_INT("undone", b.len, 0);
    }
    pg_copy_init(&b, text, sizeof want - 1);
    CHECK_INT("exact", fill(&b), LOA_OK);
    text[b.len] = '\0';
    CHECK_STR("exact", text, want);
    CHECK_INT("rows", b.rows_n, 1);
    CHECK_INT("second row", fill(&b), LOA_ENOSPC);
    pg_copy_undo(&b);
    CHECK_INT("first row stays", b.len, sizeof want - 1);
}

static void test_refused(void)
{
    char text[64];
    struct pg_copy_buf b;

    pg_copy_init(&b, text, sizeof text);
    CHECK_INT("NUL", pg_copy_text(&b, "a\0b", 3), LOA_EINVAL);
    CHECK_INT("UTF-8", pg_copy_text(&b, "\xc3", 1), LOA_EINVAL);
    CHECK_INT("overlong", pg_copy_text(&b, "\xc0\xaf", 2), LOA_EINVAL);
    CHECK_INT("surrogate", pg_copy_text(&b, "\xed\xa0\x80", 3), LOA_EINVAL);
    CHECK_INT("too far", pg_copy_text(&b, "\xf4\x90\x80\x80", 4), LOA_EINVAL);
    CHECK_INT("nothing was written", b.len, 0);
    CHECK_INT("empty is a value", pg_copy_text(&b, "", 0), LOA_OK);
    CHECK_INT("row", pg_copy_row(&b), LOA_OK);
    CHECK_INT("row", b.len, 1);
}

static const struct {
    int64_t at_ms;
    const char *want; /* NULL: refused. */
} time_rows[] = {
    {0, "1970-01-01 00:00:00.000+00"},
    {-1, "1969-12-31 23:59:59.999+00"},
    {1709164800000, "2024-02-29 00:00:00.000+00"},
    {951782400000, "2000-02-29 00:00:00.000+00"},
    {4107542400000, "2100-03-01 00:00:00.000+00"},
    {1763712245123, "2025-11-21 08:04:05.123+00"},
    {INT64_C(-62135596800000), "0001-01-01 00:00:00.000+00"},
    {INT64_C(-62135596800001), NULL},
    {INT64_C(253402300799999), "9999-12-31 23:59:59.999+00"},
    {INT64_C(253402300800000), NULL},
    {INT64_MIN, NULL},
    {INT64_MAX, NULL},
};

static void test_times(void)
{
    for (size_t i = 0; i < sizeof time_rows / sizeof time_rows[0]; i++) {
        char text[64] = "";
        struct pg_copy_buf b;
        int rv;
        pg_copy_init(&b, text, sizeof text - 1);
        rv = pg_copy_time_ms(&b, time_rows[i].at_ms);
        CHECK_INT("time", rv, time_rows[i].want ? LOA_OK : LOA_EINVAL);
        CHECK_STR("time", text, time_rows[i].want ? time_rows[i].want : "");
    }
}

int main(void)
{
    test_sizes();
    test_refused();
    test_times();
    return CHECK_DONE();
}
