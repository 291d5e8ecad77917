#include "encode/limiter.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define RELEASE_S 0.08
#define RATE_HZ 48000.0

/* Interpolation by a sinc under a Hann window. Phase 0 lies on a sample. */
static void fir_init(struct limiter *l)
{
    for (int phase = 0; phase < LIMITER_PHASES; phase++) {
        double sum = 0, reach;

        for (int k = 0; k < LIMITER_TAPS; k++) {
            double x = k - LIMITER_TAPS / 2 + (double)phase / LIMITER_PHASES;
            double hann = 0.5 + 0.5 * cos(M_PI * x / (LIMITER_TAPS / 2 + 0.5));
            double sinc = x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);

            l->fir[phase][k] = sinc * hann;
            sum += sinc * hann;
        }
        reach = 0;
        for (int k = 0; k < LIMITER_TAPS; k++) {
            l->fir[phase][k] /= sum;
            reach += fabs(l->fir[phase][k]);
        }
        l->reach = fmax(l->reach, reach);
    }
}

void limiter_init(struct limiter *l, double ceiling_dbtp)
{
    memset(l, 0, sizeof *l);
    l->ceiling = pow(10, ceiling_dbtp / 20);
    l->release = 1 - exp(-1 / (RELEASE_S * RATE_HZ));
    l->gain = 1;
    l->sum = LIMITER_ATTACK;
    for (size_t i = 0; i < LIMITER_ATTACK; i++)
        l->smooth[i] = 1;
    fir_init(l);
}

/* Sample n, which has to be one of the last LIMITER_DELAY. */
static double past(const struct limiter *l, unsigned long long n)
{
    return l->delay[n % (LIMITER_DELAY + 1)];
}

/* The gain that the stretch around sample n - LIMITER_TAPS / 2 needs. */
static double gain_needed(const struct limiter *l)
{
    double peak = 0, x[LIMITER_TAPS];

    for (unsigned k = 0; k < LIMITER_TAPS; k++) {
        x[k] = l->n >= k ? past(l, l->n - k) : 0;
        if (fabs(x[k]) > peak)
            peak = fabs(x[k]);
    }
    if (peak * l->reach <= l->ceiling)
        return 1; /* Most of speech: no need to look between the samples. */
    peak = 0;
    for (int phase = 0; phase < LIMITER_PHASES; phase++) {
        double y = 0;

        for (int k = 0; k < LIMITER_TAPS; k++)
            y += l->fir[phase][k] * x[k];
        if (fabs(y) > peak)
            peak = fabs(y);
    }
    return peak > l->ceiling ? l->ceiling / peak : 1;
}

/* The least gain needed within the window that ends now. */
static double running_min(struct limiter *l, double need)
{
    size_t last;

    if (l->low_n > 0 && l->low[l->low_first].at + LIMITER_WINDOW <= l->n) {
        l->low_first = (l->low_first + 1) % LIMITER_WINDOW;
        l->low_n--;
    }
    while (l->low_n > 0) {
        last = (l->low_first + l->low_n - 1) % LIMITER_WINDOW;
        if (l->low[last].need < need)
            break;
        l->low_n--;
    }
    assert(l->low_n < LIMITER_WINDOW);
    last = (l->low_first + l->low_n) % LIMITER_WINDOW;
    l->low[last].at = l->n;
    l->low[last].need = need;
    l->low_n++;
    return l->low[l->low_first].need;
}

static float step(struct limiter *l, float in)
{
    size_t slot = l->n % LIMITER_ATTACK;
    double low, out;

    l->delay[l->n % (LIMITER_DELAY + 1)] = in;
    low = running_min(l, gain_needed(l));
    l->gain += (1 - l->gain) * l->release;
    if (l->gain > low)
        l->gain = low;

    /* The mean of gains none of which is above the need is not above it. */
    l->sum += l->gain - l->smooth[slot];
    l->smooth[slot] = l->gain;
    out = l->n < LIMITER_DELAY ? 0 : past(l, l->n - LIMITER_DELAY);
    l->n++;
    return (float)(out * l->sum / LIMITER_ATTACK);
}

void limiter_run(struct limiter *l, float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++)
        samples[i] = step(l, samples[i]);
}
