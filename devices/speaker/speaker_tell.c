#include "speaker/speaker_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/audio.h"

/* --- receipts ------------------------------------------------------------- */

static struct receipt receipt_of(const struct speaker *s,
                                 enum receipt_event event,
                                 const char *reason)
{
    struct receipt r = {
        .event = event,
        .at_us = walltime_at_us(&s->time, s->now.now_us),
    };

    if (!s->time.trusted && s->conf.clock == WALLTIME_NONE)
        r.at_us = 0;
    strncpy(r.reason, reason, sizeof r.reason - 2);
    return r;
}

static void of_bulletin(struct receipt *r,
                        const uint8_t id[LOA_ID_BYTES],
                        const uint8_t hash[LOA_HASH_BYTES],
                        int64_t start_at_ms)
{
    memcpy(r->bulletin_id, id, sizeof r->bulletin_id);
    memcpy(r->hash, hash, sizeof r->hash);
    r->hash_known = true;
    r->start_at_ms = start_at_ms;
}

void tell_turn(struct speaker *s,
               const struct turn *t,
               enum receipt_event event,
               const char *reason)
{
    struct receipt r = receipt_of(s, event, reason);

    of_bulletin(&r, t->occ.id, t->occ.hash, t->occ.start_at_ms);
    if (t->begun)
        r.first_sample_us = t->first_at_us;
    if (event == RECEIPT_FINISHED || event == RECEIPT_INTERRUPTED) {
        r.played_ms = player_ms(t->done_n);
        r.concealed_ms = player_ms(t->concealed_n);
    }
    receipts_add(&s->receipts, &r);
}

void tell_occurrence(struct speaker *s,
                     const struct occurrence *o,
                     const char *reason)
{
    struct receipt r = receipt_of(s, RECEIPT_REFUSED, reason);

    of_bulletin(&r, o->id, o->hash, o->start_at_ms);
    receipts_add(&s->receipts, &r);
}

void tell_command(struct speaker *s, const char *reason)
{
    struct receipt r = receipt_of(s, RECEIPT_COMMAND, reason);

    memcpy(r.bulletin_id, s->command_id, sizeof r.bulletin_id);
    receipts_add(&s->receipts, &r);
}

void tell_restarted(struct speaker *s)
{
    const struct ledger_entry *e;

    /* Only once: later what is begun is under way. */
    while (!s->restart_told && receipts_room(&s->receipts) &&
           (e = ledger_begun(&s->ledger)) != NULL) {
        struct receipt r = receipt_of(s, RECEIPT_INTERRUPTED, "restarted");

        memcpy(r.bulletin_id, e->bulletin_id, sizeof r.bulletin_id);
        r.start_at_ms = e->start_at_ms;
        receipts_add(&s->receipts, &r);
        ledger_set(&s->ledger, e->bulletin_id, e->start_at_ms, LEDGER_DONE);
        s->ledger_soon = true;
    }
    s->restart_told = true;
}

static void tell_about(struct speaker *s,
                       const struct bulletin *b,
                       enum receipt_event event)
{
    struct receipt r = receipt_of(s, event, "");

    of_bulletin(&r, b->id, b->hash, 0);
    receipts_add(&s->receipts, &r);
}

/* --- who needs what ------------------------------------------------------- */

/* The first start that is not over; INT64_MAX: all are. */
static int64_t nearest_start(const struct speaker *s,
                             const struct programme *p,
                             const struct bulletin *b)
{
    int64_t over = speaker_at_ms(s) - s->conf.place_offset_ms - b->duration_ms -
                   AGENDA_LATE_MS;

    for (uint32_t i = 0; i < b->starts_n; i++)
        if (p->starts[b->starts_at + i] > over)
            return p->starts[b->starts_at + i];
    return INT64_MAX;
}

