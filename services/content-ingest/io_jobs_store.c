#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content-ingest/io_jobs_steps.h"
#include "content-ingest/sqlarray.h"
#include "content-ingest/wire.h"
#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"

enum {
    STMT_ORPHANS,
    STMT_ANNOUNCE,
    STMT_LAZY,
    STMT_PACKETS,
    STMT_CONTENT,
    STMT_ARRIVED,
    STMT_ABANDON,
    STMT_SUBMISSION,
};

static const struct pg_stmt stmts[] = {
    [STMT_ORPHANS] = {"trash_orphans",
                      "UPDATE trash SET ready = true WHERE NOT ready", 0,
                      PG_NONE, false},
    [STMT_ANNOUNCE] = {"trash_announce",
                       "INSERT INTO trash (stream_key) VALUES ($1)", 1, PG_NONE,
                       false},
    /* Slices need not be flushed one by one: the commit that makes the content
     * is, and it comes after them in the log. */
    [STMT_LAZY] = {"packet_lazy",
                   "SELECT set_config('synchronous_commit', 'off', true)", 0,
                   PG_ONE, false},
    [STMT_PACKETS] =
        {"packet_insert",
         "INSERT INTO packet (stream_key, sequence, body)"
         " SELECT $1, $2::int + (n - 1)::int, body"
         " FROM unnest($3::bytea[]) WITH ORDINALITY AS p (body, n)",
         3, PG_NONE, false},
    [STMT_CONTENT] =
        {"content_insert",
         "INSERT INTO content (content_hash, stream_key, manifest, media,"
         " title, language, packets_n, frames_n, duration_ms, pre_skip, bytes,"
         " source_hash, source_text)"
         " VALUES ($1, $2, $3, $4::int, $5, $6, $7::int, $8::int, $9::int,"
         " $10::int, $11::bigint, $12, $13)"
         " ON CONFLICT (content_hash) DO UPDATE SET deleting_at = NULL"
         " RETURNING stream_key, packets_n",
         13, PG_ONE, true},
    /* Ours is a content's stream now; or another one has the same sound, and
     * ours goes. */
    [STMT_ARRIVED] =
        {"trash_arrived",
         "WITH kept AS (DELETE FROM trash WHERE stream_key = $1 AND EXISTS"
         " (SELECT FROM content WHERE stream_key = $1) RETURNING stream_key)"
         " UPDATE trash SET ready = true WHERE stream_key = $1"
         " AND NOT EXISTS (SELECT FROM kept)",
         1, PG_NONE, false},
    [STMT_ABANDON] = {"trash_abandon",
                      "UPDATE trash SET ready = true WHERE stream_key = $1", 1,
                      PG_NONE, false},
    [STMT_SUBMISSION] =
        {"submission_insert",
         "INSERT INTO submission (content_hash, area, submitted_by, upload_id)"
         " VALUES ($1, replace($2, '/', '.')::ltree, $3, $4)"
         " ON CONFLICT (content_hash, area) DO NOTHING",
         4, PG_NONE, false},
};

int job_store_open(struct pg *pg)
{
    int rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);

    return rv != LOA_OK ? rv
                        : pg_query_now(pg, &stmts[STMT_ORPHANS], NULL, NULL);
}

static int announce(struct job *j, pg_done_cb done)
{
    struct pg *pg = j->jobs->pg;
    struct pg_value value =
        pg_bytes(j->packets.stream.public_key, LOA_KEY_BYTES);
    int rv = pg_query(pg, &stmts[STMT_ANNOUNCE], &value, NULL, NULL);

    (void)rv; /* What found no room is told at the end of the batch. */
    j->announced = true;
    return pg_commit(pg, done, j);
}

void job_store_abandon(struct job *j)
{
    struct pg *pg = j->jobs->pg;
    struct pg_value value =
        pg_bytes(j->packets.stream.public_key, LOA_KEY_BYTES);
    int rv;

    if (!j->announced)
        return;
    rv = pg_query(pg, &stmts[STMT_ABANDON], &value, NULL, NULL);
    (void)rv;
    rv = pg_commit(pg, NULL, NULL);
    if (rv != LOA_OK) /* The next start finds it. */
        log_debug("job.abandon", "text=%s", loa_strerror(rv));
}

