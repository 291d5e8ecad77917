/* The whole core, in stories: what happens at which time, what sounds. */

#include "check.h"
#include "world.h"

static struct town town;
static struct world w;
static struct town_content speech, other, jingle;
static struct letter l;

/* A device that is connected, with the speech planned and complete. */
static void ready(struct town_bulletin *b, size_t n, const struct twist *twist)
{
    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    town_programme(&town, NULL, (uint64_t)T0, b, n, twist, T0, &l);
    world_give(&w, "programme", NULL, false, &l, true);
    for (size_t i = 0; i < n; i++)
        world_push(&w, b[i].content, 0);
    world_run(&w, T0 + 1 * SECOND);
}

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

/* --- changes -------------------------------------------------------------- */

static void publish(uint64_t version, struct town_bulletin *b, size_t n)
{
    town_programme(&town, NULL, version, b, n, NULL, world_at_ms(&w), &l);
    world_give(&w, "programme", NULL, false, &l, true);
}

static void test_cancelled_before_start(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    /* 1.5 s before, while it is prepared, and in the last moment. */
    static const int64_t at_ms[] = {T0 + 8500, T0 + 9500, T0 + 9995};

    for (size_t i = 0; i < 3; i++) {
        ready(&b, 1, NULL);
        world_run(&w, at_ms[i]);
        publish((uint64_t)T0 + 1, NULL, 0);
        world_run(&w, T0 + HOUR);
        CHECK_INT("cancelled", w.plays_n, 0);
        CHECK_INT("not started", world_receipts(&w, 1, RECEIPT_STARTED, NULL),
                  0);
    }
}

static void test_moved(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    b.starts[0] = T0 + 30 * SECOND;
    publish((uint64_t)T0 + 1, &b, 1);
    world_run(&w, T0 + HOUR);
    CHECK_INT("plays", w.plays_n, 1);
    CHECK_INT("when", w.plays[0].first_at_us / 1000, T0 + 30 * SECOND);
    CHECK_INT("told again", world_receipts(&w, 1, RECEIPT_RECEIVED, ""), 2);
    CHECK_INT("verified once", world_receipts(&w, 1, RECEIPT_VERIFIED, ""), 1);
}

static void test_cancelled_while_playing(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 10 * SECOND + 500);
    CHECK_INT("plays", speaker_sounding(&w.s), 1);
    publish((uint64_t)T0 + 1, NULL, 0);
    CHECK_INT("silent at once", speaker_sounding(&w.s), 0);
    world_run(&w, T0 + HOUR);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "cancelled"),
              1);
    CHECK_INT("not finished", world_receipts(&w, 1, RECEIPT_FINISHED, NULL), 0);
}

static void test_replaced_while_playing(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 10 * SECOND + 500);
    b.content = &other;
    publish((uint64_t)T0 + 1, &b, 1);
    CHECK_INT("silent", speaker_sounding(&w.s), 0);
}

/* A plan drops what is over, by its own clock: that is no cancellation. */
static void test_dropped_at_its_end(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 12 * SECOND);
    publish((uint64_t)T0 + 1, NULL, 0);
    world_run(&w, T0 + HOUR);
    CHECK_INT("finished", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
}

/* A newer programme that still has it leaves it alone. */
static void test_unchanged_while_playing(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 11 * SECOND);
    publish((uint64_t)T0 + 1, &b, 1);
    world_run(&w, T0 + HOUR);
    CHECK_INT("finished", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
    CHECK_INT("once", w.plays_n, 1);
    CHECK_INT("told once", world_receipts(&w, 1, RECEIPT_RECEIVED, ""), 1);
}

static void test_revoked(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    static const struct {
        const char *name;
        int64_t at_ms;
        enum receipt_event event;
    } rows[] = {
        {"long before", T0 + 3000, RECEIPT_REFUSED},
        {"while it is prepared", T0 + 9500, RECEIPT_REFUSED},
        {"while it plays", T0 + 11000, RECEIPT_INTERRUPTED},
    };

    for (size_t i = 0; i < 3; i++) {
        ready(&b, 1, NULL);
        world_run(&w, rows[i].at_ms);
        town_trust(&town, 1, &town.approver, rows[i].at_ms, &l);
        world_give(&w, "trust", "vn/08", false, &l, true);
        CHECK_INT(rows[i].name, speaker_sounding(&w.s), 0);
        world_run(&w, T0 + MINUTE);
        CHECK_INT(rows[i].name, world_receipts(&w, 1, rows[i].event, "revoked"),
                  1);
    }
}

