/* box.h -- a loudspeaker in simulated time whose disk is real: the core and
 * io_disk, io_receipts, io_content as loa-speaker links them. What it does to
 * the world is told to box_says(), which the program defines. */

#ifndef LOA_TEST_POWER_BOX_H
#define LOA_TEST_POWER_BOX_H

#include <fcntl.h>
#include <unistd.h>

#include "proto/io/log.h"
#include "speaker/io_content.h"
#include "speaker/io_disk.h"
#include "speaker/io_receipts.h"
#include "speaker/speaker.h"
#include "town.h"

#define BOX_CONTENTS 4
#define BOX_PERIOD_US 20000

struct box {
    struct speaker s;
    struct disk disk;
    struct receipt_log log;
    struct content_store store;
    uv_loop_t loop;
    struct box_voice {
        bool open, ended;
        struct frame_reader frames;
        const struct town_content *content;
        uint32_t at;
    } voices[PLAYER_VOICES];
    bool connected;
    int64_t now_us, offset_us, period_us;
    uint64_t batch_last;
    struct wire_want want; /* The last one that was sent. */
};

static struct town town;
static struct town_content contents[BOX_CONTENTS];
static struct box box;

/* What the device does, in order. */
enum says {
    SAYS_SAVE = 'b',    /* text: name, body */
    SAYS_SAVED = 'd',   /* text: name, status */
    SAYS_SESSION = 'u', /* number: the world was told */
    SAYS_STORED = 'r',  /* rows, n, status */
    SAYS_SENT = 's',    /* rows, n: the world was told */
    SAYS_TRIMMED = 'k', /* number: the first that is left */
    SAYS_PLAYS = 'p',   /* occ: the first sample leaves */
    SAYS_DELETE = 'x',  /* hash */
    SAYS_NOTE = 'l',    /* text: event */
    SAYS_WRONG = 'w',   /* text: sounds what it should not */
    SAYS_LOG = 'L',     /* log id, next number: the receipts that there are */
    SAYS_READ = 'o',    /* text: name, body: what was there at a start */
    SAYS_COMMAND = 'C', /* body: a command's envelope that is given to it */
    SAYS_ACKED = 'a',   /* number: the collector has them up to here */
};
static void box_says(enum says what,
                     const char *text,
                     struct loa_bytes body,
                     uint64_t number);

static int64_t box_at_ms(void)
{
    return (box.now_us + box.offset_us) / 1000;
}

static void box_feed(struct speaker_event *ev);

static void programme_name(const char *area, char out[LOA_AREA_CAP + 16])
{
    snprintf(out, LOA_AREA_CAP + 16, "programme-%s", area);
    for (char *p = out; *p != '\0'; p++)
        if (*p == '/')
            *p = '.';
}

/* --- operations, as io_perform.c carries them out ------------------------- */

static int box_save(const struct speaker_op *op)
{
    char name[LOA_AREA_CAP + 16] = "trust";
    bool slot = op->file <= SPEAKER_FILE_LEDGER;
    int rv;

    if (slot)
        snprintf(name, sizeof name, "%s", op->name);
    else if (op->file == SPEAKER_FILE_PROGRAMME)
        programme_name(op->name, name);
    box_says(SAYS_SAVE, name, op->body, 0);
    rv = slot ? disk_slot_write(&box.disk, name, op->body)
              : disk_file_write(&box.disk, name, op->body);
    box_says(SAYS_SAVED, name, (struct loa_bytes){NULL, 0}, (uint64_t)rv);
    return rv;
}

static int box_load(const char *area)
{
    char name[LOA_AREA_CAP + 16];
    struct loa_bytes body;

    programme_name(area, name);
    if (disk_file_read(&box.disk, name, &body) == LOA_OK)
        speaker_from_disk(&box.s, body);
    return LOA_OK;
}

static int box_store(const struct speaker_op *op)
{
    int rv = receipt_log_append(&box.log, op->receipts, (size_t)op->n);

    if (rv == LOA_OK)
        box_says(SAYS_STORED, "",
                 (struct loa_bytes){(const uint8_t *)op->receipts,
                                    op->n * sizeof op->receipts[0]},
                 op->n);
    return rv;
}

