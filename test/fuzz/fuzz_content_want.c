/* link: services/content-ingest/want.c services/content-ingest/needs.c
 * services/content-ingest/needs_look.c services/content-ingest/push.c */
/* Property: a packet goes out only if it was asked for after it last went out,
 * at most once in a window, only to an area that needs it; and in the end
 * nothing is left. Programmes come and go meanwhile. */

#include <assert.h>
#include <string.h>

#include "content-ingest/push.h"
#include "content-ingest/want.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define PACKETS 200
#define WINDOW_MS 300

static const char *const areas[] = {"vn", "vn/1", "vn/1/1", "vn/2"};
static struct needs needs;
static struct want want;
static struct push push;
/* By area and content; times are never 0. */
static uint64_t asked[4][4][PACKETS], sent[4][4][PACKETS];

static uint32_t ahead(const void *p, const char *area, uint32_t content)
{
    return push_ahead(p, area, content);
}

static uint32_t need_at(int a, int c)
{
    uint8_t hash[LOA_HASH_BYTES];
    uint32_t area = needs_find_area(&needs, areas[a]), content;

    memset(hash, c + 1, sizeof hash);
    content = needs_find_content(&needs, hash);
    return area == NEEDS_NONE || content == NEEDS_NONE
               ? NEEDS_NONE
               : needs_of(&needs, area, content);
}

static void programme(int a, unsigned mask)
{
    static uint64_t version;
    struct need_item t[4];
    size_t n = 0;
    int rv;

    memset(t, 0, sizeof t);
    for (int c = 0; c < 4; c++) {
        if (!(mask >> c & 1)) {
            /* Gone. When it comes again, what was asked for may still be sent,
             * and the window may begin anew. */
            memset(sent[a][c], 0, sizeof sent[a][c]);
            continue;
        }
        memset(t[n].content_hash, c + 1, LOA_HASH_BYTES);
        t[n].start_at_ms = (int64_t)(mask >> 4);
        t[n++].until_at_ms = INT64_MAX;
    }
    rv = needs_programme(&needs, areas[a], ++version, INT64_MAX, t, n, 0);
    assert(rv == LOA_OK);
    for (int c = 0; c < 4; c++) {
        uint8_t hash[LOA_HASH_BYTES], key[LOA_KEY_BYTES];

        memset(hash, c + 1, sizeof hash);
        memset(key, c + 101, sizeof key);
        if (needs_find_stream(&needs, key) == NEEDS_NONE)
            needs_content(&needs, hash, key, PACKETS);
    }
}

static void ask(int a, int c, uint32_t first, uint32_t count, uint64_t now)
{
    char device[2] = {(char)('a' + first % 26), 0};
    struct want_message m = {
        .device = device, .area = areas[a], .streams_n = 1};
    struct want_event ev = {.type = WANT_MESSAGE,
                            .now_ms = now,
                            .message = &m,
                            .ahead = ahead,
                            .data = &push};
    struct want_update up;
    uint32_t content, need, promised;

    memset(m.streams[0].stream_key, c + 101, LOA_KEY_BYTES);
    m.streams[0].ranges_n = 1;
    m.streams[0].ranges[0] = (struct want_range){first, count};
    content = needs_find_stream(&needs, m.streams[0].stream_key);
    want_step(&want, &ev, &up);
    if (up.limited || content == NEEDS_NONE)
        return;
    need = needs_covering(&needs, areas[a], content, false);
    promised = push_ahead(&push, areas[a], content);
    if (need == NEEDS_NONE)
        return;
    for (int k = 0; k < 4; k++)
        if (need_at(k, c) == need)
            a = k;
    for (uint32_t k = first; k < first + count && k < PACKETS; k++)
        if (k < promised && asked[a][c][k] == 0)
            asked[a][c][k] = now;
}

static bool send(uint64_t now)
{
    struct want_event ev = {.type = WANT_ROOM, .now_ms = now};
    struct want_update up;
    int a = 0, c;

    want_step(&want, &ev, &up);
    if (!up.send)
        return false;
    while (strcmp(areas[a], up.order.area) != 0)
        a++;
    c = up.order.stream_key[0] - 101;
    assert(need_at(a, c) != NEEDS_NONE && up.order.mask != 0);
    for (uint32_t b = 0; b < BLOCK_PACKETS; b++) {
        uint32_t k = up.order.block * BLOCK_PACKETS + b;

        if (!(up.order.mask >> b & 1))
            continue;
        assert(k < PACKETS && asked[a][c][k] != 0);
        assert(now >= asked[a][c][k]);
        assert(sent[a][c][k] == 0 || now >= sent[a][c][k] + WINDOW_MS);
        sent[a][c][k] = now;
        asked[a][c][k] = 0;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct push_update up;
    uint64_t now = 1;

    needs_init(&needs);
    push_init(&push, &needs);
    want_init(&want, &needs, WINDOW_MS, 1);
    memset(asked, 0, sizeof asked);
    memset(sent, 0, sizeof sent);
    for (size_t i = 0; i + 3 <= len; i += 3) {
        int a = data[i] >> 6, c = data[i] >> 4 & 3;

        now += data[i] >> 2 & 3;
        switch (data[i] & 3) {
            case 0:
                programme(a, data[i + 1]);
                break;
            case 1:
                ask(a, c, data[i + 1], data[i + 2], now);
                break;
            case 2:
                push_step(&push, &up);
                break;
            default:
                now += data[i + 1];
                send(now);
        }
    }
    for (int i = 0; i < 100; i++, now += WINDOW_MS)
        while (send(now))
            ;
    assert(want_pending(&want) == 0);
    return 0;
}
