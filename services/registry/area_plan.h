/* area_plan.h -- what a file would do to the tree, decided before it is done.
 *
 * A row whose code an open area has is about that area; any other row makes a
 * new one. A row whose tier is `closed` ends its area. Areas that the file does
 * not name stay as they are. The whole is judged: parents exist, tiers fall
 * from parent to child (so there are no cycles), paths are short enough, and
 * the asker may change what changes. Pure. */

#ifndef LOA_REGISTRY_AREA_PLAN_H
#define LOA_REGISTRY_AREA_PLAN_H

#include "registry/areas.h"
#include "registry/refusal.h"

#define AREA_PLAN_TEXT_MAX                            \
    (20 << 20) /* All steps' texts, for the database. \
                */

enum area_step_what {
    AREA_STEP_ADD,    /* A new area with a new id. */
    AREA_STEP_CHANGE, /* The next state of an area that is there. */
    AREA_STEP_CLOSE,  /* Its newest state ends. */
};

struct area_step {
    enum area_step_what what;
    char id[AREA_ID_CAP];
    struct area_state state; /* Not set for CLOSE. */
};

struct area_order {
    const struct area_csv_row *rows;
    size_t rows_n;
    int64_t valid_from_ms; /* When the changes come into force. */
    int64_t now_ms;
    const char *asker_area; /* Only what lies inside may change. */
};

struct area_plan {
    /* Out: */
    size_t steps_n, added_n, changed_n, closed_n, moved_n, unchanged_n;
    int64_t valid_from_ms;
    uint64_t version; /* Of the tree when the plan is done. */
    size_t text_len;  /* At most so many bytes have the steps' texts. */
    struct area_step steps[AREA_CSV_ROWS_MAX];
    /* Private: areas of the tree first, then the new ones. */
    struct area_draft {
        const struct area_csv_row *row; /* NULL: not in the file. */
        const struct area_state *now;   /* NULL: new. */
        const char *code, *name;
        uint32_t parent; /* Draft; AREA_NONE: root. */
        enum area_tier tier;
        char id[AREA_ID_CAP];
        char path[LOA_AREA_CAP]; /* "": not known yet. */
        bool open;
    } drafts[AREAS_MAX + AREA_CSV_ROWS_MAX];
    size_t drafts_n;
    uint32_t row_draft[AREA_CSV_ROWS_MAX];
    uint32_t by_code[4 * AREA_CSV_ROWS_MAX]; /* Draft + 1 of a file's row. */
    uint32_t by_new_id[4 * AREA_CSV_ROWS_MAX];
};

/* Decide. *p must be zeroed before its first use and is big. LOA_EINVAL: *why
 * has code, line and both sentences; nothing is to be done. With steps_n 0
 * nothing changes, and p->version is the tree's own. */
LOA_MUST_CHECK int area_plan(struct area_plan *p,
                             const struct areas *a,
                             const struct area_order *o,
                             struct refusal *why);

/* Do it, once it is durable. Cannot fail: area_plan() saw that it fits. */
void area_plan_apply(const struct area_plan *p, struct areas *a);

#endif /* LOA_REGISTRY_AREA_PLAN_H */
