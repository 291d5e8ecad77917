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
    g->remembered_until_ms = INT64_MAX;
}

/* What was allowed must be judged anew. */
static void forget_marks(struct gate *g)
{
    topics_renumber(&g->topics);
    g->remembered_until_ms = INT64_MAX;
}

static const struct rights_topic *set_topic(struct gate *g, const char *topic)
{
    g->topic = topics_find(&g->topics, topic);
    return &g->topic->topic;
}

_Static_assert(GATE_ENROL_BURST + LOGIN_ENROL_MS / GATE_ENROL_EVERY_MS <
                   SESSIONS_ENROLLING_MAX,
               "whoever waits for nothing is gone before there are too many");

/* A clock that was set back makes the burst whole. */
static bool enrol_take(struct gate *g)
{
    const int64_t burst_ms = GATE_ENROL_BURST * GATE_ENROL_EVERY_MS;
    int64_t whole = g->enrol_whole_at_ms;

    if (whole < g->now_ms || whole > g->now_ms + burst_ms)
        whole = g->now_ms;
    if (whole + GATE_ENROL_EVERY_MS > g->now_ms + burst_ms)
        return false;
    g->enrol_whole_at_ms = whole + GATE_ENROL_EVERY_MS;
    return true;
}

/* What a live session is refused whatever it asks for. */
static enum gate_verdict standing(struct gate *g, struct session *s)
{
    if (session_revoked(s, &g->trust, g->epoch))
        return GATE_REVOKED;
    return g->now_ms >= s->not_after_ms ? GATE_EXPIRED : GATE_OK;
}

/* May s push out the one that has its client id? A name is only as good as who
 * gave it: any authority can certify any name, but in its own area alone. So it
 * must be the same holder again, or one of an area above. */
static bool may_replace(struct gate *g,
                        const struct session *s,
                        struct session *other)
{
    const struct rights_holder *a = &s->who, *b = &other->who;

    if (standing(g, other) != GATE_OK)
        return true; /* It is about to be cut. */
    if (a->limited && !b->limited)
        return false;
    if (strcmp(a->area, b->area) != 0)
        return loa_area_within(b->area, a->area);
    return a->role == b->role && strcmp(a->service, b->service) == 0;
}

static const char *holder_of(const struct session *s)
{
    return s->who.role == RIGHTS_ROLE_ENROLLING ? LEFT_ENROLLING
                                                : s->who.principal;
}

/* A client id that is the principal's name is one, and replaces itself. */
static bool makes_up_ids(const struct session *s)
{
    return s->who.role == RIGHTS_ROLE_ENROLLING ||
           strcmp(s->client_id, s->who.principal) != 0;
}

/* The login is good. */
static const char *join(struct gate *g,
                        const struct login_request *r,
                        struct session *s)
{
    struct session *other = session_find_id(&g->sessions, r->client_id);

    if (other != NULL && !may_replace(g, s, other))
        return "in-use";
    if (makes_up_ids(s) && left_many(&g->left, holder_of(s), g->now_ms))
        return "left-behind";
    if (s->who.role == RIGHTS_ROLE_ENROLLING && !enrol_take(g))
        return "too-many";
    if (wills_take(&g->wills, s->who.principal, g->now_ms, g->told_will))
        return "will";
    s->judged_epoch = g->epoch; /* The login has just asked the list. */
    if (session_add(&g->sessions, s) != LOA_OK)
        return "full"; /* Then nobody is pushed out. */
    /* Its row has not moved: session_add() took another one. */
    g->leaving = other == NULL ? NULL : other->client;
    return NULL;
}

void gate_reload(struct gate *g)
{
    g->reloading = true;
}

/* Whoever must go is cut by the sweep, as always, and may leave his will. */
bool gate_asks_again(struct gate *g, const struct login_request *r)
{
    const struct session *s = session_find(&g->sessions, r->client);

    return g->reloading && s != NULL && s->state == SESSION_LIVE &&
           r->client_id != NULL && strcmp(s->client_id, r->client_id) == 0;
}

const char *gate_login(struct gate *g, const struct login_request *r)
{
    const struct login_judge judge = {g->rules, &g->trust, &g->arena, &g->seen};
    struct session s;
    const char *why;

    g->now_ms = r->now_ms;
    g->leaving = NULL;
    /* The broker reuses the memory of clients that it has freed. */
    session_remove(&g->sessions, r->client);
    why = login_judge(&judge, r, &s);
    return why != NULL ? why : join(g, r, &s);
}

/* Without room for it, it is taken for one that left something behind. */
static void note_end(struct gate *g, const struct session *s)
{
    struct gate_ended *e = &g->ended[g->ended_n];

    if (g->ended_n == GATE_ENDED_MAX) {
        left_add(&g->left, holder_of(s), g->now_ms);
        return;
    }
    strcpy(e->client_id, s->client_id);
    strcpy(e->holder, holder_of(s));
    g->ended_n++;
}

void gate_gone(struct gate *g, const void *client)
{
    const struct session *s = session_find(&g->sessions, client);

    g->leaving = NULL;
    if (s != NULL && s->state == SESSION_LIVE && makes_up_ids(s))
        note_end(g, s);
    session_gone(&g->sessions, client, g->now_ms);
}

const struct gate_ended *gate_next_ended(struct gate *g)
{
    while (g->ended_n > 0) {
        const struct gate_ended *e = &g->ended[--g->ended_n];

        if (session_find_id(&g->sessions, e->client_id) == NULL)
            return e; /* Nobody has taken its place. */
    }
    return NULL;
}

