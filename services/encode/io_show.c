#include "encode/io_show.h"

#include <stdio.h>

#include "encode/frames.h"
#include "encode/io_input.h"

struct facts {
    struct frames_header header;
    uint64_t frame_bytes;
    size_t frame_len_max;
    char hash[2 * LOA_HASH_BYTES + 1];
};

static int collect(struct facts *f,
                   const uint8_t *bytes,
                   size_t len,
                   struct verdict *v)
{
    uint8_t hash[LOA_HASH_BYTES];
    struct frames_reader reader;
    struct loa_content_hash state;
    const uint8_t *frame;
    size_t frame_len;
    int rv;

    if (frames_open(&reader, bytes, len) != LOA_OK)
        return refuse(v, ENCODE_NOT_FRAMES,
                      "it is no frames file of version %d", FRAMES_VERSION);
    f->header = reader.header;
    f->frame_bytes = f->frame_len_max = 0;
    loa_content_hash_init(&state);
    while ((rv = frames_next(&reader, &frame, &frame_len)) == LOA_OK) {
        loa_content_hash_frame(&state, frame, frame_len);
        f->frame_bytes += frame_len;
        if (frame_len > f->frame_len_max)
            f->frame_len_max = frame_len;
    }
    if (rv != LOA_ENOENT)
        return refuse(
            v, ENCODE_NOT_FRAMES, "it is damaged: %u of %u frames can be read",
            f->header.frames_n - reader.frames_left, f->header.frames_n);
    loa_content_hash_final(&state, hash);
    sodium_bin2hex(f->hash, sizeof f->hash, hash, sizeof hash);
    return ENCODE_OK;
}

static void print(const struct facts *f, bool json)
{
    double s = (double)f->header.duration_samples / LOA_RATE_HZ;
    double bitrate = (double)f->frame_bytes * 8 * 1000 /
                     ((double)f->header.frames_n * LOA_FRAME_MS);

    printf(json ? "{\"version\":%d,\"sample_rate\":%d,\"channels\":%d,"
                  "\"frame_ms\":%d,\"pre_skip\":%u,\"frames\":%u,"
                  "\"duration_samples\":%u,\"duration_ms\":%.0f,"
                  "\"frame_bytes\":%llu,\"frame_bytes_max\":%zu,"
                  "\"bitrate\":%.0f,\"hash\":\"%s\"}\n"
                : "version        %d\n"
                  "sample rate    %d Hz\n"
                  "channels       %d\n"
                  "frame          %d ms\n"
                  "pre-skip       %u samples\n"
                  "frames         %u\n"
                  "samples        %u\n"
                  "duration       %.0f ms\n"
                  "bytes          %llu in frames\n"
                  "largest frame  %zu bytes\n"
                  "bitrate        %.0f bit/s\n"
                  "hash           %s\n",
           FRAMES_VERSION, LOA_RATE_HZ, FRAMES_CHANNELS, LOA_FRAME_MS,
           f->header.pre_skip, f->header.frames_n, f->header.duration_samples,
           s * 1000, (unsigned long long)f->frame_bytes, f->frame_len_max,
           bitrate, f->hash);
}

int show_run(const char *path, bool json, struct verdict *v)
{
    struct input in;
    struct facts facts;
    const uint8_t *bytes;
    int code = input_open(&in, path, v);

    if (code != ENCODE_OK)
        return code;
    code = input_map(&in, &bytes, v);
    if (code == ENCODE_OK) {
        code = collect(&facts, bytes, in.size, v);
        input_unmap(&in, bytes);
    }
    input_close(&in);
    if (code == ENCODE_OK)
        print(&facts, json);
    return code;
}
