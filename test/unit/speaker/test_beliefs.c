/* The whole core, in stories. What is not believed is not played. */

#include "story.h"

static void test_plays_once_on_time(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("plays", world_plays(&w, 1), 1);
    CHECK_INT("first sample", w.plays[0].first_at_us,
              (T0 + 10 * SECOND) * 1000);
    CHECK_INT("samples", w.plays[0].samples_n, speech.m.duration_ms * 48);
    CHECK_INT("received", world_receipts(&w, 1, RECEIPT_RECEIVED, ""), 1);
    CHECK_INT("verified", world_receipts(&w, 1, RECEIPT_VERIFIED, ""), 1);
    CHECK_INT("started", world_receipts(&w, 1, RECEIPT_STARTED, ""), 1);
    CHECK_INT("finished", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
    CHECK_INT("all", w.rows_n, 4);
    CHECK_INT("acked", w.s.receipts.acked, 4);
}

/* --- one row, one way to be refused --------------------------------------- */

struct refusal {
    const char *name;
    void (*twist)(struct town_bulletin *b, struct letter *approval);
    enum receipt_event event; /* 0: the device says nothing. */
    const char *reason;
};

static void no_approval(struct town_bulletin *b, struct letter *a)
{
    (void)a;
    b->unapproved = true;
}

static void approve(struct town_bulletin *b,
                    struct letter *a,
                    const struct town_content *c,
                    const struct twist *t)
{
    town_approval(&town, c, t, T0, a);
    b->approval = a;
}

static void approved_elsewhere(struct town_bulletin *b, struct letter *a)
{
    approve(b, a, b->content, &(struct twist){.area = OTHER});
}

static void approval_expires_before(struct town_bulletin *b, struct letter *a)
{
    approve(b, a, b->content, &(struct twist){.valid_ms = 5 * SECOND});
}

static void approved_by_scheduler(struct town_bulletin *b, struct letter *a)
{
    approve(b, a, b->content, &(struct twist){.by = &town.scheduler});
}

static void approval_of_another_content(struct town_bulletin *b,
                                        struct letter *a)
{
    approve(b, a, &other, NULL);
}

static void approval_altered(struct town_bulletin *b, struct letter *a)
{
    approve(b, a, b->content, NULL);
    a->data[a->len - 1] ^= 1; /* In the signature. */
}

static void approval_in_future(struct town_bulletin *b, struct letter *a)
{
    approve(b, a, b->content, &(struct twist){.issued_at_ms = T0 + HOUR});
}

static const struct refusal refusals[] = {
    {"no approval", no_approval, RECEIPT_REFUSED, "unapproved"},
    {"for another area", approved_elsewhere, RECEIPT_REFUSED, "not-for-us"},
    {"expired at play time", approval_expires_before, RECEIPT_REFUSED,
     "expired"},
    {"no power", approved_by_scheduler, RECEIPT_REFUSED, NULL},
    {"another content", approval_of_another_content, RECEIPT_REFUSED,
     "unapproved"},
    {"altered", approval_altered, RECEIPT_REFUSED, "bad-signature"},
    {"from the future", approval_in_future, RECEIPT_REFUSED, "future"},
};

static void test_refusals(void)
{
    static struct letter approval;

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *r = &refusals[i];
        struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, 0};

        r->twist(&b, &approval);
        ready(&b, 1, NULL);
        world_run(&w, T0 + HOUR);
        CHECK_INT(r->name, w.plays_n, 0);
        CHECK_INT(r->name, world_receipts(&w, 1, r->event, r->reason), 1);
    }
}

/* Two locks are two people, not two keys of one. */
static void test_one_person_approves_and_schedules(void)
{
    static struct town other_town;
    static struct person planner;
    static struct letter approval;
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, &approval, 0};

    town_init(&other_town);
    person_make(&planner, &other_town.province, 40, LOA_ROLE_STAFF, "hoa",
                "vn/08", "", LOA_POWER_SCHEDULE);
    town_approval(&other_town, &speech,
                  &(struct twist){.by = &other_town.second}, T0, &approval);
    world_init(&w, &other_town);
    world_boot(&w, NULL);
    world_connect(&w);
    town_programme(&other_town, NULL, (uint64_t)T0, &b, 1,
                   &(struct twist){.by = &planner}, T0, &l);
    world_give(&w, "programme", NULL, false, &l, true);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("plays", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "quorum"), 1);
}

/* A stolen scheduler says that it is next year: silence, but only until its key
 * is revoked, also over a reboot. */
static void test_time_poisoned_by_a_head(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 60 * SECOND}, NULL, 0};
    struct twist now = {.issued_at_ms = T0};

    ready(&b, 1, NULL);
    town_head(&town, NULL, T0 + 300 * DAY, 1, NULL, &now, &l);
    world_give(&w, "head", NULL, false, &l, true);
    CHECK_INT("later than its signature", w.s.time.ahead_ms, 0);
    CHECK_INT("refused", w.s.refused_n, 1);
    town_head(&town, NULL, T0 + 2000 * DAY, 1, NULL, NULL, &l);
    world_give(&w, "head", NULL, false, &l, true);
    CHECK_INT("later than its certificate", w.s.time.ahead_ms, 0);
    town_head(&town, NULL, T0 + 300 * DAY, 1, NULL, NULL, &l);
    world_give(&w, "head", NULL, false, &l, true);
    world_run(&w, T0 + 3 * SECOND);
    CHECK_INT("one of the clocks is wrong", w.s.time.trusted, 0);
    CHECK_INT("no floor", w.s.time.floor_ms < T0 + DAY, 1);
    world_run(&w, T0 + 20 * SECOND);
    world_event(&w, SPEAKER_STOPPING);
    world_boot(&w, NULL);
    world_connect(&w);
    CHECK_INT("still", w.s.time.trusted, 0);
    town_trust(&town, 1, &town.second, T0, &l);
    world_give(&w, "trust", NULL, false, &l, true);
    CHECK_INT("it counts no more", w.s.time.trusted, 1);
    world_run(&w, T0 + 2 * MINUTE);
    CHECK_INT("plays", world_plays(&w, 1), 1);
}

