#include "content-ingest/needs.h"

#include <assert.h>
#include <string.h>

#define MASK (NEEDS_BUCKETS - 1u)

/* FNV-1a. Who could choose area paths to collide is the registry itself. */
static uint32_t area_bucket(const char *path)
{
    uint32_t h = 2166136261u;

    for (; *path != '\0'; path++)
        h = (h ^ (uint8_t)*path) * 16777619u;
    return (h ^ h >> 16) & MASK;
}

/* Hashes and keys are uniform as they are. */
static uint32_t key_bucket(const uint8_t *key)
{
    return ((uint32_t)key[0] | (uint32_t)key[1] << 8) & MASK;
}

void needs_init(struct needs *n)
{
    n->areas_n = n->areas_top = n->contents_n = n->contents_top = 0;
    n->dirty_n = n->dirty_cursor = 0;
    n->needs_n = n->needs_top = 0;
    n->areas_free = n->contents_free = n->needs_free = n->todo = NEEDS_NONE;
    n->todo_n = 0;
    for (size_t i = 0; i < NEEDS_BUCKETS; i++)
        n->area_buckets[i] = n->hash_buckets[i] = n->stream_buckets[i] =
            NEEDS_NONE;
}

/* --- areas ---------------------------------------------------------------- */

uint32_t needs_find_area(const struct needs *n, const char *path)
{
    uint32_t i = n->area_buckets[area_bucket(path)];

    while (i != NEEDS_NONE && strcmp(n->areas[i].path, path) != 0)
        i = n->areas[i].chain;
    return i;
}

static uint32_t area_get(struct needs *n, const char *path)
{
    uint32_t i = needs_find_area(n, path), bucket;
    struct need_area *a;

    if (i != NEEDS_NONE)
        return i;
    if (n->areas_free != NEEDS_NONE) {
        i = n->areas_free;
        n->areas_free = n->areas[i].chain;
    } else if (n->areas_top < NEED_AREAS_MAX) {
        i = n->areas_top++;
    } else {
        return NEEDS_NONE;
    }
    n->areas_n++;
    a = &n->areas[i];
    memset(a, 0, sizeof *a);
    a->used = true;
    a->signer = SIGNER_NONE;
    assert(strlen(path) < sizeof a->path);
    memcpy(a->path, path, strlen(path) + 1);
    a->first = NEEDS_NONE;
    bucket = area_bucket(path);
    a->chain = n->area_buckets[bucket];
    n->area_buckets[bucket] = i;
    return i;
}

void needs_free_area(struct needs *n, struct need_area *area)
{
    uint32_t i = (uint32_t)(area - n->areas);
    uint32_t *at = &n->area_buckets[area_bucket(area->path)];

    assert(area->used && needs_area_over(area) && !area->dirty);
    while (*at != i)
        at = &n->areas[*at].chain;
    *at = area->chain;
    area->used = false;
    area->chain = n->areas_free;
    n->areas_free = i;
    n->areas_n--;
}

void needs_mark_dirty(struct needs *n, struct need_area *area)
{
    n->dirty_n += !area->dirty;
    area->dirty = true;
}

struct need_area *needs_take_dirty(struct needs *n)
{
    struct need_area *a;

    if (n->dirty_n == 0)
        return NULL;
    do {
        a = &n->areas[n->dirty_cursor];
        n->dirty_cursor = (n->dirty_cursor + 1) % n->areas_top;
    } while (!a->dirty);
    a->dirty = false;
    n->dirty_n--;
    return a;
}

/* --- contents ------------------------------------------------------------- */

uint32_t needs_find_content(const struct needs *n,
                            const uint8_t hash[LOA_HASH_BYTES])
{
    uint32_t i = n->hash_buckets[key_bucket(hash)];

    while (i != NEEDS_NONE &&
           memcmp(n->contents[i].hash, hash, LOA_HASH_BYTES) != 0)
        i = n->contents[i].hash_chain;
    return i;
}

