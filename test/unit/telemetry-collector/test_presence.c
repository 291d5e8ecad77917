/* Presence, receipts and summaries: each row is one event and what must come of
 * it. Time is a column. */

#include <string.h>

#include "check.h"
#include "proto/civil.h"
#include "telemetry-collector/presence.h"

#define DAY0_MS 1795190400000 /* 2026-11-21 00:00 in Viet Nam. */

static struct device table[32];
static uint32_t slots[64];
static struct presence p;
static const struct loa_bytes none = {(const uint8_t *)"s", 1};

static void reset(void)
{
    memset(table, 0, sizeof table);
    memset(slots, 0, sizeof slots);
    presence_init(&p, table, 32, slots, 64);
}

/* --- presence ------------------------------------------------------------- */

static const struct word {
    const char *name;
    enum presence_kind said;
    uint64_t session;
    int64_t at_ms, look_at_ms;
    bool believed;
    enum presence_kind now;
} words[] = {
    {"first word", PRESENCE_ONLINE, 5, 1000, 1000, true, PRESENCE_ONLINE},
    {"still fresh", PRESENCE_ONLINE, 5, 2000, 181999, true, PRESENCE_ONLINE},
    {"silent for too long", PRESENCE_ONLINE, 5, 3000, 183001, true,
     PRESENCE_LOST},
    {"will of an older session", PRESENCE_LOST, 4, 4000, 4000, false,
     PRESENCE_ONLINE},
    {"will of this session", PRESENCE_LOST, 5, 5000, 5000, true, PRESENCE_LOST},
    {"retained online again", PRESENCE_ONLINE, 5, 6000, 6000, false,
     PRESENCE_LOST},
    {"new session", PRESENCE_ONLINE, 6, 7000, 7000, true, PRESENCE_ONLINE},
    {"late will of the old", PRESENCE_LOST, 5, 8000, 8000, false,
     PRESENCE_ONLINE},
    {"goodbye", PRESENCE_DISCONNECTED, 6, 9000, 9000, true,
     PRESENCE_DISCONNECTED},
    {"goodbye does not age", PRESENCE_DISCONNECTED, 6, 9000, 999000, true,
     PRESENCE_DISCONNECTED},
};

static void test_presence(void)
{
    reset();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct word *w = &words[i];
        struct device *d = presence_touch(&p, "pole_1", "vn/08", w->at_ms);
        CHECK_INT(w->name, presence_state(&p, d, w->said, w->session, none),
                  w->believed);
        CHECK_INT(w->name, presence_now(d, w->look_at_ms), w->now);
    }
    CHECK_INT("one device", p.n, 1);
}

/* --- receipts ------------------------------------------------------------- */

static const struct batch {
    const char *name;
    char log;
    uint64_t oldest, first, last, pending;
} batches[] = {
    {"the beginning", 'a', 1, 1, 3, 3},
    {"a repeat", 'a', 1, 1, 3, 3},
    {"the next", 'a', 4, 4, 5, 5},
    {"overlap", 'a', 1, 2, 7, 7},
    {"one that overtook", 'a', 8, 10, 12, 7},
    {"the one overtaken", 'a', 8, 8, 9, 9},
    {"the first again", 'a', 8, 10, 12, 12},
    {"an old one", 'a', 8, 8, 9, 12},
    {"gave up what was full", 'a', 20, 20, 21, 21},
    {"device does not say", 'a', 0, 30, 31, 31},
    {"a new log", 'b', 1, 1, 1, 1},
    {"a new log that lost its start", 'c', 5, 5, 6, 6},
};

static void test_batches(void)
{
    struct device *d;

    reset();
    d = presence_touch(&p, "pole_1", "vn/08", 1);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        const struct batch *b = &batches[i];
        uint8_t log_id[LOA_ID_BYTES] = {(uint8_t)b->log};
        presence_batch(d, log_id, b->oldest, b->first, b->last);
        CHECK_INT(b->name, d->pending, b->pending);
    }
}

/* --- summaries --------------------------------------------------------------
 */

