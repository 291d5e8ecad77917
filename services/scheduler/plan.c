#include "scheduler/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int plan_open(struct plan *p,
              const struct plan_limits *limits,
              struct loa_trust *trust)
{
    memset(p, 0, sizeof *p);
    p->placements_max = limits->placements;
    p->placements_free = ROW_NONE;
    p->bulletins = calloc(limits->bulletins, sizeof *p->bulletins);
    p->placements = calloc(limits->placements, sizeof *p->placements);
    p->found = malloc(limits->bulletins * sizeof *p->found);
    if (p->bulletins == NULL || p->placements == NULL || p->found == NULL ||
        rows_init(&p->index, limits->bulletins) != LOA_OK ||
        areas_init(&p->areas, limits->areas) != LOA_OK ||
        approvals_init(&p->approvals, trust, limits->approvals,
                       limits->certificates) != LOA_OK) {
        plan_close(p);
        return LOA_ENOMEM;
    }
    return LOA_OK;
}

void plan_close(struct plan *p)
{
    approvals_close(&p->approvals);
    areas_close(&p->areas);
    rows_close(&p->index);
    free(p->bulletins);
    free(p->placements);
    free(p->found);
    memset(p, 0, sizeof *p);
}

uint32_t plan_find(const struct plan *p, const uint8_t id[LOA_ID_BYTES])
{
    uint32_t row = rows_first(&p->index, rows_hash(id, LOA_ID_BYTES));

    while (row != BULLETIN_NONE &&
           memcmp(p->bulletins[row].id, id, LOA_ID_BYTES) != 0)
        row = rows_next(&p->index, row);
    return row;
}

/* --- placements ----------------------------------------------------------- */

static uint32_t placements_left(const struct plan *p, uint32_t wanted_n)
{
    uint32_t n = p->placements_max - p->placements_touched_n;

    for (uint32_t at = p->placements_free; at != ROW_NONE && n < wanted_n;
         at = p->placements[at].of_bulletin)
        n++;
    return n;
}

static uint32_t place(struct plan *p, uint32_t bulletin, uint32_t area)
{
    struct area *a = &p->areas.rows[area];
    uint32_t at = p->placements_free;

    if (at != ROW_NONE)
        p->placements_free = p->placements[at].of_bulletin;
    else
        at = p->placements_touched_n++;
    p->placements[at] = (struct placement){.bulletin = bulletin,
                                           .area = area,
                                           .of_bulletin = ROW_NONE,
                                           .here = a->placement,
                                           .before = ROW_NONE};
    if (a->placement != ROW_NONE)
        p->placements[a->placement].before = at;
    a->placement = at;
    return at;
}

static void displace(struct plan *p, uint32_t at)
{
    struct placement *x = &p->placements[at];

    if (x->before != ROW_NONE)
        p->placements[x->before].here = x->here;
    else
        p->areas.rows[x->area].placement = x->here;
    if (x->here != ROW_NONE)
        p->placements[x->here].before = x->before;
    x->of_bulletin = p->placements_free;
    p->placements_free = at;
}

/* --- bulletins ------------------------------------------------------------ */

bool plan_has_room(const struct plan *p, uint32_t areas_n)
{
    return p->index.rows_n < p->index.rows_max &&
           placements_left(p, areas_n) >= areas_n;
}

int plan_add(struct plan *p,
             const struct bulletin *b,
             const uint32_t areas[],
             uint32_t areas_n,
             uint32_t *row)
{
    uint32_t *link;

    assert(areas_n >= 1 && areas_n <= BULLETIN_AREAS_MAX);
    if (!plan_has_room(p, areas_n))
        return LOA_EBUSY;
    *row = rows_add(&p->index, rows_hash(b->id, LOA_ID_BYTES));
    p->bulletins[*row] = *b;
    p->bulletins[*row].used = true;
    p->bulletins[*row].stamp = 0;
    link = &p->bulletins[*row].placement;
    *link = ROW_NONE;
    for (uint32_t i = 0; i < areas_n; i++) {
        *link = place(p, *row, areas[i]);
        link = &p->placements[*link].of_bulletin;
    }
    return LOA_OK;
}

