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
    strcpy(s->trust.area, s->area);
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
            s->time.ahead_ms = s->memo.ahead_ms;
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
    receipts_recall(&s->receipts, r);
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
    if (!same)
        memo_new_log(&s->memo, log_id);
    /* Whoever repairs a damaged head of the log goes by this. */
    s->memo_due = s->memo_due || !same;
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

/* A clock that was years ahead at the first start closed what a lost memory may
 * have known until then: that ends when it is set right. Up to a day ahead
 * stays closed: no clock that somebody turns back by less opens a past again.
 */
static void open_gaps(struct speaker *s)
{
    int64_t at_ms = speaker_at_ms(s), far_ms = at_ms + PROGRAMME_AHEAD_MS;

    if (s->ledger.closed_at_ms > far_ms) {
        s->ledger.closed_at_ms = at_ms;
        s->ledger_soon = true;
    }
    if (s->memo.commands_after_us > (uint64_t)far_ms * 1000) {
        s->memo.commands_after_us = (uint64_t)at_ms * 1000;
        s->memo_due = true;
    }
}

/* Did time become known, or move? Then what was refused for want of it, or by
 * it, is looked at again. */
void speaker_watch_time(struct speaker *s)
{
    int64_t moved = s->time.offset_us - s->time_offset_us;
    bool jumped = moved > SPEAKER_JUMP_US || moved < -SPEAKER_JUMP_US;

    if (s->time.trusted && (!s->time_was_trusted || jumped)) {
        speaker_note(s, SPEAKER_INFO, "time.known", "at_ms=%" PRId64,
                     speaker_at_ms(s));
        close_gaps(s);
        open_gaps(s);
        hear_forget_future(s);
        programmes_rewind(&s->programmes);
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

    for (size_t i = 0; i < s->contents.top; i++) {
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
    speaker_watch_time(s);
    ops_keep(s);
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
        s->session_due = true;
    }
    tell_will(s);
}

static void on_connected(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    s->connected = true;
    s->state_due = true;
    s->state_us = 0;
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
    bool failed = ev->status != LOA_OK;

    if (failed)
        turns_stop(s, NULL, INT64_MAX, "sound");
    if (failed != s->sound_failed)
        s->health_us = s->now.now_us; /* Somebody should know. */
    s->sound_failed = failed;
    s->agenda_us = 0;
}

static void on_stopping(struct speaker *s, const struct speaker_event *ev)
{
    (void)ev;
    turns_stop(s, NULL, INT64_MAX, "shutdown");
    s->stopping = true;
    s->state_due = s->memo_due = true;
    s->state_us = 0;
}

static void (*const handlers[])(struct speaker *,
                                const struct speaker_event *) = {
    [SPEAKER_TICK] = on_tick,           [SPEAKER_CONNECTING] = on_connecting,
    [SPEAKER_CONNECTED] = on_connected, [SPEAKER_LOST] = on_lost,
    [SPEAKER_MESSAGE] = on_message,     [SPEAKER_PERIOD] = on_period,
    [SPEAKER_PLAYED] = on_played,       [SPEAKER_JOB_DONE] = on_job_done,
    [SPEAKER_SOUND] = on_sound,         [SPEAKER_STOPPING] = on_stopping,
};

bool speaker_sane(const struct speaker *s)
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
    assert(speaker_sane(s));
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

int64_t speaker_login_ms(const struct speaker *s, const struct speaker_now *now)
{
    int64_t at_ms = now->at_us / 1000;

    if (s->time.trusted)
        return walltime_at_us(&s->time, now->now_us) / 1000;
    return at_ms > s->time.floor_ms ? at_ms : s->time.floor_ms;
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
