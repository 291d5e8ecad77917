#include "content-ingest/io_export.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content-ingest/io_batch.h"
#include "content-ingest/io_reply.h"
#include "proto/io/log.h"

#define PREFIX "export-" /* Of our files in the work directory. */
#define PAGE_LEN_MAX                                   \
    ((size_t)EXPORT_PAGE_PACKETS * LOA_PACKET_FRAMES * \
     (LOA_FRAME_BYTES_MAX + FRAMES_LEN_LEN))

enum { STMT_CONTENT, STMT_PACKETS };

static const struct pg_stmt stmts[] = {
    /* The same right as to see it in a list. */
    [STMT_CONTENT] =
        {"export_content",
         "SELECT stream_key, packets_n, frames_n, duration_ms, pre_skip, title,"
         " to_char(created_at AT TIME ZONE 'Asia/Ho_Chi_Minh', 'YYYY-MM-DD')"
         " FROM content c, (SELECT replace($1, '/', '.')::ltree AS own) o"
         " WHERE content_hash = $2 AND (EXISTS (SELECT FROM submission s"
         "  WHERE s.content_hash = c.content_hash AND s.area <@ own)"
         " OR EXISTS (SELECT FROM approval a"
         "  WHERE a.content_hash = c.content_hash"
         "  AND (a.area @> own OR a.area <@ own) AND a.expires_at > now()))",
         2, PG_MAYBE, true},
    [STMT_PACKETS] =
        {"export_packets",
         "SELECT body FROM packet WHERE stream_key = $1"
         " AND sequence >= $2::int AND sequence < $3::int ORDER BY sequence",
         3, PG_ROWS, true},
};

static void make_next(struct exports *s);

/* --- handing out -----------------------------------------------------------
 */

static void on_read(uv_fs_t *fs)
{
    struct exports_read *r = fs->data;
    struct rpc_call *call = r->call;
    ssize_t n = fs->result;

    uv_fs_req_cleanup(fs);
    close(r->fd);
    r->call = NULL;
    if (r->exports->closed)
        return;
    if (n < 0)
        reply_refusal(call, REFUSE_EXPORT_FAILED);
    else
        reply_data(call, (struct loa_bytes){r->data, (size_t)n}, r->offset,
                   r->size);
}

static void hand_out(struct exports *s,
                     struct export *e,
                     struct rpc_call *call,
                     uint64_t offset)
{
    struct exports_read *r = NULL;
    uv_buf_t buf;

    if (offset > e->size) {
        reply_refusal(call, REFUSE_EXPORT_OFFSET);
        return;
    }
    for (size_t i = 0; i < EXPORT_READS_MAX && r == NULL; i++)
        if (s->reads[i].call == NULL)
            r = &s->reads[i];
    if (r == NULL) {
        reply_refusal(call, REFUSE_EXPORT_BUSY);
        return;
    }
    r->fd = open(e->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) {
        log_error("export.read", "file=%s text=%s", e->path, strerror(errno));
        e->state = EXPORT_FREE; /* It is made anew when asked for again. */
        reply_refusal(call, REFUSE_EXPORT_FAILED);
        return;
    }
    r->exports = s;
    r->call = call;
    r->offset = offset;
    r->size = e->size;
    r->fs.data = r;
    buf = uv_buf_init((char *)r->data, sizeof r->data);
    if (uv_fs_read(s->loop, &r->fs, r->fd, &buf, 1, (int64_t)offset, on_read) !=
        0) {
        close(r->fd);
        r->call = NULL;
        reply_refusal(call, REFUSE_EXPORT_FAILED);
    }
}

/* --- making ----------------------------------------------------------------
 */

static void made(struct exports *s, enum refusal r)
{
    struct export *e = s->making;
    size_t waiters_n = e->waiters_n;

    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    unlink(s->frames_path);
    free(s->page);
    s->page = NULL;
    s->making = NULL;
    e->state = r == REFUSE_NOTHING ? EXPORT_READY : EXPORT_FREE;
    e->waiters_n = 0;
    if (r != REFUSE_NOTHING)
        worker_unlink(e->path);
    else
        stats_add(s->stats, STATS_EXPORTS, 1);
    for (size_t i = 0; i < waiters_n; i++)
        if (r == REFUSE_NOTHING && e->state == EXPORT_READY)
            hand_out(s, e, e->waiters[i].call, e->waiters[i].offset);
        else
            reply_refusal(e->waiters[i].call,
                          r == REFUSE_NOTHING ? REFUSE_EXPORT_FAILED : r);
    if (e->forget && e->state == EXPORT_READY) {
        unlink(e->path);
        e->state = EXPORT_FREE;
    }
    make_next(s);
}

