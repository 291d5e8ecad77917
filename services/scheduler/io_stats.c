#include "scheduler/io_stats.h"

#include <stdio.h>
#include <string.h>

const char *stats_what_name(enum scheduler_what what)
{
    static const char *const names[SCHEDULER_WHATS_N] = {
        [SCHEDULER_ADD] = "add",         [SCHEDULER_CHANGE] = "change",
        [SCHEDULER_CANCEL] = "cancel",   [SCHEDULER_FIND] = "find",
        [SCHEDULER_RELEASE] = "release",
    };

    return names[what];
}

int stats_init(struct stats *t, struct metrics *metrics)
{
    static const struct metric own[STATS_N] = {
        [STATS_HEADS] = METRIC_COUNTER_INIT("loa_scheduler_heads_total",
                                            "Heads published", NULL),
        [STATS_TIME_ANSWERED] = METRIC_COUNTER_INIT(
            "loa_scheduler_time_requests_total", "Requests for the time",
            "outcome=\"answered\""),
        [STATS_TIME_DROPPED] =
            METRIC_COUNTER_INIT("loa_scheduler_time_requests_total",
                                "Requests for the time", "outcome=\"dropped\""),
        [STATS_MADE] =
            METRIC_COUNTER_INIT("loa_scheduler_programmes_made_total",
                                "Programme versions made", NULL),
        [STATS_OMITTED] = METRIC_COUNTER_INIT(
            "loa_scheduler_bulletins_omitted_total",
            "Bulletins that a programme had no room for", NULL),
        [STATS_CANCELLED] =
            METRIC_COUNTER_INIT("loa_scheduler_bulletins_revoked_total",
                                "Bulletins cancelled after a revocation", NULL),
        [STATS_COMMIT] = METRIC_HISTOGRAM_INIT("loa_scheduler_commit_seconds",
                                               "From a decision to its commit",
                                               NULL, metric_seconds),
        [STATS_BULLETINS] = METRIC_GAUGE_INIT("loa_scheduler_bulletins",
                                              "Bulletins held", NULL),
        [STATS_APPROVALS] = METRIC_GAUGE_INIT("loa_scheduler_approvals",
                                              "Approvals held", NULL),
        [STATS_AREAS] =
            METRIC_GAUGE_INIT("loa_scheduler_areas", "Areas known", NULL),
        [STATS_PROGRAMMES] = METRIC_GAUGE_INIT("loa_scheduler_programmes",
                                               "Areas with a programme", NULL),
        [STATS_PENDING] = METRIC_GAUGE_INIT("loa_scheduler_requests_pending",
                                            "Requests waiting for room", NULL),
        [STATS_UNCOVERED] = METRIC_GAUGE_INIT(
            "loa_scheduler_bulletins_uncovered",
            "Bulletins with an occurrence in the coming days that is not said: "
            "the approval ends before",
            NULL),
        [STATS_CLOCK_DOUBTED] = METRIC_GAUGE_INIT(
            "loa_scheduler_clock_doubted",
            "1: the clock is in doubt, nothing is planned", NULL),
    };
    int rv;

    memcpy(t->own, own, sizeof own);
    for (int what = 0; what < SCHEDULER_WHATS_N; what++)
        for (int code = 0; code < SAY_CODES_N; code++) {
            char *labels = t->labels[what][code];

            snprintf(labels, sizeof t->labels[0][0], "kind=\"%s\",code=\"%s\"",
                     stats_what_name((enum scheduler_what)what),
                     say_name((enum say_code)code));
            t->requests[what][code] = (struct metric)METRIC_COUNTER_INIT(
                "loa_scheduler_requests_total", "Requests decided", labels);
        }
    rv = metrics_register(metrics, t->own, STATS_N);
    if (rv == LOA_OK)
        rv = metrics_register(metrics, &t->requests[0][0],
                              SCHEDULER_WHATS_N * SAY_CODES_N);
    return rv;
}

void stats_collect(struct stats *t, const struct scheduler *s, size_t pending_n)
{
    const struct areas *areas = &s->plan.areas;
    uint32_t programmes_n = 0, known_n = 0, uncovered_n = 0;

    for (uint32_t i = 0; i < areas->rows_n; i++) {
        programmes_n += areas->rows[i].programme.version != 0;
        known_n += areas->rows[i].spans_n != 0;
    }
    for (uint32_t i = 0; i < s->plan.index.touched_n; i++) {
        const struct bulletin *b = &s->plan.bulletins[i];

        uncovered_n +=
            b->used && plan_uncovered(b, s->at_ms) < s->window_end_ms;
    }
    metric_set(&t->own[STATS_UNCOVERED], uncovered_n);
    metric_set(&t->own[STATS_BULLETINS], s->plan.index.rows_n);
    metric_set(&t->own[STATS_APPROVALS], s->plan.approvals.index.rows_n);
    metric_set(&t->own[STATS_AREAS], known_n);
    metric_set(&t->own[STATS_PROGRAMMES], programmes_n);
    metric_set(&t->own[STATS_PENDING], (double)pending_n);
}
