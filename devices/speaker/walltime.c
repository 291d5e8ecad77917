#include "speaker/walltime.h"

#include <string.h>

void walltime_init(struct walltime *w,
                   enum walltime_source source,
                   int64_t floor_ms)
{
    memset(w, 0, sizeof *w);
    w->source = source;
    w->floor_ms = floor_ms;
}

void walltime_sample(struct walltime *w, int64_t now_us, int64_t at_us)
{
    if (w->source != WALLTIME_SYSTEM)
        return;
    w->offset_us = at_us - now_us;
    w->trusted = at_us / 1000 >= w->floor_ms - WALLTIME_BEHIND_MS &&
                 at_us / 1000 >= w->ahead_ms - WALLTIME_BEHIND_MS;
}

void walltime_raise(struct walltime *w, int64_t at_ms)
{
    if (at_ms > w->floor_ms)
        w->floor_ms = at_ms;
}

void walltime_heard(struct walltime *w, int64_t at_ms, int64_t now_us)
{
    if (at_ms - walltime_at_us(w, now_us) / 1000 <= WALLTIME_AHEAD_MS)
        walltime_raise(w, at_ms);
    else if (at_ms > w->ahead_ms)
        w->ahead_ms = at_ms;
}

void walltime_doubt(struct walltime *w, int64_t at_ms)
{
    w->ahead_ms = 0;
    if (w->source != WALLTIME_NONE)
        return;
    if (w->floor_ms > at_ms)
        w->floor_ms = at_ms;
    w->doubted = true;
    w->ask_us = 0;
}

bool walltime_must_ask(const struct walltime *w, int64_t now_us)
{
    return w->source == WALLTIME_NONE && now_us >= w->ask_us;
}

void walltime_asked(struct walltime *w,
                    const uint8_t nonce[WALLTIME_NONCE_BYTES],
                    int64_t now_us)
{
    memcpy(w->nonce, nonce, sizeof w->nonce);
    w->asked = true;
    w->asked_us = now_us;
    w->ask_us = now_us + WALLTIME_ASK_AGAIN_MS * 1000LL;
}

bool walltime_answered(struct walltime *w,
                       const uint8_t nonce[WALLTIME_NONCE_BYTES],
                       int64_t time_ms,
                       int64_t now_us)
{
    int64_t took_us = now_us - w->asked_us;

    if (w->source != WALLTIME_NONE || !w->asked ||
        memcmp(nonce, w->nonce, sizeof w->nonce) != 0)
        return false;
    w->asked = false;
    if (took_us > WALLTIME_ANSWER_MS * 1000LL ||
        time_ms < w->floor_ms - WALLTIME_BEHIND_MS)
        return false;
    /* The signer read its clock somewhere between question and answer. */
    w->offset_us = time_ms * 1000 - (w->asked_us + took_us / 2);
    w->trusted = true;
    w->doubted = false;
    w->ask_us = now_us + WALLTIME_ASK_EVERY_MS * 1000LL;
    return true;
}

int64_t walltime_at_us(const struct walltime *w, int64_t now_us)
{
    return now_us + w->offset_us;
}

int64_t walltime_now_us(const struct walltime *w, int64_t at_us)
{
    return at_us - w->offset_us;
}
