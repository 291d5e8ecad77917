/* day.h -- the device, the network around it and what reaches it, for
 * sim_days.c: everything that happens is told to the model as well. */

#ifndef LOA_SIM_DAY_H
#define LOA_SIM_DAY_H

#include "chance.h"
#include "world.h"

#include "told.h"

#define CONTENTS 6

static struct town town;
static struct world w;
static struct town_content contents[CONTENTS];
static struct letter packets[CONTENTS][TOWN_FRAMES_MAX / LOA_PACKET_FRAMES];
static uint64_t trace[2]; /* Of everything that the device did. */

static struct {
    bool scheduler;   /* Programmes are made by the scheduler's core. */
    bool clockless;   /* The device has no clock of its own. */
    int64_t true_us;  /* Wall minus monotonic, in truth. */
    int64_t smear_us; /* A leap second, spread over the day: per hour. */
    int64_t smeared_us;
    bool online;                   /* There is a network. */
    int64_t complete_us[CONTENTS]; /* Since when it is whole on the disk. */
    struct letter retained[MODEL_AREAS], delivered[MODEL_AREAS], trust;
    bool there[MODEL_AREAS];
    bool plan_at_risk[MODEL_AREAS]; /* The disk may not have what was
                                       delivered. */
    uint64_t trust_number;
    bool revoked;      /* By the newest list. */
    bool list_at_risk; /* The disk may not have it: after a restart the device
                          knows that it lost it, and is silent. */
    int64_t clock_max_ms;
    int64_t wrong_us; /* When its clock was last seen wrong. */
    bool powered;
    size_t plays_n, asked_n, time_requests_n;
    int64_t set_us;  /* When it was told the time: with half a second of error,
                        since answers take one. */
    int64_t told_us; /* When something last reached the device. */
    int64_t head_us; /* When the next head is due. */
    struct occ *sounding;
    unsigned lost_percent;
} d;

/* --- time, trace ---------------------------------------------------------- */

static int64_t true_ms(void)
{
    return (w.now_us + d.true_us) / 1000;
}

/* What the device goes by. */
static int64_t clock_us(void)
{
    return w.now_us + (d.clockless ? d.true_us : w.offset_us);
}

static void trace_add(const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++) {
        trace[0] = (trace[0] ^ p[i]) * 0x100000001b3ull;
        trace[1] = (trace[1] + p[i]) * 0x9e3779b97f4a7c15ull + (trace[1] >> 29);
    }
}

static void on_op(struct world *world, const struct speaker_op *op)
{
    uint64_t head[] = {(uint64_t)op->type, (uint64_t)world->now_us,
                       op->body.len, op->n, (uint64_t)op->file};

    trace_add(head, sizeof head);
    if (op->type == SPEAKER_NOTE)
        trace_add(op->text, strlen(op->text));
    else if (op->body.len > 0)
        trace_add(op->body.data, op->body.len < 256 ? op->body.len : 256);
    if (op->type == SPEAKER_STORE)
        for (uint64_t i = 0; i < op->n; i++)
            trace_add(&op->receipts[i].at_us, sizeof op->receipts[i].at_us);
}

/* --- what the device says ------------------------------------------------- */

static void hand_over(const struct model_receipt *r);
static uint64_t hand_samples(uint64_t n);
static unsigned hand_volume(void);
static void hand_play(const struct world_play *p,
                      int64_t began_us,
                      const struct occ *over);

static void on_batch(struct world *world, const Loa__V1__ReceiptBatch *b)
{
    (void)world;
    for (size_t i = 0; i < b->n_receipts; i++) {
        const Loa__V1__Receipt *r = b->receipts[i];
        struct model_receipt t;

        memset(&t, 0, sizeof t);
        t.sequence = r->sequence;
        t.event = (int)r->event;
        t.id = r->bulletin_id.len > 0 ? r->bulletin_id.data[0] : 0;
        t.start_ms = r->start_at_ms;
        t.at_us = r->at_us;
        t.first_us = r->first_sample_us;
        t.played_ms = r->played_ms;
        strncpy(t.reason, r->reason, sizeof t.reason - 1);
        hand_over(&t);
    }
}

/* Plays since the last look. Nothing reached the device meanwhile. */
static void look_at_plays(int64_t began_us)
{
    size_t from = d.plays_n > 1 ? d.plays_n - 2 : 0;

    for (; d.plays_n < w.plays_n; d.plays_n++) {
        const struct world_play *p = &w.plays[d.plays_n];
        const struct occ *over = NULL;

        if (d.plays_n > 0 && d.sounding != NULL) {
            const struct world_play *q = &w.plays[d.plays_n - 1];
            int64_t end_us =
                q->first_at_us + (int64_t)(q->samples_n * 1000 / 48);

            if (q->samples_n < (uint64_t)d.sounding->duration_ms * 48 &&
                llabs(end_us - p->first_at_us) < 30000 &&
                d.told_us < began_us - 100000)
                over = d.sounding;
        }
        trace_add(&p->first_at_us, sizeof p->first_at_us);
        hand_play(p, began_us, over);
        d.sounding = occ_find(p->id, p->start_at_ms, -1);
        if (d.sounding != NULL) {
            d.sounding->disturbed |= w.disk_fails;
            d.sounding->clock_set =
                d.set_us > 0 && d.set_us >= began_us - 2000000;
        }
    }
    for (size_t i = from; i < d.plays_n; i++) {
        struct occ *o = occ_find(w.plays[i].id, w.plays[i].start_at_ms, -1);

        if (o != NULL)
            model_samples(o, hand_samples(w.plays[i].samples_n));
    }
}

