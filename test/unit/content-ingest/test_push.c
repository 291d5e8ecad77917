/* What goes out, to whom, in which order, and how often. */

#include <stdio.h>

#include "content-ingest/push.h"
#include "world.h"

static struct push push;

static void start(void)
{
    needs_init(&needs);
    push_init(&push, &needs);
}

/* Carry out every order; packets of content c sent to `area`. */
static unsigned sent[4][256];
static const char *const areas[4] = {"vn/08", "vn/08/070", "vn/08/071",
                                     "vn/09"};

static unsigned run(unsigned orders_max)
{
    struct push_update up;
    unsigned orders = 0;

    for (; orders < orders_max; orders++) {
        push_step(&push, &up);
        if (!up.send)
            break;
        for (int a = 0; a < 4; a++)
            if (strcmp(up.order.area, areas[a]) == 0)
                sent[a][up.order.stream_key[0] ^ 0x55] +=
                    (unsigned)__builtin_popcountll(up.order.mask);
    }
    return orders;
}

static void test_once_and_above_first(void)
{
    start();
    memset(sent, 0, sizeof sent);
    need_one("vn/08/070", 1, 10);
    need_one("vn/08", 1, 500); /* Later on air, but it covers the district. */
    need_one("vn/09", 1, 900);
    content_is(1, 130);
    CHECK_INT("orders", run(1000), 6);
    CHECK_INT("to the province", sent[0][1], 130);
    CHECK_INT("not to the district", sent[1][1], 0);
    CHECK_INT("to the other province", sent[3][1], 130);
    CHECK_INT("district is marked", needs.needs[need_at("vn/08/070", 1)].pushed,
              true);
    need_one("vn/08/071", 1, 5);
    CHECK_INT("nothing for who comes later", run(1000), 0);
    need_one("vn/08/070", 1, 10);
    CHECK_INT("nothing for a newer version", run(1000), 0);
}

static void test_above_goes_away(void)
{
    start();
    memset(sent, 0, sizeof sent);
    need_one("vn/08", 1, 10);
    need_one("vn/08/070", 1, 10);
    content_is(1, 200);
    CHECK_INT("begun", run(2), 2);
    need_one("vn/08", 0, 0);
    run(1000);
    CHECK_INT("then the district gets it", sent[1][1], 200);
}

static void test_unknown_content_waits(void)
{
    start();
    memset(sent, 0, sizeof sent);
    need_one("vn/08", 1, 10);
    CHECK_INT("not here", run(10), 0);
    content_is(1, 1);
    CHECK_INT("came", run(10), 1);
    CHECK_INT("one packet", sent[0][1], 1);
    CHECK_INT("marked", needs.needs[need_at("vn/08", 1)].pushed, true);
}

/* The soonest gets every other block, the rest of the window takes turns, what
 * is outside waits. */
static void test_shares(void)
{
    struct need_item t[10];

    start();
    memset(sent, 0, sizeof sent);
    for (int c = 1; c <= 10; c++)
        t[c - 1] = item_of(c, 1000 - c, 2000); /* 10 is the soonest. */
    CHECK_INT(
        "take",
        needs_programme(&needs, "vn/08", ++next_version, 5000, t, 10, NOW_MS),
        LOA_OK);
    for (int c = 1; c <= 10; c++)
        content_is(c, 100 * BLOCK_PACKETS);
    run(140);
    CHECK_INT("soonest: half", sent[0][10], 70 * BLOCK_PACKETS);
    for (int c = 3; c < 10; c++)
        CHECK_INT("others: a fourteenth", sent[0][c], 10 * BLOCK_PACKETS);
    CHECK_INT("outside", sent[0][1] + sent[0][2], 0);
    run(100000);
    for (int c = 1; c <= 10; c++)
        CHECK_INT("all of it, once", sent[0][c], 100 * BLOCK_PACKETS);
}

