/* Days in the life of a loudspeaker, each from one seed: programmes that come
 * from the scheduler's own core or are made up, move, collide, are cancelled;
 * contents that come late; power, network and broker that fail; clocks that
 * jump, are wrong from the start, or are not there; pauses; a bad disk. model.h
 * says what must be heard, what may, what must not.
 *
 *     sim_days DAYS SEED   DAYS days from SEED on, a sample of them twice
 *     sim_days 1 SEED      that day alone; PRINT=1 shows it
 *     sim_days faults      does the model find what it has to?
 *     sim_days offline     24 hours and 7 days without network */

#include <time.h>

#include "happen.h"

#define HORIZON_DAYS 1
#define TWICE_EVERY 20 /* Days of which one is run again. */

static unsigned long seed;
static unsigned rng_twist; /* A change of one microsecond in the course. */

/* --- days ----------------------------------------------------------------- */

static void begin(bool scheduler, bool clockless, unsigned horizon)
{
    struct planner_conf conf = {
        .root = town.root.key.public_key,
        .signer = {&town.scheduler.key, town.scheduler.certificates,
                   town.scheduler.certificates_n},
        .area = "vn/08",
        .areas = tree,
        .areas_n = sizeof tree / sizeof tree[0],
        .horizon_days = horizon,
        .made = on_made};

    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    memset(versions, 0, sizeof versions);
    memset(window_ms, 0, sizeof window_ms);
    asked_n = next_id = 0;
    fault_done = false;
    fault_shift = fault_unwritten_n = 0;
    memset(&command, 0, sizeof command);
    trace[0] = trace[1] = 0xcbf29ce484222325ull;
    horizon_days = horizon;
    town.ids = 0;
    world_init(&w, &town);
    w.on_op = on_op;
    w.on_batch = on_batch;
    w.print = getenv("PRINT") != NULL;
    w.offset_us += (int64_t)chance_of(600 * DAY) * 1000;
    d.true_us = w.offset_us;
    d.scheduler = scheduler;
    d.clockless = clockless;
    d.lost_percent = 30;
    for (int c = 0; c < CONTENTS; c++)
        d.complete_us[c] = INT64_MAX;
    if (scheduler)
        planner_open(&conf, true_ms());
}

/* Everything is put right, and all receipts come in. */
static void calm(void)
{
    int64_t late_ms;
    int more = 200;

    w.disk_fails = w.content_fails = false;
    w.kill_in = 0;
    w.acking = true;
    shaken();
    w.offset_us = d.true_us + d.smeared_us;
    for (size_t i = 0; i < WORLD_CONTENTS_MAX; i++)
        w.contents[i].bad = false;
    if (!w.running)
        power_on();
    network(true);
    run_to(w.now_us + 5 * MINUTE * 1000);
    /* Time by which something sounded is not believed to come again. */
    late_ms = m.played_ms > m.floor_ms ? m.played_ms : m.floor_ms;
    if (late_ms > true_ms()) {
        shaken();
        w.now_us += (late_ms - true_ms() + MINUTE) * 1000;
        disturb(w.now_us);
    }
    run_to(w.now_us + 5 * MINUTE * 1000);
    network(true);
    run_to(w.now_us + 10 * MINUTE * 1000);
    do
        run_to(w.now_us + 5 * SECOND * 1000);
    while (more-- > 0 &&
           (speaker_sounding(&w.s) || w.s.receipts.acked < w.all_n));
    model_volume(hand_volume());
    model_close(w.all_n - fault_unwritten_n);
}