uint32_t needs_find_stream(const struct needs *n,
                           const uint8_t stream_key[LOA_KEY_BYTES])
{
    uint32_t i = n->stream_buckets[key_bucket(stream_key)];

    while (i != NEEDS_NONE &&
           memcmp(n->contents[i].stream_key, stream_key, LOA_KEY_BYTES) != 0)
        i = n->contents[i].stream_chain;
    return i;
}

static uint32_t content_get(struct needs *n, const uint8_t *hash)
{
    uint32_t i = needs_find_content(n, hash), bucket = key_bucket(hash);
    struct need_content *c;

    if (i != NEEDS_NONE)
        return i;
    if (n->contents_free != NEEDS_NONE) {
        i = n->contents_free;
        n->contents_free = n->contents[i].hash_chain;
    } else if (n->contents_top < NEED_CONTENTS_MAX) {
        i = n->contents_top++;
    } else {
        return NEEDS_NONE;
    }
    c = &n->contents[i];
    memset(c, 0, sizeof *c);
    memcpy(c->hash, hash, LOA_HASH_BYTES);
    c->used = true;
    c->first = NEEDS_NONE;
    c->hash_chain = n->hash_buckets[bucket];
    n->hash_buckets[bucket] = i;
    n->contents_n++;
    return i;
}

static void stream_unchain(struct needs *n, uint32_t content)
{
    struct need_content *c = &n->contents[content];
    uint32_t *at = &n->stream_buckets[key_bucket(c->stream_key)];

    if (c->packets_n == 0)
        return;
    while (*at != content)
        at = &n->contents[*at].stream_chain;
    *at = c->stream_chain;
    c->packets_n = 0;
}

static void content_drop(struct needs *n, uint32_t content)
{
    struct need_content *c = &n->contents[content];
    uint32_t *at = &n->hash_buckets[key_bucket(c->hash)];

    stream_unchain(n, content);
    while (*at != content)
        at = &n->contents[*at].hash_chain;
    *at = c->hash_chain;
    c->used = false;
    c->hash_chain = n->contents_free;
    n->contents_free = content;
    n->contents_n--;
}

void needs_content(struct needs *n,
                   const uint8_t hash[LOA_HASH_BYTES],
                   const uint8_t stream_key[LOA_KEY_BYTES],
                   uint32_t packets_n)
{
    uint32_t i = needs_find_content(n, hash), bucket;
    struct need_content *c;

    if (i == NEEDS_NONE)
        return;
    stream_unchain(n, i);
    if (packets_n == 0)
        return;
    c = &n->contents[i];
    memcpy(c->stream_key, stream_key, LOA_KEY_BYTES);
    c->packets_n = packets_n;
    bucket = key_bucket(stream_key);
    c->stream_chain = n->stream_buckets[bucket];
    n->stream_buckets[bucket] = i;
}

/* --- needs ---------------------------------------------------------------- */

static void todo_add(struct needs *n, uint32_t i)
{
    struct need *d = &n->needs[i];

    d->in_todo_before = NEEDS_NONE;
    d->in_todo = n->todo;
    if (n->todo != NEEDS_NONE)
        n->needs[n->todo].in_todo_before = i;
    n->todo = i;
    n->todo_n++;
}

static void todo_drop(struct needs *n, uint32_t i)
{
    struct need *d = &n->needs[i];

    if (d->in_todo_before != NEEDS_NONE)
        n->needs[d->in_todo_before].in_todo = d->in_todo;
    else
        n->todo = d->in_todo;
    if (d->in_todo != NEEDS_NONE)
        n->needs[d->in_todo].in_todo_before = d->in_todo_before;
    n->todo_n--;
}

static struct need *need_new(struct needs *n, uint32_t area, uint32_t content)
{
    struct need_content *c = &n->contents[content];
    struct need *d;
    uint32_t i;

