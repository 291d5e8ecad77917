#include "content-ingest/io_jobs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content-ingest/io_batch.h"
#include "content-ingest/io_jobs_steps.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

/* --- whose fault it was ----------------------------------------------------
 * A row counts attempts before they are made, so that a file over which the
 * service dies is given up. Who stops in good order takes the attempt back: by
 * a file, because the database may be what was lost. It goes when the next
 * attempt is counted. */

static void mark_path(const struct jobs *s,
                      const uint8_t id[LOA_ID_BYTES],
                      char path[PATH_MAX])
{
    char name[2 * LOA_ID_BYTES + 1];
    int n;

    loa_hex(id, LOA_ID_BYTES, name);
    n = snprintf(path, PATH_MAX, "%s/" JOBS_STOPPED "%s", s->conf.work_dir,
                 name);
    if (n >= PATH_MAX)
        path[0] = '\0';
}

bool jobs_stopped(const struct jobs *s, const uint8_t id[LOA_ID_BYTES])
{
    char path[PATH_MAX];

    mark_path(s, id, path);
    return access(path, F_OK) == 0;
}

static void mark(const struct job *j)
{
    char path[PATH_MAX];
    int fd;

    if (!j->begun)
        return;
    mark_path(j->jobs, j->plan.id, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        log_warn("job.mark", "file=%s text=%s; this attempt counts", path,
                 strerror(errno));
    else
        close(fd);
}

static void unmark(const struct job *j)
{
    char path[PATH_MAX];

    mark_path(j->jobs, j->plan.id, path);
    unlink(path);
}

/* --- the end of a job ------------------------------------------------------
 */

static void close_source(struct job *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

void job_clean(struct job *j)
{
    close_source(j);
    if (j->map != NULL)
        munmap(j->map, j->map_len);
    j->map = NULL;
    packets_close(&j->packets);
    unlink(j->source_path);
    worker_unlink(j->frames_path);
    free(j->page);
    free(j->text);
    free(j->slice);
    j->page = j->slice = NULL;
    j->text = NULL;
}

void job_end(struct job *j, enum ingest_event_type event)
{
    struct jobs *s = j->jobs;
    uint8_t id[LOA_ID_BYTES];

    if (!j->stored)
        job_store_abandon(j);
    if (event == INGEST_JOB_AGAIN)
        mark(j);
    job_clean(j);
    memcpy(id, j->plan.id, sizeof id);
    j->used = false;
    if (event != INGEST_JOB_ENDED) {
        stats_add(s->stats, STATS_JOBS_AGAIN, 1);
        log_warn("job.again", "principal=%s title=%s", j->plan.principal,
                 j->plan.title);
    }
    s->ended(s->data, id, event);
}

static void on_failed_noted(void *data, int status)
{
    struct job *j = data;

    if (j->jobs->closed)
        return;
    if (status != LOA_OK) {
        job_end(j, INGEST_JOB_AGAIN);
        return;
    }
    stats_add(j->jobs->stats, STATS_JOBS_REFUSED, 1);
    job_end(j, INGEST_JOB_ENDED);
}

void job_fail_as(struct job *j, const struct refusal_text *why)
{
    int rv;

    log_info("job.refused", "principal=%s title=%s code=%d text=%s",
             j->plan.principal, j->plan.title, (int)why->code, why->en);
    rv = upload_rows_failed(j->jobs->pg, j->plan.id, why, on_failed_noted, j);
    if (rv != LOA_OK)
        on_failed_noted(j, rv);
}

void job_fail(struct job *j, enum refusal r)
{
    job_fail_as(j, refusal_text(r));
}

void job_fail_db(struct job *j, int status)
{
    enum refusal r = batch_refusal(j->jobs->pg, status);

    if (r == REFUSE_DATABASE)
        job_fail(j, r);
    else
        job_end(j, INGEST_JOB_AGAIN);
}

/* --- start and stop --------------------------------------------------------
 */

static void on_noted(void *data, int status)
{
    struct job *j = data;

    if (j->jobs->closed)
        return;
    if (status != LOA_OK) {
        j->begun = false;
        job_fail_db(j, status);
    } else {
        unmark(j);
        job_source(j);
    }
}

static struct job *job_new(struct jobs *s, const struct upload *u)
{
    struct job *j = NULL;

    for (size_t i = 0; i < JOBS_MAX && j == NULL; i++)
        if (!s->jobs[i].used)
            j = &s->jobs[i];
    assert(j != NULL);
    memset(j, 0, sizeof *j);
    j->used = true;
    j->jobs = s;
    j->fd = -1;
    j->last_part = -1;
    j->plan = u->plan;
    j->started_ms = clock_mono_ms();
    return j;
}

void jobs_give_up(struct jobs *s, const struct upload *u, enum refusal r)
{
    job_fail(job_new(s, u), r);
}

void jobs_start(struct jobs *s, const struct upload *u)
{
    struct job *j = job_new(s, u);
    int rv;

    j->page = malloc(JOBS_PAGE_LEN_MAX);
    j->slice = malloc(JOBS_SLICE_LEN_MAX);
    if (u->plan.media == MEDIA_TEXT)
        j->text = calloc(1, UPLOAD_TEXT_MAX + 1);
    crypto_generichash_init(&j->hashing, NULL, 0, LOA_HASH_BYTES);
    if (j->page == NULL || j->slice == NULL ||
        (j->text == NULL && u->plan.media == MEDIA_TEXT)) {
        job_end(j, INGEST_JOB_AGAIN);
        return;
    }
    log_info("job.start", "principal=%s title=%s size=%llu attempt=%u",
             j->plan.principal, j->plan.title, (unsigned long long)j->plan.size,
             u->attempts_n);
    rv = upload_rows_encoding(s->pg, j->plan.id, u->attempts_n, on_noted, j);
    j->begun = rv == LOA_OK;
    if (rv != LOA_OK)
        job_fail_db(j, rv);
}

/* Remove what a killed service left. Nothing but our own names is touched. */
static void sweep(const char *dir)
{
    uv_fs_t fs;
    uv_dirent_t entry;
    char path[PATH_MAX];

    if (uv_fs_scandir(NULL, &fs, dir, 0, NULL) < 0)
        return;
    while (uv_fs_scandir_next(&fs, &entry) != UV_EOF)
        if (strncmp(entry.name, JOBS_PREFIX, sizeof JOBS_PREFIX - 1) == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, entry.name);
            unlink(path);
        }
    uv_fs_req_cleanup(&fs);
}

int jobs_open(struct jobs *s)
{
    const char *dir = s->conf.work_dir;
    struct stat st;

    if (access(s->conf.encoder, X_OK) != 0) {
        log_error("jobs.encoder", "file=%s text=%s; give its path as --encoder",
                  s->conf.encoder, strerror(errno));
        return LOA_EINVAL;
    }
    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) || stat(dir, &st) != 0 ||
        access(dir, W_OK | X_OK) != 0) {
        log_error("jobs.work_dir", "dir=%s text=%s", dir, strerror(errno));
        return LOA_EINVAL;
    }
    sweep(dir);
    return job_store_open(s->pg);
}

void jobs_close(struct jobs *s)
{
    s->closed = true;
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *j = &s->jobs[i];

        if (!j->used)
            continue;
        mark(j);
        worker_close(&j->worker);
        if (!j->writing)
            job_clean(j);
    }
}
