/* world.h -- short names for needs: what tests of push and want begin with. */

#ifndef LOA_TEST_CONTENT_WORLD_H
#define LOA_TEST_CONTENT_WORLD_H

#include <string.h>

#include "check.h"
#include "content-ingest/needs.h"

#define NOW_MS INT64_C(0) /* Small versions: none is a day ahead. */

static struct needs needs;

/* Hash and stream key of content number c. */
static inline struct need_item item_of(int c, int64_t start, int64_t until)
{
    struct need_item t = {.start_at_ms = start, .until_at_ms = until};

    memset(t.content_hash, c, sizeof t.content_hash);
    return t;
}

static inline const uint8_t *key_of(int c)
{
    static uint8_t key[LOA_KEY_BYTES];

    memset(key, c ^ 0x55, sizeof key);
    return key;
}

static inline void content_is(int c, uint32_t packets_n)
{
    struct need_item t = item_of(c, 0, 0);

    needs_content(&needs, t.content_hash, key_of(c), packets_n);
}

static uint64_t next_version;

/* The area's programme is this one content; c 0 is none. */
static inline void need_one(const char *area, int c, int64_t start)
{
    struct need_item t = item_of(c, start, start + 1000);

    CHECK_INT(area,
              needs_programme(&needs, area, ++next_version, INT64_MAX, &t,
                              c != 0, NOW_MS),
              LOA_OK);
}

static inline uint32_t need_at(const char *area, int c)
{
    struct need_item t = item_of(c, 0, 0);
    uint32_t a = needs_find_area(&needs, area);
    uint32_t k = needs_find_content(&needs, t.content_hash);

    return a == NEEDS_NONE || k == NEEDS_NONE ? NEEDS_NONE
                                              : needs_of(&needs, a, k);
}

#endif /* LOA_TEST_CONTENT_WORLD_H */
