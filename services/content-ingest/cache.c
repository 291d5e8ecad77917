#include "content-ingest/cache.h"

#include <assert.h>
#include <string.h>

void cache_init(struct cache *c, uint8_t *ring, size_t cap)
{
    assert(cap >= 2 * CACHE_BLOCK_LEN_MAX);
    memset(c, 0, sizeof *c);
    c->ring = ring;
    c->cap = cap;
}

static struct cache_block *nth(struct cache *c, size_t i)
{
    return &c->blocks[(c->first + i) % CACHE_BLOCKS_MAX];
}

static size_t block_len(const struct cache_block *b)
{
    return b->packets_n == 0 ? 0 : b->ends[b->packets_n - 1];
}

static void forget_oldest(struct cache *c)
{
    c->first = (c->first + 1) % CACHE_BLOCKS_MAX;
    c->n--;
}

/* Forget the oldest blocks until none lies in [from, from + len). They were
 * written in the ring's order, so the oldest is the next in the way. */
static void clear(struct cache *c, size_t from, size_t len)
{
    while (c->n > 0) {
        const struct cache_block *b = nth(c, 0);

        if (b->at >= from + len || b->at + block_len(b) <= from)
            return;
        forget_oldest(c);
    }
}

/* Forget the oldest blocks that lie behind `from`: the ring turns over. */
static void clear_tail(struct cache *c, size_t from)
{
    while (c->n > 0 && nth(c, 0)->at >= from)
        forget_oldest(c);
}

void cache_begin(struct cache *c,
                 const uint8_t stream_key[LOA_KEY_BYTES],
                 uint32_t block)
{
    struct cache_block *b;

    assert(c->filling == NULL);
    if (c->n == CACHE_BLOCKS_MAX)
        forget_oldest(c);
    if (c->cap - c->at < CACHE_BLOCK_LEN_MAX) {
        clear_tail(c, c->at);
        c->at = 0;
    }
    clear(c, c->at, CACHE_BLOCK_LEN_MAX);
    b = nth(c, c->n);
    memcpy(b->stream_key, stream_key, LOA_KEY_BYTES);
    b->block = block;
    b->at = c->at;
    b->packets_n = 0;
    c->filling = b;
}

int cache_add(struct cache *c, struct loa_bytes packet)
{
    struct cache_block *b = c->filling;
    size_t len;

    assert(b != NULL);
    if (b->packets_n == BLOCK_PACKETS || packet.len > LOA_PACKET_BYTES_MAX)
        return LOA_EINVAL;
    len = block_len(b);
    memcpy(c->ring + b->at + len, packet.data, packet.len);
    b->ends[b->packets_n++] = (uint32_t)(len + packet.len);
    return LOA_OK;
}

void cache_end(struct cache *c)
{
    assert(c->filling != NULL);
    /* An empty block has no place in the ring, so it could never be cleared. */
    if (c->filling->packets_n > 0) {
        c->at += block_len(c->filling);
        c->n++;
    }
    c->filling = NULL;
}

const struct cache_block *cache_find(struct cache *c,
                                     const uint8_t stream_key[LOA_KEY_BYTES],
                                     uint32_t block)
{
    /* Newest first: what was read lately is asked for now. */
    for (size_t i = c->n; i-- > 0;) {
        struct cache_block *b = nth(c, i);

        if (b->block == block &&
            memcmp(b->stream_key, stream_key, LOA_KEY_BYTES) == 0) {
            c->hits_n++;
            return b;
        }
    }
    c->misses_n++;
    return NULL;
}

struct loa_bytes cache_packet(const struct cache *c,
                              const struct cache_block *b,
                              uint32_t i)
{
    uint32_t from;

    if (i >= b->packets_n)
        return (struct loa_bytes){NULL, 0};
    from = i == 0 ? 0 : b->ends[i - 1];
    return (struct loa_bytes){c->ring + b->at + from, b->ends[i] - from};
}
