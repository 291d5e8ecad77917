/* content-ingest -- recordings and texts in, signed packets out to the areas
 * that need them. This file only wires: settings, modules, and who tells whom.
 * docs/content-ingest.md has the states and the path of a file. */

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "content-ingest/app.h"
#include "content-ingest/io_reply.h"

#define TICK_MS 2000 /* Free space, stale uploads, jobs to be tried again. */

static struct app app;

static void collect(void *data)
{
    struct app *a = data;
    struct metric *m = a->stats.m;

    metric_set(&m[STATS_UPLOADS_RECEIVING],
               (double)ingest_count(&a->ingest, UPLOAD_RECEIVING));
    metric_set(&m[STATS_UPLOADS_WAITING],
               (double)ingest_count(&a->ingest, UPLOAD_WAITING));
    metric_set(&m[STATS_UPLOADS_ENCODING],
               (double)ingest_count(&a->ingest, UPLOAD_ENCODING));
    metric_set(&m[STATS_NEEDS], a->needs.needs_n);
    metric_set(&m[STATS_NEEDS_UNPUSHED], (double)push_waiting(&a->push));
    metric_set(&m[STATS_WANT_PENDING], (double)want_pending(&a->want));
    metric_set(&m[STATS_CACHE_HITS], (double)a->sender.cache.hits_n);
    metric_set(&m[STATS_CACHE_MISSES], (double)a->sender.cache.misses_n);
}

/* The worker program: as set, or beside this one. */
static void find_encoder(struct app *a)
{
    size_t len = sizeof a->encoder;
    char *slash;

    if (a->conf.encoder[0] != '\0') {
        snprintf(a->encoder, sizeof a->encoder, "%s", a->conf.encoder);
        return;
    }
    if (uv_exepath(a->encoder, &len) != 0)
        a->encoder[0] = '\0';
    slash = strrchr(a->encoder, '/');
    snprintf(slash == NULL ? a->encoder : slash + 1, 16, "loa-encode");
}

static void wire_modules(struct app *a)
{
    struct service *s = &a->service;
    struct pg *pg = &s->pg;

    a->uploads.pg = a->contents.pg = a->jobs.pg = pg;
    a->needs_io.pg = a->sender.pg = a->sweep.pg = a->exports.pg = pg;
    a->uploads.stats = a->contents.stats = a->jobs.stats = &a->stats;
    a->needs_io.stats = a->sender.stats = a->exports.stats = &a->stats;
    a->sweep.stats = &a->stats;
    a->jobs.loop = a->needs_io.loop = a->sender.loop = &s->loop;
    a->sweep.loop = a->exports.loop = &s->loop;
    a->uploads.data = a->jobs.data = a->needs_io.data = a;
    a->sender.data = a->sweep.data = a;
    a->uploads.ingest = &a->ingest;
    a->uploads.poke = feed_poke;
    a->uploads.stopped = feed_stopped;
    a->jobs.ended = feed_job_ended;
    a->jobs.progress = feed_job_progress;
    a->jobs.made = feed_made;
    a->contents.trust = a->needs_io.trust = &s->trust;
    a->contents.arena = a->needs_io.arena = &a->arena;
    a->needs_io.needs = &a->needs;
    a->needs_io.own_area = s->identity.leaf.area;
    a->needs_io.signer = feed_signer;
    a->needs_io.revoked = feed_revoked;
    a->needs_io.changed = feed_needs_changed;
    a->sender.mqtt = &s->mqtt;
    a->sender.push = &a->push;
    a->sender.want = &a->want;
    a->sender.pushed = feed_pushed;
    a->contents.release = a->sweep.release = &a->release;
    a->sweep.deleted = feed_deleted;
    a->sweep.may_delete = feed_may_delete;
}

static void configure(struct app *a)
{
    const struct config *c = &a->conf;
    const struct ingest_limits limits = {
        .jobs_max = c->encoders_max,
        .uploads_mine_max = c->uploads_mine_max,
        .bytes_mine_max = c->bytes_mine_max,
        .bytes_all_max = c->bytes_all_max,
        .free_bytes_min = c->free_bytes_min,
        .receiving_ms_max = c->upload_ms_max,
    };

    find_encoder(a);
    loa_arena_init(&a->arena, a->memory, sizeof a->memory);
    ingest_init(&a->ingest, &limits);
    needs_init(&a->needs);
    push_init(&a->push, &a->needs);
    want_init(&a->want, &a->needs, c->want_window_ms, randombytes_random());
    a->jobs.conf = (struct jobs_conf){
        .encoder = a->encoder,
        .work_dir = c->work_dir,
        .dictionary = c->dictionary,
        .duration_s_max = (unsigned)(c->duration_ms_max / 1000),
        .timeout_ms = c->encode_timeout_ms};
    a->exports.encoder = a->encoder;
    a->exports.work_dir = c->work_dir;
    a->sweep.delete_grace_ms = c->delete_grace_ms;
    a->contents.delete_grace_ms = c->delete_grace_ms;
}

