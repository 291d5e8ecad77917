/* arena.h -- memory that the caller gives, handed out in a row.
 *
 * The pure modules unpack messages into an arena: no malloc, a bound that the
 * caller chose, and freeing is forgetting. */

#ifndef LOA_PROTO_ARENA_H
#define LOA_PROTO_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loa_arena {
    uint8_t *base;
    size_t cap;
    size_t used;
    bool full; /* An allocation was refused since the last reset. */
    ProtobufCAllocator
        allocator; /* For <message>__unpack(); free is a no-op. */
};

/* base is lent and must be aligned for any type. The arena must not move
 * afterwards: its allocator points to it. */
void loa_arena_init(struct loa_arena *a, void *base, size_t cap);

/* Forget everything that was handed out. */
void loa_arena_reset(struct loa_arena *a);

/* len bytes aligned to 16, or NULL when the arena is full. */
void *loa_arena_alloc(struct loa_arena *a, size_t len);

#endif /* LOA_PROTO_ARENA_H */
