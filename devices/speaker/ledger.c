#include "speaker/ledger.h"

#include <string.h>

#include "speaker/codec.h"

#define LEDGER_VERSION 1

void ledger_init(struct ledger *l, int64_t closed_at_ms)
{
    l->marks_n = 0;
    l->verified_n = l->verified_next = 0;
    l->closed_at_ms = closed_at_ms;
}

static struct ledger_entry *lookup(const struct ledger *l,
                                   const uint8_t id[LOA_ID_BYTES],
                                   int64_t start_at_ms)
{
    for (uint32_t i = 0; i < l->marks_n; i++)
        if (l->marks[i].start_at_ms == start_at_ms &&
            memcmp(l->marks[i].bulletin_id, id, LOA_ID_BYTES) == 0)
            return (struct ledger_entry *)(uintptr_t)&l->marks[i];
    return NULL;
}

enum ledger_mark ledger_find(const struct ledger *l,
                             const uint8_t id[LOA_ID_BYTES],
                             int64_t start_at_ms)
{
    const struct ledger_entry *e = lookup(l, id, start_at_ms);

    if (e != NULL)
        return (enum ledger_mark)e->mark;
    return start_at_ms <= l->closed_at_ms ? LEDGER_DONE : LEDGER_NONE;
}

/* The place of the oldest start, which is closed by that. Marks of a time that
 * is still to come were made by a clock that was ahead. A few are kept: what
 * sounded then does not sound again. If most are such, somebody who had that
 * clock filled the memory, and closing up to them would be silence until then.
 */
static struct ledger_entry *evict(struct ledger *l, int64_t start_at_ms)
{
    struct ledger_entry *oldest = &l->marks[0], *newest = oldest;
    uint32_t ahead_n = 0;

    for (uint32_t i = 0; i < l->marks_n; i++) {
        struct ledger_entry *e = &l->marks[i];

        if (e->start_at_ms < oldest->start_at_ms)
            oldest = e;
        if (e->start_at_ms > newest->start_at_ms)
            newest = e;
        ahead_n += e->start_at_ms - start_at_ms > LEDGER_AHEAD_MS;
    }
    if (ahead_n > l->marks_n / 2)
        return newest;
    if (oldest->start_at_ms > l->closed_at_ms)
        l->closed_at_ms = oldest->start_at_ms;
    return oldest;
}

void ledger_set(struct ledger *l,
                const uint8_t id[LOA_ID_BYTES],
                int64_t start_at_ms,
                enum ledger_mark mark)
{
    struct ledger_entry *e = lookup(l, id, start_at_ms);

    if (e == NULL) {
        e = l->marks_n < LEDGER_MARKS_MAX ? &l->marks[l->marks_n++]
                                          : evict(l, start_at_ms);
        memcpy(e->bulletin_id, id, LOA_ID_BYTES);
        e->start_at_ms = start_at_ms;
    }
    e->mark = (uint8_t)mark;
}

const struct ledger_entry *ledger_begun(const struct ledger *l)
{
    for (uint32_t i = 0; i < l->marks_n; i++)
        if (l->marks[i].mark == LEDGER_BEGUN)
            return &l->marks[i];
    return NULL;
}

static void verified_key(const uint8_t id[LOA_ID_BYTES],
                         const uint8_t hash[LOA_HASH_BYTES],
                         uint8_t out[16])
{
    for (size_t i = 0; i < 16; i++)
        out[i] = id[i] ^ hash[i];
}

bool ledger_verified(const struct ledger *l,
                     const uint8_t id[LOA_ID_BYTES],
                     const uint8_t hash[LOA_HASH_BYTES])
{
    uint8_t key[16];

    verified_key(id, hash, key);
    for (uint32_t i = 0; i < l->verified_n; i++)
        if (memcmp(l->verified[i], key, sizeof key) == 0)
            return true;
    return false;
}

void ledger_set_verified(struct ledger *l,
                         const uint8_t id[LOA_ID_BYTES],
                         const uint8_t hash[LOA_HASH_BYTES])
{
    if (ledger_verified(l, id, hash))
        return;
    verified_key(id, hash, l->verified[l->verified_next]);
    l->verified_next = (l->verified_next + 1) % LEDGER_VERIFIED_MAX;
    if (l->verified_n < LEDGER_VERIFIED_MAX)
        l->verified_n++;
}

static void code(struct codec *c, struct ledger *l)
{
    uint8_t version = LEDGER_VERSION;

    codec_u8(c, &version);
    codec_u32(c, &l->marks_n);
    codec_u32(c, &l->verified_n);
    codec_u32(c, &l->verified_next);
    codec_i64(c, &l->closed_at_ms);
    if (version != LEDGER_VERSION || l->marks_n > LEDGER_MARKS_MAX ||
        l->verified_n > LEDGER_VERIFIED_MAX ||
        l->verified_next >= LEDGER_VERIFIED_MAX)
        c->bad = true;
    for (uint32_t i = 0; !c->bad && i < l->marks_n; i++) {
        codec_bytes(c, l->marks[i].bulletin_id, LOA_ID_BYTES);
        codec_i64(c, &l->marks[i].start_at_ms);
        codec_u8(c, &l->marks[i].mark);
    }
    for (uint32_t i = 0; !c->bad && i < l->verified_n; i++)
        codec_bytes(c, l->verified[i], sizeof l->verified[i]);
}

size_t ledger_encode(const struct ledger *l, uint8_t *buf)
{
    struct codec c = codec_writer(buf, LEDGER_BYTES_MAX);

    /* A writer does not change what it is given. */
    code(&c, (struct ledger *)(uintptr_t)l);
    return c.at;
}

int ledger_decode(struct ledger *l, struct loa_bytes data)
{
    struct codec c = codec_reader(data.data, data.len);

    code(&c, l);
    if (c.bad || c.at != data.len) {
        ledger_init(l, 0);
        return LOA_EINVAL;
    }
    return LOA_OK;
}
