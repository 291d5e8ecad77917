/* command.h -- a Stop in the midst of a sound or just before one, a volume, the
 * same command again, and one for another device; some while the disk refuses
 * or after the clock has jumped. */

#ifndef LOA_SIM_COMMAND_H
#define LOA_SIM_COMMAND_H

#include "staff.h"

#define ARM_MS 5000 /* What is about to begin may be stopped as well. */

static struct {
    struct letter letter;
    uint64_t counter;
    bool kept; /* It surely counted, and its number is on the disk. */
} command;

/* Does the device surely take it? By its own time if that is right; if that
 * cannot be, by the time of the command. Before it knows the time at all
 * nothing sounds. */
static bool is_taken(void)
{
    int64_t at_ms = clock_us() / 1000;
    bool doubtful = at_ms < m.floor_ms - BEHIND_MS - MINUTE &&
                    true_ms() < m.floor_ms + HOUR;

    return ((m.timed && clock_is_right()) || doubtful) &&
           command.counter > w.s.memo.commands_after_us;
}

/* Its clock is ahead, so that the command looks late. A Stop silences all the
 * same: nothing that was signed by a right clock says so. */
static bool is_stopped(void)
{
    return is_taken() || (m.timed && clock_us() / 1000 > true_ms() &&
                          command.counter > w.s.memo.commands_after_us);
}

/* id 0: whatever sounds. */
static void mark_stopped(uint8_t id, bool surely)
{
    const struct turn *t = &w.s.player.next;
    struct occ *next =
        t->used ? occ_find(t->occ.id[0], t->occ.start_at_ms, -1) : NULL;

    if (surely && next != NULL && (id == 0 || next->id == id))
        next->barred = true;
    for (size_t i = 0; i < m.occs_n; i++) {
        struct occ *o = &m.occs[i];

        if ((id == 0 || o->id == id) &&
            (o->plays_n > 0 || llabs(o->start_ms - clock_us() / 1000) < ARM_MS))
            o->stopped |= o->samples_n < (uint64_t)o->duration_ms * 48;
    }
    for (size_t i = d.plays_n < 2 ? 0 : d.plays_n - 2; i < d.plays_n; i++) {
        struct occ *o = occ_find(w.plays[i].id, w.plays[i].start_at_ms, -1);

        if (surely && o != NULL && (id == 0 || o->id == id)) {
            o->silenced = true;
            o->silenced_n = o->samples_n;
        }
    }
}

static bool is_deaf(int64_t valid_ms)
{
    return speaker_sounding(&w.s) &&
           (strike(FAULT_STOP_DEAF) ||
            (clock_us() / 1000 > true_ms() + valid_ms &&
             strike(FAULT_STOP_LATE)));
}

static void order(int percent, uint8_t id, const char *device)
{
    struct twist t = {.valid_ms = likely(50) ? MINUTE : 2 * HOUR,
                      .counter = (uint64_t)true_ms() * 1000};
    bool surely, timed = surely_timed();

    if (!reachable())
        return;
    if (t.counter <= command.counter)
        t.counter = command.counter + 1;
    command.counter = t.counter;
    surely = is_taken() && (percent < 0 || timed);
    town_command(&town, percent, id, device, &t, true_ms(), &command.letter);
    d.told_us = w.now_us;
    command.kept = false;
    if (device != NULL && strcmp(device, "pole_1") != 0) {
        world_give(&w, "command", NULL, false, &command.letter, false);
        return;
    }
    if (percent < 0)
        mark_stopped(id, is_stopped());
    if (percent >= 0 || !is_deaf(t.valid_ms))
        world_give(&w, "command", NULL, false, &command.letter, false);
    command.kept = surely && w.running && !w.disk_fails;
    m.commands_n++;
    m.commands_taken_n += command.kept && w.s.receipts.fresh_n == 0;
    if (percent >= 0) {
        m.volume_known = command.kept;
        m.volume = (unsigned)percent;
    }
}

/* Nothing may come of it. */
static void order_again(void)
{
    struct twist t = {.counter = ++command.counter};

    if (!reachable() || !command.kept)
        return;
    if (speaker_sounding(&w.s) && strike(FAULT_STOP_AGAIN))
        town_command(&town, -1, 0, NULL, &t, true_ms(), &command.letter);
    d.told_us = w.now_us;
    world_give(&w, "command", NULL, false, &command.letter, false);
}

/* The nearest within the hour; NULL: none. */
static const struct occ *next_start(void)
{
    int64_t at_ms = clock_us() / 1000;
    const struct occ *o = NULL;

    for (size_t i = 0; i < m.occs_n; i++)
        if (m.occs[i].alive && m.occs[i].start_ms > at_ms &&
            m.occs[i].start_ms < at_ms + HOUR &&
            (o == NULL || m.occs[i].start_ms < o->start_ms))
            o = &m.occs[i];
    return o;
}

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

static void commander_acts(void)
{
    const struct occ *o = next_start();
    const char *device = likely(50) ? NULL : likely(80) ? "pole_1" : "pole_2";
    bool failed = w.disk_fails;

    if (o != NULL && clock_is_right())
        run_to(w.now_us + (o->start_ms - 1000) * 1000 - clock_us() +
               (int64_t)chance_of((uint64_t)(o->duration_ms + 2000) * 1000));
    /* Neither keeps what sounds from being stopped. */
    if (likely(15))
        shaken(), w.disk_fails = true;
    else if (likely(15))
        clock_jumps();
    if (likely(30))
        order_again();
    else if (likely(25))
        order((int)chance_of(101), 0, device);
    else
        order(-1, o != NULL && likely(50) ? o->id : 0, device);
    if (w.disk_fails && !failed) {
        run_to(w.now_us + 2000000);
        w.disk_fails = false;
    }
}

#endif /* LOA_SIM_COMMAND_H */
