/* record_streams.c -- stdio of the C library does not come through
 * record_calls.c, so streams on watched files are replaced by our own. */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test/power/record.h"

static struct {
    FILE *f;
    int fd;
} streams[16];

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

    return record_watched(fd) ? stream(fd, mode) : real(fd, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    char at[256];
    int flags, fd;
    REAL(FILE *, "fopen", const char *, const char *);

    if (!record_locate(AT_FDCWD, path, at))
        return real(path, mode);
    flags = strchr(mode, '+') != NULL ? O_RDWR
            : mode[0] == 'r'          ? O_RDONLY
                                      : O_WRONLY;
    flags |= mode[0] == 'w' ? O_CREAT | O_TRUNC : 0;
    fd = record_open(AT_FDCWD, path, flags | O_CLOEXEC, 0666);
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