/* The list is forgotten by the disk, but not that there was one. */
static void test_lost_revocations(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    town_trust(&town, 5, &town.second, T0, &l);
    world_give(&w, "trust", "vn/08", false, &l, true);
    CHECK_INT("taken", w.s.trust.revoked.number, 5);
    world_kill(&w);
    w.trust.there = false;
    world_boot(&w, NULL);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "revocations"), 1);
}

/* --- classes -------------------------------------------------------------- */

static void test_priority_interrupts(void)
{
    struct town_bulletin b[] = {
        {1, BULLETIN_NORMAL, &speech, {T0 + 10 * SECOND}, NULL, false},
        {2, BULLETIN_PRIORITY, &jingle, {T0 + 11 * SECOND + 7}, NULL, false},
    };

    ready(b, 2, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("plays", w.plays_n, 2);
    CHECK_INT("cut to the sample", w.plays[0].samples_n, 1007 * 48);
    CHECK_INT("priority on time", w.plays[1].first_at_us,
              (T0 + 11 * SECOND + 7) * 1000);
    CHECK_INT("all of it", w.plays[1].samples_n, jingle.m.duration_ms * 48);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "preempted"),
              1);
    CHECK_INT("finished", world_receipts(&w, 2, RECEIPT_FINISHED, ""), 1);
}

static void test_normal_does_not_interrupt(void)
{
    static const struct {
        const char *name;
        enum bulletin_class first, second;
        const char *reason;
    } rows[] = {
        {"normal over priority", BULLETIN_PRIORITY, BULLETIN_NORMAL,
         "preempted"},
        {"normal over normal", BULLETIN_NORMAL, BULLETIN_NORMAL, "busy"},
        {"priority over priority", BULLETIN_PRIORITY, BULLETIN_PRIORITY,
         "busy"},
    };

    for (size_t i = 0; i < 3; i++) {
        struct town_bulletin b[] = {
            {1, rows[i].first, &speech, {T0 + 10 * SECOND}, NULL, false},
            {2, rows[i].second, &jingle, {T0 + 10500}, NULL, false},
        };

        ready(b, 2, NULL);
        world_run(&w, T0 + HOUR);
        CHECK_INT(rows[i].name, world_plays(&w, 1), 1);
        CHECK_INT(rows[i].name, world_plays(&w, 2), 0);
        CHECK_INT(rows[i].name, w.plays[0].samples_n,
                  speech.m.duration_ms * 48);
        CHECK_INT(rows[i].name,
                  world_receipts(&w, 2, RECEIPT_REFUSED, rows[i].reason), 1);
    }
}

