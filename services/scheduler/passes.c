#include <assert.h>
#include <string.h>

#include "scheduler/core.h"

void core_begin(struct scheduler *s, enum scheduler_pass pass)
{
    s->passes |= 1u << pass;
    s->cursors[pass] = 0;
    if (pass == PASS_JUDGE)
        s->judge_pass++;
}

/* --- judging: approvals and askers after a new trust list ----------------- */

static bool same_chain(const struct approvals_chain *a,
                       const struct approvals_chain *b)
{
    return a->n == b->n &&
           memcmp(a->rows, b->rows, a->n * sizeof a->rows[0]) == 0;
}

/* The asker's own certificate, or any link above it. Bulletins of one asker
 * mostly follow each other; but the same certificate may have come with an old
 * link above it once, and with the renewed one later. */
static bool requester_revoked(struct scheduler *s,
                              const struct bulletin *b,
                              uint32_t *judged_n)
{
    struct loa_certificate c = {.serial = b->requester_serial};

    memcpy(c.issuer, b->requester_issuer, sizeof c.issuer);
    memcpy(c.area, b->requester_area, sizeof c.area);
    /* By its serial; whether by its key, the chain below says. */
    if (loa_trust_revoked(s->conf.trust, &c))
        return true;
    if (s->asker.known && s->asker.serial == c.serial &&
        memcmp(s->asker.issuer, c.issuer, sizeof c.issuer) == 0 &&
        same_chain(&s->asker.chain, &b->requester_chain))
        return s->asker.revoked;
    *judged_n += 1;
    s->asker.known = true;
    s->asker.chain = b->requester_chain;
    s->asker.serial = c.serial;
    memcpy(s->asker.issuer, c.issuer, sizeof c.issuer);
    s->asker.revoked =
        approvals_chain_revoked(&s->plan.approvals, &b->requester_chain,
                                b->requester_issuer, b->requester_serial);
    return s->asker.revoked;
}

/* Why the approval no longer carries a bulletin. What depends on the time is
 * no reason: rules end with their approvals, and a clock that jumps must not
 * cancel what people have planned. */
static enum bulletin_why judge(struct scheduler *s,
                               uint32_t approval,
                               int64_t at_ms,
                               uint32_t *judged_n)
{
    struct approval *v = &s->plan.approvals.rows[approval];

    if (v->judged_pass != s->judge_pass) {
        v->verdict = approvals_judge(&s->plan.approvals, approval, at_ms);
        v->judged_pass = s->judge_pass;
        *judged_n += 1;
    }
    switch (v->verdict) {
        case LOA_VERDICT_OK:
        case LOA_VERDICT_NOT_YET_VALID:
        case LOA_VERDICT_EXPIRED_CERTIFICATE:
        case LOA_VERDICT_FUTURE:
        case LOA_VERDICT_EXPIRED:
            return BULLETIN_STANDS;
        case LOA_VERDICT_REVOKED:
            return BULLETIN_APPROVER_REVOKED;
        default:
            return BULLETIN_APPROVAL_VOID;
    }
}

static void cancel(struct scheduler *s,
                   uint32_t row,
                   enum bulletin_why why,
                   int64_t at_ms,
                   struct scheduler_update *up)
{
    struct bulletin *b = &s->plan.bulletins[row];

    core_touch(s, row);
    b->why = why;
    b->cancelled_at_ms = at_ms;
    core_changed(s, row, up);
    core_begin(s, PASS_ROLL);
}

static bool judge_piece(struct scheduler *s,
                        int64_t at_ms,
                        struct scheduler_update *up)
{
    uint32_t looked_n = 0, judged_n = 0;
    uint32_t *at = &s->cursors[PASS_JUDGE];

    s->asker.known = false; /* Rows of certificates may be others' by now. */
    for (; *at < s->plan.index.touched_n; *at += 1) {
        struct bulletin *b = &s->plan.bulletins[*at];
        enum bulletin_why why;

        if (looked_n++ == SCHEDULER_LOOKED_MAX ||
            judged_n >= SCHEDULER_JUDGED_MAX ||
            up->bulletins_n == SCHEDULER_CHANGES_MAX)
            return false;
        if (!b->used || b->why != BULLETIN_STANDS || b->end_ms <= at_ms)
            continue;
        why = judge(s, b->approval, at_ms, &judged_n);
        if (why == BULLETIN_STANDS && requester_revoked(s, b, &judged_n))
            why = BULLETIN_REQUESTER_REVOKED;
        if (why != BULLETIN_STANDS)
            cancel(s, *at, why, at_ms, up);
    }
    return true;
}

/* --- rolling: programmes that are due ------------------------------------- */

static bool roll_piece(struct scheduler *s,
                       int64_t at_ms,
                       struct scheduler_update *up)
{
    uint32_t looked_n = 0;
    uint32_t *at = &s->cursors[PASS_ROLL];

    for (; *at < s->plan.areas.rows_n; *at += 1) {
        const struct area *a = &s->plan.areas.rows[*at];

        if (looked_n++ == SCHEDULER_LOOKED_MAX ||
            up->programmes_n == SCHEDULER_PROGRAMMES_MAX)
            return false;
        if (programme_due(&s->plan, a, at_ms, s->window_end_ms))
            core_make(s, *at, at_ms, up);
    }
    return true;
}

/* --- forgetting: bulletins that ended long ago ---------------------------- */

static bool forget_piece(struct scheduler *s,
                         int64_t at_ms,
                         struct scheduler_update *up)
{
    int64_t before_ms = at_ms - (int64_t)s->conf.keep_days * LOA_DAY_MS;
    uint32_t looked_n = 0;
    uint32_t *at = &s->cursors[PASS_FORGET];

    for (; *at < s->plan.index.touched_n; *at += 1) {
        const struct bulletin *b = &s->plan.bulletins[*at];
        int64_t over_ms;

        if (looked_n++ == SCHEDULER_LOOKED_MAX ||
            up->forgotten_n == SCHEDULER_CHANGES_MAX)
            return false;
        if (!b->used)
            continue;
        over_ms = b->why == BULLETIN_STANDS ? b->end_ms : b->cancelled_at_ms;
        if (over_ms >= before_ms || b->requested_at_ms >= before_ms ||
            plan_uncovered(b, at_ms) != SLOTS_NONE)
            continue;
        memcpy(up->forgotten[up->forgotten_n++], b->id, LOA_ID_BYTES);
        up->durable = true;
        plan_remove(&s->plan, *at);
    }
    return true;
}

void core_work(struct scheduler *s, int64_t at_ms, struct scheduler_update *up)
{
    static bool (*const pieces[PASSES_N])(struct scheduler *, int64_t,
                                          struct scheduler_update *) = {
        [PASS_JUDGE] = judge_piece,
        [PASS_ROLL] = roll_piece,
        [PASS_FORGET] = forget_piece,
    };

    /* One piece of one pass a step, in this order: programmes are made when it
     * is known which bulletins stand. */
    for (int pass = 0; pass < PASSES_N; pass++) {
        if ((s->passes >> pass & 1) == 0)
            continue;
        if (pieces[pass](s, at_ms, up))
            s->passes &= ~(1u << pass);
        return;
    }
}
