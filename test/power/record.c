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
 * A full disk takes half of the first write. Here is what is recorded and
 * refused; record_calls.c has the calls themselves, record_streams.c stdio. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "test/power/record.h"

static struct {
    bool ready;
    char dir[PATH_MAX];
    size_t dir_len;
    int log;
    unsigned long stop_at, changes_n;
    bool lie_dir;
    const char *lie_sync; /* Of files whose name ends so; NULL: of none. */
} conf = {.log = -1};

static const char *const kind_names[RECORD_KINDS] = {"write", "sync", "rename",
                                                     "read",  "open", "change"};
static struct {
    int kind; /* -1: none */
    unsigned long nth, count;
    int error;
    bool half_taken;
} fault = {.kind = -1};
static unsigned long calls_n[RECORD_KINDS];

struct record_fd record_fds[RECORD_FDS];

static int real_open(const char *path, int flags, mode_t mode)
{
    REAL(int, "open", const char *, int, ...);
    return real(path, flags, mode);
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
    for (int i = 0; i < RECORD_KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            fault.kind = i;
}

unsigned long power_calls(const char *kind)
{
    for (int i = 0; i < RECORD_KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            return calls_n[i];
    return 0;
}

static bool fails_as(enum record_kind kind)
{
    unsigned long n = ++calls_n[kind];

    if ((int)kind != fault.kind || n < fault.nth ||
        (fault.count != 0 && n >= fault.nth + fault.count))
        return false;
    errno = fault.error;
    return true;
}

bool record_fails(enum record_kind kind, bool change)
{
    return fails_as(kind) || (change && fails_as(RECORD_CHANGE));
}

ssize_t record_room(size_t n)
{
    if (!record_fails(RECORD_WRITE, true))
        return (ssize_t)n;
    if (errno == ENOSPC && !fault.half_taken && n > 1) {
        fault.half_taken = true;
        return (ssize_t)(n / 2);
    }
    return -1;
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

void record_put(enum op op,
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
    record_put(OP_MARK, "", "", 0, 0, data, len);
}

void record_step(void)
{
    if (++conf.changes_n == conf.stop_at)
        _exit(9);
}

bool record_watched(int fd)
{
    return fd >= 0 && fd < RECORD_FDS && record_fds[fd].watched;
}

bool record_locate(int dirfd, const char *path, char out[256])
{
    char whole[PATH_MAX + 300];

    init();
    if (conf.dir_len == 0)
        return false;
    if (path[0] != '/' && dirfd != AT_FDCWD) {
        if (!record_watched(dirfd))
            return false;
        snprintf(whole, sizeof whole, "%s/%s%s%s", conf.dir,
                 record_fds[dirfd].path,
                 record_fds[dirfd].path[0] != '\0' ? "/" : "",
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

/* --- lies ----------------------------------------------------------------- */

static bool lied_about(const char *path)
{
    size_t n = conf.lie_sync != NULL ? strlen(conf.lie_sync) : 0;

    return conf.lie_sync != NULL && strlen(path) >= n &&
           strcmp(path + strlen(path) - n, conf.lie_sync) == 0;
}

bool record_lies(int fd)
{
    return record_fds[fd].directory ? conf.lie_dir
                                    : lied_about(record_fds[fd].path);
}

bool record_is_honest(void)
{
    return conf.lie_sync == NULL && !conf.lie_dir;
}
