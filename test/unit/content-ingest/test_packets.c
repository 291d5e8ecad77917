/* Frames to signed packets and back; blocks in memory; arrays for statements.
 */

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "content-ingest/cache.h"
#include "content-ingest/packets.h"
#include "content-ingest/sqlarray.h"

static const uint8_t seed[32] = {1, 2, 3};
static uint8_t file[1 << 20], back[1 << 20];
static _Alignas(16) uint8_t memory[1 << 15];

/* A .loaframes file of so many frames; frame i has len(i) bytes. */
static size_t make_file(uint32_t frames_n, size_t extra)
{
    struct frames_header h;
    size_t at = FRAMES_HEADER_LEN;

    CHECK_INT("header", packets_header(frames_n, frames_n * 20, 312, &h), true);
    frames_header_put(file, &h);
    for (uint32_t i = 0; i < frames_n; i++) {
        size_t len = 20 + i % 40 + extra;

        file[at] = (uint8_t)(len >> 8);
        file[at + 1] = (uint8_t)len;
        at += FRAMES_LEN_LEN;
        memset(file + at, (int)i, len);
        file[at] = 1 << 3; /* SILK, 20 ms, mono, one frame. */
        at += len;
    }
    return at;
}

static void test_there_and_back(uint32_t frames_n)
{
    size_t len = make_file(frames_n, 0), out = FRAMES_HEADER_LEN, packet_len;
    uint8_t packet[LOA_PACKET_BYTES_MAX], hash[LOA_HASH_BYTES], want[32];
    struct loa_content_hash h;
    struct loa_packet p;
    struct loa_arena arena;
    struct frames_reader r;
    const uint8_t *frame;
    struct packets k;
    size_t frame_len;
    int rv;

    loa_arena_init(&arena, memory, sizeof memory);
    CHECK_INT("open", packets_open(&k, file, len, seed), LOA_OK);
    while ((rv = packets_next(&k, packet, &packet_len)) == LOA_OK) {
        struct loa_bytes bytes = {packet, packet_len};

        loa_arena_reset(&arena);
        CHECK_INT("parse", loa_packet_parse(&arena, bytes, &p), LOA_OK);
        CHECK_INT("signed", loa_packet_verify(&p), true);
        CHECK_INT("sequence", p.sequence, k.packets_n - 1);
        CHECK_INT(
            "frames", p.frames_n,
            frames_n - p.sequence * 10 < 10 ? frames_n - p.sequence * 10 : 10);
        CHECK_INT("unpack",
                  packets_unpack(&arena, bytes, back, sizeof back, &out),
                  LOA_OK);
    }
    CHECK_INT("end", rv, LOA_ENOENT);
    CHECK_INT("packets", k.packets_n, (frames_n + 9) / 10);
    CHECK_INT("frames", k.frames_n, frames_n);
    CHECK_INT(
        "the same frames",
        out == len && memcmp(back + FRAMES_HEADER_LEN, file + FRAMES_HEADER_LEN,
                             len - FRAMES_HEADER_LEN) == 0,
        true);
    packets_hash(&k, hash);
    packets_close(&k);
    CHECK_INT("the key is forgotten",
              sodium_is_zero(k.stream.secret, sizeof k.stream.secret), 1);
    loa_content_hash_init(&h);
    CHECK_INT("walk", frames_open(&r, file, len), LOA_OK);
    while (frames_next(&r, &frame, &frame_len) == LOA_OK)
        loa_content_hash_frame(&h, frame, frame_len);
    loa_content_hash_final(&h, want);
    CHECK_INT("hash", memcmp(hash, want, sizeof want), 0);
}

static void test_malformed(void)
{
    uint8_t packet[LOA_PACKET_BYTES_MAX];
    size_t len = make_file(25, 0), packet_len;
    struct packets k;
    int rv;

    CHECK_INT("empty", packets_open(&k, file, 0, seed), LOA_EINVAL);
    CHECK_INT("no header", packets_open(&k, file + 1, len - 1, seed),
              LOA_EINVAL);
    /* Cut off anywhere, it is never taken for whole. */
    for (size_t cut = FRAMES_HEADER_LEN; cut < len; cut++) {
        CHECK_INT("open", packets_open(&k, file, cut, seed), LOA_OK);
        while ((rv = packets_next(&k, packet, &packet_len)) == LOA_OK)
            ;
        CHECK_INT("cut", rv, LOA_EINVAL);
    }
    len = make_file(3, 400);
    CHECK_INT("open", packets_open(&k, file, len, seed), LOA_OK);
    CHECK_INT("frame too long", packets_next(&k, packet, &packet_len),
              LOA_EINVAL);
}

static void test_header(void)
{
    struct frames_header h;

    /* For every true length: frames and whole ms of it give a header back. */
    for (uint32_t samples = 1; samples < 5000; samples++) {
        uint32_t frames_n = frames_needed(samples, 312);

        CHECK_INT("made", packets_header(frames_n, samples / 48, 312, &h),
                  true);
        CHECK_INT("frames", h.frames_n, frames_n);
        CHECK_INT("off by less than a ms",
                  h.duration_samples <= samples + 960 &&
                      h.duration_samples + 48 > samples,
                  true);
    }
    CHECK_INT("no frames", packets_header(0, 10, 312, &h), false);
    CHECK_INT("too many", packets_header(FRAMES_N_MAX + 1, 10, 312, &h), false);
    CHECK_INT("pre-skip", packets_header(10, 10, 100000, &h), false);
    CHECK_INT("all skipped", packets_header(1, 10, 960, &h), false);
}

