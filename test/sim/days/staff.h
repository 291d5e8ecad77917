/* staff.h -- what people do in a simulated day: they approve contents, ask the
 * scheduler for bulletins, move and cancel them, and revoke an approver; and
 * programmes that no scheduler would make. */

#ifndef LOA_SIM_STAFF_H
#define LOA_SIM_STAFF_H

#include "asked.h"

static struct person staff;

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

#endif /* LOA_SIM_STAFF_H */
