/* Where bulletins find room: collisions, proposals, tiers, change, cancel. */

#include "add.h"

/* --- who hears what at once ----------------------------------------------- */

static void test_conflicts(void)
{
    /* There is a normal bulletin in vn/08/070 from START on, 10 minutes. */
    /* clang-format off */
    static const struct row {
        const char *name, *area;
        int64_t after_ms; /* The start. */
        enum bulletin_class class;
        enum say_code want;
        unsigned interrupts_n;
    } rows[] = {
        {"same area",            "vn/08/070",       0,       BULLETIN_NORMAL,   SAY_CONFLICT, 0},
        {"below",                "vn/08/070/07002", 0,       BULLETIN_NORMAL,   SAY_CONFLICT, 0},
        {"above",                "vn/08",           0,       BULLETIN_NORMAL,   SAY_CONFLICT, 0},
        {"the whole country",    "vn",              0,       BULLETIN_NORMAL,   SAY_CONFLICT, 0},
        {"beside",               "vn/08/071",       0,       BULLETIN_NORMAL,   SAY_OK,       0},
        {"below beside",         "vn/08/071/07101", 0,       BULLETIN_NORMAL,   SAY_OK,       0},
        {"another province",     "vn/30",           0,       BULLETIN_NORMAL,   SAY_OK,       0},
        {"its last millisecond", "vn/08/070",       599999,  BULLETIN_NORMAL,   SAY_CONFLICT, 0},
        {"when it ends",         "vn/08/070",       600000,  BULLETIN_NORMAL,   SAY_OK,       0},
        {"just into it",         "vn/08/070",       -599999, BULLETIN_NORMAL,   SAY_CONFLICT, 0},
        {"just before it",       "vn/08/070",       -600000, BULLETIN_NORMAL,   SAY_OK,       0},
        {"another class",        "vn/08/070",       0,       BULLETIN_PRIORITY, SAY_OK,       1},
        {"another class above",  "vn",              300000,  BULLETIN_PRIORITY, SAY_OK,       1},
        {"another class beside", "vn/08/071",       0,       BULLETIN_PRIORITY, SAY_OK,       0},
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new("vn");
        enum say_code got;

        add(w, "the first", 1, "vn/08/070", START, SAY_OK);
        world_add(w, 2, rows[i].area, START + rows[i].after_ms)->class =
            rows[i].class;
        got = world_ask(w, &w->lan);
        CHECK_INT(rows[i].name, got, rows[i].want);
        CHECK_INT(rows[i].name, w->up.answer->interrupts_n,
                  rows[i].interrupts_n);
        CHECK_INT(rows[i].name, w->up.answer->conflicts_n,
                  rows[i].want == SAY_CONFLICT);
        CHECK_INT(rows[i].name, w->up.answer->proposed_start_at_ms != 0,
                  rows[i].want == SAY_CONFLICT);
        world_free(w);
    }
}

static void test_proposals(void)
{
    /* Two bulletins: at START and at START + 15 min, 10 minutes each, so that
     * the 5 minutes between are free. */
    /* clang-format off */
    static const struct row {
        const char *name;
        int64_t after_ms;
        uint32_t duration_ms;
        int64_t want_after_ms;
    } rows[] = {
        {"behind the first",         1  * MINUTE_MS, 5 * MINUTE_MS, -5 * MINUTE_MS},
        {"into the gap",             9  * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS},
        {"gap too small",            9  * MINUTE_MS, 6 * MINUTE_MS, -6 * MINUTE_MS},
        {"after both",               20 * MINUTE_MS, 6 * MINUTE_MS, 25 * MINUTE_MS},
        {"before both",              -4 * MINUTE_MS, 5 * MINUTE_MS, -5 * MINUTE_MS},
        {"equally near: the later",  5  * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS},
        {"a long one",               0,             55 * MINUTE_MS, 25 * MINUTE_MS},
        {"no room before",           0,             60 * MINUTE_MS, 25 * MINUTE_MS},
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new("vn");
        struct scheduler_request *r;
        int64_t got;

        add(w, "first", 1, "vn/08/070", START, SAY_OK);
        add(w, "second", 2, "vn/08", START + 15 * MINUTE_MS, SAY_OK);
        r = world_add(w, 3, "vn/08/070/07001", START + rows[i].after_ms);
        r->approval = world_approval(w, &w->minh, "vn", 2, rows[i].duration_ms,
                                     START + 90 * LOA_DAY_MS);
        CHECK_INT(rows[i].name, world_ask(w, &w->lan), SAY_CONFLICT);
        got = w->up.answer->proposed_start_at_ms;
        CHECK_INT(rows[i].name, got - START, rows[i].want_after_ms);
        r->start_at_ms = got;
        CHECK_INT(rows[i].name, world_ask(w, &w->lan), SAY_OK);
        world_free(w);
    }
}

