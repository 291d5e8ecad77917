#include "speaker/speaker_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void speaker_note(struct speaker *s,
                  enum speaker_level level,
                  const char *event,
                  const char *fmt,
                  ...)
{
    struct speaker_note *n;
    va_list ap;

    if (s->notes_n == SPEAKER_NOTES_MAX)
        return;
    n = &s->notes[s->notes_n++];
    n->level = level;
    n->event = event;
    va_start(ap, fmt);
    vsnprintf(n->text, sizeof n->text, fmt, ap);
    va_end(ap);
}

int64_t speaker_at_ms(const struct speaker *s)
{
    return walltime_at_us(&s->time, s->now.now_us) / 1000;
}

struct judge speaker_judge(struct speaker *s)
{
    return (struct judge){
        .trust = &s->trust,
        .area = s->area,
        .at_ms = speaker_at_ms(s),
        .time_trusted = s->time.trusted,
        .scratch = s->judge_scratch,
        .scratch_len = sizeof s->judge_scratch,
    };
}

/* --- start ---------------------------------------------------------------- */

static void take_time(struct speaker *s, const struct speaker_now *now)
{
    s->now = *now;
    walltime_sample(&s->time, now->now_us, now->at_us);
}

void speaker_init(struct speaker *s,
                  const struct speaker_conf *conf,
                  const struct speaker_now *now)
{
    s->conf = *conf;
    s->area = conf->identity->leaf.area;
    s->id = conf->identity->leaf.principal;
    s->started_us = now->now_us;
    chance_init(&s->chance, conf->seed);
    walltime_init(&s->time, conf->clock, 0);
    loa_trust_init(&s->trust, conf->identity->root);
    memo_init(&s->memo, conf->volume_percent);
    ledger_init(&s->ledger, 0);
    programmes_init(&s->programmes);
    contents_init(&s->contents, conf->content_bytes_max);
    s->contents.job = -1;
    take_time(s, now);
    s->health_us = now->now_us;
    s->memo_us = now->now_us + SPEAKER_MEMO_US;
}

int speaker_load(struct speaker *s,
                 enum speaker_file file,
                 struct loa_bytes body)
{
    int rv = LOA_EINVAL;

    switch (file) {
        case SPEAKER_FILE_MEMO:
            rv = memo_decode(&s->memo, body);
            if (rv != LOA_OK)
                memo_init(&s->memo, s->conf.volume_percent);
            s->session = s->memo.session;
            walltime_raise(&s->time, s->memo.floor_ms);
            walltime_sample(&s->time, s->now.now_us, s->now.at_us);
            s->loaded_memo = rv == LOA_OK;
            break;
        case SPEAKER_FILE_REPLAY:
            rv = memo_replay_decode(&s->replay, body);
            s->loaded_replay = rv == LOA_OK;
            break;
        case SPEAKER_FILE_LEDGER:
            rv = ledger_decode(&s->ledger, body);
            s->loaded_ledger = rv == LOA_OK;
            break;
        case SPEAKER_FILE_TRUST:
            rv = hear_trust_from_disk(s, body);
            break;
        case SPEAKER_FILE_PROGRAMME:
            break; /* They come by SPEAKER_LOAD, when time is known. */
    }
    return rv;
}

void speaker_recall(struct speaker *s, const struct receipt *r)
{
    if (r->event == RECEIPT_VERIFIED)
        ledger_set_verified(&s->ledger, r->bulletin_id, r->hash);
    /* The end was told and then the ledger was not saved any more. */
    else if ((r->event == RECEIPT_FINISHED || r->event == RECEIPT_INTERRUPTED ||
              r->event == RECEIPT_REFUSED) &&
             r->start_at_ms != 0)
        ledger_set(&s->ledger, r->bulletin_id, r->start_at_ms, LEDGER_DONE);
}

void speaker_load_log(struct speaker *s,
                      const uint8_t log_id[LOA_ID_BYTES],
                      uint64_t first,
                      uint64_t next)
{
    bool same = memcmp(s->memo.log_id, log_id, LOA_ID_BYTES) == 0;

    receipts_init(&s->receipts, log_id, first, next, same ? s->memo.acked : 0);
    memcpy(s->memo.log_id, log_id, LOA_ID_BYTES);
    s->memo.acked = s->receipts.acked;
}

