/* oom.h -- the n-th allocation fails, for every n.
 *
 * A case is a function that does the same each time it is called. It is run
 * once to count what it allocates, then with the n-th allocation failing, for
 * n = 1 to the last: that one alone, and that one and all after it. Allocations
 * are those of arenas and of malloc(), also inside of the libraries (not in
 * sanitizer builds, whose malloc() is their own: there, those of our own code).
 * What a case allocates it must have freed at its end, however it ended.
 *
 * The linker wraps the functions that are defined here: see the Makefile. */

#ifndef LOA_TEST_OOM_H
#define LOA_TEST_OOM_H

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/arena.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OOM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OOM_SANITIZED 1
#endif
#endif

static struct {
    bool armed, forever;
    uint64_t at, n;
    int64_t live;
    uint64_t runs, failed_n; /* Of the whole program. */
    uint64_t step; /* A long case fails every step-th allocation only. */
} oom = {.step = 1};

#define OOM_LONG 500

static bool oom_fails(void)
{
    if (!oom.armed)
        return false;
    oom.n++;
    return oom.forever ? oom.n >= oom.at : oom.n == oom.at;
}

/* --- arenas --------------------------------------------------------------- */

void __real_loa_arena_init(struct loa_arena *a, void *base, size_t cap);
void __wrap_loa_arena_init(struct loa_arena *a, void *base, size_t cap);
void *__real_loa_arena_alloc(struct loa_arena *a, size_t len);
void *__wrap_loa_arena_alloc(struct loa_arena *a, size_t len);

void *__wrap_loa_arena_alloc(struct loa_arena *a, size_t len)
{
    if (oom_fails()) {
        a->full = true;
        return NULL;
    }
    return __real_loa_arena_alloc(a, len);
}

static void *oom_arena_cb(void *data, size_t len)
{
    return __wrap_loa_arena_alloc(data, len);
}

void __wrap_loa_arena_init(struct loa_arena *a, void *base, size_t cap)
{
    __real_loa_arena_init(a, base, cap);
    a->allocator.alloc = oom_arena_cb;
}

/* --- malloc --------------------------------------------------------------- */

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);

#ifdef OOM_SANITIZED

/* Leaks are the sanitizer's to find. */
void *__wrap_malloc(size_t len)
{
    return oom_fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
    return oom_fails() ? NULL : __real_calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len)
{
    return oom_fails() ? NULL : __real_realloc(p, len);
}

#else

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *p, size_t len);
extern void __libc_free(void *p);

void *malloc(size_t len)
{
    void *p = oom_fails() ? NULL : __libc_malloc(len);

    oom.live += p != NULL;
    return p;
}

void *calloc(size_t n, size_t len)
{
    void *p = oom_fails() ? NULL : __libc_calloc(n, len);

    oom.live += p != NULL;
    return p;
}

void *realloc(void *old, size_t len)
{
    void *p = oom_fails() ? NULL : __libc_realloc(old, len);

    oom.live += p != NULL && old == NULL;
    return p;
}

void free(void *p)
{
    oom.live -= p != NULL;
    __libc_free(p);
}

void *__wrap_malloc(size_t len)
{
    return malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
    return calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len)
{
    return realloc(p, len);
}

#endif

/* --- cases ---------------------------------------------------------------- */

/* For what a case does not want to fail: preparing, checking. */
static inline bool oom_pause(void)
{
    bool was = oom.armed;

    oom.armed = false;
    return was;
}

static inline void oom_resume(bool was)
{
    oom.armed = was;
}

static void oom_once(const char *name,
                     void (*run)(bool may_fail),
                     uint64_t at,
                     bool forever)
{
    int64_t live = oom.live;

    oom.n = 0;
    oom.at = at;
    oom.forever = forever;
    oom.armed = true;
    run(at != UINT64_MAX);
    oom.armed = false;
    oom.runs++;
    if (oom.live != live) {
        printf("LEAK %s n=%" PRIu64 "%s: %+" PRId64 " blocks\n", name, at,
               forever ? " and all after it" : "", oom.live - live);
        exit(1);
    }
}

/* run(may_fail): false in the run that counts, in which everything works. The
 * first two runs of all fill what libraries keep. */
static void oom_case(const char *name, void (*run)(bool may_fail))
{
    uint64_t last, step = 1;

    run(false);
    oom_once(name, run, UINT64_MAX, false);
    last = oom.n;
    if (last > OOM_LONG)
        step = oom.step;
    for (uint64_t n = 1; n <= last; n += step) {
        oom_once(name, run, n, false);
        oom_once(name, run, n, true);
        oom.failed_n++;
    }
    oom_once(name, run, UINT64_MAX, false);
    printf("  %-28s %6" PRIu64 " allocations, %s failing once and for good\n",
           name, last, step == 1 ? "each" : "some of them");
    fflush(stdout);
}

/* The only argument of the programs: the step of long cases. */
static void oom_init(int argc, char *argv[])
{
    if (argc > 1)
        oom.step = strtoull(argv[1], NULL, 10);
    if (oom.step == 0)
        oom.step = 1;
}

static int oom_report(const char *what)
{
    printf("%s: %" PRIu64 " allocations failed in %" PRIu64
           " runs: no crash, no leak, nothing half done\n",
           what, oom.failed_n, oom.runs);
    return 0;
}

#endif /* LOA_TEST_OOM_H */