static void on_worker(void *data, const struct worker_result *result)
{
    struct exports *s = data;
    struct stat st;

    if (result->exit_code != 0 || !result->spawned || result->timed_out ||
        result->signalled || stat(s->making->path, &st) != 0) {
        log_error("export.worker", "exit=%d signal=%d text=%s",
                  result->exit_code, s->worker.term_signal, result->said);
        made(s, REFUSE_EXPORT_FAILED);
        return;
    }
    s->making->size = (uint64_t)st.st_size;
    made(s, REFUSE_NOTHING);
}

static void encode(struct exports *s)
{
    const struct export *e = s->making;
    const char *args[] = {"export", s->frames_path, e->path, "--title",
                          e->title, "--date",       e->date};
    struct worker_conf conf = {.program = s->encoder,
                               .args = args,
                               .args_n = sizeof args / sizeof args[0],
                               .timeout_ms = EXPORT_TIMEOUT_MS,
                               .on_end = on_worker,
                               .data = s};

    close(s->fd);
    s->fd = -1;
    worker_start(&s->worker, s->loop, &conf);
}

static void on_page(void *data, int status, const PGresult *res);

static void read_page(struct exports *s)
{
    uint8_t from[4], to[4];
    struct pg_value values[] = {
        pg_bytes(s->making->stream_key, LOA_KEY_BYTES),
        pg_i32((int32_t)s->next, from),
        pg_i32((int32_t)(s->next + EXPORT_PAGE_PACKETS), to)};

    if (batch_ask(s->pg, &stmts[STMT_PACKETS], values, on_page, s) != LOA_OK)
        made(s, REFUSE_DATABASE_BUSY);
}

static void on_write(uv_fs_t *fs)
{
    struct exports *s = fs->data;
    ssize_t written = fs->result;

    s->writing = false;
    uv_fs_req_cleanup(fs);
    if (s->closed) {
        close(s->fd);
        free(s->page);
        return;
    }
    if (written < 0 || (size_t)written != s->page_len) {
        log_error("export.write", "file=%s text=%s", s->frames_path,
                  written < 0 ? uv_strerror((int)written) : "short write");
        made(s, REFUSE_SPACE);
        return;
    }
    s->at += s->page_len;
    if (s->next >= s->making->packets_n)
        encode(s);
    else
        read_page(s);
}

static void on_page(void *data, int status, const PGresult *res)
{
    struct exports *s = data;
    struct loa_bytes p;
    uv_buf_t buf;
    int rv = status;

    if (s->closed)
        return;
    s->page_len = 0;
    if (s->next == 0 && rv == LOA_OK) {
        frames_header_put(s->page, &s->making->header);
        s->page_len = FRAMES_HEADER_LEN;
    }
    for (int i = 0; rv == LOA_OK && i < PQntuples(res); i++) {
        p.data = pg_get_bytes(res, i, 0, &p.len);
        rv = packets_unpack(&s->arena, p, s->page,
                            PAGE_LEN_MAX + FRAMES_HEADER_LEN, &s->page_len);
    }
    if (rv != LOA_OK || PQntuples(res) == 0) {
        log_error("export.packets", "next=%u text=%s", s->next,
                  loa_strerror(rv));
        made(s, REFUSE_EXPORT_FAILED);
        return;
    }
    s->next += EXPORT_PAGE_PACKETS;
    buf = uv_buf_init((char *)s->page, (unsigned)s->page_len);
    s->fs.data = s;
    s->writing = true;
    if (uv_fs_write(s->loop, &s->fs, s->fd, &buf, 1, (int64_t)s->at,
                    on_write) != 0) {
        s->writing = false;
        made(s, REFUSE_EXPORT_FAILED);
    }
}

