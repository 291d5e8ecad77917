/* faults.h -- what the device's answers are changed into, one at a time, to see
 * whether the model finds it. A checker that misses one has failed itself. */

#ifndef LOA_SIM_FAULTS_H
#define LOA_SIM_FAULTS_H

#include "day.h"

#define FAULT_MAP(X)                                                \
    X(NONE, "none")                                                 \
    X(TWICE, "a bulletin sounds twice")                             \
    X(EXPIRED, "it sounds after the programme's end")               \
    X(CANCELLED, "it sounds though it was cancelled")               \
    X(UNAPPROVED, "it sounds unapproved")                           \
    X(REVOKED, "it sounds though the approver is revoked")          \
    X(UNTIMED, "it sounds without knowing the time")                \
    X(EARLY, "it sounds a millisecond early")                       \
    X(LATE, "it sounds three seconds late")                         \
    X(LAG, "all sounds a tenth of a second late")                   \
    X(CLOCK, "it sounds by another clock")                          \
    X(OTHER, "another content sounds")                              \
    X(UNPLANNED, "it sounds at a start that is not planned")        \
    X(OVER, "an equal is cut")                                      \
    X(SILENT, "what must sound does not")                           \
    X(CUT, "a sound lacks its last period")                         \
    X(STOP_DEAF, "a Stop is not obeyed")                            \
    X(STOP_LATE, "a Stop is not obeyed by a clock that is ahead")   \
    X(STOP_AGAIN, "a Stop that comes again is obeyed")              \
    X(VOLUME, "the volume is forgotten")                            \
    X(RECEIPT_LOST, "a receipt is lost")                            \
    X(RECEIPT_FORGOTTEN, "a receipt is lost and nobody sees a gap") \
    X(RECEIPT_TWICE, "a receipt is written twice")                  \
    X(RECEIPT_ORDER, "two receipts change places")                  \
    X(RECEIPT_FINISHED, "what was cut is told as finished")         \
    X(RECEIPT_CUT, "what was finished is told as cut")              \
    X(RECEIPT_REFUSED, "what sounded is told as refused")           \
    X(RECEIPT_UNTOLD, "refusals are not told")                      \
    X(RECEIPT_UNRECEIVED, "what is received is not told")           \
    X(RECEIPT_UNVERIFIED, "what is verified is not told")           \
    X(RECEIPT_CHANGED, "a receipt that is sent again is another")   \
    X(RECEIPT_SAMPLE, "another first sample is told")               \
    X(PLAN_OLD, "a programme's version does not rise")              \
    X(PLAN_SHORT, "a programme ends with its window")               \
    X(PLAN_LACKS, "a programme lacks an occurrence")                \
    X(PLAN_KEEPS, "a programme has one too many")                   \
    X(PLAN_UNKEPT, "a programme is not on the disk")                \
    X(TRACE, "the same day takes another course")

enum fault {
#define X(name, text) FAULT_##name,
    FAULT_MAP(X)
#undef X
        FAULTS_N
};

static const char *const fault_texts[] = {
#define X(name, text) text,
    FAULT_MAP(X)
#undef X
};

static enum fault fault;
static bool fault_done; /* There was an occasion for it. */
static uint64_t fault_shift;
static size_t fault_unwritten_n;

static bool strike(enum fault f)
{
    if (fault != f || fault_done)
        return false;
    fault_done = true;
    return true;
}

/* --- receipts ------------------------------------------------------------- */

static const struct occ *played(const struct model_receipt *r)
{
    const struct occ *o = occ_find(r->id, r->start_ms, -1);

    return o != NULL && o->plays_n > 0 ? o : NULL;
}

/* It is as if the device had never written it. */
static bool unwritten(int event)
{
    return (fault == FAULT_RECEIPT_UNTOLD &&
            event == LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_REFUSED) ||
           (fault == FAULT_RECEIPT_UNRECEIVED &&
            event == LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_RECEIVED) ||
           (fault == FAULT_RECEIPT_UNVERIFIED &&
            event == LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_VERIFIED);
}

