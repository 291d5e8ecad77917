/* dice.h -- chance.h with seeds that a person gives. */

#ifndef LOA_TEST_POWER_DICE_H
#define LOA_TEST_POWER_DICE_H

#include "chance.h"

/* splitmix64: any seed, also 0 and its neighbours, begins a stream of its own.
 */
static void seed_with(uint64_t seed)
{
    seed += 0x9e3779b97f4a7c15;
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111eb;
    rng = (seed ^ seed >> 31) | 1;
}

#endif /* LOA_TEST_POWER_DICE_H */