static void day(void)
{
    int64_t end_us;

    rng = 0x9e3779b97f4a7c15ull * (seed + 1);
    begin(seed % 2 == 0, chance_of(6) == 0, HORIZON_DAYS);
    if (likely(20))
        d.smear_us = likely(50) ? 41667 : -41667; /* A second in a day. */
    if (likely(8))
        clock_jumps(); /* Wrong from the first start. */
    power_on();
    if (likely(80))
        network(true);
    end_us = w.now_us + DAY * 1000;
    run_to(w.now_us + 1000000 + rng_twist);
    while (w.now_us < end_us) {
        happen();
        tick();
        /* Often in the very moment of a sound. */
        run_to(w.now_us +
               (int64_t)chance_of((likely(40)   ? 3 * SECOND
                                   : likely(60) ? 40 * MINUTE
                                                : 100 * MINUTE) *
                                  1000) +
               1);
        if (fault != FAULT_NONE)
            pretend_what_passed();
    }
    calm();
    if (d.scheduler)
        planner_close();
    trace_add(m.receipts, m.receipts_n * sizeof m.receipts[0]);
}

static bool report(void)
{
    if (m.finding[0] == '\0')
        return false;
    fprintf(stderr, "seed %lu: %s\n", seed, m.finding);
    for (size_t i = 0; getenv("PRINT") != NULL && i < m.occs_n; i++)
        printf(
            "%d %s start=%+.3f alive=%d must=%d told=%d plays=%u of=%.2f "
            "known=%.1f\n",
            m.occs[i].id, m.occs[i].class == 2 ? "priority" : "normal",
            (double)(m.occs[i].start_ms - T0) / 1000, m.occs[i].alive,
            m.occs[i].must, m.occs[i].told, m.occs[i].plays_n,
            (double)m.occs[i].samples_n / 48e3,
            (double)m.occs[i].known_us / 1e6);
    return true;
}

static int run_days(unsigned long n, unsigned long first)
{
    uint64_t all[2] = {0, 0}, plays_n = 0, must_n = 0, receipts_n = 0;
    time_t told = time(NULL);

    for (seed = first; seed < first + n; seed++) {
        uint64_t once[2];

        day();
        memcpy(once, trace, sizeof once);
        if (report())
            return 1;
        plays_n += m.plays_n;
        must_n += m.must_n;
        receipts_n += m.receipts_n;
        if (n == 1 || (seed - first) % TWICE_EVERY == 0) {
            day();
            if (memcmp(once, trace, sizeof once) != 0) {
                fprintf(stderr, "seed %lu: another day with the same seed\n",
                        seed);
                return 1;
            }
        }
        all[0] = all[0] * 0x100000001b3ull ^ once[0];
        all[1] = all[1] * 0x100000001b3ull ^ once[1];
        if (time(NULL) - told >= 10) {
            told = time(NULL);
            printf("  %lu of %lu days, %lu sounds\n", seed - first + 1, n,
                   (unsigned long)plays_n);
            fflush(stdout);
        }
    }
    printf(
        "%lu days from seed %lu: %lu sounds, %lu of them had to be, %lu "
        "receipts; hash %016lx%016lx\n",
        n, first, (unsigned long)plays_n, (unsigned long)must_n,
        (unsigned long)receipts_n, (unsigned long)all[0],
        (unsigned long)all[1]);
    return plays_n > 0 ? 0 : 1;
}

/* --- the checker itself --------------------------------------------------- */

/* An occasion that the model may overlook: see model_judge(). */
static bool may_overlook(void)
{
    return fault == FAULT_SILENT || fault == FAULT_CUT || fault == FAULT_LAG ||
           fault == FAULT_STOP_DEAF || fault == FAULT_STOP_LATE ||
           fault == FAULT_STOP_AGAIN || fault == FAULT_RECEIPT_UNTOLD ||
           fault == FAULT_RECEIPT_UNRECEIVED ||
           fault == FAULT_RECEIPT_UNVERIFIED;
}

static bool found_within(unsigned long days)
{
    for (seed = 1; seed <= days; seed++) {
        uint64_t once[2];

        day();
        if (m.finding[0] != '\0')
            return fault_done;
        if (fault == FAULT_TRACE) {
            memcpy(once, trace, sizeof once);
            rng_twist = 1;
            day();
            rng_twist = 0;
            return memcmp(once, trace, sizeof once) != 0;
        }
        if (fault_done && !may_overlook())
            return false;
    }
    return false;
}

