/* Requests: what is taken, what is refused, what is the same again. */

#include "add.h"

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

int main(void)
{
    test_add();
    test_refusals();
    test_areas_must_be_known();
    test_rights();
    test_approvals();
    test_same_id();
    test_dry_run();
    return CHECK_DONE();
}
