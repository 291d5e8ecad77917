/* The whole core, in stories. What the device is told, and what it says:
 * commands, receipts, health. */

#include "story.h"

/* --- commands ------------------------------------------------------------- */

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

/* One head far ahead, or a clock that steps back, and what spoke could not be
 * stopped: a Stop without the right time was refused. */
static void test_stop_while_time_is_in_doubt(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    for (int stepped = 0; stepped < 2; stepped++) {
        struct twist then = {.issued_at_ms = T0 + 11 * SECOND};

        ready(&b, 1, NULL);
        world_run(&w, T0 + 10 * SECOND + 500);
        if (stepped) {
            w.offset_us -= 10 * MINUTE * 1000;
        } else {
            town_head(&town, NULL, T0 + 20 * MINUTE, 1, NULL, NULL, &l);
            world_give(&w, "head", NULL, false, &l, false);
        }
        world_run(&w, world_at_ms(&w) + 20);
        CHECK_INT("no time", w.s.time.trusted, 0);
        then.counter = (uint64_t)(T0 + 11 * SECOND) * 1000;
        command(30, 0, NULL, &then);
        CHECK_INT("the volume needs it", speaker_volume(&w.s), 100);
        then.by = &town.scheduler;
        command(-1, 1, NULL, &then);
        CHECK_INT("nor without the power", speaker_sounding(&w.s), 1);
        then.by = NULL;
        command(-1, 1, NULL, &then);
        CHECK_INT("silent", speaker_sounding(&w.s), 0);
        world_give(&w, "command", NULL, false, &l, false);
        world_run(&w, world_at_ms(&w) + 20 * SECOND);
        CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "stopped"),
                  1);
        CHECK_INT("once", w.rows[w.rows_n - 1].event, RECEIPT_COMMAND);
        CHECK_INT("in all", w.rows_n, 5);
    }
}

/* The same with a clock that is behind and that nobody contradicts. */
static void test_stop_from_the_future(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct twist then = {.issued_at_ms = T0 + 20 * MINUTE,
                         .counter = (uint64_t)(T0 + 20 * MINUTE) * 1000};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 10 * SECOND + 500);
    CHECK_INT("believed", w.s.time.trusted, 1);
    command(30, 0, NULL, &then);
    CHECK_INT("the volume waits", speaker_volume(&w.s), 100);
    command(-1, 1, NULL, &then);
    CHECK_INT("silent", speaker_sounding(&w.s), 0);
    world_run(&w, T0 + MINUTE);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "stopped"), 1);
}

/* What the commander's clock says, which is right. */
static struct twist said_at(int64_t at_ms)
{
    return (struct twist){.issued_at_ms = at_ms,
                          .counter = (uint64_t)at_ms * 1000};
}

/* The clock went ahead, as it spoke or before, and a Stop seemed to be over, or
 * its signer's certificate. The same Stop again does nothing. */
static void test_stop_under_a_clock_that_is_ahead(void)
{
    static const int64_t ahead_ms[] = {HOUR, DAY, 2000 * DAY};

    for (size_t i = 0; i < 12; i++) {
        int64_t by_ms = ahead_ms[i / 4];
        bool before = i % 2 != 0 && by_ms <= DAY;
        struct town_bulletin b = {
            1, 0, &speech, {T0 + 10 * SECOND, T0 + 30 * SECOND}, NULL, false};
        struct twist then = said_at(T0 + 11 * SECOND);

        b.starts[0] += before ? by_ms : 0;
        b.starts[1] += before ? by_ms : 0;
        ready(&b, 1, NULL);
        w.offset_us += before ? by_ms * 1000 : 0;
        world_run(&w, b.starts[0] + 500);
        town_head(&town, NULL, T0 + 10 * SECOND, 1, NULL, NULL, &l);
        world_give(&w, "head", NULL, false, &l, false);
        w.offset_us += before ? 0 : by_ms * 1000;
        world_run(&w, world_at_ms(&w) + 20);
        CHECK_INT("believed", w.s.time.trusted, 1);
        CHECK_INT("sounds", speaker_sounding(&w.s), 1);
        command(30, 0, NULL, &then);
        CHECK_INT("the volume needs the time", speaker_volume(&w.s), 100);
        command(-1, i / 2 % 2 == 0 ? 1 : 0, NULL, &then);
        CHECK_INT("silent", speaker_sounding(&w.s), 0);
        w.offset_us -= before ? 0 : by_ms * 1000;
        world_run(&w, b.starts[1] + 500);
        CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "stopped"),
                  1);
        CHECK_INT("the next one", speaker_sounding(&w.s), 1);
        world_give(&w, "command", NULL, false, &l, false);
        CHECK_INT("once", speaker_sounding(&w.s), 1);
    }
}

/* Somebody kept a Stop back and lets it go when something else speaks: what was
 * planned after it, what another id has, or after a head that is later. */
