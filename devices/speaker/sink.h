/* sink.h -- what an output must be able to do: 48 kHz, mono, 16 bit.
 *
 * An output has a timeline of its own that never stops while it is active:
 * the sample that is handed over next will be heard at next_us, wherever its
 * clock is. Between programmes an output idles and costs nothing. */

#ifndef LOA_SPEAKER_SINK_H
#define LOA_SPEAKER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define SINK_PERIOD 960    /* Samples: 20 ms. */
#define SINK_BUFFER_MS 500 /* So long a stall of ours is not heard. */
#define SINK_FDS_MAX 4

struct pollfd;

struct sink {
    const struct sink_ops *ops;
    void *self;
};

struct sink_ops {
    /* Errors are logged by the sink. LOA_ESYS, LOA_ENOSPC. */
    int (*open)(void *self, const char *target);
    void (*close)(void *self, int64_t now_us);

    /* From idle to active and back. stop lets what is buffered sound first;
     * true: it is idle now, false: ask again soon. */
    int (*start)(void *self, int64_t now_us);
    bool (*stop)(void *self, int64_t now_us);
    /* What is buffered must not sound. */
    void (*cut)(void *self);

    /* Active: how many samples it takes without waiting, and when the first of
     * them will be heard. */
    int (*room)(void *self, int64_t now_us, size_t *samples, int64_t *next_us);
    int (*write)(void *self, const int16_t *pcm, size_t samples);

    /* Idle: about once a second. */
    int (*idle)(void *self, int64_t now_us);

    /* Active: descriptors to poll, at most SINK_FDS_MAX; and by when to ask for
     * room at the latest. */
    size_t (*fds)(void *self, struct pollfd *out);
    int64_t (*wake_us)(void *self, int64_t now_us);
};

struct sink sink_wav(void);
struct sink sink_alsa(void);

#endif /* LOA_SPEAKER_SINK_H */
