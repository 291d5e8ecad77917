#include "content-ingest/io_jobs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content-ingest/io_jobs_store.h"
#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"

#define PAGE_LEN_MAX ((size_t)UPLOADS_PAGE_PARTS * UPLOAD_PART_LEN_MAX)
#define PREFIX "job-" /* Of our files in the work directory. */
/* Of the progress that senders see, the encoder has the first part. */
#define ENCODER_PERMILLE 900

static void fail(struct job *j, enum refusal r);

/* --- the end of a job ------------------------------------------------------
 */

static void close_source(struct job *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

/* Free everything but the slot itself. A write on its way keeps the page. */
static void clean(struct job *j)
{
    close_source(j);
    if (j->map != NULL)
        munmap(j->map, j->map_len);
    j->map = NULL;
    packets_close(&j->packets);
    unlink(j->source_path);
    unlink(j->frames_path);
    free(j->page);
    free(j->text);
    free(j->slice);
    j->page = j->slice = NULL;
    j->text = NULL;
}

static void end(struct job *j, enum ingest_event_type event)
{
    struct jobs *s = j->jobs;
    uint8_t id[LOA_ID_BYTES];

    if (!j->stored)
        jobs_store_abandon(j);
    clean(j);
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
        end(j, INGEST_JOB_AGAIN);
        return;
    }
    stats_add(j->jobs->stats, STATS_JOBS_REFUSED, 1);
    end(j, INGEST_JOB_ENDED);
}

static void fail_as(struct job *j, int code, const char *vi, const char *en)
{
    int rv;

    log_info("job.refused", "principal=%s title=%s code=%d text=%s",
             j->plan.principal, j->plan.title, code, en);
    rv = uploads_note_failed(j->jobs->uploads, j->plan.id, code, vi, en,
                             on_failed_noted, j);
    if (rv != LOA_OK)
        on_failed_noted(j, rv);
}

static void fail(struct job *j, enum refusal r)
{
    const struct refusal_text *t = refusal_text(r);

    fail_as(j, (int)t->code, t->vi, t->en);
}

/* The database refused. A full disk is worth waiting for, a bug is not. */
static void fail_db(struct job *j, int status)
{
    enum refusal r = uploads_refusal(j->jobs->pg, status);

    if (r == REFUSE_DATABASE)
        fail(j, r);
    else
        end(j, INGEST_JOB_AGAIN);
}

/* --- signing and storing ---------------------------------------------------
 */

static void on_stored(void *data, int status)
{
    struct job *j = data;
    struct jobs *s = j->jobs;
    double seconds = (double)(clock_mono_ms() - j->started_ms) / 1000;

    if (s->closed)
        return;
    if (status != LOA_OK) {
        fail_db(j, status);
        return;
    }
    j->stored = true;
    stats_add(s->stats, STATS_JOBS_DONE, 1);
    stats_add(s->stats, STATS_SOUND_SECONDS, j->done.duration_ms / 1000.0);
    metric_observe(&s->stats->m[STATS_ENCODE_SECONDS], seconds);
    log_info("job.done", "principal=%s title=%s packets=%u took_s=%.1f",
             j->plan.principal, j->plan.title, j->packets_n, seconds);
    s->made(s->data, j);
    end(j, INGEST_JOB_ENDED);
}

static void on_slice(void *data, int status)
{
    struct job *j = data;
    struct frames_header *h = &j->packets.reader.header;
    bool more;
    int rv;

    if (j->jobs->closed)
        return;
    if (status != LOA_OK) {
        fail_db(j, status);
        return;
    }
    (void)FAILPOINT("job.slice");
    rv = jobs_store_slice(j, on_slice, &more);
    if (rv == LOA_EINVAL) {
        fail(j, REFUSE_ENCODER_OUTPUT);
        return;
    }
    if (rv == LOA_OK && !more)
        rv = jobs_store_content(j, on_stored);
    if (rv != LOA_OK)
        fail_db(j, rv);
    else
        j->jobs->progress(j->jobs->data, j->plan.id,
                          ENCODER_PERMILLE + (1000 - ENCODER_PERMILLE) *
                                                 (j->packets.frames_n / 10) /
                                                 (h->frames_n / 10 + 1));
}

