#include "speaker/speaker_parts.h"

#include <inttypes.h>
#include <string.h>

#define REFUSED_NOTE_US 1000000 /* At most one line a second about them. */

/* --- believing ------------------------------------------------------------ */

/* Somebody may send nonsense as fast as he can: the log gets one line a second
 * with the count, and the broker's own log has the rest. */
void hear_refuse(struct speaker *s, const char *kind, const char *why)
{
    s->refused_n++;
    if (s->now.now_us < s->refused_us)
        return;
    s->refused_us = s->now.now_us + REFUSED_NOTE_US;
    speaker_note(s, SPEAKER_WARN, "message.refused",
                 "kind=%s reason=%s refused_n=%" PRIu64, kind, why,
                 s->refused_n - s->refused_noted_n);
    s->refused_noted_n = s->refused_n;
}

struct loa_expect hear_expect(const struct speaker *s, enum loa_type type)
{
    return (struct loa_expect){
        .type = type,
        .area = s->area,
        .now_ms = speaker_at_ms(s),
        .time_trusted = s->time.trusted,
    };
}

/* What comes from the future is no lie: it tells that our clock is behind. A
 * head or a command is judged at its own time then, when its signer must have
 * been certified, and so is each while our time is in doubt: the one may set
 * the clock, and by the other what speaks can be stopped. */
static bool at_its_own_time(const struct speaker *s,
                            enum loa_type type,
                            int64_t issued_at_ms)
{
    return (type == LOA_TYPE_HEAD || type == LOA_TYPE_COMMAND) &&
           (!s->time.trusted || s->time.doubted ||
            issued_at_ms > speaker_at_ms(s));
}

/* A command looks late by our clock, or its signer does. If that is all, it is
 * said in s->late, for whoever knows what the command says. */
static enum loa_verdict judge_late(struct speaker *s,
                                   const struct loa_envelope *e,
                                   struct loa_expect *want,
                                   enum loa_verdict v)
{
    s->late = LOA_VERDICT_OK;
    if (v != LOA_VERDICT_EXPIRED && v != LOA_VERDICT_EXPIRED_CERTIFICATE)
        return v;
    s->late = v;
    want->now_ms = e->header.issued_at_ms;
    return loa_trust_verify(&s->trust, e, want, NULL);
}

/* Verified, and about the area in whose topic it came: a signed message cannot
 * be moved to where it was not sent. */
bool hear_believe(struct speaker *s,
                  const struct loa_topic *topic,
                  struct loa_arena *arena,
                  struct loa_bytes body,
                  enum loa_type type,
                  struct loa_envelope *e,
                  struct loa_identity_claim *who)
{
    struct loa_expect want = hear_expect(s, type);
    enum loa_verdict v;

    if (loa_envelope_parse(arena, body, e) != LOA_OK) {
        hear_refuse(s, topic->kind, "malformed");
        return false;
    }
    if (at_its_own_time(s, type, e->header.issued_at_ms)) {
        want.now_ms = e->header.issued_at_ms;
        want.time_trusted = true;
    }
    v = loa_trust_verify(&s->trust, e, &want, who);
    if (type == LOA_TYPE_COMMAND)
        v = judge_late(s, e, &want, v);
    if (v != LOA_VERDICT_OK) {
        hear_refuse(s, topic->kind, loa_verdict_name(v));
        return false;
    }
    if (strcmp(e->header.area, topic->area) != 0) {
        hear_refuse(s, topic->kind, "other-topic");
        return false;
    }
    return true;
}

/* --- trust ---------------------------------------------------------------- */

/* A device without a clock knows the time from a scheduler alone, whom the list
 * may revoke: what he said must not make the list look expired. */
static int64_t list_judged_ms(const struct speaker *s,
                              const struct loa_envelope *e)
{
    int64_t at_ms = speaker_at_ms(s);

    return s->conf.clock == WALLTIME_NONE && e->header.issued_at_ms < at_ms
               ? e->header.issued_at_ms
               : at_ms;
}

static void on_trust(struct speaker *s,
                     const struct loa_topic *topic,
                     struct loa_arena *arena,
                     struct loa_bytes body)
{
    struct loa_envelope e;
    enum loa_verdict v;

