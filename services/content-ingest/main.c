/* content-ingest -- recordings and texts in, signed packets out to the areas
 * that need them. This file only wires: settings, modules, and who tells whom.
 * docs/content-ingest.md has the states and the path of a file. */

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "content-ingest/config.h"
#include "content-ingest/io_contents.h"
#include "content-ingest/io_export.h"
#include "content-ingest/io_jobs.h"
#include "content-ingest/io_needs.h"
#include "content-ingest/io_reply.h"
#include "content-ingest/io_sender.h"
#include "content-ingest/io_sweep.h"
#include "content-ingest/io_upload_rows.h"
#include "content-ingest/io_uploads.h"
#include "content-ingest/wire.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

#define ARENA_LEN (5u * LOA_ENVELOPE_BYTES_MAX)
#define TICK_MS 2000 /* Free space, stale uploads, jobs to be tried again. */

static struct app {
    struct config conf;
    struct service service;
    struct stats stats;
    struct ingest ingest;
    struct needs needs;
    struct push push;
    struct want want;
    struct uploads uploads;
    struct jobs jobs;
    struct contents contents;
    struct needs_io needs_io;
    struct sender sender;
    struct sweep sweep;
    struct exports exports;
    uv_timer_t tick;
    struct loa_arena arena;
    _Alignas(16) uint8_t memory[ARENA_LEN];
    char encoder[PATH_MAX];
    char filters[2][LOA_TOPIC_CAP];
    bool poking;
} app;

/* --- the core of uploads ---------------------------------------------------
 */

static void feed(struct app *a,
                 struct ingest_event *ev,
                 struct ingest_update *up)
{
    ev->now_ms = clock_mono_ms();
    ev->now_at_ms = clock_wall_ms();
    ingest_step(&a->ingest, ev, up);
}

/* Carry out what is due: jobs to start, uploads to drop. */
static void poke(void *data)
{
    struct app *a = data;
    struct ingest_update up;

    if (a->service.stopping || a->poking)
        return;
    a->poking = true;
    do {
        struct ingest_event ev = {.type = INGEST_NEXT};

        feed(a, &ev, &up);
        if (up.action == INGEST_START)
            jobs_start(&a->jobs, up.upload);
        else if (up.action == INGEST_GIVE_UP)
            jobs_give_up(&a->jobs, up.upload, up.refusal);
        else if (up.action == INGEST_DROP &&
                 upload_rows_dropped(&a->service.pg, up.id) != LOA_OK)
            log_warn("upload.drop", "text=not noted; the next start does it");
    } while (up.action != INGEST_NOTHING);
    a->poking = false;
}

static void on_job_ended(void *data,
                         const uint8_t id[LOA_ID_BYTES],
                         enum ingest_event_type type)
{
    struct app *a = data;
    struct ingest_event ev = {.type = type, .id = id};
    struct ingest_update up;

    feed(a, &ev, &up);
    poke(a);
}

static void on_job_progress(void *data,
                            const uint8_t id[LOA_ID_BYTES],
                            unsigned permille)
{
    struct ingest_event ev = {
        .type = INGEST_PROGRESS, .id = id, .permille = permille};
    struct ingest_update up;

    feed(data, &ev, &up);
}

static void on_made(void *data, const struct job *j)
{
    struct app *a = data;

    needs_content(&a->needs, j->content_hash, j->stream_key, j->packets_n);
    sender_wake(&a->sender);
}

static void on_deleted(void *data, const uint8_t hash[LOA_HASH_BYTES])
{
    struct app *a = data;

    needs_content(&a->needs, hash, NULL, 0);
    exports_forget(&a->exports, hash);
}

static void on_needs_changed(void *data)
{
    sender_wake(&((struct app *)data)->sender);
}

static void on_pushed(void *data)
{
    needs_io_save(&((struct app *)data)->needs_io);
}

static void watch_space(struct app *a)
{
    const char *dir =
        a->conf.space_dir[0] != '\0' ? a->conf.space_dir : a->conf.work_dir;
    struct ingest_event ev = {.type = INGEST_SPACE};
    struct ingest_update up;
    struct statvfs v;

    if (statvfs(dir, &v) != 0)
        return;
    ev.free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    metric_set(&a->stats.m[STATS_FREE_BYTES], (double)ev.free_bytes);
    feed(a, &ev, &up);
}

static void on_tick(uv_timer_t *timer)
{
    watch_space(timer->data);
    poke(timer->data);
}

/* --- messages --------------------------------------------------------------
 */

static void on_request(void *data, struct rpc_call *call, struct loa_bytes body)
{
    struct app *a = data;
    struct wire_request r;
    enum refusal refusal = REFUSE_ROLE;

    loa_arena_reset(&a->arena);
    if (call->who.role == LOA_ROLE_STAFF || call->who.role == LOA_ROLE_SERVICE)
        refusal = wire_request(&a->arena, body, &r);
    if (refusal != REFUSE_NOTHING) {
        stats_add(&a->stats, STATS_UPLOADS_REFUSED, 1);
        reply_refusal(call, refusal);
        return;
    }
    switch (r.type) {
        case WIRE_UPLOAD_BEGIN:
            uploads_begin(&a->uploads, call, &r.plan);
            break;
        case WIRE_UPLOAD_PART:
            uploads_part(&a->uploads, call, &r);
            break;
        case WIRE_FIND:
            if (r.find.by_upload)
                uploads_find(&a->uploads, call, r.find.upload_id);
            else
                contents_find(&a->contents, call, &r.find);
            break;
        case WIRE_APPROVE:
            contents_approve(&a->contents, call, r.data);
            break;
        case WIRE_DELETE:
            contents_delete(&a->contents, call, r.hash);
            break;
        default:
            exports_request(&a->exports, call, r.hash, r.offset);
    }
}

