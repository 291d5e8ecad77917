/* What happens without being asked: days that begin, certificates that are
 * revoked, bulletins that end, a process that starts again. */

#include "check.h"
#include "scheduler/tables.h"

static void test_days(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r = world_add(w, 1, "vn/08/070", START);
    const struct area *a;

    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 10 * LOA_DAY_MS;
    CHECK_INT("daily, 11 times", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("today and 8 days",
              world_programme(w, "vn/08/070")->bulletins[0]->n_starts_at_ms, 9);
    add(w, 2, "vn/08/071", START + 2 * LOA_DAY_MS);
    add(w, 3, "vn/08/072", START + 20 * LOA_DAY_MS);
    world_settle(w);

    CHECK_INT("the same day", roll(w, MIDNIGHT + LOA_DAY_MS - 1), 0);
    CHECK_INT("the next day", roll(w, MIDNIGHT + LOA_DAY_MS), 1);
    CHECK_INT("one came, one went", world_programme(w, "vn/08/070") != NULL, 1);
    CHECK_INT("today and 8 days",
              world_programme(w, "vn/08/070")->bulletins[0]->n_starts_at_ms, 9);
    CHECK_INT("another day", roll(w, MIDNIGHT + 2 * LOA_DAY_MS), 1);
    /* All are listed now; nothing changes until something is over. */
    CHECK_INT("bulletin 2 is over", roll(w, MIDNIGHT + 3 * LOA_DAY_MS), 1);
    CHECK_INT("its area is empty", world_programme(w, "vn/08/071")->n_bulletins,
              0);
    CHECK_INT("nothing new", roll(w, MIDNIGHT + 4 * LOA_DAY_MS), 0);
    CHECK_INT("nothing new", roll(w, MIDNIGHT + 10 * LOA_DAY_MS), 0);
    a = world_area(w, "vn/08/070");
    CHECK_INT("lasts to the end",
              a->programme.expires_at_ms > START + 10 * LOA_DAY_MS + 600000, 1);
    /* 11 days on the last one is over; empty programmes are renewed before
     * they expire; bulletin 3 is still too far away, then it is not. */
    CHECK_INT("over, and renewed", roll(w, MIDNIGHT + 12 * LOA_DAY_MS), 3);
    CHECK_INT("the far one came", world_programme(w, "vn/08/072")->n_bulletins,
              1);
    CHECK_INT("a clock put right a little moves nothing",
              roll(w, MIDNIGHT + 12 * LOA_DAY_MS - MINUTE_MS), 0);
    world_free(w);
}

static void test_leaves_when_over(void)
{
    struct world *w = world_new("vn");

    /* It sounds over midnight: the new day must not cut it. */
    add(w, 1, "vn/08/070", MIDNIGHT + LOA_DAY_MS - 5 * MINUTE_MS);
    CHECK_INT("at midnight", roll(w, MIDNIGHT + LOA_DAY_MS), 0);
    add(w, 2, "vn/08/070", MIDNIGHT + LOA_DAY_MS + HOUR_MS);
    CHECK_INT("while it sounds", world_programme(w, "vn/08/070")->n_bulletins,
              2);
    w->at_ms = MIDNIGHT + LOA_DAY_MS + 5 * MINUTE_MS;
    add(w, 3, "vn/08/070", MIDNIGHT + LOA_DAY_MS + 2 * HOUR_MS);
    CHECK_INT("when it has ended", world_programme(w, "vn/08/070")->n_bulletins,
              2);
    world_free(w);
}

/* --- revocation ----------------------------------------------------------- */

static void test_approver_revoked(void)
{
    struct world *w = world_new("vn");
    struct bulletin *b = w->core.plan.bulletins;

    for (uint8_t i = 0; i < 100; i++)
        add(w, (uint8_t)(1 + i), "vn/08/070", START + i * 20 * MINUTE_MS);
    add(w, 200, "vn/08/071/07101", START + HOUR_MS);
    world_add(w, 201, "vn/08/072", START + HOUR_MS)->approval =
        world_approval(w, &w->hoa, "vn", 2, 600000, START + 30 * LOA_DAY_MS);
    CHECK_INT("approved by somebody else", world_ask(w, &w->lan), SAY_OK);
    w->at_ms = START + 25 * MINUTE_MS;
    CHECK_INT("two programmes", world_revoke(w, &w->minh, 1), 2);
    CHECK_INT("it was over", b[0].why, BULLETIN_STANDS);
    CHECK_INT("gone while it sounds", b[1].why, BULLETIN_APPROVER_REVOKED);
    CHECK_INT("gone", b[99].why, BULLETIN_APPROVER_REVOKED);
    CHECK_INT("gone", b[100].why, BULLETIN_APPROVER_REVOKED);
    CHECK_INT("stands", b[101].why, BULLETIN_STANDS);
    CHECK_INT("empty", world_area(w, "vn/08/070")->programme.bulletins_n, 0);
    CHECK_INT("stays", world_area(w, "vn/08/072")->programme.bulletins_n, 1);
    world_add(w, 202, "vn/08/070", START + 2 * HOUR_MS);
    CHECK_INT("a new one", world_ask(w, &w->lan), SAY_REVOKED);
    world_free(w);
}

static void test_requester_revoked(void)
{
    struct world *w = world_new("vn");
    struct bulletin *b = w->core.plan.bulletins;

    add(w, 1, "vn/08/070", START);
    world_add(w, 2, "vn/08/070", START + HOUR_MS);
    CHECK_INT("by the district", world_ask(w, &w->district), SAY_OK);
    CHECK_INT("one programme", world_revoke(w, &w->district, 1), 1);
    CHECK_INT("lan's stands", b[0].why, BULLETIN_STANDS);
    CHECK_INT("the district's does not", b[1].why, BULLETIN_REQUESTER_REVOKED);
    CHECK_INT("one is left", world_programme(w, "vn/08/070")->n_bulletins, 1);

    /* Whoever changes a bulletin answers for it from then on. */
    world_about(w, SCHEDULER_CHANGE, 1)->start_at_ms = START + 2 * HOUR_MS;
    CHECK_INT("moved", world_ask(w, &w->province), SAY_OK);
    CHECK_INT("nothing", world_revoke(w, &w->lan, 2), 0);
    CHECK_INT("stands", b[0].why, BULLETIN_STANDS);
    world_free(w);
}

/* By the key alone: the registry never saw the certificate that she had. */
static void test_revoked_by_key(void)
{
    struct world *w = world_new("vn");
    struct bulletin *b = w->core.plan.bulletins;

    world_add(w, 1, "vn/08/070", START);
    CHECK_INT("a district's", world_ask(w, &w->district), SAY_OK);
    add(w, 2, "vn/08/071", START);
    world_settle(w);
    CHECK_INT("one programme",
              world_list(w, &w->district,
                         loa_key_number(w->district.certificate.subject), 1),
              1);
    CHECK_INT("the district's is gone", b[0].why, BULLETIN_REQUESTER_REVOKED);
    CHECK_INT("lan's stays", b[1].why, BULLETIN_STANDS);
    CHECK_INT(
        "an approver's",
        world_list(w, &w->minh, loa_key_number(w->minh.certificate.subject), 2),
        1);
    CHECK_INT("with it", b[1].why, BULLETIN_APPROVER_REVOKED);
    world_free(w);
}

static void test_clock_cancels_nothing(void)
{
    struct world *w = world_new("vn");
    struct scheduler_event ev = {.type = SCHEDULER_TRUST};

    add(w, 1, "vn/08/070", START);
    w->at_ms = WORLD_AT_MS - 4000 * LOA_DAY_MS; /* No certificate is valid. */
    world_step(w, &ev);
    world_settle(w);
    CHECK_INT("stands", w->core.plan.bulletins[0].why, BULLETIN_STANDS);
    world_free(w);
}

/* Only the coming days were looked at: the rest of a series fell silent on the
 * day its approval ended, and no list showed it. */
static void test_approval_that_ends_before_the_series(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r = world_add(w, 1, "vn/08/070", START);
    const struct bulletin *b = w->core.plan.bulletins;

    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 100 * LOA_DAY_MS;
    r->approval = world_approval(w, &w->minh, "vn", 1, 600000,
                                 START + 20 * LOA_DAY_MS + HOUR_MS);
    CHECK_INT("taken", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("and told of",
              strstr(w->up.answer->say.en, "ends before") != NULL, 1);
    CHECK_INT("the first one missing", plan_uncovered(b, w->at_ms),
              START + 21 * LOA_DAY_MS);
    world_settle(w);
    roll(w, START + 90 * LOA_DAY_MS);
    CHECK_INT("nothing is said", world_programme(w, "vn/08/070")->n_bulletins,
              0);
    world_about(w, SCHEDULER_FIND, 0)->by_id = false;
    CHECK_INT("ls", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("shows it", w->up.answer->entries_n, 1);
    CHECK_INT("from today on", plan_uncovered(b, w->at_ms),
              START + 90 * LOA_DAY_MS);
    world_about(w, SCHEDULER_CHANGE, 1)->approval =
        world_approval(w, &w->hoa, "vn", 1, 600000, START + 200 * LOA_DAY_MS);
    CHECK_INT("approved again", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("none is missing", plan_uncovered(b, w->at_ms), SLOTS_NONE);
    CHECK_INT("and it is said", world_programme(w, "vn/08/070")->n_bulletins,
              1);
    roll(w, START + 101 * LOA_DAY_MS);
    world_about(w, SCHEDULER_CANCEL, 1);
    CHECK_INT("over", world_ask(w, &w->lan), SAY_PAST);
    roll(w, START + 137 * LOA_DAY_MS);
    CHECK_INT("forgotten", w->core.plan.index.rows_n, 0);
    world_free(w);
}

static void test_forget(void)
{
    struct world *w = world_new("vn");

    add(w, 1, "vn/08/070", START);
    add(w, 2, "vn/08/070", START + 20 * LOA_DAY_MS);
    add(w, 3, "vn/08/070", START + 2 * HOUR_MS);
    world_about(w, SCHEDULER_CANCEL, 3);
    CHECK_INT("cancel", world_ask(w, &w->lan), SAY_OK);
    roll(w, START + 34 * LOA_DAY_MS);
    CHECK_INT("remembered", w->core.plan.index.rows_n, 3);
    roll(w, START + 37 * LOA_DAY_MS);
    CHECK_INT("the old ones are forgotten", w->core.plan.index.rows_n, 1);
    CHECK_INT("an approval is left", w->core.plan.approvals.index.rows_n, 1);
    roll(w, START + 60 * LOA_DAY_MS);
    CHECK_INT("all", w->core.plan.index.rows_n, 0);
    CHECK_INT("no approval is left", w->core.plan.approvals.index.rows_n, 0);
    CHECK_INT("no certificate is left",
              w->core.plan.approvals.certificate_index.rows_n, 0);
    CHECK_INT("no placement is left", world_area(w, "vn/08/070")->placement,
              ROW_NONE);
    world_free(w);
}

/* --- limits --------------------------------------------------------------- */

static void test_programme_limits(void)
{
    struct world *w = world_new("vn");
    enum say_code code = SAY_OK;
    uint8_t n = 0;

    /* One content, many bulletins: the number ends it. */
    while (code == SAY_OK && n < 255) {
        n++;
        world_add(w, n, "vn/08/070", START + n * 20 * MINUTE_MS);
        code = world_ask(w, &w->lan);
    }
    CHECK_INT("too many", code, SAY_TOO_LARGE);
    CHECK_INT("limit", n - 1, PROGRAMME_BULLETINS_MAX);
    world_add(w, 255, "vn/08/070", START + n * 20 * MINUTE_MS)->dry_run = true;
    CHECK_INT("a dry run says so too", world_ask(w, &w->lan), SAY_TOO_LARGE);
    world_add(w, 255, "vn/08/070", START + 30 * LOA_DAY_MS);
    CHECK_INT("in a month there is room", world_ask(w, &w->lan), SAY_OK);
    world_add(w, 254, "vn/08/070/07001", START);
    CHECK_INT("another area, the same minutes", world_ask(w, &w->lan), SAY_OK);
    world_free(w);

    /* Many contents with long titles: the bytes end it, and what was accepted
     * does fit. */
    w = world_new("vn");
    code = SAY_OK;
    for (n = 0; code == SAY_OK && n < 255; n++) {
        struct scheduler_request *r =
            world_add(w, n, "vn/08/070", START + n * 10 * MINUTE_MS);

        memset(r->title, 'x', sizeof r->title - 1);
        r->frequency = SLOTS_DAILY;
        r->until_ms = r->start_at_ms + 100 * LOA_DAY_MS;
        r->approval = world_approval(w, &w->minh, "vn", n, 300000,
                                     START + 200 * LOA_DAY_MS);
        code = world_ask(w, &w->lan);
    }
    CHECK_INT("too large", code, SAY_TOO_LARGE);
    CHECK_INT("not for the number", n < PROGRAMME_BULLETINS_MAX, 1);
    CHECK_INT("but many", n > 60, 1);
    for (int day = 1; day < 20; day++) {
        roll(w, WORLD_AT_MS + day * LOA_DAY_MS);
        CHECK_INT("all are listed",
                  world_area(w, "vn/08/070")->programme.bulletins_n, n - 1);
    }
    world_free(w);
}

static void test_tables_full(void)
{
    struct world *w = world_new("vn");
    uint32_t n = 0;

    while (n < w->conf.limits.bulletins) {
        struct scheduler_request *r =
            world_add(w, 1, "vn/08/070", START + (int64_t)n * (3 * HOUR_MS));

        memcpy(r->bulletin_id, &n, sizeof n);
        CHECK_INT("room", world_ask(w, &w->lan), SAY_OK);
        n++;
    }
    world_add(w, 1, "vn/08/071", START);
    CHECK_INT("full", world_ask(w, &w->lan), SAY_BUSY);
    CHECK_INT("full", w->up.durable, 0);
    /* A time was proposed that could not be had, and a dry run ended well. */
    world_add(w, 1, "vn/08/070", START);
    CHECK_INT("full and taken", world_ask(w, &w->lan), SAY_BUSY);
    CHECK_INT("no proposal", w->up.answer->proposed_start_at_ms, 0);
    world_add(w, 1, "vn/08/071", START)->dry_run = true;
    CHECK_INT("full, dry", world_ask(w, &w->lan), SAY_BUSY);
    world_free(w);
}

/* --- starting again ------------------------------------------------------- */

/* Only the certificate above the asker's fell, and his bulletins stayed. */
static void test_asker_s_issuer_revoked(void)
{
    static struct tables t;
    struct world *w = world_new("vn");
    const struct bulletin *b;

    for (uint8_t i = 1; i <= 3; i++) {
        world_add(w, i, "vn/08/070", START + i * HOUR_MS);
        CHECK_INT("add", world_ask(w, i == 2 ? &w->lan : &w->nga), SAY_OK);
        write_bulletins(&t, w), write_programmes(&t, w);
    }
    start_again(w, &t);
    b = w->core.plan.bulletins;
    world_settle(w);
    CHECK_INT("an approver beside it", world_revoke(w, &w->hoa, 1), 0);
    CHECK_INT("one programme", world_revoke(w, &w->office, 2), 1);
    CHECK_INT("nga's is gone", b[0].why, BULLETIN_REQUESTER_REVOKED);
    CHECK_INT("lan's stands", b[1].why, BULLETIN_STANDS);
    CHECK_INT("nga's is gone", b[2].why, BULLETIN_REQUESTER_REVOKED);
    CHECK_INT("one is left", world_programme(w, "vn/08/070")->n_bulletins, 1);
    world_free(w);
}

/* The verdict over an asker was remembered by his own certificate alone, so
 * what he had asked for with the renewed certificate of his office fell with
 * what he had asked for with its old one, or stood with it. */
static void test_asker_judged_by_another_chain(void)
{
    for (int old_first = 0; old_first < 2; old_first++) {
        struct world *w = world_new("vn");
        struct person office, nga;
        struct bulletin *b = w->core.plan.bulletins;

        world_issue(&office, &w->province.key, &w->province, "office",
                    LOA_ROLE_AUTHORITY, "vn/08", LOA_POWERS_ALL, 10);
        world_issue(&nga, &office.key, &office, "nga", LOA_ROLE_STAFF, "vn/08",
                    LOA_POWER_SCHEDULE, 8);
        world_add(w, 1, "vn/08/070", START);
        CHECK_INT("first", world_ask(w, old_first ? &w->nga : &nga), SAY_OK);
        world_add(w, 2, "vn/08/070", START + HOUR_MS);
        CHECK_INT("second", world_ask(w, old_first ? &nga : &w->nga), SAY_OK);
        CHECK_INT("one programme", world_revoke(w, &w->office, 1), 1);
        CHECK_INT("by the old one", b[!old_first].why,
                  BULLETIN_REQUESTER_REVOKED);
        CHECK_INT("by the renewed one", b[old_first].why, BULLETIN_STANDS);
        world_free(w);
    }
}

static void test_approver_s_issuer_revoked(void)
{
    struct world *w = world_new("vn");
    struct bulletin *b = w->core.plan.bulletins;

    world_add(w, 1, "vn/08/070", START)->approval =
        world_approval(w, &w->duy, "vn/08", 2, 600000, START + LOA_DAY_MS);
    CHECK_INT("approved by duy", world_ask(w, &w->lan), SAY_OK);
    add(w, 2, "vn/08/070", START + HOUR_MS);
    CHECK_INT("one programme", world_revoke(w, &w->office, 1), 1);
    CHECK_INT("gone", b[0].why, BULLETIN_APPROVER_REVOKED);
    CHECK_INT("stands", b[1].why, BULLETIN_STANDS);
    world_free(w);
}

static void test_restart(void)
{
    static struct tables t;
    struct world *w = world_new("vn");
    uint64_t revision;

    add(w, 1, "vn/08/070", START);
    write_bulletins(&t, w), write_programmes(&t, w);
    add(w, 2, "vn/08", START + HOUR_MS);
    write_bulletins(&t, w), write_programmes(&t, w);
    add(w, 3, "vn/08/071", START + 40 * LOA_DAY_MS);
    write_bulletins(&t, w), write_programmes(&t, w);
    revision = w->core.revision;

    start_again(w, &t);
    CHECK_INT("nothing is to be done", world_settle(w), 0);
    CHECK_INT("revision goes on", w->core.revision, revision);
    add(w, 1, "vn/08/070", START);
    CHECK_INT("known", w->up.durable, 0);
    world_add(w, 4, "vn/08/070", START + 5 * MINUTE_MS);
    CHECK_INT("collides still", world_ask(w, &w->lan), SAY_CONFLICT);
    add(w, 5, "vn/08/070", START + 2 * HOUR_MS);
    CHECK_INT("version rises", world_programme(w, "vn/08/070")->version,
              WORLD_AT_MS + 1);
    write_bulletins(&t, w), write_programmes(&t, w);

    /* A revocation whose bulletins were written, but not the programmes. */
    {
        struct scheduler_event ev = {.type = SCHEDULER_TRUST};

        w->trust.revoked.number = 1;
        w->trust.revoked.entries_n = w->trust.revoked.serials_n = 1;
        strcpy(w->trust.revoked.area, "vn");
        memcpy(w->trust.revoked.entries[0].issuer, w->minh.certificate.issuer,
               LOA_KEY_BYTES);
        w->trust.revoked.entries[0].serials_n = 1;
        w->trust.revoked.serials[0] = w->minh.certificate.serial;
        world_step(w, &ev);
        CHECK_INT("cancelled", w->up.bulletins_n, 4);
        CHECK_INT("not yet made", w->up.programmes_n, 0);
        write_bulletins(&t, w);
    }
    start_again(w, &t);
    CHECK_INT("made after the restart", world_settle(w), 2);
    CHECK_INT("and once only", world_settle(w), 0);
    CHECK_INT("empty", world_area(w, "vn/08/070")->programme.bulletins_n, 0);
    CHECK_INT("empty", world_area(w, "vn/08")->programme.bulletins_n, 0);
    CHECK_INT("never had one", world_area(w, "vn/08/071")->programme.version,
              0);

    /* A process that was away for a month. */
    w->at_ms = START + 35 * LOA_DAY_MS;
    start_again(w, &t);
    world_settle(w);
    CHECK_INT("why is remembered", w->core.plan.bulletins[0].why,
              BULLETIN_APPROVER_REVOKED);
    world_free(w);
}

/* The broker holds what our tables have forgotten. */
static void test_seen(void)
{
    struct world *w = world_new("vn");
    struct scheduler_event ev = {.type = SCHEDULER_SEEN,
                                 .seen_area = "vn/08/070",
                                 .seen_version = WORLD_AT_MS};

    add(w, 1, "vn/08/070", START);
    world_settle(w);
    world_step(w, &ev);
    CHECK_INT("ours", world_settle(w), 0);
    ev.seen_version = WORLD_AT_MS + 5;
    world_step(w, &ev);
    CHECK_INT("newer than ours", world_settle(w), 1);
    CHECK_INT("above it", world_programme(w, "vn/08/070")->version,
              WORLD_AT_MS + 6);
    CHECK_INT("as planned", world_programme(w, "vn/08/070")->n_bulletins, 1);
    ev.seen_area = "vn/08/071";
    world_step(w, &ev);
    CHECK_INT("of an area that never had one", world_settle(w), 1);
    CHECK_INT("says nothing", world_programme(w, "vn/08/071")->n_bulletins, 0);
    world_free(w);
}

/* Each made an area and a programme in the tables: with our key, more than the
 * next start could read. */
static void test_seen_programmes_make_no_areas(void)
{
    struct world *w = world_new("vn");
    uint32_t rows_n = w->core.plan.areas.rows_n;
    char area[LOA_AREA_CAP];
    struct scheduler_event ev = {.type = SCHEDULER_SEEN,
                                 .seen_area = area,
                                 .seen_version = WORLD_AT_MS + 5};

    world_settle(w);
    for (int i = 0; i < 100; i++) {
        snprintf(area, sizeof area, "vn/08/x%d", i);
        world_step(w, &ev);
        CHECK_INT("nothing is made", world_settle(w), 0);
    }
    CHECK_INT("no area more", w->core.plan.areas.rows_n, rows_n);
    world_free(w);
}

static void test_same_steps_same_bytes(void)
{
    struct world *a = world_new("vn"), *b = world_new("vn");

    for (uint8_t i = 0; i < 40; i++) {
        const char *area = world_areas[i % WORLD_AREAS_N];
        int64_t start_ms = START + (i % 7) * 5 * MINUTE_MS;

        world_add(a, i, area, start_ms)->class = 1 + i % 2;
        world_add(b, i, area, start_ms)->class = 1 + i % 2;
        CHECK_INT("code", world_ask(a, &a->lan), world_ask(b, &b->lan));
        CHECK_INT("proposal", a->up.answer->proposed_start_at_ms,
                  b->up.answer->proposed_start_at_ms);
        CHECK_INT("sentence",
                  strcmp(a->up.answer->say.vi, b->up.answer->say.vi), 0);
        CHECK_INT("programmes", a->up.programmes_n, b->up.programmes_n);
        for (uint32_t k = 0; k < a->up.programmes_n; k++) {
            struct loa_bytes x = a->up.programmes[k].envelope,
                             y = b->up.programmes[k].envelope;

            CHECK_INT("length", x.len, y.len);
            CHECK_INT("bytes", memcmp(x.data, y.data, x.len), 0);
        }
    }
    world_free(a);
    world_free(b);
}

int main(void)
{
    test_days();
    test_leaves_when_over();
    test_approver_revoked();
    test_requester_revoked();
    test_revoked_by_key();
    test_clock_cancels_nothing();
    test_approval_that_ends_before_the_series();
    test_forget();
    test_programme_limits();
    test_tables_full();
    test_asker_s_issuer_revoked();
    test_asker_judged_by_another_chain();
    test_approver_s_issuer_revoked();
    test_restart();
    test_seen();
    test_seen_programmes_make_no_areas();
    test_same_steps_same_bytes();
    return CHECK_DONE();
}