static void test_sooner_comes(void)
{
    struct push_update up;

    start();
    need_one("vn/08", 1, 1000);
    content_is(1, 10 * BLOCK_PACKETS);
    run(3);
    need_one("vn/09", 2, 10);
    content_is(2, BLOCK_PACKETS);
    push_step(&push, &up);
    if (up.order.stream_key[0] != *key_of(2)) /* It was the others' turn. */
        push_step(&push, &up);
    CHECK_INT("goes before", up.order.stream_key[0], *key_of(2));
}

static void test_ahead(void)
{
    uint32_t k;

    start();
    need_one("vn/08", 1, 10);
    content_is(1, 3 * BLOCK_PACKETS);
    k = needs_find_stream(&needs, key_of(1));
    CHECK_INT("all", push_ahead(&push, "vn/08/070", k), 0);
    run(1);
    CHECK_INT("less", push_ahead(&push, "vn/08/070", k), BLOCK_PACKETS);
    CHECK_INT("elsewhere", push_ahead(&push, "vn/09", k), UINT32_MAX);
    run(2);
    CHECK_INT("the last is out", push_ahead(&push, "vn/08", k), UINT32_MAX);
    run(1);
    CHECK_INT("nothing", push_ahead(&push, "vn/08", k), UINT32_MAX);
}

/* The need goes while its last block is out, and its place is taken. */
static void test_place_is_reused(void)
{
    start();
    need_one("vn/08", 1, 10);
    content_is(1, 1);
    CHECK_INT("last block is out", run(1), 1);
    need_one("vn/08", 2, 10);
    content_is(2, 1);
    CHECK_INT("the other is not taken for it", run(1), 1);
    run(10);
    CHECK_INT("marked at its own end", needs.needs[need_at("vn/08", 2)].pushed,
              true);
    need_one("vn/08", 3, 10);
    content_is(3, 1);
    CHECK_INT("last block is out", run(1), 1);
    need_one("vn/08", 0, 0);
    need_one("vn/09", 3, 10); /* Another area, the same place and content. */
    content_is(3, 1);
    CHECK_INT("sent there too", run(10), 1);
}

/* Whatever comes and goes meanwhile: in the end everything needed is marked,
 * and its area, or one above, was sent all of it. */
static void test_random(unsigned seed)
{
    enum { CONTENTS = 5 };

    start();
    memset(sent, 0, sizeof sent);
    for (int i = 0; i < 60; i++) {
        struct need_item t[CONTENTS];
        size_t t_n = 0;

        seed = seed * 1103515245u + 12345u;
        for (int c = 1; c <= CONTENTS; c++)
            if (seed >> (c + 8) & 1)
                t[t_n++] = item_of(c, (int64_t)(seed >> 5 & 0xff), 99999);
        CHECK_INT("take",
                  needs_programme(&needs, areas[seed / 65536 % 4],
                                  ++next_version, 99999, t, t_n, NOW_MS),
                  LOA_OK);
        for (int c = 1; c <= CONTENTS; c++)
            content_is(c, 40 + 30 * (uint32_t)c);
        run(seed / 8192 % 5);
    }
    run(100000);
    for (int a = 0; a < 4; a++)
        for (int c = 1; c <= CONTENTS; c++) {
            uint32_t i = need_at(areas[a], c);

            if (i == NEEDS_NONE)
                continue;
            CHECK_INT("marked", needs.needs[i].pushed, true);
            CHECK_INT("heard",
                      sent[a][c] + (a == 1 || a == 2 ? sent[0][c] : 0) >=
                          40 + 30 * (unsigned)c,
                      true);
        }
    CHECK_INT("none waits", push_waiting(&push), 0);
}

int main(void)
{
    test_once_and_above_first();
    test_above_goes_away();
    test_unknown_content_waits();
    test_shares();
    test_sooner_comes();
    test_ahead();
    test_place_is_reused();
    for (unsigned seed = 1; seed < 300; seed++)
        test_random(seed);
    return CHECK_DONE();
}