void speaker_found(struct speaker *s,
                   const uint8_t hash[LOA_HASH_BYTES],
                   bool complete,
                   uint64_t bytes)
{
    contents_found(&s->contents, hash, complete, bytes, s->now.now_us);
}

/* --- events --------------------------------------------------------------- */

/* A memory that is lost may have known commands and occurrences: whatever is
 * older than the first moment of trusted time is taken as seen. */
static void close_gaps(struct speaker *s)
{
    int64_t at_ms = speaker_at_ms(s);

    if (!s->loaded_replay || !s->loaded_memo) {
        s->memo.commands_after_us = (uint64_t)at_ms * 1000;
        s->memo_due = true;
    }
    if (!s->loaded_ledger) {
        if (s->ledger.closed_at_ms < at_ms)
            s->ledger.closed_at_ms = at_ms;
        s->ledger_due = true;
    }
    if (!s->loaded_memo) {
        /* Sessions rise even over a lost memory. */
        if (s->session < (uint64_t)at_ms / 1000)
            s->session = s->memo.session = (uint64_t)at_ms / 1000;
    }
    s->loaded_replay = s->loaded_ledger = s->loaded_memo = true;
}

/* Did time become known, or move? Then what was refused for want of it, or by
 * it, is looked at again. */
static void watch_time(struct speaker *s)
{
    int64_t moved = s->time.offset_us - s->time_offset_us;
    bool jumped = moved > SPEAKER_JUMP_US || moved < -SPEAKER_JUMP_US;

    if (s->time.trusted && (!s->time_was_trusted || jumped)) {
        speaker_note(s, SPEAKER_INFO, "time.known", "at_ms=%" PRId64,
                     speaker_at_ms(s));
        close_gaps(s);
        s->load_depth = 1;
        if (s->connected)
            s->ask_depth = 1;
        s->reckon = true;
        s->agenda_us = 0;
    } else if (!s->time.trusted && s->time_was_trusted) {
        speaker_note(s, SPEAKER_WARN, "time.untrusted",
                     "at_ms=%" PRId64 " floor_ms=%" PRId64, speaker_at_ms(s),
                     s->time.floor_ms);
    }
    s->time_was_trusted = s->time.trusted;
    s->time_offset_us = s->time.offset_us;
}

/* What is about to sound is hashed once more, while there is time for it. */
static void recheck_contents(struct speaker *s)
{
    int64_t at_ms = speaker_at_ms(s);

    for (size_t i = 0; i < CONTENTS_MAX; i++) {
        struct content *c = &s->contents.contents[i];
        int64_t left_ms = c->nearest_at_ms - at_ms;

        if (c->used && c->needed && left_ms < SPEAKER_CHECK_MS &&
            left_ms > SPEAKER_CHECK_MS / 4)
            contents_distrust(&s->contents, c, s->now.now_us);
    }
}

static void on_tick(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    watch_time(s);
    tell_restarted(s);
    if (s->time.trusted) {
        if (s->reckon || s->now.now_us >= s->reckon_us)
            tell_reckon(s);
        else
            contents_need_end(&s->contents, &s->chance, s->now.now_us);
        recheck_contents(s);
        if (s->now.now_us >= s->agenda_us)
            turns_decide(s);
    }
    if (s->now.now_us >= s->memo_us) {
        s->memo_us = s->now.now_us + SPEAKER_MEMO_US;
        s->memo_soon = true;
    }
}

static void on_connecting(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    /* A device that finds no network for months tries often: one write serves
     * several connections, and a restart skips what is left of them. */
    if (++s->session > s->memo.session) {
        s->memo.session = s->session + SPEAKER_SESSIONS - 1;
        s->memo_due = true;
    }
    tell_will(s);
}

static void on_connected(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    s->connected = true;
    s->state_due = true;
    s->batch_len = 0;
    s->health_us = s->now.now_us;
    s->time.ask_us = 0;
    receipts_connected(&s->receipts, true);
    contents_connected(&s->contents, &s->chance, s->now.now_us);
}

static void on_lost(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    s->connected = false;
    receipts_connected(&s->receipts, false);
}

static void on_message(struct speaker *s, const struct speaker_event *ev)
{
    hear_message(s, ev);
}

static void on_period(struct speaker *s, const struct speaker_event *ev)
{
    turns_period(s, &ev->period);
}

static void on_played(struct speaker *s, const struct speaker_event *ev)
{
    turns_played(s, ev->concealed_n);
}

