/* The same question has the same answer: a signature that was made here, or was
 * verified once, is not verified again. Most of a simulated day's time would go
 * there; for any other it is the real thing. Forgery is the business of
 * test/attack, not of these days. */

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

void __real_loa_sign(const struct loa_key *key,
                     const char *name,
                     struct loa_bytes data,
                     uint8_t signature[LOA_SIGNATURE_BYTES]);
void __wrap_loa_sign(const struct loa_key *key,
                     const char *name,
                     struct loa_bytes data,
                     uint8_t signature[LOA_SIGNATURE_BYTES]);

static struct place {
    bool used, holds;
    uint8_t key[LOA_KEY_BYTES], signature[LOA_SIGNATURE_BYTES];
    const char *name;
    size_t len;
    uint64_t sum[2];
} places[PLACES];

/* Where it is kept; *sum is filled. */
static struct place *place_of(struct loa_bytes data,
                              const uint8_t signature[LOA_SIGNATURE_BYTES],
                              uint64_t sum[2])
{
    sum[0] = 0xcbf29ce484222325ull;
    sum[1] = 1;
    for (size_t i = 0; i < data.len; i++) {
        sum[0] = (sum[0] ^ data.data[i]) * 0x100000001b3ull;
        sum[1] = sum[1] * 31 + data.data[i];
    }
    return &places[(sum[0] ^ sum[0] >> 32 ^ signature[0]) % PLACES];
}

static void keep(struct place *p,
                 const uint8_t key[LOA_KEY_BYTES],
                 const char *name,
                 size_t len,
                 const uint64_t sum[2],
                 const uint8_t signature[LOA_SIGNATURE_BYTES])
{
    p->used = true;
    p->len = len;
    p->name = name; /* Names are constants. */
    memcpy(p->sum, sum, sizeof p->sum);
    memcpy(p->key, key, sizeof p->key);
    memcpy(p->signature, signature, sizeof p->signature);
}

void __wrap_loa_sign(const struct loa_key *key,
                     const char *name,
                     struct loa_bytes data,
                     uint8_t signature[LOA_SIGNATURE_BYTES])
{
    uint64_t sum[2];
    struct place *p;

    __real_loa_sign(key, name, data, signature);
    p = place_of(data, signature, sum);
    keep(p, key->public_key, name, data.len, sum, signature);
    p->holds = true;
}

bool __wrap_loa_sign_verify(const uint8_t key[LOA_KEY_BYTES],
                            const char *name,
                            struct loa_bytes data,
                            const uint8_t signature[LOA_SIGNATURE_BYTES])
{
    uint64_t sum[2];
    struct place *p = place_of(data, signature, sum);

    if (p->used && p->len == data.len && memcmp(p->sum, sum, sizeof sum) == 0 &&
        memcmp(p->key, key, sizeof p->key) == 0 && strcmp(p->name, name) == 0 &&
        memcmp(p->signature, signature, sizeof p->signature) == 0)
        return p->holds;
    p->holds = __real_loa_sign_verify(key, name, data, signature);
    keep(p, key, name, data.len, sum, signature);
    return p->holds;
}