static int store_slice(struct job *j, pg_done_cb done, bool *more)
{
    struct pg *pg = j->jobs->pg;
    uint8_t packet[LOA_PACKET_BYTES_MAX], first[4];
    uint32_t from = j->packets.packets_n;
    struct sqlarray a;
    size_t len;
    int rv = LOA_OK;

    sqlarray_init(&a, j->slice, JOBS_SLICE_LEN_MAX, SQLARRAY_BYTEA);
    while (a.n < JOB_SLICE_PACKETS && rv == LOA_OK) {
        rv = packets_next(&j->packets, packet, &len);
        if (rv == LOA_OK)
            rv = sqlarray_bytes(&a, packet, len);
    }
    *more = a.n > 0;
    if (rv != LOA_OK && rv != LOA_ENOENT)
        return LOA_EINVAL;
    if (!*more)
        return LOA_OK;
    struct pg_value values[] = {
        pg_bytes(j->packets.stream.public_key, LOA_KEY_BYTES),
        pg_i32((int32_t)from, first), pg_bytes(a.buf, a.len)};
    rv = pg_query(pg, &stmts[STMT_LAZY], NULL, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(pg, &stmts[STMT_PACKETS], values, NULL, NULL);
    return pg_commit(pg, done, j);
}

static void on_content(void *data, int status, const PGresult *res)
{
    struct job *j = data;
    size_t len;

    if (status != LOA_OK)
        return;
    memcpy(j->stream_key, pg_get_bytes(res, 0, 0, &len), LOA_KEY_BYTES);
    j->packets_n = (uint32_t)pg_get_u64(res, 0, 1);
    if (memcmp(j->stream_key, j->packets.stream.public_key, LOA_KEY_BYTES) != 0)
        log_info("job.same", "title=%s text=this sound is already there",
                 j->plan.title);
}

static void manifest_of(const struct job *j, struct wire_manifest *m)
{
    const struct packets *k = &j->packets;

    *m = (struct wire_manifest){
        .media = j->plan.media,
        .title = j->plan.title,
        .language = j->plan.language,
        .packets_n = k->packets_n,
        .frames_n = k->frames_n,
        .duration_ms = (uint32_t)((uint64_t)k->reader.header.duration_samples *
                                  1000 / LOA_RATE_HZ),
        .pre_skip = k->reader.header.pre_skip,
        .bytes = k->bytes,
        .loudness_lufs_x100 = j->done.lufs_x100,
        .true_peak_dbtp_x100 = j->done.true_peak_dbtp_x100};
    memcpy(m->content_hash, j->content_hash, LOA_HASH_BYTES);
    memcpy(m->stream_key, k->stream.public_key, LOA_KEY_BYTES);
    memcpy(m->source_hash, j->source_hash, LOA_HASH_BYTES);
}

static int insert_content(struct job *j, const struct wire_manifest *m)
{
    uint8_t manifest[WIRE_MANIFEST_LEN_MAX], n[6][8];
    size_t len;

    wire_manifest(m, manifest, &len);
    struct pg_value values[] = {pg_bytes(m->content_hash, LOA_HASH_BYTES),
                                pg_bytes(m->stream_key, LOA_KEY_BYTES),
                                pg_bytes(manifest, len),
                                pg_i32((int32_t)m->media, n[0]),
                                pg_text(m->title),
                                pg_text(m->language),
                                pg_i32((int32_t)m->packets_n, n[1]),
                                pg_i32((int32_t)m->frames_n, n[2]),
                                pg_i32((int32_t)m->duration_ms, n[3]),
                                pg_i32((int32_t)m->pre_skip, n[4]),
                                pg_i64((int64_t)m->bytes, n[5]),
                                pg_bytes(m->source_hash, LOA_HASH_BYTES),
                                pg_text(j->text)};
    return pg_query(j->jobs->pg, &stmts[STMT_CONTENT], values, on_content, j);
}

static int store_content(struct job *j, pg_done_cb done)
{
    struct pg *pg = j->jobs->pg;
    struct wire_manifest m;
    struct pg_value stream =
        pg_bytes(j->packets.stream.public_key, LOA_KEY_BYTES);
    int rv;

    packets_hash(&j->packets, j->content_hash);
    packets_close(&j->packets);
    manifest_of(j, &m);
    struct pg_value submission[] = {
        pg_bytes(j->content_hash, LOA_HASH_BYTES), pg_text(j->plan.area),
        pg_text(j->plan.principal), pg_bytes(j->plan.id, LOA_ID_BYTES)};
    rv = insert_content(j, &m);
    if (rv == LOA_OK)
        rv = pg_query(pg, &stmts[STMT_ARRIVED], &stream, NULL, NULL);
    if (rv == LOA_OK)
        rv = pg_query(pg, &stmts[STMT_SUBMISSION], submission, NULL, NULL);
    if (rv == LOA_OK)
        rv = upload_rows_done(j->jobs->pg, j->plan.id, j->content_hash);
    return pg_commit(pg, done, j);
}

/* --- slice by slice --------------------------------------------------------
 */

static void on_stored(void *data, int status)
{
    struct job *j = data;
    struct jobs *s = j->jobs;
    double seconds = (double)(clock_mono_ms() - j->started_ms) / 1000;

    if (s->closed)
        return;
    if (status != LOA_OK) {
        job_fail_db(j, status);
        return;
    }
    j->stored = true;
    stats_add(s->stats, STATS_JOBS_DONE, 1);
    stats_add(s->stats, STATS_SOUND_SECONDS, j->done.duration_ms / 1000.0);
    metric_observe(&s->stats->m[STATS_ENCODE_SECONDS], seconds);
    log_info("job.done", "principal=%s title=%s packets=%u took_s=%.1f",
             j->plan.principal, j->plan.title, j->packets_n, seconds);
    s->made(s->data, j);
    job_end(j, INGEST_JOB_ENDED);
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
        job_fail_db(j, status);
        return;
    }
    (void)FAILPOINT("job.slice");
    rv = store_slice(j, on_slice, &more);
    if (rv == LOA_EINVAL) {
        job_fail(j, REFUSE_ENCODER_OUTPUT);
        return;
    }
    if (rv == LOA_OK && !more)
        rv = store_content(j, on_stored);
    if (rv != LOA_OK)
        job_fail_db(j, rv);
    else
        j->jobs->progress(
            j->jobs->data, j->plan.id,
            JOBS_ENCODER_PERMILLE + (1000 - JOBS_ENCODER_PERMILLE) *
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
void job_store(struct job *j)
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
        job_fail(j, REFUSE_ENCODER_OUTPUT);
        return;
    }
    rv = announce(j, on_slice);
    if (rv != LOA_OK)
        job_fail_db(j, rv);
}