/* The one begins when the other has said its last sample. */
static void test_back_to_back(void)
{
    int64_t length = speech.m.duration_ms;
    struct town_bulletin b[] = {
        {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false},
        {2, 0, &jingle, {T0 + 10 * SECOND + length}, NULL, false},
        {3, 0, &other, {T0 + 10 * SECOND + length + 500}, NULL, false},
    };

    ready(b, 3, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("all", w.plays_n, 3);
    CHECK_INT("second", w.plays[1].first_at_us,
              (T0 + 10 * SECOND + length) * 1000);
    /* The third waited for the second: 600 ms long, so 100 ms late. */
    CHECK_INT("third", w.plays[2].first_at_us,
              (T0 + 10 * SECOND + length + jingle.m.duration_ms) * 1000);
}

static void test_same_start(void)
{
    struct town_bulletin b[] = {
        {1, BULLETIN_NORMAL, &speech, {T0 + 10 * SECOND}, NULL, false},
        {2, BULLETIN_PRIORITY, &jingle, {T0 + 10 * SECOND}, NULL, false},
    };

    ready(b, 2, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("the stronger first", w.plays[0].id, 2);
    /* It is over after 0.6 s, within the two seconds of the other. */
    CHECK_INT("then the other", w.plays[1].id, 1);
}

/* --- late, incomplete ----------------------------------------------------- */

static void test_late(void)
{
    static const struct {
        const char *name;
        int64_t boot_at_ms;
        int plays, refused;
    } rows[] = {
        {"in time", T0 + 9900, 1, 0},
        {"just after", T0 + 11900, 1, 0},
        {"too late", T0 + 12100, 0, 1},
        {"an hour later", T0 + HOUR, 0, 1},
        {"two days later", T0 + 2 * DAY, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, 0};

        ready(&b, 1, NULL);
        world_kill(&w);
        world_run(&w, rows[i].boot_at_ms);
        world_boot(&w, NULL);
        world_run(&w, rows[i].boot_at_ms + MINUTE);
        CHECK_INT(rows[i].name, w.plays_n, rows[i].plays);
        CHECK_INT(rows[i].name, world_receipts(&w, 1, RECEIPT_REFUSED, "late"),
                  rows[i].refused);
    }
}

static void test_incomplete(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    publish((uint64_t)T0, &b, 1);
    world_push(&w, &speech, 1 << 3);
    world_run(&w, T0 + 12 * SECOND);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "incomplete"), 1);
    CHECK_INT("asked", w.wants_n >= 1, 1);
    CHECK_INT("for one stream", w.want.streams_n, 1);
    CHECK_INT("for one range", w.want.streams[0].pairs_n, 1);
    CHECK_INT("from", w.want.streams[0].pairs[0][0], 3);
    CHECK_INT("how many", w.want.streams[0].pairs[0][1], 1);
}

static void test_wrong_packets(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct town_content forged = speech;

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    publish((uint64_t)T0, &b, 1);
    for (uint32_t i = 0; i < speech.m.packets_n; i++) {
        town_packet(&speech, i, &other.stream, &l); /* Another's key. */
        world_give(&w, "content", NULL, false, &l, false);
        town_packet(&speech, i, NULL, &l);
        l.data[l.len - 3] ^= 1; /* Signature altered. */
        world_give(&w, "content", NULL, false, &l, false);
    }
    CHECK_INT("none kept", w.s.contents.fetches[0].have_n, 0);
    /* A stream key that was stolen: signed, but not what was approved. */
    forged.frames[5][7] = 9;
    world_push(&w, &forged, 0);
    world_content(&w, speech.m.hash, true)->bad = true;
    world_run(&w, T0 + 20 * SECOND);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "incomplete"), 1);
}

/* --- restarts ------------------------------------------------------------- */

static void test_killed_while_playing(void)
{
    struct town_bulletin b = {
        1, 0, &speech, {T0 + 10 * SECOND, T0 + 20 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 10 * SECOND + 500);
    world_kill(&w);
    world_boot(&w, NULL); /* At once: the start is only half a second ago. */
    world_run(&w, T0 + HOUR);
    CHECK_INT("not again", w.plays[1].start_at_ms, T0 + 20 * SECOND);
    CHECK_INT("the next one", w.plays_n, 2);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "restarted"),
              1);
}

static void test_killed_before_first_sample(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 9500);
    CHECK_INT("prepared", speaker_sounding(&w.s), 1);
    world_kill(&w);
    world_boot(&w, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("silence rather than a guess", w.plays_n, 0);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "restarted"),
              1);
}

static void test_stopped_in_order(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 11 * SECOND);
    world_event(&w, SPEAKER_STOPPING);
    CHECK_INT("gone", w.presence, LOA__V1__PRESENCE__PRESENCE_DISCONNECTED);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "shutdown"),
              1);
    world_kill(&w);
    world_boot(&w, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("once", w.plays_n, 1);
    CHECK_INT("and one end", world_receipts(&w, 1, RECEIPT_INTERRUPTED, NULL),
              1);
}

/* Off the network the plan is carried out all the same. */
static void test_without_network(void)
{
    struct town_bulletin b = {
        1,
        0,
        &speech,
        {T0 + 10 * SECOND, T0 + DAY, T0 + 2 * DAY, T0 + 6 * DAY, T0 + 8 * DAY},
        NULL,
        false};

    ready(&b, 1, NULL);
    world_lose(&w);
    world_run(&w, T0 + 5 * DAY);
    CHECK_INT("three", w.plays_n, 3);
    world_kill(&w);
    world_boot(&w, NULL);
    world_run(&w, T0 + 10 * DAY);
    /* The programme and the approval end after seven days. */
    CHECK_INT("four, then silence", w.plays_n, 4);
    CHECK_INT("nothing was sent", w.batches_n, 2);
    world_connect(&w);
    world_run(&w, T0 + 10 * DAY + MINUTE);
    CHECK_INT("all told", w.s.receipts.acked, w.s.receipts.stored);
}

