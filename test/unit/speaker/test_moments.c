/* The whole core, in stories. Clocks and the output: when a sound begins, and
 * when it stays away. */

#include "story.h"

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

/* A clock that was two days ahead for a moment passed what is planned until
 * then. Once it is right that is still to come. */
static void test_days_ahead_for_a_moment(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 2 * HOUR}, NULL, false};

    ready(&b, 1, NULL);
    w.offset_us += 2 * DAY * 1000;
    world_run(&w, world_at_ms(&w) + 2 * SECOND);
    w.offset_us -= 2 * DAY * 1000;
    world_run(&w, T0 + 3 * HOUR);
    CHECK_INT("plays", w.plays_n, 1);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
}

/* While it was next year, somebody planned and planned: a memory full of what
 * is marked then must not close the time until then. */
static void test_ledger_full_of_next_year(void)
{
    struct town_bulletin b = {
        1, 0, &speech, {T0 + HOUR, T0 + 2 * HOUR, T0 + 3 * HOUR}, NULL, false};

    ready(&b, 1, NULL);
    for (uint32_t i = 0; i < LEDGER_MARKS_MAX; i++) {
        uint8_t id[LOA_ID_BYTES] = {0xee, (uint8_t)i, (uint8_t)(i >> 8)};

        ledger_set(&w.s.ledger, id, T0 + 300 * DAY + i, LEDGER_DONE);
    }
    world_run(&w, T0 + 4 * HOUR);
    CHECK_INT("plays each", w.plays_n, 3);
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

/* The same for a device that has no clock: the answer of a stolen scheduler
 * says that it is next year. That does not outlive its revocation, whether the
 * list comes at once or after a reboot. */
static void test_answer_poisons_a_clockless_device(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 4 * HOUR}, NULL, false};
    struct speaker_conf conf = {.clock = WALLTIME_NONE,
                                .content_bytes_max = 1 << 30,
                                .volume_percent = 100};

    for (int reboot = 0; reboot < 2; reboot++) {
        world_init(&w, &town);
        world_boot(&w, &conf);
        world_connect(&w);
        town_head(&town, NULL, T0 + 300 * DAY, 0, w.nonce, NULL, &l);
        world_give(&w, "head", NULL, true, &l, false);
        CHECK_INT("believed", w.s.time.trusted, 1);
        world_run(&w, T0 + 20 * MINUTE);
        if (reboot) {
            world_kill(&w);
            world_boot(&w, &conf);
            world_connect(&w);
        }
        town_trust(&town, 1, &town.second, world_at_ms(&w), &l);
        world_give(&w, "trust", NULL, false, &l, true);
        CHECK_INT("the list is taken", w.s.trust.revoked.number, 1);
        world_run(&w, world_at_ms(&w) + 10 * SECOND);
        town_head(&town, NULL, world_at_ms(&w), 0, w.nonce, NULL, &l);
        world_give(&w, "head", NULL, true, &l, false);
        CHECK_INT("right again", w.s.time.trusted, 1);
        publish((uint64_t)T0, &b, 1);
        world_push(&w, &speech, 0);
        world_run(&w, T0 + 5 * HOUR);
        CHECK_INT("plays", w.plays_n, 1);
    }
}

/* The time and the retained programme come in one go after a restart. What is
 * on the disk is read first: a full disk would lose it by writing it once more.
 */
static void test_clockless_writes_again_what_it_has(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + HOUR}, NULL, false};
    struct speaker_conf conf = {.clock = WALLTIME_NONE,
                                .content_bytes_max = 1 << 30,
                                .volume_percent = 100};
    static struct letter plan;

    world_init(&w, &town);
    town_programme(&town, NULL, (uint64_t)T0, &b, 1, NULL, T0, &plan);
    for (int boot = 0; boot < 2; boot++) {
        world_boot(&w, &conf);
        world_connect(&w);
        town_head(&town, NULL, world_at_ms(&w), 0, w.nonce, NULL, &l);
        world_give(&w, "head", NULL, true, &l, false);
        world_give(&w, "programme", NULL, false, &plan, true);
        CHECK_INT("held", w.s.programmes.held_n, 1);
        CHECK_INT("kept", world_programme(&w, OWN)->there, 1);
        world_run(&w, world_at_ms(&w) + MINUTE);
        world_kill(&w);
        w.disk_fails = true;
    }
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
    CHECK_INT(
        "waited for",
        w.rows[w.rows_n - 1].at_us / 1000 > T0 + 30 * SECOND + AGENDA_LATE_MS,
        1);
    ev.status = LOA_OK;
    world_feed(&w, &ev);
    CHECK_INT("health", w.health.sound_fault, 0);
}

