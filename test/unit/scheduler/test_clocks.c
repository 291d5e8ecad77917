/* A clock that is wrong for a while: what that leaves behind. */

#include "check.h"
#include "scheduler/tables.h"

/* Would a device take it after what it took at the right time? */
static bool is_taken(const struct world *w, uint64_t held)
{
    uint64_t version = world_area(w, "vn/08/070")->programme.version;

    return version > held && version <= (uint64_t)(w->at_ms + LOA_DAY_MS);
}

/* Devices refused all versions for as long as the clock had been ahead. */
static void test_clock_ahead_for_days(void)
{
    struct world *w = world_new("vn");
    uint64_t held;

    add(w, 1, "vn/08/070", START);
    add(w, 2, "vn/08/070", START + 5 * LOA_DAY_MS);
    world_settle(w);
    held = world_area(w, "vn/08/070")->programme.version;
    CHECK_INT("one seems over", roll(w, WORLD_AT_MS + 3 * LOA_DAY_MS), 1);
    CHECK_INT("it is left out", world_programme(w, "vn/08/070")->n_bulletins,
              1);
    w->at_ms = WORLD_AT_MS;
    CHECK_INT("no device takes it", is_taken(w, held), 0);
    CHECK_INT("put right", roll(w, WORLD_AT_MS + MINUTE_MS), 1);
    CHECK_INT("devices take it", is_taken(w, held), 1);
    CHECK_INT("both are back", world_programme(w, "vn/08/070")->n_bulletins, 2);
    for (uint8_t i = 3; i < 9; i++) {
        held = world_area(w, "vn/08/070")->programme.version;
        add(w, i, "vn/08/070", START + i * 20 * MINUTE_MS);
        CHECK_INT("and the next", is_taken(w, held), 1);
    }
    world_free(w);
}

/* What seemed over while the clock was ahead stayed away until the next day of
 * the wrong clock. */
static void test_clock_ahead_for_hours(void)
{
    struct world *w = world_new("vn");
    uint64_t held;

    add(w, 1, "vn/08/070", START);
    world_settle(w);
    roll(w, WORLD_AT_MS + 17 * HOUR_MS); /* It is tomorrow there. */
    held = world_area(w, "vn/08/070")->programme.version;
    CHECK_INT("left out", world_programme(w, "vn/08/070")->n_bulletins, 0);
    CHECK_INT("put right", roll(w, WORLD_AT_MS + MINUTE_MS), 1);
    CHECK_INT("it is back", world_programme(w, "vn/08/070")->n_bulletins, 1);
    CHECK_INT("devices took the wrong one, and take this", is_taken(w, held),
              1);
    world_free(w);
}

static void test_doubted_clock_plans_nothing(void)
{
    struct world *w = world_new("vn");
    struct scheduler_event ev = {.type = SCHEDULER_REQUEST,
                                 .request = &w->request,
                                 .who = &w->lan.certificate,
                                 .doubted = true};
    struct scheduler_event tick = {.type = SCHEDULER_TICK, .doubted = true};

    add(w, 1, "vn/08/070", START);
    world_settle(w);
    w->at_ms = WORLD_AT_MS + 40 * LOA_DAY_MS;
    world_add(w, 2, "vn/08/070", w->at_ms + HOUR_MS);
    CHECK_INT("no", world_step(w, &ev)->answer->say.code, SAY_BUSY);
    CHECK_INT("nothing", w->up.durable || w->up.more, 0);
    world_about(w, SCHEDULER_CANCEL, 1);
    CHECK_INT("no", world_step(w, &ev)->answer->say.code, SAY_BUSY);
    world_about(w, SCHEDULER_FIND, 1);
    CHECK_INT("to look is allowed", world_step(w, &ev)->answer->say.code,
              SAY_OK);
    CHECK_INT("nothing", world_step(w, &tick)->durable || w->up.more, 0);
    tick.type = SCHEDULER_TRUST;
    CHECK_INT("nothing", world_step(w, &tick)->durable || w->up.more, 0);
    CHECK_INT("right again: nothing was lost", roll(w, WORLD_AT_MS), 0);
    CHECK_INT("it is there", w->core.plan.index.rows_n, 1);
    world_free(w);
}

/* A machine that began with a date a year ahead put the whole plan away. */
static void test_wrong_date_at_start_forgets_nothing(void)
{
    static struct tables t;
    struct world *w = world_new("vn");

    add(w, 1, "vn/08/070", START);
    write_bulletins(&t, w), write_programmes(&t, w);
    w->at_ms = WORLD_AT_MS + 365 * LOA_DAY_MS;
    start_again(w, &t);
    world_settle(w);
    CHECK_INT("remembered", w->core.plan.index.rows_n, 1);
    roll(w, WORLD_AT_MS + MINUTE_MS);
    CHECK_INT("and said", world_programme(w, "vn/08/070")->n_bulletins, 1);
    world_free(w);
}

/* A list that came while the clock was wrong, when no certificate was valid
 * yet: what it revokes falls when the clock is right. */
static void test_revoked_while_the_clock_was_wrong(void)
{
    struct world *w = world_new("vn");

    world_add(w, 1, "vn/08/070", START)->approval =
        world_approval(w, &w->duy, "vn/08", 2, 600000, START + LOA_DAY_MS);
    CHECK_INT("approved by duy", world_ask(w, &w->lan), SAY_OK);
    w->at_ms = WORLD_AT_MS - 4000 * LOA_DAY_MS;
    world_revoke(w, &w->office, 1);
    roll(w, WORLD_AT_MS + MINUTE_MS);
    CHECK_INT("gone", w->core.plan.bulletins[0].why, BULLETIN_APPROVER_REVOKED);
    world_free(w);
}

int main(void)
{
    test_clock_ahead_for_days();
    test_clock_ahead_for_hours();
    test_doubted_clock_plans_nothing();
    test_wrong_date_at_start_forgets_nothing();
    test_revoked_while_the_clock_was_wrong();
    return CHECK_DONE();
}