static void test_stop_that_was_kept_back(void)
{
    static struct letter all, other_one, own;
    struct town_bulletin b = {1,    0,    &speech, {T0 + HOUR, T0 + 2 * HOUR},
                              NULL, false};
    struct twist t[] = {said_at(T0), said_at(T0 + 1), said_at(T0 + 2)};
    size_t rows_n;

    for (int planned_after = 0; planned_after < 2; planned_after++) {
        ready(&b, 1, NULL);
        town_command(&town, -1, 2, NULL, &t[0], T0, &other_one);
        town_command(&town, -1, 0, NULL, &t[1], T0, &all);
        town_command(&town, -1, 1, NULL, &t[2], T0, &own);
        world_run(&w, T0 + 2 * MINUTE);
        if (planned_after) {
            publish((uint64_t)T0 + 1, &b, 1);
        } else {
            town_head(&town, NULL, T0 + 2 * MINUTE, 1, NULL, NULL, &l);
            world_give(&w, "head", NULL, false, &l, false);
        }
        world_run(&w, T0 + HOUR + 500);
        rows_n = w.rows_n;
        world_give(&w, "command", NULL, false, &other_one, false);
        CHECK_INT("another bulletin", speaker_sounding(&w.s), 1);
        world_give(&w, "command", NULL, false, &all, false);
        CHECK_INT("whatever sounds", speaker_sounding(&w.s), 1);
        CHECK_INT("nothing came of them", w.rows_n, rows_n);
        world_give(&w, "command", NULL, false, &own, false);
        CHECK_INT("the one it names", speaker_sounding(&w.s), 0);
        world_run(&w, T0 + 2 * HOUR + 500);
        world_give(&w, "command", NULL, false, &own, false);
        CHECK_INT("once", speaker_sounding(&w.s), 1);
    }
}

/* A certificate that has ended must not speak for ever by dating its words
 * back: not against what was planned since. */
static void test_stop_by_a_certificate_that_ended(void)
{
    static struct person former;
    struct loa_certificate c = {.role = LOA_ROLE_STAFF,
                                .powers = LOA_POWER_COMMAND,
                                .not_after_ms = T0 + MINUTE,
                                .principal = "former",
                                .area = OWN};
    struct town_bulletin b = {1, 0, &speech, {T0 + HOUR}, NULL, false};
    struct twist t = {.by = &former,
                      .issued_at_ms = T0 + 30 * SECOND,
                      .counter = (uint64_t)(T0 + HOUR) * 1000};

    person_issue(&former, &town.province, 77, &c);
    ready(&b, 1, NULL);
    world_run(&w, T0 + 2 * MINUTE);
    publish((uint64_t)T0 + 1, &b, 1);
    world_run(&w, T0 + HOUR + 500);
    command(-1, 1, NULL, &t);
    command(-1, 0, NULL, &t);
    CHECK_INT("sounds on", speaker_sounding(&w.s), 1);
    CHECK_INT("refused", w.s.refused_n, 2);
}

/* Without the right time nobody was cut who was revoked. */
static void test_revoked_while_time_is_in_doubt(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    const struct person *gone[] = {&town.approver, &town.scheduler,
                                   &town.second};

    for (size_t i = 0; i < 3; i++) {
        ready(&b, 1, NULL);
        world_run(&w, T0 + 10 * SECOND + 500);
        w.offset_us -= 10 * MINUTE * 1000;
        world_run(&w, world_at_ms(&w) + 20);
        CHECK_INT("no time", w.s.time.trusted, 0);
        town_trust(&town, 1, gone[i], T0, &l);
        world_give(&w, "trust", "vn/08", false, &l, true);
        CHECK_INT("sounds on", speaker_sounding(&w.s), gone[i] == &town.second);
    }
}

/* The disk refused to remember a Stop, and it was not obeyed. */
static void test_stop_on_a_disk_that_refuses(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    ready(&b, 1, NULL);
    world_run(&w, T0 + 10 * SECOND + 500);
    w.disk_fails = true;
    command(-1, 1, NULL, NULL);
    CHECK_INT("silent", speaker_sounding(&w.s), 0);
    w.disk_fails = false;
    world_run(&w, T0 + MINUTE);
    CHECK_INT("told", world_receipts(&w, 1, RECEIPT_INTERRUPTED, "stopped"), 1);
    CHECK_INT("obeyed", w.rows[w.rows_n - 1].event, RECEIPT_COMMAND);
    CHECK_INT("why", w.rows[w.rows_n - 1].reason[0], '\0');
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

/* A State that did not go out waited for the next connection. */
static void test_lost_state_is_said_again(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + HOUR}, NULL, false};
    size_t said_n;

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    said_n = w.states_n;
    w.send_fails = true;
    publish((uint64_t)T0, &b, 1);
    world_run(&w, T0 + 5 * SECOND);
    CHECK_INT("not yet", w.states_n, said_n);
    w.send_fails = false;
    world_run(&w, T0 + 8 * SECOND);
    CHECK_INT("soon after", w.states_n, said_n + 1);
    speaker_state_refused(&w.s);
    world_run(&w, T0 + 9 * SECOND);
    CHECK_INT("not at once", w.states_n, said_n + 1);
    world_run(&w, T0 + 15 * SECOND);
    CHECK_INT("the broker refused it", w.states_n, said_n + 2);
    world_run(&w, T0 + 10 * MINUTE);
    CHECK_INT("once", w.states_n, said_n + 2);
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

int main(void)
{
    if (story_init() < 0)
        return 1;
    test_commands();
    test_stop();
    test_replayed_command();
    test_stop_while_time_is_in_doubt();
    test_stop_from_the_future();
    test_stop_under_a_clock_that_is_ahead();
    test_stop_that_was_kept_back();
    test_stop_by_a_certificate_that_ended();
    test_revoked_while_time_is_in_doubt();
    test_stop_on_a_disk_that_refuses();
    test_receipts_until_acked();
    test_sessions_rise();
    test_health();
    test_unsent_batch();
    test_lost_state_is_said_again();
    test_long_log();
    return CHECK_DONE();
}