static uint32_t ahead(const void *data, const char *area, uint32_t content)
{
    return push_ahead(data, area, content);
}

static void on_want(struct app *a,
                    const struct loa_topic *t,
                    const struct mqtt_msg *msg)
{
    static struct want_message m;
    struct want_event ev = {.type = WANT_MESSAGE,
                            .now_ms = clock_mono_ms(),
                            .message = &m,
                            .ahead = ahead,
                            .data = &a->push};
    struct loa_bytes p = {msg->payload, msg->len};
    struct want_update up;

    m.device = t->principal;
    m.area = t->area;
    loa_arena_reset(&a->arena);
    if (wire_want(&a->arena, p, &m) != LOA_OK) {
        stats_add(&a->stats, STATS_WANTS_REFUSED, 1);
        log_warn("want.malformed", "topic=%s", msg->topic);
        return;
    }
    want_step(&a->want, &ev, &up);
    stats_add(&a->stats, up.limited ? STATS_WANTS_REFUSED : STATS_WANTS, 1);
    stats_add(&a->stats, STATS_WANT_MARKED, up.marked_n);
    stats_add(&a->stats, STATS_WANT_MERGED, up.merged_n);
    stats_add(&a->stats, STATS_WANT_PROMISED, up.promised_n);
    stats_add(&a->stats, STATS_WANT_UNKNOWN, up.unknown_n);
    stats_add(&a->stats, STATS_WANT_DROPPED, up.dropped_n);
    log_debug("want.taken", "topic=%s marked=%u merged=%u limited=%d",
              msg->topic, up.marked_n, up.merged_n, up.limited);
    sender_wake(&a->sender);
}

static void on_message(void *data, const struct mqtt_msg *msg)
{
    struct app *a = data;
    struct loa_bytes p = {msg->payload, msg->len};
    struct loa_topic t;

    if (loa_topic_parse(msg->topic, &t) != LOA_OK)
        return;
    if (t.plane == LOA_PLANE_DOWN && strcmp(t.kind, "programme") == 0 &&
        t.principal[0] == '\0')
        needs_io_programme(&a->needs_io, t.area, p);
    else if (t.plane == LOA_PLANE_UP && strcmp(t.kind, "want") == 0 &&
             t.principal[0] != '\0')
        on_want(a, &t, msg);
}

/* --- start and stop --------------------------------------------------------
 */

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
    a->jobs.loop = a->needs_io.loop = a->sender.loop = &s->loop;
    a->sweep.loop = a->exports.loop = &s->loop;
    a->uploads.data = a->jobs.data = a->needs_io.data = a;
    a->sender.data = a->sweep.data = a;
    a->uploads.ingest = &a->ingest;
    a->uploads.poke = poke;
    a->jobs.ended = on_job_ended;
    a->jobs.progress = on_job_progress;
    a->jobs.made = on_made;
    a->contents.trust = a->needs_io.trust = &s->trust;
    a->contents.arena = a->needs_io.arena = &a->arena;
    a->needs_io.needs = &a->needs;
    a->needs_io.own_area = s->identity.leaf.area;
    a->needs_io.changed = on_needs_changed;
    a->sender.mqtt = &s->mqtt;
    a->sender.push = &a->push;
    a->sender.want = &a->want;
    a->sender.pushed = on_pushed;
    a->sweep.deleted = on_deleted;
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
}

/* Everything that blocks happens here: the tables are read, then the broker
 * may send. */
static int start(void *data)
{
    struct app *a = data;
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
    uv_timer_init(&a->service.loop, &a->tick);
    a->tick.data = a;
    uv_timer_start(&a->tick, on_tick, 0, TICK_MS);
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
    jobs_close(&a->jobs);
    exports_close(&a->exports);
    sweep_close(&a->sweep);
    needs_io_close(&a->needs_io);
    sender_close(&a->sender);
}

static void connected(void *data)
{
    sender_connected(&((struct app *)data)->sender);
}

int main(int argc, char *argv[])
{
    struct mqtt_filter filters[2] = {{app.filters[0], 1}, {app.filters[1], 0}};
    struct service_conf conf = {
        .name = "content-ingest",
        .settings = &app.conf.service,
        .schema = "content",
        .inbox = true,
        .filters = filters,
        .filters_n = 2,
        .on_request = on_request,
        .request_type = LOA_TYPE_CONTENT_REQUEST,
        .answer_type = LOA_TYPE_CONTENT_ANSWER,
        .start = start,
        .connected = connected,
        .message = on_message,
        .collect = collect,
        .stop = stop,
        .data = &app,
    };
    int exit_code;

    if (!config_load(&config_program, argc, argv, &app.conf, &exit_code))
        return exit_code;
    stats_init(&app.stats);
    return service_run(&app.service, &conf);
}
