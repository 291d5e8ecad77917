/* Named attacks that need time: the attacker recorded a thousand honest
 * messages, owns the broker and the time of the network, and waits.
 *
 *     replay --list | replay NAME...
 *
 * Time is simulated; the core is the loudspeaker's own. */

#include "check.h"
#include "test/unit/speaker/world.h"

#define HOURLY 24
#define TAPE_N 1000

static struct town town, far;
static struct world w;
static struct town_content speech, second;
static struct letter l;

/* --- what was recorded
 * --------------------------------------------------------- */

static struct {
    const char *kind;
    bool to_me;
    struct letter l;
} tape[TAPE_N];
static size_t tape_n;

static void hear(const char *kind, bool to_me, const struct letter *m)
{
    if (tape_n < TAPE_N) {
        tape[tape_n].kind = kind;
        tape[tape_n].to_me = to_me;
        tape[tape_n++].l = *m;
    }
    world_give(&w, kind, NULL, to_me, m, false);
}

static void play_back(void)
{
    for (size_t i = 0; i < tape_n; i++)
        world_give(&w, tape[i].kind, NULL, tape[i].to_me, &tape[i].l, i & 1);
}

static void boot(struct town *t)
{
    world_init(&w, t);
    world_boot(&w, NULL);
    world_connect(&w);
}

static void reboot(void)
{
    world_kill(&w);
    world_boot(&w, NULL);
    world_connect(&w);
}

static void programme(uint64_t version, struct town_bulletin *b, size_t n)
{
    town_programme(&town, NULL, version, b, n, NULL, world_at_ms(&w), &l);
    hear("programme", false, &l);
}

/* One honest morning: a bulletin in a minute, one in two, commands, heads, a
 * list; 1,000 messages in all. Both bulletins have sounded at its end. */
static void morning(void)
{
    struct town_bulletin b[2] = {
        {1, 0, &speech, {T0 + MINUTE}, NULL, false},
        {2, BULLETIN_PRIORITY, &second, {T0 + 2 * MINUTE}, NULL, false}};

    tape_n = 0;
    boot(&town);
    town_trust(&town, 1, NULL, T0, &l);
    hear("trust", false, &l);
    programme((uint64_t)T0, b, 2);
    for (uint32_t i = 0; i < speech.m.packets_n; i++) {
        town_packet(&speech, i, NULL, &l);
        hear("content", false, &l);
        town_packet(&second, i, NULL, &l);
        hear("content", false, &l);
    }
    while (tape_n < TAPE_N) {
        int64_t at_ms = world_at_ms(&w);

        if (tape_n % 10 == 0)
            town_head(&town, NULL, at_ms, (uint64_t)T0, NULL, NULL, &l);
        else
            town_command(&town, 30 + (int)(tape_n % 70), 0, NULL, NULL, at_ms,
                         &l);
        hear(tape_n % 10 == 0 ? "head" : "command", false, &l);
        world_run(&w, at_ms + 200);
    }
    world_run(&w, T0 + 10 * MINUTE);
    CHECK_INT("both sounded", w.plays_n, 2);
    CHECK_INT("all recorded", tape_n, TAPE_N);
}

static int commands(void)
{
    int n = 0;

    for (size_t i = 0; i < w.rows_n; i++)
        n += w.rows[i].event == RECEIPT_COMMAND;
    return n;
}

static void nothing_new(const char *when)
{
    uint32_t volume = speaker_volume(&w.s);
    int done = commands();

    play_back();
    world_run(&w, world_at_ms(&w) + 5 * MINUTE);
    CHECK_INT(when, w.plays_n, 2);
    CHECK_INT(when, commands(), done);
    CHECK_INT(when, speaker_volume(&w.s), volume);
}

/* --- replay: incident 1, P3
 * ------------------------------------------------------- */

static void replayed_after_a_second(void)
{
    morning();
    world_run(&w, world_at_ms(&w) + SECOND);
    nothing_new("after a second");
}

static void replayed_after_an_hour(void)
{
    morning();
    world_run(&w, world_at_ms(&w) + HOUR);
    nothing_new("after an hour");
}

