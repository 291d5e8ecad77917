/* box.h -- a loudspeaker in simulated time whose disk is real: the core and
 * io_disk, io_receipts, io_content as loa-speaker links them. */

#ifndef LOA_TEST_POWER_BOX_H
#define LOA_TEST_POWER_BOX_H

#include "test/power/box_perform.h"

static void box_drain(void)
{
    struct speaker_op op;

    while (speaker_take(&box.s, &op)) {
        if (op.type == SPEAKER_CONTENT && op.content.type == CONTENTS_OPEN)
            box_open_part(&op);
        else
            speaker_done(&box.s, &op, box_perform(&op));
    }
    if (box.period_us == 0 && speaker_sounding(&box.s))
        box.period_us = box.now_us;
}

static struct speaker_now box_now(void)
{
    return (struct speaker_now){box.now_us, box.now_us + box.offset_us};
}

static void box_feed(struct speaker_event *ev)
{
    ev->now = box_now();
    speaker_step(&box.s, ev);
    box_drain();
}

static void box_event(enum speaker_event_type type)
{
    struct speaker_event ev = {.type = type};

    box_feed(&ev);
}

/* --- the output ----------------------------------------------------------- */

/* One frame: is it of the content that it should be? What is unreadable is
 * concealed, as io_voice.c does it. */
static void box_frame(struct box_voice *v, uint64_t *concealed_n)
{
    struct loa_bytes frame;
    int rv = v->open && !v->ended ? frame_reader_next(&v->frames, &frame)
                                  : LOA_ENOENT;

    v->ended = v->ended || rv != LOA_OK;
    if (rv != LOA_OK)
        *concealed_n += LOA_FRAME_SAMPLES;
    else if (v->content == NULL || v->at >= v->content->m.frames_n ||
             frame.len != sizeof v->content->frames[0] ||
             memcmp(frame.data, v->content->frames[v->at], frame.len) != 0)
        box_says(SAYS_WRONG, "sounds what nobody approved",
                 (struct loa_bytes){NULL, 0}, v->at);
    v->at++;
}

static void box_period(void)
{
    struct speaker_event ev = {.type = SPEAKER_PERIOD, .now = box_now()};
    const struct player_plan *plan;

    ev.period =
        (struct player_period){box.now_us, box.period_us, LOA_FRAME_SAMPLES};
    speaker_step(&box.s, &ev);
    plan = speaker_plan(&box.s);
    memset(&ev, 0, sizeof ev);
    if (plan->begins)
        box_says(SAYS_PLAYS, "",
                 (struct loa_bytes){box.s.player.next.occ.id, LOA_ID_BYTES},
                 (uint64_t)box.s.player.next.occ.start_at_ms);
    for (size_t i = 0; i < plan->segments_n; i++) {
        int voice = plan->segments[i].voice;

        if (voice >= 0 &&
            box.voices[voice].at * LOA_FRAME_SAMPLES <
                box.voices[voice].content->m.frames_n * LOA_FRAME_SAMPLES)
            box_frame(&box.voices[voice], &ev.concealed_n[voice]);
    }
    ev.type = SPEAKER_PLAYED;
    box.period_us += BOX_PERIOD_US;
    box_feed(&ev);
    if (!speaker_sounding(&box.s))
        box.period_us = 0;
}

/* --- life ----------------------------------------------------------------- */

static void box_found(void *data,
                      const uint8_t hash[LOA_HASH_BYTES],
                      bool complete,
                      uint64_t bytes)
{
    (void)data;
    speaker_found(&box.s, hash, complete, bytes);
}

static void box_job(void *data, int status, uint64_t bytes)
{
    struct speaker_event ev = {
        .type = SPEAKER_JOB_DONE, .status = status, .bytes = bytes};

    (void)data;
    box_feed(&ev);
}

static void box_recall(void *data, const struct receipt *r)
{
    (void)data;
    /* Found is as good as stored: from now on it is acted on. */
    box_says(SAYS_STORED, "", (struct loa_bytes){(const uint8_t *)r, sizeof *r},
             1);
    speaker_recall(&box.s, r);
}

static int box_load_slots(void)
{
    static const char *const names[] = {"memo", "replay", "ledger"};
    struct loa_bytes body;

    for (int i = 0; i < 3; i++) {
        int rv = disk_slot_read(&box.disk, names[i], &body);

        if (rv == LOA_OK &&
            speaker_load(&box.s, (enum speaker_file)i, body) != LOA_OK)
            log_warn("data.damaged", "file=%s text=not what it should be",
                     names[i]);
        if (rv != LOA_OK && rv != LOA_ENOENT)
            return rv;
    }
    return LOA_OK;
}

