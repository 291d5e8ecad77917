#include "encode/pcm.h"

#include <math.h>
#include <string.h>

#include "encode/frames.h"

/* +60 dB over full scale: 16-bit values written as floats still pass. */
#define SAMPLE_MAX 65536.0f

static float harmless(float x)
{
    if (!isfinite(x))
        return 0;
    return x > SAMPLE_MAX ? SAMPLE_MAX : x < -SAMPLE_MAX ? -SAMPLE_MAX : x;
}

static int from_source(struct pcm *p, float *out, size_t n, size_t *got)
{
    int code;

    *got = 0;
    if (p->ended)
        return ENCODE_OK;
    code = p->source->read(p->source, out, n, got, p->verdict);
    if (code != ENCODE_OK) {
        *got = 0;
        p->ended = true;
        return code;
    }
    if (*got < n)
        p->ended = true;
    for (size_t i = 0; i < *got; i++)
        out[i] = harmless(out[i]);
    return ENCODE_OK;
}

/* soxr asks for input; a refusal stays in the verdict, soxr sees an end. */
static size_t on_input(void *data, soxr_in_t *in, size_t n)
{
    struct pcm *p = data;
    size_t got;

    *in = p->block;
    from_source(p, p->block, n < PCM_BLOCK ? n : PCM_BLOCK, &got);
    return got;
}

int pcm_open(struct pcm *p,
             struct source *source,
             uint64_t samples_max,
             struct verdict *v)
{
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_error_t err = NULL;
    int code;

    memset(p, 0, sizeof *p);
    p->source = source;
    p->verdict = v;
    p->samples_max = samples_max;
    code = source->start(source, v);
    if (code != ENCODE_OK || source->rate_hz == LOA_RATE_HZ)
        return code;
    p->soxr =
        soxr_create(source->rate_hz, LOA_RATE_HZ, 1, &err, &io, &quality, NULL);
    if (p->soxr == NULL || err != NULL)
        return refuse(v, ENCODE_NO_MEMORY,
                      "the resampler from %u Hz does not start: %s",
                      source->rate_hz, err != NULL ? err : "out of memory");
    soxr_set_input_fn(p->soxr, on_input, p, PCM_BLOCK);
    return ENCODE_OK;
}

void pcm_close(struct pcm *p)
{
    soxr_delete(p->soxr);
    p->soxr = NULL;
}

int pcm_read(struct pcm *p, float *out, size_t n, size_t *got)
{
    if (p->soxr == NULL) {
        from_source(p, out, n, got);
    } else {
        *got = soxr_output(p->soxr, out, n);
        if (soxr_error(p->soxr) != NULL)
            return refuse(p->verdict, ENCODE_FAILED, "the resampler failed: %s",
                          soxr_error(p->soxr));
    }
    if (p->verdict->code != ENCODE_OK)
        return (int)p->verdict->code;
    p->samples_n += *got;
    if (p->samples_n > p->samples_max)
        return refuse(p->verdict, ENCODE_TOO_LONG,
                      "it is longer than %u s; cut it into parts, or raise "
                      "--duration-max-s (at most %d)",
                      (unsigned)(p->samples_max / LOA_RATE_HZ),
                      FRAMES_DURATION_S_MAX);
    return ENCODE_OK;
}
