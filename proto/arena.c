#include "proto/arena.h"

#define ARENA_ALIGN 16

static void *arena_alloc_cb(void *data, size_t size)
{
    return loa_arena_alloc(data, size);
}

static void arena_free_cb(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

void loa_arena_init(struct loa_arena *a, void *base, size_t cap)
{
    *a = (struct loa_arena){
        .base = base,
        .cap = cap,
        .allocator = {arena_alloc_cb, arena_free_cb, a},
    };
}

void loa_arena_reset(struct loa_arena *a)
{
    a->used = 0;
    a->full = false;
}

void *loa_arena_alloc(struct loa_arena *a, size_t len)
{
    size_t at = a->used;

    /* used is a multiple of the alignment or beyond the last one that fits, so
     * only the room needs a look. len is compared before it is added to. */
    if (at > a->cap || len > a->cap - at) {
        a->full = true;
        return NULL;
    }
    a->used = at + len + (ARENA_ALIGN - len % ARENA_ALIGN) % ARENA_ALIGN;
    return a->base + at;
}
