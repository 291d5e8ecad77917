/* A speaker's days, from a seed: programmes that change, packets that are lost,
 * a network that comes and goes, power cuts, a disk that refuses, lists of
 * revocations. What must always hold is checked at every sound:
 *
 *   - it is in the newest programme that reached the device, to the
 * millisecond;
 *   - its content has an approval there that covers this area, has not expired,
 *     and whose approver is not revoked by the newest list that reached it;
 *   - it begins within two seconds of its start, never before;
 *   - no occurrence sounds twice, whatever happened to the device.
 *
 * And when the storm is over: every occurrence is said, every receipt is
 * acknowledged, each occurrence that was begun has exactly one end; and what is
 * planned then begins at its start.
 *
 *     sim_speaker [FIRST_SEED [SEEDS]] */

#include "chance.h"
#include "world.h"

#define CONTENTS 6
#define BULLETINS 6
#define STARTS 4
#define STORM (6 * HOUR)
#define CALM (2 * HOUR)
#define PROMPT_US 40000 /* Nothing in the way: later than this is late. */

static struct town town;
static struct world w;
static struct town_content contents[CONTENTS];
static unsigned long seed;

#define HOLD(what, condition)                                       \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "seed %lu at %+.3f s: %s\n", seed,      \
                    (double)(world_at_ms(&w) - T0) / 1000, (what)); \
            world_print_receipts(&w);                               \
            exit(1);                                                \
        }                                                           \
    } while (0)

/* --- the truth about what was planned ------------------------------------- */

enum approval_kind { GOOD, BY_SECOND, ELSEWHERE, SHORT, NONE };

struct plan {
    bool delivered;
    uint64_t version;
    size_t n;
    struct planned {
        struct town_bulletin b;
        enum approval_kind kind;
        int64_t approved_until_ms;
        struct letter approval;
    } rows[BULLETINS];
};

/* One programme of the device's own area and one of the province. */
static const char *const areas[2] = {OWN, "vn/08"};
static struct plan published[2], delivered[2];
static struct letter programme[2];
static uint8_t next_id;
static bool second_revoked, second_revoked_delivered;
static struct letter trust;
static uint64_t trust_number;
static size_t checked_n;

static void approve(struct planned *p, bool calm)
{
    struct twist t = {0};
    uint64_t x = calm ? 0 : chance_of(10);

    p->kind = x < 5   ? GOOD
              : x < 7 ? BY_SECOND
              : x < 8 ? ELSEWHERE
              : x < 9 ? SHORT
                      : NONE;
    p->b.unapproved = p->kind == NONE;
    t.by = p->kind == BY_SECOND ? &town.second : NULL;
    t.area = p->kind == ELSEWHERE ? OTHER : NULL;
    t.valid_ms = p->kind == SHORT ? HOUR : 7 * DAY;
    p->approved_until_ms = world_at_ms(&w) + t.valid_ms;
    if (p->kind != NONE)
        town_approval(&town, p->b.content, &t, world_at_ms(&w), &p->approval);
}

static void plan_row(struct plan *plan, size_t i, int area, bool calm)
{
    struct planned *p = &plan->rows[i];
    int64_t at_ms = world_at_ms(&w) + 10 * SECOND;

    memset(&p->b, 0, sizeof p->b);
    p->b.id = ++next_id;
    p->b.class = likely(30) ? BULLETIN_PRIORITY : BULLETIN_NORMAL;
    p->b.content = &contents[chance_of(CONTENTS)];
    for (int k = 0; k < STARTS; k++) {
        /* In the calm nothing may be in the way of anything. */
        at_ms += calm ? (int64_t)(40 * SECOND) : 1 + (int64_t)chance_of(HOUR);
        p->b.starts[k] =
            calm ? at_ms + (int64_t)(i * 2 + (size_t)area) * 200 * SECOND
                 : at_ms;
    }
    approve(p, calm);
}

static void publish(int area, bool calm)
{
    struct plan *plan = &published[area];
    struct town_bulletin rows[BULLETINS];
    size_t n = calm ? BULLETINS : chance_of(BULLETINS + 1);

    /* Some rows stay, some move, some go, some are new. */
    for (size_t i = 0; i < n; i++) {
        if (i >= plan->n || calm || likely(40))
            plan_row(plan, i, area, calm);
        else if (likely(30))
            plan->rows[i].b.starts[0] -= (int64_t)chance_of(SECOND);
        rows[i] = plan->rows[i].b;
        rows[i].approval =
            plan->rows[i].kind == NONE ? NULL : &plan->rows[i].approval;
    }
    plan->n = n;
    plan->version = plan->version + 1 > (uint64_t)world_at_ms(&w)
                        ? plan->version + 1
                        : (uint64_t)world_at_ms(&w);
    town_programme(&town, areas[area], plan->version, rows, n, NULL,
                   world_at_ms(&w), &programme[area]);
}

