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
    return pread(fd, out, RECEIPT_RECORD_BYTES, at) == RECEIPT_RECORD_BYTES;
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

/* Make tmp the log. Takes fd. */
static int install(struct receipt_log *l, int fd)
{
    int rv = disk_sync(fd);

    if (rv == LOA_OK &&
        renameat(l->disk->dir, TMP_NAME, l->disk->dir, FILE_NAME) != 0)
        rv = disk_error(errno);
    if (rv == LOA_OK)
        rv = disk_sync(l->disk->dir);
    if (rv != LOA_OK) {
        close(fd);
        unlinkat(l->disk->dir, TMP_NAME, 0);
        return rv;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    return LOA_OK;
}

static int open_tmp(struct receipt_log *l)
{
    return openat(l->disk->dir, TMP_NAME,
                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* A new log with the good ones of `rows_n` records of the old file, which are
 * numbered from 1. */
static int renumber(struct receipt_log *l,
                    const uint8_t fresh_id[LOA_ID_BYTES],
                    uint64_t rows_n)
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
        receipt_encode(&r, record);
        rv = disk_write_all(fd, record, sizeof record,
                            (int64_t)next++ * RECEIPT_RECORD_BYTES);
    }
    if (rv != LOA_OK) {
        close(fd);
        return rv;
    }
    memcpy(l->log_id, fresh_id, LOA_ID_BYTES);
    l->first = 1;
    l->next = next;
    return install(l, fd);
}

/* --- opening -------------------------------------------------------------- */

enum damage { WHOLE, TORN, DAMAGED };

/* How many good records there are from the start, and what ends them. */
static enum damage survey(struct receipt_log *l,
                          uint64_t rows_n,
                          uint64_t *good)
{
    uint8_t record[RECEIPT_RECORD_BYTES];
    struct receipt r;

    for (*good = 0; *good < rows_n; ++*good) {
        if (!read_record(l->fd, (int64_t)(*good + 1) * RECEIPT_RECORD_BYTES,
                         record))
            return DAMAGED;
        /* Space was given to the file but its bytes never came. */
        if (all_zero(record))
            return TORN;
        if (receipt_decode(record, &r) != LOA_OK ||
            r.sequence != l->first + *good)
            return DAMAGED;
    }
    return WHOLE;
}

static int cut_tail(struct receipt_log *l, uint64_t good)
{
    log_warn("receipts.torn", "records=%" PRIu64, good);
    if (ftruncate(l->fd, (off_t)(good + 1) * RECEIPT_RECORD_BYTES) != 0)
        return disk_error(errno);
    return disk_sync(l->fd);
}

/* The file is open and not empty. */
static int open_old(struct receipt_log *l,
                    const uint8_t fresh_id[LOA_ID_BYTES],
                    uint64_t size)
{
    uint64_t rows_n = size / RECEIPT_RECORD_BYTES, good;
    uint8_t head[RECEIPT_RECORD_BYTES];
    enum damage found;

    rows_n -= rows_n > 0 ? 1 : 0;
    if (!read_record(l->fd, 0, head) ||
        receipt_head_decode(head, l->log_id, &l->first) != LOA_OK) {
        log_warn("receipts.damaged", "text=the log's head is unreadable");
        return renumber(l, fresh_id, rows_n);
    }
    found = survey(l, rows_n, &good);
    if (found == DAMAGED) {
        log_warn("receipts.damaged", "record=%" PRIu64, l->first + good);
        return renumber(l, fresh_id, rows_n);
    }
    l->next = l->first + good;
    if (found == TORN || size % RECEIPT_RECORD_BYTES != 0)
        return cut_tail(l, good);
    return LOA_OK;
}

static int open_or_make(struct receipt_log *l,
                        const uint8_t fresh_id[LOA_ID_BYTES])
{
    struct stat st;
    int fd;

    l->fd = openat(l->disk->dir, FILE_NAME, O_RDWR | O_CLOEXEC);
    if (l->fd >= 0 && fstat(l->fd, &st) == 0 && st.st_size > 0)
        return open_old(l, fresh_id, (uint64_t)st.st_size);
    memcpy(l->log_id, fresh_id, LOA_ID_BYTES);
    l->first = l->next = 1;
    fd = open_tmp(l);
    if (fd < 0)
        return disk_error(errno);
    if (write_head(fd, fresh_id, 1) != LOA_OK) {
        close(fd);
        return LOA_ENOSPC;
    }
    return install(l, fd);
}

int receipt_log_open(struct receipt_log *l,
                     struct disk *d,
                     const uint8_t fresh_id[LOA_ID_BYTES],
                     receipt_log_cb cb,
                     void *data)
{
    struct receipt r;
    int rv;

    l->disk = d;
    l->fd = -1;
    rv = open_or_make(l, fresh_id);
    if (rv != LOA_OK) {
        log_error("receipts.open", "text=%s", loa_strerror(rv));
        receipt_log_close(l);
        return rv;
    }
    for (uint64_t i = l->first; i < l->next; i++)
        if (receipt_log_read(l, i, &r, 1) == 1)
            cb(data, &r);
    return LOA_OK;
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
    size_t got = 0;

    while (got < n && first + got < l->next) {
        uint8_t record[RECEIPT_RECORD_BYTES];

        if (!read_record(l->fd, place(l, first + got), record) ||
            receipt_decode(record, &rows[got]) != LOA_OK) {
            log_warn("receipts.unreadable", "record=%" PRIu64, first + got);
            break;
        }
        got++;
    }
    return got;
}

int receipt_log_trim(struct receipt_log *l, uint64_t n)
{
    uint64_t first = l->first + n;
    int fd = open_tmp(l), rv;

    if (fd < 0)
        return disk_error(errno);
    rv = write_head(fd, l->log_id, first);
    for (uint64_t i = first; rv == LOA_OK && i < l->next; i++) {
        uint8_t record[RECEIPT_RECORD_BYTES];

        rv = read_record(l->fd, place(l, i), record) ? LOA_OK : LOA_ESYS;
        if (rv == LOA_OK)
            rv =
                disk_write_all(fd, record, sizeof record,
                               (int64_t)(i - first + 1) * RECEIPT_RECORD_BYTES);
    }
    if (rv != LOA_OK) {
        close(fd);
        unlinkat(l->disk->dir, TMP_NAME, 0);
        return rv;
    }
    rv = install(l, fd);
    if (rv == LOA_OK)
        l->first = first;
    return rv;
}
