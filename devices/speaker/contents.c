#include "speaker/contents.h"

#include <assert.h>
#include <string.h>

/* What a packet costs in a part file beside its frames. */
#define PACKET_OVERHEAD 64

void contents_init(struct contents *cs, uint64_t bytes_max)
{
    cs->bytes_max = bytes_max;
    cs->full = cs->put = false;
    cs->job = -1;
    cs->top = 0;
    for (size_t i = 0; i < FETCHES_MAX; i++)
        cs->fetches[i].used = cs->fetches[i].opened = false;
}

struct content *contents_find(const struct contents *cs,
                              const uint8_t hash[LOA_HASH_BYTES])
{
    for (size_t i = 0; i < cs->top; i++) {
        const struct content *c = &cs->contents[i];

        if (c->used && memcmp(c->hash, hash, LOA_HASH_BYTES) == 0)
            return (struct content *)(uintptr_t)c;
    }
    return NULL;
}

static struct content *add(struct contents *cs,
                           const uint8_t hash[LOA_HASH_BYTES])
{
    for (size_t i = 0; i < CONTENTS_MAX; i++) {
        struct content *c = &cs->contents[i];

        if (i < cs->top && c->used)
            continue;
        if (i == cs->top)
            cs->top++;
        memset(c, 0, sizeof *c);
        c->used = true;
        c->fetch = -1;
        memcpy(c->hash, hash, LOA_HASH_BYTES);
        return c;
    }
    return NULL;
}

void contents_found(struct contents *cs,
                    const uint8_t hash[LOA_HASH_BYTES],
                    bool complete,
                    uint64_t bytes,
                    int64_t now_us)
{
    struct content *c = contents_find(cs, hash);

    if (c == NULL)
        c = add(cs, hash);
    if (c == NULL)
        return;
    c->disk_bytes += bytes;
    c->unneeded_us = now_us;
    if (complete)
        c->state = CONTENT_UNCHECKED;
    else
        c->part_on_disk = true;
}

/* --- who needs what ------------------------------------------------------- */

void contents_need_begin(struct contents *cs)
{
    for (size_t i = 0; i < cs->top; i++) {
        struct content *c = &cs->contents[i];

        c->was_needed = c->needed;
        c->was_nearest_at_ms = c->nearest_at_ms;
        c->needed = c->named = false;
    }
}

void contents_need(struct contents *cs, const struct manifest *m, int64_t at_ms)
{
    struct content *c = contents_find(cs, m->hash);

    if (c == NULL)
        c = add(cs, m->hash);
    if (c == NULL)
        return; /* Room comes back with the next reckoning. */
    if (!c->needed || at_ms < c->nearest_at_ms)
        c->nearest_at_ms = at_ms;
    /* While it is fetched the manifest stays as long as anybody names it: two
     * approvals of one hash may name different stream keys, and one of them is
     * enough. */
    if (c->fetch < 0)
        c->m = *m;
    if (memcmp(c->m.stream_key, m->stream_key, sizeof m->stream_key) == 0)
        c->named = true;
    else
        c->other = *m;
    c->needed = true;
    c->unneeded_us = 0;
    c->deleting = false;
}

static void fetch_stop(struct contents *cs, struct content *c)
{
    if (c->fetch >= 0)
        cs->fetches[c->fetch].used = false; /* contents_take() closes it. */
    c->fetch = -1;
}

/* Nobody names the stream any more by which it is fetched: who deleted the
 * content and handed it in again sends by a new key. The frames are the same,
 * so what is there counts. */
static void change_streams(struct contents *cs)
{
    for (size_t i = 0; i < cs->top; i++) {
        struct content *c = &cs->contents[i];

        if (!c->used || !c->needed || c->named || c->fetch < 0 ||
            cs->job == (int)i)
            continue;
        if (c->m.packets_n != c->other.packets_n ||
            c->m.frames_n != c->other.frames_n)
            fetch_stop(cs, c); /* One of them lies: begin anew. */
        c->m = c->other;
        c->named = true;
        c->was_needed = false; /* Ask soon. */
    }
}

static bool forgotten(const struct content *c)
{
    return !c->needed && c->state == CONTENT_ABSENT && !c->part_on_disk &&
           c->fetch < 0;
}

static void drop_unneeded(struct contents *cs, int64_t now_us)
{
    for (size_t i = 0; i < cs->top; i++) {
        struct content *c = &cs->contents[i];

        if (!c->used || c->needed || cs->job == (int)i)
            continue;
        fetch_stop(cs, c);
        if (c->unneeded_us == 0)
            c->unneeded_us = now_us;
        if (now_us - c->unneeded_us >= CONTENT_KEEP_US)
            c->deleting = true;
        if (forgotten(c))
            c->used = false;
    }
}

/* Bytes that c takes, or will take when all of it has come: while it is sealed
 * the packets and the complete file are there together. */
static uint64_t footprint(const struct content *c)
{
    uint64_t whole = 2 * (c->m.bytes + 2ull * c->m.frames_n) +
                     (uint64_t)PACKET_OVERHEAD * c->m.packets_n;

    return c->fetch >= 0 && whole > c->disk_bytes ? whole : c->disk_bytes;
}

