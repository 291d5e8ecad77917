/* record.c -- preloaded: records what a program does to one folder, and makes
 * the disk refuse.
 *
 *   LOA_POWER_DIR    the watched folder (absolute)
 *   LOA_POWER_LOG    where to append the record (oplog.h); none: no record
 *   LOA_POWER_STOP   n: the process ends before its n-th change, as if killed
 *   LOA_POWER_FAULT  kind:nth:count:errno -- from the nth call of that kind on,
 *                    count calls (0: all) fail. Kinds: write, sync, rename,
 *                    read, open, change (all that changes anything).
 *   LOA_POWER_LIE    sync:END: fsync of files whose name ends so does nothing,
 *                    and says that it did (a planted fault that the checker
 *                    must see); dir: the same for directories
 *
 * A full disk takes half of the first write. stdio of the C library does not
 * come through here, so streams on watched files are replaced by our own. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "test/power/oplog.h"

#define FDS 1024

/* The drivers' side; weak there. */
void power_mark(const void *data, size_t len);
void power_fault(const char *text);
unsigned long power_calls(const char *kind);

static struct {
    bool ready;
    char dir[PATH_MAX];
    size_t dir_len;
    int log;
    unsigned long stop_at, changes_n;
    bool lie_dir;
    const char *lie_sync; /* Of files whose name ends so; NULL: of none. */
} conf = {.log = -1};

enum kind { WRITE, SYNC, RENAME, READ, OPEN, CHANGE, KINDS };
static const char *const kind_names[KINDS] = {"write", "sync", "rename",
                                              "read",  "open", "change"};
static struct {
    int kind; /* -1: none */
    unsigned long nth, count;
    int error;
    bool half_taken;
} fault = {.kind = -1};
static unsigned long calls_n[KINDS];

static struct {
    bool watched, directory;
    char path[256]; /* Relative to the folder; "" is itself. */
} fds[FDS];
static struct {
    FILE *f;
    int fd;
} streams[16];

#define REAL(ret, name, ...)         \
    static ret (*real)(__VA_ARGS__); \
    if (real == NULL)                \
    *(void **)&real = dlsym(RTLD_NEXT, name)

static int real_open(const char *path, int flags, mode_t mode)
{
    REAL(int, "open", const char *, int, ...);
    return real(path, flags, mode);
}

static ssize_t real_write(int fd, const void *p, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return real(fd, p, n);
}

/* --- faults --------------------------------------------------------------- */

void power_fault(const char *text)
{
    char kind[16];

    fault.kind = -1;
    fault.half_taken = false;
    memset(calls_n, 0, sizeof calls_n);
    if (text == NULL || sscanf(text, "%15[a-z]:%lu:%lu:%d", kind, &fault.nth,
                               &fault.count, &fault.error) != 4)
        return;
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            fault.kind = i;
}

unsigned long power_calls(const char *kind)
{
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            return calls_n[i];
    return 0;
}

/* Does this call fail? Sets errno. */
static bool fails_as(enum kind kind)
{
    unsigned long n = ++calls_n[kind];

    if ((int)kind != fault.kind || n < fault.nth ||
        (fault.count != 0 && n >= fault.nth + fault.count))
        return false;
    errno = fault.error;
    return true;
}

static bool fails(enum kind kind, bool change)
{
    return fails_as(kind) || (change && fails_as(CHANGE));
}

/* --- the record ----------------------------------------------------------- */