static void tell_verified(struct speaker *s, const struct bulletin *b)
{
    const struct content *c = contents_find(&s->contents, b->hash);

    if (c == NULL || c->state != CONTENT_COMPLETE ||
        ledger_verified(&s->ledger, b->id, b->hash))
        return;
    if (!receipts_room(&s->receipts)) {
        s->reckon_us = s->now.now_us + SPEAKER_TICK_US; /* Later, then. */
        return;
    }
    tell_about(s, b, RECEIPT_VERIFIED);
    ledger_set_verified(&s->ledger, b->id, b->hash);
    s->ledger_soon = true;
}

static void reckon_bulletin(struct speaker *s,
                            struct programme *p,
                            struct bulletin *b)
{
    struct judge j = speaker_judge(s);
    int64_t start_at_ms = nearest_start(s, p, b);
    struct manifest m;

    if (!b->received_told && receipts_room(&s->receipts)) {
        tell_about(s, b, RECEIPT_RECEIVED);
        b->received_told = true;
    }
    if (!b->received_told)
        s->reckon_us = s->now.now_us + SPEAKER_TICK_US;
    if (start_at_ms == INT64_MAX || programme_judge(p, b, &j, &m) != NULL)
        return;
    contents_need(&s->contents, &m, start_at_ms);
    tell_verified(s, b);
}

/* Once is enough for a version of the plan, over restarts: the memo has the
 * last one that is told to its end, the log what was told since. */
void tell_resume(struct speaker *s, struct programme *p)
{
    uint64_t up_to;
    bool all = memo_told(&s->memo, p->area, p->version, &up_to);

    for (uint32_t i = 0; i < p->bulletins_n; i++) {
        struct bulletin *b = &p->bulletins[i];

        if (all || receipts_received(&s->receipts, b->id, b->hash, up_to))
            b->received_told = true;
    }
}

static bool all_received_told(const struct programme *p)
{
    for (uint32_t i = 0; i < p->bulletins_n; i++)
        if (!p->bulletins[i].received_told)
            return false;
    return true;
}

void tell_noted(struct speaker *s)
{
    if (s->receipts.fresh_n > 0)
        return;
    for (size_t i = 0; i < s->programmes.held_n; i++) {
        const struct programme *p = s->programmes.held[i];

        if (all_received_told(p) &&
            memo_set_told(&s->memo, p->area, p->version, s->receipts.stored))
            s->memo_soon = true;
    }
}

void tell_reckon(struct speaker *s)
{
    bool was_full = s->contents.full;

    s->reckon = false;
    s->reckon_us = s->now.now_us + SPEAKER_RECKON_US;
    contents_need_begin(&s->contents);
    for (size_t i = 0; i < s->programmes.held_n; i++) {
        struct programme *p = s->programmes.held[i];

        if (p->expires_at_ms <= speaker_at_ms(s))
            continue;
        for (uint32_t k = 0; k < p->bulletins_n; k++)
            reckon_bulletin(s, p, &p->bulletins[k]);
    }
    contents_need_end(&s->contents, &s->chance, s->now.now_us);
    tell_noted(s);
    if (s->contents.full && !was_full)
        speaker_note(s, SPEAKER_WARN, "content.full", "bytes_max=%" PRIu64,
                     s->contents.bytes_max);
}

void tell_complete(struct speaker *s, const uint8_t hash[LOA_HASH_BYTES])
{
    struct judge j = speaker_judge(s);
    struct manifest m;

    for (size_t i = 0; i < s->programmes.held_n; i++) {
        struct programme *p = s->programmes.held[i];

        for (uint32_t k = 0; k < p->bulletins_n; k++)
            if (memcmp(p->bulletins[k].hash, hash, LOA_HASH_BYTES) == 0 &&
                programme_judge(p, &p->bulletins[k], &j, &m) == NULL)
                tell_verified(s, &p->bulletins[k]);
    }
}

/* --- state, health, wants, batches ---------------------------------------- */