static int map_frames(struct job *j)
{
    struct stat st;
    void *map;
    int fd = open(j->frames_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return LOA_ESYS;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
        close(fd);
        return LOA_EINVAL;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return LOA_ESYS;
    j->map = map;
    j->map_len = (size_t)st.st_size;
    return LOA_OK;
}

/* The worker is gone, so nobody writes to the file that is mapped here. */
static void store(struct job *j)
{
    uint8_t seed[32];
    int rv = map_frames(j);

    if (rv == LOA_OK) {
        randombytes_buf(seed, sizeof seed);
        rv = packets_open(&j->packets, j->map, j->map_len, seed);
        sodium_memzero(seed, sizeof seed);
    }
    if (rv != LOA_OK) {
        log_error("job.frames", "file=%s text=%s", j->frames_path,
                  loa_strerror(rv));
        fail(j, REFUSE_ENCODER_OUTPUT);
        return;
    }
    rv = jobs_store_begin(j, on_slice);
    if (rv != LOA_OK)
        fail_db(j, rv);
}

/* --- the worker ------------------------------------------------------------
 */

static void on_progress(void *data, unsigned permille)
{
    struct job *j = data;

    j->jobs->progress(j->jobs->data, j->plan.id,
                      permille * ENCODER_PERMILLE / 1000);
}

/* A worker that was told to stop, with us or before us, is not at fault; one
 * that was killed may have taken all memory, which counts; the rest are faults
 * that the file has provoked. */
static void died(struct job *j, int term_signal)
{
    log_warn("worker.died", "signal=%d title=%s", term_signal, j->plan.title);
    if (term_signal == SIGTERM || term_signal == SIGINT)
        end(j, INGEST_JOB_AGAIN);
    else if (term_signal == SIGKILL)
        end(j, INGEST_JOB_DIED);
    else
        fail(j, REFUSE_ENCODER_DIED);
}

static void on_worker(void *data, const struct worker_result *r)
{
    struct job *j = data;
    struct refusal_worker said;

    if (!r->spawned) {
        fail(j, REFUSE_ENCODER_MISSING);
    } else if (r->timed_out) {
        fail(j, REFUSE_ENCODER_TIME);
    } else if (r->signalled) {
        died(j, j->worker.term_signal);
    } else if (r->exit_code != 0) {
        refusal_worker(r->exit_code, r->said, &said);
        log_info("worker.refused", "exit=%d title=%s text=%s", r->exit_code,
                 j->plan.title, said.en);
        if (said.again)
            end(j, INGEST_JOB_AGAIN);
        else
            fail_as(j, (int)said.code, said.vi, said.en);
    } else if (r->done.type != WORKER_LINE_DONE) {
        fail(j, REFUSE_ENCODER_OUTPUT);
    } else {
        j->done = r->done;
        store(j);
    }
}

/* The encoder speaks "vi", its two other accents, and "en"; a region does not
 * matter to it. */
static const char *voice(const char *language)
{
    if (strcmp(language, "vi-VN") == 0)
        return "vi";
    return strncmp(language, "en-", 3) == 0 ? "en" : language;
}

static void encode(struct job *j)
{
    const struct jobs_conf *c = &j->jobs->conf;
    const char *args[WORKER_ARGS_MAX];
    char duration[16];
    struct worker_conf conf = {.program = c->encoder,
                               .args = args,
                               .timeout_ms = c->timeout_ms,
                               .on_progress = on_progress,
                               .on_end = on_worker,
                               .data = j};
    size_t n = 0;

    snprintf(duration, sizeof duration, "%u", c->duration_s_max);
    args[n++] = j->plan.media == MEDIA_TEXT ? "text" : "audio";
    args[n++] = j->source_path;
    args[n++] = j->frames_path;
    args[n++] = "--duration-max-s";
    args[n++] = duration;
    if (j->plan.media == MEDIA_TEXT) {
        args[n++] = "--language";
        args[n++] = voice(j->plan.language);
        if (c->dictionary[0] != '\0') {
            args[n++] = "--dictionary";
            args[n++] = c->dictionary;
        }
    }
    conf.args_n = n;
    (void)FAILPOINT("job.encode");
    worker_start(&j->worker, j->jobs->loop, &conf);
}

/* --- the source file -------------------------------------------------------
 */

static void on_parts(void *data, int status, const PGresult *res);

static void read_parts(struct job *j)
{
    int rv =
        uploads_read(j->jobs->uploads, j->plan.id, j->last_part, on_parts, j);

    if (rv != LOA_OK)
        fail_db(j, rv);
}

static void source_complete(struct job *j)
{
    crypto_generichash_final(&j->hashing, j->source_hash, LOA_HASH_BYTES);
    close_source(j);
    if (j->text != NULL && memchr(j->text, '\0', j->plan.size) != NULL)
        fail(j, REFUSE_TEXT_NUL);
    else
        encode(j);
}

static void on_write(uv_fs_t *fs)
{
    struct job *j = fs->data;
    ssize_t written = fs->result;

    j->writing = false;
    uv_fs_req_cleanup(fs);
    if (j->jobs->closed) {
        clean(j);
        return;
    }
    if (written < 0 || (size_t)written != j->page_len) {
        log_error("job.write", "file=%s text=%s", j->source_path,
                  written < 0 ? uv_strerror((int)written) : "short write");
        if (written >= 0 || written == -ENOSPC || written == -EDQUOT)
            end(j, INGEST_JOB_AGAIN);
        else
            fail(j, REFUSE_WORK_DIR);
        return;
    }
    j->at += j->page_len;
    if (j->at == j->plan.size)
        source_complete(j);
    else
        read_parts(j);
}

static void write_page(struct job *j)
{
    uv_buf_t buf = uv_buf_init((char *)j->page, (unsigned)j->page_len);

    j->writing = true;
    j->fs.data = j;
    if (uv_fs_write(j->jobs->loop, &j->fs, j->fd, &buf, 1, (int64_t)j->at,
                    on_write) != 0) {
        j->writing = false;
        fail(j, REFUSE_WORK_DIR);
    }
}

/* Put the part's bytes that are new behind the page. LOA_EINVAL: a gap, which
 * the core has ruled out. */
static int take_part(struct job *j, const PGresult *res, int i)
{
    uint64_t from = pg_get_u64(res, i, 0), next = j->at + j->page_len;
    size_t len, skip;
    const uint8_t *data = pg_get_bytes(res, i, 1, &len);

    j->last_part = (int64_t)from;
    if (from > next || len > UPLOAD_PART_LEN_MAX)
        return LOA_EINVAL;
    if (from + len <= next)
        return LOA_OK;
    skip = (size_t)(next - from);
    memcpy(j->page + j->page_len, data + skip, len - skip);
    crypto_generichash_update(&j->hashing, data + skip, len - skip);
    if (j->text != NULL && next + len - skip <= UPLOAD_TEXT_MAX)
        memcpy(j->text + next, data + skip, len - skip);
    j->page_len += len - skip;
    return LOA_OK;
}

static void on_parts(void *data, int status, const PGresult *res)
{
    struct job *j = data;
    int rv = LOA_OK;

    if (j->jobs->closed)
        return;
    if (status != LOA_OK) {
        fail_db(j, status);
        return;
    }
    j->page_len = 0;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++)
        rv = take_part(j, res, i);
    if (rv != LOA_OK || j->page_len == 0 ||
        j->at + j->page_len > j->plan.size) {
        log_error("job.parts", "at=%llu text=the parts do not make the file",
                  (unsigned long long)j->at);
        fail(j, REFUSE_DATABASE);
        return;
    }
    write_page(j);
}

