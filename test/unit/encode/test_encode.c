/* The passes, on sources and sinks in memory: what comes out is as loud as was
 * asked for, whole, the same each time; refusals go through. */

#include <math.h>
#include <string.h>

#include "check.h"
#include "encode/encode.h"

/* A source that computes its samples. */
struct tones {
    struct source source;
    double amplitude;
    uint64_t samples_n, at;
    uint64_t fail_at;  /* 0: never. */
    uint64_t starts_n; /* Each start takes lose_n samples away. */
    uint64_t lose_n;
};

static int tones_start(struct source *source, struct verdict *v)
{
    struct tones *t = (struct tones *)source;

    (void)v;
    t->at = 0;
    t->samples_n -= t->starts_n++ > 0 ? t->lose_n : 0;
    return ENCODE_OK;
}

static int tones_read(struct source *source,
                      float *mono,
                      size_t n,
                      size_t *got,
                      struct verdict *v)
{
    struct tones *t = (struct tones *)source;

    for (*got = 0; *got < n && t->at < t->samples_n; ++*got, t->at++) {
        double s = (double)t->at / source->rate_hz;

        if (t->fail_at > 0 && t->at == t->fail_at)
            return refuse(v, ENCODE_TRUNCATED, "cut off");
        mono[*got] = (float)(t->amplitude * sin(2 * M_PI * 400 * s) *
                             (0.6 + 0.4 * sin(2 * M_PI * 3 * s)));
    }
    return ENCODE_OK;
}

static struct tones tones(unsigned rate_hz, double s, double amplitude)
{
    return (struct tones){.source = {.rate_hz = rate_hz,
                                     .start = tones_start,
                                     .read = tones_read},
                          .amplitude = amplitude,
                          .samples_n = (uint64_t)(s * rate_hz)};
}

struct memory {
    struct encode_sink sink;
    unsigned frames_n, begins_n, progress;
    unsigned full_at; /* 0: never. */
};

static int memory_begin(struct encode_sink *sink, struct verdict *v)
{
    struct memory *m = (struct memory *)sink;

    (void)v;
    m->frames_n = 0;
    m->begins_n++;
    return ENCODE_OK;
}

static int memory_frame(struct encode_sink *sink,
                        const uint8_t *frame,
                        size_t frame_len,
                        struct verdict *v)
{
    struct memory *m = (struct memory *)sink;

    CHECK_INT("frame", frames_frame_check(frame, frame_len), LOA_OK);
    if (++m->frames_n == m->full_at)
        return refuse(v, ENCODE_NO_ROOM, "full");
    return ENCODE_OK;
}

static void memory_progress(struct encode_sink *sink, unsigned permille)
{
    struct memory *m = (struct memory *)sink;

    CHECK_INT("progress grows", permille > m->progress, 1);
    m->progress = permille;
}

static struct memory memory(void)
{
    return (struct memory){
        .sink = {memory_begin, memory_frame, memory_progress}};
}

static const struct encode_params params = {24000, -23, -1, 60};

static const struct {
    const char *name;
    unsigned rate_hz;
    double s, amplitude;
    double lufs;       /* To be met within 0.5; 0: not measured. */
    double gain_db_at; /* To be met within 1. */
    unsigned notes;
} rows[] = {
    {"loud", 48000, 3, 0.9, -23, -14.6, 0},
    {"quiet", 48000, 3, 0.02, -23, 18.5, 0},
    {"far too quiet", 48000, 3, 0.002, -31.5, 30, ENCODE_NOTE_GAIN_CAPPED},
    {"8 kHz", 8000, 3, 0.3, -23, -5, 0},
    {"44.1 kHz", 44100, 3, 0.3, -23, -5, 0},
    {"over full scale", 96000, 3, 30, -23, -45, 0},
    {"absurd", 48000, 3, 1e30, -23, -119, 0},
    {"silence", 48000, 1, 0, 0, 0, ENCODE_NOTE_UNMEASURED},
    {"short", 48000, 0.2, 0.3, 0, 0, ENCODE_NOTE_UNMEASURED},
    {"one sample", 48000, 0.00003, 0.3, 0, 0, ENCODE_NOTE_UNMEASURED},
};