static void init(void)
{
    const char *s = getenv("LOA_POWER_DIR");

    if (conf.ready)
        return;
    conf.ready = true;
    if (s == NULL)
        return;
    conf.dir_len = (size_t)snprintf(conf.dir, sizeof conf.dir, "%s", s);
    if ((s = getenv("LOA_POWER_LOG")) != NULL && s[0] != '\0')
        conf.log =
            real_open(s, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if ((s = getenv("LOA_POWER_STOP")) != NULL)
        conf.stop_at = strtoul(s, NULL, 10);
    if ((s = getenv("LOA_POWER_LIE")) != NULL) {
        conf.lie_sync = strncmp(s, "sync:", 5) == 0 ? s + 5 : NULL;
        conf.lie_dir = strcmp(s, "dir") == 0;
    }
    power_fault(getenv("LOA_POWER_FAULT"));
}

static void put(enum op op,
                const char *path,
                const char *path2,
                uint64_t ino,
                uint64_t at,
                const void *data,
                size_t len)
{
    struct op_head h = {.op = op, .ino = ino, .at = at, .len = len};
    struct iovec v[4];
    REAL(ssize_t, "writev", int, const struct iovec *, int);

    if (conf.log < 0)
        return;
    h.path_len = (uint16_t)strlen(path);
    h.path2_len = (uint16_t)strlen(path2);
    v[0] = (struct iovec){&h, sizeof h};
    v[1] = (struct iovec){(void *)(uintptr_t)path, h.path_len};
    v[2] = (struct iovec){(void *)(uintptr_t)path2, h.path2_len};
    v[3] = (struct iovec){(void *)(uintptr_t)data, len};
    if (real(conf.log, v, 4) !=
        (ssize_t)(sizeof h + h.path_len + h.path2_len + len))
        _exit(3); /* A record with a gap proves nothing. */
}

void power_mark(const void *data, size_t len)
{
    init();
    put(OP_MARK, "", "", 0, 0, data, len);
}

/* Before each change. */
static void step(void)
{
    if (++conf.changes_n == conf.stop_at)
        _exit(9);
}

static uint64_t ino_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static bool watched(int fd)
{
    return fd >= 0 && fd < FDS && fds[fd].watched;
}

/* Where dirfd/path is in the watched folder; false: elsewhere. */
static bool locate(int dirfd, const char *path, char out[256])
{
    char whole[PATH_MAX + 300];

    init();
    if (conf.dir_len == 0)
        return false;
    if (path[0] != '/' && dirfd != AT_FDCWD) {
        if (!watched(dirfd))
            return false;
        snprintf(whole, sizeof whole, "%s/%s%s%s", conf.dir, fds[dirfd].path,
                 fds[dirfd].path[0] != '\0' ? "/" : "",
                 strcmp(path, ".") == 0 ? "" : path);
    } else if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        return false;
    }
    for (size_t n = strlen(whole); n > 1 && whole[n - 1] == '/'; n--)
        whole[n - 1] = '\0';
    if (strncmp(whole, conf.dir, conf.dir_len) != 0 ||
        (whole[conf.dir_len] != '/' && whole[conf.dir_len] != '\0'))
        return false;
    snprintf(out, 256, "%s",
             whole[conf.dir_len] == '/' ? whole + conf.dir_len + 1 : "");
    return true;
}

/* --- opening -------------------------------------------------------------- */