/* --- commands ------------------------------------------------------------- */

static void command(int percent,
                    uint8_t bulletin,
                    const char *device,
                    const struct twist *t)
{
    town_command(&town, percent, bulletin, device, t, world_at_ms(&w), &l);
    world_give(&w, "command", t != NULL ? t->area : NULL, false, &l, false);
}

static void test_commands(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    command(40, 0, NULL, NULL);
    CHECK_INT("volume", speaker_volume(&w.s), 40);
    command(50, 0, "pole_2", NULL);
    CHECK_INT("a neighbour's", speaker_volume(&w.s), 40);
    command(60, 0, NULL, &(struct twist){.by = &town.scheduler});
    CHECK_INT("no power", speaker_volume(&w.s), 40);
    world_run(&w, T0 + 2 * SECOND);
    command(70, 0, "pole_1", NULL);
    CHECK_INT("mine", speaker_volume(&w.s), 70);
    world_give(&w, "command", NULL, false, &l, false);
    command(20, 0, NULL, &(struct twist){.counter = T0 * 1000 + 1});
    CHECK_INT("an older counter", speaker_volume(&w.s), 70);
    command(20, 0, NULL,
            &(struct twist){.counter = (uint64_t)(T0 + 2 * DAY) * 1000});
    CHECK_INT("a counter from the future", speaker_volume(&w.s), 70);
    command(20, 0, NULL, &(struct twist){.issued_at_ms = T0 - HOUR});
    CHECK_INT("expired", speaker_volume(&w.s), 70);
    CHECK_INT("receipts", w.rows_n, 4); /* RECEIVED, VERIFIED, two commands. */
    world_kill(&w);
    world_boot(&w, NULL);
    world_connect(&w);
    CHECK_INT("kept over a restart", speaker_volume(&w.s), 70);
}

static void test_stop(void)
{
    struct town_bulletin b = {
        1, 0, &speech, {T0 + 10 * SECOND, T0 + 30 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 11 * SECOND);
    command(-1, 2, NULL, NULL);
    CHECK_INT("another bulletin", speaker_sounding(&w.s), 1);
    world_run(&w, T0 + 11 * SECOND + 10);
    command(-1, 1, NULL, NULL);
    CHECK_INT("silent", speaker_sounding(&w.s), 0);
    world_run(&w, T0 + HOUR);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "stopped"), 1);
    CHECK_INT("only this occurrence", w.plays_n, 2);
}

/* Saved before it is acted on: a replay after a power cut does nothing. */
static void test_replayed_command(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 20 * SECOND}, NULL, false};
    static struct letter kept;

    ready(&b, 1, NULL);
    command(30, 0, NULL, NULL);
    kept = l;
    world_run(&w, T0 + 2 * SECOND);
    command(80, 0, NULL, NULL);
    world_kill(&w);
    world_boot(&w, NULL);
    world_connect(&w);
    world_give(&w, "command", NULL, false, &kept, false);
    CHECK_INT("replayed", speaker_volume(&w.s), 80);
    /* The table itself is lost: what may have been seen is refused. */
    world_kill(&w);
    w.slots[SPEAKER_FILE_REPLAY].there = false;
    world_run(&w, T0 + 3 * SECOND);
    world_boot(&w, NULL);
    world_connect(&w);
    world_give(&w, "command", NULL, false, &kept, false);
    CHECK_INT("replayed to a lost table", speaker_volume(&w.s), 80);
    world_run(&w, T0 + 4 * SECOND);
    command(55, 0, NULL, NULL);
    CHECK_INT("a new one works", speaker_volume(&w.s), 55);
    /* The disk refuses: nothing is done, and that is told when it is back. */
    w.disk_fails = true;
    world_run(&w, T0 + 5 * SECOND);
    command(66, 0, NULL, NULL);
    CHECK_INT("not durable, not done", speaker_volume(&w.s), 55);
    w.disk_fails = false;
    world_run(&w, T0 + 19 * SECOND);
    CHECK_INT("told", w.rows[w.rows_n - 1].event, RECEIPT_COMMAND);
    CHECK_INT("why", strcmp(w.rows[w.rows_n - 1].reason, "storage"), 0);
}