static void on_job_done(struct speaker *s, const struct speaker_event *ev)
{
    uint8_t hash[LOA_HASH_BYTES];
    char hex[2 * 8 + 1];

    memcpy(hash, s->contents.contents[s->contents.job].hash, sizeof hash);
    loa_hex(hash, 8, hex);
    contents_job_done(&s->contents, ev->status, ev->bytes, &s->chance,
                      s->now.now_us);
    if (ev->status == LOA_OK) {
        speaker_note(s, SPEAKER_INFO, "content.complete",
                     "hash=%s bytes=%" PRIu64, hex, ev->bytes);
        if (s->time.trusted)
            tell_complete(s, hash);
        s->agenda_us = 0;
    } else {
        speaker_note(s, SPEAKER_WARN, "content.refused", "hash=%s text=%s", hex,
                     loa_strerror(ev->status));
    }
}

static void on_sound(struct speaker *s, const struct speaker_event *ev)
{
    s->sound_failed = ev->status != LOA_OK;
    if (s->sound_failed)
        turns_stop(s, NULL, "sound");
    s->health_us = s->now.now_us; /* Somebody should know. */
}

static void on_stopping(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    turns_stop(s, NULL, "shutdown");
    s->stopping = true;
    s->state_due = s->memo_due = true;
}

static void (*const handlers[])(struct speaker *,
                                const struct speaker_event *) = {
    [SPEAKER_TICK] = on_tick,           [SPEAKER_CONNECTING] = on_connecting,
    [SPEAKER_CONNECTED] = on_connected, [SPEAKER_LOST] = on_lost,
    [SPEAKER_MESSAGE] = on_message,     [SPEAKER_PERIOD] = on_period,
    [SPEAKER_PLAYED] = on_played,       [SPEAKER_JOB_DONE] = on_job_done,
    [SPEAKER_SOUND] = on_sound,         [SPEAKER_STOPPING] = on_stopping,
};

static bool sane(const struct speaker *s)
{
    const struct player *p = &s->player;

    /* What sounds was marked durably before, and two never share a voice. */
    return (!p->cur.used || (p->cur.begun && p->cur.marked && p->cur.ready)) &&
           (!p->next.used ||
            (!p->next.begun && p->next.marked >= p->next.ready)) &&
           (!p->cur.used || !p->next.used || p->cur.voice != p->next.voice);
}

void speaker_step(struct speaker *s, const struct speaker_event *ev)
{
    assert((size_t)ev->type < ARRAY_LEN(handlers));
    assert(ev->now.now_us >= s->now.now_us);

    take_time(s, &ev->now);
    if (s->note_taken == s->notes_n)
        s->note_taken = s->notes_n = 0;
    handlers[ev->type](s, ev);
    assert(sane(s));
}

/* --- operations ----------------------------------------------------------- */

static bool disk_rests(const struct speaker *s)
{
    return s->storage_failed && s->now.now_us < s->storage_us;
}

static bool take_note(struct speaker *s, struct speaker_op *op)
{
    const struct speaker_note *n = &s->notes[s->note_taken];

    if (s->note_taken == s->notes_n)
        return false;
    s->note_taken++;
    *op = (struct speaker_op){.type = SPEAKER_NOTE,
                              .level = n->level,
                              .event = n->event,
                              .text = n->text};
    return true;
}

static bool save(struct speaker_op *op,
                 enum speaker_file file,
                 const char *name,
                 struct loa_bytes body)
{
    *op = (struct speaker_op){
        .type = SPEAKER_SAVE, .file = file, .name = name, .body = body};
    return true;
}

static bool save_ledger(struct speaker *s, struct speaker_op *op)
{
    return save(
        op, SPEAKER_FILE_LEDGER, "ledger",
        (struct loa_bytes){s->file, ledger_encode(&s->ledger, s->file)});
}

static bool save_memo(struct speaker *s, struct speaker_op *op)
{
    s->memo.floor_ms = s->time.floor_ms;
    return save(op, SPEAKER_FILE_MEMO, "memo",
                (struct loa_bytes){s->file, memo_encode(&s->memo, s->file)});
}

