#include "speaker/io_voice.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/log.h"

int voice_init(struct voice *v)
{
    memset(v, 0, sizeof *v);
    v->decoder = malloc((size_t)opus_decoder_get_size(1));
    return v->decoder != NULL ? LOA_OK : LOA_ENOMEM;
}

void voice_free(struct voice *v)
{
    if (v->open)
        voice_close(v);
    free(v->decoder);
    v->decoder = NULL;
}

int voice_open(struct voice *v,
               const struct disk *d,
               const uint8_t hash[LOA_HASH_BYTES],
               uint32_t pre_skip)
{
    int rv;

    assert(!v->open);
    if (opus_decoder_init(v->decoder, LOA_RATE_HZ, 1) != OPUS_OK)
        return LOA_ESYS;
    rv = frame_reader_open(&v->frames, d, hash);
    if (rv != LOA_OK)
        return rv;
    v->open = true;
    v->ended = v->concealing = false;
    v->skip = pre_skip;
    v->have = v->used = 0;
    return LOA_OK;
}

void voice_close(struct voice *v)
{
    if (v->open)
        frame_reader_close(&v->frames);
    v->open = false;
}

/* One frame more in pcm. A frame of another length than 20 ms would shift all
 * that follows, so it counts as undecodable. */
static void decode(struct voice *v)
{
    struct loa_bytes frame = {NULL, 0};
    int n = -1;

    if (!v->ended && frame_reader_next(&v->frames, &frame) != LOA_OK) {
        log_warn("voice.unreadable", "text=the rest is concealed");
        v->ended = true;
    }
    if (!v->ended)
        n = opus_decode(v->decoder, frame.data, (opus_int32)frame.len, v->pcm,
                        LOA_FRAME_SAMPLES, 0);
    v->concealing = n != LOA_FRAME_SAMPLES;
    if (v->concealing) {
        n = opus_decode(v->decoder, NULL, 0, v->pcm, LOA_FRAME_SAMPLES, 0);
        if (n != LOA_FRAME_SAMPLES)
            memset(v->pcm, 0, sizeof v->pcm);
    }
    v->have = LOA_FRAME_SAMPLES;
    v->used = v->skip < v->have ? v->skip : v->have;
    v->skip -= (uint32_t)v->used;
}

size_t voice_read(struct voice *v, int16_t *out, size_t n)
{
    size_t done = 0, concealed = 0;

    assert(v->open);
    while (done < n) {
        size_t take;

        if (v->used == v->have) {
            decode(v);
            continue;
        }
        take = v->have - v->used;
        if (take > n - done)
            take = n - done;
        memcpy(out + done, v->pcm + v->used, take * sizeof out[0]);
        v->used += take;
        done += take;
        concealed += v->concealing ? take : 0;
    }
    return concealed;
}