/* --- the disk refuses ----------------------------------------------------- */

static void test_disk_refuses(void)
{
    struct town_bulletin b = {
        1, 0, &speech, {T0 + 10 * SECOND, T0 + 60 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    w.disk_fails = true;
    world_run(&w, T0 + 30 * SECOND);
    CHECK_INT("silence", w.plays_n, 0);
    CHECK_INT("health says so", w.health.storage_fault, 1);
    w.disk_fails = false;
    world_run(&w, T0 + 2 * MINUTE);
    CHECK_INT("then it plays again", w.plays_n, 1);
    CHECK_INT("and tells", world_receipts(&w, 1, RECEIPT_REFUSED, "storage"),
              1);
    CHECK_INT("fault over", w.health.storage_fault, 0);
}

/* A full disk for contents does not silence what is complete. */
static void test_content_disk_full(void)
{
    struct town_bulletin b[] = {
        {1, 0, &speech, {T0 + 20 * SECOND}, NULL, false},
        {2, 0, &other, {T0 + 40 * SECOND}, NULL, false},
    };

    ready(b, 1, NULL);
    w.content_fails = true;
    publish((uint64_t)T0 + 1, b, 2);
    world_push(&w, &other, 0);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("complete one plays", world_plays(&w, 1), 1);
    CHECK_INT("the other cannot",
              world_receipts(&w, 2, RECEIPT_REFUSED, "incomplete"), 1);
    CHECK_INT("health says so", w.health.storage_fault, 1);
}

/* --- time ----------------------------------------------------------------- */

static void test_clock_jumps(void)
{
    static const int64_t jumps_ms[] = {HOUR, -HOUR, DAY, -DAY, 5 * SECOND};

    for (size_t i = 0; i < 5; i++) {
        struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, 0};

        ready(&b, 1, NULL);
        world_run(&w, T0 + 10 * SECOND + 500);
        w.offset_us += jumps_ms[i] * 1000;
        world_run(&w, world_at_ms(&w) + MINUTE);
        CHECK_INT("plays on", w.plays[0].samples_n, speech.m.duration_ms * 48);
        w.offset_us -= jumps_ms[i] * 1000;
        world_run(&w, world_at_ms(&w) + MINUTE);
        CHECK_INT("once", w.plays_n, 1);
    }
}

/* A clock behind signed time is not believed, and nothing begins. */
static void test_clock_behind(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    town_head(&town, NULL, T0 + HOUR, (uint64_t)T0, NULL, NULL, &l);
    world_give(&w, "head", NULL, false, &l, false);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("health says why", w.health.time_trusted, 0);
    w.offset_us += HOUR * 1000; /* It is set right. */
    world_run(&w, T0 + HOUR + 2 * MINUTE);
    CHECK_INT("late", world_receipts(&w, 1, RECEIPT_REFUSED, "late"), 1);
}

static void test_no_clock(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 30 * SECOND}, NULL, false};
    struct speaker_conf conf = {.clock = WALLTIME_NONE,
                                .content_bytes_max = 1 << 30,
                                .volume_percent = 100};
    uint8_t wrong[16] = {1};

    world_init(&w, &town);
    world_boot(&w, &conf);
    world_connect(&w);
    CHECK_INT("asks", w.time_requests_n, 1);
    publish((uint64_t)T0, &b, 1);
    CHECK_INT("no time, no programme", w.s.programmes.held_n, 0);
    town_head(&town, NULL, T0 + DAY, 0, wrong, NULL, &l);
    world_give(&w, "head", NULL, true, &l, false);
    CHECK_INT("not our nonce", w.s.time.trusted, 0);
    /* It raised the floor, though: signed time does not lie. Begin again. */
    world_init(&w, &town);
    world_boot(&w, &conf);
    world_connect(&w);
    world_run(&w, T0 + 100);
    town_head(&town, NULL, T0 + 50, 0, w.nonce, NULL, &l);
    world_give(&w, "head", NULL, true, &l, false);
    CHECK_INT("time", w.s.time.trusted, 1);
    world_run(&w, T0 + 2 * SECOND);
    CHECK_INT("asks for what is retained", w.asked_n >= 1, 1);
    publish((uint64_t)T0, &b, 1);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("plays", w.plays_n, 1);
    CHECK_INT("to the answer's precision",
              llabs(w.plays[0].first_at_us / 1000 - (T0 + 30 * SECOND)) <= 50,
              1);
}