/* What must be durable before something else may happen. */
static bool take_urgent_save(struct speaker *s, struct speaker_op *op)
{
    if (s->trust_due)
        return save(op, SPEAKER_FILE_TRUST, "trust", s->pending_body);
    if (s->programme_due)
        return save(op, SPEAKER_FILE_PROGRAMME, s->programmes.spare->area,
                    s->pending_body);
    if (s->replay_due)
        return save(op, SPEAKER_FILE_REPLAY, "replay",
                    (struct loa_bytes){
                        s->file, memo_replay_encode(&s->replay, s->file)});
    if (s->ledger_due)
        return save_ledger(s, op);
    return false;
}

static bool take_voice(struct speaker *s, struct speaker_op *op)
{
    const struct turn *t = &s->player.next;

    for (int i = 0; i < PLAYER_VOICES; i++)
        if (s->voice_closing[i]) {
            s->voice_closing[i] = false;
            *op = (struct speaker_op){.type = SPEAKER_VOICE_CLOSE, .voice = i};
            return true;
        }
    if (s->silence_due) {
        s->silence_due = false;
        *op = (struct speaker_op){.type = SPEAKER_SILENCE};
        return true;
    }
    if (!t->used || !t->marked || t->ready)
        return false;
    *op = (struct speaker_op){.type = SPEAKER_VOICE_OPEN,
                              .voice = t->voice,
                              .hash = t->occ.hash,
                              .pre_skip = t->pre_skip};
    return true;
}

/* What may wait for the disk. Receipts before the ledger: after a power cut
 * between them the log tells the ledger how a turn ended. */
static bool take_store(struct speaker *s, struct speaker_op *op)
{
    if (disk_rests(s))
        return false;
    if (s->memo_due)
        return save_memo(s, op);
    if (s->receipts.fresh_n > 0) {
        *op = (struct speaker_op){.type = SPEAKER_STORE,
                                  .receipts = s->receipts.fresh,
                                  .n = s->receipts.fresh_n};
        return true;
    }
    if (s->now.now_us >= s->lazy_us || s->stopping) {
        if (s->ledger_soon)
            return save_ledger(s, op);
        if (s->memo_soon)
            return save_memo(s, op);
    }
    /* The log must not forget what the ledger has not learned yet. */
    op->n = s->ledger_soon ? 0 : receipts_excess(&s->receipts);
    op->type = SPEAKER_TRIM;
    return op->n > 0;
}

static bool take_content(struct speaker *s, struct speaker_op *op)
{
    op->type = SPEAKER_CONTENT;
    return contents_take(&s->contents, &op->content, s->now.now_us);
}

static bool next_ancestor(struct speaker *s,
                          size_t *depth,
                          char area[LOA_AREA_CAP])
{
    if (*depth == 0)
        return false;
    loa_area_prefix(s->area, *depth, area);
    *depth = *depth < loa_area_depth(s->area) ? *depth + 1 : 0;
    return true;
}

static bool take_area(struct speaker *s, struct speaker_op *op)
{
    if (next_ancestor(s, &s->load_depth, s->load_area)) {
        *op = (struct speaker_op){.type = SPEAKER_LOAD, .name = s->load_area};
        return true;
    }
    if (s->connected && next_ancestor(s, &s->ask_depth, s->ask_area)) {
        *op = (struct speaker_op){.type = SPEAKER_ASK_RETAINED,
                                  .name = s->ask_area};
        return true;
    }
    return false;
}

bool speaker_take(struct speaker *s, struct speaker_op *op)
{
    memset(op, 0, sizeof *op);
    if (take_note(s, op))
        return true;
    s->note_taken = s->notes_n = 0;
    return take_urgent_save(s, op) || take_voice(s, op) || take_store(s, op) ||
           take_content(s, op) || take_area(s, op) ||
           (s->connected && tell_take(s, op));
}

/* --- outcomes ------------------------------------------------------------- */

static void disk_said(struct speaker *s, int status)
{
    bool failed = status != LOA_OK;

    if (failed) {
        s->storage_us = s->now.now_us + SPEAKER_STORAGE_US;
        s->memo_soon = true; /* Something to try the disk with. */
    }
    if (failed == s->storage_failed)
        return;
    s->storage_failed = failed;
    s->health_us = s->now.now_us;
    if (failed) {
        speaker_note(s, SPEAKER_WARN, "storage.failed", "text=%s",
                     loa_strerror(status));
    } else {
        speaker_note(s, SPEAKER_INFO, "storage.back", "fault=none");
        s->ask_depth = s->connected ? 1 : 0; /* What could not be kept. */
        s->agenda_us = 0;
    }
}

