/* The whole core, in stories. What is late, incomplete, cut off, killed, or
 * refused by the disk. */

#include "story.h"

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

/* The power fails before the n-th operation after a programme came, and as
 * often again while the device starts. Without the mend what was on the disk
 * counted as told. Told once is told: the first bulletin, which the programme
 * before had as well, comes a second time at most. */
static void test_received_lost_with_the_power(void)
{
    struct town_bulletin b[] = {{1, 0, &speech, {T0 + HOUR}, NULL, false},
                                {2, 0, &other, {T0 + HOUR}, NULL, false}};

    for (unsigned cut = 1; cut <= 16; cut++) {
        ready(b, 1, NULL);
        world_run(&w, T0 + MINUTE);
        w.kill_in = cut;
        publish((uint64_t)T0 + 1, b, 2);
        for (unsigned i = 1; i <= 16; i++) {
            world_kill(&w);
            w.kill_in = i;
            world_boot(&w, NULL);
        }
        for (int i = 0; i < 3; i++) {
            world_kill(&w);
            w.kill_in = 0;
            world_boot(&w, NULL);
            world_connect(&w);
            if (i == 0)
                publish((uint64_t)T0 + 1, b, 2); /* It may not have it. */
            world_run(&w, world_at_ms(&w) + MINUTE);
        }
        CHECK_INT("told", world_receipts(&w, 2, RECEIPT_RECEIVED, ""), 1);
        CHECK_INT("told before",
                  world_receipts(&w, 1, RECEIPT_RECEIVED, "") <= 2, 1);
    }
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

static void refuse_receipts(struct world *x, const struct speaker_op *op)
{
    x->disk_fails = op->type == SPEAKER_STORE;
}

/* A full disk had refused something else, and a connection told its session
 * before that was kept: behind a power cut the next one told the same. */
static void test_session_told_before_it_was_kept(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    uint64_t told;

    ready(&b, 1, NULL);
    w.on_op = refuse_receipts;
    world_run(&w, T0 + 12 * SECOND);
    CHECK_INT("the disk rests", w.s.storage_failed, 1);
    for (int i = 0; i <= SPEAKER_SESSIONS; i++) {
        world_lose(&w);
        world_connect(&w);
    }
    told = w.session;
    w.on_op = NULL;
    world_kill(&w);
    world_boot(&w, NULL);
    world_connect(&w);
    CHECK_INT("a new one", w.session > told, 1);
}

static void refuse_new_files(struct world *x, const struct speaker_op *op)
{
    x->disk_fails = op->type == SPEAKER_SAVE && op->file >= SPEAKER_FILE_TRUST;
}

/* A full disk refused the programme and took the memo, and everything retained
 * was fetched again every ten seconds. */
static void test_full_disk_fetches_for_ever(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 5 * HOUR}, NULL, false};
    static struct letter plan;
    size_t seen_n, fetched_n = 0;

    ready(&b, 1, NULL);
    w.on_op = refuse_new_files;
    town_programme(&town, NULL, (uint64_t)T0 + 1, &b, 1, NULL, T0, &plan);
    world_give(&w, "programme", NULL, false, &plan, true);
    seen_n = w.asked_n;
    for (int64_t i = 0; i < 1200; i++) {
        world_run(&w, T0 + (i + 2) * SECOND);
        if (w.asked_n == seen_n)
            continue;
        seen_n = w.asked_n;
        fetched_n++;
        world_give(&w, "programme", NULL, false, &plan, true);
    }
    CHECK_INT("tried again", fetched_n >= 5, 1);
    CHECK_INT("ever more rarely", fetched_n <= 8, 1);
    CHECK_INT("health says so", w.health.storage_fault, 1);
    CHECK_INT("not kept", world_programme(&w, OWN)->there, 0);
    w.on_op = NULL;
    w.disk_fails = false;
    world_run(&w, T0 + HOUR);
    CHECK_INT("asked for", w.asked_n > seen_n, 1);
    world_give(&w, "programme", NULL, false, &plan, true);
    CHECK_INT("kept", world_programme(&w, OWN)->there, 1);
    world_run(&w, T0 + HOUR + 20 * SECOND);
    seen_n = w.asked_n;
    world_run(&w, T0 + 2 * HOUR);
    CHECK_INT("no more", w.asked_n, seen_n);
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

/* A disk without room for contents: every ten seconds it was tried by having
 * all packets sent to the whole area once more. */
static void test_full_disk_wants_for_ever(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 5 * HOUR}, NULL, false};
    size_t seen_n = 0, pushed_n = 0;

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    w.content_fails = true;
    publish((uint64_t)T0, &b, 1);
    for (int64_t i = 0; i < 1200; i++) {
        world_run(&w, T0 + (i + 1) * SECOND);
        if (w.wants_n == seen_n)
            continue;
        seen_n = w.wants_n;
        pushed_n++;
        world_push(&w, &speech, 0);
    }
    CHECK_INT("tried again", pushed_n >= 5, 1);
    CHECK_INT("ever more rarely", pushed_n <= 8, 1);
    w.content_fails = false;
    for (int64_t i = 1200; i < 2400 && seen_n == w.wants_n; i++)
        world_run(&w, T0 + (i + 1) * SECOND);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + 6 * HOUR);
    CHECK_INT("plays", w.plays_n, 1);
    CHECK_INT("fault over", w.health.storage_fault, 0);
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
    if (story_init() < 0)
        return 1;
    test_late();
    test_incomplete();
    test_wrong_packets();
    test_killed_while_playing();
    test_killed_before_first_sample();
    test_received_lost_with_the_power();
    test_stopped_in_order();
    test_without_network();
    test_disk_refuses();
    test_session_told_before_it_was_kept();
    test_full_disk_fetches_for_ever();
    test_content_disk_full();
    test_full_disk_wants_for_ever();
    test_files_of_nonsense();
    return CHECK_DONE();
}
