/* Days in the life of a loudspeaker, each from one seed: programmes that come
 * from the scheduler's own core or are made up, move, collide, are cancelled;
 * contents that come late; power, network and broker that fail; clocks that
 * jump, are wrong from the start, or are not there; pauses; a bad disk. model.h
 * says what must be heard, what may, what must not.
 *
 *     sim_days DAYS SEED          DAYS days from SEED on, a sample of them
 * twice sim_days 1 SEED             that day alone; PRINT=1 shows it sim_days
 * faults             does the model find what it has to? sim_days offline 24
 * hours and 7 days without network */

#include <time.h>

#include "faults.h"
#include "planner.h"

#define HORIZON_DAYS 1
#define ASKED_MAX 256
#define TWICE_EVERY 20 /* Days of which one is run again. */

static unsigned long seed;
static unsigned rng_twist; /* A change of one microsecond in the course. */
static struct person staff;

/* --- what was asked of the scheduler -------------------------------------- */

static const char *const tree[] = {"vn", "vn/08", "vn/08/070",
                                   OWN,  OTHER,   "vn/09"};

static struct asked {
    uint8_t id;
    int area; /* Into model_areas; MODEL_AREAS: OTHER. */
    const struct town_content *content;
    int64_t first_ms, until_ms;
    unsigned frequency, weekdays; /* 0 once, 1 daily, 2 weekly. */
    bool by_second, gone;
} asked[ASKED_MAX];
static size_t asked_n;
static uint8_t next_id;
static unsigned horizon_days;
static uint64_t versions[MODEL_AREAS];
static int64_t window_ms[MODEL_AREAS];

/* Monday is 0, by the calendar of Viet Nam: 1970-01-01 was a Thursday. */
static unsigned weekday_of(int64_t at_ms)
{
    return (unsigned)((at_ms + 7 * HOUR) / DAY + 3) % 7;
}

static int64_t midnight_before(int64_t at_ms)
{
    return (at_ms + 7 * HOUR) / DAY * DAY - 7 * HOUR;
}

/* Does it sound at that time? */
static bool asked_at(const struct asked *a, int64_t at_ms)
{
    if (a->gone || at_ms < a->first_ms || (at_ms - a->first_ms) % DAY != 0 ||
        at_ms > a->until_ms)
        return false;
    return a->frequency == 1 || at_ms == a->first_ms ||
           (a->frequency == 2 && (a->weekdays >> weekday_of(at_ms) & 1) != 0);
}

static const struct asked *asked_find(uint8_t id)
{
    for (size_t i = 0; i < asked_n; i++)
        if (asked[i].id == id)
            return &asked[i];
    return NULL;
}

static bool lists(const Loa__V1__Programme *p, uint8_t id, int64_t start_ms)
{
    for (size_t i = 0; i < p->n_bulletins; i++)
        for (size_t k = 0; k < p->bulletins[i]->n_starts_at_ms; k++)
            if (p->bulletins[i]->bulletin_id.data[0] == id &&
                p->bulletins[i]->starts_at_ms[k] == start_ms)
                return true;
    return false;
}

/* Everything that was asked for in the area and has not ended, until the end
 * of the window, and nothing else. */