static void deliver(int area)
{
    if (!w.running || !w.connected || published[area].version == 0)
        return;
    world_give(&w, "programme", areas[area], false, &programme[area], true);
    delivered[area] = published[area];
    delivered[area].delivered = true;
}

static void deliver_all(void)
{
    if (trust_number > 0 && w.running && w.connected) {
        world_give(&w, "trust", "vn/08", false, &trust, true);
        second_revoked_delivered = second_revoked;
    }
    deliver(0);
    deliver(1);
}

static void revoke(void)
{
    second_revoked = likely(50);
    town_trust(&town, ++trust_number, second_revoked ? &town.second : NULL,
               world_at_ms(&w), &trust);
}

/* --- what must always hold ------------------------------------------------ */

/* The plan that holds it. */
static const struct plan *planned(const struct world_play *p)
{
    for (int a = 0; a < 2; a++)
        for (size_t i = 0; delivered[a].delivered && i < delivered[a].n; i++) {
            const struct planned *r = &delivered[a].rows[i];

            for (int k = 0; k < STARTS; k++)
                if (r->b.id == p->id && r->b.starts[k] == p->start_at_ms &&
                    memcmp(r->b.content->m.hash, p->hash, 32) == 0)
                    return &delivered[a];
        }
    return NULL;
}

/* An approval is of a content: any one in the same programme will do. */
static bool approved(const struct plan *plan, const struct world_play *p)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct planned *r = &plan->rows[i];

        if (memcmp(r->b.content->m.hash, p->hash, 32) == 0 &&
            (r->kind == GOOD || r->kind == SHORT ||
             (r->kind == BY_SECOND && !second_revoked_delivered)) &&
            p->first_at_us / 1000 < r->approved_until_ms)
            return true;
    }
    return false;
}

static void check_play(size_t n)
{
    const struct world_play *p = &w.plays[n];
    const struct plan *plan = planned(p);
    int64_t late_us = p->first_at_us - p->start_at_ms * 1000;

    HOLD("sounds, but is not planned", plan != NULL);
    HOLD("sounds unapproved", approved(plan, p));
    HOLD("too early", late_us >= 0);
    HOLD("too late", late_us <= (AGENDA_LATE_MS + 100) * 1000);
    for (size_t i = 0; i < n; i++)
        HOLD("twice", w.plays[i].id != p->id ||
                          w.plays[i].start_at_ms != p->start_at_ms);
}

/* A play is checked against what had reached the device when it began: so
 * after every step of time, before anything else is delivered. */
static void step_to(int64_t at_ms)
{
    world_run(&w, at_ms);
    for (; checked_n < w.plays_n; checked_n++)
        check_play(checked_n);
}

static int ends_of(uint8_t id, int64_t start_at_ms)
{
    int n = 0;

    for (size_t i = 0; i < w.all_n; i++)
        n += w.all[i].bulletin_id[0] == id &&
             w.all[i].start_at_ms == start_at_ms &&
             (w.all[i].event == RECEIPT_FINISHED ||
              w.all[i].event == RECEIPT_INTERRUPTED ||
              w.all[i].event == RECEIPT_REFUSED);
    return n;
}

/* --- the storm ------------------------------------------------------------ */

static void boot(void)
{
    struct speaker_conf conf = {.content_bytes_max = 1 << 30,
                                .volume_percent = 100};

    memcpy(conf.seed, &rng, sizeof rng);
    world_boot(&w, &conf);
    /* A device whose disk kept neither the first list nor that there was one
     * cannot know of it until it comes again. */
    if (w.s.memo.revocations == 0)
        second_revoked_delivered = false;
}

static void connect_and_deliver(void)
{
    world_connect(&w);
    deliver_all();
}

