#include "speaker/io_receipts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/io/log.h"

#define FILE_NAME "receipts"
#define TMP_NAME "receipts.tmp"

static int64_t place(const struct receipt_log *l, uint64_t sequence)
{
    return (int64_t)(sequence - l->first + 1) * RECEIPT_RECORD_BYTES;
}

static bool read_record(int fd, int64_t at, uint8_t out[RECEIPT_RECORD_BYTES])
{
    return disk_read(fd, out, RECEIPT_RECORD_BYTES, at) == RECEIPT_RECORD_BYTES;
}

/* Is it the record of that number? */
static bool read_receipt(const struct receipt_log *l,
                         uint64_t sequence,
                         struct receipt *r)
{
    uint8_t record[RECEIPT_RECORD_BYTES];

    return read_record(l->fd, place(l, sequence), record) &&
           receipt_decode(record, r) == LOA_OK && r->sequence == sequence;
}

static bool all_zero(const uint8_t record[RECEIPT_RECORD_BYTES])
{
    for (size_t i = 0; i < RECEIPT_RECORD_BYTES; i++)
        if (record[i] != 0)
            return false;
    return true;
}

/* --- writing a log anew --------------------------------------------------- */

static int write_head(int fd, const uint8_t *log_id, uint64_t first)
{
    uint8_t head[RECEIPT_RECORD_BYTES];

    receipt_head_encode(log_id, first, head);
    return disk_write_all(fd, head, sizeof head, 0);
}

/* Make tmp the log, which begins with `first`. Takes fd. */
static int install(struct receipt_log *l, int fd, uint64_t first)
{
    int rv = disk_sync(fd);

    if (rv == LOA_OK &&
        renameat(l->disk->dir, TMP_NAME, l->disk->dir, FILE_NAME) != 0)
        rv = disk_error(errno);
    if (rv != LOA_OK) {
        close(fd);
        unlinkat(l->disk->dir, TMP_NAME, 0);
        return rv;
    }
    /* From here on the old file has no name: what was appended to it would be
     * gone with the next start, whatever the directory's fsync says. */
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    l->first = first;
    l->named = false;
    return LOA_OK;
}

/* Is the file that we append to the one that a start will find? */
static int make_named(struct receipt_log *l)
{
    int rv = l->named ? LOA_OK : disk_sync(l->disk->dir);

    l->named = rv == LOA_OK;
    return rv;
}

