#include "scheduler/conflict.h"

struct slots_rule conflict_rule(const struct conflict_query *q,
                                int64_t first_ms)
{
    int64_t until_ms = q->frequency == SLOTS_ONCE ? first_ms : q->until_ms;

    return (struct slots_rule){
        .first_ms = first_ms,
        .until_ms = until_ms < q->covered_ms ? until_ms : q->covered_ms,
        .duration_ms = q->duration_ms,
        .frequency = q->frequency,
        .weekdays = q->weekdays,
    };
}

bool conflict_covered(const struct conflict_query *q, int64_t first_ms)
{
    struct slots_rule whole = conflict_rule(q, first_ms);
    int64_t cut_ms;

    if (slots_next(&whole, first_ms) == SLOTS_NONE)
        return false;
    whole.until_ms = q->frequency == SLOTS_ONCE ? first_ms : q->until_ms;
    cut_ms = slots_next(&whole, q->covered_ms + 1);
    return cut_ms == SLOTS_NONE || cut_ms >= q->window_end_ms;
}

uint32_t conflict_list(const struct plan *p,
                       const struct conflict_query *q,
                       bool same,
                       uint32_t rows[CONFLICTS_MAX])
{
    struct slots_rule rule = conflict_rule(q, q->first_ms);
    uint64_t looks_n = 0;
    int64_t at_ms, other_ms;
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->found_n && n < CONFLICTS_MAX; i++) {
        const struct bulletin *b = &p->bulletins[p->found[i]];

        if (p->found[i] != q->skip && (b->class == q->class) == same &&
            slots_overlap(&rule, &b->rule, rule.first_ms, &at_ms, &other_ms,
                          &looks_n))
            rows[n++] = p->found[i];
    }
    return n;
}

/* --- proposals ------------------------------------------------------------ */

/* A search walks in one direction. At each overlap it jumps as far as that pair
 * of occurrences needs: no start between is free, because the same two would
 * still overlap. So what it ends at is the nearest free start on that side, or
 * less than a second behind it: round_to_second(). */
struct search {
    const struct plan *plan;
    const struct conflict_query *q;
    bool forward;
    int64_t at_ms;
    uint64_t looks_n;
};

static bool in_bounds(const struct search *s)
{
    const struct conflict_query *q = s->q;
    int64_t from_ms = q->earliest_ms, to_ms = q->latest_ms;
    int64_t reach_ms =
        q->frequency == SLOTS_ONCE ? CONFLICT_SEARCH_MS : LOA_DAY_MS - 1;

    if (s->looks_n > CONFLICT_LOOKS_MAX || s->at_ms < from_ms ||
        s->at_ms > to_ms)
        return false;
    if (q->frequency == SLOTS_WEEKLY)
        return slots_day(s->at_ms) == slots_day(q->first_ms);
    return s->at_ms >= q->first_ms - reach_ms &&
           s->at_ms <= q->first_ms + reach_ms;
}

/* A person reads a proposal and types it again: it is a full second, the next
 * one in the direction of the search. */
static void round_to_second(struct search *s)
{
    int64_t over_ms = s->at_ms % 1000;

    if (over_ms != 0)
        s->at_ms += s->forward ? 1000 - over_ms : -over_ms;
}

/* Move on until other is not overlapped. False: out of bounds. */
static bool pass(struct search *s, const struct slots_rule *other, bool *moved)
{
    int64_t own_ms, other_ms, step_ms, gone_ms;

    for (;;) {
        struct slots_rule rule = conflict_rule(s->q, s->at_ms);

        if (!slots_overlap(&rule, other, rule.first_ms, &own_ms, &other_ms,
                           &s->looks_n))
            return true;
        if (s->forward) {
            step_ms = other_ms + other->duration_ms - own_ms;
            /* Or so far that this occurrence is too late to happen. */
            gone_ms = rule.until_ms - own_ms + 1;
            if (rule.frequency != SLOTS_ONCE && gone_ms < step_ms)
                step_ms = gone_ms;
            s->at_ms += step_ms;
        } else {
            s->at_ms -= own_ms + rule.duration_ms - other_ms;
        }
        round_to_second(s);
        *moved = true;
        if (!in_bounds(s))
            return false;
    }
}

/* The nearest free start on one side, or 0. */
static int64_t search(struct search *s)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (uint32_t i = 0; i < s->plan->found_n; i++) {
            uint32_t row = s->plan->found[i];
            const struct bulletin *b = &s->plan->bulletins[row];

            if (row == s->q->skip || b->class != s->q->class)
                continue;
            if (!pass(s, &b->rule, &moved))
                return 0;
        }
    }
    return conflict_covered(s->q, s->at_ms) ? s->at_ms : 0;
}

int64_t conflict_propose(const struct plan *p, const struct conflict_query *q)
{
    struct search after = {p, q, true, q->first_ms, 0};
    struct search before = {p, q, false, q->first_ms, 0};
    int64_t after_ms = search(&after), before_ms = search(&before);

    if (after_ms == 0 || before_ms == 0)
        return after_ms != 0 ? after_ms : before_ms;
    return after_ms - q->first_ms <= q->first_ms - before_ms ? after_ms
                                                             : before_ms;
}