static int watch_open(int dirfd, const char *path, int flags, mode_t mode)
{
    char at[256];
    struct stat st;
    bool here = locate(dirfd, path, at), writes, fresh;
    int fd;
    REAL(int, "openat", int, const char *, int, ...);

    if (!here)
        return real(dirfd, path, flags, mode);
    writes = (flags & (O_WRONLY | O_RDWR)) != 0;
    fresh = (flags & O_CREAT) != 0 && fstatat(dirfd, path, &st, 0) != 0;
    if (fresh || (flags & O_TRUNC) != 0)
        step();
    if (fails(OPEN, writes))
        return -1;
    fd = real(dirfd, path, flags, mode);
    if (fd < 0 || fd >= FDS)
        return fd;
    fds[fd].watched = true;
    fds[fd].directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    snprintf(fds[fd].path, sizeof fds[fd].path, "%s", at);
    if (fresh)
        put(OP_CREATE, at, "", st.st_ino, 0, NULL, 0);
    else if ((flags & O_TRUNC) != 0)
        put(OP_TRUNC, "", "", st.st_ino, 0, NULL, 0);
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
    return watch_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return watch_open(AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return watch_open(dirfd, path, flags, mode);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return watch_open(dirfd, path, flags, mode);
}

int close(int fd)
{
    REAL(int, "close", int);

    if (fd >= 0 && fd < FDS)
        fds[fd].watched = false;
    return real(fd);
}

/* --- writing -------------------------------------------------------------- */

/* How many of n bytes the disk takes; -1: none. */
static ssize_t room(size_t n)
{
    if (!fails(WRITE, true))
        return (ssize_t)n;
    if (errno == ENOSPC && !fault.half_taken && n > 1) {
        fault.half_taken = true;
        return (ssize_t)(n / 2);
    }
    return -1;
}

static ssize_t write_at(int fd, const void *p, size_t n, off_t at)
{
    ssize_t take;
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);

    step();
    take = room(n);
    if (take < 0)
        return -1;
    take = real(fd, p, (size_t)take, at);
    if (take > 0)
        put(OP_WRITE, "", "", ino_of(fd), (uint64_t)at, p, (size_t)take);
    return take;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);

    return watched(fd) ? write_at(fd, p, n, at) : real(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t write(int fd, const void *p, size_t n)
{
    off_t at;
    ssize_t took;

    if (!watched(fd))
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

    if (!watched(fd))
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

    if (!watched(fd))
        return real(fd, len);
    step();
    if (fails(CHANGE, false) || real(fd, len) != 0)
        return -1;
    put(OP_TRUNC, "", "", ino_of(fd), (uint64_t)len, NULL, 0);
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

    return watched(fd) && fails(READ, false) ? -1 : real(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    REAL(ssize_t, "pread", int, void *, size_t, off_t);

    return watched(fd) && fails(READ, false) ? -1 : real(fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off64_t at)
{
    return pread(fd, p, n, at);
}

/* --- durability ----------------------------------------------------------- */

static bool lied_about(const char *path)
{
    size_t n = conf.lie_sync != NULL ? strlen(conf.lie_sync) : 0;

    return conf.lie_sync != NULL && strlen(path) >= n &&
           strcmp(path + strlen(path) - n, conf.lie_sync) == 0;
}

static int sync_fd(int fd, int (*real)(int))
{
    bool dir = fds[fd].directory;

    step();
    if (fails(SYNC, true)) {
        if (dir)
            put(OP_SYNC_DIR_FAILED, fds[fd].path, "", 0, 0, NULL, 0);
        else
            put(OP_SYNC_FAILED, "", "", ino_of(fd), 0, NULL, 0);
        return -1;
    }
    if (dir ? conf.lie_dir : lied_about(fds[fd].path))
        return 0;
    if (real(fd) != 0)
        return -1;
    if (dir)
        put(OP_SYNC_DIR, fds[fd].path, "", 0, 0, NULL, 0);
    else
        put(OP_SYNC, "", "", ino_of(fd), 0, NULL, 0);
    return 0;
}

int fsync(int fd)
{
    REAL(int, "fsync", int);

    return watched(fd) ? sync_fd(fd, real) : real(fd);
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);

    return watched(fd) ? sync_fd(fd, real) : real(fd);
}

int syncfs(int fd)
{
    REAL(int, "syncfs", int);

    if (!watched(fd))
        return real(fd);
    step();
    if (fails(SYNC, true))
        return -1;
    if (conf.lie_sync == NULL && !conf.lie_dir)
        put(OP_SYNC_ALL, "", "", 0, 0, NULL, 0);
    return 0; /* Not the real one: other work is on this disk. */
}

/* --- names ---------------------------------------------------------------- */

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char a[256], b[256];
    bool here = locate(from_fd, from, a) && locate(to_fd, to, b);
    REAL(int, "renameat", int, const char *, int, const char *);

    if (!here)
        return real(from_fd, from, to_fd, to);
    step();
    if (fails(RENAME, true) || real(from_fd, from, to_fd, to) != 0)
        return -1;
    put(OP_RENAME, a, b, 0, 0, NULL, 0);
    return 0;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    char at[256];
    bool here = locate(dirfd, path, at);
    REAL(int, "unlinkat", int, const char *, int);

    if (!here)
        return real(dirfd, path, flags);
    step();
    if (fails(CHANGE, false) || real(dirfd, path, flags) != 0)
        return -1;
    put(OP_UNLINK, at, "", 0, 0, NULL, 0);
    return 0;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    char at[256];
    bool here = locate(dirfd, path, at);
    REAL(int, "mkdirat", int, const char *, mode_t);

    if (!here)
        return real(dirfd, path, mode);
    step();
    if (fails(CHANGE, false) || real(dirfd, path, mode) != 0)
        return -1;
    put(OP_MKDIR, at, "", 0, 0, NULL, 0);
    return 0;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* --- streams -------------------------------------------------------------- */

static ssize_t stream_read(void *fd, char *p, size_t n)
{
    return read((int)(intptr_t)fd, p, n);
}

static ssize_t stream_write(void *fd, const char *p, size_t n)
{
    ssize_t took = write((int)(intptr_t)fd, p, n);

    return took < 0 ? 0 : took; /* What the C library asks for here. */
}

static int stream_seek(void *fd, off64_t *at, int whence)
{
    *at = lseek((int)(intptr_t)fd, *at, whence);
    return *at < 0 ? -1 : 0;
}

static int stream_close(void *fd)
{
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (streams[i].f != NULL && streams[i].fd == (int)(intptr_t)fd)
            streams[i].f = NULL;
    return close((int)(intptr_t)fd);
}

static FILE *stream(int fd, const char *mode)
{
    static const cookie_io_functions_t calls = {stream_read, stream_write,
                                                stream_seek, stream_close};
    FILE *f = fopencookie((void *)(intptr_t)fd, mode, calls);

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (streams[i].f == NULL) {
            streams[i].f = f;
            streams[i].fd = fd;
            return f;
        }
    _exit(3);
}

FILE *fdopen(int fd, const char *mode)
{
    REAL(FILE *, "fdopen", int, const char *);

    return watched(fd) ? stream(fd, mode) : real(fd, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    char at[256];
    int flags, fd;
    REAL(FILE *, "fopen", const char *, const char *);

    if (!locate(AT_FDCWD, path, at))
        return real(path, mode);
    flags = strchr(mode, '+') != NULL ? O_RDWR
            : mode[0] == 'r'          ? O_RDONLY
                                      : O_WRONLY;
    flags |= mode[0] == 'w' ? O_CREAT | O_TRUNC : 0;
    fd = watch_open(AT_FDCWD, path, flags | O_CLOEXEC, 0666);
    return fd >= 0 ? stream(fd, mode) : NULL;
}

FILE *fopen64(const char *path, const char *mode)
{
    return fopen(path, mode);
}

int fileno(FILE *f)
{
    REAL(int, "fileno", FILE *);

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (streams[i].f == f)
            return streams[i].fd;
    return real(f);
}
