/* The whole core, in stories. Programmes that change, collide, or come for
 * several areas. */

#include "story.h"

/* --- changes -------------------------------------------------------------- */

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

/* A plan that called five hours one millisecond was over from the first sample:
 * neither its cancellation nor a revocation silenced it. */
static void test_length_that_nobody_approved(void)
{
    static struct letter approval;
    struct town_content said = speech;
    struct town_bulletin b = {1,         0,    &said, {T0 + 10 * SECOND},
                              &approval, false};

    said.m.duration_ms = 1;
    town_approval(&town, &speech, NULL, T0, &approval);
    ready(&b, 1, NULL);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("plays", w.plays_n, 0);
    CHECK_INT("why", world_receipts(&w, 1, RECEIPT_REFUSED, "unapproved"), 1);
}

/* The clock went ahead, by whoever gives the time, and the end seemed to be
 * there: a cancellation was none. */
static void test_cancelled_under_a_clock_that_is_ahead(void)
{
    static struct town_content speech_of_20_s;
    struct town_bulletin b = {1,    0,    &speech_of_20_s, {T0 + 10 * SECOND},
                              NULL, false};

    town_content(&speech_of_20_s, 7, 1000);
    ready(&b, 1, NULL);
    world_run(&w, T0 + 12 * SECOND);
    w.offset_us += 30 * SECOND * 1000;
    publish((uint64_t)T0 + 1, NULL, 0);
    CHECK_INT("silent at once", speaker_sounding(&w.s), 0);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "cancelled"),
              1);
}

/* The loudspeaker stood still and is behind: the next one, which waits for this
 * one to end, is over in the plan too. Nobody cancelled it, and it was told so.
 */
static void test_over_while_it_waits(void)
{
    struct town_bulletin b[] = {
        {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false},
        {2, 0, &other, {T0 + 11 * SECOND + 500}, NULL, false}};

    ready(b, 2, NULL);
    world_run(&w, T0 + 12 * SECOND + 900);
    publish((uint64_t)T0 + 1, NULL, 0);
    world_run(&w, T0 + HOUR);
    CHECK_INT("finished", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
    CHECK_INT("late", world_receipts(&w, 2, RECEIPT_REFUSED, "late"), 1);
    CHECK_INT("cancelled", world_receipts(&w, 2, RECEIPT_REFUSED, "cancelled"),
              0);
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

    for (size_t i = 0; i < MOMENTS_N; i++) {
        ready(&b, 1, NULL);
        world_run(&w, moments[i].at_ms);
        town_trust(&town, 1, &town.approver, moments[i].at_ms, &l);
        world_give(&w, "trust", "vn/08", false, &l, true);
        check_revoked(&moments[i]);
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

/* A second one that waited for its equal to end kept the place in which the
 * stronger one would have been prepared: it began up to two seconds late. */
static void test_priority_behind_two_weaker(void)
{
    struct town_bulletin b[] = {
        {1, BULLETIN_NORMAL, &speech, {T0 + 10 * SECOND}, NULL, false},
        {2, BULLETIN_NORMAL, &speech, {T0 + 11 * SECOND}, NULL, false},
        {3, BULLETIN_PRIORITY, &jingle, {T0 + 11 * SECOND + 507}, NULL, false},
    };

    ready(b, 3, NULL);
    world_run(&w, T0 + HOUR);
    CHECK_INT("the stronger", world_plays(&w, 3), 1);
    CHECK_INT("on time", w.plays[1].first_at_us,
              (T0 + 11 * SECOND + 507) * 1000);
    CHECK_INT("the one that waited",
              world_receipts(&w, 2, RECEIPT_REFUSED, "preempted"), 1);
    CHECK_INT("the one that sounded",
              world_receipts(&w, 1, RECEIPT_INTERRUPTED, "preempted"), 1);
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

int main(void)
{
    if (story_init() < 0)
        return 1;
    test_cancelled_before_start();
    test_moved();
    test_cancelled_while_playing();
    test_replaced_while_playing();
    test_dropped_at_its_end();
    test_length_that_nobody_approved();
    test_cancelled_under_a_clock_that_is_ahead();
    test_over_while_it_waits();
    test_unchanged_while_playing();
    test_revoked();
    test_lost_revocations();
    test_priority_interrupts();
    test_priority_behind_two_weaker();
    test_normal_does_not_interrupt();
    test_back_to_back();
    test_same_start();
    test_ancestors();
    test_twice_planned();
    return CHECK_DONE();
}