static void make(struct exports *s, struct export *e)
{
    char hex[2 * LOA_HASH_BYTES + 1];

    loa_hex(e->hash, LOA_HASH_BYTES, hex);
    snprintf(s->frames_path, sizeof s->frames_path, "%s/" PREFIX "%s.frames",
             s->work_dir, hex);
    snprintf(e->path, sizeof e->path, "%s/" PREFIX "%s.opus", s->work_dir, hex);
    s->making = e;
    e->state = EXPORT_MAKING;
    s->at = 0;
    s->next = 0;
    unlink(s->frames_path);
    s->fd = open(s->frames_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    s->page = malloc(PAGE_LEN_MAX + FRAMES_HEADER_LEN);
    if (s->fd < 0 || s->page == NULL) {
        log_error("export.open", "file=%s text=%s", s->frames_path,
                  strerror(errno));
        made(s, REFUSE_EXPORT_FAILED);
        return;
    }
    read_page(s);
}

static void make_next(struct exports *s)
{
    struct export *next = NULL;

    if (s->making != NULL || s->closed)
        return;
    for (size_t i = 0; i < EXPORTS_MAX; i++) {
        struct export *e = &s->exports[i];

        if (e->state == EXPORT_QUEUED && (next == NULL || e->used < next->used))
            next = e;
    }
    if (next != NULL)
        make(s, next);
}

/* --- requests --------------------------------------------------------------
 */

static struct export *find(struct exports *s, const uint8_t *hash)
{
    for (size_t i = 0; i < EXPORTS_MAX; i++)
        if (s->exports[i].state != EXPORT_FREE &&
            memcmp(s->exports[i].hash, hash, LOA_HASH_BYTES) == 0)
            return &s->exports[i];
    return NULL;
}

/* A free place, or that of the file that was not asked for longest. */
static struct export *room(struct exports *s)
{
    struct export *oldest = NULL;

    for (size_t i = 0; i < EXPORTS_MAX; i++) {
        struct export *e = &s->exports[i];

        if (e->state == EXPORT_FREE)
            return e;
        if (e->state == EXPORT_READY &&
            (oldest == NULL || e->used < oldest->used))
            oldest = e;
    }
    if (oldest != NULL)
        unlink(oldest->path);
    return oldest;
}

static struct export *begin(struct exports *s,
                            const uint8_t *hash,
                            const PGresult *res)
{
    struct export *e = room(s);
    size_t len;

    if (e == NULL)
        return NULL;
    memset(e, 0, sizeof *e);
    memcpy(e->hash, hash, LOA_HASH_BYTES);
    memcpy(e->stream_key, pg_get_bytes(res, 0, 0, &len), LOA_KEY_BYTES);
    e->packets_n = (uint32_t)pg_get_u64(res, 0, 1);
    if (!packets_header((uint32_t)pg_get_u64(res, 0, 2),
                        (uint32_t)pg_get_u64(res, 0, 3),
                        (uint32_t)pg_get_u64(res, 0, 4), &e->header))
        return NULL;
    snprintf(e->title, sizeof e->title, "%s", pg_get_text(res, 0, 5, NULL));
    snprintf(e->date, sizeof e->date, "%s", pg_get_text(res, 0, 6, NULL));
    e->state = EXPORT_QUEUED;
    return e;
}

static void on_content(void *data, int status, const PGresult *res)
{
    struct exports_slot *t = data;
    struct exports *s = t->exports;
    struct export *e;

    if (status != LOA_OK || PQntuples(res) == 0) {
        reply_refusal(t->call, status != LOA_OK ? batch_refusal(s->pg, status)
                                                : REFUSE_CONTENT_UNKNOWN);
        return;
    }
    e = find(s, t->hash);
    if (e == NULL)
        e = begin(s, t->hash, res);
    if (e == NULL || e->waiters_n == EXPORT_WAITERS_MAX) {
        reply_refusal(t->call, REFUSE_EXPORT_BUSY);
        return;
    }
    e->used = s->used++;
    if (e->state == EXPORT_READY) {
        hand_out(s, e, t->call, t->offset);
        return;
    }
    e->waiters[e->waiters_n].call = t->call;
    e->waiters[e->waiters_n++].offset = t->offset;
    make_next(s);
}

void exports_request(struct exports *s,
                     struct rpc_call *call,
                     const uint8_t hash[LOA_HASH_BYTES],
                     uint64_t offset)
{
    struct exports_slot *t = &s->slots[call - call->rpc->calls];
    struct pg_value values[] = {pg_text(call->who.area),
                                pg_bytes(hash, LOA_HASH_BYTES)};

    t->exports = s;
    t->call = call;
    t->offset = offset;
    memcpy(t->hash, hash, LOA_HASH_BYTES);
    if (batch_ask(s->pg, &stmts[STMT_CONTENT], values, on_content, t) != LOA_OK)
        reply_refusal(call, REFUSE_DATABASE_BUSY);
}

void exports_forget(struct exports *s, const uint8_t hash[LOA_HASH_BYTES])
{
    struct export *e = find(s, hash);

    if (e == NULL)
        return;
    e->forget = true;
    if (e->state == EXPORT_READY) {
        unlink(e->path);
        e->state = EXPORT_FREE;
    }
}

/* --- open, close -----------------------------------------------------------
 */

int exports_open(struct exports *s)
{
    uv_fs_t fs;
    uv_dirent_t entry;
    char path[PATH_MAX];

    s->fd = -1;
    loa_arena_init(&s->arena, s->memory, sizeof s->memory);
    if (uv_fs_scandir(NULL, &fs, s->work_dir, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&fs, &entry) != UV_EOF)
            if (strncmp(entry.name, PREFIX, sizeof PREFIX - 1) == 0) {
                snprintf(path, sizeof path, "%s/%s", s->work_dir, entry.name);
                unlink(path);
            }
        uv_fs_req_cleanup(&fs);
    }
    return pg_prepare(s->pg, stmts, sizeof stmts / sizeof stmts[0]);
}

void exports_close(struct exports *s)
{
    s->closed = true;
    worker_close(&s->worker);
    if (s->making != NULL && !s->writing) {
        if (s->fd >= 0)
            close(s->fd);
        free(s->page);
    }
}
