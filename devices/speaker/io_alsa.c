/* io_alsa.c -- an output that is a sound card, by ALSA, never blocking.
 *
 * Between programmes the card is stopped. To start, its buffer is filled with
 * periods (silence first, as the core plans them) and then set going; from
 * there snd_pcm_delay() tells when the next sample will be heard, so that a
 * start falls on its sample whatever the card's clock does before. */

#include <alsa/asoundlib.h>
#include <errno.h>
#include <inttypes.h>

#include "proto/audio.h"
#include "proto/io/log.h"
#include "speaker/sink.h"

#define BUFFER_SAMPLES (SINK_BUFFER_MS * (LOA_RATE_HZ / 1000))
#define WAKE_US 20000

static struct alsa {
    snd_pcm_t *pcm;
    snd_pcm_uframes_t buffer; /* Samples the card really holds. */
    uint64_t underruns_n;
} alsa;

static int complain(const char *what, int err)
{
    log_error("sound.failed", "output=alsa at=%s text=%s", what,
              snd_strerror(err));
    return LOA_ESYS;
}

static int set_parameters(struct alsa *a)
{
    snd_pcm_hw_params_t *hw;
    snd_pcm_sw_params_t *sw;
    snd_pcm_uframes_t period = SINK_PERIOD;
    int rv;

    snd_pcm_hw_params_alloca(&hw);
    snd_pcm_sw_params_alloca(&sw);
    a->buffer = BUFFER_SAMPLES;
    if ((rv = snd_pcm_hw_params_any(a->pcm, hw)) < 0 ||
        (rv = snd_pcm_hw_params_set_access(
             a->pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED)) < 0 ||
        (rv = snd_pcm_hw_params_set_format(a->pcm, hw, SND_PCM_FORMAT_S16)) <
            0 ||
        (rv = snd_pcm_hw_params_set_channels(a->pcm, hw, 1)) < 0 ||
        (rv = snd_pcm_hw_params_set_rate(a->pcm, hw, LOA_RATE_HZ, 0)) < 0 ||
        (rv = snd_pcm_hw_params_set_period_size_near(a->pcm, hw, &period,
                                                     NULL)) < 0 ||
        (rv = snd_pcm_hw_params_set_buffer_size_near(a->pcm, hw, &a->buffer)) <
            0 ||
        (rv = snd_pcm_hw_params(a->pcm, hw)) < 0)
        return complain("hw_params (48 kHz mono; try plughw:)", rv);
    /* It starts when we say so, not when it happens to be full. */
    if ((rv = snd_pcm_sw_params_current(a->pcm, sw)) < 0 ||
        (rv = snd_pcm_sw_params_set_start_threshold(a->pcm, sw, INT_MAX)) < 0 ||
        (rv = snd_pcm_sw_params_set_avail_min(a->pcm, sw, SINK_PERIOD)) < 0 ||
        (rv = snd_pcm_sw_params(a->pcm, sw)) < 0)
        return complain("sw_params", rv);
    return LOA_OK;
}

static int alsa_open(void *self, const char *target)
{
    struct alsa *a = self;
    int rv = snd_pcm_open(&a->pcm, target, SND_PCM_STREAM_PLAYBACK,
                          SND_PCM_NONBLOCK);

    if (rv < 0) {
        a->pcm = NULL;
        return complain(target, rv);
    }
    rv = set_parameters(a);
    if (rv != LOA_OK) {
        snd_pcm_close(a->pcm);
        a->pcm = NULL;
        return rv;
    }
    log_info("sound.open", "output=alsa device=%s buffer_ms=%lu", target,
             a->buffer / (LOA_RATE_HZ / 1000));
    return LOA_OK;
}

static void alsa_close(void *self, int64_t now_us)
{
    struct alsa *a = self;

    (void)now_us;
    if (a->pcm != NULL) {
        snd_pcm_drop(a->pcm);
        snd_pcm_close(a->pcm);
    }
    a->pcm = NULL;
}

static int alsa_start(void *self, int64_t now_us)
{
    struct alsa *a = self;
    int rv;

    (void)now_us;
    snd_pcm_drop(a->pcm);
    rv = snd_pcm_prepare(a->pcm);
    return rv < 0 ? complain("prepare", rv) : LOA_OK;
}

