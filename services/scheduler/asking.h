/* asking.h -- the checks that a request to change the plan must pass.
 *
 * Each check is true, or has said its one sentence; nothing was changed. */

#ifndef LOA_SCHEDULER_ASKING_H
#define LOA_SCHEDULER_ASKING_H

#include "scheduler/core.h"

/* What a request is checked with, and what the checks find out. */
struct asking {
    struct scheduler *s;
    const struct scheduler_request *r;
    const struct loa_certificate *who;
    const struct loa_bytes *certificates; /* Of whom: up to the root. */
    size_t certificates_n;
    int64_t at_ms;
    struct say *say;
    struct bulletin *b; /* s->candidate: as it would be. */
    uint32_t *areas;    /* s->candidate_areas. */
    uint32_t skip;      /* The bulletin being changed, or BULLETIN_NONE. */
    struct conflict_query query;
};

/* The certificate has the power SCHEDULE. */
bool asking_may_schedule(struct asking *k);

/* The scheduler serves the area, and the certificate covers it. */
bool asking_may_speak_in(struct asking *k, const char *path);

/* Every area named exists, is allowed, and lies in no other: areas[] is set. */
bool asking_find_areas(struct asking *k);

/* The first start of k->b is neither past nor too near nor too far. */
bool asking_starts_in_time(struct asking *k);

/* The recurrence of k->b ends, and begins on a day that it names. */
bool asking_repeats_sensibly(struct asking *k);

/* The approval handed in is believed: k->b->approval holds a reference, which
 * the caller drops if a later check fails. */
bool asking_take_approval(struct asking *k);

/* The approval reaches as far as k->b, and there is room: no conflict (or it is
 * proposed where there is none), and no programme grows too large. */
bool asking_fits(struct asking *k);

#endif /* LOA_SCHEDULER_ASKING_H */
