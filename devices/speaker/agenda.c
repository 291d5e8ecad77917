#include "speaker/agenda.h"

#include <string.h>

bool agenda_late(const struct occurrence *o, int64_t at_ms)
{
    return at_ms - o->due_at_ms > AGENDA_LATE_MS;
}

/* Negative if a is decided before b. */
static int order(const struct occurrence *a,
                 const struct occurrence *b,
                 int64_t at_ms)
{
    bool a_late = agenda_late(a, at_ms), b_late = agenda_late(b, at_ms);

    if (a_late != b_late)
        return a_late ? -1 : 1;
    if (a->class != b->class)
        return a->class > b->class ? -1 : 1;
    if (a->due_at_ms != b->due_at_ms)
        return a->due_at_ms < b->due_at_ms ? -1 : 1;
    if (a->depth != b->depth)
        return a->depth > b->depth ? -1 : 1;
    return memcmp(a->id, b->id, LOA_ID_BYTES);
}

/* Keeps out[] in order; what does not fit comes up again when others are
 * decided. */
static size_t insert(struct occurrence *out,
                     size_t n,
                     const struct occurrence *o,
                     int64_t at_ms)
{
    size_t i = n;

    while (i > 0 && order(o, &out[i - 1], at_ms) < 0)
        i--;
    if (i == AGENDA_DUE_MAX)
        return n;
    if (n == AGENDA_DUE_MAX)
        n--;
    memmove(&out[i + 1], &out[i], (n - i) * sizeof out[0]);
    out[i] = *o;
    return n + 1;
}

static void fill(struct occurrence *o,
                 const struct programme *p,
                 const struct bulletin *b,
                 int64_t start_at_ms,
                 int64_t offset_ms)
{
    memcpy(o->id, b->id, sizeof o->id);
    memcpy(o->hash, b->hash, sizeof o->hash);
    o->start_at_ms = start_at_ms;
    o->due_at_ms = start_at_ms + offset_ms;
    o->end_at_ms = start_at_ms + b->duration_ms;
    o->class = b->class;
    o->depth = loa_area_depth(p->area);
    o->programme = p;
    o->bulletin = b;
}

struct scan {
    const struct ledger *ledger;
    int64_t at_ms, offset_ms;
    struct occurrence *out;
    size_t out_n;
    int64_t next_at_ms;
};

static void scan_bulletin(struct scan *s,
                          const struct programme *p,
                          struct bulletin *b)
{
    for (uint32_t i = b->past_n; i < b->starts_n; i++) {
        int64_t start = p->starts[b->starts_at + i];
        int64_t due = start + s->offset_ms;
        struct occurrence o;

        if (due - AGENDA_ARM_MS > s->at_ms) {
            if (due - AGENDA_ARM_MS < s->next_at_ms)
                s->next_at_ms = due - AGENDA_ARM_MS;
            return; /* Starts rise. */
        }
        if (s->at_ms - due > AGENDA_TELL_MS ||
            ledger_find(s->ledger, b->id, start) != LEDGER_NONE) {
            if (i == b->past_n)
                b->past_n++; /* Never looked at again. */
            continue;
        }
        fill(&o, p, b, start, s->offset_ms);
        s->out_n = insert(s->out, s->out_n, &o, s->at_ms);
    }
}

size_t agenda_due(struct programmes *ps,
                  const struct ledger *l,
                  int64_t at_ms,
                  int64_t offset_ms,
                  struct occurrence out[AGENDA_DUE_MAX],
                  int64_t *next_at_ms)
{
    struct scan s = {l, at_ms, offset_ms, out, 0, INT64_MAX};

    for (size_t i = 0; i < ps->held_n; i++) {
        struct programme *p = ps->held[i];

        if (p->expires_at_ms <= at_ms)
            continue; /* It is over: silence, and nothing to report. */
        for (uint32_t k = 0; k < p->bulletins_n; k++)
            scan_bulletin(&s, p, &p->bulletins[k]);
    }
    *next_at_ms = s.next_at_ms;
    return s.out_n;
}