static uint64_t taken(const struct contents *cs)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < cs->top; i++)
        if (cs->contents[i].used && !cs->contents[i].deleting)
            sum += footprint(&cs->contents[i]);
    return sum;
}

/* Delete unneeded contents, those longest unneeded first, until c fits. */
static bool make_room(struct contents *cs, struct content *c)
{
    c->fetch = 0; /* So that taken() counts all of it. */
    while (taken(cs) > cs->bytes_max) {
        struct content *oldest = NULL;

        for (size_t i = 0; i < cs->top; i++) {
            struct content *o = &cs->contents[i];

            if (o->used && !o->needed && !o->deleting && cs->job != (int)i &&
                (oldest == NULL || o->unneeded_us < oldest->unneeded_us))
                oldest = o;
        }
        if (oldest == NULL)
            break;
        oldest->deleting = true;
    }
    c->fetch = -1;
    return taken(cs) + footprint(c) <= cs->bytes_max;
}

static int free_fetch(const struct contents *cs)
{
    for (int i = 0; i < FETCHES_MAX; i++)
        if (!cs->fetches[i].used && !cs->fetches[i].opened)
            return i;
    return -1;
}

static void fetch_start(struct contents *cs,
                        struct content *c,
                        int slot,
                        struct chance *ch,
                        int64_t now_us)
{
    struct fetch *f = &cs->fetches[slot];

    c->fetch = slot;
    f->used = true;
    f->opened = false;
    f->content = (size_t)(c - cs->contents);
    f->have_n = 0;
    f->asked = false;
    f->pause_us = CONTENT_ASK_US_MIN;
    f->ask_us = contents_quiet_us(ch, now_us);
    memset(f->bits, 0, (c->m.packets_n + 7) / 8);
}

static bool waits(const struct content *c, int64_t now_us)
{
    return c->used && c->needed && c->state == CONTENT_ABSENT && c->fetch < 0 &&
           c->retry_us <= now_us;
}

static struct content *nearest_waiting(struct contents *cs,
                                       const bool *passed,
                                       int64_t now_us)
{
    struct content *best = NULL;

    for (size_t i = 0; i < cs->top; i++) {
        struct content *c = &cs->contents[i];

        if (!passed[i] && waits(c, now_us) &&
            (best == NULL || c->nearest_at_ms < best->nearest_at_ms))
            best = c;
    }
    return best;
}

/* The fetch whose content is needed last, if that is later than at_ms. */
static struct content *farthest_fetched(struct contents *cs, int64_t at_ms)
{
    struct content *far = NULL;

    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *f = &cs->fetches[i];
        struct content *c = &cs->contents[f->content];

        if (f->used && cs->job != (int)f->content && c->nearest_at_ms > at_ms &&
            (far == NULL || c->nearest_at_ms > far->nearest_at_ms))
            far = c;
    }
    return far;
}

static void assign(struct contents *cs, struct chance *ch, int64_t now_us)
{
    bool passed[CONTENTS_MAX] = {false};
    struct content *c;

    cs->full = false;
    while ((c = nearest_waiting(cs, passed, now_us)) != NULL) {
        int slot = free_fetch(cs);

        passed[c - cs->contents] = true;
        if (slot < 0) {
            struct content *far = farthest_fetched(cs, c->nearest_at_ms);

            /* The place is free once the part file is closed; the next
             * reckoning finds it. */
            if (far != NULL)
                fetch_stop(cs, far);
            return;
        }
        if (make_room(cs, c))
            fetch_start(cs, c, slot, ch, now_us);
        else
            cs->full = true;
    }
}

void contents_need_end(struct contents *cs, struct chance *ch, int64_t now_us)
{
    change_streams(cs);
    contents_ask_anew(cs, ch, now_us);
    drop_unneeded(cs, now_us);
    assign(cs, ch, now_us);
}

/* Another try has it sent to the whole area again, so a disk that stays full,
 * or a hash that stays wrong, is tried ever more rarely. */
static void put_off(struct content *c, int64_t now_us)
{
    c->retry_pause_us *= 2;
    if (c->retry_pause_us < CONTENT_RETRY_US)
        c->retry_pause_us = CONTENT_RETRY_US;
    if (c->retry_pause_us > CONTENT_RETRY_US_MAX)
        c->retry_pause_us = CONTENT_RETRY_US_MAX;
    c->retry_us = now_us + c->retry_pause_us;
}

void contents_put_done(struct contents *cs, int status, int64_t now_us)
{
    struct fetch *f = &cs->fetches[cs->put_fetch];
    uint32_t i = cs->packet->sequence;
    struct content *c = &cs->contents[f->content];

    assert(cs->put);
    cs->put = false;
    if (status == LOA_OK) {
        f->bits[i / 8] |= (uint8_t)(1u << (i % 8));
        f->have_n++;
        c->part_on_disk = true;
        return;
    }
    fetch_stop(cs, c);
    put_off(c, now_us);
}

/* --- the disk ------------------------------------------------------------- */

