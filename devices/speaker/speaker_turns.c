#include "speaker/speaker_parts.h"

#include <inttypes.h>
#include <string.h>

#include "proto/audio.h"

#define RETRY_US 100000 /* Something due is not ready yet: look again. */

/* --- ends ----------------------------------------------------------------- */

/* The turn is over, whatever came of it; its voice is closed and its end is
 * told once. */
static void close_turn(struct speaker *s,
                       struct turn *t,
                       enum receipt_event event,
                       const char *reason)
{
    speaker_note(s, event == RECEIPT_FINISHED ? SPEAKER_INFO : SPEAKER_WARN,
                 "turn.end",
                 "event=%s reason=%s start_at_ms=%" PRId64 " played_ms=%" PRIu32
                 " concealed_ms=%" PRIu32,
                 receipt_event_name(event), reason, t->occ.start_at_ms,
                 player_ms(t->done_n), player_ms(t->concealed_n));
    tell_turn(s, t, event, reason);
    ledger_set(&s->ledger, t->occ.id, t->occ.start_at_ms, LEDGER_DONE);
    s->ledger_soon = true;
    if (t->ready)
        s->voice_closing[t->voice] = true;
    t->used = false;
    s->reckon = true; /* Another start may be the nearest now. */
}

/* next was prepared but will not begin. */
static void drop_next(struct speaker *s, const char *reason)
{
    close_turn(s, &s->player.next, RECEIPT_REFUSED, reason);
}

static void cut_cur(struct speaker *s, const char *reason)
{
    close_turn(s, &s->player.cur, RECEIPT_INTERRUPTED, reason);
    s->silence_due = true;
}

static bool meant(const struct turn *t, const uint8_t *id, int64_t before_ms)
{
    return t->used && t->planned_at_ms < before_ms &&
           (id == NULL || memcmp(t->occ.id, id, LOA_ID_BYTES) == 0);
}

bool turns_meant(const struct speaker *s, const uint8_t *id, int64_t before_ms)
{
    return meant(&s->player.cur, id, before_ms) ||
           meant(&s->player.next, id, before_ms);
}

bool turns_stop(struct speaker *s,
                const uint8_t *id,
                int64_t before_ms,
                const char *reason)
{
    bool any = turns_meant(s, id, before_ms);

    if (meant(&s->player.cur, id, before_ms))
        cut_cur(s, reason);
    if (meant(&s->player.next, id, before_ms))
        drop_next(s, reason);
    return any;
}

/* --- may it sound? -------------------------------------------------------- */

/* A plan drops an occurrence when it is over. Clocks differ, a place with an
 * offset is still at it, and one that waits for another to end has not begun:
 * so near its end, that is no cancellation. */
static bool nearly_over(const struct speaker *s, const struct occurrence *o)
{
    int64_t at_ms = speaker_at_ms(s);

    return at_ms >= o->due_at_ms && at_ms >= o->end_at_ms - AGENDA_LATE_MS;
}

/* By what is known now: the plan still holds it and its approval still covers
 * it. NULL: yes. */
static const char *still_wrong(struct speaker *s,
                               const struct occurrence *o,
                               const struct judge *j)
{
    const struct programme *in;
    const struct bulletin *b;
    struct manifest m;

    b = programmes_holding(&s->programmes, o->id, o->hash, o->start_at_ms,
                           j->at_ms, &in);
    if (b == NULL)
        return nearly_over(s, o) ? "late" : "cancelled";
    /* A list of revocations that was believed once and is lost may have named
     * the approver. */
    if (memo_revocations_lost(&s->memo, &s->trust.revoked))
        return "revocations";
    return programme_judge(in, b, j, &m);
}

/* By the time that has passed since its first sample, whatever the clock says
 * now. */
static int64_t reached_ms(const struct turn *t)
{
    return t->first_at_us / 1000 + player_ms(t->done_n);
}

/* The same of what sounds, by what it has still to say and not by the clock,
 * which may have moved: it began two seconds late at most, at a place with an
 * offset, and the plan's clock is ahead by as much. */
static bool last_words(const struct speaker *s)
{
    int64_t offset_ms =
        s->conf.place_offset_ms > 0 ? s->conf.place_offset_ms : 0;

    return player_left_us(&s->player) <=
           (2 * AGENDA_LATE_MS + offset_ms) * 1000;
}

/* NULL: what sounds may go on. It began in trusted time, so it can be judged
 * when that is in doubt: a revocation silences at any time. */
static const char *must_end(struct speaker *s)
{
    const struct turn *t = &s->player.cur;
    struct judge j = speaker_judge(s);
    const char *why;

    if (!j.time_trusted)
        j.at_ms = reached_ms(t);
    j.time_trusted = true;
    why = still_wrong(s, &t->occ, &j);
    if (why == NULL || strcmp(why, "late") != 0)
        return why;
    return last_words(s) ? NULL : "cancelled";
}

void turns_recheck(struct speaker *s)
{
    struct player *p = &s->player;
    struct judge j = speaker_judge(s);
    const char *why;

    if (p->cur.used && (why = must_end(s)) != NULL)
        cut_cur(s, why);
    /* Without the time nothing begins anyway. */
    if (p->next.used && s->time.trusted &&
        (why = still_wrong(s, &p->next.occ, &j)) != NULL)
        drop_next(s, why);
}

