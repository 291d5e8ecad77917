/* told.h -- the model's other half: what the loudspeaker has to tell of what it
 * did, as the collector gets it. */

#ifndef LOA_SIM_TOLD_H
#define LOA_SIM_TOLD_H

#include "model.h"

/* As the collector gets them. */
static void model_receipt(const struct model_receipt *r)
{
    if (r->sequence == m.receipts_n + 1) {
        assert(m.receipts_n < MODEL_RECEIPTS);
        m.receipts[m.receipts_n++] = *r;
    } else if (r->sequence > m.receipts_n + 1) {
        found("receipt %d follows %d", (int)r->sequence, (int)m.receipts_n);
    } else if (r->sequence == 0 ||
               memcmp(&m.receipts[r->sequence - 1], r, sizeof *r) != 0) {
        found("receipt %d came again as another", (int)r->sequence);
    }
}

struct told {
    int started, finished, cut, refused, before;
    int64_t first_us;
    uint32_t played_ms;
};

static struct told told_of(const struct occ *o)
{
    struct told t = {0};

    for (size_t i = 0; i < m.receipts_n; i++) {
        const struct model_receipt *r = &m.receipts[i];

        if (r->id != o->id || r->start_ms != o->start_ms)
            continue;
        if (r->event == LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_STARTED) {
            t.started++;
            t.before += t.finished + t.cut + t.refused;
            t.first_us = r->first_us;
        } else if (r->event == LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_FINISHED) {
            t.finished++;
            t.played_ms = r->played_ms;
        } else if (r->event ==
                   LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_INTERRUPTED) {
            t.cut++;
            t.played_ms =
                strcmp(r->reason, "restarted") != 0 ? r->played_ms : UINT32_MAX;
        } else {
            t.refused++;
        }
    }
    return t;
}

static bool has_receipt(const struct occ *o, int event)
{
    for (size_t i = 0; i < m.receipts_n; i++)
        if (m.receipts[i].event == event && m.receipts[i].id == o->id)
            return true;
    return false;
}

static void model_came(const struct occ *o)
{
    if (o->told &&
        !has_receipt(o, LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_RECEIVED))
        found("nobody is told that %d was received", o->id);
    if (o->must &&
        !has_receipt(o, LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_VERIFIED))
        found("nobody is told that the content of %d was verified", o->id);
}

static void model_told(const struct occ *o)
{
    struct told t = told_of(o);
    bool whole = o->samples_n == (uint64_t)o->duration_ms * 48;
    int ends = t.finished + t.cut + t.refused;

    if (o->must && (o->plays_n != 1 || !whole))
        found("%d had to sound and did not, or not to its end", o->id);
    if (o->must && !o->clock_set &&
        o->first_us > o->start_ms * 1000 + PROMPT_US)
        found("%d began %.3f s late and nothing was in its way", o->id,
              (double)(o->first_us - o->start_ms * 1000) / 1e6);
    if (o->must && (t.started != 1 || t.finished != 1))
        found("%d sounded and that is not told", o->id);
    if (t.started > 1 || ends > 1 || t.before > 0)
        found("%d is told twice, or ends before it begins", o->id);
    if (o->told && ends != 1)
        found("nobody is told what became of %d", o->id);
    if (o->plays_n == 0 && (t.started > 0 || t.finished > 0))
        found("%d is told and did not sound", o->id);
    if (o->plays_n == 0)
        return;
    if (ends != 1 || t.refused > 0)
        found("%d sounded and its end is not told", o->id);
    if (t.finished > 0 && !whole)
        found("%d is told as finished and was cut", o->id);
    if (!o->disturbed && t.started != 1)
        found("the beginning of %d is not told", o->id);
    if (t.started == 1 && t.first_us != o->first_us)
        found("%d is told with another first sample", o->id);
    if (!o->disturbed && t.played_ms != UINT32_MAX &&
        t.played_ms != o->samples_n / 48)
        found("%d is told with another length", o->id);
}

static void model_commands(void)
{
    size_t n = 0;

    for (size_t i = 0; i < m.receipts_n; i++)
        n += m.receipts[i].event ==
             LOA__V1__RECEIPT_EVENT__RECEIPT_EVENT_COMMAND;
    if (n < m.commands_taken_n)
        found("nobody is told what became of a command");
    if (n > m.commands_n)
        found("a command counts twice");
}

/* The day is over, and the collector has all it will get. stored: what the
 * device wrote down. */
static void model_close(size_t stored_n)
{
    for (size_t i = 0; i < m.occs_n; i++) {
        model_came(&m.occs[i]);
        model_told(&m.occs[i]);
    }
    model_commands();
    if (m.receipts_n != stored_n)
        found("%zu receipts were written and %zu came", stored_n, m.receipts_n);
}

#endif /* LOA_SIM_TOLD_H */
