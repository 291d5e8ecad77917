#include "content-ingest/want.h"

#include <assert.h>
#include <string.h>

void want_init(struct want *w,
               const struct needs *needs,
               uint64_t window_ms,
               uint32_t seed)
{
    memset(w, 0, sizeof *w);
    w->needs = needs;
    w->window_ms = window_ms;
    w->seed = seed;
}

/* --- rate limit ------------------------------------------------------------
 */

static uint32_t hash(const char *s, uint32_t h)
{
    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h ^ h >> 15;
}

/* A bucket holds WANT_BURST messages and is kept as the time at which it is
 * full again. Two devices in one bucket take it from each other, which limits
 * less, never more. */
static bool limited(struct want *w, const char *device, uint64_t now_ms)
{
    const uint64_t depth_ms = (uint64_t)WANT_BURST * WANT_REFILL_MS;
    struct want_bucket *b = &w->buckets[hash(device, w->seed) % WANT_DEVICES];
    uint32_t tag = hash(device, ~w->seed);

    if (b->tag != tag || b->full_ms < now_ms) {
        b->tag = tag;
        b->full_ms = now_ms;
    }
    if (b->full_ms + WANT_REFILL_MS > now_ms + depth_ms)
        return true;
    b->full_ms += WANT_REFILL_MS;
    return false;
}

/* --- marking ----------------------------------------------------------------
 */

static bool alive(const struct want *w, const struct want_repair *r)
{
    const struct need *d = &w->needs->needs[r->need];

    return d->used && d->area == r->area &&
           w->needs->contents[d->content].packets_n > 0 &&
           memcmp(w->needs->contents[d->content].hash, r->hash,
                  LOA_HASH_BYTES) == 0;
}

static struct want_repair *repair_of(struct want *w,
                                     uint32_t need,
                                     uint64_t now_ms)
{
    struct want_repair *r = NULL;
    const struct need *d = &w->needs->needs[need];

    for (size_t i = 0; i < WANT_REPAIRS_MAX; i++) {
        if (w->repairs[i].used && !alive(w, &w->repairs[i]))
            w->repairs[i].used = false;
        if (w->repairs[i].used && w->repairs[i].need == need)
            return &w->repairs[i];
        if (!w->repairs[i].used && r == NULL)
            r = &w->repairs[i];
    }
    if (r == NULL)
        return NULL;
    memset(r, 0, sizeof *r);
    r->used = true;
    r->need = need;
    r->area = d->area;
    memcpy(r->hash, w->needs->contents[d->content].hash, LOA_HASH_BYTES);
    r->due_ms = now_ms + w->window_ms;
    return r;
}

/* A block behind the cursor waits for the next pass. */
static void mark(struct want_repair *r,
                 uint32_t sequence,
                 struct want_update *up)
{
    uint32_t block = sequence / BLOCK_PACKETS;
    uint64_t bit = UINT64_C(1) << sequence % BLOCK_PACKETS;

    if (r->blocks[block] & bit) {
        up->merged_n++;
        return;
    }
    r->blocks[block] |= bit;
    r->wanted_n++;
    up->marked_n++;
}

static void ask(struct want *w,
                const struct want_event *ev,
                const struct want_stream *s,
                struct want_update *up)
{
    const struct needs *n = w->needs;
    uint32_t content = needs_find_stream(n, s->stream_key), need = NEEDS_NONE;
    uint32_t packets_n = 0, ahead = 0;
    struct want_repair *r = NULL;
    uint32_t left;

    if (content != NEEDS_NONE) {
        need = needs_covering(n, ev->message->area, content, false);
        packets_n = n->contents[content].packets_n;
    }
    if (packets_n > WANT_BLOCKS_MAX * BLOCK_PACKETS)
        packets_n = WANT_BLOCKS_MAX * BLOCK_PACKETS;
    if (need != NEEDS_NONE)
        ahead = ev->ahead(ev->data, ev->message->area, content);
    /* Nobody misses more packets than there are, unless ranges overlap. */
    left = packets_n;
    for (size_t i = 0; i < s->ranges_n; i++) {
        const struct want_range *g = &s->ranges[i];
        uint32_t end = g->first < packets_n && g->count > packets_n - g->first
                           ? packets_n
                           : g->first + g->count;

        if (need == NEEDS_NONE || g->first >= packets_n) {
            up->unknown_n++;
            continue;
        }
        for (uint32_t k = g->first; k < end; k++) {
            if (k >= ahead) {
                up->promised_n += end - k;
                break;
            }
            if (r == NULL)
                r = repair_of(w, need, ev->now_ms);
            if (r == NULL || left == 0) {
                up->dropped_n += end - k;
                break;
            }
            left--;
            mark(r, k, up);
        }
    }
}

