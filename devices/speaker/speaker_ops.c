#include "speaker/speaker_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

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
    s->memo.ahead_ms = s->time.ahead_ms;
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
    /* That other files were refused is no reason: this fits on a full disk. */
    if (s->session_due)
        return save_memo(s, op);
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
    /* The log must not forget what the two have not learned yet. */
    op->n = s->ledger_soon || s->memo_soon ? 0 : receipts_excess(&s->receipts);
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
        s->agenda_us = 0;
    }
}

bool ops_unkept(const struct speaker *s)
{
    for (size_t i = 0; i < s->programmes.held_n; i++)
        if (s->programmes.held[i]->unsaved)
            return true;
    return s->trust_unsaved;
}

/* A full disk takes the memo, which is written in place, and refuses every new
 * file: what is fetched for each try is paid for by the megabyte. */
void ops_keep(struct speaker *s)
{
    if (!ops_unkept(s)) {
        s->keep_us = s->keep_pause_us = 0;
        return;
    }
    if (s->storage_failed || !s->connected || s->now.now_us < s->keep_us)
        return;
    s->keep_pause_us *= 2;
    if (s->keep_pause_us < SPEAKER_STORAGE_US)
        s->keep_pause_us = SPEAKER_STORAGE_US;
    if (s->keep_pause_us > SPEAKER_KEEP_US_MAX)
        s->keep_pause_us = SPEAKER_KEEP_US_MAX;
    s->keep_us = s->now.now_us + s->keep_pause_us;
    s->ask_depth = 1;
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
            s->memo_due = s->session_due = false;
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

static void trimmed(struct speaker *s, uint64_t n)
{
    uint64_t lost_n = s->receipts.lost_n;

    receipts_trimmed(&s->receipts, n);
    if (s->receipts.lost_n > lost_n)
        speaker_note(s, SPEAKER_WARN, "receipts.lost",
                     "records=%" PRIu64 " lost_n=%" PRIu64,
                     s->receipts.lost_n - lost_n, s->receipts.lost_n);
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
            if (status == LOA_OK) {
                receipts_stored(&s->receipts, (size_t)op->n);
                tell_noted(s);
            }
            break;
        case SPEAKER_TRIM:
            disk_said(s, status);
            if (status == LOA_OK)
                trimmed(s, op->n);
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
    assert(speaker_sane(s));
}
