/* LD_PRELOAD: a machine whose clock is off by CLOCK_SHIFT_S seconds. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    const char *shift = getenv("CLOCK_SHIFT_S");
    int rv;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    rv = real(id, t);
    if (rv == 0 && id == CLOCK_REALTIME && shift != NULL)
        t->tv_sec += atol(shift);
    return rv;
}