/* What is taken begins and ends within a second; the proposal does not. */
static void test_full_second(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r;

    add(w, "first", 1, "vn/08", START + 321, SAY_OK);
    r = world_add(w, 2, "vn/08", START + 8 * MINUTE_MS + 77);
    CHECK_INT("behind", world_ask(w, &w->lan), SAY_CONFLICT);
    CHECK_INT("behind", w->up.answer->proposed_start_at_ms,
              START + 10 * MINUTE_MS + 1000);
    r->start_at_ms = START + 77;
    CHECK_INT("before", world_ask(w, &w->lan), SAY_CONFLICT);
    CHECK_INT("before", w->up.answer->proposed_start_at_ms,
              START - 10 * MINUTE_MS);
    r->start_at_ms = w->up.answer->proposed_start_at_ms;
    CHECK_INT("is free", world_ask(w, &w->lan), SAY_OK);
    world_free(w);
}

static void test_recurring_proposals(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r;

    /* A whole week of one bulletin a day, each a bit later than the day
     * before; a daily one must get past all of them at once. */
    for (uint8_t day = 0; day < 7; day++)
        add(w, "one a day", (uint8_t)(1 + day), "vn/08",
            START + day * (LOA_DAY_MS + 10 * MINUTE_MS), SAY_OK);
    r = world_add(w, 20, "vn/08/070", START + 5 * MINUTE_MS);
    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 7 * LOA_DAY_MS;
    CHECK_INT("daily", world_ask(w, &w->lan), SAY_CONFLICT);
    CHECK_INT("all of them are named", w->up.answer->conflicts_n, 2);
    CHECK_INT("before all", w->up.answer->proposed_start_at_ms,
              START - 10 * MINUTE_MS);
    r->start_at_ms = w->up.answer->proposed_start_at_ms;
    CHECK_INT("taken", world_ask(w, &w->lan), SAY_OK);

    /* A weekly one keeps its day, even if there is room on the next. */
    add(w, "at noon", 30, "vn/08", START + 3 * HOUR_MS, SAY_OK);
    r = world_add(w, 21, "vn/08/071", START);
    r->frequency = SLOTS_WEEKLY;
    r->until_ms = START + 60 * LOA_DAY_MS;
    r->approval = world_approval(w, &w->minh, "vn", 2, 24 * HOUR_MS,
                                 START + 90 * LOA_DAY_MS);
    CHECK_INT("weekly, too long for its day", world_ask(w, &w->lan),
              SAY_CONFLICT);
    CHECK_INT("none found", w->up.answer->proposed_start_at_ms, 0);
    world_free(w);
}

