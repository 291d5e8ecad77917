/* hash.h -- for tables of ids and codes, which only authorities choose. */

#ifndef LOA_REGISTRY_HASH_H
#define LOA_REGISTRY_HASH_H

#include <stdint.h>

/* FNV-1a. */
static inline uint32_t hash_text(const char *s)
{
    uint32_t h = 2166136261u;

    for (; *s != '\0'; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

#endif /* LOA_REGISTRY_HASH_H */
