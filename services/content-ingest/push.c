#include "content-ingest/push.h"

#include <assert.h>
#include <string.h>

void push_init(struct push *p, struct needs *needs)
{
    memset(p, 0, sizeof *p);
    p->needs = needs;
    p->ending = NEEDS_NONE;
}

static uint32_t blocks_of(uint32_t packets_n)
{
    return (packets_n + BLOCK_PACKETS - 1) / BLOCK_PACKETS;
}

/* Whether an area above still has the same push before it. */
static bool left_to_above(const struct needs *n, const struct need *d)
{
    const char *path = n->areas[d->area].path;
    char outer[LOA_AREA_CAP];

    for (size_t depth = loa_area_depth(path) - 1; depth > 0; depth--) {
        uint32_t area, i;

        loa_area_prefix(path, depth, outer);
        area = needs_find_area(n, outer);
        if (area == NEEDS_NONE)
            continue;
        i = needs_of(n, area, d->content);
        if (i != NEEDS_NONE && !n->needs[i].pushed)
            return true;
    }
    return false;
}

/* Earlier start first; the index makes the order total. */
static bool before(const struct needs *n, uint32_t a, uint32_t b)
{
    const struct need *x = &n->needs[a], *y = &n->needs[b];

    return x->start_at_ms < y->start_at_ms ||
           (x->start_at_ms == y->start_at_ms && a < b);
}

/* The needs of the window, soonest first. */
static size_t window(const struct needs *n, uint32_t out[PUSH_WINDOW])
{
    size_t out_n = 0;

    for (uint32_t i = n->todo; i != NEEDS_NONE; i = n->needs[i].in_todo) {
        const struct need *d = &n->needs[i];
        size_t at;

        if (n->contents[d->content].packets_n == 0 ||
            (out_n == PUSH_WINDOW && !before(n, i, out[out_n - 1])) ||
            left_to_above(n, d))
            continue;
        out_n += out_n < PUSH_WINDOW;
        for (at = out_n - 1; at > 0 && before(n, i, out[at - 1]); at--)
            out[at] = out[at - 1];
        out[at] = i;
    }
    return out_n;
}

/* What was last given out is out. Was it the end of a push? The need may have
 * gone meanwhile, and its place may be another's. */
static void end(struct push *p, struct push_update *up)
{
    struct needs *n = p->needs;
    struct need *d;

    if (p->ending == NEEDS_NONE)
        return;
    d = &n->needs[p->ending];
    if (d->used && !d->pushed && d->area == p->ending_area &&
        d->next_block > 0 &&
        memcmp(n->contents[d->content].hash, p->ending_hash, LOA_HASH_BYTES) ==
            0) {
        up->ended = true;
        up->packets_n = n->contents[d->content].packets_n;
        memcpy(up->area, n->areas[d->area].path, sizeof up->area);
        needs_pushed(n, p->ending);
    }
    p->ending = NEEDS_NONE;
}

static void give(struct push *p, uint32_t need, struct push_update *up)
{
    struct needs *n = p->needs;
    struct need *d = &n->needs[need];
    const struct need_content *c = &n->contents[d->content];
    uint32_t left = c->packets_n - d->next_block * BLOCK_PACKETS;

    up->send = true;
    memcpy(up->order.area, n->areas[d->area].path, sizeof up->order.area);
    memcpy(up->order.stream_key, c->stream_key, LOA_KEY_BYTES);
    up->order.block = d->next_block++;
    up->order.mask =
        left >= BLOCK_PACKETS ? UINT64_MAX : (UINT64_C(1) << left) - 1;
    if (d->next_block == blocks_of(c->packets_n)) {
        p->ending = need;
        p->ending_area = d->area;
        memcpy(p->ending_hash, c->hash, LOA_HASH_BYTES);
    }
}

void push_step(struct push *p, struct push_update *up)
{
    uint32_t soonest[PUSH_WINDOW];
    size_t n, pick = 0;

    memset(up, 0, sizeof *up);
    end(p, up);
    n = window(p->needs, soonest);
    if (n == 0)
        return;
    if (p->turn % 2 == 1 && n > 1)
        pick = 1 + p->turn / 2 % (n - 1);
    p->turn++;
    /* The same content came back with another length: begin anew. */
    if (p->needs->needs[soonest[pick]].next_block >=
        blocks_of(p->needs->contents[p->needs->needs[soonest[pick]].content]
                      .packets_n))
        p->needs->needs[soonest[pick]].next_block = 0;
    give(p, soonest[pick], up);
}

uint32_t push_ahead(const struct push *p, const char *path, uint32_t content)
{
    const struct needs *n = p->needs;
    uint32_t first = UINT32_MAX;
    char outer[LOA_AREA_CAP];

    for (size_t depth = loa_area_depth(path); depth > 0; depth--) {
        uint32_t area, i;

        loa_area_prefix(path, depth, outer);
        area = needs_find_area(n, outer);
        if (area == NEEDS_NONE)
            continue;
        i = needs_of(n, area, content);
        if (i == NEEDS_NONE || n->needs[i].pushed ||
            n->needs[i].next_block >= blocks_of(n->contents[content].packets_n))
            continue;
        if (n->needs[i].next_block * BLOCK_PACKETS < first)
            first = n->needs[i].next_block * BLOCK_PACKETS;
    }
    return first;
}

size_t push_waiting(const struct push *p)
{
    return p->needs->todo_n;
}
