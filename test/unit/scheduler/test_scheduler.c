/* Requests to the core, one after the other: who may what, what collides, what
 * a programme then says. Time is set by hand; nothing waits. */

#include "check.h"
#include "scheduler/world.h"

#define START (WORLD_AT_MS + HOUR_MS)

static const char *at_text(const struct world *w)
{
    return w->core.answer.say.en;
}

/* Add and expect; prints the sentence when it is another code. */
static void add(struct world *w,
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

static void test_add(void)
{
    struct world *w = world_new("vn/08");
    struct scheduler_event ev = {.type = SCHEDULER_COMMITTED};
    struct scheduler_made made;
    Loa__V1__Programme *p;
    const struct area *a;

    add(w, "add", 1, "vn/08/070", START, SAY_OK);
    CHECK_INT("durable", w->up.durable, 1);
    CHECK_INT("rows", w->up.bulletins_n, 1);
    CHECK_INT("approval", w->up.approval.len > 0, 1);
    CHECK_INT("programmes", w->up.programmes_n, 1);
    CHECK_INT("entries", w->up.answer->entries_n, 1);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("version", p->version, WORLD_AT_MS);
    CHECK_INT("bulletins", p->n_bulletins, 1);
    CHECK_INT("start", p->bulletins[0]->starts_at_ms[0], START);
    CHECK_INT("duration", p->bulletins[0]->duration_ms, 600000);
    CHECK_INT("title", strcmp(p->bulletins[0]->title, "Bản tin sáng"), 0);
    CHECK_INT("approvals", p->n_approvals, 1);
    CHECK_INT("certificates", p->n_certificates, 2);

    a = world_area(w, "vn/08/070");
    CHECK_INT("head before the commit", a->head_version, 0);
    made.area = w->up.programmes[0].area;
    made.version = a->programme.version;
    memcpy(made.hash, a->programme.hash, sizeof made.hash);
    ev.made = &made;
    ev.made_n = 1;
    world_step(w, &ev);
    CHECK_INT("head after the commit", a->head_version, WORLD_AT_MS);

    add(w, "another", 2, "vn/08/070", START + HOUR_MS, SAY_OK);
    p = world_programme(w, "vn/08/070");
    CHECK_INT("rises without the clock", p->version, WORLD_AT_MS + 1);
    CHECK_INT("both", p->n_bulletins, 2);
    CHECK_INT("one approval for both", p->n_approvals, 1);
    w->at_ms -= HOUR_MS;
    add(w, "clock set back", 3, "vn/08/070", START + 2 * HOUR_MS, SAY_OK);
    CHECK_INT("still rises", a->programme.version, WORLD_AT_MS + 2);
    world_free(w);
}

/* --- what is refused ------------------------------------------------------ */

static void set_district(struct scheduler_request *r)
{
    strcpy(r->areas[0], "vn/08/070");
}

static void set_none(struct scheduler_request *r)
{
    r->areas_n = 0;
}
static void set_unknown(struct scheduler_request *r)
{
    strcpy(r->areas[0], "vn/08/999");
}
static void set_elsewhere(struct scheduler_request *r)
{
    strcpy(r->areas[0], "vn/30/300");
}
static void set_above(struct scheduler_request *r)
{
    strcpy(r->areas[0], "vn");
}
static void set_nested(struct scheduler_request *r)
{
    r->areas_n = 2;
    strcpy(r->areas[0], "vn/08/070");
    strcpy(r->areas[1], "vn/08/070/07001");
}
static void set_twice(struct scheduler_request *r)
{
    r->areas_n = 2;
    strcpy(r->areas[0], "vn/08/070");
    strcpy(r->areas[1], "vn/08/070");
}
static void set_no_class(struct scheduler_request *r)
{
    r->class = 0;
}
static void set_emergency(struct scheduler_request *r)
{
    r->class = 3;
}
static void set_past(struct scheduler_request *r)
{
    r->start_at_ms = WORLD_AT_MS - 1;
}
static void set_soon(struct scheduler_request *r)
{
    r->start_at_ms = WORLD_AT_MS + WORLD_LEAD_MS - 1;
}
static void set_just(struct scheduler_request *r)
{
    r->start_at_ms = WORLD_AT_MS + WORLD_LEAD_MS;
}
static void set_far(struct scheduler_request *r)
{
    r->start_at_ms = WORLD_AT_MS + SCHEDULER_AHEAD_MS + 1;
}
static void set_year(struct scheduler_request *r)
{
    r->start_at_ms = WORLD_AT_MS + SCHEDULER_AHEAD_MS;
}
static void set_frequency(struct scheduler_request *r)
{
    r->frequency = 3;
}
static void set_endless(struct scheduler_request *r)
{
    r->frequency = SLOTS_DAILY;
}
static void set_ended(struct scheduler_request *r)
{
    r->frequency = SLOTS_DAILY;
    r->until_ms = r->start_at_ms - 1;
}
static void set_too_long(struct scheduler_request *r)
{
    r->frequency = SLOTS_DAILY;
    r->until_ms = r->start_at_ms + SCHEDULER_AHEAD_MS + 1;
}
static void set_other_weekday(struct scheduler_request *r)
{
    r->frequency = SLOTS_WEEKLY;
    r->weekdays = 0x02; /* Tuesday; the start is a Monday. */
    r->until_ms = r->start_at_ms + 30 * LOA_DAY_MS;
}
static void set_eighth_weekday(struct scheduler_request *r)
{
    r->frequency = SLOTS_WEEKLY;
    r->weekdays = 0x81;
    r->until_ms = r->start_at_ms + 30 * LOA_DAY_MS;
}
static void set_no_approval(struct scheduler_request *r)
{
    r->approval.len = 0;
}
static void set_garbage(struct scheduler_request *r)
{
    r->approval.len /= 2;
}

static void test_refusals(void)
{
    /* clang-format off */
    static const struct row {
        const char *name;
        void (*set)(struct scheduler_request *);
        enum say_code want;
    } rows[] = {
        {"as it should be",       set_district,       SAY_OK},
        {"no area",               set_none,           SAY_INVALID},
        {"unknown area",          set_unknown,        SAY_NOT_FOUND},
        {"another province",      set_elsewhere,      SAY_NOT_ALLOWED},
        {"above the scheduler",   set_above,          SAY_NOT_ALLOWED},
        {"one in another",        set_nested,         SAY_INVALID},
        {"the same twice",        set_twice,          SAY_INVALID},
        {"no class",              set_no_class,       SAY_INVALID},
        {"emergency",             set_emergency,      SAY_INVALID},
        {"past",                  set_past,           SAY_PAST},
        {"a millisecond too soon",set_soon,           SAY_PAST},
        {"just in time",          set_just,           SAY_OK},
        {"in more than a year",   set_far,            SAY_INVALID},
        {"in a year",             set_year,           SAY_OK},
        {"unknown frequency",     set_frequency,      SAY_INVALID},
        {"daily without an end",  set_endless,        SAY_INVALID},
        {"ends before it begins", set_ended,          SAY_INVALID},
        {"longer than a year",    set_too_long,       SAY_INVALID},
        {"another weekday",       set_other_weekday,  SAY_INVALID},
        {"an eighth weekday",     set_eighth_weekday, SAY_INVALID},
        {"no approval",           set_no_approval,    SAY_NOT_APPROVED},
        {"half an approval",      set_garbage,        SAY_NOT_APPROVED},
    };
    /* clang-format on */
    struct world *w = world_new("vn/08");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scheduler_request *r = world_add(w, 9, "vn/08/070", START);
        enum say_code got;

        rows[i].set(r);
        r->dry_run = rows[i].want == SAY_OK;
        got = world_ask(w, &w->lan);
        if (got != rows[i].want)
            fprintf(stderr, "%s: %s\n", rows[i].name, at_text(w));
        CHECK_INT(rows[i].name, got, rows[i].want);
        CHECK_INT(rows[i].name, w->up.durable, 0);
        CHECK_INT(rows[i].name, w->core.plan.index.rows_n, 0);
        CHECK_INT(rows[i].name, at_text(w)[0] != '\0', 1);
        CHECK_INT(rows[i].name, w->core.answer.say.vi[0] != '\0', 1);
    }
    world_step(w, &(struct scheduler_event){.type = SCHEDULER_TICK});
    CHECK_INT("nothing is held", w->core.plan.approvals.index.rows_n, 0);
    CHECK_INT("nothing is held",
              w->core.plan.approvals.certificate_index.rows_n, 0);
    world_free(w);
}

