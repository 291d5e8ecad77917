#include "encode/encode.h"

#include <math.h>
#include <string.h>

#include "encode/limiter.h"
#include "encode/pcm.h"

/* A pass over a source of unknown length is shown as if it had so many left. */
#define UNKNOWN_SAMPLES (600ull * LOA_RATE_HZ)

#define PROGRESS_STEP 10

struct run {
    const struct encode_params *params;
    struct encode_sink *sink;
    struct encode_result *result;
    struct verdict *verdict;
    struct pcm pcm;
    uint64_t samples_hint;       /* At 48 kHz; exact after pass 1. */
    unsigned progress, from, to; /* Permille; of this pass. */
    double gain_db, ceiling_dbtp;
    struct limiter limiter;
    struct codec codec;
    struct loa_content_hash hash;
};

/* --- progress ------------------------------------------------------------- */

static void progress_tell(struct run *r, unsigned permille)
{
    if (permille <= r->progress ||
        (permille < r->progress + PROGRESS_STEP && permille < r->to))
        return;
    r->progress = permille;
    r->sink->progress(r->sink, permille);
}

static void progress_at(struct run *r, uint64_t samples)
{
    double done = r->samples_hint > 0
                      ? (double)samples / (double)r->samples_hint
                      : (double)samples / (double)(samples + UNKNOWN_SAMPLES);

    if (done > 1)
        done = 1;
    progress_tell(r, r->from + (unsigned)(done * (r->to - r->from)));
}

/* --- pass 1 --------------------------------------------------------------- */

static int start(struct run *r, struct source *source)
{
    uint64_t max = (uint64_t)r->params->duration_s_max * LOA_RATE_HZ;
    int code = pcm_open(&r->pcm, source, max, r->verdict);

    if (code == ENCODE_OK && r->samples_hint == 0)
        r->samples_hint = source->samples_hint * LOA_RATE_HZ / source->rate_hz;
    return code;
}

static int measure_blocks(struct run *r, ebur128_state *meter)
{
    float block[LOA_FRAME_SAMPLES];
    size_t got;

    do {
        int code = pcm_read(&r->pcm, block, LOA_FRAME_SAMPLES, &got);

        if (code != ENCODE_OK)
            return code;
        if (got > 0 && ebur128_add_frames_float(meter, block, got) != 0)
            return refuse(r->verdict, ENCODE_NO_MEMORY,
                          "out of memory while measuring loudness");
        progress_at(r, r->pcm.samples_n);
    } while (got == LOA_FRAME_SAMPLES);
    return ENCODE_OK;
}

static int measure(struct run *r, struct source *source, struct loudness *l)
{
    ebur128_state *meter = loudness_meter(false);
    int code;

    if (meter == NULL)
        return refuse(r->verdict, ENCODE_NO_MEMORY,
                      "out of memory: the loudness meter does not start");
    code = start(r, source);
    if (code == ENCODE_OK)
        code = measure_blocks(r, meter);
    pcm_close(&r->pcm);
    *l = loudness_read(meter);
    ebur128_destroy(&meter);
    if (code == ENCODE_OK && r->pcm.samples_n == 0)
        code = refuse(r->verdict, ENCODE_NO_SOUND,
                      "it holds 0 s of sound; record it again");
    r->samples_hint = r->pcm.samples_n;
    return code;
}

/* --- pass 2 --------------------------------------------------------------- */

static int emit(struct run *r, const float *samples)
{
    uint8_t frame[LOA_FRAME_BYTES_MAX];
    size_t frame_len;
    int code = codec_frame(&r->codec, samples, (uint32_t)r->pcm.samples_n,
                           frame, &frame_len, r->verdict);

    if (code != ENCODE_OK)
        return code;
    loa_content_hash_frame(&r->hash, frame, frame_len);
    r->result->header.frames_n++;
    return r->sink->frame(r->sink, frame, frame_len, r->verdict);
}

/* Read sound into a block, zeros behind its end, amplified and limited. */
static int fill(struct run *r, float *block, size_t n, bool *ended)
{
    float gain = (float)pow(10, r->gain_db / 20);
    size_t got = 0;
    int code = ENCODE_OK;

    if (!*ended)
        code = pcm_read(&r->pcm, block, n, &got);
    if (got < n)
        *ended = true;
    for (size_t i = 0; i < n; i++)
        block[i] = i < got ? block[i] * gain : 0;
    limiter_run(&r->limiter, block, n);
    progress_at(r, r->pcm.samples_n);
    return code;
}