static size_t encode_state(struct speaker *s,
                           enum presence presence,
                           uint8_t *buf,
                           size_t cap)
{
    struct wire_out out = {buf, cap, 0};
    struct wire_state state = {
        .presence = presence,
        .session = s->session,
        .at_ms = s->time.trusted ? speaker_at_ms(s) : 0,
        .software = s->conf.software,
        .model = s->conf.model,
        .programmes = &s->programmes,
        .revocation_number = s->trust.revoked.number,
    };

    return wire_state(&state, &out) == LOA_OK ? out.len : 0;
}

void tell_will(struct speaker *s)
{
    s->will_len = encode_state(s, PRESENCE_LOST, s->will, sizeof s->will);
}

static bool send_op(struct speaker *s,
                    struct speaker_op *op,
                    enum loa_plane plane,
                    const char *kind,
                    struct loa_bytes body)
{
    *op = (struct speaker_op){
        .type = SPEAKER_SEND, .topic = s->out_topic, .body = body};
    return body.len > 0 &&
           loa_topic_build(s->out_topic, sizeof s->out_topic, plane, kind,
                           s->area, s->id) == LOA_OK;
}

static bool take_state(struct speaker *s, struct speaker_op *op)
{
    size_t len;

    if (!s->state_due || s->now.now_us < s->state_us)
        return false;
    s->state_due = false;
    len = encode_state(s, s->stopping ? PRESENCE_GONE : PRESENCE_ONLINE, s->out,
                       sizeof s->out);
    if (!send_op(s, op, LOA_PLANE_UP, "state", (struct loa_bytes){s->out, len}))
        return false;
    op->qos = 1;
    op->retain = true;
    return true;
}

static bool take_batch(struct speaker *s, struct speaker_op *op)
{
    size_t n;

    if (s->batch_len > 0) {
        if (!send_op(s, op, LOA_PLANE_UP, "receipt",
                     (struct loa_bytes){s->batch, s->batch_len}))
            return false;
        op->qos = 1;
        op->n = s->batch_last; /* Tells tell_sent() what it was. */
        return true;
    }
    if (!s->time.trusted || s->now.now_us < s->batch_us ||
        !receipts_due(&s->receipts, s->now.now_us, &op->first, &n))
        return false;
    op->type = SPEAKER_READ;
    op->n = n;
    return true;
}

void speaker_batch(struct speaker *s, const struct receipt *rows, size_t n)
{
    struct loa_signer signer = loa_identity_signer(s->conf.identity);
    struct loa_header h = {.type = LOA_TYPE_RECEIPTS};
    struct wire_out body = {s->out, sizeof s->out, 0};

    /* Rows that are asked for and do not come are damaged: given up, so that
     * what is behind them is not. */
    if (n == 0 || wire_receipts(s->receipts.log_id, rows[0].sequence, rows, n,
                                &body) != LOA_OK)
        return;
    strcpy(h.area, s->area);
    chance_bytes(&s->chance, h.message_id, sizeof h.message_id);
    h.issued_at_ms = speaker_at_ms(s);
    h.expires_at_ms = h.issued_at_ms + SPEAKER_RECEIPTS_VALID_MS;
    h.body = (struct loa_bytes){body.buf, body.len};
    s->batch_last = rows[n - 1].sequence;
    if (loa_envelope_seal(&h, &signer, s->batch, sizeof s->batch,
                          &s->batch_len) != LOA_OK)
        s->batch_len = 0;
}

static bool take_want(struct speaker *s, struct speaker_op *op)
{
    struct wire_out out = {s->out, sizeof s->out, 0};

    if (!contents_want(&s->contents, &s->chance, &s->want, s->now.now_us) ||
        wire_want(&s->want, &out) != LOA_OK)
        return false;
    speaker_note(s, SPEAKER_DEBUG, "content.want", "streams=%zu",
                 s->want.streams_n);
    return send_op(s, op, LOA_PLANE_UP, "want",
                   (struct loa_bytes){out.buf, out.len});
}

