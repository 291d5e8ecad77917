#include "speaker/chance.h"

#include <assert.h>
#include <string.h>

#include "proto/key.h"

void chance_init(struct chance *c, const uint8_t seed[CHANCE_SEED_BYTES])
{
    memcpy(c->in.seed, seed, sizeof c->in.seed);
    c->in.counter = 0;
}

void chance_bytes(struct chance *c, uint8_t *out, size_t len)
{
    uint8_t hash[LOA_HASH_BYTES];

    assert(len <= sizeof hash);
    c->in.counter++;
    loa_hash((struct loa_bytes){(const uint8_t *)&c->in, sizeof c->in}, hash);
    memcpy(out, hash, len);
}

uint64_t chance_below(struct chance *c, uint64_t below)
{
    uint64_t v;

    assert(below >= 1);
    chance_bytes(c, (uint8_t *)&v, sizeof v);
    return v % below; /* The bias is far below what jitter could notice. */
}