/* What content-ingest does about the last want, over a bad network. */
static void answer_want(unsigned lost_percent)
{
    static struct letter l;
    struct wire_want want = w.want;

    w.want.streams_n = 0;
    for (size_t i = 0; i < want.streams_n; i++) {
        const struct town_content *c =
            town_content_of(contents, CONTENTS, want.streams[i].stream_key);

        for (uint32_t k = 0; c != NULL && k < c->m.packets_n; k++) {
            if (likely(lost_percent))
                continue;
            town_packet(c, k, NULL, &l);
            world_give(&w, "content", NULL, false, &l, false);
        }
    }
}

static void storm_event(void)
{
    switch (chance_of(12)) {
        case 0:
        case 1:
            publish((int)chance_of(2), false);
            break;
        case 2:
            revoke();
            break;
        case 3:
            if (w.running)
                world_kill(&w);
            else
                boot();
            break;
        case 4:
            if (w.running && w.connected)
                world_lose(&w);
            break;
        case 5:
        case 6:
        case 7:
            if (!w.running)
                boot();
            if (!w.connected)
                connect_and_deliver();
            break;
        case 8:
            w.disk_fails = likely(30);
            w.content_fails = likely(30);
            break;
        case 9:
            w.acking = likely(60);
            break;
        case 10: /* Bits rot in a content that is not being looked at. */
            if (!w.job && w.contents[0].used && likely(30))
                w.contents[0].bad = true;
            break;
        default:
            deliver((int)chance_of(2));
            break;
    }
}

static void storm(void)
{
    int64_t end_ms = world_at_ms(&w) + STORM;

    while (world_at_ms(&w) < end_ms) {
        storm_event();
        if (w.running && w.connected && w.want.streams_n > 0)
            answer_want(40);
        /* Often in the very moment of a sound. */
        step_to(world_at_ms(&w) +
                (int64_t)chance_of(likely(50) ? 3 * SECOND : 5 * MINUTE) + 1);
    }
}

/* --- the calm ------------------------------------------------------------- */

static void calm(void)
{
    int64_t end_ms = world_at_ms(&w) + CALM;
    size_t first = w.plays_n;

    w.disk_fails = w.content_fails = false;
    w.acking = true;
    for (size_t i = 0; i < WORLD_CONTENTS_MAX; i++)
        w.contents[i].bad = false;
    if (!w.running)
        boot();
    if (!w.connected)
        connect_and_deliver();
    deliver_all();
    step_to(world_at_ms(&w) + 15 * MINUTE); /* What is left of the storm. */
    publish(0, true);
    publish(1, true);
    deliver_all();
    first = w.plays_n;
    while (world_at_ms(&w) < end_ms) {
        if (w.want.streams_n > 0)
            answer_want(20);
        step_to(world_at_ms(&w) + SECOND / 2);
    }
    HOLD("not all was said",
         w.plays_n - first == (size_t)(2 * BULLETINS * STARTS));
    HOLD("receipts are left", w.s.receipts.acked == w.s.receipts.stored &&
                                  w.s.receipts.fresh_n == 0);
    for (size_t i = first; i < w.plays_n; i++)
        HOLD("late, and nothing was in its way",
             w.plays[i].first_at_us - w.plays[i].start_at_ms * 1000 <=
                 PROMPT_US);
    for (size_t i = 0; i < w.plays_n; i++)
        HOLD("begun, and not one end",
             ends_of(w.plays[i].id, w.plays[i].start_at_ms) == 1);
    for (size_t i = 0; i < w.rows_n; i++)
        HOLD("a gap in the numbers", w.rows[i].sequence == w.first + i);
}

static void run(void)
{
    rng = 0x9e3779b97f4a7c15ull * (seed + 1);
    memset(published, 0, sizeof published);
    memset(delivered, 0, sizeof delivered);
    next_id = 0;
    trust_number = 0;
    second_revoked = second_revoked_delivered = false;
    checked_n = 0;
    town_init(&town);
    world_init(&w, &town);
    w.print = getenv("PRINT") != NULL;
    boot();
    publish(0, false);
    connect_and_deliver();
    storm();
    calm();
}

int main(int argc, char *argv[])
{
    unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
    size_t plays_n = 0;

    if (sodium_init() < 0)
        return 1;
    for (int i = 0; i < CONTENTS; i++)
        town_content(&contents[i], (uint8_t)(i + 1), 60 + 150 * (uint32_t)i);
    for (seed = first; seed < first + n; seed++) {
        run();
        plays_n += w.plays_n;
    }
    printf("%lu seeds, %zu sounds\n", n, plays_n);
    return plays_n > 0 ? 0 : 1;
}