/* --- what reaches it ------------------------------------------------------ */

static bool reachable(void)
{
    return w.running && w.connected;
}

/* Would it be believed? Where the answer depends on what a restart forgot, the
 * network is slow. */
static bool clock_is_right(void)
{
    return d.clockless || llabs(w.offset_us - d.true_us) < 60000000;
}

static bool surely_timed(void)
{
    int64_t at_ms = clock_us() / 1000;

    return m.timed && clock_is_right() && at_ms > m.floor_ms - 60000 &&
           at_ms > m.played_ms - 60000;
}

/* The power failed in the midst of it: what was written counts. */
static bool is_on_disk(const struct world_file *f, const struct letter *l)
{
    return f->there && f->len == l->len &&
           memcmp(f->data, l->data, l->len) == 0;
}

static void deliver(int area)
{
    struct letter *l = &d.retained[area];

    if (!reachable() || !d.there[area] || !surely_timed())
        return;
    d.told_us = w.now_us;
    world_give(&w, "programme", model_areas[area], false, l, true);
    if (!w.running && !is_on_disk(world_programme(&w, model_areas[area]), l)) {
        /* The one before is whole, or gone with what could not replace it. */
        d.plan_at_risk[area] |= w.disk_fails;
        return;
    }
    /* One that it knew only on the disk, and could not write there again. */
    if (!is_on_disk(world_programme(&w, model_areas[area]), &d.delivered[area]))
        d.plan_at_risk[area] |= w.disk_fails;
    if (model_programme((struct loa_bytes){l->data, l->len}, clock_us() / 1000,
                        w.now_us)) {
        d.delivered[area].len = l->len;
        memcpy(d.delivered[area].data, l->data, l->len);
        d.plan_at_risk[area] = w.disk_fails;
    }
}

static void deliver_trust(void)
{
    if (!reachable() || d.trust_number == 0 || !surely_timed())
        return;
    d.told_us = w.now_us;
    world_give(&w, "trust", "vn/08", false, &d.trust, true);
    if (!w.running && !is_on_disk(&w.trust, &d.trust)) {
        d.list_at_risk = true;
        return;
    }
    d.list_at_risk = w.disk_fails;
    if (m.second_revoked != d.revoked || m.list_us == INT64_MAX)
        m.list_us = w.now_us;
    m.second_revoked = d.revoked;
}

static void deliver_all(void)
{
    deliver_trust();
    for (int a = 0; a < MODEL_AREAS; a++)
        deliver(a);
}

static void head(const uint8_t *nonce)
{
    static struct letter l;
    int64_t at_ms = true_ms();

    if (!reachable())
        return;
    town_head(&town, NULL, at_ms, m.plans[2].version, nonce, NULL, &l);
    world_give(&w, "head", NULL, nonce != NULL, &l, false);
    if (nonce != NULL)
        d.set_us = w.now_us;
    if (at_ms > m.floor_ms && llabs(clock_us() / 1000 - at_ms) < 840000)
        m.floor_ms = at_ms;
    if (nonce != NULL && !m.timed && at_ms > m.played_ms - 60000) {
        m.timed = true;
        disturb(w.now_us);
    }
}

static void push(ptrdiff_t c, unsigned lost_percent)
{
    for (uint32_t k = 0; k < contents[c].m.packets_n; k++)
        if (!likely(lost_percent))
            world_give(&w, "content", NULL, false, &packets[c][k], false);
}

/* What the services answer. */
static void answer(void)
{
    struct wire_want want = w.want;

    w.want.streams_n = 0;
    for (size_t i = 0; reachable() && i < want.streams_n; i++) {
        const struct town_content *c =
            town_content_of(contents, CONTENTS, want.streams[i].stream_key);

        if (c != NULL)
            push(c - contents, d.lost_percent);
    }
    if (w.asked_n != d.asked_n) {
        d.asked_n = w.asked_n;
        deliver_all();
    }
    if (w.time_requests_n != d.time_requests_n) {
        d.time_requests_n = w.time_requests_n;
        if (!likely(20)) {
            head(w.nonce);
            if (m.timed)
                deliver_all();
        }
    }
    if (reachable() && w.now_us >= d.head_us) {
        d.head_us = w.now_us + (int64_t)(20 + chance_of(40)) * MINUTE * 1000;
        head(NULL);
    }
}

