/* The limiter keeps every kind of sound under its ceiling, and what is under
 * it already passes as it is. */

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "encode/limiter.h"

#define N 24000 /* Samples, 0.5 s. */

static float in[N], out[N + LIMITER_DELAY];

static void run(double ceiling_dbtp)
{
    static struct limiter l;

    limiter_init(&l, ceiling_dbtp);
    for (int i = 0; i < N + LIMITER_DELAY; i++)
        out[i] = i < N ? in[i] : 0;
    /* In uneven pieces: blocks must not show. */
    limiter_run(&l, out, 1000);
    limiter_run(&l, out + 1000, 1);
    limiter_run(&l, out + 1001, N + LIMITER_DELAY - 1001);
}

/* The true peak by another way than the limiter's own: a sinc of 64 samples,
 * eight-fold. */
static double true_peak_db(void)
{
    double peak = 0;

    for (int i = 32; i < N + LIMITER_DELAY - 32; i++) {
        for (int phase = 0; phase < 8; phase++) {
            double sum = 0;

            for (int k = -31; k <= 32; k++) {
                double x = phase / 8.0 - k;
                double window = 0.5 + 0.5 * cos(M_PI * x / 33);

                sum += out[i + k] * window *
                       (x == 0 ? 1 : sin(M_PI * x) / (M_PI * x));
            }
            if (fabs(sum) > peak)
                peak = fabs(sum);
        }
    }
    return 20 * log10(peak);
}

static float wave(int kind, int i)
{
    switch (kind) {
        case 0: /* Between the samples: a quarter of the rate, 45 degrees. */
            return (float)(4 * sin(M_PI / 2 * i + M_PI / 4));
        case 1: /* Loud bursts after silence. */
            return i % 6000 < 3000 ? 0 : (float)(8 * sin(0.13 * i));
        case 2: /* Single clicks. */
            return i % 977 == 0 ? 10 : 0;
        case 3: /* Square wave. */
            return i / 50 % 2 ? 3 : -3;
        default: /* Noise. */
            return (float)(i * 7919 % 1009) / 100 - 5;
    }
}

static void test_ceiling(void)
{
    for (int kind = 0; kind < 5; kind++) {
        char name[16];
        double peak_db;

        for (int i = 0; i < N; i++)
            in[i] = wave(kind, i);
        run(-1.5);
        peak_db = true_peak_db();
        snprintf(name, sizeof name, "wave %d", kind);
        /* Short interpolation misses up to 0.2 dB near the top of the band. */
        CHECK_INT(name, peak_db <= -1.3, 1);
        CHECK_INT(name, peak_db >= -4, 1);
    }
}

static void test_quiet_passes(void)
{
    double worst = 0;

    for (int i = 0; i < N; i++)
        in[i] = (float)(0.5 * sin(0.05 * i));
    run(-1);
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)out[i + LIMITER_DELAY] - in[i]));
    CHECK_INT("unchanged", worst < 1e-6, 1);
    for (int i = 0; i < LIMITER_DELAY; i++)
        CHECK_INT("delay", out[i] == 0, 1);
}

/* After a click the gain comes back: 99 % within five release times. */
static void test_release(void)
{
    double before, after;

    for (int i = 0; i < N; i++)
        in[i] = 0.1f;
    in[1000] = 4;
    run(0);
    before = out[1000 - 300 + LIMITER_DELAY];
    after = out[N - 1 + LIMITER_DELAY];
    CHECK_INT("not yet", fabs(before - 0.1) < 1e-6, 1);
    CHECK_INT("down", out[1010 + LIMITER_DELAY] < 0.03f, 1);
    CHECK_INT("back", after > 0.099, 1);
}

int main(void)
{
    test_ceiling();
    test_quiet_passes();
    test_release();
    return CHECK_DONE();
}
