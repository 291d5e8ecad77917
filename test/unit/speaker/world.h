/* world.h -- everything around the speaker's core, in simulated time: a disk, a
 * broker's wire, an output. Time moves only when world_run() moves it. */

#ifndef LOA_TEST_WORLD_H
#define LOA_TEST_WORLD_H

#include "world_disk.h"

/* --- the wire ------------------------------------------------------------- */

static void world_give(struct world *w,
                       const char *kind,
                       const char *area,
                       bool to_me,
                       const struct letter *l,
                       bool retained)
{
    char topic[LOA_TOPIC_CAP];
    struct speaker_event ev = {.type = SPEAKER_MESSAGE,
                               .topic = topic,
                               .body = {l->data, l->len},
                               .retained = retained};
    int rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, kind,
                             area != NULL ? area : OWN,
                             to_me ? w->town->device.leaf.principal : NULL);

    assert(rv == LOA_OK);
    if (w->running && w->connected)
        world_feed(w, &ev);
}

static void world_sent_batch(struct world *w, struct loa_bytes body)
{
    static _Alignas(16) uint8_t scratch[256 * 1024];
    struct loa_arena arena;
    struct loa_envelope e;
    Loa__V1__ReceiptBatch *b;
    int rv;

    loa_arena_init(&arena, scratch, sizeof scratch);
    rv = loa_envelope_parse(&arena, body, &e);
    assert(rv == LOA_OK && e.header.type == LOA_TYPE_RECEIPTS);
    b = loa__v1__receipt_batch__unpack(&arena.allocator, e.header.body.len,
                                       e.header.body.data);
    assert(b != NULL && b->n_receipts > 0);
    w->batches_n++;
    w->batch_last = b->receipts[b->n_receipts - 1]->sequence;
    /* Nothing travels before it is durable. */
    assert(w->batch_last < w->first + w->rows_n);
    if (w->on_batch != NULL)
        w->on_batch(w, b);
}

static int world_send(struct world *w, const struct speaker_op *op)
{
    struct loa_topic t;
    int rv = loa_topic_parse(op->topic, &t);

    assert(rv == LOA_OK && w->connected);
    if (w->send_fails)
        return LOA_EBUSY;
    if (strcmp(t.kind, "receipt") == 0) {
        world_sent_batch(w, op->body);
    } else if (strcmp(t.kind, "want") == 0) {
        w->wants_n++;
        w->want = w->s.want;
    } else if (strcmp(t.kind, "scheduler") == 0) {
        w->time_requests_n++;
        memcpy(w->nonce, w->s.time.nonce, sizeof w->nonce);
    } else if (strcmp(t.kind, "state") == 0) {
        Loa__V1__State *st =
            loa__v1__state__unpack(NULL, op->body.len, op->body.data);

        assert(st != NULL && op->retain && op->qos == 1);
        w->states_n++;
        w->presence = st->presence;
        w->session = st->session;
        loa__v1__state__free_unpacked(st, NULL);
    }
    return LOA_OK;
}

/* --- operations ----------------------------------------------------------- */

static int world_perform(struct world *w, const struct speaker_op *op)
{
    switch (op->type) {
        case SPEAKER_NOTE:
            if (w->print)
                printf("[%+10.3f] %s %s\n",
                       (double)(world_at_ms(w) - T0) / 1000, op->event,
                       op->text);
            return LOA_OK;
        case SPEAKER_SAVE:
            return world_save(w, op);
        case SPEAKER_LOAD:
            if (world_programme(w, op->name)->there)
                speaker_from_disk(
                    &w->s,
                    (struct loa_bytes){world_programme(w, op->name)->data,
                                       world_programme(w, op->name)->len});
            return LOA_OK;
        case SPEAKER_STORE:
            return world_store(w, op);
        case SPEAKER_READ:
            assert(op->first >= w->first);
            speaker_batch(&w->s, w->rows + (op->first - w->first),
                          (size_t)op->n);
            return LOA_OK;
        case SPEAKER_TRIM:
            memmove(w->rows, w->rows + op->n,
                    (w->rows_n - op->n) * sizeof w->rows[0]);
            w->rows_n -= op->n;
            w->first += op->n;
            return LOA_OK;
        case SPEAKER_CONTENT:
            return world_content_op(w, &op->content);
        case SPEAKER_VOICE_OPEN:
            assert(w->voices[op->voice] == NULL);
            w->voices[op->voice] = world_content(w, op->hash, false);
            assert(w->voices[op->voice] != NULL &&
                   w->voices[op->voice]->complete);
            return LOA_OK;
        case SPEAKER_VOICE_CLOSE:
            w->voices[op->voice] = NULL;
            return LOA_OK;
        case SPEAKER_SILENCE:
            return LOA_OK;
        case SPEAKER_SEND:
            return world_send(w, op);
        case SPEAKER_HEALTH:
            w->healths_n++;
            w->health = *op->health;
            return LOA_OK;
        case SPEAKER_ASK_RETAINED:
            w->asked_n++;
            return LOA_OK;
    }
    return LOA_EINVAL;
}

