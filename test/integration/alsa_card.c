/* alsa_card.c -- a sound card for tests, as a plugin of alsa-lib.
 *
 * It plays in step with the monotonic clock into the file LOA_CARD_FILE, 48 kHz
 * mono: the sample that is heard at a moment stands at that moment, counted
 * from when the card was opened; what nobody wrote is silence. Its clock may
 * run fast or slow by LOA_CARD_PPM. The wall time of sample 0 is written to
 * LOA_CARD_FILE.start_us.
 *
 * Once LOA_CARD_STALL samples from the first that is not silent were handed
 * over, it keeps the process waiting, once, until it has been dry for a second.
 * While there is a file LOA_CARD_FILE.unplug it takes no more samples; that
 * file goes when the card is closed. */

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RATE 48000

struct card {
    snd_pcm_ioplug_t io;
    int file;
    int64_t opened_us;
    int64_t started_us; /* 0: not running. */
    double rate;        /* Samples per microsecond, by this card's clock. */
    int64_t base;       /* Sample of the file that is position 0. */
    int64_t written;    /* Positions handed over since prepare. */
    int64_t said;       /* Samples from the first that was not silent. */
    int64_t stall;      /* When so many were: stall. 0: never again. */
};

static int64_t now_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t played(const struct card *c)
{
    if (c->started_us == 0)
        return 0;
    return (int64_t)((double)(now_us(CLOCK_MONOTONIC) - c->started_us) *
                     c->rate);
}

static int on_start(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;

    c->started_us = now_us(CLOCK_MONOTONIC);
    return 0;
}

static int on_stop(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    int64_t heard = c->base + played(c);

    /* What was not heard yet never is. */
    if (c->written > 0 && ftruncate(c->file, heard > 0 ? heard * 2 : 0) != 0)
        return -EIO;
    c->started_us = 0;
    c->written = 0;
    return 0;
}

static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    int64_t at = played(c);

    if (c->started_us != 0 && at > c->written)
        return -EPIPE; /* It has run dry. */
    return (snd_pcm_sframes_t)(at % (int64_t)io->buffer_size);
}

static void name_unplug(char name[static 4096])
{
    snprintf(name, 4096, "%s.unplug", getenv("LOA_CARD_FILE"));
}

static bool is_unplugged(void)
{
    char name[4096];

    name_unplug(name);
    return access(name, F_OK) == 0;
}

static int on_prepare(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;

    c->started_us = 0;
    c->written = 0;
    return 0;
}

/* It is a moment's work to be dry, so ten seconds are enough for all. */
static void stall(struct card *c, const int16_t *pcm, size_t n)
{
    struct pollfd tick = {c->io.poll_fd, POLLIN, 0};
    int ticks_n = 1000;
    uint64_t late_n;

    for (size_t i = 0; i < n; i++)
        c->said += c->said > 0 || pcm[i] != 0;
    if (c->stall == 0 || c->said < c->stall)
        return;
    c->stall = 0;
    while (ticks_n > 0 && played(c) < c->written + RATE)
        if (poll(&tick, 1, -1) == 1 &&
            read(tick.fd, &late_n, sizeof late_n) > 0)
            ticks_n--;
}

static snd_pcm_sframes_t on_transfer(snd_pcm_ioplug_t *io,
                                     const snd_pcm_channel_area_t *areas,
                                     snd_pcm_uframes_t offset,
                                     snd_pcm_uframes_t size)
{
    struct card *c = io->private_data;
    const char *from =
        (const char *)areas->addr + areas->first / 8 + offset * areas->step / 8;

    if (is_unplugged())
        return -ENODEV;
    if (c->started_us == 0) /* It will sound from now on, about. */
        c->base = (int64_t)((double)(now_us(CLOCK_MONOTONIC) - c->opened_us) *
                            RATE / 1e6);
    else
        c->base =
            (int64_t)((double)(c->started_us - c->opened_us) * RATE / 1e6);
    if (pwrite(c->file, from, size * 2, (c->base + c->written) * 2) < 0)
        return -EIO;
    c->written += (int64_t)size;
    stall(c, (const int16_t *)from, size);
    return (snd_pcm_sframes_t)size;
}

static int on_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delay)
{
    struct card *c = io->private_data;

    *delay = (snd_pcm_sframes_t)(c->written - played(c));
    return 0;
}

static int on_revents(snd_pcm_ioplug_t *io,
                      struct pollfd *fds,
                      unsigned int n,
                      unsigned short *revents)
{
    uint64_t ticks;

    (void)n;
    if (read(io->poll_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
        return -errno;
    *revents = fds[0].revents & POLLIN ? POLLOUT : 0;
    return 0;
}

static int on_close(snd_pcm_ioplug_t *io)
{
    struct card *c = io->private_data;
    char name[4096];

    name_unplug(name);
    unlink(name);
    close(c->file);
    close(io->poll_fd);
    free(c);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = on_start,
    .stop = on_stop,
    .pointer = on_pointer,
    .transfer = on_transfer,
    .prepare = on_prepare,
    .delay = on_delay,
    .close = on_close,
    .poll_revents = on_revents,
};

static int constrain(snd_pcm_ioplug_t *io)
{
    static const unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED};
    static const unsigned format[] = {SND_PCM_FORMAT_S16_LE};

    if (snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 1, access) <
            0 ||
        snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, format) <
            0 ||
        snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, 1, 1) <
            0 ||
        snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, RATE,
                                        RATE) < 0 ||
        snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES,
                                        1920, 1920) < 0)
        return -EINVAL;
    return snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 4,
                                           50);
}

static int open_files(struct card *c)
{
    const char *path = getenv("LOA_CARD_FILE"), *ppm = getenv("LOA_CARD_PPM"),
               *dry = getenv("LOA_CARD_STALL");
    char name[4096];
    FILE *f;

    if (path == NULL)
        return -EINVAL;
    snprintf(name, sizeof name, "%s.start_us", path);
    c->file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    f = fopen(name, "w");
    if (c->file < 0 || f == NULL)
        return -EIO;
    c->opened_us = now_us(CLOCK_MONOTONIC);
    fprintf(f, "%lld\n", (long long)now_us(CLOCK_REALTIME));
    fclose(f);
    c->stall = dry != NULL ? atoll(dry) : 0;
    c->rate = RATE / 1e6 * (1 + (ppm != NULL ? atof(ppm) : 0) / 1e6);
    return 0;
}

SND_PCM_PLUGIN_DEFINE_FUNC(loacard)
{
    struct itimerspec tick = {{0, 10000000}, {0, 10000000}};
    struct card *c = calloc(1, sizeof *c);
    int rv;

    (void)root;
    (void)conf;
    if (c == NULL)
        return -ENOMEM;
    rv = open_files(c);
    if (rv < 0)
        return rv;
    c->io.version = SND_PCM_IOPLUG_VERSION;
    c->io.name = "a card for tests";
    c->io.callback = &callbacks;
    c->io.private_data = c;
    c->io.mmap_rw = 0;
    c->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    c->io.poll_events = POLLIN;
    timerfd_settime(c->io.poll_fd, 0, &tick, NULL);
    rv = snd_pcm_ioplug_create(&c->io, name, stream, mode);
    if (rv < 0)
        return rv;
    rv = constrain(&c->io);
    if (rv < 0)
        return rv;
    *pcmp = c->io.pcm;
    return 0;
}

SND_PCM_PLUGIN_SYMBOL(loacard);