static void check_programme(int area, Loa__V1__Programme *p, int64_t expires_ms)
{
    int64_t at_ms = true_ms();
    int64_t end_ms = midnight_before(at_ms) + (horizon_days + 1) * DAY;

    if (p->n_bulletins > 0 && strike(FAULT_PLAN_LACKS))
        p->n_bulletins--;
    if (p->n_bulletins > 0 && strike(FAULT_PLAN_KEEPS))
        p->bulletins[0]->starts_at_ms[0] -= DAY;
    if (strike(FAULT_PLAN_SHORT))
        expires_ms = end_ms;
    if (versions[area] > 0 && strike(FAULT_PLAN_OLD))
        p->version = versions[area];
    if (p->version <= versions[area])
        found("version %lu follows %lu", (unsigned long)p->version,
              (unsigned long)versions[area]);
    if (p->version > (uint64_t)at_ms + 1000)
        found("a version of the future");
    if (expires_ms < end_ms + DAY)
        found("a programme ends with its window");
    for (size_t i = 0; i < asked_n; i++)
        for (int64_t s = asked[i].first_ms; s < end_ms; s += DAY)
            if (asked[i].area == area && asked_at(&asked[i], s) &&
                s + asked[i].content->m.duration_ms > at_ms &&
                !lists(p, asked[i].id, s))
                found("the programme lacks %d", asked[i].id);
    for (size_t i = 0; i < p->n_bulletins; i++) {
        const struct asked *a =
            asked_find(p->bulletins[i]->bulletin_id.data[0]);

        for (size_t k = 0; k < p->bulletins[i]->n_starts_at_ms; k++)
            if (a == NULL || a->area != area ||
                !asked_at(a, p->bulletins[i]->starts_at_ms[k]))
                found("the programme has %d at no time asked for",
                      p->bulletins[i]->bulletin_id.data[0]);
    }
    versions[area] = p->version;
    window_ms[area] = end_ms;
}

static bool asking; /* What is being asked is checked when it is answered. */
static bool made[MODEL_AREAS];

static void check_made(void)
{
    for (int a = 0; a < MODEL_AREAS; a++) {
        Loa__V1__Signed *s;
        Loa__V1__Programme *p;

        if (!made[a])
            continue;
        made[a] = false;
        s = opened((struct loa_bytes){d.retained[a].data, d.retained[a].len});
        p = loa__v1__programme__unpack(NULL, s->body.len, s->body.data);
        check_programme(a, p, s->expires_at_ms);
        loa__v1__programme__free_unpacked(p, NULL);
        loa__v1__signed__free_unpacked(s, NULL);
        if (!likely(10))
            deliver(a);
        look_at_power();
    }
}

static void on_made(const char *area, struct loa_bytes envelope)
{
    for (int a = 0; a < MODEL_AREAS; a++)
        if (strcmp(model_areas[a], area) == 0) {
            memcpy(d.retained[a].data, envelope.data, envelope.len);
            d.retained[a].len = envelope.len;
            d.there[a] = made[a] = true;
        }
    trace_add(envelope.data, envelope.len);
    if (!asking)
        check_made();
}

/* A new day needs new programmes. */
static void tick(void)
{
    if (!d.scheduler)
        return;
    planner_tick(true_ms());
    for (int a = 0; a < MODEL_AREAS; a++)
        for (size_t i = 0; i < asked_n; i++)
            for (int64_t s = midnight_before(true_ms()) + DAY;
                 asked[i].area == a && s < midnight_before(true_ms()) + 2 * DAY;
                 s += MINUTE)
                if (asked_at(&asked[i], s) && window_ms[a] <= s)
                    found("%d of tomorrow is in no programme", asked[i].id);
}

/* --- approvals ------------------------------------------------------------ */

static void approve(const struct town_content *c,
                    const struct twist *t,
                    struct letter *out)
{
    Loa__V1__ContentManifest body = LOA__V1__CONTENT_MANIFEST__INIT;
    static char title[] = "Bản tin";
    struct known_approval *a = &m.approvals[m.approvals_n++];
    uint8_t buf[1024];

    assert(m.approvals_n <= MODEL_APPROVALS);
    body.content_hash = bin(c->m.hash, LOA_HASH_BYTES);
    body.stream_key = bin(c->m.stream_key, LOA_KEY_BYTES);
    body.packets_n = c->m.packets_n;
    body.frames_n = c->m.frames_n;
    body.duration_ms = c->m.duration_ms;
    body.bytes = c->m.bytes;
    body.title = title;
    seal(&town, LOA_TYPE_APPROVAL, &town.approver,
         (struct loa_bytes){buf, loa__v1__content_manifest__pack(&body, buf)},
         t, true_ms(), out);
    a->letter = town.ids;
    memcpy(a->hash, c->m.hash, sizeof a->hash);
    a->by_second = t->by == &town.second;
    a->covers = t->area == NULL || strcmp(t->area, OTHER) != 0;
    a->until_ms = true_ms() + t->valid_ms;
}

