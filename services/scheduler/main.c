/* loa-scheduler -- takes schedules, publishes programmes and heads.
 *
 * This file only wires: io_feed.c is where the core meets the world, io_sync.c
 * keeps the copy of the area tree, io_heads.c publishes heads. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/config.h"
#include "scheduler/io_feed.h"
#include "scheduler/io_heads.h"
#include "scheduler/io_pg.h"
#include "scheduler/io_sync.h"

struct app {
    struct config conf;
    struct service service;
    struct feed feed;
    struct sync sync;
    struct io_heads heads;
};

/* What the broker holds of ours is looked at once all areas are known: what is
 * of none of them is passed over. */
static void watch_programmes(struct app *a)
{
    char filter[LOA_TOPIC_CAP];

    snprintf(filter, sizeof filter, "loa/1/down/programme/%s/#",
             a->service.identity.leaf.area);
    if (mqtt_subscribe(&a->service.mqtt, filter, 1) != LOA_OK)
        service_stop(&a->service, EXIT_FAILURE);
}

static void on_page(void *data, const struct sync_page *page, bool complete)
{
    struct app *a = data;

    feed_areas(&a->feed, page, complete);
    if (complete)
        watch_programmes(a); /* Once: a filter that is there stays. */
}

static void on_request(void *data, struct rpc_call *call, struct loa_bytes body)
{
    struct app *a = data;

    (void)body; /* The call keeps it. */
    feed_request(&a->feed, call);
}

static void on_trust_changed(void *data)
{
    struct app *a = data;

    feed_trust(&a->feed);
    if (a->service.trust.trust.revoked.areas_version > a->sync.since)
        sync_start(&a->sync);
}

static int start(void *data)
{
    struct app *a = data;
    struct service *s = &a->service;
    struct areas *areas = &a->feed.core.plan.areas;
    struct scheduler_conf conf = {
        .limits = {.areas = SCHEDULER_AREAS_MAX,
                   .bulletins = SCHEDULER_BULLETINS_MAX,
                   .placements = SCHEDULER_PLACEMENTS_MAX,
                   .approvals = SCHEDULER_APPROVALS_MAX,
                   .certificates = SCHEDULER_CERTIFICATES_MAX},
        .trust = &s->trust.trust,
        .signer = loa_identity_signer(&s->identity),
        .min_lead_ms = (int64_t)a->conf.min_lead_ms,
        .horizon_days = a->conf.horizon_days,
        .keep_days = a->conf.keep_days,
    };
    uint64_t areas_version;
    uint32_t own;
    int rv;

    memcpy(conf.area, s->identity.leaf.area, sizeof conf.area);
    rv = feed_open(&a->feed, s, &conf, &areas_version);
    if (rv == LOA_OK)
        rv = io_clock_open(&a->feed.clock, s, a->conf.clock_right);
    if (rv == LOA_OK)
        rv = areas_put(areas, conf.area, &own);
    if (rv == LOA_OK)
        rv = sync_open(&a->sync, s, areas_version, on_page, a);
    if (rv == LOA_OK)
        io_heads_open(&a->heads, s, areas, own, a->conf.head_interval_ms,
                      &a->feed.clock, &a->feed.stats);
    return rv;
}

static void connected(void *data)
{
    struct app *a = data;
    char answers[LOA_TOPIC_CAP];

    sync_filter(&a->service, answers);
    if (mqtt_subscribe(&a->service.mqtt, answers, 1) != LOA_OK) {
        service_stop(&a->service, EXIT_FAILURE);
        return;
    }
    sync_start(&a->sync);
}

static bool intercept(void *data, const struct mqtt_msg *m)
{
    struct app *a = data;

    return io_heads_message(&a->heads, m);
}

/* What is no request, no trust list and no TimeRequest: answers to us, and the
 * programmes that the broker holds. */
static void message(void *data, const struct mqtt_msg *m)
{
    struct app *a = data;
    struct loa_topic t;

    if (loa_topic_parse(m->topic, &t) != LOA_OK)
        return;
    if (t.plane == LOA_PLANE_RPC)
        sync_message(&a->sync, m);
    else
        feed_programme(&a->feed, m);
}

static bool ready(void *data, const char **why)
{
    struct app *a = data;

    *why = "the areas have not come from the registry yet";
    if (!a->feed.core.areas_known)
        return false;
    *why = "the clock is in doubt, see event=clock.doubted in the log";
    return io_clock_believed(&a->feed.clock);
}

static void collect(void *data)
{
    struct app *a = data;

    stats_collect(&a->feed.stats, &a->feed.core, a->feed.pending_n);
    metric_set(&a->feed.stats.own[STATS_CLOCK_DOUBTED],
               !io_clock_believed(&a->feed.clock));
}

static void stop(void *data)
{
    struct app *a = data;

    feed_close(&a->feed);
    io_heads_close(&a->heads);
    sync_close(&a->sync);
}

int main(int argc, char *argv[])
{
    static struct app a; /* Zeroed, and too big for the stack. */
    const struct service_conf conf = {
        .name = "scheduler",
        .settings = &a.conf.service,
        .schema = "scheduler",
        .stmts = io_pg_stmts,
        .stmts_n = io_pg_stmts_n,
        .outbox = true,
        .inbox = true,
        .on_request = on_request,
        .request_type = LOA_TYPE_SCHEDULER_REQUEST,
        .answer_type = LOA_TYPE_SCHEDULER_ANSWER,
        .trust_changed = on_trust_changed,
        .intercept = intercept,
        .start = start,
        .connected = connected,
        .message = message,
        .ready = ready,
        .collect = collect,
        .stop = stop,
        .data = &a,
    };
    int exit_code;

    if (!scheduler_config(argc, argv, &a.conf, &exit_code))
        return exit_code;
    exit_code = service_run(&a.service, &conf);
    feed_free(&a.feed);
    return exit_code;
}
