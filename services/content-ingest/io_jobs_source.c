#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "content-ingest/io_jobs_steps.h"
#include "proto/io/log.h"

static void on_parts(void *data, int status, const PGresult *res);

static void read_parts(struct job *j)
{
    int rv =
        upload_rows_read(j->jobs->pg, j->plan.id, j->last_part, on_parts, j);

    if (rv != LOA_OK)
        job_fail_db(j, rv);
}

static void source_complete(struct job *j)
{
    crypto_generichash_final(&j->hashing, j->source_hash, LOA_HASH_BYTES);
    close(j->fd);
    j->fd = -1;
    if (j->text != NULL && memchr(j->text, '\0', j->plan.size) != NULL)
        job_fail(j, REFUSE_TEXT_NUL);
    else
        job_encode(j);
}

static void on_write(uv_fs_t *fs)
{
    struct job *j = fs->data;
    ssize_t written = fs->result;

    j->writing = false;
    uv_fs_req_cleanup(fs);
    if (j->jobs->closed) {
        job_clean(j);
        return;
    }
    if (written < 0 || (size_t)written != j->page_len) {
        log_error("job.write", "file=%s text=%s", j->source_path,
                  written < 0 ? uv_strerror((int)written) : "short write");
        if (written >= 0 || written == -ENOSPC || written == -EDQUOT)
            job_end(j, INGEST_JOB_AGAIN);
        else
            job_fail(j, REFUSE_WORK_DIR);
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
        job_fail(j, REFUSE_WORK_DIR);
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
        job_fail_db(j, status);
        return;
    }
    j->page_len = 0;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++)
        rv = take_part(j, res, i);
    if (rv != LOA_OK || j->page_len == 0 ||
        j->at + j->page_len > j->plan.size) {
        log_error("job.parts", "at=%llu text=the parts do not make the file",
                  (unsigned long long)j->at);
        job_fail(j, REFUSE_DATABASE);
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
    snprintf(j->source_path, sizeof j->source_path,
             "%s/" JOBS_PREFIX "%s.source", dir, name);
    snprintf(j->frames_path, sizeof j->frames_path,
             "%s/" JOBS_PREFIX "%s.frames", dir, name);
    j->fd = open(j->source_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return j->fd < 0 ? LOA_ESYS : LOA_OK;
}

void job_source(struct job *j)
{
    int err;

    if (open_source(j) == LOA_OK) {
        read_parts(j);
        return;
    }
    err = errno;
    log_error("job.open", "file=%s text=%s", j->source_path, strerror(err));
    if (err == ENOSPC || err == EDQUOT)
        job_end(j, INGEST_JOB_AGAIN);
    else
        job_fail(j, REFUSE_WORK_DIR);
}