/* A card that hiccuped just before its turn cost the whole bulletin. */
static void test_sound_comes_back_in_time(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 30 * SECOND}, NULL, false};
    struct speaker_event ev = {.type = SPEAKER_SOUND, .status = LOA_ESYS};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 20 * SECOND);
    world_feed(&w, &ev);
    world_run(&w, T0 + 31 * SECOND);
    CHECK_INT("nothing yet", w.plays_n, 0);
    ev.status = LOA_OK;
    world_feed(&w, &ev);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("plays", w.plays_n, 1);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
    CHECK_INT("none", world_receipts(&w, 1, RECEIPT_REFUSED, NULL), 0);
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

/* The first of two approvals ended in the midst of it, and it was cut although
 * the other one went on. */
static void test_cut_by_the_shorter_of_two_approvals(void)
{
    static struct letter brief;
    struct twist t = {.valid_ms = 11 * SECOND};
    struct town_bulletin b[2] = {
        {1, 0, &speech, {T0 + 10 * SECOND}, &brief, false},
        {2, 0, &speech, {T0 + HOUR}, NULL, false}};

    town_approval(&town, &speech, &t, T0, &brief);
    for (int first = 0; first < 2; first++) {
        struct town_bulletin rows[2] = {b[first], b[1 - first]};

        ready(rows, 2, NULL);
        world_run(&w, T0 + MINUTE);
        CHECK_INT("finished", world_receipts(&w, 1, RECEIPT_FINISHED, ""), 1);
    }
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

/* Its battery said 2106 at the very first start, and what a lost memory may
 * have known was closed until then: for 80 years. */
static void test_first_started_in_2106(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 2 * MINUTE}, NULL, false};
    int64_t off_us;

    world_init(&w, &town);
    off_us = w.offset_us;
    w.offset_us = INT64_C(4294967296000000);
    world_boot(&w, NULL);
    world_run(&w, world_at_ms(&w) + 20 * SECOND);
    world_kill(&w);
    world_boot(&w, NULL);
    world_run(&w, world_at_ms(&w) + 20 * SECOND);
    w.offset_us = off_us;
    world_connect(&w);
    world_run(&w, world_at_ms(&w) + 2 * SECOND);
    publish((uint64_t)T0, &b, 1);
    world_push(&w, &speech, 0);
    command(40, 0, NULL, NULL);
    CHECK_INT("obeys", speaker_volume(&w.s), 40);
    world_run(&w, T0 + 10 * MINUTE);
    CHECK_INT("plays", w.plays_n, 1);
    /* A clock that is turned back by hours opens nothing. */
    world_kill(&w);
    w.slots[SPEAKER_FILE_LEDGER].there = false;
    w.slots[SPEAKER_FILE_MEMO].there = false;
    w.rows_n = 0;
    w.first = w.all_n + 1;
    world_boot(&w, NULL);
    world_run(&w, world_at_ms(&w) + 20 * SECOND);
    w.offset_us -= 9 * MINUTE * 1000;
    world_run(&w, T0 + 20 * MINUTE);
    CHECK_INT("once", w.plays_n, 1);
}

int main(void)
{
    if (story_init() < 0)
        return 1;
    test_clock_jumps();
    test_days_ahead_for_a_moment();
    test_ledger_full_of_next_year();
    test_clock_behind();
    test_no_clock();
    test_answer_poisons_a_clockless_device();
    test_clockless_writes_again_what_it_has();
    test_place_offset();
    test_sound_fails();
    test_sound_comes_back_in_time();
    test_buffered_output();
    test_late_in_the_last_moment();
    test_time_lost_in_the_last_moment();
    test_expires_while_playing();
    test_cut_by_the_shorter_of_two_approvals();
    test_shorter_than_a_period();
    test_stopped_while_prepared();
    test_makes_way();
    test_login_time();
    test_first_started_in_2106();
    return CHECK_DONE();
}
