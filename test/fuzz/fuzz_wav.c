/* link: services/encode/io_sound.c services/encode/io_input.c
 * services/encode/promise.c services/encode/pcm.c services/encode/verdict.c
 * services/encode/encode.c services/encode/codec.c services/encode/limiter.c
 * services/encode/frames.c -lsndfile -lsoxr -lebur128 -lopus */

/* A recording as a stranger hands it in: the header's promise, the decoder, our
 * mixing, resampling, loudness and encoding, into frames. libsndfile itself is
 * not built with coverage; the corpus steers by what we do with its output.
 *
 * Properties: a refusal has its sentence; what is taken has as many frames as
 * its length says, within the limit, and each is a frame of ours. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "encode/encode.h"
#include "encode/io_input.h"
#include "encode/io_sound.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define DURATION_S_MAX 2

static int file;

struct counted {
    struct encode_sink sink;
    uint64_t frames_n;
    unsigned permille;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    file = memfd_create("recording", 0);
    assert(file >= 0);
    return 0;
}

static int on_begin(struct encode_sink *s, struct verdict *v)
{
    (void)v;
    ((struct counted *)s)->frames_n = 0;
    return ENCODE_OK;
}

static int on_frame(struct encode_sink *s,
                    const uint8_t *frame,
                    size_t frame_len,
                    struct verdict *v)
{
    (void)v;
    assert(frames_frame_check(frame, frame_len) == LOA_OK);
    ((struct counted *)s)->frames_n++;
    return ENCODE_OK;
}

static void on_progress(struct encode_sink *s, unsigned permille)
{
    struct counted *c = (struct counted *)s;

    assert(permille <= 1000 && permille >= c->permille);
    c->permille = permille;
}

static void encode_it(const struct input *in, bool accept_truncated)
{
    static const struct encode_params params = {24000, -23.0, -1.0,
                                                DURATION_S_MAX};
    static struct sound sound;
    struct counted c = {.sink = {on_begin, on_frame, on_progress}};
    struct encode_result r;
    struct verdict v = {0};
    int code;

    sound_init(&sound, in, accept_truncated, DURATION_S_MAX);
    code = encode_run(&params, &sound.source, &c.sink, &r, &v);
    sound.source.close(&sound.source);
    if (code != ENCODE_OK) {
        assert(v.code == code && v.text[0] != '\0');
        assert(memchr(v.text, 0, sizeof v.text) != NULL);
        return;
    }
    assert(c.frames_n == r.header.frames_n && c.frames_n > 0);
    assert(c.frames_n <= DURATION_S_MAX * 50 + 2);
    assert(r.header.duration_samples <= DURATION_S_MAX * LOA_RATE_HZ + 960);
    assert(r.gain_db <= ENCODE_GAIN_DB_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input in = {.fd = file, .size = len};
    const char *why;
    uint64_t want;
    bool truncated;

    if (len < 2)
        return 0;
    in.size--;
    if (ftruncate(file, 0) != 0 ||
        pwrite(file, data + 1, in.size, 0) != (ssize_t)in.size)
        abort();
    truncated = input_truncated(&in, &want);
    if (!sound_probe(&in, &why)) {
        assert(why != NULL && why[0] != '\0');
        return 0;
    }
    if (!truncated || (data[0] & 1))
        encode_it(&in, data[0] & 1);
    return 0;
}