static void add(const char *id, const char *area, enum presence_kind said)
{
    struct device *d = presence_touch(&p, id, area, DAY0_MS);

    CHECK_INT(id, presence_state(&p, d, said, 1, none), 1);
}

static const struct summary *area_of(const struct summary *s,
                                     size_t n,
                                     const char *area)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s[i].area, area) == 0)
            return &s[i];
    CHECK_INT(area, 0, 1);
    return &s[0];
}

static void test_summaries(void)
{
    static struct summary s[64];
    size_t n;

    reset();
    add("a", "vn/08/070/1", PRESENCE_ONLINE);
    add("b", "vn/08/070/1", PRESENCE_LOST);
    add("c", "vn/08/070/2", PRESENCE_ONLINE);
    add("d", "vn/08/0701/3", PRESENCE_DISCONNECTED);
    presence_health(&p, presence_find(&p, "a"), true, true, none);
    presence_count(&p, presence_find(&p, "c"), PRESENCE_FINISHED, DAY0_MS + 1,
                   DAY0_MS + 2);
    presence_count(&p, presence_find(&p, "a"), PRESENCE_FINISHED, DAY0_MS,
                   DAY0_MS + 2);
    presence_count(&p, presence_find(&p, "a"), PRESENCE_FINISHED,
                   loa_civil_day_start(DAY0_MS) - 1, DAY0_MS + 2);

    n = presence_summaries(&p, DAY0_MS, s, 64);
    CHECK_INT("areas", n, 7);
    CHECK_INT("root online", area_of(s, n, "vn")->online_n, 2);
    CHECK_INT("root lost", area_of(s, n, "vn")->lost_n, 1);
    CHECK_INT("root gone", area_of(s, n, "vn")->disconnected_n, 1);
    CHECK_INT("070 is not 0701", area_of(s, n, "vn/08/070")->disconnected_n, 0);
    CHECK_INT("playing", area_of(s, n, "vn/08/070")->playing_n, 1);
    CHECK_INT("stale", area_of(s, n, "vn/08/070/2")->stale_n, 0);
    CHECK_INT("finished", area_of(s, n, "vn")->counts[PRESENCE_FINISHED], 2);

    /* Tomorrow the counts begin again, and who was silent is lost. */
    n = presence_summaries(&p, DAY0_MS + LOA_DAY_MS, s, 64);
    CHECK_INT("tomorrow", area_of(s, n, "vn")->counts[PRESENCE_FINISHED], 0);
    CHECK_INT("tomorrow lost", area_of(s, n, "vn")->lost_n, 3);
}

/* What was last heard stayed in the future: a loudspeaker that died after the
 * clock was put right counted as online for as long as it had been ahead. */
static void test_silent_one_seemed_online_after_the_clock_was_ahead(void)
{
    struct device *d;

    reset();
    d = presence_touch(&p, "pole_1", "vn/08", DAY0_MS + 3 * LOA_DAY_MS);
    CHECK_INT("said", presence_state(&p, d, PRESENCE_ONLINE, 1, none), true);
    CHECK_INT("put right, not heard since", presence_now(d, DAY0_MS),
              PRESENCE_LOST);
    presence_touch(&p, "pole_1", "vn/08", DAY0_MS + 1000);
    CHECK_INT("heard", presence_now(d, DAY0_MS + 1000), PRESENCE_ONLINE);
    CHECK_INT("a little ahead", presence_now(d, DAY0_MS), PRESENCE_ONLINE);
    CHECK_INT("silent", presence_now(d, DAY0_MS + 182000), PRESENCE_LOST);
}

/* A stolen key said goodbye with the highest session there is; the loudspeaker
 * itself was not believed again. */