static bool take_time_request(struct speaker *s, struct speaker_op *op)
{
    struct wire_out out = {s->out, sizeof s->out, 0};
    uint8_t nonce[WALLTIME_NONCE_BYTES];

    if (!walltime_must_ask(&s->time, s->now.now_us))
        return false;
    chance_bytes(&s->chance, nonce, sizeof nonce);
    walltime_asked(&s->time, nonce, s->now.now_us);
    return wire_time_request(nonce, &out) == LOA_OK &&
           send_op(s, op, LOA_PLANE_RPC, "scheduler",
                   (struct loa_bytes){out.buf, out.len});
}

static bool is_stale(const struct speaker *s)
{
    return !s->time.trusted ||
           speaker_at_ms(s) - s->head_at_ms > SPEAKER_STALE_MS;
}

static bool take_health(struct speaker *s, struct speaker_op *op)
{
    struct wire_health *h = &s->health;
    const struct turn *cur = &s->player.cur;

    if (s->now.now_us < s->health_us)
        return false;
    s->health_us = s->now.now_us + SPEAKER_HEALTH_US;
    memset(h, 0, sizeof *h);
    h->at_ms = s->time.trusted ? speaker_at_ms(s) : 0;
    h->uptime_s = (uint64_t)(s->now.now_us - s->started_us) / 1000000;
    h->volume_percent = s->memo.volume_percent;
    h->time_trusted = s->time.trusted;
    h->stale = is_stale(s);
    h->receipts_pending = (uint32_t)receipts_pending(&s->receipts);
    contents_count(&s->contents, &h->contents_complete, &h->contents_missing);
    h->frames_played = s->played_n / LOA_FRAME_SAMPLES;
    h->frames_concealed = s->concealed_n / LOA_FRAME_SAMPLES;
    h->clock_offset_us = s->clock_offset_us;
    h->playing = cur->used;
    if (cur->used)
        memcpy(h->playing_bulletin_id, cur->occ.id, LOA_ID_BYTES);
    h->refused_messages = s->refused_n;
    h->storage_fault = s->storage_failed || s->content_failed ||
                       s->contents.full || ops_unkept(s);
    h->sound_fault = s->sound_failed;
    if (!send_op(s, op, LOA_PLANE_UP, "health", (struct loa_bytes){s->out, 1}))
        return false;
    op->type = SPEAKER_HEALTH;
    op->health = h;
    return true;
}

bool tell_take(struct speaker *s, struct speaker_op *op)
{
    return take_state(s, op) || take_batch(s, op) || take_want(s, op) ||
           take_time_request(s, op) || take_health(s, op);
}

void speaker_state_refused(struct speaker *s)
{
    s->state_due = true;
    s->state_us = s->now.now_us + SPEAKER_STATE_US;
}

/* Of wants, time and health there is a next one anyway; the State is said only
 * when it changes. */
void tell_sent(struct speaker *s, const struct speaker_op *op, int status)
{
    if (op->retain && status != LOA_OK) {
        s->state_due = true;
        s->state_us = s->now.now_us + SPEAKER_TICK_US;
    }
    if (op->body.data != s->batch)
        return;
    s->batch_len = 0;
    if (status == LOA_OK)
        receipts_sent(&s->receipts, s->batch_last, s->now.now_us);
    else
        s->batch_us = s->now.now_us + SPEAKER_TICK_US;
}

int64_t tell_deadline_us(const struct speaker *s)
{
    int64_t next = contents_deadline_us(&s->contents);
    int64_t batch = receipts_deadline_us(&s->receipts);

    if (batch < s->batch_us)
        batch = s->batch_us;
    if (s->time.trusted && batch < next)
        next = batch;
    if (s->state_due && s->state_us < next)
        next = s->state_us;

    return s->health_us < next ? s->health_us : next;
}