static void test_loudness(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tones t = tones(rows[i].rate_hz, rows[i].s, rows[i].amplitude);
        struct memory m = memory();
        struct verdict v = {ENCODE_OK, ""};
        struct encode_result r;
        double samples = rows[i].s * 48000;

        CHECK_INT(rows[i].name, encode_run(&params, &t.source, &m.sink, &r, &v),
                  ENCODE_OK);
        CHECK_INT(rows[i].name, r.notes, rows[i].notes);
        CHECK_INT(rows[i].name, fabs(r.gain_db - rows[i].gain_db_at) < 1, 1);
        CHECK_INT(
            rows[i].name,
            rows[i].lufs == 0 || fabs(r.loudness.lufs - rows[i].lufs) < 0.5, 1);
        CHECK_INT(rows[i].name, r.loudness.peak_dbtp <= -0.9, 1);
        CHECK_INT(rows[i].name, fabs(r.header.duration_samples - samples) < 2,
                  1);
        CHECK_INT(rows[i].name, r.header.frames_n,
                  frames_needed(r.header.duration_samples, r.header.pre_skip));
        CHECK_INT(rows[i].name, m.frames_n, r.header.frames_n);
        CHECK_INT(rows[i].name, m.begins_n, r.passes_n);
        CHECK_INT(rows[i].name, m.progress, 1000);
    }
}

static void test_same_again(void)
{
    struct encode_result r[2];

    for (int i = 0; i < 2; i++) {
        struct tones t = tones(44100, 1.5, 0.2);
        struct memory m = memory();
        struct verdict v = {ENCODE_OK, ""};

        CHECK_INT("run", encode_run(&params, &t.source, &m.sink, &r[i], &v),
                  ENCODE_OK);
    }
    CHECK_INT("hash", memcmp(r[0].hash, r[1].hash, sizeof r[0].hash), 0);
}

static const struct {
    const char *name;
    double s;
    uint64_t fail_at, lose_n;
    unsigned full_at;
    int code;
} refusals[] = {
    {"no sound", 0, 0, 0, 0, ENCODE_NO_SOUND},
    {"longest", 60, 0, 0, 0, ENCODE_OK},
    {"too long", 60.001, 0, 0, 0, ENCODE_TOO_LONG},
    {"source fails at once", 1, 1, 0, 0, ENCODE_TRUNCATED},
    {"source fails later", 1, 7000, 0, 0, ENCODE_TRUNCATED},
    {"source changes", 1, 0, 100, 0, ENCODE_FAILED},
    {"first frame finds no room", 1, 0, 0, 1, ENCODE_NO_ROOM},
    {"last frame finds no room", 1, 0, 0, 51, ENCODE_NO_ROOM},
};

static void test_refusals(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        /* At 8 kHz the source's refusal has to come through the resampler. */
        struct tones t = tones(8000, refusals[i].s, 0.2);
        struct memory m = memory();
        struct verdict v = {ENCODE_OK, ""};
        struct encode_result r;

        t.fail_at = refusals[i].fail_at;
        t.lose_n = refusals[i].lose_n;
        m.full_at = refusals[i].full_at;
        CHECK_INT(refusals[i].name,
                  encode_run(&params, &t.source, &m.sink, &r, &v),
                  refusals[i].code);
        CHECK_INT(refusals[i].name, v.code, refusals[i].code);
        CHECK_INT(refusals[i].name, v.text[0] == '\0',
                  refusals[i].code == ENCODE_OK);
    }
}

int main(void)
{
    test_loudness();
    test_same_again();
    test_refusals();
    return CHECK_DONE();
}