static void test_place_offset(void)
{
    static const int64_t offsets[] = {-700, 0, 350};

    for (size_t i = 0; i < 3; i++) {
        struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, 0};
        struct speaker_conf conf = {.content_bytes_max = 1 << 30,
                                    .volume_percent = 100,
                                    .place_offset_ms = offsets[i]};

        world_init(&w, &town);
        world_boot(&w, &conf);
        world_connect(&w);
        publish((uint64_t)T0, &b, 1);
        world_push(&w, &speech, 0);
        world_run(&w, T0 + MINUTE);
        CHECK_INT("staggered", w.plays[0].first_at_us / 1000,
                  T0 + 10 * SECOND + offsets[i]);
        CHECK_INT("the signed start is told", w.rows[w.rows_n - 1].start_at_ms,
                  T0 + 10 * SECOND);
    }
}

/* --- several areas -------------------------------------------------------- */

static void test_ancestors(void)
{
    struct town_bulletin own = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct town_bulletin up = {2, 0, &jingle, {T0 + 20 * SECOND}, NULL, false};

    ready(&own, 1, NULL);
    town_programme(&town, "vn/08", (uint64_t)T0, &up, 1, NULL, T0, &l);
    world_give(&w, "programme", "vn/08", false, &l, true);
    world_push(&w, &jingle, 0);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("both", world_plays(&w, 1) + world_plays(&w, 2), 2);
    CHECK_INT("held", w.s.programmes.held_n, 2);
}

/* The same occurrence in two programmes is said once. */
static void test_twice_planned(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    town_programme(&town, "vn/08", (uint64_t)T0, &b, 1, NULL, T0, &l);
    world_give(&w, "programme", "vn/08", false, &l, true);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("once", w.plays_n, 1);
}

/* --- receipts ------------------------------------------------------------- */

static void test_receipts_until_acked(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    uint8_t wrong_log[LOA_ID_BYTES] = {9};

    world_init(&w, &town);
    w.acking = false;
    world_boot(&w, NULL);
    world_connect(&w);
    publish((uint64_t)T0, &b, 1);
    world_run(&w, T0 + 4 * SECOND);
    CHECK_INT("sent once", w.batches_n, 1);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("again, ever more rarely", w.batches_n >= 3 && w.batches_n <= 5,
              1);
    town_ack(&town, wrong_log, 1, NULL, world_at_ms(&w), &l);
    world_give(&w, "ack", NULL, true, &l, false);
    town_ack(&town, w.log_id, 1, &(struct twist){.by = &town.registry},
             world_at_ms(&w), &l);
    world_give(&w, "ack", NULL, true, &l, false);
    CHECK_INT("not for these", w.s.receipts.acked, 0);
    town_ack(&town, w.log_id, 1, NULL, world_at_ms(&w), &l);
    world_give(&w, "ack", NULL, true, &l, false);
    CHECK_INT("acked", w.s.receipts.acked, 1);
    w.acking = true;
    world_run(&w, T0 + 3 * MINUTE);
    CHECK_INT("all acked", w.s.receipts.acked, w.s.receipts.stored);
}

/* --- sessions, state, health ---------------------------------------------- */

static void test_sessions_rise(void)
{
    uint64_t last = 0;

    world_init(&w, &town);
    for (int i = 0; i < 40; i++) {
        if (i % 5 == 0) {
            world_kill(&w);
            if (i == 20) /* The memory is lost in between. */
                w.slots[SPEAKER_FILE_MEMO].there = false;
            world_boot(&w, NULL);
        }
        world_connect(&w);
        CHECK_INT("rises", w.session > last, 1);
        CHECK_INT("online", w.presence, LOA__V1__PRESENCE__PRESENCE_ONLINE);
        last = w.session;
        world_run(&w, world_at_ms(&w) + MINUTE);
        world_lose(&w);
    }
}

