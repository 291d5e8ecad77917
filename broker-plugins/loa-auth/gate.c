#include "gate.h"

#include <assert.h>
#include <string.h>

const char *gate_verdict_name(enum gate_verdict v)
{
    switch (v) {
        case GATE_OK:
            return "ok";
#define X(code, text) \
    case GATE_##code: \
        return text;
            GATE_VERDICT_MAP(X)
#undef X
    }
    return "unknown";
}

void gate_init(struct gate *g,
               const struct login_rules *rules,
               const uint8_t root[LOA_KEY_BYTES])
{
    g->rules = *rules;
    loa_trust_init(&g->trust, root);
    loa_arena_init(&g->arena, g->memory, sizeof g->memory);
}

const char *gate_login(struct gate *g, const struct login_request *r)
{
    const struct login_judge judge = {g->rules, &g->trust, &g->arena, &g->seen};
    struct session s;
    const char *why;

    g->now_ms = r->now_ms;
    /* The broker reuses the memory of clients that it has freed. */
    session_remove(&g->sessions, r->client);
    why = login_judge(&judge, r, &s);
    if (why != NULL)
        return why;
    if (s.who.limited) {
        const struct session *other =
            session_find_id(&g->sessions, r->client_id);

        if (other != NULL && !other->who.limited)
            return "in-use";
    }
    s.judged_epoch = g->epoch; /* The login has just asked the list. */
    return session_add(&g->sessions, &s) == LOA_OK ? NULL : "full";
}

void gate_gone(struct gate *g, const void *client)
{
    session_gone(&g->sessions, client, g->now_ms);
}

/* What a live session is refused whatever it asks for. */
static enum gate_verdict standing(struct gate *g, struct session *s)
{
    if (session_revoked(s, &g->trust, g->epoch))
        return GATE_REVOKED;
    return g->now_ms >= s->not_after_ms ? GATE_EXPIRED : GATE_OK;
}

static enum gate_verdict admit(struct gate *g,
                               const void *client,
                               struct session **s)
{
    *s = session_find(&g->sessions, client);
    if (*s == NULL || (*s)->state != SESSION_LIVE)
        return GATE_NO_SESSION;
    return standing(g, *s);
}

enum gate_verdict gate_read(struct gate *g,
                            const void *client,
                            const char *topic)
{
    struct session *s;
    enum gate_verdict v = admit(g, client, &s);

    if (v != GATE_OK)
        return v;
    rights_topic_set(&g->topic, topic);
    if (!g->topic.ours)
        return GATE_TOPIC;
    return rights_cover_topic(&s->who, RIGHTS_READ, &g->topic, NULL)
               ? GATE_OK
               : GATE_RIGHT;
}

enum gate_verdict gate_subscribe(struct gate *g,
                                 const void *client,
                                 const char *filter)
{
    struct session *s;
    struct loa_filter f;
    enum gate_verdict v = admit(g, client, &s);

    if (v != GATE_OK)
        return v;
    if (loa_filter_parse(filter, &f) != LOA_OK)
        return GATE_TOPIC;
    return rights_cover_filter(&s->who, &f) ? GATE_OK : GATE_RIGHT;
}

/* The broker asks about a will after it said that the client is gone. Nothing
 * but the device's own state may be left behind, and only as LOST: a device
 * that is being cut off must not call itself online for ever. */
static enum gate_verdict write_will(struct gate *g,
                                    const struct session *s,
                                    const struct gate_publication *p)
{
    unsigned flags;

    if (!rights_cover_topic(&s->who, RIGHTS_WRITE, &g->topic, &flags) ||
        !(flags & RIGHTS_WILL))
        return GATE_WILL;
    loa_arena_reset(&g->arena);
    return wire_state_is_lost(&g->arena, p->payload) ? GATE_OK : GATE_WILL;
}

enum gate_verdict gate_write(struct gate *g, const struct gate_publication *p)
{
    struct session *s = session_find(&g->sessions, p->client);
    enum gate_verdict v;
    unsigned flags;

    if (s == NULL)
        return GATE_NO_SESSION;
    rights_topic_set(&g->topic, p->topic);
    if (!g->topic.ours)
        return GATE_TOPIC;
    if (s->state == SESSION_GONE)
        return write_will(g, s, p);
    v = standing(g, s);
    if (v != GATE_OK)
        return v;
    if (!rights_cover_topic(&s->who, RIGHTS_WRITE, &g->topic, &flags))
        return GATE_RIGHT;
    return p->retain && !(flags & RIGHTS_RETAIN) ? GATE_RETAIN : GATE_OK;
}

bool gate_is_trust(struct gate *g, const struct gate_publication *p)
{
    rights_topic_set(&g->topic, p->topic);
    return g->topic.ours && g->topic.at.plane == LOA_PLANE_DOWN &&
           strcmp(g->topic.at.kind, "trust") == 0 && p->payload.len > 0;
}

static enum loa_verdict take(struct gate *g,
                             struct loa_bytes p,
                             bool time_trusted)
{
    struct loa_envelope e;
    enum loa_verdict v;

    loa_arena_reset(&g->arena);
    if (p.len > LOA_ENVELOPE_BYTES_MAX ||
        loa_envelope_parse(&g->arena, p, &e) != LOA_OK)
        return LOA_VERDICT_MALFORMED;
    v = loa_trust_update(&g->trust, &e, g->now_ms, time_trusted);
    if (v == LOA_VERDICT_OK)
        g->epoch++;
    return v;
}

enum loa_verdict gate_trust(struct gate *g, struct loa_bytes p)
{
    return take(g, p, true);
}

enum loa_verdict gate_restore(struct gate *g, struct loa_bytes p)
{
    return take(g, p, false);
}

/* True if *kick was filled. */
static bool sweep_row(struct gate *g, struct session *s, struct gate_kick *kick)
{
    if (s->state == SESSION_GONE &&
        g->now_ms - s->gone_at_ms > SESSION_LINGER_MS) {
        session_remove(&g->sessions, s->client);
        return false;
    }
    if (s->state != SESSION_LIVE || s->kicked)
        return false;
    kick->why = standing(g, s);
    if (kick->why == GATE_OK)
        return false;
    s->kicked = true;
    memcpy(kick->client_id, s->client_id, sizeof kick->client_id);
    return true;
}

size_t gate_tick(struct gate *g,
                 int64_t now_ms,
                 int64_t monotonic_ms,
                 struct gate_kick kicks[GATE_KICKS_MAX])
{
    size_t kicks_n = 0;

    g->now_ms = now_ms;
    if (monotonic_ms - g->sweep_ms < GATE_SWEEP_MS)
        return 0;
    g->sweep_ms = monotonic_ms;
    for (size_t i = 0; i < GATE_SWEEP_N && kicks_n < GATE_KICKS_MAX; i++) {
        if (g->sweep_at >= g->sessions.used_n) {
            g->sweep_at = 0;
            break;
        }
        if (sweep_row(g, &g->sessions.rows[g->sweep_at++], &kicks[kicks_n]))
            kicks_n++;
    }
    return kicks_n;
}
