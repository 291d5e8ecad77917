#include "speaker/io_sound.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"

#define PUMP_MAX 64 /* Periods in one go; the rest in the next turn. */

static int64_t now_us(void)
{
    return (int64_t)clock_mono_us();
}

static void pump(struct sound *s);

/* --- when to look again --------------------------------------------------- */

/* A uv_timer counts whole milliseconds from the start of the loop's turn; a
 * period's moment is wanted more exactly. */
static void arm(struct sound *s, int64_t at_us)
{
    struct itimerspec t = {
        .it_value = {at_us / 1000000, at_us % 1000000 * 1000},
    };

    timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void on_timer(uv_poll_t *handle, int status, int events)
{
    struct sound *s = handle->data;
    uint64_t n;

    (void)status;
    (void)events;
    if (read(s->timer_fd, &n, sizeof n) == sizeof n && s->active)
        pump(s);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct sound *s = handle->data;

    (void)status;
    (void)events;
    if (s->active)
        pump(s);
}

static void stop_polls(struct sound *s)
{
    for (size_t i = 0; i < s->polls_n; i++)
        uv_poll_stop(s->polls[i]);
}

static void start_polls(struct sound *s)
{
    for (size_t i = 0; i < s->polls_n; i++)
        uv_poll_start(s->polls[i], UV_WRITABLE, on_ready);
}

/* --- the output ----------------------------------------------------------- */

/* Each opening has handles of its own: those of the one before may not have
 * closed yet. */
static int attach_polls(struct sound *s)
{
    struct pollfd fds[SINK_FDS_MAX];
    size_t n = s->sink.ops->fds(s->sink.self, fds);

    assert(s->polls_n == 0);
    for (size_t i = 0; i < n; i++) {
        uv_poll_t *poll = malloc(sizeof *poll);

        if (poll == NULL || uv_poll_init(s->loop, poll, fds[i].fd) != 0) {
            free(poll);
            return LOA_ESYS;
        }
        poll->data = s;
        s->polls[s->polls_n++] = poll;
    }
    return LOA_OK;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_polls(struct sound *s)
{
    while (s->polls_n > 0)
        uv_close((uv_handle_t *)s->polls[--s->polls_n], on_poll_closed);
}

static void pause_tries(struct sound *s)
{
    s->pause_us = s->pause_us == 0 ? SOUND_RETRY_US_MIN : 2 * s->pause_us;
    if (s->pause_us > SOUND_RETRY_US_MAX)
        s->pause_us = SOUND_RETRY_US_MAX;
    s->retry_us = now_us() + s->pause_us;
}

static void try_open(struct sound *s)
{
    int rv = s->sink.ops->open(s->sink.self, s->target);

    s->open = rv == LOA_OK;
    if (!s->open)
        pause_tries(s);
    if (s->open && attach_polls(s) != LOA_OK)
        log_warn("sound.poll", "text=paced by the timer alone");
    s->calls.state(s->calls.data, rv);
}

static void fail(struct sound *s, int status)
{
    log_error("sound.lost", "text=%s", loa_strerror(status));
    close_polls(s);
    s->sink.ops->close(s->sink.self, now_us());
    s->open = s->active = false;
    pause_tries(s);
    s->calls.state(s->calls.data, status);
}

/* --- periods -------------------------------------------------------------- */

static void scale(int16_t *pcm, size_t n, uint32_t percent)
{
    if (percent >= 100)
        return;
    for (size_t i = 0; i < n; i++)
        pcm[i] = (int16_t)(pcm[i] * (int32_t)percent / 100);
}

static void fill(struct sound *s,
                 const struct player_plan *plan,
                 int16_t pcm[SINK_PERIOD],
                 uint64_t concealed_n[PLAYER_VOICES])
{
    size_t at = 0;

    for (size_t i = 0; i < plan->segments_n; i++) {
        const struct player_segment *seg = &plan->segments[i];

        if (seg->voice < 0)
            memset(pcm + at, 0, seg->samples_n * sizeof pcm[0]);
        else
            concealed_n[seg->voice] +=
                voice_read(&s->voices[seg->voice], pcm + at, seg->samples_n);
        at += seg->samples_n;
    }
    assert(at == SINK_PERIOD);
    scale(pcm, SINK_PERIOD, s->calls.volume(s->calls.data));
}

static int hand_over(struct sound *s, const struct player_period *period)
{
    uint64_t concealed_n[PLAYER_VOICES] = {0};
    int16_t pcm[SINK_PERIOD];
    int rv;

    fill(s, s->calls.period(s->calls.data, period), pcm, concealed_n);
    rv = s->sink.ops->write(s->sink.self, pcm, SINK_PERIOD);
    if (rv == LOA_OK)
        s->pause_us = 0;
    s->calls.played(s->calls.data, concealed_n);
    return rv;
}

static int pump_periods(struct sound *s)
{
    for (int i = 0; i < PUMP_MAX && s->calls.sounding(s->calls.data); i++) {
        struct player_period period = {.now_us = now_us(),
                                       .samples_n = SINK_PERIOD};
        size_t room;
        int rv = s->sink.ops->room(s->sink.self, period.now_us, &room,
                                   &period.next_us);

        if (rv == LOA_OK && room < SINK_PERIOD)
            return LOA_OK;
        if (rv == LOA_OK)
            rv = hand_over(s, &period);
        if (rv != LOA_OK)
            return rv;
    }
    return LOA_OK;
}

static void pump(struct sound *s)
{
    int rv;

    if (s->pumping)
        return;
    s->pumping = true;
    rv = pump_periods(s);
    s->pumping = false;
    if (rv != LOA_OK) {
        fail(s, rv);
    } else if (s->calls.sounding(s->calls.data) ||
               !s->sink.ops->stop(s->sink.self, now_us())) {
        arm(s, s->sink.ops->wake_us(s->sink.self, now_us()));
    } else {
        s->active = false;
        stop_polls(s);
        arm(s, 0);
    }
}

void sound_update(struct sound *s)
{
    int rv = LOA_OK;

    if (s->pumping || s->active)
        return;
    if (!s->open) {
        if (now_us() >= s->retry_us)
            try_open(s);
        return;
    }
    if (!s->calls.sounding(s->calls.data)) {
        rv = s->sink.ops->idle(s->sink.self, now_us());
    } else {
        rv = s->sink.ops->start(s->sink.self, now_us());
        s->active = rv == LOA_OK;
    }
    if (rv != LOA_OK) {
        fail(s, rv);
    } else if (s->active) {
        start_polls(s);
        pump(s);
    }
}

void sound_cut(struct sound *s)
{
    if (s->open && s->active)
        s->sink.ops->cut(s->sink.self);
}

/* --- life ----------------------------------------------------------------- */

static int choose_sink(struct sound *s, const char *output)
{
    if (strncmp(output, "wav:", 4) == 0 && output[4] != '\0') {
        s->sink = sink_wav();
        s->target = output + 4;
    } else if (strncmp(output, "alsa:", 5) == 0 && output[5] != '\0') {
        s->sink = sink_alsa();
        s->target = output + 5;
    } else {
        return LOA_EINVAL;
    }
    return LOA_OK;
}

int sound_open(struct sound *s,
               uv_loop_t *loop,
               const char *output,
               const struct sound_calls *calls)
{
    int rv = choose_sink(s, output);

    if (rv != LOA_OK)
        return rv;
    s->loop = loop;
    s->calls = *calls;
    for (size_t i = 0; i < PLAYER_VOICES; i++)
        if (voice_init(&s->voices[i]) != LOA_OK)
            return LOA_ENOMEM;
    s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (s->timer_fd < 0 || uv_poll_init(loop, &s->timer, s->timer_fd) != 0)
        return LOA_ESYS;
    s->timer.data = s;
    uv_poll_start(&s->timer, UV_READABLE, on_timer);
    try_open(s);
    return LOA_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct sound *s = handle->data;

    close(s->timer_fd);
}

void sound_close(struct sound *s)
{
    if (s->open)
        s->sink.ops->close(s->sink.self, now_us());
    s->open = s->active = false;
    close_polls(s);
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
    for (size_t i = 0; i < PLAYER_VOICES; i++)
        voice_free(&s->voices[i]);
}