/* The disk must be open. As io_agent.c does it. */
static int box_boot(uint64_t seed)
{
    struct speaker_conf conf = {.identity = &town.device,
                                .model = "test",
                                .software = "loa-speaker test",
                                .content_bytes_max = 1 << 30,
                                .volume_percent = 100};
    static const uint8_t none[LOA_ID_BYTES];
    uint8_t fresh_id[LOA_ID_BYTES] = {0xf0};
    struct receipt_log_ids ids = {.fresh = fresh_id};
    struct speaker_now now = box_now();
    struct loa_bytes body;
    int rv;

    memcpy(conf.seed, &seed, sizeof seed);
    memcpy(fresh_id + 8, &seed, 8);
    box.connected = false;
    box.period_us = 0;
    box.batch_last = 0;
    box.want.streams_n = 0;
    memset(&box.s, 0, sizeof box.s);
    memset(box.voices, 0, sizeof box.voices);
    speaker_init(&box.s, &conf, &now);
    rv = box_load_slots();
    if (rv != LOA_OK)
        return rv;
    if (disk_file_read(&box.disk, "trust", &body) == LOA_OK &&
        speaker_load(&box.s, SPEAKER_FILE_TRUST, body) != LOA_OK)
        log_warn("data.damaged", "file=trust text=not believed");
    if (memcmp(box.s.memo.log_id, none, sizeof none) != 0)
        ids.known = box.s.memo.log_id;
    rv = receipt_log_open(&box.log, &box.disk, &ids, box_recall, NULL);
    if (rv != LOA_OK)
        return rv;
    box_says(SAYS_LOG, "", (struct loa_bytes){box.log.log_id, LOA_ID_BYTES},
             box.log.next);
    speaker_load_log(&box.s, box.log.log_id, box.log.first, box.log.next);
    uv_loop_init(&box.loop);
    memset(&box.store.job, 0, sizeof box.store.job);
    for (size_t i = 0; i < FETCHES_MAX; i++)
        box.store.parts[i].open = false;
    content_store_open(&box.store, &box.disk, &box.loop, box_found, box_job,
                       NULL);
    box_event(SPEAKER_TICK);
    return LOA_OK;
}

/* The process ends, as if killed. */
static void box_kill(void)
{
    for (int i = 0; i < PLAYER_VOICES; i++)
        if (box.voices[i].open)
            frame_reader_close(&box.voices[i].frames);
    content_store_close(&box.store);
    receipt_log_close(&box.log);
    uv_run(&box.loop, UV_RUN_DEFAULT);
    uv_loop_close(&box.loop);
    disk_close(&box.disk);
}

static void box_connect(void)
{
    box_event(SPEAKER_CONNECTING);
    box.connected = true;
    box_event(SPEAKER_CONNECTED);
}

UNUSED static void box_lose(void)
{
    box.connected = false;
    box_event(SPEAKER_LOST);
}

static void box_give(const char *kind,
                     const char *area,
                     bool to_me,
                     const uint8_t *data,
                     size_t len)
{
    char topic[LOA_TOPIC_CAP];
    struct speaker_event ev = {
        .type = SPEAKER_MESSAGE, .topic = topic, .body = {data, len}};

    if (loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, kind, area,
                        to_me ? town.device.leaf.principal : NULL) == LOA_OK)
        box_feed(&ev);
}

/* The collector has what was sent. */
static void box_ack(void)
{
    static struct letter l;

    town_ack(&town, box.s.receipts.log_id, box.batch_last, NULL, box_at_ms(),
             &l);
    box_says(SAYS_ACKED, "", (struct loa_bytes){NULL, 0}, box.batch_last);
    box.batch_last = 0;
    box_give("ack", OWN, true, l.data, l.len);
}

/* Content-ingest answers a want. */
static void box_answer(void)
{
    static struct letter l;
    struct wire_want want = box.want;

    box.want.streams_n = 0;
    for (size_t i = 0; i < want.streams_n; i++) {
        const struct town_content *c =
            town_content_of(contents, BOX_CONTENTS, want.streams[i].stream_key);

        for (uint32_t k = 0; c != NULL && k < c->m.packets_n; k++) {
            town_packet(c, k, NULL, &l);
            box_give("content", OWN, false, l.data, l.len);
        }
    }
}

/* Until wall time at_ms. */
static void box_run(int64_t at_ms, bool acks)
{
    int64_t end_us = at_ms * 1000 - box.offset_us;

    while (box.now_us < end_us) {
        int64_t next_us = end_us;

        if (speaker_deadline_us(&box.s) < next_us)
            next_us = speaker_deadline_us(&box.s);
        if (box.period_us != 0 && box.period_us < next_us)
            next_us = box.period_us;
        if (box.store.job.active && box.now_us + 5000 < next_us)
            next_us = box.now_us + 5000;
        box.now_us = next_us > box.now_us ? next_us : box.now_us + 1;
        if (box.store.job.active)
            uv_run(&box.loop, UV_RUN_NOWAIT);
        if (box.period_us != 0 && box.period_us <= box.now_us)
            box_period();
        if (speaker_deadline_us(&box.s) <= box.now_us)
            box_event(SPEAKER_TICK);
        if (acks && box.batch_last != 0 && box.connected)
            box_ack();
        if (box.connected && box.want.streams_n > 0)
            box_answer();
    }
}

#endif /* LOA_TEST_POWER_BOX_H */