/* --- what staff do -------------------------------------------------------- */

static void ask_for(int64_t start_ms, unsigned frequency, bool by_second)
{
    static struct letter approval;
    struct asked *a = &asked[asked_n];
    struct twist t = {.valid_ms = 30 * DAY,
                      .by = by_second ? &town.second : NULL};
    struct planner_ask ask;

    if (asked_n == ASKED_MAX || next_id == 255)
        return;
    memset(a, 0, sizeof *a);
    a->id = ++next_id;
    a->area = (int)chance_of(MODEL_AREAS + 1);
    a->content = &contents[chance_of(CONTENTS)];
    a->first_ms = start_ms;
    a->frequency = frequency;
    a->until_ms = frequency > 0 ? start_ms + 9 * DAY : start_ms;
    a->weekdays = 1u << weekday_of(start_ms) | (unsigned)chance_of(128);
    a->by_second = by_second;
    approve(a->content, &t, &approval);
    ask = (struct planner_ask){
        .id = a->id,
        .approval = {approval.data, approval.len},
        .area = a->area < MODEL_AREAS ? model_areas[a->area] : OTHER,
        .class = likely(30) ? 2 : 1,
        .start_at_ms = start_ms,
        .until_ms = frequency > 0 ? a->until_ms : 0,
        .frequency = frequency,
        .weekdays = a->weekdays};
    asking = true;
    asked_n += planner_add(&ask, &staff.leaf, true_ms());
    asking = false;
    check_made();
}

static void staff_acts(void)
{
    struct asked *a = &asked[chance_of(asked_n)];
    int64_t at_ms = true_ms() + 10 * SECOND +
                    (int64_t)chance_of(likely(50) ? HOUR : 10 * MINUTE);
    bool ok = false;

    if (asked_n == 0 || likely(70)) {
        ask_for(at_ms, likely(40) ? 1 + (unsigned)chance_of(2) : 0, likely(30));
        return;
    }
    if (a->gone)
        return;
    asking = true;
    if (likely(50)) {
        ok = planner_cancel(a->id, &staff.leaf, true_ms());
        a->gone = ok;
    } else if (a->frequency == 0 && a->first_ms > true_ms()) {
        ok = planner_move(a->id, at_ms, &staff.leaf, true_ms());
        if (ok)
            a->first_ms = a->until_ms = at_ms;
    }
    asking = false;
    check_made();
}

/* A programme that no scheduler would make: unapproved, approved elsewhere, for
 * too short a time, ending before its bulletins. */
static void make_up(int area)
{
    static struct letter approvals[8];
    struct town_bulletin rows[8];
    struct twist t = {.valid_ms = likely(60)
                                      ? 2 * DAY
                                      : (int64_t)chance_of(2 * HOUR) + MINUTE};
    size_t n = next_id < 250 ? chance_of(6) : 0;

    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = chance_of(10);
        struct twist a = {.valid_ms = x == 8 ? HOUR : 2 * DAY,
                          .by = x == 5 || x == 6 ? &town.second : NULL,
                          .area = x == 7 ? OTHER : NULL};
        int64_t at_ms = true_ms() + 10 * SECOND;

        rows[i].id = ++next_id;
        rows[i].class = likely(30) ? BULLETIN_PRIORITY : BULLETIN_NORMAL;
        rows[i].content = &contents[chance_of(CONTENTS)];
        rows[i].unapproved = x == 9;
        for (size_t k = 0; k < 1 + i % 4; k++)
            rows[i].starts[k] = at_ms += 1 + (int64_t)chance_of(HOUR);
        rows[i].approval = &approvals[i];
        if (x != 9)
            approve(rows[i].content, &a, &approvals[i]);
    }
    town_programme(&town, model_areas[area], (uint64_t)true_ms(), rows, n, &t,
                   true_ms(), &d.retained[area]);
    d.there[area] = true;
    if (!likely(10))
        deliver(area);
    look_at_power();
}

