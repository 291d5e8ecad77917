#include "io_state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct io_state {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* The broker's thread alone: */
    pthread_t thread;
    bool started; /* And not joined yet. */
    /* Under the lock: */
    bool working; /* The writer has not come to its end. */
    bool closing;
    bool waiting; /* slot holds what is not on disk. */
    bool failed;  /* Its last write failed: pause before the next. */
    int error;    /* Of that write, until somebody has asked. */
    size_t len;
    uint8_t slot[IO_STATE_BYTES_MAX];
    /* The writer's own: */
    uint8_t copy[IO_STATE_BYTES_MAX];
    char *path, *part, *folder;
};

int io_file_read(const char *path, uint8_t *buf, size_t cap, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rv = LOA_OK;
    ssize_t n = 1;
    uint8_t more;

    if (fd < 0)
        return errno == ENOENT ? LOA_ENOENT : LOA_ESYS;
    for (*len = 0; n > 0 && *len < cap; *len += (size_t)n) {
        n = read(fd, buf + *len, cap - *len);
        if (n < 0) {
            rv = LOA_ESYS;
            break;
        }
    }
    if (rv == LOA_OK && *len == cap && read(fd, &more, 1) == 1)
        rv = LOA_ENOSPC;
    close(fd);
    return rv;
}

static int sync_and_close(int fd)
{
    int error = fsync(fd) != 0 ? errno : 0;

    if (close(fd) != 0 && error == 0)
        error = errno;
    return error;
}

static int write_part(const char *part, const uint8_t *data, size_t len)
{
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0) {
            int error = errno;
            close(fd);
            return error;
        }
        data += n;
        len -= (size_t)n;
    }
    return sync_and_close(fd);
}

/* 0 or an errno. A crash at any point leaves the old file or the new one. */
static int replace(const struct io_state *s, size_t len)
{
    int error = write_part(s->part, s->copy, len), fd;

    if (error != 0)
        return error;
    if (rename(s->part, s->path) != 0)
        return errno;
    fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? errno : sync_and_close(fd);
}

/* Lock held; it is given back while the disk works. */
static void write_slot(struct io_state *s)
{
    size_t len = s->len;
    int error;

    memcpy(s->copy, s->slot, len);
    s->waiting = false;
    pthread_mutex_unlock(&s->lock);
    error = replace(s, len);
    pthread_mutex_lock(&s->lock);
    s->failed = error != 0;
    if (s->failed) {
        s->error = error;
        s->waiting = true; /* Or a newer one came meanwhile: write that. */
    }
}

static void pause_before_retry(struct io_state *s)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IO_STATE_RETRY_S;
    while (s->failed && !s->closing)
        if (pthread_cond_timedwait(&s->wake, &s->lock, &until) == ETIMEDOUT)
            break;
}

static void *run(void *data)
{
    struct io_state *s = data;
    bool last = false;

    pthread_mutex_lock(&s->lock);
    while (s->waiting && !last) {
        if (s->failed)
            pause_before_retry(s);
        last = s->closing;
        write_slot(s);
    }
    s->working = false;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Lock held. See that somebody writes what waits, and that no thread stays
 * behind that has nothing to do. Signals are for the broker's thread. */
static void tend(struct io_state *s)
{
    sigset_t all, before;

    if (s->working)
        return;
    if (s->started)
        pthread_join(s->thread, NULL); /* It has given the lock back. */
    s->started = false;
    if (!s->waiting)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->error = pthread_create(&s->thread, NULL, run, s);
    s->started = s->working = s->error == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool make_paths(struct io_state *s, const char *path)
{
    const char *slash = strrchr(path, '/');

    s->path = strdup(path);
    if (slash == NULL)
        s->folder = strdup(".");
    else
        s->folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (asprintf(&s->part, "%s.part", path) < 0)
        s->part = NULL;
    return s->path != NULL && s->folder != NULL && s->part != NULL;
}

static void discard(struct io_state *s)
{
    free(s->path);
    free(s->folder);
    free(s->part);
    free(s);
}

int io_state_open(struct io_state **out, const char *path)
{
    struct io_state *s = calloc(1, sizeof *s);
    int error;

    *out = NULL;
    if (s == NULL)
        return LOA_ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    if (!make_paths(s, path)) {
        discard(s);
        return LOA_ENOMEM;
    }
    /* Better to hear now that the folder cannot be written. */
    error = write_part(s->part, s->copy, 0);
    if (error != 0) {
        discard(s);
        errno = error;
        return LOA_ESYS;
    }
    unlink(s->part);
    *out = s;
    return LOA_OK;
}

void io_state_put(struct io_state *s, const uint8_t *data, size_t len)
{
    assert(len <= IO_STATE_BYTES_MAX);
    pthread_mutex_lock(&s->lock);
    memcpy(s->slot, data, len);
    s->len = len;
    s->waiting = true;
    s->failed = false;
    pthread_cond_signal(&s->wake);
    tend(s);
    pthread_mutex_unlock(&s->lock);
}

int io_state_poll(struct io_state *s)
{
    int error;

    pthread_mutex_lock(&s->lock);
    error = s->error;
    s->error = 0;
    tend(s);
    pthread_mutex_unlock(&s->lock);
    return error;
}

void io_state_close(struct io_state *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_signal(&s->wake);
    tend(s);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    discard(s);
}