/* No room for contents does not keep what is there from sounding: the marks of
 * the ledger overwrite themselves in place. */
static void content_said(struct speaker *s, int status)
{
    bool failed = status != LOA_OK;

    if (failed && !s->content_failed)
        speaker_note(s, SPEAKER_WARN, "content.storage_failed", "text=%s",
                     loa_strerror(status));
    s->content_failed = failed;
}

static void saved(struct speaker *s, const struct speaker_op *op, int status)
{
    disk_said(s, status);
    switch (op->file) {
        case SPEAKER_FILE_MEMO:
            s->memo_due = false;
            s->memo_soon = status != LOA_OK;
            s->lazy_us = s->now.now_us + SPEAKER_LAZY_US;
            break;
        case SPEAKER_FILE_LEDGER:
            if (s->ledger_due) {
                s->ledger_due = false;
                turns_marked(s, status);
            }
            s->ledger_soon = status != LOA_OK;
            s->lazy_us = s->now.now_us + SPEAKER_LAZY_US;
            break;
        case SPEAKER_FILE_REPLAY:
            hear_replay_saved(s, status);
            break;
        case SPEAKER_FILE_TRUST:
            hear_trust_saved(s, status);
            break;
        case SPEAKER_FILE_PROGRAMME:
            hear_programme_saved(s, status);
            break;
    }
}

static void content_done(struct speaker *s,
                         const struct contents_op *op,
                         int status)
{
    switch (op->type) {
        case CONTENTS_OPEN: /* Success comes by speaker_opened(). */
            contents_opened(&s->contents, op->fetch, status, NULL,
                            s->now.now_us);
            content_said(s, status);
            break;
        case CONTENTS_PUT:
            contents_put_done(&s->contents, status, s->now.now_us);
            content_said(s, status);
            break;
        case CONTENTS_DELETE:
            contents_deleted(&s->contents, op->hash, status, s->now.now_us);
            break;
        case CONTENTS_SEAL:
        case CONTENTS_CHECK: /* Begun; SPEAKER_JOB_DONE ends them. */
        case CONTENTS_CLOSE:
            break;
    }
}

void speaker_opened(struct speaker *s,
                    const struct speaker_op *op,
                    const uint32_t *have)
{
    contents_opened(&s->contents, op->content.fetch, LOA_OK, have,
                    s->now.now_us);
}

void speaker_from_disk(struct speaker *s, struct loa_bytes body)
{
    hear_from_disk(s, body);
}

void speaker_done(struct speaker *s, const struct speaker_op *op, int status)
{
    switch (op->type) {
        case SPEAKER_SAVE:
            saved(s, op, status);
            break;
        case SPEAKER_STORE:
            disk_said(s, status);
            if (status == LOA_OK)
                receipts_stored(&s->receipts, (size_t)op->n);
            break;
        case SPEAKER_TRIM:
            disk_said(s, status);
            if (status == LOA_OK)
                receipts_trimmed(&s->receipts, op->n);
            break;
        case SPEAKER_READ:
            if (s->batch_len == 0) /* Nothing came: not at once again. */
                s->batch_us = s->now.now_us + SPEAKER_STORAGE_US;
            break;
        case SPEAKER_CONTENT:
            content_done(s, &op->content, status);
            break;
        case SPEAKER_VOICE_OPEN:
            turns_opened(s, status);
            break;
        case SPEAKER_SEND:
            tell_sent(s, op, status);
            break;
        default:
            break;
    }
    assert(sane(s));
}

/* --- asked by the shell --------------------------------------------------- */

const struct player_plan *speaker_plan(const struct speaker *s)
{
    return &s->plan;
}

bool speaker_sounding(const struct speaker *s)
{
    return s->player.cur.used || s->player.next.used;
}

uint32_t speaker_volume(const struct speaker *s)
{
    return s->memo.volume_percent;
}

struct loa_bytes speaker_will(const struct speaker *s)
{
    return (struct loa_bytes){s->will, s->will_len};
}

int64_t speaker_deadline_us(const struct speaker *s)
{
    int64_t next = s->now.now_us + SPEAKER_TICK_US;
    int64_t tell = s->connected ? tell_deadline_us(s) : INT64_MAX;

    if (s->reckon && s->time.trusted)
        next = s->now.now_us;
    if (s->time.trusted && s->agenda_us < next)
        next = s->agenda_us;
    return tell < next ? tell : next;
}
