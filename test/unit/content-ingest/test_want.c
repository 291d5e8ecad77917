/* Repair: every packet wanted is sent after it was asked for, and once in a
 * window however many ask. */

#include <stdio.h>
#include <stdlib.h>

#include "content-ingest/want.h"
#include "world.h"

#define WINDOW_MS 300

static struct want want;
static struct want_update up;
static uint32_t ahead_from = UINT32_MAX;

static uint32_t ahead(const void *data, const char *area, uint32_t content)
{
    (void)data;
    (void)area;
    (void)content;
    return ahead_from;
}

static void start(void)
{
    needs_init(&needs);
    want_init(&want, &needs, WINDOW_MS, 7);
    ahead_from = UINT32_MAX;
}

static void ask(const char *device,
                const char *area,
                int c,
                uint32_t first,
                uint32_t count,
                uint64_t now_ms)
{
    struct want_message m = {.device = device, .area = area, .streams_n = 1};
    struct want_event ev = {
        .type = WANT_MESSAGE, .now_ms = now_ms, .message = &m, .ahead = ahead};

    memcpy(m.streams[0].stream_key, key_of(c), LOA_KEY_BYTES);
    m.streams[0].ranges_n = 1;
    m.streams[0].ranges[0] = (struct want_range){first, count};
    want_step(&want, &ev, &up);
}

static bool room(uint64_t now_ms)
{
    struct want_event ev = {.type = WANT_ROOM, .now_ms = now_ms};

    want_step(&want, &ev, &up);
    return up.send;
}

/* Orders until there is none; the packets in them. */
static unsigned drain(uint64_t now_ms)
{
    unsigned packets = 0;

    while (room(now_ms))
        packets += (unsigned)__builtin_popcountll(up.order.mask);
    return packets;
}

static void test_coalescing(void)
{
    start();
    need_one("vn/08/070", 1, 10);
    content_is(1, 300);
    ask("a", "vn/08/070/1", 1, 0, 10, 0);
    CHECK_INT("marked", up.marked_n, 10);
    ask("b", "vn/08/070/2", 1, 5, 10, 100);
    CHECK_INT("new", up.marked_n, 5);
    CHECK_INT("same", up.merged_n, 5);
    CHECK_INT("not before the window", room(299), false);
    CHECK_INT("says when", up.deadline_ms, 300);
    CHECK_INT("then", room(300), true);
    CHECK_INT("to the area that needs it", strcmp(up.order.area, "vn/08/070"),
              0);
    CHECK_INT("all of them, once", up.order.mask, 0x7fff);
    CHECK_INT("nothing more", room(300), false);
    CHECK_INT("at all", up.deadline_ms, UINT64_MAX);
    ask("c", "vn/08/070/3", 1, 0, 1, 301);
    CHECK_INT("not at once again", room(600), false);
    CHECK_INT("a window later", room(601), true);
    CHECK_INT("that one", up.order.mask, 1);
}

static void test_refused(void)
{
    start();
    need_one("vn/08/070", 1, 10);
    content_is(1, 300);
    ask("a", "vn/08/071", 1, 0, 5, 0);
    CHECK_INT("area does not need it", up.unknown_n, 1);
    ask("a", "vn/08/070", 2, 0, 5, 0);
    CHECK_INT("unknown stream", up.unknown_n, 1);
    ask("a", "vn/08/070", 1, 300, 5, 0);
    CHECK_INT("behind the end", up.unknown_n, 1);
    ask("a", "vn/08/070", 1, 298, UINT32_MAX - 298, 0);
    CHECK_INT("cut at the end", up.marked_n, 2);
    ask("a", "vn/08/070", 1, UINT32_MAX, 0, 0);
    CHECK_INT("nonsense", up.unknown_n, 1);
    CHECK_INT("two packets", drain(300), 2);
}

/* The same packets 64 times over in each stream of a message cost as much as
 * eighteen million, which held the loop up for as long. */
static void test_ranges_that_overlap(void)
{
    const uint32_t packets_n = 36000;
    struct want_message m = {
        .device = "a", .area = "vn/08", .streams_n = WANT_STREAMS_MAX};
    struct want_event ev = {
        .type = WANT_MESSAGE, .message = &m, .ahead = ahead};

    start();
    need_one("vn/08", 1, 10);
    content_is(1, packets_n);
    for (size_t i = 0; i < WANT_STREAMS_MAX; i++) {
        memcpy(m.streams[i].stream_key, key_of(1), LOA_KEY_BYTES);
        m.streams[i].ranges_n = WANT_RANGES_MAX;
        for (size_t k = 0; k < WANT_RANGES_MAX; k++)
            m.streams[i].ranges[k] = (struct want_range){0, packets_n};
    }
    want_step(&want, &ev, &up);
    CHECK_INT("each once", up.marked_n, packets_n);
    CHECK_INT("once for each stream named", up.merged_n,
              (WANT_STREAMS_MAX - 1) * packets_n);
    CHECK_INT("the rest", up.dropped_n,
              WANT_STREAMS_MAX * (WANT_RANGES_MAX - 1) * packets_n);
    CHECK_INT("all come", drain(300), packets_n);
}

