/* areas.h -- the area tree as the scheduler knows it, and the programme state
 * of each area.
 *
 * Areas are never forgotten: their ids are never used again. One that is only
 * known as somebody's ancestor, or from an old bulletin, is a row too. */

#ifndef LOA_SCHEDULER_AREAS_H
#define LOA_SCHEDULER_AREAS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/key.h"
#include "proto/topic.h"
#include "scheduler/rows.h"

#define AREA_NONE ROW_NONE

/* When an area was, is or will be: the tree changes by law, from a date on. */
#define AREA_SPANS_MAX 4

struct area_span {
    int64_t from_ms;
    int64_t until_ms; /* 0: still valid. */
};

/* The newest programme of an area. version 0: it never had one. */
struct area_programme {
    uint64_t version;
    uint64_t revision; /* Of the plan when it was made. */
    uint8_t hash[LOA_HASH_BYTES];
    int64_t built_at_ms;
    int64_t window_end_ms; /* Occurrences that start before it are listed. */
    int64_t expires_at_ms;
    uint32_t bulletins_n;
};

struct area {
    char path[LOA_AREA_CAP];
    uint32_t parent, child, sibling; /* AREA_NONE ends the list. */
    uint32_t spans_n;                /* 0: the registry has not named it. */
    struct area_span spans[AREA_SPANS_MAX]; /* Each begins at another time. */
    uint32_t placement; /* First bulletin placed here; see plan.h. */
    bool stale;         /* The programme must be made anew. */
    struct area_programme programme;
    /* What has been committed, for heads. */
    uint64_t head_version;
    uint8_t head_hash[LOA_HASH_BYTES];
    uint64_t head_due_ms; /* Monotonic. */
};

struct areas {
    struct rows index;
    struct area *rows;
    uint32_t rows_n;
};

/* LOA_ENOMEM. areas_close() is harmless after a failure, and twice. */
LOA_MUST_CHECK int areas_init(struct areas *a, uint32_t rows_max);
void areas_close(struct areas *a);

/* The row of a path, or AREA_NONE. */
uint32_t areas_find(const struct areas *a, const char *path);

/* The row of a path, made if need be, with its ancestors. LOA_EINVAL: no area
 * path; LOA_EBUSY: rows_max. */
LOA_MUST_CHECK int areas_put(struct areas *a, const char *path, uint32_t *row);

/* The registry says: valid then. Replaces what began at the same time; of too
 * many the one that began first is forgotten. */
void areas_valid(struct areas *a, uint32_t row, struct area_span span);

/* Whether the registry knows it and it is valid at that time. */
bool areas_exists(const struct areas *a, uint32_t row, int64_t at_ms);

/* Walk a subtree, parents first: start with row = top; AREA_NONE: done. */
uint32_t areas_walk(const struct areas *a, uint32_t top, uint32_t row);

#endif /* LOA_SCHEDULER_AREAS_H */