    if (loa_envelope_parse(arena, body, &e) != LOA_OK) {
        hear_refuse(s, topic->kind, "malformed");
        return;
    }
    v = loa_trust_update(&s->trust, &e, list_judged_ms(s, &e), s->time.trusted);
    if (v == LOA_VERDICT_REPLAYED && !s->trust_unsaved)
        return; /* Retained: it comes with every connection. */
    if (v != LOA_VERDICT_OK && v != LOA_VERDICT_REPLAYED) {
        hear_refuse(s, topic->kind, loa_verdict_name(v));
        return;
    }
    s->trust_due = true;
    s->trust_new = v == LOA_VERDICT_OK;
    s->trust_at_ms = e.header.issued_at_ms;
    s->pending_body = body;
}

/* A head that was ahead of what is believed now would hide all others. */
void hear_forget_future(struct speaker *s)
{
    if (s->head_at_ms > speaker_at_ms(s) + LOA_SKEW_MS)
        s->head_at_ms = 0;
}

/* A stolen key that ran ahead with the time does not outlive its revocation. */
static void doubt_time(struct speaker *s)
{
    walltime_doubt(&s->time, s->trust_at_ms);
    walltime_sample(&s->time, s->now.now_us, s->now.at_us);
    hear_forget_future(s);
}

/* The version of a signer that is revoked holds back nobody: the newest of
 * somebody else is welcome again. */
static void disown(struct speaker *s, const char *area, const uint8_t *signer)
{
    if (!memo_disown(&s->memo, area, signer))
        return;
    s->memo_due = true;
    s->ask_depth = s->connected ? 1 : 0;
}

/* What was planned by somebody who is revoked now is dropped, whatever it is.
 * One that is on disk only, because it expired, is looked at there. */
static void disown_programmes(struct speaker *s)
{
    struct judge j = speaker_judge(s);
    size_t i = 0;

    while (i < s->programmes.held_n) {
        struct programme *p = s->programmes.held[i];
        enum loa_verdict v = programme_signer(p, &j);

        if (v == LOA_VERDICT_OK) {
            i++;
            continue;
        }
        speaker_note(s, SPEAKER_WARN, "programme.dropped",
                     "area=%s version=%" PRIu64 " reason=%s", p->area,
                     p->version, loa_verdict_name(v));
        if (v == LOA_VERDICT_REVOKED)
            disown(s, p->area, p->signer_key);
        programmes_drop(&s->programmes, i);
    }
    s->load_depth = 1;
}

void hear_trust_saved(struct speaker *s, int status)
{
    s->trust_due = false;
    s->trust_unsaved = status != LOA_OK;
    if (!memo_revocations_lost(&s->memo, &s->trust.revoked)) {
        memo_set_revocations(&s->memo, &s->trust.revoked);
        s->memo_due = true;
    }
    speaker_note(s, SPEAKER_INFO, "trust.accepted", "number=%" PRIu64,
                 s->trust.revoked.number);
    s->reckon = s->state_due = true;
    if (s->trust_new)
        doubt_time(s);
    turns_recheck(s);
    disown_programmes(s);
}

/* It was believed in its time, and no date can take back what it revoked. */
int hear_trust_from_disk(struct speaker *s, struct loa_bytes body)
{
    struct loa_arena arena;
    struct loa_envelope e;

    loa_arena_init(&arena, s->scratch, sizeof s->scratch);
    if (loa_envelope_parse(&arena, body, &e) != LOA_OK ||
        loa_trust_update(&s->trust, &e, speaker_at_ms(s), false) !=
            LOA_VERDICT_OK)
        return LOA_EINVAL;
    return LOA_OK;
}

/* --- programme ------------------------------------------------------------ */

/* NULL: it is newer than what is held, or was held. */
static const char *why_not(const struct speaker *s,
                           const struct programme *p,
                           bool from_disk)
{
    const struct programme *held = programmes_find(&s->programmes, p->area);
    uint64_t floor = memo_version(&s->memo, p->area);

    if (held != NULL && held->version >= p->version &&
        !(held->version == p->version && held->unsaved && !from_disk))
        return "held";
    /* The newest one that was believed may have been lost by the disk, so the
     * same version is welcome again, but never an older one. */
    if (p->version < floor)
        return "older";
    if (p->version > (uint64_t)(speaker_at_ms(s) + PROGRAMME_AHEAD_MS))
        return "future";
    return NULL;
}