static void world_drain(struct world *w)
{
    struct speaker_op op;
    unsigned n = 0;

    while (speaker_take(&w->s, &op)) {
        assert(++n < 10000); /* Operations come to an end. */
        if (w->kill_in > 0 && --w->kill_in == 0) {
            w->running = w->connected = false;
            return;
        }
        if (w->on_op != NULL)
            w->on_op(w, &op);
        if (op.type == SPEAKER_CONTENT && op.content.type == CONTENTS_OPEN)
            world_open_part(w, &op);
        else
            speaker_done(&w->s, &op, world_perform(w, &op));
    }
    if (w->period_us == 0 && speaker_sounding(&w->s))
        w->period_us = w->now_us;
}

static struct speaker_now world_now(const struct world *w)
{
    return (struct speaker_now){w->now_us, w->now_us + w->offset_us};
}

static void world_feed(struct world *w, struct speaker_event *ev)
{
    if (!w->running)
        return; /* The power failed in the midst of it. */
    ev->now = world_now(w);
    speaker_step(&w->s, ev);
    world_drain(w);
}

static void world_event(struct world *w, enum speaker_event_type type)
{
    struct speaker_event ev = {.type = type};

    world_feed(w, &ev);
}

/* --- the output ----------------------------------------------------------- */

static void world_period(struct world *w)
{
    struct speaker_event ev = {.type = SPEAKER_PERIOD, .now = world_now(w)};
    const struct player_plan *plan;
    struct world_play *p;
    bool begins;

    ev.period =
        (struct player_period){w->now_us, w->period_us + w->lead_us, 960};
    speaker_step(&w->s, &ev);
    plan = speaker_plan(&w->s);
    begins = plan->begins;
    memset(&ev, 0, sizeof ev);
    for (size_t i = 0; i < plan->segments_n; i++)
        if (plan->segments[i].voice >= 0) {
            const struct world_content *c = w->voices[plan->segments[i].voice];

            assert(c != NULL && c->complete); /* Only an open voice sounds. */
            ev.concealed_n[plan->segments[i].voice] = w->concealed_n;
        }
    if (begins) {
        assert(w->plays_n < WORLD_PLAYS_MAX);
        p = &w->plays[w->plays_n++];
        memset(p, 0, sizeof *p);
        p->id = w->s.player.next.occ.id[0];
        p->start_at_ms = w->s.player.next.occ.start_at_ms;
        p->first_at_us = w->s.next_first_at_us;
        memcpy(p->hash, w->s.player.next.occ.hash, LOA_HASH_BYTES);
    }
    /* Voices are told apart by which play is the newest: the older one ends
     * where the newer begins, or before. */
    for (size_t i = 0; i < plan->segments_n; i++)
        if (plan->segments[i].voice >= 0) {
            size_t k = w->plays_n - 1;

            if (begins && plan->segments[i].voice != w->s.player.next.voice)
                k--;
            w->plays[k].samples_n += plan->segments[i].samples_n;
        }
    ev.type = SPEAKER_PLAYED;
    w->period_us += WORLD_PERIOD_US;
    world_feed(w, &ev);
    if (!speaker_sounding(&w->s))
        w->period_us = 0;
}

/* --- life ----------------------------------------------------------------- */

UNUSED static void world_init(struct world *w, struct town *t)
{
    memset(w, 0, sizeof *w);
    w->town = t;
    w->now_us = BOOT_US;
    w->offset_us = T0 * 1000 - BOOT_US;
    w->first = 1;
    w->acking = true;
}

static void world_load(struct world *w)
{
    uint8_t fresh[LOA_ID_BYTES] = {0xf0};

    for (int i = 0; i < 3; i++)
        if (w->slots[i].there)
            (void)!speaker_load(
                &w->s, (enum speaker_file)i,
                (struct loa_bytes){w->slots[i].data, w->slots[i].len});
    if (w->trust.there)
        (void)!speaker_load(&w->s, SPEAKER_FILE_TRUST,
                            (struct loa_bytes){w->trust.data, w->trust.len});
    for (size_t i = 0; i < w->rows_n; i++)
        speaker_recall(&w->s, &w->rows[i]);
    if (!w->log_there)
        memcpy(w->log_id, fresh, sizeof fresh);
    w->log_there = true;
    speaker_load_log(&w->s, w->log_id, w->first, w->first + w->rows_n);
    for (size_t i = 0; i < WORLD_CONTENTS_MAX; i++)
        if (w->contents[i].used)
            speaker_found(&w->s, w->contents[i].hash, w->contents[i].complete,
                          1000);
}

