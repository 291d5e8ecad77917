#include "common/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const double metric_seconds[13] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                   0.25,  0.5,    1,     2.5,  5,     10};

struct out {
    char *buf;
    size_t cap, len;
    int full;
};

static void put(struct out *o, const char *fmt, ...) LOA_PRINTF(2, 3);

static void put(struct out *o, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (o->full)
        return;
    va_start(ap, fmt);
    n = vsnprintf(o->buf + o->len, o->cap - o->len, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= o->cap - o->len)
        o->full = 1;
    else
        o->len += (size_t)n;
}

void metric_observe(struct metric *m, double value)
{
    size_t i = 0;

    assert(m->type == METRIC_HISTOGRAM && m->bounds_n <= METRIC_BOUNDS_MAX);
    while (i < m->bounds_n && value > m->bounds[i])
        i++;
    m->buckets[i]++;
    m->value += value;
}

int metrics_register(struct metrics *r,
                     const struct metric *metrics,
                     size_t metrics_n)
{
    if (r->sets_n == METRICS_SETS_MAX)
        return LOA_EBUSY;
    r->sets[r->sets_n].metrics = metrics;
    r->sets[r->sets_n++].metrics_n = metrics_n;
    return LOA_OK;
}

/* Counts are whole and stay readable; everything else keeps its precision. */
static void put_value(struct out *o, double value)
{
    if (isinf(value))
        put(o, value > 0 ? " +Inf\n" : " -Inf\n");
    else if (isnan(value))
        put(o, " NaN\n");
    else if (fabs(value) < 1e15 && trunc(value) == value)
        put(o, " %.0f\n", value + 0.0); /* Not -0. */
    else
        put(o, " %.17g\n", value);
}

static void put_name(struct out *o, const struct metric *m, const char *suffix)
{
    put(o, "%s%s", m->name, suffix);
    if (m->labels != NULL)
        put(o, "{%s}", m->labels);
}

static void put_histogram(struct out *o, const struct metric *m)
{
    const char *labels = m->labels == NULL ? "" : m->labels;
    const char *comma = m->labels == NULL ? "" : ",";
    uint64_t n = 0;

    for (size_t i = 0; i <= m->bounds_n; i++) {
        n += m->buckets[i];
        put(o, "%s_bucket{%s%sle=\"", m->name, labels, comma);
        if (i < m->bounds_n)
            put(o, "%g", m->bounds[i]);
        else
            put(o, "+Inf");
        put(o, "\"} %" PRIu64 "\n", n);
    }
    put_name(o, m, "_sum");
    put_value(o, m->value);
    put_name(o, m, "_count");
    put(o, " %" PRIu64 "\n", n);
}

static void put_metric(struct out *o, const struct metric *m, int is_first)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    if (is_first)
        put(o, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
            types[m->type]);
    if (m->type == METRIC_HISTOGRAM) {
        put_histogram(o, m);
    } else {
        put_name(o, m, "");
        put_value(o, m->value);
    }
}

int metrics_text(const struct metrics *r, char *buf, size_t cap, size_t *len)
{
    struct out o = {buf, cap, 0, cap == 0};

    for (size_t s = 0; s < r->sets_n; s++) {
        const struct metric *m = r->sets[s].metrics;
        for (size_t i = 0; i < r->sets[s].metrics_n; i++)
            put_metric(&o, &m[i],
                       i == 0 || strcmp(m[i].name, m[i - 1].name) != 0);
    }
    *len = o.len;
    return o.full ? LOA_ENOSPC : LOA_OK;
}
