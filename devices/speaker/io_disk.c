#include "speaker/io_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "speaker/slot.h"

#define READ_TRIES 3
#define SLOT_RESERVE_BYTES 65536

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

ssize_t disk_read(int fd, void *p, size_t len, int64_t at)
{
    size_t have = 0;
    int refused_n = 0;

    while (have < len) {
        ssize_t n =
            pread(fd, (uint8_t *)p + have, len - have, at + (int64_t)have);

        if (n == 0)
            break;
        if (n > 0)
            have += (size_t)n;
        else if (errno != EINTR && ++refused_n == READ_TRIES)
            return -1;
    }
    return (ssize_t)have;
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

/* The name of a new directory is durable when the one that holds it is. */
static int sync_parent(const char *path)
{
    char copy[PATH_MAX];
    int fd, rv;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return complain("open the folder of", path);
    rv = fsync(fd) == 0 ? LOA_OK : complain("make durable", path);
    close(fd);
    return rv;
}

int disk_open(struct disk *d, const char *path)
{
    bool fresh = mkdir(path, 0700) == 0;
    int rv;

    d->slots_n = 0;
    if (!fresh && errno != EEXIST)
        return complain("make the data directory", path);
    if (fresh && sync_parent(path) != LOA_OK) {
        rmdir(path); /* Or nobody would do it again. */
        return LOA_ESYS;
    }
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
    /* Names that a process left that was killed before it could do this. */
    if (fsync(d->dir) != 0 || fsync(d->content) != 0) {
        complain("make durable", path);
        goto err_after_content;
    }
    return LOA_OK;

err_after_content:
    close(d->content);
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

/* Bytes read into buf[cap]; 0 for a file that is missing or too long: there is
 * nothing to go by. -1: the disk refuses. A process that was killed may have
 * left them in memory only; who reads them acts on them, so they are made
 * durable first. */
static ssize_t read_whole(int dir, const char *name, uint8_t *buf, size_t cap)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t len;

    if (fd < 0 && errno == ENOENT)
        return 0;
    len = fd >= 0 ? disk_read(fd, buf, cap, 0) : -1;
    if (len < 0 || fsync(fd) != 0)
        log_warn("data.unreadable", "file=%s text=%s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    return (size_t)len < cap || len < 0 ? len : 0;
}

/* --- slots ---------------------------------------------------------------- */

static struct disk_slot *slot_of(struct disk *d, const char *name)
{
    struct disk_slot *slot = d->slots;

    for (; slot < d->slots + d->slots_n; slot++)
        if (strcmp(slot->name, name) == 0)
            return slot;
    assert(d->slots_n < DISK_SLOTS_MAX);
    d->slots_n++;
    memset(slot, 0, sizeof *slot);
    snprintf(slot->name, sizeof slot->name, "%s", name);
    return slot;
}

static ssize_t read_copy(struct disk *d, const char *name, char which)
{
    char file[32];

    snprintf(file, sizeof file, "%s.%c", name, which);
    return read_whole(d->dir, file,
                      d->buf + (which == 'b' ? DISK_FILE_BYTES_MAX : 0),
                      DISK_FILE_BYTES_MAX);
}

/* On a full disk there is no room to grow into, and a turn that cannot be
 * marked does not sound: so room is taken while there is some. Where that
 * cannot be had, or is not known, it goes without. */
static void reserve(int fd, const struct stat *st)
{
    if (st->st_blocks * 512 < SLOT_RESERVE_BYTES)
        (void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SLOT_RESERVE_BYTES);
}

static int overwrite(struct disk *d, const char *file, struct loa_bytes data)
{
    int fd = openat(d->dir, file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    int rv;

    if (fd < 0)
        return disk_error(errno);
    if (fstat(fd, &st) != 0)
        st.st_blocks = st.st_size = INT32_MAX;
    reserve(fd, &st);
    rv = disk_write_all(fd, data.data, data.len, 0);
    /* Cutting would give the room back. */
    if (rv == LOA_OK && st.st_size > (off_t)data.len &&
        ftruncate(fd, (off_t)data.len) != 0)
        rv = disk_error(errno);
    if (rv == LOA_OK)
        rv = disk_sync(fd);
    close(fd);
    return rv;
}

/* Only with two good copies does damage to one take nothing back. If the disk
 * refuses, the next update does it. */
static void heal(struct disk *d, struct disk_slot *slot, struct loa_bytes good)
{
    char file[32];

    snprintf(file, sizeof file, "%s.%c", slot->name, slot->b_first ? 'b' : 'a');
    if (overwrite(d, file, good) == LOA_OK && disk_sync(d->dir) == LOA_OK)
        slot->b_first = false;
}

/* Nothing good was found. What cannot be read may be whole: whoever took it for
 * lost would write over it. */
static int nothing_read(const char *name, ssize_t a_len, ssize_t b_len)
{
    if (a_len < 0 || b_len < 0)
        return LOA_ESYS;
    if (a_len + b_len > 0)
        log_warn("data.damaged", "file=%s text=both copies are unreadable",
                 name);
    return LOA_ENOENT;
}

int disk_slot_read(struct disk *d, const char *name, struct loa_bytes *body)
{
    struct disk_slot *slot = slot_of(d, name);
    ssize_t a_len = read_copy(d, name, 'a'), b_len = read_copy(d, name, 'b');
    struct loa_bytes a = {d->buf, a_len > 0 ? (size_t)a_len : 0}, payload;
    struct loa_bytes b = {d->buf + DISK_FILE_BYTES_MAX,
                          b_len > 0 ? (size_t)b_len : 0};
    uint64_t a_n = 0, b_n = 0;
    bool a_ok = slot_decode(a, &a_n, &payload) == LOA_OK;
    bool b_ok = slot_decode(b, &b_n, &payload) == LOA_OK;

    if (slot_choose(a, b, &slot->sequence, body) != LOA_OK)
        return nothing_read(name, a_len, b_len);
    if (a_ok != b_ok)
        log_warn("data.damaged", "file=%s.%c text=the other copy is used", name,
                 a_ok ? 'b' : 'a');
    /* No update may begin with the only good copy. */
    slot->b_first = body->data < b.data;
    if (!a_ok || !b_ok || a_n != b_n)
        heal(d, slot, slot->b_first ? a : b);
    return LOA_OK;
}

int disk_slot_write(struct disk *d, const char *name, struct loa_bytes body)
{
    struct disk_slot *slot = slot_of(d, name);
    char file[32];
    size_t len;
    int rv;

    rv = slot_encode(++slot->sequence, body, d->buf, sizeof d->buf, &len);
    /* One after the other: while the first is torn, the second holds what was
     * before. Only with both written does damage to one take nothing back. */
    for (int i = 0; rv == LOA_OK && i < 2; i++) {
        snprintf(file, sizeof file, "%s.%c", name, slot->b_first ? 'b' : 'a');
        rv = overwrite(d, file, (struct loa_bytes){d->buf, len});
        /* What is torn now is the first again next time. */
        if (rv == LOA_OK)
            slot->b_first = !slot->b_first;
    }
    if (rv == LOA_OK && !slot->named) {
        rv = disk_sync(d->dir);
        slot->named = rv == LOA_OK;
    }
    return rv;
}

/* --- whole files ---------------------------------------------------------- */

int disk_file_read(struct disk *d, const char *name, struct loa_bytes *body)
{
    ssize_t len = read_whole(d->dir, name, d->buf, sizeof d->buf);

    *body = (struct loa_bytes){d->buf, len > 0 ? (size_t)len : 0};
    return len > 0 ? LOA_OK : len < 0 ? LOA_ESYS : LOA_ENOENT;
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
