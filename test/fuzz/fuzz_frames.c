/* link: services/encode/frames.c */
/* Properties: a walk stays inside the file, ends, and a file that is accepted
 * is the one file that its header and frames make when written again. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "encode/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void write_again(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len);
    struct frames_reader r;
    const uint8_t *frame;
    size_t frame_len, at = FRAMES_HEADER_LEN;

    assert(copy != NULL && frames_open(&r, data, len) == LOA_OK);
    frames_header_put(copy, &r.header);
    while (frames_next(&r, &frame, &frame_len) == LOA_OK) {
        frames_len_put(copy + at, frame_len);
        memcpy(copy + at + FRAMES_LEN_LEN, frame, frame_len);
        at += FRAMES_LEN_LEN + frame_len;
    }
    assert(at == len && memcmp(copy, data, len) == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct loa_content_hash hash;
    uint8_t out[LOA_HASH_BYTES];
    struct frames_reader r;
    const uint8_t *frame;
    size_t frame_len;
    uint32_t frames_n = 0;
    int rv;

    if (frames_open(&r, data, len) != LOA_OK)
        return 0;
    assert(r.header.frames_n <= FRAMES_N_MAX);
    loa_content_hash_init(&hash);
    while ((rv = frames_next(&r, &frame, &frame_len)) == LOA_OK) {
        assert(frame > data && frame + frame_len <= data + len);
        assert(frames_frame_check(frame, frame_len) == LOA_OK);
        loa_content_hash_frame(&hash, frame, frame_len);
        frames_n++;
    }
    loa_content_hash_final(&hash, out);
    assert(frames_n <= r.header.frames_n);
    if (rv == LOA_ENOENT) {
        assert(frames_n == r.header.frames_n);
        write_again(data, len);
    } else {
        assert(rv == LOA_EINVAL);
    }
    return 0;
}
