/* areas.h -- the administrative tree with its history, in memory.
 *
 * An area is its id, for ever. What changes over time (code, name, parent,
 * tier, and so the path) is a row of states, each valid from one moment until
 * the next; an area that was closed has a newest state with an end. The whole
 * history is kept here, loaded at start from registry.area_state. Pure. */

#ifndef LOA_REGISTRY_AREAS_H
#define LOA_REGISTRY_AREAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/topic.h"
#include "registry/area_csv.h"

#define AREAS_MAX 131072
#define AREA_STATES_MAX 196608
#define AREA_NONE UINT32_MAX
#define AREA_ID_CAP (LOA_SEGMENT_LEN_MAX + 1)

struct area_state {
    char code[AREA_CODE_CAP];
    char parent[AREA_ID_CAP]; /* An id; "": the root. */
    enum area_tier tier;
    char name[NAME_CAP];
    char folded[NAME_FOLDED_CAP];
    char path[LOA_AREA_CAP]; /* Of this state: ends with the area's id. */
    int64_t valid_from_ms;
    int64_t valid_until_ms; /* 0: no end. */
    uint64_t version;       /* Of the tree when this state last changed. */
    /* Set by areas_put(): */
    uint32_t area; /* Whose. */
    uint32_t prev; /* The area's state before; AREA_NONE. */
};

struct areas {
    uint64_t version; /* Rises with every change; 0: no tree yet. */
    size_t areas_n, states_n;
    struct area {
        char id[AREA_ID_CAP];
        uint32_t newest; /* State. */
    } areas[AREAS_MAX];
    struct area_state states[AREA_STATES_MAX];
    /* Private: hash tables (area + 1; 0 is free), states in order of version.
     */
    uint32_t by_id[2 * AREAS_MAX];
    uint32_t by_code[2 * AREAS_MAX];
    uint32_t order[AREA_STATES_MAX];
};

/* *a must be zeroed memory (static): it is big. */
void areas_init(struct areas *a);

/* The area of an id, and the last one that had a code; AREA_NONE. */
uint32_t areas_by_id(const struct areas *a, const char *id);
uint32_t areas_by_code(const struct areas *a, const char *code);

const struct area_state *areas_newest(const struct areas *a, uint32_t area);

/* Is a state in force at this moment? */
bool area_state_at(const struct area_state *s, int64_t at_ms);

/* The state that has this path at this moment, or NULL. */
const struct area_state *areas_at(const struct areas *a,
                                  const char *path,
                                  int64_t at_ms);

/* Give an area (made if there is none with this id) its next state, copied. A
 * newest state without an end, or with a later one, ends where this begins; one
 * that begins at the same moment is replaced. States of an area come in order
 * of time. LOA_EBUSY: AREAS_MAX or AREA_STATES_MAX; nothing changed. */
LOA_MUST_CHECK int areas_put(struct areas *a,
                             const char *id,
                             const struct area_state *s);

/* End an area's newest state. */
void areas_end(struct areas *a,
               uint32_t area,
               int64_t until_ms,
               uint64_t version);

/* After the last areas_put() and areas_end() of a change: bring the order up to
 * date for areas_sync(). */
void areas_settle(struct areas *a, uint64_t version);

#endif /* LOA_REGISTRY_AREAS_H */
