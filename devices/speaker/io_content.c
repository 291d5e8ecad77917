#include "speaker/io_content.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/io/log.h"

/* A packet in a part file: sequence u32, length u32 (both in this machine's
 * order: the file never leaves it), the frames as in a complete file, and the
 * first 8 bytes of BLAKE2b-256 over all that. */
#define RECORD_HEAD 8
#define RECORD_CHECK 8
#define FRAMES_BYTES_MAX (LOA_PACKET_FRAMES * (2 + LOA_FRAME_BYTES_MAX))
#define RECORD_BYTES_MAX (RECORD_HEAD + FRAMES_BYTES_MAX + RECORD_CHECK)

#define SLICE_PACKETS 64
#define SLICE_FRAMES 640

static void file_name(const uint8_t hash[LOA_HASH_BYTES],
                      const char *suffix,
                      char out[CONTENT_NAME_CAP])
{
    loa_hex(hash, LOA_HASH_BYTES, out);
    strcat(out, suffix);
}

static void check_of(const uint8_t *p, size_t len, uint8_t out[RECORD_CHECK])
{
    uint8_t hash[LOA_HASH_BYTES];

    loa_hash((struct loa_bytes){p, len}, hash);
    memcpy(out, hash, RECORD_CHECK);
}

/* --- reading frames ------------------------------------------------------- */

int frame_reader_open(struct frame_reader *r,
                      const struct disk *d,
                      const uint8_t hash[LOA_HASH_BYTES])
{
    char name[CONTENT_NAME_CAP];

    file_name(hash, "", name);
    r->at = 0;
    r->have = r->used = 0;
    r->fd = openat(d->content, name, O_RDONLY | O_CLOEXEC);
    return r->fd >= 0 ? LOA_OK : disk_error(errno);
}

void frame_reader_close(struct frame_reader *r)
{
    close(r->fd);
    r->fd = -1;
}

/* Is there more than `want` bytes in the buffer, after looking for more? */
static int fill(struct frame_reader *r, size_t want)
{
    while (r->have - r->used < want) {
        ssize_t n;

        memmove(r->buf, r->buf + r->used, r->have - r->used);
        r->have -= r->used;
        r->used = 0;
        n = disk_read(r->fd, r->buf + r->have, sizeof r->buf - r->have, r->at);
        if (n < 0)
            return LOA_ESYS;
        if (n == 0)
            return r->have == 0 ? LOA_ENOENT : LOA_EINVAL;
        r->have += (size_t)n;
        r->at += n;
    }
    return LOA_OK;
}

int frame_reader_next(struct frame_reader *r, struct loa_bytes *frame)
{
    size_t len;
    int rv = fill(r, 2);

    if (rv != LOA_OK)
        return rv;
    len = (size_t)r->buf[r->used] << 8 | r->buf[r->used + 1];
    if (len < 1 || len > LOA_FRAME_BYTES_MAX)
        return LOA_EINVAL;
    rv = fill(r, 2 + len);
    if (rv != LOA_OK)
        return rv == LOA_ENOENT ? LOA_EINVAL : rv;
    *frame = (struct loa_bytes){r->buf + r->used + 2, len};
    r->used += 2 + len;
    return LOA_OK;
}

/* --- parts ---------------------------------------------------------------- */

/* The record at `at`, into rec. 0: there is none that is whole. */
static size_t read_record(int fd, int64_t at, uint8_t rec[RECORD_BYTES_MAX])
{
    uint8_t check[RECORD_CHECK];
    uint32_t len;
    ssize_t n = disk_read(fd, rec, RECORD_BYTES_MAX, at);

    if (n < RECORD_HEAD)
        return 0;
    memcpy(&len, rec + 4, sizeof len);
    if (len > FRAMES_BYTES_MAX || RECORD_HEAD + len + RECORD_CHECK > (size_t)n)
        return 0;
    check_of(rec, RECORD_HEAD + len, check);
    if (memcmp(check, rec + RECORD_HEAD + len, RECORD_CHECK) != 0)
        return 0;
    return RECORD_HEAD + len + RECORD_CHECK;
}

