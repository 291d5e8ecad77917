/* metrics.h -- counters, gauges and histograms as Prometheus text. Pure.
 *
 * A service keeps static arrays of struct metric and registers them once. The
 * samples of one name with different labels stand next to each other in one
 * array; the first one's help and type count. Labels are constants: nothing
 * that a peer chooses becomes a label. */

#ifndef LOA_COMMON_METRICS_H
#define LOA_COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define METRICS_SETS_MAX 16
#define METRIC_BOUNDS_MAX 16

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name; /* "loa_receipts_total": counters end in _total. */
    const char *help; /* One sentence, without a full stop. */
    enum metric_type type;
    const char *labels;   /* "class=\"normal\",kind=\"x\"", or NULL. */
    const double *bounds; /* Histograms: rising upper bounds, without +Inf. */
    size_t bounds_n;      /* At most METRIC_BOUNDS_MAX. */
    /* State; begins as 0. */
    double value;                            /* Counter, gauge; sum. */
    uint64_t buckets[METRIC_BOUNDS_MAX + 1]; /* The last is above all bounds. */
};

/* Initialisers: METRIC_COUNTER_INIT("loa_x_total", "Things done", NULL) */
#define METRIC_COUNTER_INIT(name, help, labels)         \
    {                                                   \
        name, help, METRIC_COUNTER, labels, NULL, 0, 0, \
        {                                               \
            0                                           \
        }                                               \
    }
#define METRIC_GAUGE_INIT(name, help, labels)         \
    {                                                 \
        name, help, METRIC_GAUGE, labels, NULL, 0, 0, \
        {                                             \
            0                                         \
        }                                             \
    }
#define METRIC_HISTOGRAM_INIT(name, help, labels, bounds) \
    {                                                     \
        name, help, METRIC_HISTOGRAM, labels, bounds,     \
            sizeof(bounds) / sizeof(bounds)[0], 0,        \
        {                                                 \
            0                                             \
        }                                                 \
    }

/* Seconds, 1 ms to 10 s: what most of Loa's histograms want. */
extern const double metric_seconds[13];

static inline void metric_add(struct metric *m, double by)
{
    m->value += by;
}
static inline void metric_inc(struct metric *m)
{
    m->value += 1;
}
static inline void metric_set(struct metric *m, double value)
{
    m->value = value;
}
void metric_observe(struct metric *m, double value);

struct metrics {
    struct {
        const struct metric *metrics;
        size_t metrics_n;
    } sets[METRICS_SETS_MAX];
    size_t sets_n;
};

/* metrics must outlive *r. LOA_EBUSY: METRICS_SETS_MAX. */
LOA_MUST_CHECK int metrics_register(struct metrics *r,
                                    const struct metric *metrics,
                                    size_t metrics_n);

/* Write the exposition (text format 0.0.4), 0-terminated. LOA_ENOSPC: cap is
 * too small. *len is without the 0. */
LOA_MUST_CHECK int metrics_text(const struct metrics *r,
                                char *buf,
                                size_t cap,
                                size_t *len);

#endif /* LOA_COMMON_METRICS_H */
