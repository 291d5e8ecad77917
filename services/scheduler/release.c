/* May content-ingest delete a content? Its tables know only what programmes
 * list; the plan reaches further. */

#include <string.h>

#include "scheduler/core.h"

/* Of what has not ended: the start of the occurrence that is on air or next. */
static int64_t next_start(const struct bulletin *b, int64_t at_ms)
{
    return slots_next(&b->rule, at_ms - b->rule.duration_ms + 1);
}

/* The area of bulletin `row` that concerns the asker; AREA_NONE: none does. */
static uint32_t area_of(const struct scheduler *s,
                        uint32_t row,
                        const char *asker)
{
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(&s->plan, row, areas);

    for (uint32_t i = 0; i < areas_n; i++)
        if (scheduler_sees(asker, s->plan.areas.rows[areas[i]].path))
            return areas[i];
    return AREA_NONE;
}

/* The bulletin that needs the content soonest, and where; or BULLETIN_NONE. */
static uint32_t needed_by(const struct scheduler *s,
                          const struct scheduler_event *ev,
                          uint32_t *area)
{
    const struct plan *p = &s->plan;
    uint32_t found = BULLETIN_NONE, here;
    int64_t soonest_ms = SLOTS_NONE, at_ms;

    for (uint32_t row = 0; row < p->index.touched_n; row++) {
        const struct bulletin *b = &p->bulletins[row];

        if (!b->used || b->why != BULLETIN_STANDS || b->end_ms <= ev->at_ms ||
            memcmp(p->approvals.rows[b->approval].content_hash,
                   ev->request->content_hash, LOA_HASH_BYTES) != 0)
            continue;
        here = area_of(s, row, ev->who->area);
        at_ms = next_start(b, ev->at_ms);
        if (here == AREA_NONE ||
            (found != BULLETIN_NONE && at_ms >= soonest_ms))
            continue;
        found = row;
        *area = here;
        soonest_ms = at_ms;
    }
    return found;
}

static void say_in_use(struct scheduler *s, uint32_t row, uint32_t area)
{
    const struct bulletin *b = &s->plan.bulletins[row];
    char id[2 * LOA_ID_BYTES + 1], start[SAY_TIME_CAP];

    loa_hex(b->id, LOA_ID_BYTES, id);
    say_time(next_start(b, s->answer.from_ms), start);
    say(&s->answer.say, SAY_IN_USE,
        "Bản tin \"%s\" (%s) ở %s còn cần nội dung này, phát lúc %s: hãy hủy "
        "lịch đó trước.",
        "The bulletin \"%s\" (%s) in %s needs this content, next at %s: cancel "
        "it first.",
        plan_title(&s->plan, b), id, s->plan.areas.rows[area].path, start);
}

void core_release(struct scheduler *s,
                  const struct scheduler_event *ev,
                  struct scheduler_update *up)
{
    const struct scheduler_request *r = ev->request;
    uint32_t area, row;

    if (ev->who->role != LOA_ROLE_SERVICE ||
        strcmp(ev->who->service, "content-ingest") != 0) {
        say(&s->answer.say, SAY_NOT_ALLOWED,
            "Chỉ dịch vụ content-ingest được hỏi điều này.",
            "Only the service content-ingest may ask for this.");
        return;
    }
    row = needed_by(s, ev, &area);
    if (row != BULLETIN_NONE) {
        say_in_use(s, row, area);
        return;
    }
    say(&s->answer.say, SAY_OK, "Không bản tin nào cần nội dung này.",
        "No bulletin needs this content.");
    if (r->dry_run)
        return;
    up->released = released_put(&s->released, r->content_hash, ev->who->area,
                                ev->at_ms + RELEASED_CLOSED_MS);
    up->durable = true;
}
