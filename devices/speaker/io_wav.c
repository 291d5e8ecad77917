/* io_wav.c -- an output that is a WAV file, in step with the monotonic clock.
 *
 * The file is what a sound card would have played since it was opened: sample n
 * belongs to the moment opened + n / 48000, silence is zeros, and a period is
 * handed over when its moment has come. If this process is late, it writes the
 * periods that are due at once: for the listener of a card with a buffer of
 * SINK_BUFFER_MS nothing has happened, and the file says the same. After a
 * longer stall a card would have run dry and been silent, then gone on: so does
 * the file. Receipts do not profit from this: they tell when a period was
 * handed over, not where it stands in the file.
 *
 * Silence between programmes is written by making the file longer, without
 * touching the disk. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/audio.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "speaker/io_disk.h"
#include "speaker/sink.h"

#define HEADER_BYTES 44
#define HEADER_EVERY (LOA_RATE_HZ / 2)           /* Samples. */
#define SAMPLES_MAX (12ull * 3600 * LOA_RATE_HZ) /* A WAV ends at 4 GB. */
#define BUFFER_SAMPLES (SINK_BUFFER_MS * (LOA_RATE_HZ / 1000))

static struct wav {
    int fd;
    const char *path;
    int64_t opened_us;  /* Monotonic: sample 0. */
    uint64_t written;   /* Samples that the file holds. */
    uint64_t header_at; /* Samples when the header was written. */
} wav = {.fd = -1};

static void le(uint8_t *p, uint32_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static int write_header(struct wav *w)
{
    uint8_t h[HEADER_BYTES];
    uint32_t bytes = (uint32_t)(w->written * 2);

    memcpy(h, "RIFF....WAVEfmt ", 16);
    le(h + 4, bytes + HEADER_BYTES - 8, 4);
    le(h + 16, 16, 4);
    le(h + 20, 1, 2); /* PCM */
    le(h + 22, 1, 2); /* mono */
    le(h + 24, LOA_RATE_HZ, 4);
    le(h + 28, LOA_RATE_HZ * 2, 4);
    le(h + 32, 2, 2);
    le(h + 34, 16, 2);
    memcpy(h + 36, "data", 4);
    le(h + 40, bytes, 4);
    w->header_at = w->written;
    return disk_write_all(w->fd, h, sizeof h, 0);
}

static int64_t at(uint64_t samples)
{
    return HEADER_BYTES + (int64_t)samples * 2;
}

static int silence_until(struct wav *w, uint64_t samples)
{
    if (samples <= w->written)
        return LOA_OK;
    if (ftruncate(w->fd, at(samples)) != 0)
        return disk_error(errno);
    w->written = samples;
    return LOA_OK;
}

/* The wall time of sample 0, for whoever compares files: PATH.start_us. */
static void store_start(const char *path, int64_t at_us)
{
    char name[4096];
    FILE *f;

    snprintf(name, sizeof name, "%s.start_us", path);
    f = fopen(name, "we");
    if (f == NULL)
        return;
    fprintf(f, "%" PRId64 "\n", at_us);
    fclose(f);
}

static void keep_old(const char *path)
{
    char name[4096];

    snprintf(name, sizeof name, "%s.old", path);
    rename(path, name); /* If there is one. */
}

static int begin_file(struct wav *w)
{
    int64_t at_us;

    keep_old(w->path);
    w->fd = open(w->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        log_error("sound.open", "path=%s text=cannot write: %s", w->path,
                  strerror(errno));
        return LOA_ESYS;
    }
    at_us = clock_wall_us();
    w->opened_us = (int64_t)clock_mono_us();
    w->written = 0;
    store_start(w->path, at_us);
    log_info("sound.open", "output=wav path=%s first_sample_us=%" PRId64,
             w->path, at_us);
    return write_header(w);
}

static int wav_open(void *self, const char *target)
{
    struct wav *w = self;
    int rv;

    w->path = target;
    rv = begin_file(w);
    if (rv != LOA_OK && w->fd >= 0) {
        close(w->fd);
        w->fd = -1;
    }
    return rv;
}

/* Samples whose moment has come. */
static uint64_t elapsed(const struct wav *w, int64_t now_us)
{
    return (uint64_t)(now_us - w->opened_us) * (LOA_RATE_HZ / 1000) / 1000;
}

static uint64_t whole_periods(uint64_t samples)
{
    return samples / SINK_PERIOD * SINK_PERIOD;
}

static int wav_idle(void *self, int64_t now_us)
{
    struct wav *w = self;
    int rv = silence_until(w, whole_periods(elapsed(w, now_us)));

    return rv == LOA_OK ? write_header(w) : rv;
}

static void wav_close(void *self, int64_t now_us)
{
    struct wav *w = self;

    if (w->fd < 0)
        return;
    if (wav_idle(w, now_us) != LOA_OK)
        log_warn("sound.close", "path=%s text=the file is not whole", w->path);
    close(w->fd);
    w->fd = -1;
}

static int wav_start(void *self, int64_t now_us)
{
    struct wav *w = self;

    if (w->written >= SAMPLES_MAX) {
        wav_close(w, now_us);
        return begin_file(w);
    }
    return wav_idle(w, now_us);
}

static bool wav_stop(void *self, int64_t now_us)
{
    (void)self;
    (void)now_us;
    return true; /* What was handed over has been heard. */
}

static void wav_cut(void *self)
{
    (void)self; /* Nothing is buffered. */
}

static int wav_room(void *self,
                    int64_t now_us,
                    size_t *samples,
                    int64_t *next_us)
{
    struct wav *w = self;
    uint64_t due = whole_periods(elapsed(w, now_us)) + SINK_PERIOD;
    int rv = LOA_OK;

    if (due > w->written + BUFFER_SAMPLES + SINK_PERIOD)
        rv = silence_until(w, due - SINK_PERIOD);
    *samples = due > w->written ? (size_t)(due - w->written) : 0;
    *next_us = w->opened_us + (int64_t)(w->written * 1000000 / LOA_RATE_HZ);
    return rv;
}

static int wav_write(void *self, const int16_t *pcm, size_t samples)
{
    struct wav *w = self;
    int rv = disk_write_all(w->fd, pcm, samples * 2, at(w->written));

    if (rv != LOA_OK)
        return rv;
    w->written += samples;
    return w->written - w->header_at >= HEADER_EVERY ? write_header(w) : LOA_OK;
}

static size_t wav_fds(void *self, struct pollfd *out)
{
    (void)self;
    (void)out;
    return 0;
}

static int64_t wav_wake_us(void *self, int64_t now_us)
{
    const struct wav *w = self;

    (void)now_us;
    /* The moment of the next sample, rounded up: never a microsecond early. */
    return w->opened_us +
           (int64_t)((w->written * 1000000 + LOA_RATE_HZ - 1) / LOA_RATE_HZ);
}

static const struct sink_ops wav_ops = {
    .open = wav_open,
    .close = wav_close,
    .start = wav_start,
    .stop = wav_stop,
    .cut = wav_cut,
    .room = wav_room,
    .write = wav_write,
    .idle = wav_idle,
    .fds = wav_fds,
    .wake_us = wav_wake_us,
};

struct sink sink_wav(void)
{
    return (struct sink){&wav_ops, &wav};
}
