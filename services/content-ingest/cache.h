/* cache.h -- blocks of packets in memory, in one ring of bytes.
 *
 * The newest block takes the place of the oldest: a push reads blocks once for
 * each area, soon after one another, and repairs ask for what was pushed
 * lately. The ring and its index are of fixed size. */

#ifndef LOA_CONTENT_CACHE_H
#define LOA_CONTENT_CACHE_H

#include <stdbool.h>

#include "content-ingest/order.h"
#include "proto/audio.h"

#define CACHE_BLOCKS_MAX 1024
/* The longest block; the ring must hold at least two. */
#define CACHE_BLOCK_LEN_MAX (BLOCK_PACKETS * LOA_PACKET_BYTES_MAX)

struct cache_block {
    uint8_t stream_key[LOA_KEY_BYTES];
    uint32_t block;
    size_t at;                    /* In the ring. */
    uint32_t ends[BLOCK_PACKETS]; /* Where packet i ends, from `at`. */
    uint32_t packets_n;           /* The last block of a content has fewer. */
};

struct cache {
    uint8_t *ring; /* Lent for the life of the cache. */
    size_t cap;
    size_t at; /* Where the next block goes. */
    struct cache_block blocks[CACHE_BLOCKS_MAX]; /* Ring, oldest first. */
    size_t first, n;
    struct cache_block *filling; /* Between cache_begin() and cache_end(). */
    uint64_t hits_n, misses_n;
};

/* cap is at least 2 * CACHE_BLOCK_LEN_MAX. */
void cache_init(struct cache *c, uint8_t *ring, size_t cap);

/* Make room for a block, then add its packets in order, then end. Nothing else
 * may be called in between; a block that is there already is found first. */
void cache_begin(struct cache *c,
                 const uint8_t stream_key[LOA_KEY_BYTES],
                 uint32_t block);
/* LOA_EINVAL: BLOCK_PACKETS are there, or the packet is too long. */
LOA_MUST_CHECK int cache_add(struct cache *c, struct loa_bytes packet);
/* A block without packets is not kept. */
void cache_end(struct cache *c);

/* The block, or NULL. Valid until the next cache_begin(). */
const struct cache_block *cache_find(struct cache *c,
                                     const uint8_t stream_key[LOA_KEY_BYTES],
                                     uint32_t block);

/* Packet i of a block; {NULL, 0} if it has none. */
struct loa_bytes cache_packet(const struct cache *c,
                              const struct cache_block *b,
                              uint32_t i);

#endif /* LOA_CONTENT_CACHE_H */
