/* chance.h -- chance from a seed, the same everywhere. */

#ifndef LOA_TEST_CHANCE_H
#define LOA_TEST_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

static uint64_t rng = 1; /* Never 0. */

static uint64_t chance_of(uint64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return below > 0 ? (rng >> 11) % below : 0;
}

__attribute__((unused)) static bool likely(unsigned percent)
{
    return chance_of(100) < percent;
}

#endif /* LOA_TEST_CHANCE_H */