/* --- programmes that are not believed ------------------------------------- */

struct disbelief {
    const char *name;
    struct twist twist;
    const char *topic_area; /* NULL: the device's. */
    int64_t version_off_ms;
};

static void test_programmes_not_believed(void)
{
    static const struct disbelief rows[] = {
        {"by an approver", {.by = &town.approver}, NULL, 0},
        {"by a device's neighbour", {.by = &town.collector}, NULL, 0},
        {"for another area", {.area = OTHER}, NULL, 0},
        {"under another topic", {.area = "vn/08"}, NULL, 0},
        {"expired", {.issued_at_ms = T0 - HOUR, .valid_ms = MINUTE}, NULL, 0},
        {"from the future", {.issued_at_ms = T0 + HOUR}, NULL, 0},
        {"no certificates", {.no_certificates = true}, NULL, 0},
        {"version two days ahead", {0}, NULL, 2 * DAY},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, 0};

        world_init(&w, &town);
        world_boot(&w, NULL);
        world_connect(&w);
        town_programme(&town, NULL, (uint64_t)(T0 + rows[i].version_off_ms), &b,
                       1, &rows[i].twist, T0, &l);
        world_give(&w, "programme", NULL, false, &l, true);
        world_push(&w, &speech, 0);
        world_run(&w, T0 + MINUTE);
        CHECK_INT(rows[i].name, w.s.programmes.held_n, 0);
        CHECK_INT(rows[i].name, w.plays_n + w.rows_n, 0);
        CHECK_INT(rows[i].name, w.s.refused_n >= 1, 1);
    }
}

static void test_older_version_refused(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct town_bulletin evil = {2, 0, &other, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    town_programme(&town, NULL, (uint64_t)T0 - 1, &evil, 1, NULL, T0, &l);
    world_give(&w, "programme", NULL, false, &l, true);
    CHECK_INT("still the newer", w.s.programmes.held[0]->version, T0);
    /* Not even when the newer one is lost from the disk. */
    world_kill(&w);
    world_programme(&w, OWN)->there = false;
    world_boot(&w, NULL);
    world_connect(&w);
    world_give(&w, "programme", NULL, false, &l, true);
    CHECK_INT("not after a loss", w.s.programmes.held_n, 0);
    town_programme(&town, NULL, (uint64_t)T0, &b, 1, NULL, T0, &l);
    world_give(&w, "programme", NULL, false, &l, true);
    CHECK_INT("the same again is welcome", w.s.programmes.held_n, 1);
}

/* --- nonsense ------------------------------------------------------------- */

/* No envelope at all, and a good envelope around nonsense. */
static void test_malformed(void)
{
    static const struct {
        const char *kind;
        enum loa_type type;
        const struct person *by;
        bool to_me;
    } rows[] = {
        {"programme", LOA_TYPE_PROGRAMME, &town.scheduler, false},
        {"head", LOA_TYPE_HEAD, &town.scheduler, false},
        {"command", LOA_TYPE_COMMAND, &town.commander, false},
        {"trust", LOA_TYPE_TRUST, &town.registry, false},
        {"ack", LOA_TYPE_ACK, &town.collector, true},
        {"content", LOA_TYPE_PROGRAMME, &town.scheduler, false},
    };
    static const uint8_t nonsense[] = {0x0a, 0xff, 0x01, 0x02};

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct twist t = {.valid_ms = MINUTE, .counter = 1};

        memcpy(l.data, nonsense, sizeof nonsense);
        l.len = sizeof nonsense;
        world_give(&w, rows[i].kind, NULL, rows[i].to_me, &l, false);
        CHECK_INT(rows[i].kind, w.s.refused_n, 2 * i + 1);
        t.area = rows[i].type == LOA_TYPE_TRUST ? "vn/08" : OWN;
        seal(&town, rows[i].type, rows[i].by,
             (struct loa_bytes){nonsense, sizeof nonsense}, &t, T0, &l);
        world_give(&w, rows[i].kind, t.area, rows[i].to_me, &l, false);
        CHECK_INT(rows[i].kind, w.s.refused_n, 2 * i + 2);
    }
    world_run(&w, T0 + MINUTE);
    CHECK_INT("nothing came of it", w.all_n + w.plays_n, 0);
}

/* What is for others, or for nobody, is not even looked at. */
static void test_other_topics(void)
{
    static const char *const topics[] = {
        "loa/1/down/programme/vn/09",
        "loa/1/down/command/vn/08/070/02215/@pole_2",
        "loa/1/up/state/vn/08/070/02215/@pole_1",
        "loa/1/down/ack/vn/08/070/02215",
        "loa/1/down/programme/vn/08/070/02215/@pole_1",
        "loa/1/down/alert/vn",
        "nonsense",
    };

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        struct speaker_event ev = {.type = SPEAKER_MESSAGE,
                                   .topic = topics[i],
                                   .body = {(const uint8_t *)"x", 1}};

        world_feed(&w, &ev);
        CHECK_INT(topics[i], w.s.refused_n, 0);
    }
}

int main(void)
{
    if (story_init() < 0)
        return 1;
    test_plays_once_on_time();
    test_refusals();
    test_one_person_approves_and_schedules();
    test_time_poisoned_by_a_head();
    test_programmes_not_believed();
    test_older_version_refused();
    test_malformed();
    test_other_topics();
    return CHECK_DONE();
}
