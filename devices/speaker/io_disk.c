#include "speaker/io_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "speaker/slot.h"

int disk_error(int err)
{
    return err == ENOSPC || err == EDQUOT || err == EFBIG ? LOA_ENOSPC
           : err == ENOENT                                ? LOA_ENOENT
                                                          : LOA_ESYS;
}

int disk_write_all(int fd, const void *p, size_t len, int64_t at)
{
    const uint8_t *from = p;

    if (FAILPOINT("disk.write") != LOA_OK)
        return LOA_ESYS;
    while (len > 0) {
        ssize_t n = pwrite(fd, from, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error(n == 0 ? ENOSPC : errno);
        from += n;
        at += n;
        len -= (size_t)n;
    }
    return LOA_OK;
}

int disk_sync(int fd)
{
    if (FAILPOINT("disk.sync") != LOA_OK)
        return LOA_ESYS;
    return fsync(fd) == 0 ? LOA_OK : disk_error(errno);
}

static int complain(const char *what, const char *path)
{
    log_error("data.open", "path=%s text=cannot %s: %s", path, what,
              strerror(errno));
    return LOA_ESYS;
}

static int take_lock(struct disk *d, const char *path)
{
    d->lock = openat(d->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock < 0)
        return complain("write", path);
    if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
        return LOA_OK;
    log_error("data.busy", "path=%s text=another loa-speaker uses it", path);
    close(d->lock);
    return LOA_EBUSY;
}

int disk_open(struct disk *d, const char *path)
{
    int rv;

    d->slots_n = 0;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return complain("make the data directory", path);
    d->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->dir < 0)
        return complain("open the data directory", path);
    rv = take_lock(d, path);
    if (rv != LOA_OK)
        goto err_after_dir;
    rv = LOA_ESYS;
    if (mkdirat(d->dir, "content", 0700) != 0 && errno != EEXIST) {
        complain("make content/ in", path);
        goto err_after_lock;
    }
    d->content = openat(d->dir, "content", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->content < 0) {
        complain("open content/ in", path);
        goto err_after_lock;
    }
    return LOA_OK;

err_after_lock:
    close(d->lock);
err_after_dir:
    close(d->dir);
    return rv;
}

void disk_close(struct disk *d)
{
    close(d->content);
    close(d->lock);
    close(d->dir);
}

/* Bytes read into buf[cap]; 0 for a file that is missing, unreadable or too
 * long, which all come to the same: there is nothing to go by. */
static size_t read_whole(int dir, const char *name, uint8_t *buf, size_t cap)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    size_t len = 0;

    if (fd < 0)
        return 0;
    while (len < cap) {
        ssize_t n = read(fd, buf + len, cap - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            len = 0;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    return len < cap ? len : 0;
}

/* --- slots ---------------------------------------------------------------- */

static uint64_t *sequence_of(struct disk *d, const char *name)
{
    for (size_t i = 0; i < d->slots_n; i++)
        if (strcmp(d->slots[i].name, name) == 0)
            return &d->slots[i].sequence;
    assert(d->slots_n < DISK_SLOTS_MAX);
    snprintf(d->slots[d->slots_n].name, sizeof d->slots[0].name, "%s", name);
    d->slots[d->slots_n].sequence = 0;
    return &d->slots[d->slots_n++].sequence;
}

int disk_slot_read(struct disk *d, const char *name, struct loa_bytes *body)
{
    uint64_t *sequence = sequence_of(d, name);
    uint8_t *b = d->buf + DISK_FILE_BYTES_MAX;
    char file[32];
    size_t a_len, b_len;

    snprintf(file, sizeof file, "%s.a", name);
    a_len = read_whole(d->dir, file, d->buf, DISK_FILE_BYTES_MAX);
    snprintf(file, sizeof file, "%s.b", name);
    b_len = read_whole(d->dir, file, b, DISK_FILE_BYTES_MAX);
    if (slot_choose((struct loa_bytes){d->buf, a_len},
                    (struct loa_bytes){b, b_len}, sequence, body) == LOA_OK)
        return LOA_OK;
    if (a_len + b_len > 0)
        log_warn("data.damaged", "file=%s text=both copies are unreadable",
                 name);
    return LOA_ENOENT;
}

static int overwrite(struct disk *d, const char *file, size_t len)
{
    int fd = openat(d->dir, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    bool fresh;
    int rv;

    if (fd < 0)
        return disk_error(errno);
    fresh = fstat(fd, &st) == 0 && st.st_size == 0;
    rv = disk_write_all(fd, d->buf, len, 0);
    if (rv == LOA_OK && ftruncate(fd, (off_t)len) != 0)
        rv = disk_error(errno);
    if (rv == LOA_OK)
        rv = disk_sync(fd);
    close(fd);
    if (rv == LOA_OK && fresh)
        rv = disk_sync(d->dir);
    return rv;
}

int disk_slot_write(struct disk *d, const char *name, struct loa_bytes body)
{
    uint64_t *sequence = sequence_of(d, name);
    char file[32];
    size_t len;
    int rv;

    rv = slot_encode(*sequence + 1, body, d->buf, sizeof d->buf, &len);
    if (rv != LOA_OK)
        return rv;
    /* One after the other: while the first is torn, the second holds what was
     * before. Only with both written does damage to one take nothing back. */
    snprintf(file, sizeof file, "%s.a", name);
    rv = overwrite(d, file, len);
    if (rv != LOA_OK)
        return rv;
    snprintf(file, sizeof file, "%s.b", name);
    rv = overwrite(d, file, len);
    if (rv == LOA_OK)
        ++*sequence;
    return rv;
}

/* --- whole files ---------------------------------------------------------- */

int disk_file_read(struct disk *d, const char *name, struct loa_bytes *body)
{
    size_t len = read_whole(d->dir, name, d->buf, sizeof d->buf);

    *body = (struct loa_bytes){d->buf, len};
    return len > 0 ? LOA_OK : LOA_ENOENT;
}

int disk_file_write(struct disk *d, const char *name, struct loa_bytes body)
{
    static const char tmp[] = "new.tmp";
    int fd =
        openat(d->dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rv;

    rv = fd >= 0 ? disk_write_all(fd, body.data, body.len, 0)
                 : disk_error(errno);
    if (rv == LOA_OK)
        rv = disk_sync(fd);
    if (fd >= 0)
        close(fd);
    if (rv == LOA_OK && FAILPOINT("disk.rename") != LOA_OK)
        rv = LOA_ESYS;
    if (rv == LOA_OK && renameat(d->dir, tmp, d->dir, name) != 0)
        rv = disk_error(errno);
    if (rv == LOA_OK)
        rv = disk_sync(d->dir);
    if (rv != LOA_OK) {
        unlinkat(d->dir, tmp, 0);
        unlinkat(d->dir, name, 0);
    }
    return rv;
}

uint64_t disk_free_bytes(const struct disk *d)
{
    struct statvfs v;

    if (fstatvfs(d->dir, &v) != 0)
        return 0;
    return (uint64_t)v.f_bavail * v.f_frsize;
}