/* What was handed over after an underrun, or is shorter than the buffer, has
 * not set the card going; it has to sound too. */
static bool run_out(struct alsa *a)
{
    int rv;

    if (snd_pcm_state(a->pcm) != SND_PCM_STATE_PREPARED)
        return snd_pcm_state(a->pcm) == SND_PCM_STATE_RUNNING;
    rv = snd_pcm_start(a->pcm);
    if (rv < 0)
        complain("start", rv);
    return rv == 0;
}

static bool alsa_stop(void *self, int64_t now_us)
{
    struct alsa *a = self;
    snd_pcm_sframes_t delay = 0;

    (void)now_us;
    if (snd_pcm_delay(a->pcm, &delay) == 0 && delay > 0 && run_out(a))
        return false;
    snd_pcm_drop(a->pcm);
    return true;
}

static void alsa_cut(void *self)
{
    struct alsa *a = self;

    snd_pcm_drop(a->pcm);
    if (snd_pcm_prepare(a->pcm) < 0)
        log_warn("sound.failed", "output=alsa at=cut");
}

/* An underrun: the card was silent and stopped; it goes on from here. */
static int recover(struct alsa *a, int err)
{
    int rv;

    a->underruns_n++;
    log_warn("sound.underrun", "underruns_n=%" PRIu64 " text=%s",
             a->underruns_n, snd_strerror(err));
    rv = snd_pcm_recover(a->pcm, err, 1);
    return rv < 0 ? complain("recover", rv) : LOA_OK;
}

static int alsa_room(void *self,
                     int64_t now_us,
                     size_t *samples,
                     int64_t *next_us)
{
    struct alsa *a = self;
    snd_pcm_sframes_t avail = snd_pcm_avail(a->pcm), delay = 0;
    int rv = LOA_OK;

    *samples = 0;
    *next_us = now_us;
    if (avail < 0) {
        rv = recover(a, (int)avail);
        if (rv != LOA_OK)
            return rv;
        avail = snd_pcm_avail(a->pcm);
    }
    if (avail < 0)
        return complain("avail", (int)avail);
    if (snd_pcm_delay(a->pcm, &delay) < 0 || delay < 0)
        delay = (snd_pcm_sframes_t)a->buffer - avail;
    *samples = (size_t)avail;
    *next_us = now_us + delay * 1000000 / LOA_RATE_HZ;
    return LOA_OK;
}

static int alsa_write(void *self, const int16_t *pcm, size_t samples)
{
    struct alsa *a = self;
    snd_pcm_sframes_t n = snd_pcm_writei(a->pcm, pcm, samples);
    int rv;

    if (n < 0) {
        rv = recover(a, (int)n);
        if (rv != LOA_OK)
            return rv;
        n = snd_pcm_writei(a->pcm, pcm, samples);
    }
    if (n != (snd_pcm_sframes_t)samples)
        return complain("write", n < 0 ? (int)n : -EPIPE);
    /* Prepared, and no room for another period: now it may run. */
    if (snd_pcm_state(a->pcm) == SND_PCM_STATE_PREPARED &&
        snd_pcm_avail(a->pcm) < SINK_PERIOD) {
        rv = snd_pcm_start(a->pcm);
        if (rv < 0)
            return complain("start", rv);
    }
    return LOA_OK;
}

static int alsa_idle(void *self, int64_t now_us)
{
    (void)self;
    (void)now_us;
    return LOA_OK;
}

static size_t alsa_fds(void *self, struct pollfd *out)
{
    struct alsa *a = self;
    int n = snd_pcm_poll_descriptors(a->pcm, out, SINK_FDS_MAX);

    return n > 0 ? (size_t)n : 0;
}

static int64_t alsa_wake_us(void *self, int64_t now_us)
{
    (void)self;
    return now_us + WAKE_US;
}

static const struct sink_ops alsa_ops = {
    .open = alsa_open,
    .close = alsa_close,
    .start = alsa_start,
    .stop = alsa_stop,
    .cut = alsa_cut,
    .room = alsa_room,
    .write = alsa_write,
    .idle = alsa_idle,
    .fds = alsa_fds,
    .wake_us = alsa_wake_us,
};

struct sink sink_alsa(void)
{
    return (struct sink){&alsa_ops, &alsa};
}
