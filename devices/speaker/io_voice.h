/* io_voice.h -- a content's samples: read from disk, decoded frame by frame.
 *
 * What is missing or cannot be decoded is concealed by Opus and counted; a
 * voice always has as many samples as it is asked for. */

#ifndef LOA_SPEAKER_IO_VOICE_H
#define LOA_SPEAKER_IO_VOICE_H

#include <opus/opus.h>

#include "speaker/io_content.h"

struct voice {
    bool open;
    OpusDecoder *decoder; /* Memory of its own, for all its life. */
    struct frame_reader frames;
    bool ended; /* The file has no more to give. */
    uint32_t skip;
    int16_t pcm[LOA_FRAME_SAMPLES];
    size_t have, used;
    bool concealing; /* pcm is not what was said. */
};

/* LOA_ENOMEM. */
LOA_MUST_CHECK int voice_init(struct voice *v);
void voice_free(struct voice *v);

LOA_MUST_CHECK int voice_open(struct voice *v,
                              const struct disk *d,
                              const uint8_t hash[LOA_HASH_BYTES],
                              uint32_t pre_skip);
void voice_close(struct voice *v);

/* n samples into out; returns how many of them are concealment. */
size_t voice_read(struct voice *v, int16_t *out, size_t n);

#endif /* LOA_SPEAKER_IO_VOICE_H */
