/* plan.h -- every bulletin that is, will be or lately was on air, and in which
 * areas it is placed.
 *
 * What it says about time and overlap is for bulletins as they stand here; who
 * may change them and what follows from it is scheduler.h's business. */

#ifndef LOA_SCHEDULER_PLAN_H
#define LOA_SCHEDULER_PLAN_H

#include "scheduler/approvals.h"
#include "scheduler/areas.h"
#include "scheduler/slots.h"

#define BULLETIN_NONE ROW_NONE
#define BULLETIN_AREAS_MAX 64
#define BULLETIN_TITLE_CAP APPROVAL_TITLE_CAP

/* The values are those of loa.v1.BulletinClass. */
enum bulletin_class { BULLETIN_NORMAL = 1, BULLETIN_PRIORITY = 2 };

enum bulletin_why {
    BULLETIN_STANDS, /* It is not cancelled. */
    BULLETIN_ASKED,
    BULLETIN_APPROVER_REVOKED,
    BULLETIN_REQUESTER_REVOKED,
    BULLETIN_APPROVAL_VOID, /* Trust refuses it for another reason. */
    BULLETIN_WHYS_N,
};

struct bulletin {
    uint8_t id[LOA_ID_BYTES];
    enum bulletin_class class;
    uint32_t approval;              /* Row; holds a reference. */
    char title[BULLETIN_TITLE_CAP]; /* As asked; "": the content's. */
    /* What sounds: asked for and covered by the approval. */
    struct slots_rule rule;
    int64_t until_ms; /* As asked; rule.until_ms may be earlier. */
    int64_t end_ms;   /* Of the last occurrence of the rule. */
    char requested_by[LOA_PRINCIPAL_CAP];
    int64_t requested_at_ms;
    char requester_area[LOA_AREA_CAP];
    uint8_t requester_issuer[LOA_KEY_BYTES];
    uint64_t requester_serial;
    struct approvals_chain requester_chain; /* Holds references. */
    enum bulletin_why why;
    int64_t cancelled_at_ms; /* 0: it stands. */
    char cancelled_by[LOA_PRINCIPAL_CAP];
    uint64_t revision; /* Of the plan when it last changed. */
    /* Private to plan.c: */
    bool used;
    uint32_t placement; /* First of its areas. */
    uint32_t stamp;
};

struct placement {
    uint32_t bulletin, area;
    uint32_t of_bulletin;  /* Next area of the same bulletin. */
    uint32_t here, before; /* Next and previous bulletin of the same area. */
};

struct plan_limits {
    uint32_t areas, bulletins, placements, approvals, certificates;
};

struct plan {
    struct areas areas;
    struct approvals approvals;
    struct rows index;
    struct bulletin *bulletins; /* Rows of index. */
    struct placement *placements;
    uint32_t placements_max, placements_touched_n, placements_free;
    uint32_t *found; /* Of plan_audible(); bulletins_max entries. */
    uint32_t found_n;
    uint32_t stamp;
};

/* Takes all memory there will ever be. LOA_ENOMEM: nothing is left open. */
LOA_MUST_CHECK int plan_open(struct plan *p,
                             const struct plan_limits *limits,
                             struct loa_trust *trust);
void plan_close(struct plan *p);

uint32_t plan_find(const struct plan *p, const uint8_t id[LOA_ID_BYTES]);

/* Is there a place for one more bulletin, in so many areas? */
bool plan_has_room(const struct plan *p, uint32_t areas_n);

/* Add *b (copied; its references are taken over) to areas[].
 * LOA_EBUSY: there is no room, nothing was changed. */
LOA_MUST_CHECK int plan_add(struct plan *p,
                            const struct bulletin *b,
                            const uint32_t areas[],
                            uint32_t areas_n,
                            uint32_t *row);

/* Forget it, with its references. */
void plan_remove(struct plan *p, uint32_t row);

/* The areas of a bulletin, in the order in which they were asked for. */
uint32_t plan_areas(const struct plan *p,
                    uint32_t row,
                    uint32_t areas[BULLETIN_AREAS_MAX]);

/* Set rule.until_ms and end_ms from until_ms and the approval's end. */
void plan_settle(const struct plan *p, struct bulletin *b);

/* The first occurrence that was asked for, has not ended at from_ms, and is not
 * said because the approval ends before; SLOTS_NONE: all are covered. */
int64_t plan_uncovered(const struct bulletin *b, int64_t from_ms);

/* What its title is on air. */
const char *plan_title(const struct plan *p, const struct bulletin *b);

/* List in found[] the bulletins that stand, that end after from_ms, and that
 * somebody in one of these areas hears: placed there, above or below. */
void plan_audible(struct plan *p,
                  const uint32_t areas[],
                  uint32_t areas_n,
                  int64_t from_ms);

/* A number that no stamp has; for counting things once. */
uint32_t plan_stamp(struct plan *p);

#endif /* LOA_SCHEDULER_PLAN_H */