/* Frames until sound, limiter and encoder are drained. */
static int encode_frames(struct run *r)
{
    float lag[LIMITER_DELAY], block[LOA_FRAME_SAMPLES];
    bool ended = false;
    /* The first LIMITER_DELAY samples out of the limiter are its own zeros. */
    int code = fill(r, lag, LIMITER_DELAY, &ended);

    while (code == ENCODE_OK) {
        code = fill(r, block, LOA_FRAME_SAMPLES, &ended);
        if (code == ENCODE_OK)
            code = emit(r, block);
        if (ended &&
            r->result->header.frames_n >=
                frames_needed((uint32_t)r->pcm.samples_n, r->codec.pre_skip))
            break;
    }
    return code;
}

static int render(struct run *r, struct source *source)
{
    struct encode_result *result = r->result;
    int code = codec_open(&r->codec, r->params->bitrate, r->verdict);

    if (code != ENCODE_OK)
        return code;
    limiter_init(&r->limiter, r->ceiling_dbtp);
    loa_content_hash_init(&r->hash);
    memset(&result->header, 0, sizeof result->header);
    code = r->sink->begin(r->sink, r->verdict);
    if (code == ENCODE_OK)
        code = start(r, source);
    if (code == ENCODE_OK)
        code = encode_frames(r);
    pcm_close(&r->pcm);
    if (code == ENCODE_OK && r->pcm.samples_n != r->samples_hint)
        code = refuse(r->verdict, ENCODE_FAILED,
                      "it changed while it was read; try again");
    result->header.duration_samples = (uint32_t)r->pcm.samples_n;
    result->header.pre_skip = r->codec.pre_skip;
    result->loudness = loudness_read(r->codec.meter);
    result->gain_db = r->gain_db;
    loa_content_hash_final(&r->hash, result->hash);
    codec_close(&r->codec);
    return code;
}

/* --- gain ----------------------------------------------------------------- */

static void gain_set(struct run *r, double gain_db)
{
    r->result->notes &= ~(unsigned)ENCODE_NOTE_GAIN_CAPPED;
    if (gain_db > ENCODE_GAIN_DB_MAX) {
        gain_db = ENCODE_GAIN_DB_MAX;
        r->result->notes |= ENCODE_NOTE_GAIN_CAPPED;
    }
    r->gain_db = gain_db < ENCODE_GAIN_DB_MIN ? ENCODE_GAIN_DB_MIN : gain_db;
}

/* Correct gain and ceiling by what came out; false: it is good as it is. */
static bool correct(struct run *r)
{
    const struct loudness *l = &r->result->loudness;
    double over_db = l->peak_dbtp - r->params->true_peak_dbtp;
    double gain_db = r->gain_db, short_db = 0;
    bool again = false;

    if (!(r->result->notes & ENCODE_NOTE_UNMEASURED) && isfinite(l->lufs))
        short_db = r->params->lufs - l->lufs;
    r->result->notes &= ~(unsigned)ENCODE_NOTE_LIMITED;
    if (fabs(short_db) > ENCODE_LUFS_TOLERANCE) {
        gain_set(r, r->gain_db + short_db);
        again = r->gain_db != gain_db;
        if (!(r->result->notes & ENCODE_NOTE_GAIN_CAPPED))
            r->result->notes |= ENCODE_NOTE_LIMITED;
    }
    if (over_db > ENCODE_PEAK_TOLERANCE_DB) {
        r->ceiling_dbtp -= over_db + ENCODE_PEAK_TOLERANCE_DB;
        r->result->notes |= ENCODE_NOTE_LIMITED;
        again = true;
    }
    return again;
}

static int render_until_good(struct run *r, struct source *source)
{
    unsigned n;

    r->ceiling_dbtp = r->params->true_peak_dbtp - ENCODE_CODEC_MARGIN_DB;
    for (n = 1;; n++) {
        int code;

        /* The first pass is nearly always the last: it owns most of the bar. */
        r->from = r->progress;
        r->to = n == 1 ? 800 : r->from + (1000 - r->from) * 3 / 5;
        code = render(r, source);
        if (code != ENCODE_OK)
            return code;
        r->result->passes_n = n;
        if (!correct(r) || n == ENCODE_PASSES_MAX)
            return ENCODE_OK;
    }
}

int encode_run(const struct encode_params *params,
               struct source *source,
               struct encode_sink *sink,
               struct encode_result *result,
               struct verdict *v)
{
    struct run run = {.params = params,
                      .sink = sink,
                      .result = result,
                      .verdict = v,
                      .to = 300};
    struct loudness measured;
    int code;

    memset(result, 0, sizeof *result);
    code = measure(&run, source, &measured);
    if (code != ENCODE_OK)
        return code;
    if (isfinite(measured.lufs))
        gain_set(&run, params->lufs - measured.lufs);
    else
        result->notes |= ENCODE_NOTE_UNMEASURED;
    code = render_until_good(&run, source);
    if (code == ENCODE_OK)
        sink->progress(sink, 1000);
    return code;
}
