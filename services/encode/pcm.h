/* pcm.h -- a source as mono samples at 48 kHz, resampled while it is read.
 *
 * Memory does not grow with the length. Samples that are no numbers, or absurd
 * ones, which float files may hold, are made harmless here. */

#ifndef LOA_ENCODE_PCM_H
#define LOA_ENCODE_PCM_H

#include <soxr.h>
#include <stdbool.h>

#include "encode/source.h"

#define PCM_BLOCK 4096 /* Samples. */

struct pcm {
    struct source *source;
    struct verdict *verdict; /* Of the run; set by the source inside soxr. */
    soxr_t soxr;             /* NULL: the source is at 48 kHz already. */
    bool ended;
    uint64_t samples_max, samples_n; /* At 48 kHz. */
    float block[PCM_BLOCK];
};

/* (Re)start the source; it is lent until pcm_close(). More than samples_max
 * samples are refused as ENCODE_TOO_LONG. */
int pcm_open(struct pcm *p,
             struct source *source,
             uint64_t samples_max,
             struct verdict *v);
void pcm_close(struct pcm *p);

/* Up to n samples; *got < n only at the end. 0 or the verdict's code. */
int pcm_read(struct pcm *p, float *out, size_t n, size_t *got);

#endif /* LOA_ENCODE_PCM_H */