static int run_faults(void)
{
    int missed = 0;

    for (int f = 1; f < FAULTS_N; f++) {
        bool seen;

        fault = (enum fault)f;
        seen = found_within(1000);
        printf("  %-5s %s%s%s\n", seen ? "found" : "MISSED", fault_texts[f],
               seen ? ": " : "", seen ? m.finding : "");
        fflush(stdout);
        missed += !seen;
    }
    fault = FAULT_NONE;
    printf("%d faults planted, %d missed\n", FAULTS_N - 1, missed);
    return missed == 0 ? 0 : 1;
}

/* --- without network ------------------------------------------------------ */

/* Everything that was given sounds once, also after a restart; then silence;
 * and every receipt is kept until somebody takes it. */
static int run_offline(unsigned days, unsigned restarts_n)
{
    size_t given_n = 0, sounded_n = 0;
    int64_t cut_us, end_ms;

    seed = days;
    rng = 0x9e3779b97f4a7c15ull * (seed + 1);
    begin(true, false, days);
    power_on();
    network(true);
    d.lost_percent = 0;
    for (int i = 0; i < 40; i++)
        ask_for(true_ms() + MINUTE + (int64_t)chance_of(23 * HOUR),
                i % 3 == 0 ? 0 : 1 + (unsigned)i % 2, false);
    run_to(w.now_us + 10 * MINUTE * 1000);
    network(false);
    cut_us = w.now_us;
    end_ms = m.plans[2].expires_ms;
    for (int a = 0; a < MODEL_AREAS; a++)
        if (m.plans[a].there && m.plans[a].expires_ms > end_ms)
            end_ms = m.plans[a].expires_ms;
    for (unsigned i = 0; i < restarts_n; i++) {
        run_to(cut_us +
               (int64_t)(i + 1) * DAY * 1000 * days / (restarts_n + 1));
        while (speaker_sounding(&w.s))
            run_to(w.now_us + SECOND * 1000);
        power_off();
        power_on();
    }
    run_to(cut_us + (end_ms - true_ms() + (w.now_us - cut_us) / 1000) * 1000 +
           2 * DAY * 1000);
    for (size_t i = 0; i < m.occs_n; i++) {
        given_n += m.occs[i].start_ms > T0 && m.occs[i].alive;
        sounded_n +=
            m.occs[i].plays_n == 1 &&
            m.occs[i].samples_n == (uint64_t)m.occs[i].duration_ms * 48;
    }
    printf("%u days without network: %zu given, %zu said, ", days, given_n,
           sounded_n);
    if (m.receipts_n >= w.all_n)
        found("receipts came without a network");
    calm();
    planner_close();
    printf("%zu receipts\n", m.receipts_n);
    return report() || given_n == 0 || m.must_n == 0;
}

int main(int argc, char *argv[])
{
    const char *what = argc > 1 ? argv[1] : "200";
    unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;

    if (sodium_init() < 0)
        return 1;
    town_init(&town);
    person_make(&staff, &town.province, 20, LOA_ROLE_STAFF, "lan_sched",
                "vn/08", "", LOA_POWER_SCHEDULE);
    for (int i = 0; i < CONTENTS; i++) {
        town_content(&contents[i], (uint8_t)(i + 1), 60 + 150 * (uint32_t)i);
        for (uint32_t k = 0; k < contents[i].m.packets_n; k++)
            town_packet(&contents[i], k, NULL, &packets[i][k]);
    }
    if (strcmp(what, "faults") == 0)
        return run_faults();
    if (strcmp(what, "offline") == 0)
        return run_offline(1, 0) | run_offline(7, 0) | run_offline(7, 5);
    return run_days(strtoul(what, NULL, 10), first);
}