static void replayed_after_a_day(void)
{
    morning();
    world_run(&w, world_at_ms(&w) + DAY);
    nothing_new("after a day");
}

static void replayed_after_a_week(void)
{
    morning();
    world_kill(&w); /* Switched off meanwhile. */
    w.now_us += 8 * DAY * 1000;
    world_boot(&w, NULL);
    world_connect(&w);
    nothing_new("after a week");
}

static void replayed_after_a_reboot(void)
{
    morning();
    reboot();
    nothing_new("after a reboot");
    reboot();
    nothing_new("after another");
}

static void replayed_after_a_power_cut_while_playing(void)
{
    struct town_bulletin b = {3, 0, &speech, {T0 + 20 * MINUTE}, NULL, false};

    morning();
    programme((uint64_t)T0 + 9, &b, 1);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + 20 * MINUTE + 2 * SECOND);
    CHECK_INT("it sounds", w.plays_n, 3);
    reboot();
    play_back();
    programme((uint64_t)T0 + 9, &b, 1);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + HOUR);
    CHECK_INT("never again", w.plays_n, 3);
}

/* Everything that the device knew is gone; the attacker gives it the past. */
static void replayed_to_an_empty_disk(void)
{
    morning();
    boot(&town);
    w.now_us += (T0 + 30 * MINUTE) * 1000 - T0 * 1000;
    play_back();
    world_run(&w, T0 + 2 * HOUR);
    CHECK_INT("what is over is over", w.plays_n, 0);
}

static void replayed_to_another_area(void)
{
    morning();
    boot(&far);
    for (size_t i = 0; i < tape_n; i++) {
        world_give(&w, tape[i].kind, OTHER, tape[i].to_me, &tape[i].l, false);
        world_give(&w, tape[i].kind, "vn/08", tape[i].to_me, &tape[i].l, true);
    }
    world_run(&w, T0 + HOUR);
    CHECK_INT("plays", w.plays_n, 0);
    CHECK_INT("commands", commands(), 0);
}

/* --- withheld: P3, P4, P10
 * ------------------------------------------------------------ */

/* The broker keeps back a new programme: the old one ends by its own date. */
static void withheld_programme_ends_by_its_date(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + HOUR}, NULL, false};
    struct twist brief = {.valid_ms = 90 * MINUTE};

    for (size_t i = 1; i < 8; i++)
        b.starts[i] = b.starts[i - 1] + HOUR;
    boot(&town);
    town_programme(&town, NULL, (uint64_t)T0, &b, 1, &brief, T0, &l);
    world_give(&w, "programme", NULL, false, &l, true);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + DAY);
    CHECK_INT("one before its end", w.plays_n, 1);
}

/* It keeps back a revocation: the approval ends by its own date. */
static void withheld_revocation_ends_with_the_approval(void)
{
    static struct letter approval;
    struct town_bulletin b = {1, 0, &speech, {T0 + HOUR}, &approval, false};

    for (size_t i = 1; i < 8; i++)
        b.starts[i] = b.starts[i - 1] + HOUR;
    town_approval(&town, &speech, &(struct twist){.valid_ms = 150 * MINUTE}, T0,
                  &approval);
    boot(&town);
    programme((uint64_t)T0, &b, 1);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + DAY);
    CHECK_INT("two before its end", w.plays_n, 2);
    CHECK_INT("then it says why",
              world_receipts(&w, 1, RECEIPT_REFUSED, "expired") >= 1, 1);
}

static void withheld_heads_are_reported(void)
{
    boot(&town);
    town_head(&town, NULL, T0, 0, NULL, NULL, &l);
    world_give(&w, "head", NULL, false, &l, false);
    world_run(&w, T0 + 5 * MINUTE);
    CHECK_INT("fresh", w.health.stale, 0);
    for (int i = 0; i < 40; i++) { /* The same head all the time. */
        world_give(&w, "head", NULL, false, &l, true);
        world_run(&w, world_at_ms(&w) + MINUTE);
    }
    CHECK_INT("stale", w.health.stale, 1);
}