    if (n->needs_free != NEEDS_NONE) {
        i = n->needs_free;
        n->needs_free = n->needs[i].in_area;
    } else if (n->needs_top < NEEDS_MAX) {
        i = n->needs_top++;
    } else {
        return NULL;
    }
    d = &n->needs[i];
    memset(d, 0, sizeof *d);
    d->used = true;
    d->area = area;
    d->content = content;
    d->in_area = n->areas[area].first;
    n->areas[area].first = i;
    d->in_content_before = NEEDS_NONE;
    d->in_content = c->first;
    if (c->first != NEEDS_NONE)
        n->needs[c->first].in_content_before = i;
    c->first = i;
    todo_add(n, i);
    n->needs_n++;
    return d;
}

/* Take a need out of its content's chain; the area's chain is the caller's. */
static void need_drop(struct needs *n, uint32_t i)
{
    struct need *d = &n->needs[i];
    struct need_content *c = &n->contents[d->content];

    if (d->in_content_before != NEEDS_NONE)
        n->needs[d->in_content_before].in_content = d->in_content;
    else
        c->first = d->in_content;
    if (d->in_content != NEEDS_NONE)
        n->needs[d->in_content].in_content_before = d->in_content_before;
    if (c->first == NEEDS_NONE)
        content_drop(n, d->content);
    if (!d->pushed)
        todo_drop(n, i);
    d->used = false;
    d->in_area = n->needs_free;
    n->needs_free = i;
    n->needs_n--;
}

/* Drop the needs of an area that are stale, or past. Returns how many. */
static size_t area_sweep(struct needs *n,
                         struct need_area *a,
                         int64_t now_at_ms)
{
    uint32_t *at = &a->first;
    size_t dropped_n = 0;

    while (*at != NEEDS_NONE) {
        struct need *d = &n->needs[*at];
        uint32_t i = *at;

        if (d->stale || d->until_at_ms <= now_at_ms) {
            *at = d->in_area;
            need_drop(n, i);
            dropped_n++;
        } else {
            at = &d->in_area;
        }
    }
    return dropped_n;
}

/* What an area above has been sent was heard here too. */
static bool pushed_above(const struct needs *n, const struct need *d)
{
    const char *path = n->areas[d->area].path;
    char outer[LOA_AREA_CAP];

    for (size_t depth = loa_area_depth(path) - 1; depth > 0; depth--) {
        uint32_t area, i = NEEDS_NONE;

        loa_area_prefix(path, depth, outer);
        area = needs_find_area(n, outer);
        if (area != NEEDS_NONE)
            i = needs_of(n, area, d->content);
        if (i != NEEDS_NONE && n->needs[i].pushed)
            return true;
    }
    return false;
}

static int item_take(struct needs *n, uint32_t area, const struct need_item *t)
{
    uint32_t content = content_get(n, t->content_hash), i;
    struct need *d;

    if (content == NEEDS_NONE)
        return LOA_EBUSY;
    i = needs_of(n, area, content);
    if (i == NEEDS_NONE) {
        d = need_new(n, area, content);
        if (d == NULL) {
            if (n->contents[content].first == NEEDS_NONE)
                content_drop(n, content);
            return LOA_EBUSY;
        }
        d->start_at_ms = t->start_at_ms;
        d->until_at_ms = t->until_at_ms;
        if (t->pushed || pushed_above(n, d)) {
            d->pushed = true;
            todo_drop(n, (uint32_t)(d - n->needs));
        }
        return LOA_OK;
    }
    d = &n->needs[i];
    if (d->stale || t->start_at_ms < d->start_at_ms)
        d->start_at_ms = t->start_at_ms;
    if (d->stale || t->until_at_ms > d->until_at_ms)
        d->until_at_ms = t->until_at_ms;
    d->stale = false;
    return LOA_OK;
}

