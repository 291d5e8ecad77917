/* The arena: in a row, aligned, bounded, forgetful. */

#include <stddef.h>

#include "check.h"
#include "proto/arena.h"

static _Alignas(max_align_t) uint8_t room[64];

int main(void)
{
    struct loa_arena a;
    uint8_t *p, *q;

    loa_arena_init(&a, room, sizeof room);
    p = loa_arena_alloc(&a, 1);
    q = loa_arena_alloc(&a, 17);
    CHECK_INT("first", p - room, 0);
    CHECK_INT("aligned", q - room, 16);
    CHECK_INT("too much", loa_arena_alloc(&a, 17) == NULL, 1);
    CHECK_INT("remembered", a.full, 1);
    CHECK_INT("what fits", loa_arena_alloc(&a, 16) != NULL, 1);
    CHECK_INT("no more", loa_arena_alloc(&a, 1) == NULL, 1);
    CHECK_INT("nothing", loa_arena_alloc(&a, 0) != NULL, 1);

    loa_arena_reset(&a);
    CHECK_INT("forgotten", a.full, 0);
    CHECK_INT("huge", loa_arena_alloc(&a, SIZE_MAX) == NULL, 1);
    CHECK_INT("all of it", loa_arena_alloc(&a, sizeof room) != NULL, 1);

    /* A room that is no multiple of the alignment. */
    loa_arena_init(&a, room, 20);
    CHECK_INT("odd", loa_arena_alloc(&a, 18) != NULL, 1);
    CHECK_INT("odd, full", loa_arena_alloc(&a, 1) == NULL, 1);

    loa_arena_init(&a, room, sizeof room);
    p = a.allocator.alloc(a.allocator.allocator_data, 8);
    CHECK_INT("as protobuf-c's", p == room, 1);
    a.allocator.free(a.allocator.allocator_data, p);
    CHECK_INT("free keeps", a.used, 16);
    return CHECK_DONE();
}