/* --- the clock: NTP, R7
 * ------------------------------------------------------------------ */

static void hourly(struct town_bulletin *b)
{
    for (size_t i = 0; i < 8; i++)
        b->starts[i] = T0 + (int64_t)(i + 1) * 10 * MINUTE;
}

/* Ten minutes apart, eight times; the clock jumps in the middle of the third.
 * Each occurrence sounds at most once, and never outside its moment. */
static void jump(const char *name, int64_t by_ms)
{
    struct town_bulletin b = {1, 0, &speech, {0}, NULL, false};
    uint64_t seen[8] = {0};

    hourly(&b);
    boot(&town);
    programme((uint64_t)T0, &b, 1);
    world_push(&w, &speech, 0);
    world_run(&w, T0 + 30 * MINUTE + SECOND);
    CHECK_INT(name, w.plays_n, 3);
    w.offset_us += by_ms * 1000;
    for (int i = 0; i < 20; i++) {
        play_back();
        world_run(&w, world_at_ms(&w) + 5 * MINUTE);
    }
    for (size_t i = 0; i < w.plays_n; i++) {
        const struct world_play *p = &w.plays[i];

        for (size_t k = 0; k < 8; k++)
            if (p->start_at_ms == b.starts[k])
                CHECK_INT(name, seen[k]++, 0);
        CHECK_INT(name,
                  p->first_at_us / 1000 - p->start_at_ms <= AGENDA_LATE_MS &&
                      p->first_at_us / 1000 >= p->start_at_ms,
                  1);
    }
}

static void clock_forward_an_hour(void)
{
    jump("an hour forward", HOUR);
}

static void clock_forward_twenty_minutes(void)
{
    jump("twenty minutes forward", 20 * MINUTE);
}

static void clock_back_an_hour(void)
{
    jump("an hour back", -HOUR);
}

static void clock_back_a_minute(void)
{
    jump("a minute back", -MINUTE);
}

static void clock_in_1970(void)
{
    jump("1970", -T0);
}

static void clock_in_2106(void)
{
    jump("2106", INT64_C(4294967296000) - T0);
}

static void clock_swings(void)
{
    struct town_bulletin b = {1, 0, &speech, {0}, NULL, false};

    hourly(&b);
    boot(&town);
    programme((uint64_t)T0, &b, 1);
    world_push(&w, &speech, 0);
    for (int i = 0; i < 200; i++) { /* A server that lies both ways. */
        world_run(&w, world_at_ms(&w) + 40 * SECOND);
        w.offset_us += (i & 1 ? -3 : 3) * HOUR * 1000;
    }
    CHECK_INT("each at most once", w.plays_n <= 8, 1);
}

/* --- a device without a clock
 * --------------------------------------------------------- */

static const struct speaker_conf no_clock = {.content_bytes_max = 1 << 30,
                                             .volume_percent = 100,
                                             .clock = WALLTIME_NONE,
                                             .seed = {7}};

static void time_from_an_old_answer(void)
{
    uint8_t nonce[16];

    world_init(&w, &town);
    world_boot(&w, &no_clock);
    world_connect(&w);
    world_run(&w, T0 + SECOND);
    memcpy(nonce, w.nonce, sizeof nonce);
    town_head(&town, NULL, T0 + SECOND, 0, nonce, NULL, &l);
    world_kill(&w); /* The answer comes after the next start. */
    world_boot(&w, &no_clock);
    w.s.chance.in.counter += 1000; /* The system's chance, not the seed's. */
    world_connect(&w);
    world_run(&w, T0 + 2 * SECOND);
    world_give(&w, "head", NULL, true, &l, false);
    CHECK_INT("another question's", w.s.time.trusted, 0);
}

static void time_from_a_head_without_a_nonce(void)
{
    world_init(&w, &town);
    world_boot(&w, &no_clock);
    world_connect(&w);
    world_run(&w, T0 + SECOND);
    town_head(&town, NULL, T0 + SECOND, 0, NULL, NULL, &l);
    world_give(&w, "head", NULL, true, &l, false);
    CHECK_INT("no answer", w.s.time.trusted, 0);
}

