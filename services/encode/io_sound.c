#include "encode/io_sound.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Decoders that cut the padding of an encoder may give a little less than the
 * header says: MP3 up to two of its frames. */
#define MISSING_SAMPLES_MAX 2304

/* The MP3 decoder behind libsndfile prints warnings of its own, which would
 * stand beside the one sentence that the sender is to read. */
static int stderr_away(void)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (kept >= 0 && nothing >= 0)
        dup2(nothing, STDERR_FILENO);
    if (nothing >= 0)
        close(nothing);
    return kept;
}

static void stderr_back(int kept)
{
    if (kept < 0)
        return;
    dup2(kept, STDERR_FILENO);
    close(kept);
}

/* libsndfile works on the descriptor's own position, and closes a descriptor
 * that it refuses even when it is told to leave it: so it gets a copy. */
static SNDFILE *open_again(const struct input *in, SF_INFO *info)
{
    SNDFILE *file;
    int kept, copy;

    memset(info, 0, sizeof *info);
    copy = fcntl(in->fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0 || lseek(copy, 0, SEEK_SET) != 0) {
        if (copy >= 0)
            close(copy);
        return NULL;
    }
    kept = stderr_away();
    file = sf_open_fd(copy, SFM_READ, info, SF_TRUE);
    stderr_back(kept);
    /* Not every refusal closes it. */
    if (file == NULL && fcntl(copy, F_GETFD) >= 0)
        close(copy);
    return file;
}

static sf_count_t read_block(struct sound *s, size_t n)
{
    int kept = stderr_away();
    sf_count_t got = sf_readf_float(s->file, s->block, (sf_count_t)n);

    stderr_back(kept);
    return got;
}

bool sound_probe(const struct input *in, const char **why)
{
    SF_INFO info;
    SNDFILE *file = open_again(in, &info);

    if (file == NULL) {
        *why = sf_strerror(NULL);
        return false;
    }
    sf_close(file);
    return true;
}

static bool length_known(const struct sound *s)
{
    return s->info.frames > 0 && s->info.frames < SF_COUNT_MAX;
}

static int check_header(struct sound *s, struct verdict *v)
{
    const SF_INFO *i = &s->info;

    if (i->channels < 1 || i->channels > SOUND_CHANNELS_MAX)
        return refuse(v, ENCODE_NOT_AUDIO,
                      "its header says %d channels; at most %d can be mixed",
                      i->channels, SOUND_CHANNELS_MAX);
    if (i->samplerate < SOURCE_RATE_HZ_MIN ||
        i->samplerate > SOURCE_RATE_HZ_MAX)
        return refuse(v, ENCODE_NOT_AUDIO,
                      "its header says %d samples a second; it is damaged",
                      i->samplerate);
    if (length_known(s) &&
        (uint64_t)i->frames / (uint64_t)i->samplerate > s->duration_s_max)
        return refuse(
            v, ENCODE_TOO_LONG,
            "it is %llu s long, over the limit of %u s; cut it into "
            "parts, or raise --duration-max-s",
            (unsigned long long)i->frames / (unsigned long long)i->samplerate,
            s->duration_s_max);
    return ENCODE_OK;
}

static void stop(struct source *source)
{
    struct sound *s = (struct sound *)source;

    if (s->file != NULL)
        sf_close(s->file);
    s->file = NULL;
}

static int start(struct source *source, struct verdict *v)
{
    struct sound *s = (struct sound *)source;
    int code;

    stop(source);
    s->file = open_again(s->input, &s->info);
    if (s->file == NULL)
        return refuse(v, ENCODE_NOT_AUDIO, "libsndfile does not read it: %s",
                      sf_strerror(NULL));
    code = check_header(s, v);
    if (code != ENCODE_OK)
        return code;
    s->read_n = 0;
    source->rate_hz = (unsigned)s->info.samplerate;
    source->samples_hint = length_known(s) ? (uint64_t)s->info.frames : 0;
    return ENCODE_OK;
}

/* At the end: was it all there? */
static int check_end(struct sound *s, struct verdict *v)
{
    unsigned rate = s->source.rate_hz;
    int err = sf_error(s->file);

    if (err == SF_ERR_NO_ERROR &&
        (!length_known(s) ||
         s->read_n + MISSING_SAMPLES_MAX >= (uint64_t)s->info.frames))
        return ENCODE_OK;
    s->truncated = true;
    if (s->accept_truncated)
        return ENCODE_OK;
    if (err != SF_ERR_NO_ERROR)
        return refuse(v, ENCODE_TRUNCATED,
                      "it is damaged after %.1f s: %s; copy it again, or take "
                      "what is there with --accept-truncated",
                      (double)s->read_n / rate, sf_error_number(err));
    return refuse(v, ENCODE_TRUNCATED,
                  "it is cut off: %.1f s of %.1f s are there; copy it again, "
                  "or take what is there with --accept-truncated",
                  (double)s->read_n / rate, (double)s->info.frames / rate);
}

static void mix(const float *in, size_t n, int channels, float *mono)
{
    for (size_t i = 0; i < n; i++) {
        float sum = 0;

        for (int c = 0; c < channels; c++)
            sum += *in++;
        mono[i] = sum / (float)channels;
    }
}

static int read_mono(struct source *source,
                     float *mono,
                     size_t n,
                     size_t *got,
                     struct verdict *v)
{
    struct sound *s = (struct sound *)source;

    *got = 0;
    while (*got < n) {
        size_t want = n - *got < SOUND_BLOCK ? n - *got : SOUND_BLOCK;
        sf_count_t have = read_block(s, want);

        if (have <= 0)
            return check_end(s, v);
        mix(s->block, (size_t)have, s->info.channels, mono + *got);
        *got += (size_t)have;
        s->read_n += (uint64_t)have;
    }
    return ENCODE_OK;
}

void sound_init(struct sound *s,
                const struct input *in,
                bool accept_truncated,
                unsigned duration_s_max)
{
    memset(s, 0, sizeof *s);
    s->source.start = start;
    s->source.read = read_mono;
    s->source.close = stop;
    s->input = in;
    s->accept_truncated = accept_truncated;
    s->duration_s_max = duration_s_max;
}
