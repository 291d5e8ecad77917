#include "scheduler/clockwatch.h"

#include <string.h>

void clockwatch_init(struct clock_guard *g, int64_t not_before_ms)
{
    memset(g, 0, sizeof *g);
    g->not_before_ms = not_before_ms;
}

void clockwatch_restore(struct clock_guard *g, int64_t offset_ms)
{
    g->offset_ms = offset_ms;
    g->known = true;
}

static bool is_early(const struct clock_guard *g, int64_t at_ms)
{
    return at_ms < g->not_before_ms - CLOCKWATCH_APART_MS;
}

static int64_t moved_ms(const struct clock_guard *g,
                        int64_t at_ms,
                        int64_t now_ms)
{
    return at_ms - now_ms - g->offset_ms;
}

enum clockwatch clockwatch_look(const struct clock_guard *g,
                                int64_t at_ms,
                                int64_t now_ms)
{
    int64_t ms = moved_ms(g, at_ms, now_ms);

    if (is_early(g, at_ms))
        return CLOCK_EARLY;
    if (g->known && ms > CLOCKWATCH_JUMP_MS)
        return CLOCK_JUMPED;
    if (g->apart_ms != 0)
        return CLOCK_APART;
    if (!g->known || ms > CLOCKWATCH_APART_MS || ms < -CLOCKWATCH_APART_MS)
        return CLOCK_MOVED;
    return CLOCK_BELIEVED;
}

void clockwatch_compared(struct clock_guard *g,
                         int64_t asked_at_ms,
                         int64_t at_ms,
                         int64_t now_ms,
                         int64_t database_at_ms)
{
    g->apart_ms = 0;
    if (database_at_ms < asked_at_ms - CLOCKWATCH_APART_MS)
        g->apart_ms = asked_at_ms - database_at_ms;
    else if (database_at_ms > at_ms + CLOCKWATCH_APART_MS)
        g->apart_ms = at_ms - database_at_ms;
    /* A clock that was never right may jump to where it belongs; one that was
     * believed may be put right a little, or back. */
    if (g->apart_ms != 0 || is_early(g, at_ms) ||
        (g->known && moved_ms(g, at_ms, now_ms) > CLOCKWATCH_JUMP_MS))
        return;
    g->offset_ms = at_ms - now_ms;
    g->known = true;
}

const char *clockwatch_name(enum clockwatch state)
{
    static const char *const names[] = {
        [CLOCK_BELIEVED] = "believed", [CLOCK_MOVED] = "moved",
        [CLOCK_EARLY] = "early",       [CLOCK_APART] = "apart",
        [CLOCK_JUMPED] = "jumped",
    };

    return names[state];
}
