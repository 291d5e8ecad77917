/* limiter.h -- keeps the true peak of a mono signal under a ceiling.
 *
 * Look-ahead limiter: the peak between samples is estimated by four-fold
 * interpolation, the gain is down before the peak arrives (5 ms) and comes back
 * slowly (80 ms), so that it is not heard as distortion. What stays below the
 * ceiling passes unchanged. Does not know what the codec adds behind it. */

#ifndef LOA_ENCODE_LIMITER_H
#define LOA_ENCODE_LIMITER_H

#include <stddef.h>

#define LIMITER_PHASES 4
#define LIMITER_TAPS 24 /* Of each phase. */
#define LIMITER_ATTACK 240
/* The peak is known LIMITER_TAPS / 2 samples after it has passed. */
#define LIMITER_DELAY (LIMITER_ATTACK + LIMITER_TAPS / 2)
#define LIMITER_WINDOW (LIMITER_ATTACK + 4)

struct limiter {
    double ceiling;       /* Linear. */
    double release;       /* Share of the way back that each sample goes. */
    double gain;          /* After release, before smoothing. */
    double sum;           /* Of smooth[]. */
    unsigned long long n; /* Samples so far. */
    double fir[LIMITER_PHASES][LIMITER_TAPS];
    double reach; /* How far interpolation goes beyond samples of 1. */
    float delay[LIMITER_DELAY + 1]; /* Ring. */
    double smooth[LIMITER_ATTACK];  /* Ring of gains. */
    /* Running minimum: candidates in order of time, growing in value. */
    struct {
        unsigned long long at;
        double need;
    } low[LIMITER_WINDOW];
    size_t low_first, low_n;
};

void limiter_init(struct limiter *l, double ceiling_dbtp);

/* Replace n samples by the limited ones. What comes out lags LIMITER_DELAY
 * samples behind: so many zeros first; push as many zeros to get the rest. */
void limiter_run(struct limiter *l, float *samples, size_t n);

#endif /* LOA_ENCODE_LIMITER_H */