static void test_health(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    w.concealed_n = 96;
    world_run(&w, T0 + 5 * MINUTE);
    CHECK_INT("every minute", w.healths_n >= 5 && w.healths_n <= 7, 1);
    CHECK_INT("stale without a head", w.health.stale, 1);
    CHECK_INT("played", w.health.frames_played, speech.m.frames_n);
    CHECK_INT("concealed", w.health.frames_concealed, speech.m.frames_n / 10);
    town_head(&town, NULL, world_at_ms(&w), (uint64_t)T0, NULL, NULL, &l);
    world_give(&w, "head", NULL, false, &l, false);
    world_run(&w, T0 + 10 * MINUTE);
    CHECK_INT("fresh", w.health.stale, 0);
    world_run(&w, T0 + 25 * MINUTE);
    CHECK_INT("stale again", w.health.stale, 1);
    town_head(&town, NULL, world_at_ms(&w), (uint64_t)T0 + 5, NULL, NULL, &l);
    w.asked_n = 0;
    world_give(&w, "head", NULL, false, &l, false);
    CHECK_INT("a newer programme is asked for", w.asked_n, 4);
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

/* --- the output ----------------------------------------------------------- */

static void test_sound_fails(void)
{
    struct town_bulletin b = {
        1, 0, &speech, {T0 + 10 * SECOND, T0 + 30 * SECOND}, NULL, false};
    struct speaker_event ev = {.type = SPEAKER_SOUND, .status = LOA_ESYS};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 11 * SECOND);
    world_feed(&w, &ev);
    CHECK_INT("cut", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "sound"), 1);
    CHECK_INT("health", w.health.sound_fault, 1);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("refused", world_receipts(&w, 1, RECEIPT_REFUSED, "sound"), 1);
    ev.status = LOA_OK;
    world_feed(&w, &ev);
    CHECK_INT("health", w.health.sound_fault, 0);
}

/* With a buffer of half a second the first sample is handed over earlier, and
 * heard on time. */
static void test_buffered_output(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    w.lead_us = 500000;
    world_run(&w, T0 + MINUTE);
    CHECK_INT("heard on time",
              llabs(w.plays[0].first_at_us - (T0 + 10 * SECOND) * 1000) <= 30,
              1);
}

/* This process was stopped between preparing and the start. */
static void test_late_in_the_last_moment(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 9500);
    CHECK_INT("prepared", speaker_sounding(&w.s), 1);
    w.now_us += 5000000;
    world_run(&w, T0 + MINUTE);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "late"), 1);
}

static void test_time_lost_in_the_last_moment(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 9500);
    w.s.time.floor_ms = T0 + HOUR;
    world_run(&w, T0 + MINUTE);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "no-time"), 1);
}

static void test_expires_while_playing(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct twist t = {.valid_ms = 11 * SECOND};

    ready(&b, 1, &t);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("cut", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "expired"), 1);
    CHECK_INT("after its last second",
              w.plays[0].samples_n >= 48000 && w.plays[0].samples_n <= 48960,
              1);
}

static void test_shorter_than_a_period(void)
{
    static struct town_content click;
    struct town_bulletin b = {1, 0, &click, {T0 + 10 * SECOND}, NULL, false};

    town_content(&click, 9, 1);
    click.m.duration_ms = 5;
    ready(&b, 1, NULL);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("samples", w.plays[0].samples_n, 240);
    CHECK_INT("finished", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
}

static void test_stopped_while_prepared(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 9500);
    command(-1, 1, NULL, NULL);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_REFUSED, "stopped"), 1);
}

/* A stronger one that comes at the last moment for the same time. */
static void test_makes_way(void)
{
    struct town_bulletin b[] = {
        {1, BULLETIN_NORMAL, &speech, {T0 + 10 * SECOND}, NULL, false},
        {2, BULLETIN_PRIORITY, &speech, {T0 + 10 * SECOND}, NULL, false},
    };

    ready(b, 1, NULL);
    world_run(&w, T0 + 9500);
    publish((uint64_t)T0 + 1, b, 2);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("the stronger", world_plays(&w, 2), 1);
    CHECK_INT("on time", w.plays[0].first_at_us, (T0 + 10 * SECOND) * 1000);
    CHECK_INT("the other", world_receipts(&w, 1, RECEIPT_REFUSED, "preempted"),
              1);
}