int needs_programme(struct needs *n,
                    const char *area,
                    uint64_t version,
                    int64_t expires_at_ms,
                    const struct need_item *items,
                    size_t items_n,
                    int64_t now_at_ms)
{
    uint64_t version_max = (uint64_t)(now_at_ms + NEEDS_AHEAD_MS);
    struct need_area *a;
    uint32_t index;
    int rv = LOA_OK;

    assert(items_n <= NEED_PROGRAMME_MAX);
    if (version > version_max)
        return LOA_EINVAL;
    index = items_n > 0 || n->areas_n < NEED_AREAS_EMPTY_MAX
                ? area_get(n, area)
                : needs_find_area(n, area);
    if (index == NEEDS_NONE)
        return LOA_EBUSY;
    a = &n->areas[index];
    if (version >= a->version || a->version > version_max)
        a->heard = true;
    if (version <= a->version && a->version <= version_max)
        return LOA_ESTALE;
    for (uint32_t i = a->first; i != NEEDS_NONE; i = n->needs[i].in_area)
        n->needs[i].stale = true;
    for (size_t i = 0; i < items_n && rv == LOA_OK; i++)
        rv = item_take(n, index, &items[i]);
    if (rv == LOA_OK) {
        a->version = version;
        a->expires_at_ms = expires_at_ms;
    } else { /* Better to keep too much than to lose what is needed. */
        for (uint32_t i = a->first; i != NEEDS_NONE; i = n->needs[i].in_area)
            n->needs[i].stale = false;
    }
    area_sweep(n, a, INT64_MIN);
    a->signer = SIGNER_NONE;
    needs_mark_dirty(n, a);
    return rv;
}

/* --- signers -------------------------------------------------------------- */

static void area_forget(struct needs *n, struct need_area *a)
{
    area_sweep(n, a, INT64_MAX);
    a->version = 0;
    a->expires_at_ms = 0;
    a->signer = SIGNER_NONE;
    needs_mark_dirty(n, a);
}

size_t needs_forget_signer(struct needs *n, uint32_t signer)
{
    size_t forgotten_n = 0;

    for (uint32_t i = 0; i < n->areas_top; i++)
        if (n->areas[i].used && n->areas[i].signer == signer) {
            area_forget(n, &n->areas[i]);
            forgotten_n++;
        }
    return forgotten_n;
}

/* --- at start, and in time ------------------------------------------------ */

int needs_restore_area(struct needs *n,
                       const char *area,
                       uint64_t version,
                       int64_t expires_at_ms,
                       uint32_t signer)
{
    uint32_t index = area_get(n, area);

    if (index == NEEDS_NONE)
        return LOA_EBUSY;
    n->areas[index].version = version;
    n->areas[index].expires_at_ms = expires_at_ms;
    n->areas[index].signer = signer;
    return LOA_OK;
}

int needs_restore(struct needs *n,
                  const char *area,
                  const struct need_item *item)
{
    uint32_t index = area_get(n, area);

    return index == NEEDS_NONE ? LOA_EBUSY : item_take(n, index, item);
}

size_t needs_expire(struct needs *n, int64_t now_at_ms)
{
    size_t dropped_n = 0, here_n;

    for (uint32_t i = 0; i < n->areas_top; i++) {
        struct need_area *a = &n->areas[i];

        if (!a->used)
            continue;
        here_n = area_sweep(n, a, now_at_ms);
        if (here_n > 0)
            needs_mark_dirty(n, a);
        dropped_n += here_n;
        /* It is refused as expired should it come again. */
        if (a->first == NEEDS_NONE && a->expires_at_ms <= now_at_ms)
            area_forget(n, a);
    }
    return dropped_n;
}

void needs_pushed(struct needs *n, uint32_t need)
{
    const struct need *done = &n->needs[need];
    const char *outer = n->areas[done->area].path;
    uint32_t i = n->contents[done->content].first;

    for (; i != NEEDS_NONE; i = n->needs[i].in_content) {
        struct need *d = &n->needs[i];
        struct need_area *a = &n->areas[d->area];

        if (!d->pushed && loa_area_within(a->path, outer)) {
            d->pushed = true;
            todo_drop(n, i);
            needs_mark_dirty(n, a);
        }
    }
}