void gate_left(struct gate *g, const struct gate_ended *e)
{
    left_add(&g->left, e->holder, g->now_ms);
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

/* What the mark of a client does not know yet. */
static enum gate_verdict judge_read(struct gate *g, struct session_mark *m)
{
    struct session *s = session_of(&g->sessions, m);
    enum gate_verdict v =
        s->state == SESSION_LIVE ? standing(g, s) : GATE_NO_SESSION;

    if (v != GATE_OK)
        return v;
    if (!g->topic->topic.ours)
        return GATE_TOPIC;
    if (!rights_cover_topic(&s->who, RIGHTS_READ, &g->topic->topic, NULL))
        return GATE_RIGHT;
    m->allowed = g->topic->number;
    if (s->not_after_ms < g->remembered_until_ms)
        g->remembered_until_ms = s->not_after_ms;
    return GATE_OK;
}

enum gate_verdict gate_read(struct gate *g,
                            const void *client,
                            const char *topic)
{
    struct session_mark *m = session_mark(&g->sessions, client);

    if (m == NULL)
        return GATE_NO_SESSION;
    if (g->now_ms >= g->remembered_until_ms)
        forget_marks(g);
    set_topic(g, topic);
    return m->allowed == g->topic->number ? GATE_OK : judge_read(g, m);
}

enum gate_verdict gate_subscribe(struct gate *g,
                                 const void *client,
                                 const char *filter,
                                 size_t filters_n)
{
    struct session *s;
    struct loa_filter f;
    enum gate_verdict v = admit(g, client, &s);

    if (v != GATE_OK)
        return v;
    if (loa_filter_parse(filter, &f) != LOA_OK)
        return GATE_TOPIC;
    if (!rights_cover_filter(&s->who, &f))
        return GATE_RIGHT;
    return filters_n < GATE_FILTERS_MAX ? GATE_OK : GATE_FILTERS;
}

/* Nothing but the device's own state may be left behind, and only as LOST: a
 * device that is being cut off must not call itself online for ever. */
static enum gate_verdict judge_will(struct gate *g,
                                    const struct session *s,
                                    const struct gate_publication *p)
{
    const struct rights_topic *topic = set_topic(g, p->topic);
    unsigned flags;

    if (s == NULL || !topic->ours ||
        !rights_cover_topic(&s->who, RIGHTS_WRITE, topic, &flags) ||
        !(flags & RIGHTS_WILL))
        return GATE_WILL;
    loa_arena_reset(&g->arena);
    return wire_state_is_lost(&g->arena, p->payload) ? GATE_OK : GATE_WILL;
}

/* Of the form that a device's will should have. One that has it and is refused
 * nevertheless, because the device had no clock or its session is forgotten, is
 * no mistake of its author. */
static bool is_own_state(struct gate *g,
                         const struct session *s,
                         const char *principal,
                         struct loa_bytes payload)
{
    const struct rights_topic *t = &g->topic->topic;

    loa_arena_reset(&g->arena);
    return t->ours && t->at.plane == LOA_PLANE_UP &&
           strcmp(t->at.kind, "state") == 0 &&
           strcmp(t->at.principal, principal) == 0 &&
           (s == NULL || strcmp(t->at.area, s->who.area) == 0) &&
           wire_state_is_lost(&g->arena, payload);
}

static enum gate_verdict write_will(struct gate *g,
                                    const struct session *s,
                                    const struct gate_publication *p)
{
    enum gate_verdict v = judge_will(g, s, p);
    char principal[LOA_PRINCIPAL_CAP];

    if (v == GATE_OK)
        return v;
    wills_principal(p->client_id, principal);
    if (!is_own_state(g, s, principal, p->payload))
        wills_add(&g->wills, principal, p->topic, g->now_ms);
    return v;
}

/* The broker asks about a will when its client is gone already, or, if a new
 * connection of the same client id pushes it out, right after that one's login.
 * Of somebody whom the broker knows and who is not here, nothing but a will can
 * be asked. */
enum gate_verdict gate_write(struct gate *g, const struct gate_publication *p)
{
    struct session *s = session_find(&g->sessions, p->client);
    const struct rights_topic *topic;
    enum gate_verdict v;
    unsigned flags;

    if (s == NULL && p->client_id == NULL)
        return GATE_NO_SESSION;
    if (s == NULL || s->state == SESSION_GONE || p->client == g->leaving)
        return write_will(g, s, p);
    topic = set_topic(g, p->topic);
    if (!topic->ours)
        return GATE_TOPIC;
    v = standing(g, s);
    if (v != GATE_OK)
        return v;
    if (!rights_cover_topic(&s->who, RIGHTS_WRITE, topic, &flags))
        return GATE_RIGHT;
    return p->retain && !(flags & RIGHTS_RETAIN) ? GATE_RETAIN : GATE_OK;
}

bool gate_is_trust(struct gate *g, const struct gate_publication *p)
{
    const struct rights_topic *t = set_topic(g, p->topic);

    return t->ours && t->at.plane == LOA_PLANE_DOWN &&
           strcmp(t->at.kind, "trust") == 0 && p->payload.len > 0;
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
    if (v == LOA_VERDICT_OK) {
        g->epoch++;
        forget_marks(g);
    }
    return v;
}

enum loa_verdict gate_trust(struct gate *g, struct loa_bytes p)
{
    return take(g, p, true);
}

bool gate_trust_older(struct gate *g, struct loa_bytes p)
{
    struct loa_envelope e;

    loa_arena_reset(&g->arena);
    return loa_envelope_parse(&g->arena, p, &e) != LOA_OK ||
           wire_trust_number(&g->arena, e.header.body) <
               g->trust.revoked.number;
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
    g->leaving = NULL;
    g->reloading = false;
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