static void hand_over(const struct model_receipt *r)
{
    enum {
        STARTED = LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_STARTED,
        FINISHED = LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_FINISHED,
        INTERRUPTED = LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_INTERRUPTED,
        REFUSED = LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_REFUSED,
    };
    static struct model_receipt kept;
    struct model_receipt t = *r;
    bool repeated = r->sequence + fault_shift <= m.receipts_n;
    const struct occ *o = played(r);

    t.sequence += fault_shift;
    if (repeated) {
        if (strike(FAULT_RECEIPT_CHANGED))
            t.at_us++;
        /* What was changed stays so. */
        if (fault != FAULT_RECEIPT_CHANGED && fault_done)
            return;
        model_receipt(&t);
        return;
    }
    if (r->event == FINISHED && o != NULL && strike(FAULT_RECEIPT_CUT))
        t.event = INTERRUPTED, t.played_ms--;
    if (r->event == FINISHED && o != NULL && strike(FAULT_RECEIPT_REFUSED))
        t.event = REFUSED;
    if (r->event == INTERRUPTED && o != NULL && t.played_ms > 0 &&
        strike(FAULT_RECEIPT_FINISHED))
        t.event = FINISHED;
    if (r->event == STARTED && strike(FAULT_RECEIPT_SAMPLE))
        t.first_us++;
    if (r->event == STARTED && fault == FAULT_LAG)
        t.first_us += 100000; /* It is told as it sounds. */
    if (r->event == STARTED && strike(FAULT_RECEIPT_LOST))
        return;
    if ((r->event == FINISHED && o != NULL &&
         strike(FAULT_RECEIPT_FORGOTTEN)) ||
        unwritten(r->event)) {
        fault_done = true;
        fault_unwritten_n += unwritten(r->event);
        fault_shift--;
        return;
    }
    if (fault == FAULT_RECEIPT_ORDER && !fault_done && o != NULL) {
        if (r->event == STARTED) {
            kept = *r;
            return;
        }
        if (kept.sequence + 1 == r->sequence && r->event == FINISHED) {
            uint64_t n = kept.sequence;

            fault_done = true;
            kept.sequence = t.sequence;
            t.sequence = n;
            model_receipt(&t);
            model_receipt(&kept);
            return;
        }
    }
    model_receipt(&t);
    if (r->event == FINISHED && strike(FAULT_RECEIPT_TWICE)) {
        fault_shift++;
        t.sequence++;
        model_receipt(&t);
    }
}

/* --- the disk ------------------------------------------------------------- */

/* While it is off. */
static void spoil_disk(void)
{
    for (int a = 0; fault == FAULT_PLAN_UNKEPT && a < MODEL_AREAS; a++)
        if (m.plans[a].there && !d.plan_at_risk[a] &&
            world_programme(&w, model_areas[a])->there &&
            strike(FAULT_PLAN_UNKEPT))
            world_programme(&w, model_areas[a])->there = false;
}

/* --- sounds --------------------------------------------------------------- */

static void pretend(const struct occ *o, int64_t first_us)
{
    model_play(o->id, o->hash, o->start_ms, first_us, first_us - 1000000,
               first_us + 1000000, NULL);
}

static void hand_play(const struct world_play *p,
                      int64_t began_us,
                      const struct occ *over)
{
    int64_t off_us = clock_us() - w.now_us, first_us = p->first_at_us;
    const struct occ *o = occ_find(p->id, p->start_at_ms, -1);
    uint8_t hash[LOA_HASH_BYTES];

    memcpy(hash, p->hash, sizeof hash);
    if (fault == FAULT_SILENT) {
        fault_done = fault_done || (o != NULL && o->known_us < began_us);
        return;
    }
    if (strike(FAULT_EARLY))
        first_us = p->start_at_ms * 1000 - 1000;
    if (strike(FAULT_LATE))
        first_us += 3000000;
    if (fault == FAULT_LAG) {
        first_us += 100000;
        fault_done = true;
    }
    if (strike(FAULT_CLOCK))
        off_us += 3600000000;
    if (strike(FAULT_OTHER))
        hash[0] ^= 1;
    if (over == NULL && strike(FAULT_OVER))
        over = o;
    model_play(p->id, hash,
               p->start_at_ms + (strike(FAULT_UNPLANNED) ? 777 : 0), first_us,
               began_us + off_us, w.now_us + off_us, over);
    if (strike(FAULT_TWICE))
        model_play(p->id, hash, p->start_at_ms, first_us, began_us + off_us,
                   w.now_us + off_us, NULL);
}

static uint64_t hand_samples(uint64_t n)
{
    if (fault != FAULT_CUT || n <= 960)
        return n;
    fault_done = true;
    return n - 960;
}

static unsigned hand_volume(void)
{
    return speaker_volume(&w.s) ^ (m.volume_known && strike(FAULT_VOLUME));
}

/* Occasions to sound that the device, rightly, did not take. */
static void pretend_what_passed(void)
{
    int64_t at_ms = clock_us() / 1000;

    for (size_t i = 0; fault != FAULT_NONE && i < m.occs_n; i++) {
        const struct occ *o = &m.occs[i];
        const char *why = o->alive ? why_unapproved(o, o->start_ms) : NULL;
        bool over = m.plans[o->area].expires_ms <= o->start_ms;

        if (o->plays_n > 0 || o->start_ms > at_ms ||
            o->start_ms < at_ms - 60000 || o->start_ms * 1000 < o->known_us)
            continue;
        if ((!o->alive && strike(FAULT_CANCELLED)) ||
            (o->alive && why == NULL && over && strike(FAULT_EXPIRED)) ||
            (why != NULL && strcmp(why, "unapproved") == 0 && !over &&
             strike(FAULT_UNAPPROVED)) ||
            (why != NULL && strcmp(why, "revoked") == 0 && !over &&
             strike(FAULT_REVOKED)) ||
            (o->alive && why == NULL && !over && !m.timed &&
             strike(FAULT_UNTIMED)))
            pretend(o, o->start_ms * 1000);
    }
}

#endif /* LOA_SIM_FAULTS_H */
