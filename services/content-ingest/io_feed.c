#include <stdlib.h>
#include <sys/statvfs.h>

#include "content-ingest/app.h"
#include "content-ingest/io_upload_rows.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

static void feed(struct app *a,
                 struct ingest_event *ev,
                 struct ingest_update *up)
{
    ev->now_ms = clock_mono_ms();
    ev->now_at_ms = clock_wall_ms();
    ingest_step(&a->ingest, ev, up);
}

/* Carry out what is due: jobs to start, uploads to drop. Not before the broker
 * is there: without one we stop again within a moment. */
void feed_poke(void *data)
{
    struct app *a = data;
    struct ingest_update up;

    if (a->service.stopping || !a->service.mqtt.connected || a->poking)
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

bool feed_stopped(void *data, const uint8_t id[LOA_ID_BYTES])
{
    return jobs_stopped(&((const struct app *)data)->jobs, id);
}

void feed_job_ended(void *data,
                    const uint8_t id[LOA_ID_BYTES],
                    enum ingest_event_type type)
{
    struct app *a = data;
    struct ingest_event ev = {.type = type, .id = id};
    struct ingest_update up;

    feed(a, &ev, &up);
    feed_poke(a);
}

void feed_job_progress(void *data,
                       const uint8_t id[LOA_ID_BYTES],
                       unsigned permille)
{
    struct ingest_event ev = {
        .type = INGEST_PROGRESS, .id = id, .permille = permille};
    struct ingest_update up;

    feed(data, &ev, &up);
}

void feed_made(void *data, const struct job *j)
{
    struct app *a = data;

    needs_content(&a->needs, j->content_hash, j->stream_key, j->packets_n);
    sender_wake(&a->sender);
}

void feed_deleted(void *data, const uint8_t hash[LOA_HASH_BYTES])
{
    struct app *a = data;

    needs_content(&a->needs, hash, NULL, 0);
    exports_forget(&a->exports, hash);
}

void feed_needs_changed(void *data)
{
    sender_wake(&((struct app *)data)->sender);
}

void feed_signer(void *data, const char *principal, int64_t expires_at_ms)
{
    release_signer(&((struct app *)data)->release, principal, expires_at_ms);
}

void feed_revoked(void *data, const char *principal)
{
    release_revoked(&((struct app *)data)->release, principal);
}

/* What found no room, or was older than what is forgotten now, is retained:
 * ask for it again. */
void feed_trust(void *data)
{
    struct app *a = data;

    if (needs_io_trust(&a->needs_io) == 0)
        return;
    mqtt_unsubscribe(&a->service.mqtt, a->filters[0]);
    if (mqtt_subscribe(&a->service.mqtt, a->filters[0], 1) != LOA_OK)
        service_stop(&a->service, EXIT_FAILURE);
    else
        retained_ask(&a->retained, true);
}

bool feed_signers_known(void *data)
{
    return !needs_unheard(&((const struct app *)data)->needs, clock_wall_ms());
}

void feed_pushed(void *data)
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

void feed_tick(uv_timer_t *timer)
{
    watch_space(timer->data);
    feed_poke(timer->data);
}

bool feed_may_delete(void *data)
{
    const struct app *a = data;

    return needs_io_settled(&a->needs_io);
}
