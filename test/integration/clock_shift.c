/* LD_PRELOAD: a machine whose clock is off by as many seconds as the file
 * CLOCK_SHIFT_FILE says at each look at the clock. A second number in the file:
 * of these seconds it was asleep for so many. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift_s(int asleep)
{
    const char *path = getenv("CLOCK_SHIFT_FILE");
    char text[64] = "", *rest;
    long seconds;
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    seconds = strtol(text, &rest, 10);
    return asleep ? strtol(rest, NULL, 10) : seconds;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    int rv;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    rv = real(id, t);
    if (rv == 0 && id == CLOCK_REALTIME)
        t->tv_sec += shift_s(0);
    if (rv == 0 && id == CLOCK_BOOTTIME)
        t->tv_sec += shift_s(1);
    return rv;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *t)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_REALTIME, &now);
    if (t != NULL)
        *t = now.tv_sec;
    return now.tv_sec;
}
