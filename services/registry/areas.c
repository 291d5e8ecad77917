#include "registry/areas.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "registry/hash.h"

#define SLOTS_N (2 * AREAS_MAX)

void areas_init(struct areas *a)
{
    assert(a->areas_n == 0 && a->states_n == 0 && a->version == 0);
}

static const char *code_of(const struct areas *a, uint32_t area)
{
    return a->states[a->areas[area].newest].code;
}

uint32_t areas_by_id(const struct areas *a, const char *id)
{
    uint32_t slot = hash_text(id) % SLOTS_N;

    for (; a->by_id[slot] != 0; slot = (slot + 1) % SLOTS_N)
        if (strcmp(a->areas[a->by_id[slot] - 1].id, id) == 0)
            return a->by_id[slot] - 1;
    return AREA_NONE;
}

/* The slot that holds a code, or the free one where it would go. An entry whose
 * area has taken another code stays behind as a stone that no code matches. */
static uint32_t code_slot(const struct areas *a, const char *code)
{
    uint32_t slot = hash_text(code) % SLOTS_N;

    for (; a->by_code[slot] != 0; slot = (slot + 1) % SLOTS_N)
        if (strcmp(code_of(a, a->by_code[slot] - 1), code) == 0)
            break;
    return slot;
}

uint32_t areas_by_code(const struct areas *a, const char *code)
{
    uint32_t slot = code_slot(a, code);

    return a->by_code[slot] != 0 ? a->by_code[slot] - 1 : AREA_NONE;
}

const struct area_state *areas_newest(const struct areas *a, uint32_t area)
{
    return &a->states[a->areas[area].newest];
}

bool area_state_at(const struct area_state *s, int64_t at_ms)
{
    return s->valid_from_ms <= at_ms &&
           (s->valid_until_ms == 0 || at_ms < s->valid_until_ms);
}

const struct area_state *areas_at(const struct areas *a,
                                  const char *path,
                                  int64_t at_ms)
{
    const char *slash = strrchr(path, '/');
    uint32_t area = areas_by_id(a, slash != NULL ? slash + 1 : path);
    uint32_t i = area != AREA_NONE ? a->areas[area].newest : AREA_NONE;

    while (i != AREA_NONE && !area_state_at(&a->states[i], at_ms))
        i = a->states[i].prev;
    if (i == AREA_NONE || strcmp(a->states[i].path, path) != 0)
        return NULL;
    return &a->states[i];
}

static uint32_t add_area(struct areas *a, const char *id)
{
    uint32_t area = (uint32_t)a->areas_n++;
    uint32_t slot = hash_text(id) % SLOTS_N;

    while (a->by_id[slot] != 0)
        slot = (slot + 1) % SLOTS_N;
    a->by_id[slot] = area + 1;
    assert(strlen(id) < AREA_ID_CAP);
    memcpy(a->areas[area].id, id, strlen(id) + 1);
    a->areas[area].newest = AREA_NONE;
    return area;
}

int areas_put(struct areas *a, const char *id, const struct area_state *s)
{
    uint32_t area = areas_by_id(a, id);
    uint32_t newest = area != AREA_NONE ? a->areas[area].newest : AREA_NONE;
    uint32_t at = (uint32_t)a->states_n;
    struct area_state *old = NULL;

    if (newest != AREA_NONE) {
        old = &a->states[newest];
        assert(old->valid_from_ms <= s->valid_from_ms);
        /* A change that was announced and not yet in force is corrected. */
        if (old->valid_from_ms == s->valid_from_ms)
            at = newest;
    }
    if (at == AREA_STATES_MAX || (area == AREA_NONE && a->areas_n == AREAS_MAX))
        return LOA_EBUSY;
    if (old != NULL && at != newest &&
        (old->valid_until_ms == 0 || old->valid_until_ms > s->valid_from_ms)) {
        old->valid_until_ms = s->valid_from_ms;
        old->version = s->version;
    }
    if (area == AREA_NONE)
        area = add_area(a, id);
    if (at == a->states_n)
        a->states_n++;
    else
        newest = a->states[at].prev;
    a->states[at] = *s;
    a->states[at].area = area;
    a->states[at].prev = newest;
    a->areas[area].newest = at;
    a->by_code[code_slot(a, s->code)] = area + 1;
    return LOA_OK;
}

void areas_end(struct areas *a,
               uint32_t area,
               int64_t until_ms,
               uint64_t version)
{
    struct area_state *s = &a->states[a->areas[area].newest];

    assert(until_ms > s->valid_from_ms);
    s->valid_until_ms = until_ms;
    s->version = version;
}

/* In order of version, then path, then time: what areas_sync() walks. */
static int compare(const void *left, const void *right, void *data)
{
    const struct areas *a = data;
    const struct area_state *l = &a->states[*(const uint32_t *)left];
    const struct area_state *r = &a->states[*(const uint32_t *)right];
    int by_path;

    if (l->version != r->version)
        return l->version < r->version ? -1 : 1;
    by_path = strcmp(l->path, r->path);
    if (by_path != 0)
        return by_path;
    return (l->valid_from_ms > r->valid_from_ms) -
           (l->valid_from_ms < r->valid_from_ms);
}

void areas_settle(struct areas *a, uint64_t version)
{
    assert(version >= a->version);
    a->version = version;
    for (uint32_t i = 0; i < a->states_n; i++)
        a->order[i] = i;
    qsort_r(a->order, a->states_n, sizeof a->order[0], compare, a);
}