/* Of each area that is known there may be a programme. */
static void list_areas(void *data, struct retained_plan *plan)
{
    const struct app *a = data;

    for (uint32_t i = 0; i < a->needs.areas_top; i++)
        if (a->needs.areas[i].used &&
            retained_plan_add(plan, a->needs.areas[i].path) != LOA_OK)
            return; /* As many as the tables hold: it cannot be. */
}

/* Everything that blocks happens here: the tables are read, then the broker
 * may send. */
static int start(void *data)
{
    struct app *a = data;
    const struct retained_conf programmes = {
        .loop = &a->service.loop,
        .mqtt = &a->service.mqtt,
        .plane = LOA_PLANE_DOWN,
        .kind = "programme",
        .own_area = a->service.identity.leaf.area,
        .messages_max = NEED_AREAS_MAX,
        .list = list_areas,
        .data = a};
    const struct sender_conf sender = {a->conf.push_packets_per_s,
                                       a->conf.repair_packets_per_s,
                                       (size_t)a->conf.cache_bytes};
    int rv = metrics_register(&a->service.metrics, a->stats.m, STATS_N);

    wire_modules(a);
    configure(a);
    /* They are read when the broker is connected, after this. */
    snprintf(a->filters[0], LOA_TOPIC_CAP, "loa/1/down/programme/%s/#",
             a->needs_io.own_area);
    snprintf(a->filters[1], LOA_TOPIC_CAP, "loa/1/up/want/%s/#",
             a->needs_io.own_area);
    release_open(&a->release, &a->service, &a->arena, feed_signers_known, a);
    release_filter(&a->release, a->filters[2]);
    uv_timer_init(&a->service.loop, &a->tick);
    a->tick.data = a;
    uv_timer_start(&a->tick, feed_tick, 0, TICK_MS);
    if (rv == LOA_OK)
        rv = retained_open(&a->retained, &programmes);
    if (rv == LOA_OK)
        rv = sweep_open(&a->sweep);
    if (rv == LOA_OK)
        rv = needs_io_open(&a->needs_io);
    if (rv == LOA_OK)
        rv = sender_open(&a->sender, &sender);
    if (rv == LOA_OK)
        rv = uploads_open(&a->uploads);
    if (rv == LOA_OK)
        rv = contents_open(&a->contents);
    if (rv == LOA_OK)
        rv = jobs_open(&a->jobs);
    if (rv == LOA_OK)
        rv = exports_open(&a->exports);
    return rv;
}

static void stop(void *data)
{
    struct app *a = data;

    uv_close((uv_handle_t *)&a->tick, NULL);
    release_close(&a->release);
    jobs_close(&a->jobs);
    exports_close(&a->exports);
    sweep_close(&a->sweep);
    needs_io_close(&a->needs_io);
    retained_close(&a->retained);
    sender_close(&a->sender);
}

static void connected(void *data)
{
    struct app *a = data;

    sender_connected(&a->sender);
    retained_ask(&a->retained, true);
    feed_poke(a);
}

int main(int argc, char *argv[])
{
    struct mqtt_filter filters[3] = {
        {app.filters[0], 1}, {app.filters[1], 0}, {app.filters[2], 1}};
    struct service_conf conf = {
        .name = "content-ingest",
        .settings = &app.conf.service,
        .schema = "content",
        .inbox = true,
        .filters = filters,
        .filters_n = 3,
        .on_request = messages_request,
        .request_type = LOA_TYPE_CONTENT_REQUEST,
        .answer_type = LOA_TYPE_CONTENT_ANSWER,
        .start = start,
        .trust_changed = feed_trust,
        .connected = connected,
        .message = messages_take,
        .collect = collect,
        .stop = stop,
        .data = &app,
    };
    int exit_code;

    if (!config_load(&config_program, argc, argv, &app.conf, &exit_code))
        return exit_code;
    stats_init(&app.stats);
    reply_open(&app.stats);
    return service_run(&app.service, &conf);
}