static void survey(struct content_part *p)
{
    uint8_t rec[RECORD_BYTES_MAX];
    uint32_t sequence;
    size_t len;

    p->end = 0;
    while ((len = read_record(p->fd, p->end, rec)) > 0 &&
           p->end < UINT32_MAX - RECORD_BYTES_MAX) {
        memcpy(&sequence, rec, sizeof sequence);
        if (sequence < p->packets_n)
            p->offsets[sequence] = (uint32_t)p->end + 1;
        p->end += (int64_t)len;
    }
}

int content_store_part_open(struct content_store *cs,
                            size_t part,
                            const uint8_t hash[LOA_HASH_BYTES],
                            uint32_t packets_n,
                            const uint32_t **have)
{
    struct content_part *p = &cs->parts[part];
    char name[CONTENT_NAME_CAP];

    assert(!p->open && packets_n <= CONTENT_PACKETS_MAX);
    file_name(hash, ".part", name);
    p->fd = openat(cs->disk->content, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (p->fd < 0)
        return disk_error(errno);
    p->open = true;
    p->packets_n = packets_n;
    memcpy(p->hash, hash, sizeof p->hash);
    memset(p->offsets, 0, packets_n * sizeof p->offsets[0]);
    survey(p);
    if (ftruncate(p->fd, p->end) != 0) {
        content_store_part_close(cs, part);
        return LOA_ESYS;
    }
    *have = p->offsets;
    return LOA_OK;
}

void content_store_part_close(struct content_store *cs, size_t part)
{
    struct content_part *p = &cs->parts[part];

    if (p->open)
        close(p->fd);
    p->open = false;
}

int content_store_put(struct content_store *cs,
                      size_t part,
                      const struct loa_packet *k)
{
    struct content_part *p = &cs->parts[part];
    uint8_t rec[RECORD_BYTES_MAX];
    size_t at = RECORD_HEAD;
    uint32_t len;
    int rv;

    assert(p->open && k->sequence < p->packets_n);
    if (p->end >= (int64_t)UINT32_MAX - RECORD_BYTES_MAX)
        return LOA_ENOSPC;
    for (size_t i = 0; i < k->frames_n; i++) {
        rec[at++] = (uint8_t)(k->frames[i].len >> 8);
        rec[at++] = (uint8_t)k->frames[i].len;
        memcpy(rec + at, k->frames[i].data, k->frames[i].len);
        at += k->frames[i].len;
    }
    len = (uint32_t)(at - RECORD_HEAD);
    memcpy(rec, &k->sequence, 4);
    memcpy(rec + 4, &len, 4);
    check_of(rec, at, rec + at);
    rv = disk_write_all(p->fd, rec, at + RECORD_CHECK, p->end);
    if (rv != LOA_OK)
        return rv;
    p->offsets[k->sequence] = (uint32_t)p->end + 1;
    p->end += (int64_t)(at + RECORD_CHECK);
    return LOA_OK;
}

/* --- jobs ----------------------------------------------------------------- */

static void job_end(struct content_store *cs, int status)
{
    struct content_job *j = &cs->job;

    uv_idle_stop(&cs->idle);
    if (j->to != NULL)
        fclose(j->to);
    j->to = NULL;
    if (j->from.fd >= 0)
        frame_reader_close(&j->from);
    j->active = false;
    cs->cb(cs->data, status, j->bytes);
}

static int remove_file(struct content_store *cs,
                       const uint8_t *hash,
                       const char *suffix)
{
    char name[CONTENT_NAME_CAP];

    file_name(hash, suffix, name);
    if (unlinkat(cs->disk->content, name, 0) == 0 || errno == ENOENT)
        return LOA_OK;
    return disk_error(errno);
}

/* All frames are written to .tmp. Only a right hash makes them the content. */
static int seal_finish(struct content_store *cs)
{
    struct content_job *j = &cs->job;
    char tmp[CONTENT_NAME_CAP], name[CONTENT_NAME_CAP];
    uint8_t sum[LOA_HASH_BYTES];
    int rv;

    loa_content_hash_final(&j->sum, sum);
    if (memcmp(sum, j->hash, sizeof sum) != 0)
        return LOA_EINVAL;
    rv = fflush(j->to) == 0 ? disk_sync(fileno(j->to)) : disk_error(errno);
    file_name(j->hash, ".tmp", tmp);
    file_name(j->hash, "", name);
    if (rv == LOA_OK &&
        renameat(cs->disk->content, tmp, cs->disk->content, name) != 0)
        rv = disk_error(errno);
    if (rv == LOA_OK)
        rv = disk_sync(cs->disk->content);
    if (rv == LOA_OK)
        rv = remove_file(cs, j->hash, ".part");
    return rv;
}

/* A full disk must not keep what nobody will finish. */
static void seal_failed(struct content_store *cs, int status)
{
    remove_file(cs, cs->job.hash, ".tmp");
    if (status == LOA_EINVAL) /* A packet rotted on disk: all of it again. */
        remove_file(cs, cs->job.hash, ".part");
    job_end(cs, status);
}

static int seal_packet(struct content_job *j)
{
    uint8_t rec[RECORD_BYTES_MAX];
    uint32_t offset = j->part->offsets[j->next];
    size_t len, at = RECORD_HEAD;

    len = offset != 0 ? read_record(j->part->fd, offset - 1, rec) : 0;
    if (len == 0)
        return LOA_EINVAL;
    len -= RECORD_CHECK;
    while (at + 2 < len) {
        size_t n = (size_t)rec[at] << 8 | rec[at + 1];

        if (n < 1 || n > LOA_FRAME_BYTES_MAX || n > len - at - 2)
            return LOA_EINVAL;
        loa_content_hash_frame(&j->sum, rec + at + 2, n);
        at += 2 + n;
    }
    if (fwrite(rec + RECORD_HEAD, 1, len - RECORD_HEAD, j->to) !=
        len - RECORD_HEAD)
        return disk_error(errno);
    j->bytes += len - RECORD_HEAD;
    j->next++;
    return LOA_OK;
}

static void seal_slice(struct content_store *cs)
{
    struct content_job *j = &cs->job;
    int rv = j->to != NULL ? LOA_OK : j->refused;

    for (int i = 0; rv == LOA_OK && i < SLICE_PACKETS; i++) {
        if (j->next < j->part->packets_n) {
            rv = seal_packet(j);
            continue;
        }
        rv = seal_finish(cs);
        if (rv == LOA_OK) {
            job_end(cs, LOA_OK);
            return;
        }
    }
    if (rv != LOA_OK)
        seal_failed(cs, rv);
}

static void check_slice(struct content_store *cs)
{
    struct content_job *j = &cs->job;
    uint8_t sum[LOA_HASH_BYTES];
    struct loa_bytes frame;
    int rv = j->from.fd >= 0 ? LOA_OK : j->refused;

    if (rv == LOA_ESYS) { /* Not now; that says nothing about the file. */
        job_end(cs, rv);
        return;
    }

    for (int i = 0; rv == LOA_OK && i < SLICE_FRAMES; i++) {
        rv = frame_reader_next(&j->from, &frame);
        if (rv != LOA_OK)
            break;
        loa_content_hash_frame(&j->sum, frame.data, frame.len);
        j->bytes += 2 + frame.len;
    }
    if (rv == LOA_OK)
        return;
    if (rv == LOA_ENOENT) { /* The end, as it should be. */
        loa_content_hash_final(&j->sum, sum);
        rv = memcmp(sum, j->hash, sizeof sum) == 0 ? LOA_OK : LOA_EINVAL;
    }
    if (rv == LOA_EINVAL || rv == LOA_ESYS) {
        log_warn("content.damaged", "text=%s", loa_strerror(rv));
        remove_file(cs, j->hash, "");
        rv = LOA_EINVAL;
    }
    job_end(cs, rv);
}

static void on_idle(uv_idle_t *idle)
{
    struct content_store *cs = idle->data;

    if (cs->job.seal)
        seal_slice(cs);
    else
        check_slice(cs);
}

static void job_begin(struct content_store *cs, const uint8_t *hash, bool seal)
{
    struct content_job *j = &cs->job;

    assert(!j->active);
    j->active = true;
    j->seal = seal;
    j->bytes = 0;
    j->next = 0;
    j->to = NULL;
    j->from.fd = -1;
    memcpy(j->hash, hash, sizeof j->hash);
    loa_content_hash_init(&j->sum);
    uv_idle_start(&cs->idle, on_idle);
}

void content_store_seal(struct content_store *cs, size_t part)
{
    struct content_job *j = &cs->job;
    char tmp[CONTENT_NAME_CAP];
    int fd;

    job_begin(cs, cs->parts[part].hash, true);
    j->part = &cs->parts[part];
    file_name(j->hash, ".tmp", tmp);
    fd = openat(cs->disk->content, tmp,
                O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    j->refused = fd < 0 ? disk_error(errno) : LOA_ENOMEM;
    j->to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (fd >= 0 && j->to == NULL)
        close(fd);
}

void content_store_check(struct content_store *cs,
                         const uint8_t hash[LOA_HASH_BYTES])
{
    job_begin(cs, hash, false);
    cs->job.refused = frame_reader_open(&cs->job.from, cs->disk, hash);
    if (cs->job.refused != LOA_OK)
        cs->job.from.fd = -1;
}

int content_store_delete(struct content_store *cs,
                         const uint8_t hash[LOA_HASH_BYTES])
{
    int rv = remove_file(cs, hash, "");

    return rv == LOA_OK ? remove_file(cs, hash, ".part") : rv;
}

/* --- opening -------------------------------------------------------------- */

static void found_file(struct content_store *cs,
                       const char *name,
                       content_found_cb found)
{
    char hex[2 * LOA_HASH_BYTES + 1];
    uint8_t hash[LOA_HASH_BYTES];
    struct stat st;

    if (strlen(name) < 2 * LOA_HASH_BYTES)
        return;
    memcpy(hex, name, sizeof hex - 1);
    hex[sizeof hex - 1] = '\0';
    name += sizeof hex - 1;
    if (loa_unhex(hex, hash, sizeof hash) != LOA_OK)
        return;
    if (strcmp(name, ".tmp") == 0) {
        remove_file(cs, hash, ".tmp"); /* A seal that was cut. */
    } else if (fstatat(cs->disk->content, name - sizeof hex + 1, &st, 0) == 0 &&
               (*name == '\0' || strcmp(name, ".part") == 0)) {
        found(cs->data, hash, *name == '\0', (uint64_t)st.st_size);
    }
}

void content_store_open(struct content_store *cs,
                        struct disk *d,
                        uv_loop_t *loop,
                        content_found_cb found,
                        content_job_cb cb,
                        void *data)
{
    int fd = openat(d->content, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    cs->disk = d;
    cs->cb = cb;
    cs->data = data;
    cs->job.from.fd = -1;
    uv_idle_init(loop, &cs->idle);
    cs->idle.data = cs;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        found_file(cs, entry->d_name, found);
    if (dir != NULL)
        closedir(dir);
}

void content_store_close(struct content_store *cs)
{
    if (cs->job.to != NULL)
        fclose(cs->job.to);
    if (cs->job.from.fd >= 0)
        frame_reader_close(&cs->job.from);
    for (size_t i = 0; i < FETCHES_MAX; i++)
        content_store_part_close(cs, i);
    uv_close((uv_handle_t *)&cs->idle, NULL);
}