static int box_read(const struct speaker_op *op)
{
    static struct receipt rows[RECEIPTS_BATCH_MAX];
    size_t n = receipt_log_read(&box.log, op->first, rows, (size_t)op->n);

    speaker_batch(&box.s, rows, n);
    if (n > 0) {
        box.batch_last = rows[n - 1].sequence;
        box_says(SAYS_SENT, "",
                 (struct loa_bytes){(uint8_t *)rows, n * sizeof rows[0]}, n);
    }
    return LOA_OK;
}

static int box_trim(const struct speaker_op *op)
{
    int rv = receipt_log_trim(&box.log, op->n);

    box_says(SAYS_TRIMMED, "", (struct loa_bytes){NULL, 0}, box.log.first);
    return rv;
}

static int box_content(const struct speaker_op *op)
{
    const struct contents_op *c = &op->content;

    switch (c->type) {
        case CONTENTS_PUT:
            return content_store_put(&box.store, c->fetch, c->packet);
        case CONTENTS_CLOSE:
            content_store_part_close(&box.store, c->fetch);
            break;
        case CONTENTS_SEAL:
            content_store_seal(&box.store, c->fetch);
            break;
        case CONTENTS_CHECK:
            content_store_check(&box.store, c->hash);
            break;
        case CONTENTS_DELETE:
            box_says(SAYS_DELETE, "",
                     (struct loa_bytes){c->hash, LOA_HASH_BYTES}, 0);
            return content_store_delete(&box.store, c->hash);
        case CONTENTS_OPEN:
            break;
    }
    return LOA_OK;
}

static void box_open_part(const struct speaker_op *op)
{
    const struct contents_op *c = &op->content;
    const uint32_t *have;
    int rv = content_store_part_open(&box.store, c->fetch, c->hash,
                                     c->packets_n, &have);

    if (rv == LOA_OK)
        speaker_opened(&box.s, op, have);
    else
        speaker_done(&box.s, op, rv);
}

static const struct town_content *content_of(const uint8_t *hash)
{
    for (int i = 0; i < BOX_CONTENTS; i++)
        if (memcmp(contents[i].m.hash, hash, LOA_HASH_BYTES) == 0)
            return &contents[i];
    return NULL;
}

static int box_voice_open(const struct speaker_op *op)
{
    struct box_voice *v = &box.voices[op->voice];
    int rv = frame_reader_open(&v->frames, &box.disk, op->hash);

    v->open = rv == LOA_OK;
    v->ended = false;
    v->content = content_of(op->hash);
    v->at = 0;
    return rv;
}

static int box_send(const struct speaker_op *op)
{
    struct loa_topic t;

    if (loa_topic_parse(op->topic, &t) != LOA_OK)
        return LOA_EINVAL;
    if (strcmp(t.kind, "state") == 0)
        box_says(SAYS_SESSION, "", (struct loa_bytes){NULL, 0}, box.s.session);
    if (strcmp(t.kind, "want") == 0)
        box.want = box.s.want;
    return LOA_OK;
}

static int box_perform(const struct speaker_op *op)
{
    switch (op->type) {
        case SPEAKER_NOTE:
            box_says(
                SAYS_NOTE, op->event,
                (struct loa_bytes){(const uint8_t *)op->text, strlen(op->text)},
                op->level);
            return LOA_OK;
        case SPEAKER_SAVE:
            return box_save(op);
        case SPEAKER_LOAD:
            return box_load(op->name);
        case SPEAKER_STORE:
            return box_store(op);
        case SPEAKER_READ:
            return box_read(op);
        case SPEAKER_TRIM:
            return box_trim(op);
        case SPEAKER_CONTENT:
            return box_content(op);
        case SPEAKER_VOICE_OPEN:
            return box_voice_open(op);
        case SPEAKER_VOICE_CLOSE:
            if (box.voices[op->voice].open)
                frame_reader_close(&box.voices[op->voice].frames);
            box.voices[op->voice].open = false;
            return LOA_OK;
        case SPEAKER_SEND:
            return box_send(op);
        case SPEAKER_SILENCE:
        case SPEAKER_HEALTH:
        case SPEAKER_ASK_RETAINED:
            return LOA_OK;
    }
    return LOA_EINVAL;
}

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
    for (size_t i = 0; i < want.streams_n; i++)
        for (int c = 0; c < BOX_CONTENTS; c++) {
            if (memcmp(want.streams[i].stream_key, contents[c].m.stream_key,
                       LOA_KEY_BYTES) != 0)
                continue;
            for (uint32_t k = 0; k < contents[c].m.packets_n; k++) {
                town_packet(&contents[c], k, NULL, &l);
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