static void test_leap_day(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r;
    Loa__V1__Programme *p;
    int64_t start_ms, leap_ms;

    CHECK_INT("a time", loa_civil_parse("2028-02-25T05:00", &start_ms),
              LOA_CIVIL_OK);
    CHECK_INT("a time", loa_civil_parse("2028-02-29T05:00", &leap_ms),
              LOA_CIVIL_OK);
    w->at_ms = start_ms - LOA_DAY_MS;
    r = world_add(w, 1, "vn/08/070", start_ms);
    r->frequency = SLOTS_DAILY;
    r->until_ms = start_ms + 10 * LOA_DAY_MS;
    r->approval = world_approval(w, &w->minh, "vn", 1, 600000,
                                 start_ms + 20 * LOA_DAY_MS);
    CHECK_INT("over 29 February", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("within the horizon", p->bulletins[0]->n_starts_at_ms, 8);
    CHECK_INT("the leap day", p->bulletins[0]->starts_at_ms[4], leap_ms);
    CHECK_INT("the day after", p->bulletins[0]->starts_at_ms[5],
              leap_ms + LOA_DAY_MS);
    world_free(w);
}

/* --- four tiers ----------------------------------------------------------- */

static void test_four_tiers(void)
{
    static const char *const at[] = {"vn", "vn/08", "vn/08/071",
                                     "vn/08/071/07102"};
    struct world *w = world_new("vn");

    for (uint8_t i = 0; i < 4; i++) {
        add(w, "a tier", (uint8_t)(1 + i), at[i], START + i * HOUR_MS, SAY_OK);
        CHECK_INT("one programme", w->up.programmes_n, 1);
        CHECK_INT("its own",
                  strcmp(w->core.plan.areas.rows[w->up.programmes[0].area].path,
                         at[i]),
                  0);
    }
    /* Each commune hears what stands in the programmes of its line. */
    for (size_t i = 0; i < WORLD_AREAS_N; i++) {
        uint32_t row = areas_find(&w->core.plan.areas, world_areas[i]);
        int heard_n = 0, want_n = 1;

        if (loa_area_depth(world_areas[i]) != 4)
            continue;
        for (; row != AREA_NONE; row = w->core.plan.areas.rows[row].parent)
            for (size_t b = 0; b < 4; b++)
                heard_n +=
                    programme_carries(&w->core.plan.areas.rows[row],
                                      &w->core.plan.bulletins[b]) &&
                    strcmp(at[b], w->core.plan.areas.rows[row].path) == 0;
        want_n += loa_area_within(world_areas[i], "vn/08");
        want_n += loa_area_within(world_areas[i], "vn/08/071");
        want_n += strcmp(world_areas[i], at[3]) == 0;
        CHECK_INT(world_areas[i], heard_n, want_n);
    }
    world_free(w);
}

/* --- change, cancel ------------------------------------------------------- */

static void test_change(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r;
    Loa__V1__Programme *p;

    add(w, "add", 1, "vn/08/070", START, SAY_OK);
    add(w, "another", 2, "vn/08/070", START + 2 * HOUR_MS, SAY_OK);
    world_about(w, SCHEDULER_CHANGE, 1)->start_at_ms = START + HOUR_MS;
    CHECK_INT("move", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("moved", p->bulletins[0]->starts_at_ms[0], START + HOUR_MS);
    CHECK_INT("both", p->n_bulletins, 2);
    w->request.start_at_ms = START + 2 * HOUR_MS + 1;
    CHECK_INT("onto another", world_ask(w, &w->lan), SAY_CONFLICT);
    w->request.start_at_ms = START + HOUR_MS + MINUTE_MS;
    CHECK_INT("over itself", world_ask(w, &w->lan), SAY_OK);
    w->request.start_at_ms = WORLD_AT_MS;
    CHECK_INT("into the past", world_ask(w, &w->lan), SAY_PAST);
    w->request.start_at_ms = 0;
    CHECK_INT("nothing", world_ask(w, &w->lan), SAY_INVALID);

    r = world_about(w, SCHEDULER_CHANGE, 1);
    r->approval =
        world_approval(w, &w->minh, "vn", 7, 1200000, START + LOA_DAY_MS);
    CHECK_INT("replace", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("replaced", p->bulletins[0]->content_hash.data[0], 7);
    CHECK_INT("longer", p->bulletins[0]->duration_ms, 1200000);
    CHECK_INT("start as it was", p->bulletins[0]->starts_at_ms[0],
              START + HOUR_MS + MINUTE_MS);
    CHECK_INT("two approvals", p->n_approvals, 2);
    r->approval =
        world_approval(w, &w->minh, "vn", 8, 7200000, START + LOA_DAY_MS);
    CHECK_INT("too long now", world_ask(w, &w->lan), SAY_CONFLICT);
    world_about(w, SCHEDULER_CHANGE, 9)->start_at_ms = START;
    CHECK_INT("unknown", world_ask(w, &w->lan), SAY_NOT_FOUND);

    /* What has begun is cut: it starts anew at the new time. */
    w->at_ms = START + HOUR_MS + 5 * MINUTE_MS;
    r = world_about(w, SCHEDULER_CHANGE, 1);
    r->approval =
        world_approval(w, &w->minh, "vn", 9, 600000, START + LOA_DAY_MS);
    CHECK_INT("replace what sounds", world_ask(w, &w->lan), SAY_PAST);
    r->start_at_ms = START + 4 * HOUR_MS;
    CHECK_INT("move and replace what sounds", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("only the new start", p->bulletins[1]->n_starts_at_ms, 1);
    CHECK_INT("the new start", p->bulletins[1]->starts_at_ms[0],
              START + 4 * HOUR_MS);
    w->at_ms = START + 5 * HOUR_MS;
    CHECK_INT("move what is over", world_ask(w, &w->lan), SAY_PAST);
    world_free(w);
}

static void test_change_recurring(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r = world_add(w, 1, "vn/08/070", START);
    Loa__V1__Programme *p;

    r->frequency = SLOTS_WEEKLY;
    r->until_ms = START + 30 * LOA_DAY_MS;
    CHECK_INT("weekly", world_ask(w, &w->lan), SAY_OK);
    world_about(w, SCHEDULER_CHANGE, 1)->start_at_ms = START + LOA_DAY_MS;
    CHECK_INT("to Tuesday", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("Tuesdays", p->bulletins[0]->starts_at_ms[1],
              START + 8 * LOA_DAY_MS);

    r = world_add(w, 2, "vn/08/071", START);
    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 3 * LOA_DAY_MS;
    CHECK_INT("daily", world_ask(w, &w->lan), SAY_OK);
    w->at_ms = START + LOA_DAY_MS + MINUTE_MS; /* The second one sounds. */
    r = world_about(w, SCHEDULER_CHANGE, 2);
    r->approval =
        world_approval(w, &w->minh, "vn", 9, 600000, START + 9 * LOA_DAY_MS);
    CHECK_INT("replace", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/071");
    CHECK_INT("what is to come", p->bulletins[0]->n_starts_at_ms, 2);
    CHECK_INT("what is to come", p->bulletins[0]->starts_at_ms[0],
              START + 2 * LOA_DAY_MS);
    world_free(w);
}

static void test_cancel(void)
{
    struct world *w = world_new("vn");
    Loa__V1__Programme *p;
    uint64_t version;

    add(w, "add", 1, "vn/08/070", START, SAY_OK);
    add(w, "in a month", 2, "vn/08/071", START + 30 * LOA_DAY_MS, SAY_OK);
    CHECK_INT("no programme yet", w->up.programmes_n, 0);
    CHECK_INT("but a row", w->up.bulletins_n, 1);
    w->at_ms = START + MINUTE_MS;
    world_about(w, SCHEDULER_CANCEL, 1);
    CHECK_INT("cancel what sounds", world_ask(w, &w->lan), SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("empty, but there", p->n_bulletins, 0);
    version = p->version;
    CHECK_INT("again", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("changes nothing", w->up.durable, 0);
    CHECK_INT("no new version", world_area(w, "vn/08/070")->programme.version,
              version);
    world_about(w, SCHEDULER_CANCEL, 2);
    CHECK_INT("cancel what is far", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("no programme needed", w->up.programmes_n, 0);
    world_about(w, SCHEDULER_CANCEL, 3);
    CHECK_INT("unknown", world_ask(w, &w->lan), SAY_NOT_FOUND);
    add(w, "the time is free", 4, "vn/08/070", START + 5 * MINUTE_MS, SAY_OK);
    w->at_ms = START + HOUR_MS;
    world_about(w, SCHEDULER_CANCEL, 4);
    CHECK_INT("cancel what is over", world_ask(w, &w->lan), SAY_PAST);
    world_free(w);
}

int main(void)
{
    test_conflicts();
    test_proposals();
    test_full_second();
    test_recurring_proposals();
    test_leap_day();
    test_four_tiers();
    test_change();
    test_change_recurring();
    test_cancel();
    return CHECK_DONE();
}
