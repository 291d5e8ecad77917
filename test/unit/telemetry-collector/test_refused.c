/* Receipts that the database refuses: found among the others, put aside, and
 * told to their device with the batch that they came in. */

#include <string.h>

#include "check.h"
#include "telemetry-collector/refusals.h"
#include "telemetry-collector/rows.h"

static struct refusals r;

static void test_halves(void)
{
    static const char text[] = "aaaaaaaaaaaaaaaaaaaa\nb\ncc\n";
    const size_t len = sizeof text - 1;

    CHECK_INT("first is the longer half", rows_half(text, 0, len), 21);
    CHECK_INT("one row", rows_half(text, 0, 21), 21);
    CHECK_INT("two rows", rows_half(text, 21, len), 23);
    CHECK_INT("the last", rows_half(text, 23, len), len);
}

/* However the rows are, halving ends at each of them alone. */
static void test_halving_reaches_every_row(void)
{
    char text[256];
    size_t len = 0;

    for (size_t i = 0; i < 20; i++) {
        memset(text + len, 'x', i % 7);
        len += i % 7;
        text[len++] = '\n';
    }
    for (size_t bad = 0; bad < len; bad++) {
        size_t from = 0, to = len, steps = 0;
        for (size_t mid; (mid = rows_half(text, from, to)) < to; steps++) {
            CHECK_INT("at a row's end", text[mid - 1], '\n');
            if (bad < mid)
                to = mid;
            else
                from = mid;
        }
        CHECK_INT("it is in there", bad >= from && bad < to, 1);
        CHECK_INT("alone",
                  memchr(text + from, '\n', to - from) == text + to - 1, 1);
        CHECK_INT("soon", steps < 20, 1);
    }
}

static void test_replacement(void)
{
    static const char row[] =
        "pole_1\t\\\\x4c4c\t42\t2026-11-21 00:00:00.000+00\tvn/08\t\\\\x00\t"
        "\\N\t4\tpoi\\tson\t0\t1\t2\t3\t\\N\t44\t\\N\t\\N\n";
    struct rows_refused out, again;

    CHECK_INT("made", rows_refuse(row, sizeof row - 1, "23514", &out), LOA_OK);
    CHECK_STR("whose", out.device, "pole_1");
    CHECK_INT("which", out.sequence, 42);
    CHECK_INT("a row", out.text[out.len - 1], '\n');
    CHECK_INT("begins as it did",
              strncmp(out.text, "pole_1\t\\\\x4c4c\t42\t1970-01-01", 28), 0);
    CHECK_INT("says why",
              strstr(out.text, "\t44\tdatabase 23514\t\\\\x706f6c65") != NULL,
              1);
    CHECK_INT("not twice", rows_refuse(out.text, out.len, "23514", &again),
              LOA_EINVAL);
    CHECK_INT("too short", rows_refuse("a\tb\n", 4, "23514", &again),
              LOA_EINVAL);
}

static void test_longest_replacement_fits(void)
{
    static char row[40000];
    struct rows_refused out;
    char head[400];
    size_t n;

    memset(head, 0, sizeof head);
    memset(head, 'd', LOA_PRINCIPAL_CAP - 1);
    n = (size_t)snprintf(row, sizeof row, "%s\t\\\\x%032d\t%lld\t\t", head, 1,
                         (long long)INT64_MAX);
    memset(row + n, 'a', LOA_AREA_CAP - 1);
    n += LOA_AREA_CAP - 1;
    n += (size_t)snprintf(row + n, sizeof row - n,
                          "\t\t\t\t%030000d\t\t\t\t\t\t%lld\t\\N\t\\N\n", 1,
                          (long long)INT64_MAX);
    CHECK_INT("made", rows_refuse(row, n, "22001", &out), LOA_OK);
    CHECK_INT("fits", out.len <= sizeof out.text, 1);
}

static void test_told_with_their_batch(void)
{
    static struct device a, b;
    uint64_t told[4];

    refusals_add(&r, &a, 2, REFUSAL_FILLING);
    refusals_add(&r, &b, 2, REFUSAL_FILLING);
    CHECK_INT("not yet", refusals_of(&r, &a, told, 4), 0);
    refusals_advance(&r, REFUSAL_FILLING);
    refusals_add(&r, &a, 3, REFUSAL_FILLING);
    CHECK_INT("not durable", refusals_of(&r, &a, told, 4), 0);
    refusals_advance(&r, REFUSAL_FLYING);
    CHECK_INT("now", refusals_of(&r, &a, told, 4), 1);
    CHECK_INT("it", told[0], 2);
    refusals_drop(&r, &a, told, 1);
    CHECK_INT("once", refusals_of(&r, &a, told, 4), 0);
    CHECK_INT("the other's", refusals_of(&r, &b, told, 4), 1);
    /* Its acknowledgement was lost, and it sends the batch again. */
    refusals_add(&r, &b, 2, REFUSAL_FILLING);
    CHECK_INT("one, not two", r.n, 2);
    CHECK_INT("again with the commit", refusals_of(&r, &b, told, 4), 0);
    CHECK_INT("room", refusals_room(&r, REFUSALS_MAX - 2), 1);
    CHECK_INT("no room", refusals_room(&r, REFUSALS_MAX - 1), 0);
}

int main(void)
{
    test_halves();
    test_halving_reaches_every_row();
    test_replacement();
    test_longest_replacement_fits();
    test_told_with_their_batch();
    return CHECK_DONE();
}
