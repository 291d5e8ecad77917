/* nth.so -- for LD_PRELOAD: the n-th allocation of a process fails.
 *
 *     LOA_OOM=n     the n-th alone
 *     LOA_OOM=n+    the n-th and every one after it
 *     LOA_OOM_COUNT=FILE   how many there were, written when the process ends
 *
 * It counts from main() on: what libraries do before is not the program's.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);
extern void *__libc_memalign(size_t align, size_t len);

static atomic_uint_fast64_t count;
static bool started;

typedef int (*main_cb)(int argc, char **argv, char **envp);
static main_cb real_main;

static int our_main(int argc, char **argv, char **envp)
{
    started = true;
    return real_main(argc, argv, envp);
}

int __libc_start_main(main_cb run,
                      int argc,
                      char **argv,
                      main_cb init,
                      void (*fini)(void),
                      void (*rtld_fini)(void),
                      void *stack_end);
int __libc_start_main(main_cb run,
                      int argc,
                      char **argv,
                      main_cb init,
                      void (*fini)(void),
                      void (*rtld_fini)(void),
                      void *stack_end)
{
    int (*real)(main_cb, int, char **, main_cb, void (*)(void), void (*)(void),
                void *);

    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = run;
    return real(our_main, argc, argv, init, fini, rtld_fini, stack_end);
}

static bool fails(void)
{
    static uint64_t at;
    static bool known, forever;
    uint64_t n;

    if (!started)
        return false;
    n = atomic_fetch_add(&count, 1) + 1;
    if (!known) {
        const char *text = getenv("LOA_OOM");
        char *end = NULL;

        known = true;
        at = text != NULL ? strtoull(text, &end, 10) : 0;
        forever = end != NULL && *end == '+';
    }
    if (at == 0 || (forever ? n < at : n != at))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t len)
{
    return fails() ? NULL : __libc_malloc(len);
}

void *calloc(size_t n, size_t len)
{
    return fails() ? NULL : __libc_calloc(n, len);
}

void *realloc(void *p, size_t len)
{
    return fails() ? NULL : __libc_realloc(p, len);
}

void *memalign(size_t align, size_t len)
{
    return fails() ? NULL : __libc_memalign(align, len);
}

void *aligned_alloc(size_t align, size_t len)
{
    return fails() ? NULL : __libc_memalign(align, len);
}

int posix_memalign(void **p, size_t align, size_t len)
{
    *p = fails() ? NULL : __libc_memalign(align, len);
    return *p != NULL ? 0 : ENOMEM;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("LOA_OOM_COUNT");
    char text[32];
    int fd, len;

    if (path == NULL)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    len = snprintf(text, sizeof text, "%llu\n", (unsigned long long)count);
    if (fd >= 0 && write(fd, text, (size_t)len) == len)
        close(fd);
}
