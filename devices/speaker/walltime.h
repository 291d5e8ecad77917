/* walltime.h -- what time it is, and whether that may be believed.
 *
 * Monotonic and wall time meet here and nowhere else. The system's clock is
 * believed unless it is behind time that was signed; without a clock of its
 * own (source NONE) a device believes only an answer to its own nonce. */

#ifndef LOA_SPEAKER_WALLTIME_H
#define LOA_SPEAKER_WALLTIME_H

#include <stdbool.h>
#include <stdint.h>

#define WALLTIME_NONCE_BYTES 16
#define WALLTIME_BEHIND_MS 120000     /* Signed clocks may differ by it. */
#define WALLTIME_AHEAD_MS 600000      /* See walltime.ahead_ms. */
#define WALLTIME_ANSWER_MS 2000       /* A slower answer is not precise. */
#define WALLTIME_ASK_AGAIN_MS 3000    /* Until the first good answer. */
#define WALLTIME_ASK_EVERY_MS 3600000 /* Afterwards: quartz drifts. */

enum walltime_source { WALLTIME_SYSTEM, WALLTIME_NONE };

struct walltime {
    enum walltime_source source;
    bool trusted;
    int64_t offset_us; /* Wall minus monotonic. */
    int64_t floor_ms;  /* The latest time that was signed, or played by. */
    int64_t ahead_ms;  /* Time that was signed and is far ahead of the clock;
                          0: none. One of the two is wrong, so nothing begins;
                          but it counts no longer than its signer is believed. */
    bool doubted;      /* Its signer may be revoked; no answer came since. */
    bool asked;        /* nonce is out. */
    uint8_t nonce[WALLTIME_NONCE_BYTES];
    int64_t asked_us; /* Monotonic. */
    int64_t ask_us;   /* When to ask (again). */
};

void walltime_init(struct walltime *w,
                   enum walltime_source source,
                   int64_t floor_ms);

/* Both clocks, read together. Call at every event. */
void walltime_sample(struct walltime *w, int64_t now_us, int64_t at_us);

/* Time was signed, or acted on: it is at least this late. Never goes back. */
void walltime_raise(struct walltime *w, int64_t at_ms);

/* A head said this time. */
void walltime_heard(struct walltime *w, int64_t at_ms, int64_t now_us);

/* Who said what is far ahead may be revoked now: let it be said again. What
 * others signed at at_ms is no reason for a later floor: without a clock of its
 * own the device has all its time from one signer, and asks again. */
void walltime_doubt(struct walltime *w, int64_t at_ms);

/* Is it time to ask the scheduler? (Source NONE only.) Then walltime_asked()
 * with a fresh nonce. */
bool walltime_must_ask(const struct walltime *w, int64_t now_us);
void walltime_asked(struct walltime *w,
                    const uint8_t nonce[WALLTIME_NONCE_BYTES],
                    int64_t now_us);

/* A verified head with this nonce came. True if it set the clock. */
bool walltime_answered(struct walltime *w,
                       const uint8_t nonce[WALLTIME_NONCE_BYTES],
                       int64_t time_ms,
                       int64_t now_us);

/* From one time to the other, by what is believed now. */
int64_t walltime_at_us(const struct walltime *w, int64_t now_us);
int64_t walltime_now_us(const struct walltime *w, int64_t at_us);

#endif /* LOA_SPEAKER_WALLTIME_H */