/* Power on. *more may change the settings. */
UNUSED static void world_boot(struct world *w, const struct speaker_conf *more)
{
    struct speaker_conf conf = {
        .content_bytes_max = 1 << 30,
        .volume_percent = 100,
        .seed = {7},
    };
    struct speaker_now now = world_now(w);

    if (more != NULL)
        conf = *more;
    conf.identity = &w->town->device;
    conf.model = "test";
    conf.software = "loa-speaker test";
    memset(&w->s, 0, sizeof w->s);
    memset(w->voices, 0, sizeof w->voices);
    memset(w->parts, 0, sizeof w->parts);
    w->period_us = 0;
    w->job = false;
    w->running = true;
    speaker_init(&w->s, &conf, &now);
    world_load(w);
    world_event(w, SPEAKER_TICK);
}

/* Power off, at once. */
UNUSED static void world_kill(struct world *w)
{
    w->running = w->connected = false;
}

UNUSED static void world_connect(struct world *w)
{
    world_event(w, SPEAKER_CONNECTING);
    w->connected = true;
    world_event(w, SPEAKER_CONNECTED);
}

UNUSED static void world_lose(struct world *w)
{
    w->connected = false;
    world_event(w, SPEAKER_LOST);
}

static void world_ack(struct world *w)
{
    static struct letter l;

    town_ack(w->town, w->log_id, w->batch_last, NULL, world_at_ms(w), &l);
    w->batch_last = 0;
    world_give(w, "ack", NULL, true, &l, false);
}

/* Until wall time at_ms (by this world's own clock, whatever it does). */
UNUSED static void world_run(struct world *w, int64_t at_ms)
{
    int64_t end_us = at_ms * 1000 - w->offset_us;

    while (w->now_us < end_us) {
        int64_t next_us = end_us;

        if (w->running) {
            if (speaker_deadline_us(&w->s) < next_us)
                next_us = speaker_deadline_us(&w->s);
            if (w->period_us != 0 && w->period_us < next_us)
                next_us = w->period_us;
            if (w->job && w->job_us < next_us)
                next_us = w->job_us;
        }
        /* A deadline that stays in the past would be a busy loop; here it would
         * be an endless one. */
        w->now_us = next_us > w->now_us ? next_us : w->now_us + 1;
        if (!w->running)
            continue;
        if (w->job && w->job_us <= w->now_us)
            world_job(w);
        if (w->period_us != 0 && w->period_us <= w->now_us)
            world_period(w);
        if (speaker_deadline_us(&w->s) <= w->now_us)
            world_event(w, SPEAKER_TICK);
        if (w->acking && w->batch_last != 0 && w->connected)
            world_ack(w);
    }
}

/* --- asking --------------------------------------------------------------- */

/* How many receipts there are for that; reason NULL: any. */
UNUSED static int world_receipts(const struct world *w,
                                 uint8_t id,
                                 enum receipt_event event,
                                 const char *reason)
{
    int n = 0;

    for (size_t i = 0; i < w->rows_n; i++)
        n += w->rows[i].bulletin_id[0] == id && w->rows[i].event == event &&
             (reason == NULL || strcmp(w->rows[i].reason, reason) == 0);
    return n;
}

UNUSED static void world_print_receipts(const struct world *w)
{
    for (size_t i = 0; i < w->rows_n; i++)
        fprintf(stderr, "  %d %s %s start=%+.3f at=%+.3f played=%u\n",
                w->rows[i].bulletin_id[0], receipt_event_name(w->rows[i].event),
                w->rows[i].reason, (double)(w->rows[i].start_at_ms - T0) / 1000,
                (double)(w->rows[i].at_us / 1000 - T0) / 1000,
                w->rows[i].played_ms);
}

UNUSED static int world_plays(const struct world *w, uint8_t id)
{
    int n = 0;

    for (size_t i = 0; i < w->plays_n; i++)
        n += w->plays[i].id == id;
    return n;
}

/* All packets of c, but those whose bit is set in skip. */
UNUSED static void world_push(struct world *w,
                              const struct town_content *c,
                              uint64_t skip)
{
    static struct letter l;

    for (uint32_t i = 0; i < c->m.packets_n; i++) {
        if (i < 64 && (skip >> i & 1) != 0)
            continue;
        town_packet(c, i, NULL, &l);
        world_give(w, "content", NULL, false, &l, false);
    }
}

#endif /* LOA_TEST_WORLD_H */