static int open_tmp(struct receipt_log *l)
{
    return openat(l->disk->dir, TMP_NAME,
                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

struct showing {
    receipt_log_cb cb;
    void *data;
};

/* A new log with the good ones of `rows_n` records of the old file, which are
 * numbered from 1. */
static int renumber(struct receipt_log *l,
                    const uint8_t fresh_id[LOA_ID_BYTES],
                    uint64_t rows_n,
                    const struct showing *to)
{
    int fd = open_tmp(l);
    uint64_t next = 1;
    int rv;

    if (fd < 0)
        return disk_error(errno);
    rv = write_head(fd, fresh_id, 1);
    for (uint64_t i = 1; rv == LOA_OK && i <= rows_n; i++) {
        uint8_t record[RECEIPT_RECORD_BYTES];
        struct receipt r;

        if (!read_record(l->fd, (int64_t)i * RECEIPT_RECORD_BYTES, record) ||
            receipt_decode(record, &r) != LOA_OK)
            continue;
        r.sequence = next;
        to->cb(to->data, &r);
        receipt_encode(&r, record);
        rv = disk_write_all(fd, record, sizeof record,
                            (int64_t)next++ * RECEIPT_RECORD_BYTES);
    }
    if (rv != LOA_OK) {
        close(fd);
        unlinkat(l->disk->dir, TMP_NAME, 0);
        return rv;
    }
    memcpy(l->log_id, fresh_id, LOA_ID_BYTES);
    l->next = next;
    rv = install(l, fd, 1);
    return rv == LOA_OK ? make_named(l) : rv;
}

/* --- opening -------------------------------------------------------------- */

/* Shows what is good, finds where the log ends, and counts what is damaged
 * before that. Zeros at the end are space that was given to the file but whose
 * bytes never came, so nobody has seen them. Anything else keeps its number: it
 * may have been sent, and a number never means two things. */
static uint64_t survey(struct receipt_log *l,
                       uint64_t rows_n,
                       const struct showing *to)
{
    uint64_t bad_n = 0, damaged_n = 0;
    struct receipt r;

    l->next = l->first;
    for (uint64_t i = l->first; i < l->first + rows_n; i++) {
        uint8_t record[RECEIPT_RECORD_BYTES];
        bool there = read_record(l->fd, place(l, i), record);

        if (there && all_zero(record)) {
            bad_n++;
            continue;
        }
        if (!there || receipt_decode(record, &r) != LOA_OK || r.sequence != i)
            damaged_n++;
        else
            to->cb(to->data, &r);
        damaged_n += bad_n;
        bad_n = 0;
        l->next = i + 1;
    }
    return damaged_n;
}

static int cut_tail(struct receipt_log *l, uint64_t good)
{
    log_warn("receipts.torn", "records=%" PRIu64, good);
    if (ftruncate(l->fd, (off_t)(good + 1) * RECEIPT_RECORD_BYTES) != 0)
        return disk_error(errno);
    return LOA_OK;
}

/* The head is damaged: its id is in the memo, its number in the records. */
static bool restore_head(struct receipt_log *l,
                         const uint8_t *known_id,
                         uint64_t rows_n)
{
    uint8_t record[RECEIPT_RECORD_BYTES];
    struct receipt r;

    for (uint64_t i = 1; known_id != NULL && i <= rows_n; i++) {
        if (!read_record(l->fd, (int64_t)i * RECEIPT_RECORD_BYTES, record) ||
            receipt_decode(record, &r) != LOA_OK || r.sequence < i)
            continue;
        memcpy(l->log_id, known_id, LOA_ID_BYTES);
        l->first = r.sequence - (i - 1);
        return write_head(l->fd, l->log_id, l->first) == LOA_OK;
    }
    return false;
}

/* The file is open and not empty. */
static int open_old(struct receipt_log *l,
                    const struct receipt_log_ids *ids,
                    uint64_t size,
                    const struct showing *to)
{
    uint64_t rows_n = size / RECEIPT_RECORD_BYTES, damaged_n;
    uint8_t head[RECEIPT_RECORD_BYTES];
    int rv = LOA_OK;

    rows_n -= rows_n > 0 ? 1 : 0;
    if (!read_record(l->fd, 0, head) ||
        receipt_head_decode(head, l->log_id, &l->first) != LOA_OK) {
        log_warn("receipts.damaged", "text=the log's head is unreadable");
        if (!restore_head(l, ids->known, rows_n))
            return renumber(l, ids->fresh, rows_n, to);
    }
    damaged_n = survey(l, rows_n, to);
    if (damaged_n > 0)
        log_warn("receipts.damaged", "records=%" PRIu64, damaged_n);
    if (l->next - l->first < rows_n || size % RECEIPT_RECORD_BYTES != 0)
        rv = cut_tail(l, l->next - l->first);
    /* What a killed process left may be in memory only: see io_disk.c. */
    return rv == LOA_OK ? disk_sync(l->fd) : rv;
}

static int make_new(struct receipt_log *l, const uint8_t fresh_id[LOA_ID_BYTES])
{
    int fd = open_tmp(l), rv;

    if (fd < 0)
        return disk_error(errno);
    memcpy(l->log_id, fresh_id, LOA_ID_BYTES);
    l->next = 1;
    rv = write_head(fd, fresh_id, 1);
    if (rv != LOA_OK) {
        close(fd);
        unlinkat(l->disk->dir, TMP_NAME, 0);
        return rv;
    }
    rv = install(l, fd, 1);
    return rv == LOA_OK ? make_named(l) : rv;
}

/* A log that cannot be opened now is not one that is missing. */
static int open_or_make(struct receipt_log *l,
                        const struct receipt_log_ids *ids,
                        const struct showing *to)
{
    struct stat st;

    l->fd = openat(l->disk->dir, FILE_NAME, O_RDWR | O_CLOEXEC);
    if (l->fd < 0)
        return errno == ENOENT ? make_new(l, ids->fresh) : disk_error(errno);
    if (fstat(l->fd, &st) != 0)
        return disk_error(errno);
    if (st.st_size == 0)
        return make_new(l, ids->fresh);
    return open_old(l, ids, (uint64_t)st.st_size, to);
}

int receipt_log_open(struct receipt_log *l,
                     struct disk *d,
                     const struct receipt_log_ids *ids,
                     receipt_log_cb cb,
                     void *data)
{
    const struct showing to = {cb, data};
    int rv;

    l->disk = d;
    l->fd = -1;
    l->first = 1;
    l->named = false;
    rv = open_or_make(l, ids, &to);
    if (rv != LOA_OK) {
        log_error("receipts.open", "text=%s", loa_strerror(rv));
        receipt_log_close(l);
    }
    return rv;
}

void receipt_log_close(struct receipt_log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* --- use ------------------------------------------------------------------ */

int receipt_log_append(struct receipt_log *l,
                       const struct receipt *rows,
                       size_t rows_n)
{
    int rv = LOA_OK;

    for (size_t i = 0; rv == LOA_OK && i < rows_n; i++) {
        uint8_t record[RECEIPT_RECORD_BYTES];

        assert(rows[i].sequence == l->next + i);
        receipt_encode(&rows[i], record);
        rv = disk_write_all(l->fd, record, sizeof record,
                            place(l, rows[i].sequence));
    }
    if (rv == LOA_OK)
        rv = disk_sync(l->fd);
    if (rv == LOA_OK)
        rv = make_named(l);
    /* After a failure the same records are written to the same place. */
    if (rv == LOA_OK)
        l->next += rows_n;
    return rv;
}

size_t receipt_log_read(struct receipt_log *l,
                        uint64_t first,
                        struct receipt *rows,
                        size_t n)
{
    uint64_t bad_n = 0;
    size_t got = 0;

    while (got < n && first + got < l->next) {
        if (read_receipt(l, first + got, &rows[got])) {
            got++;
            continue;
        }
        if (got > 0)
            break;
        first++; /* What is behind it must not wait for ever. */
        bad_n++;
    }
    if (bad_n > 0)
        log_warn("receipts.unreadable", "record=%" PRIu64 " records=%" PRIu64,
                 first - bad_n, bad_n);
    return got;
}

/* A damaged record keeps its place, as something that is none. */
static int copy_records(const struct receipt_log *l, int fd, uint64_t first)
{
    int rv = LOA_OK;

    for (uint64_t i = first; rv == LOA_OK && i < l->next; i++) {
        uint8_t record[RECEIPT_RECORD_BYTES];

        if (!read_record(l->fd, place(l, i), record) || all_zero(record))
            memset(record, 0xff, sizeof record);
        rv = disk_write_all(fd, record, sizeof record,
                            (int64_t)(i - first + 1) * RECEIPT_RECORD_BYTES);
    }
    return rv;
}

int receipt_log_trim(struct receipt_log *l, uint64_t n)
{
    uint64_t first = l->first + n;
    int fd = open_tmp(l), rv;

    if (fd < 0)
        return disk_error(errno);
    rv = write_head(fd, l->log_id, first);
    if (rv == LOA_OK)
        rv = copy_records(l, fd, first);
    if (rv != LOA_OK) {
        close(fd);
        unlinkat(l->disk->dir, TMP_NAME, 0);
        return rv;
    }
    return install(l, fd, first);
}
