/* add.h -- one bulletin for one area, as most stories begin. */

#ifndef LOA_TEST_SCHEDULER_ADD_H
#define LOA_TEST_SCHEDULER_ADD_H

#include "check.h"
#include "scheduler/world.h"

#define START (WORLD_AT_MS + HOUR_MS)

UNUSED static const char *at_text(const struct world *w)
{
    return w->core.answer.say.en;
}

/* Add and expect; prints the sentence when it is another code. */
UNUSED static void add(struct world *w,
                       const char *name,
                       uint8_t id,
                       const char *area,
                       int64_t start_ms,
                       enum say_code want)
{
    enum say_code got;

    world_add(w, id, area, start_ms);
    got = world_ask(w, &w->lan);
    if (got != want)
        fprintf(stderr, "%s: %s\n", name, at_text(w));
    CHECK_INT(name, got, want);
}

#endif /* LOA_TEST_SCHEDULER_ADD_H */