void plan_remove(struct plan *p, uint32_t row)
{
    struct bulletin *b = &p->bulletins[row];
    uint32_t at = b->placement;

    while (at != ROW_NONE) {
        uint32_t next = p->placements[at].of_bulletin;

        displace(p, at);
        at = next;
    }
    approvals_drop(&p->approvals, b->approval);
    approvals_drop_chain(&p->approvals, &b->requester_chain);
    b->used = false;
    rows_remove(&p->index, row, rows_hash(b->id, LOA_ID_BYTES));
}

uint32_t plan_areas(const struct plan *p,
                    uint32_t row,
                    uint32_t areas[BULLETIN_AREAS_MAX])
{
    uint32_t n = 0;

    for (uint32_t at = p->bulletins[row].placement; at != ROW_NONE;
         at = p->placements[at].of_bulletin)
        areas[n++] = p->placements[at].area;
    return n;
}

void plan_settle(const struct plan *p, struct bulletin *b)
{
    const struct approval *v = &p->approvals.rows[b->approval];
    int64_t covered_ms = v->expires_at_ms - v->duration_ms;

    b->rule.duration_ms = v->duration_ms;
    b->rule.until_ms = b->until_ms < covered_ms ? b->until_ms : covered_ms;
    b->end_ms = slots_end(&b->rule);
}

int64_t plan_uncovered(const struct bulletin *b, int64_t from_ms)
{
    struct slots_rule asked = b->rule;
    int64_t begin_ms = from_ms - b->rule.duration_ms + 1;

    if (b->rule.frequency == SLOTS_ONCE || b->why != BULLETIN_STANDS ||
        b->until_ms <= b->rule.until_ms)
        return SLOTS_NONE;
    asked.until_ms = b->until_ms;
    if (begin_ms <= b->rule.until_ms)
        begin_ms = b->rule.until_ms + 1;
    return slots_next(&asked, begin_ms);
}

const char *plan_title(const struct plan *p, const struct bulletin *b)
{
    return b->title[0] != '\0' ? b->title
                               : p->approvals.rows[b->approval].title;
}

/* --- who hears what ------------------------------------------------------- */

uint32_t plan_stamp(struct plan *p)
{
    /* After four thousand million requests old stamps might be met again. */
    if (++p->stamp == 0) {
        p->stamp = 1;
        for (uint32_t i = 0; i < p->index.touched_n; i++)
            p->bulletins[i].stamp = 0;
        for (uint32_t i = 0; i < p->approvals.index.touched_n; i++)
            p->approvals.rows[i].stamp = 0;
        for (uint32_t i = 0; i < p->approvals.certificate_index.touched_n; i++)
            p->approvals.certificates[i].stamp = 0;
    }
    return p->stamp;
}

static void list_here(struct plan *p, uint32_t area, int64_t from_ms)
{
    for (uint32_t at = p->areas.rows[area].placement; at != ROW_NONE;
         at = p->placements[at].here) {
        struct bulletin *b = &p->bulletins[p->placements[at].bulletin];

        if (b->stamp == p->stamp || b->why != BULLETIN_STANDS ||
            b->end_ms <= from_ms)
            continue;
        b->stamp = p->stamp;
        p->found[p->found_n++] = p->placements[at].bulletin;
    }
}

void plan_audible(struct plan *p,
                  const uint32_t areas[],
                  uint32_t areas_n,
                  int64_t from_ms)
{
    plan_stamp(p);
    p->found_n = 0;
    for (uint32_t i = 0; i < areas_n; i++) {
        uint32_t row = areas[i];

        for (; row != AREA_NONE; row = areas_walk(&p->areas, areas[i], row))
            list_here(p, row, from_ms);
        for (row = p->areas.rows[areas[i]].parent; row != AREA_NONE;
             row = p->areas.rows[row].parent)
            list_here(p, row, from_ms);
    }
}