static void on_message(struct want *w,
                       const struct want_event *ev,
                       struct want_update *up)
{
    if (limited(w, ev->message->device, ev->now_ms)) {
        up->limited = true;
        return;
    }
    for (size_t i = 0; i < ev->message->streams_n; i++)
        ask(w, ev, &ev->message->streams[i], up);
}

/* --- sending ---------------------------------------------------------------
 */

static bool more(const struct want_repair *r)
{
    for (uint32_t i = r->cursor; i < WANT_BLOCKS_MAX; i++)
        if (r->blocks[i] != 0)
            return true;
    return false;
}

/* Give out the next marked block of the pass. A pass gives each block once, and
 * between two passes lies a window: hence no packet goes out twice in one. */
static void give(struct want *w,
                 struct want_repair *r,
                 uint64_t now_ms,
                 struct want_update *up)
{
    const struct need *d = &w->needs->needs[r->need];

    while (r->blocks[r->cursor] == 0)
        r->cursor++;
    up->send = true;
    memcpy(up->order.area, w->needs->areas[d->area].path,
           sizeof up->order.area);
    memcpy(up->order.stream_key, w->needs->contents[d->content].stream_key,
           LOA_KEY_BYTES);
    up->order.block = r->cursor;
    up->order.mask = r->blocks[r->cursor];
    r->blocks[r->cursor] = 0;
    r->wanted_n -= (uint32_t)__builtin_popcountll(up->order.mask);
    r->cursor++;
    if (more(r))
        return;
    r->used = r->wanted_n > 0;
    r->due_ms = now_ms + w->window_ms;
    r->cursor = 0;
}

/* Every other block is for who is on air soonest, the rest take turns. */
static struct want_repair *pick(struct want *w, uint64_t now_ms)
{
    struct want_repair *soonest = NULL, *turn = NULL;
    size_t from = w->turn / 2 % WANT_REPAIRS_MAX;

    for (size_t k = 0; k < WANT_REPAIRS_MAX; k++) {
        struct want_repair *r = &w->repairs[(from + k) % WANT_REPAIRS_MAX];

        if (r->used && !alive(w, r))
            r->used = false;
        if (!r->used || r->due_ms > now_ms)
            continue;
        if (turn == NULL)
            turn = r;
        if (soonest == NULL || w->needs->needs[r->need].start_at_ms <
                                   w->needs->needs[soonest->need].start_at_ms)
            soonest = r;
    }
    return w->turn % 2 == 0 ? soonest : turn;
}

static void on_room(struct want *w,
                    const struct want_event *ev,
                    struct want_update *up)
{
    struct want_repair *r = pick(w, ev->now_ms);

    if (r != NULL) {
        w->turn++;
        give(w, r, ev->now_ms, up);
        return;
    }
    up->deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < WANT_REPAIRS_MAX; i++)
        if (w->repairs[i].used && w->repairs[i].due_ms < up->deadline_ms)
            up->deadline_ms = w->repairs[i].due_ms;
}

static bool sane(const struct want *w)
{
    for (size_t i = 0; i < WANT_REPAIRS_MAX; i++)
        if (w->repairs[i].used && w->repairs[i].wanted_n == 0)
            return false;
    return true;
}

void want_step(struct want *w,
               const struct want_event *ev,
               struct want_update *up)
{
    memset(up, 0, sizeof *up);
    if (ev->type == WANT_MESSAGE)
        on_message(w, ev, up);
    else
        on_room(w, ev, up);
    assert(sane(w));
}

uint64_t want_pending(const struct want *w)
{
    uint64_t pending_n = 0;

    for (size_t i = 0; i < WANT_REPAIRS_MAX; i++)
        if (w->repairs[i].used)
            pending_n += w->repairs[i].wanted_n;
    return pending_n;
}