static void test_areas_must_be_known(void)
{
    struct world *w = world_new("vn/08");

    w->core.areas_known = false;
    add(w, "not yet synced", 1, "vn/08/999", START, SAY_BUSY);
    CHECK_INT("nothing", w->up.durable, 0);
    /* What is known already can be used. */
    add(w, "known", 1, "vn/08/070", START, SAY_OK);
    areas_valid(&w->core.plan.areas,
                areas_find(&w->core.plan.areas, "vn/08/071"),
                (struct area_span){0, WORLD_AT_MS});
    w->core.areas_known = true;
    add(w, "abolished", 2, "vn/08/071", START, SAY_NOT_FOUND);
    areas_valid(&w->core.plan.areas,
                areas_find(&w->core.plan.areas, "vn/08/071"),
                (struct area_span){WORLD_AT_MS + 1, 0});
    add(w, "reborn later", 2, "vn/08/071", START, SAY_NOT_FOUND);
    w->at_ms += 1;
    add(w, "reborn", 2, "vn/08/071", START, SAY_OK);
    world_free(w);
}

static void test_rights(void)
{
    struct world *w = world_new("vn/08");

    world_add(w, 1, "vn/08/070", START);
    CHECK_INT("own district", world_ask(w, &w->district), SAY_OK);
    world_add(w, 2, "vn/08/070/07001", START + HOUR_MS);
    CHECK_INT("own commune", world_ask(w, &w->district), SAY_OK);
    world_add(w, 3, "vn/08/071", START);
    CHECK_INT("other district", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_add(w, 3, "vn/08", START + 2 * HOUR_MS);
    CHECK_INT("the province", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_add(w, 3, "vn/08/070", START + 2 * HOUR_MS);
    strcpy(w->request.areas[w->request.areas_n++], "vn/08/071");
    CHECK_INT("one of two", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_add(w, 3, "vn/08/070", START + 2 * HOUR_MS);
    CHECK_INT("any with the power", world_ask(w, &w->province), SAY_OK);
    world_add(w, 4, "vn/08/070", START + 3 * HOUR_MS);
    CHECK_INT("approves and schedules", world_ask(w, &w->minh),
              SAY_NOT_ALLOWED);
    w->lan.certificate.powers = LOA_POWERS_ALL & ~LOA_POWER_SCHEDULE;
    CHECK_INT("no power", world_ask(w, &w->lan), SAY_NOT_ALLOWED);
    world_about(w, SCHEDULER_CANCEL, 1);
    CHECK_INT("cancel without power", world_ask(w, &w->lan), SAY_NOT_ALLOWED);
    w->lan.certificate.powers = LOA_POWER_SCHEDULE;
    CHECK_INT("cancel from above", world_ask(w, &w->lan), SAY_OK);

    add(w, "the province speaks", 5, "vn/08", START + 9 * HOUR_MS, SAY_OK);
    world_about(w, SCHEDULER_CANCEL, 5);
    CHECK_INT("cancel from below", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_about(w, SCHEDULER_CHANGE, 5)->start_at_ms = START + 20 * HOUR_MS;
    CHECK_INT("move from below", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_free(w);
}

static void test_approvals(void)
{
    struct world *w = world_new("vn/08");
    struct scheduler_request *r = world_add(w, 1, "vn/08/070", START);

    r->approval =
        world_approval(w, &w->lan, "vn/08", 2, 60000, START + LOA_DAY_MS);
    CHECK_INT("by somebody without the power", world_ask(w, &w->district),
              SAY_NOT_APPROVED);
    r->approval =
        world_approval(w, &w->minh, "vn/08/071", 2, 60000, START + LOA_DAY_MS);
    CHECK_INT("for another area", world_ask(w, &w->lan), SAY_NOT_APPROVED);
    r->approval =
        world_approval(w, &w->minh, "vn/08", 2, 60000, WORLD_AT_MS - 1);
    CHECK_INT("expired", world_ask(w, &w->lan), SAY_EXPIRED);
    r->approval = world_approval(w, &w->minh, "vn/08", 2, 60000, START + 59999);
    CHECK_INT("expires while it is said", world_ask(w, &w->lan), SAY_EXPIRED);
    r->approval = world_approval(w, &w->minh, "vn/08", 2, 0, START + HOUR_MS);
    CHECK_INT("of no length", world_ask(w, &w->lan), SAY_INVALID);
    r->approval = world_approval(w, &w->minh, "vn/08", 2, 86400001,
                                 START + 9 * LOA_DAY_MS);
    CHECK_INT("longer than a day", world_ask(w, &w->lan), SAY_INVALID);
    r->approval = world_approval(w, &w->minh, "vn/08", 2, 60000, START + 60000);
    CHECK_INT("expires just behind it", world_ask(w, &w->lan), SAY_OK);

    /* Daily for a month; the approval ends after 20 days: what lies in the
     * coming programmes is covered, and the rest is not shown as planned. */
    r = world_add(w, 2, "vn/08/071", START);
    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 30 * LOA_DAY_MS;
    r->approval =
        world_approval(w, &w->minh, "vn/08", 3, 60000, START + 5 * LOA_DAY_MS);
    CHECK_INT("ends within the horizon", world_ask(w, &w->lan), SAY_EXPIRED);
    r->approval =
        world_approval(w, &w->minh, "vn/08", 3, 60000, START + 20 * LOA_DAY_MS);
    CHECK_INT("ends behind the horizon", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("what sounds",
              slots_last(&w->core.plan.bulletins[w->up.bulletins[0]].rule),
              START + 19 * LOA_DAY_MS);
    world_free(w);
}

/* --- asked twice ---------------------------------------------------------- */

static void test_same_id(void)
{
    struct world *w = world_new("vn/08");
    uint64_t version;

    add(w, "first", 1, "vn/08/070", START, SAY_OK);
    version = world_area(w, "vn/08/070")->programme.version;
    add(w, "the same again", 1, "vn/08/070", START, SAY_OK);
    CHECK_INT("changes nothing", w->up.durable, 0);
    CHECK_INT("shows it", w->up.answer->entries_n, 1);
    add(w, "another start", 1, "vn/08/070", START + 1, SAY_EXISTS);
    add(w, "another area", 1, "vn/08/071", START, SAY_EXISTS);
    world_add(w, 1, "vn/08/070", START)->class = BULLETIN_PRIORITY;
    CHECK_INT("another class", world_ask(w, &w->lan), SAY_EXISTS);
    strcpy(world_add(w, 1, "vn/08/070", START)->title, "Khác");
    CHECK_INT("another title", world_ask(w, &w->lan), SAY_EXISTS);
    world_add(w, 1, "vn/08/070", START)->approval =
        world_approval(w, &w->minh, "vn", 2, 600000, START + LOA_DAY_MS);
    CHECK_INT("another content", world_ask(w, &w->lan), SAY_EXISTS);
    CHECK_INT("no new version", world_area(w, "vn/08/070")->programme.version,
              version);
    w->at_ms = START + HOUR_MS;
    add(w, "again when it is over", 1, "vn/08/070", START, SAY_OK);
    w->at_ms = WORLD_AT_MS;
    world_about(w, SCHEDULER_CANCEL, 1);
    CHECK_INT("cancel", world_ask(w, &w->lan), SAY_OK);
    add(w, "again when it is cancelled", 1, "vn/08/070", START, SAY_EXISTS);
    world_free(w);
}

static void test_dry_run(void)
{
    struct world *w = world_new("vn/08");

    world_add(w, 1, "vn/08/070", START)->dry_run = true;
    CHECK_INT("add", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("add", w->up.durable, 0);
    CHECK_INT("shows it", w->up.answer->entries[0], BULLETIN_NONE);
    CHECK_INT("not there", w->core.plan.index.rows_n, 0);
    add(w, "now really", 1, "vn/08/070", START, SAY_OK);
    world_add(w, 2, "vn/08/070", START)->dry_run = true;
    CHECK_INT("conflict", world_ask(w, &w->lan), SAY_CONFLICT);
    CHECK_INT("proposal", w->up.answer->proposed_start_at_ms, START + 600000);
    world_about(w, SCHEDULER_CHANGE, 1)->start_at_ms = START + HOUR_MS;
    w->request.dry_run = true;
    CHECK_INT("change", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("change", w->up.durable, 0);
    add(w, "still there", 2, "vn/08/070", START, SAY_CONFLICT);
    world_free(w);
}

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
    test_add();
    test_refusals();
    test_areas_must_be_known();
    test_rights();
    test_approvals();
    test_same_id();
    test_dry_run();
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