static void test_a_false_session_outlived_its_key(void)
{
    uint64_t now_s = DAY0_MS / 1000;
    struct device *d;

    CHECK_INT("a lie", presence_session(INT64_MAX, DAY0_MS), now_s + 86400);
    CHECK_INT("more", presence_session(UINT64_MAX, DAY0_MS), now_s + 86400);
    CHECK_INT("tomorrow", presence_session(now_s + 86400, DAY0_MS),
              now_s + 86400);
    CHECK_INT("today", presence_session(now_s + 7, DAY0_MS), now_s + 7);
    reset();
    d = presence_touch(&p, "pole_1", "vn/08", DAY0_MS);
    presence_state(&p, d, PRESENCE_DISCONNECTED, now_s + 86400, none);
    presence_live(d, "vn/08", PRESENCE_LOST, now_s);
    CHECK_INT("a will is not its own word",
              presence_state(&p, d, PRESENCE_LOST, now_s, none), false);
    presence_live(d, "vn/08", PRESENCE_ONLINE, now_s);
    CHECK_INT("it is", presence_state(&p, d, PRESENCE_ONLINE, now_s, none),
              true);
    CHECK_INT("online", presence_now(d, DAY0_MS), PRESENCE_ONLINE);
    presence_live(d, "vn/09", PRESENCE_ONLINE, now_s - 1);
    CHECK_INT("not in two areas",
              presence_state(&p, d, PRESENCE_ONLINE, now_s - 1, none), false);
    presence_live(d, "vn/08", PRESENCE_ONLINE, now_s - 1);
    CHECK_INT("a memory that was lost",
              presence_state(&p, d, PRESENCE_ONLINE, now_s - 1, none), true);
    CHECK_INT("the next", presence_state(&p, d, PRESENCE_ONLINE, now_s, none),
              true);
    presence_live(d, "vn/08", PRESENCE_LOST, now_s);
    CHECK_INT("and its will", presence_state(&p, d, PRESENCE_LOST, now_s, none),
              true);
    presence_live(d, "vn/08", PRESENCE_ONLINE, now_s);
    CHECK_INT("the last word of this session",
              presence_state(&p, d, PRESENCE_ONLINE, now_s, none), false);
}

/* Of a clock that was ahead: counted today, and on its own day again. */
static void test_events_of_tomorrow_counted_today(void)
{
    static struct summary s[4];
    int64_t day_ms = loa_civil_day_start(DAY0_MS);
    struct device *d;

    reset();
    d = presence_touch(&p, "pole_1", "vn", DAY0_MS);
    presence_count(&p, d, PRESENCE_FINISHED, day_ms - 1, DAY0_MS);
    presence_count(&p, d, PRESENCE_FINISHED, day_ms + LOA_DAY_MS, DAY0_MS);
    presence_summaries(&p, DAY0_MS, s, 4);
    CHECK_INT("none", s[0].counts[PRESENCE_FINISHED], 0);
    presence_count(&p, d, PRESENCE_FINISHED, day_ms, DAY0_MS);
    presence_count(&p, d, PRESENCE_FINISHED, day_ms + LOA_DAY_MS - 1, DAY0_MS);
    presence_summaries(&p, DAY0_MS, s, 4);
    CHECK_INT("two", s[0].counts[PRESENCE_FINISHED], 2);
}

/* They were dropped, and nobody was told. */
static void test_devices_beyond_the_maximum_are_counted(void)
{
    char id[8];

    reset();
    for (int i = 0; i < 32; i++) {
        snprintf(id, sizeof id, "d%d", i);
        CHECK_INT("room", presence_touch(&p, id, "vn", 1) != NULL, 1);
    }
    CHECK_INT("none yet", p.turned_away_n, 0);
    CHECK_INT("full", presence_touch(&p, "one_more", "vn", 1) == NULL, 1);
    CHECK_INT("full", presence_touch(&p, "another", "vn", 1) == NULL, 1);
    CHECK_INT("counted", p.turned_away_n, 2);
    CHECK_INT("known", presence_touch(&p, "d7", "vn", 1) != NULL, 1);
}

int main(void)
{
    test_presence();
    test_batches();
    test_summaries();
    test_silent_one_seemed_online_after_the_clock_was_ahead();
    test_a_false_session_outlived_its_key();
    test_events_of_tomorrow_counted_today();
    test_devices_beyond_the_maximum_are_counted();
    return CHECK_DONE();
}
