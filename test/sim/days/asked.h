/* asked.h -- what was asked of the scheduler, and whether each programme that
 * it makes of it has everything that it must have, and nothing else. */

#ifndef LOA_SIM_ASKED_H
#define LOA_SIM_ASKED_H

#include "faults.h"
#include "planner.h"

#define ASKED_MAX 256

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

#endif /* LOA_SIM_ASKED_H */
