#include "speaker/speaker_parts.h"

#include <string.h>

/* NULL: whatever sounds. */
static const uint8_t *stopped_id(const struct wire_command *c)
{
    return c->bulletin_known ? c->bulletin_id : NULL;
}

/* Of a Stop. Silence needs no clock: ours may be ahead. So signed time alone
 * says that a Stop is over: a head, or for each sound the programme that
 * planned it. Who keeps a Stop back silences with it nothing that was planned
 * after it, and nothing at all where heads go on coming. One that names its
 * bulletin, of somebody who may still speak, does not end: it can mean no
 * other. */
static bool is_over(struct speaker *s, const struct loa_envelope *e)
{
    const struct wire_command *c = &s->command;
    int64_t end_at_ms = e->header.expires_at_ms;

    s->stop_before_ms = INT64_MAX;
    if (s->late == LOA_VERDICT_OK)
        return false;
    if (!c->bulletin_known || s->late != LOA_VERDICT_EXPIRED) {
        if (s->head_at_ms >= end_at_ms)
            return true;
        s->stop_before_ms = end_at_ms;
    }
    return !turns_meant(s, stopped_id(c), s->stop_before_ms);
}

/* Silence needs no time; anything else is judged by ours. */
static enum loa_verdict judge_command(struct speaker *s,
                                      const struct loa_envelope *e)
{
    struct loa_expect want = hear_expect(s, LOA_TYPE_COMMAND);
    int64_t floor_ms = s->time.floor_ms, at_ms = want.now_ms;
    enum loa_verdict v;

    if (s->command.what != WIRE_STOP &&
        (v = loa_trust_verify(&s->trust, e, &want, NULL)) != LOA_VERDICT_OK)
        return v;
    if (is_over(s, e))
        return s->late;
    if (e->header.counter <= s->memo.commands_after_us)
        return LOA_VERDICT_REPLAYED;
    return loa_replay_accept(&s->replay, e->signatures[0].key,
                             e->header.counter, e->header.message_id,
                             at_ms > floor_ms ? at_ms : floor_ms);
}

void hear_command(struct speaker *s,
                  const struct loa_topic *topic,
                  struct loa_arena *arena,
                  struct loa_bytes body)
{
    struct loa_envelope e;
    enum loa_verdict v;

    if (!hear_believe(s, topic, arena, body, LOA_TYPE_COMMAND, &e, NULL))
        return;
    if (wire_command(arena, e.header.body, &s->command) != LOA_OK) {
        hear_refuse(s, topic->kind, "malformed");
        return;
    }
    if (s->command.device[0] != '\0' && strcmp(s->command.device, s->id) != 0) {
        hear_refuse(s, topic->kind, "not-for-us");
        return;
    }
    v = judge_command(s, &e);
    if (v != LOA_VERDICT_OK) {
        hear_refuse(s, topic->kind, loa_verdict_name(v));
        return;
    }
    memcpy(s->command_id, e.header.message_id, sizeof s->command_id);
    s->replay_due = true;
}

/* Only now that no restart can make it count twice; a Stop whatever the disk
 * says, since one that counts twice is only silence. */
void hear_replay_saved(struct speaker *s, int status)
{
    const struct wire_command *c = &s->command;
    const char *reason = "";

    s->replay_due = false;
    if (c->what == WIRE_STOP) {
        if (!turns_stop(s, stopped_id(c), s->stop_before_ms, "stopped"))
            reason = "idle";
    } else if (status != LOA_OK) {
        reason = "storage";
    } else {
        s->memo.volume_percent = c->percent;
        s->memo_due = true;
    }
    speaker_note(s, SPEAKER_INFO, "command.done", "what=%s reason=%s",
                 c->what == WIRE_STOP ? "stop" : "volume", reason);
    tell_command(s, reason);
}