static void adopt(struct speaker *s, bool from_disk)
{
    struct programme *p = programmes_adopt(&s->programmes, s->area);

    memo_set_version(&s->memo, s->area, p->area, p->version, p->signer_key);
    if (from_disk)
        tell_resume(s, p);
    speaker_note(s, SPEAKER_INFO, "programme.accepted",
                 "area=%s version=%" PRIu64 " bulletins=%" PRIu32
                 " approvals=%" PRIu32 " from=%s",
                 p->area, p->version, p->bulletins_n, p->approvals_n,
                 from_disk ? "disk" : "broker");
    s->agenda_us = 0;
    turns_recheck(s);
    tell_reckon(s); /* Now: its packets may be right behind it. */
}

static void on_programme(struct speaker *s,
                         const struct loa_topic *topic,
                         struct loa_arena *arena,
                         struct loa_bytes body)
{
    struct loa_identity_claim who;
    struct loa_envelope e;
    const char *why;

    if (!hear_believe(s, topic, arena, body, LOA_TYPE_PROGRAMME, &e, &who))
        return;
    if (programmes_stage(&s->programmes, arena, &e, &who, body) != LOA_OK) {
        hear_refuse(s, topic->kind, "malformed");
        return;
    }
    why = why_not(s, s->programmes.spare, false);
    if (why == NULL) {
        s->programme_due = true;
        s->pending_body = body;
    } else if (strcmp(why, "held") != 0) {
        hear_refuse(s, topic->kind, why);
    }
}

/* Also when the disk refused: the plan is the right one, only a restart will
 * not know it. Nothing sounds as long as the disk refuses. */
void hear_programme_saved(struct speaker *s, int status)
{
    s->programme_due = false;
    s->programmes.spare->unsaved = status != LOA_OK;
    adopt(s, false);
    s->memo_due = s->state_due = true;
}

void hear_from_disk(struct speaker *s, struct loa_bytes body)
{
    struct loa_expect want = hear_expect(s, LOA_TYPE_PROGRAMME);
    struct loa_identity_claim who;
    struct loa_arena arena;
    struct loa_envelope e;
    enum loa_verdict v;
    const char *why;

    loa_arena_init(&arena, s->scratch, sizeof s->scratch);
    if (loa_envelope_parse(&arena, body, &e) != LOA_OK) {
        speaker_note(s, SPEAKER_WARN, "programme.damaged", "area=%s",
                     s->load_area);
        return;
    }
    v = loa_trust_verify(&s->trust, &e, &want, &who);
    if (v == LOA_VERDICT_REVOKED)
        disown(s, s->load_area, e.signatures[0].key);
    if (v == LOA_VERDICT_OK &&
        programmes_stage(&s->programmes, &arena, &e, &who, body) != LOA_OK)
        v = LOA_VERDICT_MALFORMED;
    why = v != LOA_VERDICT_OK ? loa_verdict_name(v)
                              : why_not(s, s->programmes.spare, true);
    if (why != NULL) {
        speaker_note(s, SPEAKER_INFO, "programme.not_loaded",
                     "area=%s reason=%s", s->load_area, why);
        return;
    }
    s->programmes.spare->unsaved = false;
    adopt(s, true);
    s->memo_soon = true;
}

/* --- head ----------------------------------------------------------------- */

static void ask_retained(struct speaker *s)
{
    if (s->ask_retained_us != 0 &&
        s->now.now_us - s->ask_retained_us < SPEAKER_ASK_RETAINED_US)
        return;
    s->ask_retained_us = s->now.now_us;
    s->ask_depth = 1;
}