/* --- sending -------------------------------------------------------------- */

static void test_unsent_batch(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    w.send_fails = true;
    publish((uint64_t)T0, &b, 1);
    world_run(&w, T0 + 5 * SECOND);
    CHECK_INT("none", w.batches_n, 0);
    w.send_fails = false;
    world_run(&w, T0 + 8 * SECOND);
    CHECK_INT("soon after", w.batches_n, 1);
}

/* Many commands: what is acknowledged is trimmed, and numbers go on. */
static void test_long_log(void)
{
    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    for (int i = 0; i < 3000; i++) {
        world_run(&w, world_at_ms(&w) + 20);
        command(i % 100, 0, NULL, NULL);
    }
    world_run(&w, world_at_ms(&w) + MINUTE);
    CHECK_INT("all told", w.all_n, 3000);
    CHECK_INT("all acked", w.s.receipts.acked, 3000);
    CHECK_INT("trimmed", w.rows_n < 1100, 1);
    CHECK_INT("numbers", w.s.receipts.next, 3001);
}

static void test_login_time(void)
{
    struct speaker_now at;

    world_init(&w, &town);
    world_boot(&w, NULL);
    at = world_now(&w);
    CHECK_INT("the clock's", speaker_login_ms(&w.s, &at), T0);
    w.s.time.trusted = false;
    w.s.time.floor_ms = T0 + HOUR;
    CHECK_INT("not before what was signed", speaker_login_ms(&w.s, &at),
              T0 + HOUR);
    world_connect(&w);
    CHECK_INT("a will", speaker_will(&w.s).len > 0, 1);
}

/* Damage that the disk did not notice: a file is not what it should be. */
static void test_files_of_nonsense(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    town_trust(&town, 3, NULL, T0, &l);
    world_give(&w, "trust", "vn/08", false, &l, true);
    world_kill(&w);
    w.slots[0].data[0] ^= 0xff;
    w.slots[2].data[0] ^= 0xff;
    w.trust.data[w.trust.len / 2] ^= 0xff;
    world_programme(&w, OWN)->data[3] ^= 0xff;
    world_boot(&w, NULL);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("silent", w.plays_n, 0);
    CHECK_INT("volume is the setting's", speaker_volume(&w.s), 100);
    world_connect(&w);
    CHECK_INT("works on", w.presence, LOA__V1__PRESENCE__PRESENCE_ONLINE);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    town_init(&town);
    town_content(&speech, 1, 150);
    town_content(&other, 2, 100);
    town_content(&jingle, 3, 30);
    test_plays_once_on_time();
    test_refusals();
    test_one_person_approves_and_schedules();
    test_time_poisoned_by_a_head();
    test_programmes_not_believed();
    test_older_version_refused();
    test_cancelled_before_start();
    test_moved();
    test_cancelled_while_playing();
    test_replaced_while_playing();
    test_dropped_at_its_end();
    test_unchanged_while_playing();
    test_revoked();
    test_lost_revocations();
    test_priority_interrupts();
    test_normal_does_not_interrupt();
    test_back_to_back();
    test_same_start();
    test_late();
    test_incomplete();
    test_wrong_packets();
    test_killed_while_playing();
    test_killed_before_first_sample();
    test_stopped_in_order();
    test_without_network();
    test_commands();
    test_stop();
    test_replayed_command();
    test_disk_refuses();
    test_content_disk_full();
    test_clock_jumps();
    test_clock_behind();
    test_no_clock();
    test_place_offset();
    test_ancestors();
    test_twice_planned();
    test_receipts_until_acked();
    test_sessions_rise();
    test_health();
    test_malformed();
    test_other_topics();
    test_sound_fails();
    test_buffered_output();
    test_late_in_the_last_moment();
    test_time_lost_in_the_last_moment();
    test_expires_while_playing();
    test_shorter_than_a_period();
    test_stopped_while_prepared();
    test_makes_way();
    test_unsent_batch();
    test_long_log();
    test_login_time();
    test_files_of_nonsense();
    return CHECK_DONE();
}