/* Blocks of random size; what is found is what was put, and the newest that fit
 * are found. */
static void test_cache(unsigned s)
{
    static struct cache c;
    static uint8_t ring[2 * CACHE_BLOCK_LEN_MAX];
    static uint8_t bytes[LOA_PACKET_BYTES_MAX];
    uint8_t key[LOA_KEY_BYTES] = {0};
    unsigned hits = 0;

    cache_init(&c, ring, sizeof ring);
    for (uint32_t b = 0; b < 400; b++) {
        unsigned packets_n, len;

        s = s * 1103515245u + 12345u;
        packets_n = s >> 16 & 127 ? s >> 16 & 63 : 0;
        len = 1 + (s >> 8) % (b % 7 == 0 ? LOA_PACKET_BYTES_MAX : 300);
        cache_begin(&c, key, b);
        for (unsigned i = 0; i < packets_n; i++) {
            memset(bytes, (int)(b ^ i), len);
            CHECK_INT("add", cache_add(&c, (struct loa_bytes){bytes, len}),
                      LOA_OK);
        }
        cache_end(&c);
        CHECK_INT("newest is there", cache_find(&c, key, b) != NULL,
                  packets_n > 0);
        for (uint32_t back_b = b > 40 ? b - 40 : 0; back_b <= b; back_b++) {
            const struct cache_block *found = cache_find(&c, key, back_b);

            if (found == NULL)
                continue;
            hits++;
            for (uint32_t i = 0; i < found->packets_n; i++) {
                struct loa_bytes p = cache_packet(&c, found, i);
                bool same = p.len > 0;

                for (size_t k = 0; k < p.len; k++)
                    same &= p.data[k] == (uint8_t)(back_b ^ i);
                CHECK_INT("as it was put", same, true);
            }
            CHECK_INT("no more", cache_packet(&c, found, BLOCK_PACKETS).len, 0);
        }
    }
    CHECK_INT("holds several", hits > 2000, true);
    key[0] = 1;
    CHECK_INT("another stream", cache_find(&c, key, 399) == NULL, true);
}

static void test_cache_limits(void)
{
    static struct cache c;
    static uint8_t ring[2 * CACHE_BLOCK_LEN_MAX];
    static uint8_t bytes[LOA_PACKET_BYTES_MAX + 1];
    uint8_t key[LOA_KEY_BYTES] = {0};

    cache_init(&c, ring, sizeof ring);
    for (uint32_t b = 0; b < 2 * CACHE_BLOCKS_MAX; b++) {
        cache_begin(&c, key, b);
        CHECK_INT("add", cache_add(&c, (struct loa_bytes){bytes, 10}), LOA_OK);
        cache_end(&c);
    }
    CHECK_INT("index is bounded", c.n, CACHE_BLOCKS_MAX);
    CHECK_INT("oldest that fits", cache_find(&c, key, CACHE_BLOCKS_MAX) != NULL,
              true);
    cache_begin(&c, key, 1);
    CHECK_INT("too long",
              cache_add(&c, (struct loa_bytes){bytes, sizeof bytes}),
              LOA_EINVAL);
    for (int i = 0; i < BLOCK_PACKETS; i++)
        CHECK_INT("add", cache_add(&c, (struct loa_bytes){bytes, 1}), LOA_OK);
    CHECK_INT("too many", cache_add(&c, (struct loa_bytes){bytes, 1}),
              LOA_EINVAL);
    cache_end(&c);
}

static void test_sqlarray(void)
{
    static const uint8_t want[] = {0, 0,  0, 1, 0,   0,   0, 0, 0, 0,
                                   0, 17, 0, 0, 0,   2,   0, 0, 0, 1,
                                   0, 0,  0, 2, 'h', 'i', 0, 0, 0, 0};
    static const uint8_t empty[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20};
    uint8_t buf[sizeof want];
    struct sqlarray a;

    sqlarray_init(&a, buf, sizeof buf, SQLARRAY_INT8);
    CHECK_INT("empty", a.len == sizeof empty && !memcmp(buf, empty, a.len), 1);
    sqlarray_init(&a, buf, sizeof buf, SQLARRAY_BYTEA);
    CHECK_INT("two", sqlarray_bytes(&a, "hi", 2), LOA_OK);
    CHECK_INT("none", sqlarray_bytes(&a, NULL, 0), LOA_OK);
    CHECK_INT("full", sqlarray_bytes(&a, NULL, 0), LOA_ENOSPC);
    CHECK_INT("form", a.len == sizeof want && !memcmp(buf, want, a.len), 1);
    sqlarray_init(&a, buf, sizeof buf, SQLARRAY_INT8);
    CHECK_INT("full", sqlarray_i64(&a, -2), LOA_ENOSPC);
}

int main(void)
{
    CHECK_INT("sodium", sodium_init() >= 0, true);
    test_there_and_back(1);
    test_there_and_back(10);
    test_there_and_back(11);
    test_there_and_back(1234);
    test_malformed();
    test_header();
    for (unsigned s = 1; s < 20; s++)
        test_cache(s);
    test_cache_limits();
    test_sqlarray();
    return CHECK_DONE();
}