void contents_opened(struct contents *cs,
                     size_t fetch,
                     int status,
                     const uint32_t *have,
                     int64_t now_us)
{
    struct fetch *f = &cs->fetches[fetch];
    struct content *c = &cs->contents[f->content];

    if (status != LOA_OK) {
        f->opened = false;
        fetch_stop(cs, c);
        put_off(c, now_us);
        return;
    }
    for (uint32_t i = 0; i < c->m.packets_n; i++)
        if (have[i] != 0) {
            f->bits[i / 8] |= (uint8_t)(1u << (i % 8));
            f->have_n++;
        }
    c->part_on_disk = true;
}

void contents_distrust(struct contents *cs, struct content *c, int64_t now_us)
{
    if (c->state == CONTENT_COMPLETE && cs->job < 0 &&
        now_us - c->checked_us >= CONTENT_CHECK_US)
        c->state = CONTENT_UNCHECKED;
}

void contents_job_done(struct contents *cs,
                       int status,
                       uint64_t bytes,
                       struct chance *ch,
                       int64_t now_us)
{
    struct content *c = &cs->contents[cs->job];

    assert(cs->job >= 0);
    cs->job = -1;
    if (status == LOA_OK) {
        c->state = CONTENT_COMPLETE;
        c->retry_pause_us = 0;
        c->checked_us = now_us;
        c->disk_bytes = bytes;
        c->part_on_disk = false;
        fetch_stop(cs, c);
        return;
    }
    c->retry_us = now_us + CONTENT_RETRY_US;
    if (status != LOA_EINVAL && status != LOA_ENOENT)
        return; /* The disk refused: the same again, later. */
    put_off(c, now_us);
    c->state = CONTENT_ABSENT;
    c->part_on_disk = false;
    c->disk_bytes = 0;
    fetch_stop(cs, c);
    assign(cs, ch, now_us);
}

void contents_deleted(struct contents *cs,
                      const uint8_t hash[LOA_HASH_BYTES],
                      int status,
                      int64_t now_us)
{
    struct content *c = contents_find(cs, hash);

    if (c == NULL)
        return;
    if (status != LOA_OK) {
        c->retry_us = now_us + CONTENT_RETRY_US;
        return;
    }
    if (c->needed) {
        c->state = CONTENT_ABSENT;
        c->part_on_disk = c->deleting = false;
        c->disk_bytes = 0;
    } else {
        c->used = false;
    }
}

static bool take_fetch(struct contents *cs,
                       size_t i,
                       struct contents_op *op,
                       int64_t now_us)
{
    struct fetch *f = &cs->fetches[i];
    struct content *c = &cs->contents[f->content];

    op->fetch = i;
    op->hash = c->hash;
    op->packets_n = c->m.packets_n;
    if (!f->used && f->opened && cs->job != (int)f->content) {
        f->opened = false;
        op->type = CONTENTS_CLOSE;
        return true;
    }
    if (f->used && !f->opened) {
        f->opened = true;
        op->type = CONTENTS_OPEN;
        return true;
    }
    if (f->used && f->have_n == c->m.packets_n && cs->job < 0 &&
        c->retry_us <= now_us) {
        cs->job = (int)f->content;
        op->type = CONTENTS_SEAL;
        return true;
    }
    return false;
}

static bool take_content(struct contents *cs,
                         struct contents_op *op,
                         int64_t now_us)
{
    struct content *next = NULL;

    for (size_t i = 0; i < cs->top; i++) {
        struct content *c = &cs->contents[i];

        if (!c->used || c->retry_us > now_us || cs->job == (int)i)
            continue;
        if (c->deleting && c->fetch < 0) {
            c->retry_us = now_us + CONTENT_RETRY_US; /* Asked for once. */
            op->type = CONTENTS_DELETE;
            op->hash = c->hash;
            return true;
        }
        if (c->state == CONTENT_UNCHECKED && c->needed &&
            (next == NULL || c->nearest_at_ms < next->nearest_at_ms))
            next = c;
    }
    if (next == NULL || cs->job >= 0)
        return false;
    cs->job = (int)(next - cs->contents);
    op->type = CONTENTS_CHECK;
    op->hash = next->hash;
    return true;
}

bool contents_take(struct contents *cs, struct contents_op *op, int64_t now_us)
{
    if (cs->put) {
        *op = (struct contents_op){
            .type = CONTENTS_PUT, .fetch = cs->put_fetch, .packet = cs->packet};
        return true;
    }
    for (size_t i = 0; i < FETCHES_MAX; i++)
        if (take_fetch(cs, i, op, now_us))
            return true;
    return take_content(cs, op, now_us);
}

void contents_count(const struct contents *cs,
                    uint32_t *complete_n,
                    uint32_t *missing_n)
{
    *complete_n = *missing_n = 0;
    for (size_t i = 0; i < cs->top; i++) {
        const struct content *c = &cs->contents[i];

        if (c->used && c->state == CONTENT_COMPLETE)
            ++*complete_n;
        else if (c->used && c->needed)
            ++*missing_n;
    }
}
