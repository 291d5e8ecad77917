/* The same question has the same answer: a signature that was verified once is
 * not verified again. Most of a simulated day's time would go there; the first
 * time it is the real thing, for genuine and for forged ones alike. */

#include <string.h>

#include "proto/key.h"

#define PLACES 16384

bool __real_loa_sign_verify(const uint8_t key[LOA_KEY_BYTES],
                            const char *name,
                            struct loa_bytes data,
                            const uint8_t signature[LOA_SIGNATURE_BYTES]);
bool __wrap_loa_sign_verify(const uint8_t key[LOA_KEY_BYTES],
                            const char *name,
                            struct loa_bytes data,
                            const uint8_t signature[LOA_SIGNATURE_BYTES]);

static struct place {
    bool used, holds;
    uint8_t key[LOA_KEY_BYTES], signature[LOA_SIGNATURE_BYTES];
    const char *name;
    size_t len;
    uint64_t sum[2];
} places[PLACES];

bool __wrap_loa_sign_verify(const uint8_t key[LOA_KEY_BYTES],
                            const char *name,
                            struct loa_bytes data,
                            const uint8_t signature[LOA_SIGNATURE_BYTES])
{
    uint64_t sum[2] = {0xcbf29ce484222325ull, 1};
    struct place *p;

    for (size_t i = 0; i < data.len; i++) {
        sum[0] = (sum[0] ^ data.data[i]) * 0x100000001b3ull;
        sum[1] = sum[1] * 31 + data.data[i];
    }
    p = &places[(sum[0] ^ sum[0] >> 32 ^ signature[0]) % PLACES];
    if (p->used && p->len == data.len && memcmp(p->sum, sum, sizeof sum) == 0 &&
        memcmp(p->key, key, sizeof p->key) == 0 && strcmp(p->name, name) == 0 &&
        memcmp(p->signature, signature, sizeof p->signature) == 0)
        return p->holds;
    p->holds = __real_loa_sign_verify(key, name, data, signature);
    p->used = true;
    p->len = data.len;
    p->name = name; /* Names are constants. */
    memcpy(p->sum, sum, sizeof sum);
    memcpy(p->key, key, sizeof p->key);
    memcpy(p->signature, signature, sizeof p->signature);
    return p->holds;
}