static void time_from_an_answer_held_back(void)
{
    world_init(&w, &town);
    world_boot(&w, &no_clock);
    world_connect(&w);
    world_run(&w, T0 + SECOND);
    town_head(&town, NULL, T0 + SECOND, 0, w.nonce, NULL, &l);
    world_run(&w, T0 + SECOND + WALLTIME_ANSWER_MS + 500);
    world_give(&w, "head", NULL, true, &l, false);
    CHECK_INT("too old to be precise", w.s.time.trusted, 0);
}

/* Of a scheduler whose certificate has ended: a device without time cannot see
 * that, so it judges the answer at the time that the answer claims. */
static void time_from_an_expired_scheduler(void)
{
    static struct person old;
    struct loa_certificate c = {.role = LOA_ROLE_SERVICE,
                                .powers = LOA_POWER_SCHEDULE | LOA_POWER_TIME};
    struct twist by = {.by = &old};
    size_t len;
    int rv;

    strcpy(c.principal, "scheduler_old");
    strcpy(c.area, "vn/08");
    strcpy(c.service, "scheduler");
    person_issue(&old, &town.province, 77, &c);
    old.leaf.not_after_ms = T0 - DAY;
    rv = loa_certificate_issue(&old.leaf, &town.province.key, old.store[0],
                               sizeof old.store[0], &len);
    assert(rv == LOA_OK);
    old.certificates[0].len = len;
    world_init(&w, &town);
    world_boot(&w, &no_clock);
    world_connect(&w);
    world_run(&w, T0 + SECOND);
    town_head(&town, NULL, T0 + SECOND, 0, w.nonce, &by, &l);
    world_give(&w, "head", NULL, true, &l, false);
    CHECK_INT("ended", w.s.time.trusted, 0);
}

/* --- all of them
 * ------------------------------------------------------------------------ */

#define ROW(name, stands_for)   \
    {                           \
#name, stands_for, name \
    }
static const struct {
    const char *name, *stands_for;
    void (*run)(void);
} rows[] = {
    ROW(replayed_after_a_second, "P3 #1"),
    ROW(replayed_after_an_hour, "P3 #1"),
    ROW(replayed_after_a_day, "P3 #1"),
    ROW(replayed_after_a_week, "P3 #1"),
    ROW(replayed_after_a_reboot, "P3 #1"),
    ROW(replayed_after_a_power_cut_while_playing, "P3 #15"),
    ROW(replayed_to_an_empty_disk, "P3 #1"),
    ROW(replayed_to_another_area, "P3 #1"),
    ROW(withheld_programme_ends_by_its_date, "P4"),
    ROW(withheld_revocation_ends_with_the_approval, "P4 P10"),
    ROW(withheld_heads_are_reported, "P10"),
    ROW(clock_forward_an_hour, "P3 R7"),
    ROW(clock_forward_twenty_minutes, "P3 R7"),
    ROW(clock_back_an_hour, "P3 R7"),
    ROW(clock_back_a_minute, "P3 R7"),
    ROW(clock_in_1970, "P4 R7"),
    ROW(clock_in_2106, "P4 R7"),
    ROW(clock_swings, "P3 R7"),
    ROW(time_from_an_old_answer, "P3"),
    ROW(time_from_a_head_without_a_nonce, "P3"),
    ROW(time_from_an_answer_held_back, "P3"),
    ROW(time_from_an_expired_scheduler, "P1 #13"),
};

int main(int argc, char *argv[])
{
    town_init(&town);
    town_init(&far);
    strcpy(far.device.leaf.area, OTHER);
    strcpy(far.device.leaf.principal, "pole_far");
    town_content(&speech, 1, 150);
    town_content(&second, 2, 150);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool wanted = argc < 2;

        for (int k = 1; k < argc; k++)
            wanted = wanted || strcmp(argv[k], rows[i].name) == 0;
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            printf("%s %s\n", rows[i].name, rows[i].stands_for);
        else if (wanted)
            rows[i].run();
    }
    return CHECK_DONE();
}