static void on_head(struct speaker *s,
                    const struct loa_topic *topic,
                    struct loa_arena *arena,
                    struct loa_bytes body,
                    bool retained)
{
    const struct programme *held;
    struct loa_envelope e;
    struct wire_head h;

    if (!hear_believe(s, topic, arena, body, LOA_TYPE_HEAD, &e, NULL))
        return;
    /* Its time is the time at which it was signed, so a certificate that has
     * ended cannot speak of later times. */
    if (wire_head(arena, e.header.body, &h) != LOA_OK ||
        h.time_ms > e.header.issued_at_ms + LOA_SKEW_MS) {
        hear_refuse(s, topic->kind, "malformed");
        return;
    }
    if (h.nonce_known &&
        walltime_answered(&s->time, h.nonce, h.time_ms, s->now.now_us))
        speaker_note(s, SPEAKER_INFO, "time.set", "at_ms=%" PRId64, h.time_ms);
    walltime_heard(&s->time, h.time_ms, s->now.now_us);
    /* At once: what is on the disk is to be read before the next message. */
    speaker_watch_time(s);
    if (!retained && s->time.trusted)
        s->clock_offset_us =
            h.time_ms * 1000 - walltime_at_us(&s->time, s->now.now_us);
    if (h.time_ms <= s->head_at_ms)
        return;
    s->head_at_ms = h.time_ms;
    held = programmes_find(&s->programmes, topic->area);
    if (h.programme_version > (held != NULL ? held->version : 0) ||
        h.revocation_number > s->trust.revoked.number) {
        speaker_note(s, SPEAKER_INFO, "head.newer",
                     "area=%s version=%" PRIu64 " revocations=%" PRIu64,
                     topic->area, h.programme_version, h.revocation_number);
        ask_retained(s);
    }
}

/* --- ack ------------------------------------------------------------------ */

static void on_ack(struct speaker *s,
                   const struct loa_topic *topic,
                   struct loa_arena *arena,
                   struct loa_bytes body)
{
    struct loa_envelope e;
    struct wire_ack a;

    if (!hear_believe(s, topic, arena, body, LOA_TYPE_ACK, &e, NULL))
        return;
    if (wire_ack(arena, e.header.body, &a) != LOA_OK) {
        hear_refuse(s, topic->kind, "malformed");
        return;
    }
    if (!receipts_ack(&s->receipts, a.log_id, a.committed_sequence))
        return;
    s->memo.acked = s->receipts.acked;
    s->memo_soon = true; /* Losing it costs a repetition, no more. */
    if (a.refused_n > 0)
        speaker_note(s, SPEAKER_WARN, "receipts.refused",
                     "count=%zu first=%" PRIu64, a.refused_n, a.refused_first);
}

/* --- content -------------------------------------------------------------- */

static void on_content(struct speaker *s,
                       const struct loa_topic *topic,
                       struct loa_arena *arena,
                       struct loa_bytes body)
{
    /* The packet outlives this call: it is stored when the step is over. */
    struct loa_packet *k = loa_arena_alloc(arena, sizeof *k);

    if (k == NULL || loa_packet_parse(arena, body, k) != LOA_OK) {
        hear_refuse(s, topic->kind, "malformed");
        return;
    }
    if (contents_packet(&s->contents, k, &s->chance, s->now.now_us) ==
        CONTENTS_BAD)
        hear_refuse(s, topic->kind, "bad-signature");
}

/* --- all of them ---------------------------------------------------------- */

void hear_message(struct speaker *s, const struct speaker_event *ev)
{
    struct loa_topic topic;
    struct loa_arena arena;
    bool mine;

    if (loa_topic_parse(ev->topic, &topic) != LOA_OK ||
        topic.plane != LOA_PLANE_DOWN || !loa_area_within(s->area, topic.area))
        return;
    mine = strcmp(topic.principal, s->id) == 0;
    if (topic.principal[0] != '\0' && !mine)
        return;
    loa_arena_init(&arena, s->scratch, sizeof s->scratch);
    if (strcmp(topic.kind, "content") == 0)
        on_content(s, &topic, &arena, ev->body);
    else if (strcmp(topic.kind, "programme") == 0 && !mine)
        on_programme(s, &topic, &arena, ev->body);
    else if (strcmp(topic.kind, "head") == 0)
        on_head(s, &topic, &arena, ev->body, ev->retained);
    else if (strcmp(topic.kind, "trust") == 0)
        on_trust(s, &topic, &arena, ev->body);
    else if (strcmp(topic.kind, "command") == 0)
        hear_command(s, &topic, &arena, ev->body);
    else if (strcmp(topic.kind, "ack") == 0 && mine)
        on_ack(s, &topic, &arena, ev->body);
}
