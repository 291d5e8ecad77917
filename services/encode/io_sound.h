/* io_sound.h -- a sound file through libsndfile as a mono source. */

#ifndef LOA_ENCODE_IO_SOUND_H
#define LOA_ENCODE_IO_SOUND_H

#include <sndfile.h>
#include <stdbool.h>

#include "encode/io_input.h"
#include "encode/source.h"

#define SOUND_CHANNELS_MAX 32
#define SOUND_BLOCK 1024 /* Samples of each channel. */

struct sound {
    struct source source;
    const struct input *input;
    bool accept_truncated;
    bool truncated; /* Found out while reading, or given. */
    unsigned duration_s_max;
    SNDFILE *file;
    SF_INFO info;
    uint64_t read_n; /* Samples of each channel since start(). */
    float block[SOUND_BLOCK * SOUND_CHANNELS_MAX];
};

/* Whether libsndfile knows the format; *why is its own sentence if not. */
bool sound_probe(const struct input *in, const char **why);

/* Make s a source for the file, which is lent. With accept_truncated a cut off
 * file ends where it ends and s->truncated tells. */
void sound_init(struct sound *s,
                const struct input *in,
                bool accept_truncated,
                unsigned duration_s_max);

#endif /* LOA_ENCODE_IO_SOUND_H */