static void look_at_disk(void)
{
    for (int c = 0; c < CONTENTS; c++) {
        const struct world_content *x =
            world_content(&w, contents[c].m.hash, false);
        bool whole = x != NULL && x->complete && !x->bad;

        if (!whole)
            d.complete_us[c] = INT64_MAX;
        else if (d.complete_us[c] == INT64_MAX)
            d.complete_us[c] = w.now_us;
    }
}

/* --- its life ------------------------------------------------------------- */

static void shaken(void)
{
    int64_t at_ms = clock_us() / 1000;

    if (m.timed && at_ms > d.clock_max_ms)
        d.clock_max_ms = at_ms;
    if (!clock_is_right())
        d.wrong_us = w.now_us;
    disturb(w.now_us);
    for (size_t i = d.plays_n < 2 ? 0 : d.plays_n - 2; i < d.plays_n; i++) {
        struct occ *o = occ_find(w.plays[i].id, w.plays[i].start_at_ms, -1);

        if (o != NULL &&
            at_ms < w.plays[i].first_at_us / 1000 + o->duration_ms + 60000)
            o->disturbed = true;
    }
}

/* It fails in the midst of an operation. */
static void look_at_power(void)
{
    if (!d.powered || w.running)
        return;
    d.powered = w.connected = false;
    shaken();
}

static void power_off(void)
{
    shaken();
    d.powered = false;
    world_kill(&w);
    w.kill_in = 0;
}

static void power_on(void)
{
    struct speaker_conf conf = {
        .content_bytes_max = 1 << 30,
        .volume_percent = 100,
        .clock = d.clockless ? WALLTIME_NONE : WALLTIME_SYSTEM};

    memcpy(conf.seed, &rng, sizeof rng);
    m.timed = !d.clockless;
    m.floor_ms = 0; /* It may remember less than it has heard. */
    d.powered = true;
    world_boot(&w, &conf);
    shaken();
    model_volume(hand_volume());
    if (d.list_at_risk)
        m.list_us = INT64_MAX;
    for (int a = 0; a < MODEL_AREAS; a++)
        if (m.plans[a].there &&
            !is_on_disk(world_programme(&w, model_areas[a]), &d.delivered[a])) {
            if (!d.plan_at_risk[a])
                found("the programme of %s is not on its disk", model_areas[a]);
            model_lost(a);
        }
    /* What the disk lost before anything was written down of it. */
    if (d.list_at_risk && w.s.memo.revocations == 0 && !w.trust.there)
        m.second_revoked = false;
}

static void network(bool on)
{
    if (on && w.running && !w.connected) {
        world_connect(&w);
        look_at_power();
        deliver_all();
        look_at_power();
    } else if (!on && reachable()) {
        world_lose(&w);
    }
}

/* What its clock has passed once was told late, or is closed where its memory
 * was lost. What is planned after the clock was set right is neither, unless a
 * lost memory closed what was not a day away. */
static bool is_new_to_it(const struct occ *o)
{
    int64_t closed_ms = w.s.ledger.closed_at_ms;

    return o->start_ms > d.clock_max_ms + LATE_MS ||
           (o->known_us > d.wrong_us &&
            (closed_ms + LATE_MS < o->start_ms ||
             closed_ms > clock_us() / 1000 + DAY + MINUTE));
}

static void judge_what_passed(void)
{
    int64_t at_ms = clock_us() / 1000;

    for (size_t i = 0; i < m.occs_n; i++) {
        struct occ *o = &m.occs[i];
        int c = 0;

        if (o->judged || at_ms < o->start_ms + o->duration_ms + 10000)
            continue;
        while (memcmp(contents[c].m.hash, o->hash, LOA_HASH_BYTES) != 0)
            c++;
        model_judge(
            o, at_ms, w.now_us, d.complete_us[c],
            w.running && !w.disk_fails && !w.content_fails && is_new_to_it(o),
            at_ms - true_ms());
    }
}

/* Time passes; looked at in pieces, so that what the services answer comes in
 * time. */
static void run_to(int64_t target_us)
{
    while (w.now_us < target_us) {
        bool busy = d.told_us > w.now_us - 20000000 || w.want.streams_n > 0 ||
                    (d.clockless && !m.timed);
        int64_t began_us = w.now_us;
        int64_t next_us = w.now_us + (busy ? 1000000 : 30000000);

        if (next_us > target_us)
            next_us = target_us;
        world_run(&w, (next_us + w.offset_us + 999) / 1000);
        if (!clock_is_right())
            d.wrong_us = w.now_us;
        look_at_plays(began_us);
        look_at_power();
        look_at_disk();
        judge_what_passed();
        answer();
        look_at_power();
        w.offset_us += d.smear_us * (w.now_us - began_us) / 3600000000;
        d.smeared_us += d.smear_us * (w.now_us - began_us) / 3600000000;
    }
}

#endif /* LOA_SIM_DAY_H */
