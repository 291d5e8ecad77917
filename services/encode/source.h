/* source.h -- where sound comes from: a file, ffmpeg, a voice.
 *
 * A source gives mono samples at its own rate and can be started again, because
 * loudness is measured in a first pass and applied in a second. The sources are
 * io_sound.c, io_ffmpeg.c and io_speech.c; pcm.c brings them to 48 kHz. */

#ifndef LOA_ENCODE_SOURCE_H
#define LOA_ENCODE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "encode/verdict.h"

#define SOURCE_RATE_HZ_MIN 1000
#define SOURCE_RATE_HZ_MAX 768000

struct source {
    /* Known after start(). */
    unsigned rate_hz;
    uint64_t samples_hint; /* About how many there will be; 0: unknown. */

    /* (Re)start at the first sample. Each returns 0 or the verdict's code. */
    int (*start)(struct source *s, struct verdict *v);
    /* Up to n samples; *got < n only at the end, where the source also judges
     * whether it was whole. */
    int (*read)(struct source *s,
                float *mono,
                size_t n,
                size_t *got,
                struct verdict *v);
    void (*close)(struct source *s);
};

#endif /* LOA_ENCODE_SOURCE_H */