static void test_left_to_push(void)
{
    start();
    need_one("vn/08/070", 1, 10);
    content_is(1, 300);
    ahead_from = 100;
    ask("a", "vn/08/070", 1, 90, 20, 0);
    CHECK_INT("passed already", up.marked_n, 10);
    CHECK_INT("will come", up.promised_n, 10);
    ahead_from = 0;
    ask("a", "vn/08/070", 1, 0, 300, 0);
    CHECK_INT("all will come", up.promised_n, 300);
    CHECK_INT("ten packets", drain(300), 10);
}

static void test_rate_limit(void)
{
    unsigned taken = 0;

    start();
    need_one("vn/08", 1, 10);
    content_is(1, 300);
    for (uint64_t now = 0; now < 60000; now += 100) {
        ask("greedy", "vn/08/070", 1, 0, 1, now);
        taken += !up.limited;
    }
    CHECK_INT("a burst, then one in a time", taken,
              WANT_BURST + 60000 / WANT_REFILL_MS - 1);
    ask("modest", "vn/08/070", 1, 0, 1, 60000);
    CHECK_INT("others are not hit", up.limited, false);
}

static void test_full(void)
{
    char area[32];

    start();
    content_is(1, 10);
    for (int i = 0; i <= WANT_REPAIRS_MAX; i++) {
        snprintf(area, sizeof area, "vn/%d", i);
        need_one(area, 1, 10);
        content_is(1, 10);
        snprintf(area, sizeof area, "vn/%d/1", i);
        ask(area + 3, area, 1, 0, 10, 0);
        CHECK_INT("the last finds no room", up.dropped_n,
                  i < WANT_REPAIRS_MAX ? 0 : 10);
    }
    CHECK_INT("pending", want_pending(&want), 10 * WANT_REPAIRS_MAX);
    need_one("vn/0", 0, 0);
    ask("x", area, 1, 0, 10, 0);
    CHECK_INT("a need that went makes room", up.marked_n, 10);
    CHECK_INT("all others", drain(300), 10 * WANT_REPAIRS_MAX);
}

static void test_need_goes(void)
{
    start();
    need_one("vn/08", 1, 10);
    content_is(1, 200);
    ask("a", "vn/08", 1, 0, 200, 0);
    CHECK_INT("begun", room(300), true);
    need_one("vn/08", 2, 10); /* The same place in the table. */
    content_is(2, 200);
    CHECK_INT("nothing for what went", drain(300), 0);
    CHECK_INT("nothing pending", want_pending(&want), 0);
    ask("b", "vn/08", 2, 0, 200, 1000);
    need_one("vn/08", 0, 0);
    need_one("vn/09", 2, 10); /* The same place and content, another area. */
    content_is(2, 200);
    CHECK_INT("nothing for another area", drain(1300), 0);
}

static void test_soonest_first(void)
{
    start();
    need_one("vn/08", 1, 5000);
    need_one("vn/09", 2, 10);
    content_is(1, 10 * BLOCK_PACKETS);
    content_is(2, 10 * BLOCK_PACKETS);
    ask("a", "vn/08", 1, 0, 10 * BLOCK_PACKETS, 0);
    ask("b", "vn/09", 2, 0, 10 * BLOCK_PACKETS, 0);
    for (int i = 0; i < 10; i++) {
        CHECK_INT("goes on", room(300), true);
        if (i % 2 == 0)
            CHECK_INT("every other is the soonest's", up.order.stream_key[0],
                      *key_of(2));
    }
}

/* Random askers and a sender of random speed against the rule itself. */
static void test_rule(unsigned seed)
{
    enum { PACKETS = 700 };
    static uint64_t asked[PACKETS], sent[PACKETS];
    uint64_t now = 1000;
    unsigned left = 0;

    start();
    need_one("vn/08", 1, 10);
    content_is(1, PACKETS);
    memset(asked, 0, sizeof asked);
    memset(sent, 0, sizeof sent);
    for (int i = 0; i < 3000 || left > 0; i++) {
        char device[16];
        uint32_t first, count;

        seed = seed * 1103515245u + 12345u;
        now += seed >> 20 & 31;
        if ((seed >> 16 & 3) == 0 && i < 3000) {
            snprintf(device, sizeof device, "d%u", i % 100);
            seed = seed * 1103515245u + 12345u;
            first = (seed >> 16) % PACKETS;
            count = 1 + (seed >> 8) % 150;
            ask(device, "vn/08/070", 1, first, count, now);
            for (uint32_t k = first; k < first + count && k < PACKETS; k++)
                if (!up.limited && asked[k] == 0) {
                    asked[k] = now;
                    left++;
                }
            continue;
        }
        if (!room(now))
            continue;
        for (uint32_t b = 0; b < BLOCK_PACKETS; b++) {
            uint32_t k = up.order.block * BLOCK_PACKETS + b;

            if (!(up.order.mask >> b & 1))
                continue;
            CHECK_INT("somebody wants it", k < PACKETS && asked[k] != 0, true);
            CHECK_INT("once in a window",
                      sent[k] == 0 || now >= sent[k] + WINDOW_MS, true);
            sent[k] = now;
            asked[k] = 0;
            left--;
        }
    }
    CHECK_INT("none is left", want_pending(&want), 0);
}

int main(void)
{
    test_coalescing();
    test_refused();
    test_ranges_that_overlap();
    test_left_to_push();
    test_rate_limit();
    test_full();
    test_need_goes();
    test_soonest_first();
    for (unsigned seed = 1; seed < 100; seed++)
        test_rule(seed);
    return CHECK_DONE();
}