/* --- deciding what is due ------------------------------------------------- */

static int64_t cur_end_at_ms(const struct speaker *s)
{
    return speaker_at_ms(s) + player_left_us(&s->player) / 1000;
}

/* Is there something as strong that will not have ended in time? */
static const char *blocked(const struct speaker *s, const struct occurrence *o)
{
    const struct player *p = &s->player;

    if (p->next.used)
        return p->next.occ.class > o->class ? "preempted" : "busy";
    if (!p->cur.used || p->cur.occ.class < o->class)
        return NULL;
    if (cur_end_at_ms(s) <= o->due_at_ms + AGENDA_LATE_MS)
        return NULL;
    return p->cur.occ.class > o->class ? "preempted" : "busy";
}

/* Fills *m. NULL: it can be prepared. *wait: it may yet become possible after
 * its time has come. */
static const char *unready(struct speaker *s,
                           const struct occurrence *o,
                           struct manifest *m,
                           bool *wait)
{
    struct judge j = speaker_judge(s);
    const struct content *c;
    const char *why;

    *wait = false;
    if (memo_revocations_lost(&s->memo, &s->trust.revoked))
        return "revocations";
    why = programme_judge(o->programme, o->bulletin, &j, m);
    if (why != NULL)
        return why;
    c = contents_find(&s->contents, o->hash);
    if (c == NULL || c->state == CONTENT_ABSENT)
        return "incomplete";
    if (c->state == CONTENT_UNCHECKED) {
        *wait = true; /* It is being hashed. */
        return "incomplete";
    }
    *wait = true; /* What is in the way may end, and a card come back. */
    if (s->sound_failed)
        return "sound";
    return blocked(s, o);
}

static void refuse(struct speaker *s,
                   const struct occurrence *o,
                   const char *reason)
{
    speaker_note(s, SPEAKER_WARN, "turn.refused",
                 "reason=%s start_at_ms=%" PRId64 " late_ms=%" PRId64, reason,
                 o->start_at_ms, speaker_at_ms(s) - o->due_at_ms);
    ledger_set(&s->ledger, o->id, o->start_at_ms, LEDGER_DONE);
    s->ledger_soon = true;
    tell_occurrence(s, o, reason);
    s->reckon = true;
}

static uint64_t samples_of(const struct manifest *m)
{
    uint64_t all = (uint64_t)m->frames_n * LOA_FRAME_SAMPLES - m->pre_skip;
    uint64_t said = (uint64_t)m->duration_ms * (LOA_RATE_HZ / 1000);

    /* The last frame is filled up with silence that nobody needs. */
    return said < all ? said : all;
}

static void arm(struct speaker *s,
                const struct occurrence *o,
                const struct manifest *m)
{
    struct turn *t = &s->player.next;

    memset(t, 0, sizeof *t);
    t->used = true;
    t->voice = s->player.cur.used ? 1 - s->player.cur.voice : 0;
    t->occ = *o;
    t->expires_at_ms = m->expires_at_ms < o->programme->expires_at_ms
                           ? m->expires_at_ms
                           : o->programme->expires_at_ms;
    t->planned_at_ms = o->programme->issued_at_ms;
    t->samples_n = samples_of(m);
    t->pre_skip = m->pre_skip;
    ledger_set(&s->ledger, o->id, o->start_at_ms, LEDGER_BEGUN);
    s->ledger_due = true;
}

/* When what is prepared can begin: at its time, or behind what sounds and is as
 * strong. */
static int64_t prepared_for_ms(const struct speaker *s)
{
    const struct turn *cur = &s->player.cur, *next = &s->player.next;
    int64_t due_at_ms = next->occ.due_at_ms, end_at_ms = cur_end_at_ms(s);

    if (!cur->used || cur->occ.class < next->occ.class)
        return due_at_ms;
    return end_at_ms > due_at_ms ? end_at_ms : due_at_ms;
}

/* A stronger one that is due before it could begin takes the place that was
 * prepared. */
static void make_way(struct speaker *s, const struct occurrence *o)
{
    const struct turn *t = &s->player.next;

    if (t->used && t->occ.class < o->class &&
        o->due_at_ms <= prepared_for_ms(s))
        drop_next(s, "preempted");
}

/* True: it is decided. False: it may still become possible. */
static bool decide(struct speaker *s, const struct occurrence *o)
{
    int64_t at_ms = speaker_at_ms(s);
    struct manifest m;
    const char *why;
    bool wait;

    if (agenda_late(o, at_ms)) {
        why = s->sound_failed ? "sound" : blocked(s, o);
        refuse(s, o, why != NULL ? why : "late");
        return true;
    }
    why = unready(s, o, &m, &wait);
    if (why != NULL && wait)
        make_way(s, o);
    if (why != NULL)
        why = unready(s, o, &m, &wait);
    if (why == NULL) {
        arm(s, o, &m);
        return true;
    }
    if (wait || at_ms < o->due_at_ms)
        return false;
    refuse(s, o, why);
    return true;
}

