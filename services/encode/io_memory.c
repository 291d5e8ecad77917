/* Memory that is refused ends the worker, here and at once. The libraries that
 * decode, resample and speak do not all ask whether they got what they wanted:
 * they would write to address 0, or wait for ever. Nothing is lost by it, since
 * OUT has its name only when it is whole.
 *
 * These take the place of the system's functions in the whole process. A
 * sanitizer has its own. */

#include <dlfcn.h>
#include <stdlib.h>

#include "encode/io_limits.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static void *next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (f == NULL)
        abort();
    return f;
}

void *malloc(size_t len)
{
    static void *(*real)(size_t);
    void *p;

    if (real == NULL)
        *(void **)&real = next("malloc");
    p = real(len);
    if (p == NULL && len > 0)
        limits_no_memory();
    return p;
}

void *calloc(size_t n, size_t len)
{
    static void *(*real)(size_t, size_t);
    void *p;

    if (real == NULL)
        *(void **)&real = next("calloc");
    p = real(n, len);
    if (p == NULL && n > 0 && len > 0)
        limits_no_memory();
    return p;
}

void *realloc(void *old, size_t len)
{
    static void *(*real)(void *, size_t);
    void *p;

    if (real == NULL)
        *(void **)&real = next("realloc");
    p = real(old, len);
    if (p == NULL && len > 0)
        limits_no_memory();
    return p;
}

#endif
