/* chance.h -- random bytes from a seed, so that a core may need them and still
 * be the same in every run of a test. The seed comes from the system once. */

#ifndef LOA_SPEAKER_CHANCE_H
#define LOA_SPEAKER_CHANCE_H

#include <stddef.h>
#include <stdint.h>

#define CHANCE_SEED_BYTES 32

struct chance {
    struct {
        uint8_t seed[CHANCE_SEED_BYTES];
        uint64_t counter;
    } in;
};

void chance_init(struct chance *c, const uint8_t seed[CHANCE_SEED_BYTES]);

/* len is at most 32. */
void chance_bytes(struct chance *c, uint8_t *out, size_t len);

/* A number from 0 to below - 1; below is at least 1. */
uint64_t chance_below(struct chance *c, uint64_t below);

#endif /* LOA_SPEAKER_CHANCE_H */
