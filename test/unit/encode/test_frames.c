/* The container: what is written is read back; what is wrong is refused. */

#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "encode/frames.h"

#define TOC_20_MS 0x78 /* Hybrid, fullband, 20 ms, mono, one frame. */
#define FRAMES_N 3
#define FILE_LEN (FRAMES_HEADER_LEN + 3 + 4 + 5)

/* Three frames of 1, 2 and 3 bytes: 2000 samples behind a pre-skip of 312. */
static size_t file_build(uint8_t *file)
{
    const struct frames_header h = {FRAMES_N, 2000, 312};
    size_t len = FRAMES_HEADER_LEN;

    frames_header_put(file, &h);
    for (size_t i = 1; i <= FRAMES_N; i++) {
        frames_len_put(file + len, i);
        memset(file + len + FRAMES_LEN_LEN, TOC_20_MS, i);
        len += FRAMES_LEN_LEN + i;
    }
    return len;
}

static int walk(const uint8_t *file, size_t len, unsigned *frames_n)
{
    struct frames_reader r;
    const uint8_t *frame;
    size_t frame_len;
    int rv = frames_open(&r, file, len);

    *frames_n = 0;
    while (rv == LOA_OK) {
        rv = frames_next(&r, &frame, &frame_len);
        if (rv == LOA_OK)
            ++*frames_n;
    }
    return rv;
}

static void test_round_trip(void)
{
    uint8_t file[64];
    struct frames_reader r;
    const uint8_t *frame;
    size_t frame_len, len = file_build(file);

    CHECK_INT("length", len, FILE_LEN);
    CHECK_INT("open", frames_open(&r, file, len), LOA_OK);
    CHECK_INT("pre-skip", r.header.pre_skip, 312);
    CHECK_INT("samples", r.header.duration_samples, 2000);
    for (size_t i = 1; i <= FRAMES_N; i++) {
        CHECK_INT("next", frames_next(&r, &frame, &frame_len), LOA_OK);
        CHECK_INT("next", frame_len, i);
        CHECK_INT("next", frame[0], TOC_20_MS);
    }
    CHECK_INT("end", frames_next(&r, &frame, &frame_len), LOA_ENOENT);
    CHECK_INT("end stays", frames_next(&r, &frame, &frame_len), LOA_ENOENT);
}

/* One byte changed: where, to what. */
static const struct {
    const char *name;
    size_t at;
    uint8_t value;
    unsigned frames_n; /* Read before it is refused. */
} bad[] = {
    {"magic", 0, 'l', 0},
    {"magic's end", 5, 1, 0},
    {"version", 7, 2, 0},
    {"sample rate", 11, 0x81, 0},
    {"stereo", 12, 2, 0},
    {"frame length", 13, 10, 0},
    {"pre-skip over its maximum", 14, 0x0f, 0},
    {"one frame more", 19, 4, 0},
    {"one frame less", 19, 2, 0},
    {"millions of frames", 16, 0xff, 0},
    {"no sound", 22, 0x00, 0},
    {"frame of no length", 25, 0, 0},
    {"frame longer than the file", 24, 1, 0},
    {"frame of 10 ms", 26, 0x70, 0},
    {"stereo frame", 26, 0x7c, 0},
    {"two frames in a packet", 26, 0x79, 0},
    {"last frame longer than the file", 32, 4, 2},
    {"last frame leaves a byte over", 32, 2, 3},
};

static void test_bad_bytes(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t file[64];
        unsigned frames_n;
        size_t len = file_build(file);

        file[bad[i].at] = bad[i].value;
        CHECK_INT(bad[i].name, walk(file, len, &frames_n), LOA_EINVAL);
        CHECK_INT(bad[i].name, frames_n, bad[i].frames_n);
    }
}

static void test_every_cut_is_refused(void)
{
    uint8_t file[64];
    unsigned frames_n;
    size_t len = file_build(file);

    for (size_t cut = 0; cut < len; cut++)
        CHECK_INT("cut", walk(file, cut, &frames_n), LOA_EINVAL);
    CHECK_INT("whole", walk(file, len, &frames_n), LOA_ENOENT);
    file[len] = 0;
    CHECK_INT("longer", walk(file, len + 1, &frames_n), LOA_EINVAL);
}

static void test_frame_check(void)
{
    static uint8_t frame[LOA_FRAME_BYTES_MAX + 1] = {TOC_20_MS};
    unsigned good_n = 0;

    CHECK_INT("none", frames_frame_check(frame, 0), LOA_EINVAL);
    CHECK_INT("longest", frames_frame_check(frame, LOA_FRAME_BYTES_MAX),
              LOA_OK);
    CHECK_INT("longer", frames_frame_check(frame, LOA_FRAME_BYTES_MAX + 1),
              LOA_EINVAL);
    /* RFC 6716, table 2: 20 ms are 3 of 12 SILK, 2 of 4 hybrid and 4 of 16 CELT
     * configurations. */
    for (unsigned toc = 0; toc < 256; toc++) {
        frame[0] = (uint8_t)toc;
        good_n += frames_frame_check(frame, 1) == LOA_OK;
    }
    CHECK_INT("configurations", good_n, 3 + 2 + 4);
}

static void test_needed(void)
{
    CHECK_INT("one sample", frames_needed(1, 0), 1);
    CHECK_INT("one frame", frames_needed(960, 0), 1);
    CHECK_INT("one more", frames_needed(961, 0), 2);
    CHECK_INT("pre-skip counts", frames_needed(960, 312), 2);
    CHECK_INT("no overflow", frames_needed(UINT32_MAX, 3840), 4473929);
}

int main(void)
{
    test_round_trip();
    test_bad_bytes();
    test_every_cut_is_refused();
    test_frame_check();
    test_needed();
    return CHECK_DONE();
}