static int open_source(struct job *j)
{
    char name[2 * LOA_ID_BYTES + 1];
    uint8_t random[LOA_ID_BYTES];
    const char *dir = j->jobs->conf.work_dir;

    /* A name of its own for each attempt: a worker that outlived a killed
     * service must not write into the file of the next. */
    randombytes_buf(random, sizeof random);
    loa_hex(random, sizeof random, name);
    snprintf(j->source_path, sizeof j->source_path, "%s/" PREFIX "%s.source",
             dir, name);
    snprintf(j->frames_path, sizeof j->frames_path, "%s/" PREFIX "%s.frames",
             dir, name);
    j->fd = open(j->source_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return j->fd < 0 ? LOA_ESYS : LOA_OK;
}

static void on_noted(void *data, int status)
{
    struct job *j = data;

    if (j->jobs->closed)
        return;
    if (status != LOA_OK) {
        fail_db(j, status);
    } else if (open_source(j) != LOA_OK) {
        int err = errno;

        log_error("job.open", "file=%s text=%s", j->source_path, strerror(err));
        if (err == ENOSPC || err == EDQUOT)
            end(j, INGEST_JOB_AGAIN);
        else
            fail(j, REFUSE_WORK_DIR);
    } else {
        read_parts(j);
    }
}

/* --- start and stop --------------------------------------------------------
 */

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
    fail(job_new(s, u), r);
}

void jobs_start(struct jobs *s, const struct upload *u)
{
    struct job *j = job_new(s, u);
    int rv;

    j->page = malloc(PAGE_LEN_MAX);
    j->slice = malloc(JOBS_SLICE_LEN_MAX);
    if (u->plan.media == MEDIA_TEXT)
        j->text = calloc(1, UPLOAD_TEXT_MAX + 1);
    crypto_generichash_init(&j->hashing, NULL, 0, LOA_HASH_BYTES);
    if (j->page == NULL || j->slice == NULL ||
        (j->text == NULL && u->plan.media == MEDIA_TEXT)) {
        end(j, INGEST_JOB_AGAIN);
        return;
    }
    log_info("job.start", "principal=%s title=%s size=%llu attempt=%u",
             j->plan.principal, j->plan.title, (unsigned long long)j->plan.size,
             u->attempts_n);
    rv = uploads_note_encoding(s->uploads, j->plan.id, u->attempts_n, on_noted,
                               j);
    if (rv != LOA_OK)
        fail_db(j, rv);
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
        if (strncmp(entry.name, PREFIX, sizeof PREFIX - 1) == 0) {
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
    return jobs_store_open(s->pg);
}

void jobs_close(struct jobs *s)
{
    s->closed = true;
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *j = &s->jobs[i];

        if (!j->used)
            continue;
        worker_close(&j->worker);
        if (!j->writing)
            clean(j);
    }
}
