/* record_calls.c -- the calls of the C library that record.so takes the place
 * of. */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "test/power/record.h"

static uint64_t ino_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static ssize_t real_write(int fd, const void *p, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, p, n);
}

/* --- opening -------------------------------------------------------------- */

int record_open(int dirfd, const char *path, int flags, mode_t mode)
{
    char at[256];
    struct stat st;
    bool here = record_locate(dirfd, path, at), writes, fresh;
    int fd;
    REAL(int, "openat", int, const char *, int, ...);

    if (!here)
        return real(dirfd, path, flags, mode);
    writes = (flags & (O_WRONLY | O_RDWR)) != 0;
    fresh = (flags & O_CREAT) != 0 && fstatat(dirfd, path, &st, 0) != 0;
    if (fresh || (flags & O_TRUNC) != 0)
        record_step();
    if (record_fails(RECORD_OPEN, writes))
        return -1;
    fd = real(dirfd, path, flags, mode);
    if (fd < 0 || fd >= RECORD_FDS)
        return fd;
    record_fds[fd].watched = true;
    record_fds[fd].directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    snprintf(record_fds[fd].path, sizeof record_fds[fd].path, "%s", at);
    if (fresh)
        record_put(OP_CREATE, at, "", st.st_ino, 0, NULL, 0);
    else if ((flags & O_TRUNC) != 0)
        record_put(OP_TRUNC, "", "", st.st_ino, 0, NULL, 0);
    return fd;
}

#define MODE_OF(flags)             \
    mode_t mode = 0;               \
    if (((flags)&O_CREAT) != 0) {  \
        va_list ap;                \
        va_start(ap, flags);       \
        mode = va_arg(ap, mode_t); \
        va_end(ap);                \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return record_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return record_open(AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return record_open(dirfd, path, flags, mode);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return record_open(dirfd, path, flags, mode);
}

int close(int fd)
{
    REAL(int, "close", int);

    if (fd >= 0 && fd < RECORD_FDS)
        record_fds[fd].watched = false;
    return real(fd);
}

/* --- writing -------------------------------------------------------------- */

static ssize_t write_at(int fd, const void *p, size_t n, off_t at)
{
    ssize_t take;
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);

    record_step();
    take = record_room(n);
    if (take < 0)
        return -1;
    take = real(fd, p, (size_t)take, at);
    if (take > 0)
        record_put(OP_WRITE, "", "", ino_of(fd), (uint64_t)at, p, (size_t)take);
    return take;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);

    return record_watched(fd) ? write_at(fd, p, n, at) : real(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    off_t at;
    ssize_t took;

    if (!record_watched(fd))
        return real_write(fd, p, n);
    at = lseek(fd, 0, SEEK_CUR);
    took = write_at(fd, p, n, at);
    if (took > 0)
        lseek(fd, at + took, SEEK_SET);
    return took;
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    ssize_t total = 0;
    REAL(ssize_t, "writev", int, const struct iovec *, int);

    if (!record_watched(fd))
        return real(fd, v, n);
    for (int i = 0; i < n; i++) {
        ssize_t took = write(fd, v[i].iov_base, v[i].iov_len);

        if (took < 0)
            return total > 0 ? total : -1;
        total += took;
        if ((size_t)took < v[i].iov_len)
            break;
    }
    return total;
}

int ftruncate(int fd, off_t len)
{
    REAL(int, "ftruncate", int, off_t);

    if (!record_watched(fd))
        return real(fd, len);
    record_step();
    if (record_fails(RECORD_CHANGE, false) || real(fd, len) != 0)
        return -1;
    record_put(OP_TRUNC, "", "", ino_of(fd), (uint64_t)len, NULL, 0);
    return 0;
}

int ftruncate64(int fd, off64_t len)
{
    return ftruncate(fd, len);
}

/* --- reading -------------------------------------------------------------- */

ssize_t read(int fd, void *p, size_t n)
{
    REAL(ssize_t, "read", int, void *, size_t);

    return record_watched(fd) && record_fails(RECORD_READ, false)
               ? -1
               : real(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    REAL(ssize_t, "pread", int, void *, size_t, off_t);

    return record_watched(fd) && record_fails(RECORD_READ, false)
               ? -1
               : real(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
    return pread(fd, p, n, at);
}

/* --- durability ----------------------------------------------------------- */

static int sync_fd(int fd, int (*real)(int))
{
    bool dir = record_fds[fd].directory;

    record_step();
    if (record_fails(RECORD_SYNC, true)) {
        if (dir)
            record_put(OP_SYNC_DIR_FAILED, record_fds[fd].path, "", 0, 0, NULL,
                       0);
        else
            record_put(OP_SYNC_FAILED, "", "", ino_of(fd), 0, NULL, 0);
        return -1;
    }
    if (record_lies(fd))
        return 0;
    if (real(fd) != 0)
        return -1;
    if (dir)
        record_put(OP_SYNC_DIR, record_fds[fd].path, "", 0, 0, NULL, 0);
    else
        record_put(OP_SYNC, "", "", ino_of(fd), 0, NULL, 0);
    return 0;
}

int fsync(int fd)
{
    REAL(int, "fsync", int);

    return record_watched(fd) ? sync_fd(fd, real) : real(fd);
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);

    return record_watched(fd) ? sync_fd(fd, real) : real(fd);
}

int syncfs(int fd)
{
    REAL(int, "syncfs", int);

    if (!record_watched(fd))
        return real(fd);
    record_step();
    if (record_fails(RECORD_SYNC, true))
        return -1;
    if (record_is_honest())
        record_put(OP_SYNC_ALL, "", "", 0, 0, NULL, 0);
    return 0; /* Not the real one: other work is on this disk. */
}

/* --- names ---------------------------------------------------------------- */

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char a[256], b[256];
    bool here = record_locate(from_fd, from, a) && record_locate(to_fd, to, b);
    REAL(int, "renameat", int, const char *, int, const char *);

    if (!here)
        return real(from_fd, from, to_fd, to);
    record_step();
    if (record_fails(RECORD_RENAME, true) ||
        real(from_fd, from, to_fd, to) != 0)
        return -1;
    record_put(OP_RENAME, a, b, 0, 0, NULL, 0);
    return 0;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    char at[256];
    bool here = record_locate(dirfd, path, at);
    REAL(int, "unlinkat", int, const char *, int);

    if (!here)
        return real(dirfd, path, flags);
    record_step();
    if (record_fails(RECORD_CHANGE, false) || real(dirfd, path, flags) != 0)
        return -1;
    record_put(OP_UNLINK, at, "", 0, 0, NULL, 0);
    return 0;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    char at[256];
    bool here = record_locate(dirfd, path, at);
    REAL(int, "mkdirat", int, const char *, mode_t);

    if (!here)
        return real(dirfd, path, mode);
    record_step();
    if (record_fails(RECORD_CHANGE, false) || real(dirfd, path, mode) != 0)
        return -1;
    record_put(OP_MKDIR, at, "", 0, 0, NULL, 0);
    return 0;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}
