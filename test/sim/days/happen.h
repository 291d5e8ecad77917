/* happen.h -- what happens next in a simulated day: clocks that are set,
 * processes that pause, power and network that fail, staff that act. */

#ifndef LOA_SIM_HAPPEN_H
#define LOA_SIM_HAPPEN_H

#include "command.h"

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
        spoil_disk(), power_on();
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
    uint64_t x = chance_of(110);

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
    else if (x < 100)
        push((int)chance_of(CONTENTS), 10);
    else
        commander_acts();
    look_at_power();
}

#endif /* LOA_SIM_HAPPEN_H */
