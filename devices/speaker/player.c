#include "speaker/player.h"

#include <assert.h>
#include <string.h>

#include "proto/audio.h"

static int64_t samples_us(uint64_t samples)
{
    return (int64_t)(samples * 1000000 / LOA_RATE_HZ);
}

uint32_t player_ms(uint64_t samples)
{
    return (uint32_t)(samples * 1000 / LOA_RATE_HZ);
}

int64_t player_left_us(const struct player *p)
{
    return p->cur.used ? samples_us(p->cur.samples_n - p->cur.done_n) : 0;
}

int64_t player_next_us(const struct player *p, const struct walltime *w)
{
    if (!p->next.used)
        return INT64_MAX;
    return walltime_now_us(w, p->next.occ.due_at_ms * 1000);
}

/* The sample of the period with which next begins; samples_n: not in it. */
static size_t begin_offset(const struct player *p,
                           const struct walltime *w,
                           const struct player_period *period)
{
    int64_t wait_us, offset;
    uint64_t left;

    if (!p->next.used || !p->next.ready)
        return period->samples_n;
    wait_us = player_next_us(p, w) - period->next_us;
    offset = wait_us <= 0 ? 0 : wait_us * (LOA_RATE_HZ / 1000) / 1000;
    if (p->cur.used && p->next.occ.class <= p->cur.occ.class) {
        /* An equal waits for its turn. */
        left = p->cur.samples_n - p->cur.done_n;
        if (left > (uint64_t)offset)
            offset = (int64_t)left;
    }
    return offset < (int64_t)period->samples_n ? (size_t)offset
                                               : period->samples_n;
}

bool player_begins(const struct player *p,
                   const struct walltime *w,
                   const struct player_period *period)
{
    return begin_offset(p, w, period) < period->samples_n;
}

static size_t add(struct player_plan *plan,
                  int voice,
                  uint64_t want,
                  size_t room)
{
    size_t n = want < room ? (size_t)want : room;

    if (n == 0)
        return 0;
    assert(plan->segments_n < PLAYER_SEGMENTS_MAX);
    plan->segments[plan->segments_n++] = (struct player_segment){voice, n};
    return n;
}

void player_plan(const struct player *p,
                 const struct walltime *w,
                 const struct player_period *period,
                 bool begin,
                 struct player_plan *plan)
{
    size_t at = 0, n = period->samples_n;
    size_t begin_at = begin ? begin_offset(p, w, period) : n;

    memset(plan, 0, sizeof *plan);
    if (p->cur.used && p->cur.begun) {
        uint64_t left = p->cur.samples_n - p->cur.done_n;

        at += add(plan, p->cur.voice, left, begin_at);
        plan->finishes = left <= begin_at;
        plan->preempts = !plan->finishes && begin_at < n;
    }
    at += add(plan, -1, begin_at - at, n - at);
    if (begin_at < n) {
        plan->begins = true;
        at += add(plan, p->next.voice, p->next.samples_n, n - at);
    }
    add(plan, -1, n - at, n - at);
}
