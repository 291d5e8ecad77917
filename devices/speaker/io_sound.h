/* io_sound.h -- periods to the output, when it is time for them.
 *
 * Owns the output and the two voices. What a period holds is the core's plan;
 * this fills it and hands it over. Idle unless something sounds or is about
 * to. */

#ifndef LOA_SPEAKER_IO_SOUND_H
#define LOA_SPEAKER_IO_SOUND_H

#include <uv.h>

#include "speaker/io_voice.h"
#include "speaker/player.h"
#include "speaker/sink.h"

/* After the output refused: the first is within what a start waits for it
 * (AGENDA_LATE_MS), then twice as long each time. */
#define SOUND_RETRY_US_MIN 500000
#define SOUND_RETRY_US_MAX 10000000

struct sound_calls {
    const struct player_plan *(*period)(void *data,
                                        const struct player_period *p);
    void (*played)(void *data, const uint64_t concealed_n[PLAYER_VOICES]);
    bool (*sounding)(void *data);
    uint32_t (*volume)(void *data);
    /* LOA_OK: the output works (again). */
    void (*state)(void *data, int status);
    void *data;
};

struct sound {
    uv_loop_t *loop;
    struct sound_calls calls;
    struct sink sink;
    const char *target;
    bool open, active, pumping;
    int64_t retry_us; /* Monotonic: when it is tried again. */
    int64_t pause_us; /* 0: the last period went well. */
    int timer_fd;
    uv_poll_t timer;
    uv_poll_t *polls[SINK_FDS_MAX]; /* Of this opening of the output. */
    size_t polls_n;
    struct voice voices[PLAYER_VOICES];
};

/* output is "wav:PATH" or "alsa:DEVICE", lent. An output that cannot be opened
 * is tried again later; state() tells. LOA_EINVAL: neither; LOA_ESYS,
 * LOA_ENOMEM. */
LOA_MUST_CHECK int sound_open(struct sound *s,
                              uv_loop_t *loop,
                              const char *output,
                              const struct sound_calls *calls);
void sound_close(struct sound *s);

/* Call after every change of what sounds, and at least every second. */
void sound_update(struct sound *s);
/* What is buffered must not sound. */
void sound_cut(struct sound *s);

#endif /* LOA_SPEAKER_IO_SOUND_H */
