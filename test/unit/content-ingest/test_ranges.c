/* Intervals against a plain map of bytes: every order, repeats, overlaps. */

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "content-ingest/ranges.h"

#define SIZE 48

static void test_against_map(unsigned seed)
{
    struct ranges s = {0};
    unsigned char map[SIZE + 1] = {0};

    for (int i = 0; i < 40; i++) {
        uint64_t from, to;
        struct range piece;
        size_t islands = 0, prefix = 0, k;
        int rv;

        seed = seed * 1103515245u + 12345u;
        from = seed / 65536 % SIZE;
        to = from + 1 + seed / 4096 % 7;
        if (to > SIZE)
            to = SIZE;
        /* What is missing is told before it is added. */
        for (k = from; k < to && map[k]; k++)
            ;
        CHECK_INT("missing", ranges_missing(&s, from, to, &piece), k < to);
        if (k < to) {
            CHECK_INT("missing from", piece.from, k);
            while (k < to && !map[k])
                k++;
            CHECK_INT("missing to", piece.to, k);
        }
        rv = ranges_add(&s, from, to);
        if (rv != LOA_OK)
            continue;
        memset(map + from, 1, to - from);
        for (k = 0; k < SIZE; k++)
            islands += map[k] && (k == 0 || !map[k - 1]);
        CHECK_INT("islands", s.n, islands);
        while (prefix < SIZE && map[prefix])
            prefix++;
        CHECK_INT("prefix", ranges_prefix(&s), prefix);
    }
}

static void test_full(void)
{
    struct ranges s = {0};

    for (uint64_t i = 0; i < RANGES_MAX; i++)
        CHECK_INT("islands fit", ranges_add(&s, 10 * i + 5, 10 * i + 6),
                  LOA_OK);
    CHECK_INT("one too many", ranges_add(&s, 1000, 1001), LOA_EBUSY);
    CHECK_INT("nothing changed", s.n, RANGES_MAX);
    CHECK_INT("melting needs no room", ranges_add(&s, 6, 15), LOA_OK);
    CHECK_INT("two became one", s.n, RANGES_MAX - 1);
    CHECK_INT("all become one", ranges_add(&s, 0, 1000), LOA_OK);
    CHECK_INT("all became one", s.n, 1);
    CHECK_INT("prefix", ranges_prefix(&s), 1000);
}

int main(void)
{
    for (unsigned seed = 1; seed <= 2000; seed++)
        test_against_map(seed);
    test_full();
    return CHECK_DONE();
}