void turns_decide(struct speaker *s)
{
    struct occurrence due[AGENDA_DUE_MAX];
    int64_t at_ms = speaker_at_ms(s), next_at_ms;
    bool waiting = false;
    size_t n;

    s->agenda_us = INT64_MAX;
    if (s->stopping)
        return;
    n = agenda_due(&s->programmes, &s->ledger, at_ms, s->conf.place_offset_ms,
                   due, &next_at_ms);
    /* Receipts are part of the decision: without room for them it waits. */
    for (size_t i = 0; i < n; i++)
        if (!receipts_room(&s->receipts) || !decide(s, &due[i]))
            waiting = true;
    if (n == AGENDA_DUE_MAX || waiting)
        s->agenda_us = s->now.now_us + RETRY_US;
    else if (next_at_ms != INT64_MAX)
        s->agenda_us = walltime_now_us(&s->time, next_at_ms * 1000);
}

/* --- preparing ------------------------------------------------------------ */

void turns_marked(struct speaker *s, int status)
{
    struct turn *t = &s->player.next;

    if (!t->used)
        return; /* It was dropped in the meantime. */
    if (status == LOA_OK)
        t->marked = true;
    else
        drop_next(s, "storage");
}

void turns_opened(struct speaker *s, int status)
{
    struct turn *t = &s->player.next;

    if (status == LOA_OK)
        t->ready = true;
    else
        drop_next(s, "storage");
}

/* --- periods -------------------------------------------------------------- */

/* The last look before the first sample. NULL: let it sound. */
static const char *may_not_begin(struct speaker *s)
{
    const struct occurrence *o = &s->player.next.occ;
    struct judge j = speaker_judge(s);

    if (!s->time.trusted)
        return "no-time";
    if (agenda_late(o, speaker_at_ms(s)))
        return "late";
    return still_wrong(s, o, &j);
}

static bool expired(const struct turn *t)
{
    return t->begun && reached_ms(t) >= t->expires_at_ms;
}

void turns_period(struct speaker *s, const struct player_period *period)
{
    struct player *p = &s->player;
    bool begins = player_begins(p, &s->time, period);
    size_t offset = 0;

    if (p->cur.used && expired(&p->cur))
        cut_cur(s, "expired");
    if (begins) {
        const char *why = may_not_begin(s);

        if (why != NULL) {
            drop_next(s, why);
            begins = false;
        }
    }
    player_plan(p, &s->time, period, begins, &s->plan);
    if (!s->plan.begins)
        return;
    for (size_t i = 0; s->plan.segments[i].voice != p->next.voice; i++)
        offset += s->plan.segments[i].samples_n;
    /* An output with a buffer is heard later than it is handed over; one
     * without (a file, in step with time) is heard at once or, when this
     * process was late, not before now. */
    s->next_first_at_us = walltime_at_us(&s->time, period->now_us) +
                          (int64_t)(offset * 1000000 / LOA_RATE_HZ);
    if (period->next_us > period->now_us)
        s->next_first_at_us += period->next_us - period->now_us;
}

static void count(struct speaker *s,
                  struct turn *t,
                  const uint64_t concealed_n[PLAYER_VOICES])
{
    for (size_t i = 0; i < s->plan.segments_n; i++)
        if (s->plan.segments[i].voice == t->voice) {
            t->done_n += s->plan.segments[i].samples_n;
            s->played_n += s->plan.segments[i].samples_n;
        }
    t->concealed_n += concealed_n[t->voice];
    s->concealed_n += concealed_n[t->voice];
}

static void begin(struct speaker *s, const uint64_t concealed_n[PLAYER_VOICES])
{
    struct player *p = &s->player;

    p->cur = p->next;
    p->next.used = false;
    p->cur.begun = true;
    p->cur.first_at_us = s->next_first_at_us;
    walltime_raise(&s->time, p->cur.first_at_us / 1000);
    count(s, &p->cur, concealed_n);
    speaker_note(s, SPEAKER_INFO, "turn.begin",
                 "start_at_ms=%" PRId64 " first_sample_us=%" PRId64
                 " off_us=%" PRId64,
                 p->cur.occ.start_at_ms, p->cur.first_at_us,
                 p->cur.first_at_us - p->cur.occ.due_at_ms * 1000);
    tell_turn(s, &p->cur, RECEIPT_STARTED, "");
    if (p->cur.done_n == p->cur.samples_n)
        close_turn(s, &p->cur, RECEIPT_FINISHED, "");
}

void turns_played(struct speaker *s, const uint64_t concealed_n[PLAYER_VOICES])
{
    struct player *p = &s->player;

    if (p->cur.used && p->cur.begun)
        count(s, &p->cur, concealed_n);
    if (s->plan.finishes)
        close_turn(s, &p->cur, RECEIPT_FINISHED, "");
    else if (s->plan.preempts)
        close_turn(s, &p->cur, RECEIPT_INTERRUPTED, "preempted");
    if (s->plan.begins)
        begin(s, concealed_n);
    memset(&s->plan, 0, sizeof s->plan);
}