static void revoke(void)
{
    d.revoked = !d.revoked && likely(60);
    town_trust(&town, ++d.trust_number, d.revoked ? &town.second : NULL,
               true_ms(), &d.trust);
    for (size_t i = 0; i < asked_n; i++)
        if (asked[i].by_second && d.revoked &&
            asked[i].until_ms + (int64_t)asked[i].content->m.duration_ms >
                true_ms())
            asked[i].gone = true;
    deliver_trust();
    look_at_power();
    if (d.scheduler) {
        asking = true;
        planner_trust((struct loa_bytes){d.trust.data, d.trust.len}, true_ms());
        asking = false;
        check_made();
    }
}

/* --- what happens --------------------------------------------------------- */

static void clock_jumps(void)
{
    static const int64_t to_ms[] = {0, INT64_C(2147483648000),
                                    INT64_C(4294967296000)};
    static const int64_t by_ms[] = {HOUR,        -HOUR,       DAY,     -DAY,
                                    20 * MINUTE, -5 * MINUTE, -SECOND, 30};
    uint64_t x = chance_of(14);

    shaken();
    if (x < 3) /* 1970, 2038-01-19, 2106-02-07. */
        w.offset_us = to_ms[x] * 1000 - w.now_us + (int64_t)chance_of(1000000);
    else if (x < 11)
        w.offset_us += by_ms[x - 3] * 1000;
    else
        w.offset_us = d.true_us + d.smeared_us;
    if (w.offset_us < 0)
        w.offset_us = 0; /* No clock is before 1970. */
    disturb(w.now_us);
}

static void pause_process(void)
{
    shaken();
    if (w.running)
        w.now_us += 1000000 + (int64_t)chance_of(300000000);
    if (w.period_us != 0)
        w.period_us = w.now_us;
    disturb(w.now_us);
}

static void power(void)
{
    if (w.running && likely(50))
        w.kill_in = 1 + (unsigned)chance_of(12); /* In the midst of it. */
    else if (w.running)
        power_off();
    else
        power_on();
}

/* The broker lost what it retained; the scheduler publishes it again. */
static void forget(void)
{
    network(false);
    if (!d.scheduler)
        d.there[chance_of(MODEL_AREAS)] = false;
}

static void happen(void)
{
    uint64_t x = chance_of(100);

    if (x < 40)
        d.scheduler ? staff_acts() : make_up((int)chance_of(MODEL_AREAS));
    else if (x < 45)
        revoke();
    else if (x < 52)
        power();
    else if (x < 58)
        network(false);
    else if (x < 78) {
        if (!w.running)
            power_on();
        network(true);
    } else if (x < 83)
        clock_jumps();
    else if (x < 88 && likely(50))
        w.offset_us = d.true_us + d.smeared_us, shaken();
    else if (x < 91)
        pause_process();
    else if (x < 93)
        shaken(), w.disk_fails = likely(30), w.content_fails = likely(30);
    else if (x < 95)
        w.acking = likely(70);
    else if (x < 96)
        forget();
    else
        push((int)chance_of(CONTENTS), 10);
    look_at_power();
}

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
    fault_shift = 0;
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
    model_close(w.all_n);
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
        /* An occasion that the model may overlook: see model_judge(). */
        if (fault_done && fault != FAULT_SILENT && fault != FAULT_CUT &&
            fault != FAULT_RECEIPT_UNTOLD)
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
