/* model.h -- what a loudspeaker must say, may say, and must not say.
 *
 * Written from docs/, not from the agent: it reads the same messages with the
 * generated protobuf code alone, keeps a flat table of occurrences, and knows
 * the disturbances. It calls none of the agent's functions. What it finds wrong
 * is one line in `finding`.
 *
 *   must not  not planned, not approved, expired, early, late, twice, over a
 *             stronger one, without time
 *   must      planned, approved and complete well before, nothing disturbed
 *             the device, nothing as strong in the way: at its start, in full,
 *             told once
 *   may       the rest */

#ifndef LOA_SIM_MODEL_H
#define LOA_SIM_MODEL_H

#include <stdarg.h>

#include "loa/v1/device.pb-c.h"
#include "loa/v1/envelope.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "town.h"

#define MODEL_AREAS 3
#define MODEL_OCCURRENCES 4096
#define MODEL_APPROVALS 512
#define MODEL_RECEIPTS 20000
#define LATE_MS 2000    /* Documented: later than this it does not begin. */
#define PROMPT_US 40000 /* Nothing in the way: later than this is late. */
#define SAMPLE_US 21    /* A start lies between two samples. */
#define QUIET_MS 100000 /* Undisturbed for so long before: it must. */
#define BEHIND_MS 120000

static const char *const model_areas[MODEL_AREAS] = {"vn/08", "vn/08/070", OWN};

/* --- state ---------------------------------------------------------------- */

struct occ {
    uint8_t id, hash[LOA_HASH_BYTES];
    int area, class;
    int64_t start_ms, duration_ms;
    bool alive;       /* In the newest programme that reached the device. */
    int64_t known_us; /* Monotonic: since when, ... */
    int64_t gone_us;  /* ... and since when no longer. */
    bool judged;      /* Its time has passed. */
    bool must, told;  /* What had to become of it. */
    unsigned plays_n;
    int64_t first_us;
    bool disturbed; /* A power cut or a bad disk while it was told. */
    uint64_t samples_n;
    bool clock_set;      /* As it was about to begin. */
    bool barred;         /* A Stop surely named it before its beginning. */
    bool stopped;        /* A Stop may have named it before its end. */
    bool silenced;       /* A Stop surely did, ... */
    uint64_t silenced_n; /* ... and so much had been said by then. */
};

struct known_approval {
    uint64_t letter;
    uint8_t hash[LOA_HASH_BYTES];
    bool by_second, covers;
    int64_t until_ms;
};

struct model_receipt {
    uint64_t sequence;
    int event;
    uint8_t id;
    int64_t start_ms, at_us, first_us;
    uint32_t played_ms;
    char reason[16];
};

static struct {
    char finding[200];
    struct {
        bool there, lost; /* lost: by a restart, for want of a disk. */
        uint64_t version;
        int64_t expires_ms;
        uint64_t letters[64];
        size_t letters_n;
    } plans[MODEL_AREAS];
    struct occ occs[MODEL_OCCURRENCES];
    size_t occs_n;
    struct known_approval approvals[MODEL_APPROVALS];
    size_t approvals_n;
    bool second_revoked;
    int64_t floor_ms;  /* The newest signed time that reached it since boot. */
    int64_t played_ms; /* The latest moment by which it began to sound. */
    bool timed;        /* It has a clock, or was told the time. */
    int64_t stable_us; /* Monotonic: of the last disturbance. */
    int64_t list_us;   /* ... of the last list of revocations. */
    struct model_receipt receipts[MODEL_RECEIPTS];
    size_t receipts_n;
    size_t must_n, plays_n;
    size_t commands_n, commands_taken_n; /* That may, that must be told. */
    unsigned volume;
    bool volume_known;
} m;

static void found(const char *fmt, ...)
{
    va_list ap;

    if (m.finding[0] != '\0')
        return;
    va_start(ap, fmt);
    vsnprintf(m.finding, sizeof m.finding, fmt, ap);
    va_end(ap);
    if (getenv("PRINT") != NULL)
        printf("FOUND %s\n", m.finding);
}

static void disturb(int64_t now_us)
{
    m.stable_us = now_us;
}

/* --- messages ------------------------------------------------------------- */

static struct occ *occ_find(uint8_t id, int64_t start_ms, int area)
{
    for (size_t i = m.occs_n; i > 0; i--)
        if (m.occs[i - 1].id == id && m.occs[i - 1].start_ms == start_ms &&
            (area < 0 || m.occs[i - 1].area == area))
            return &m.occs[i - 1];
    return NULL;
}

static void occ_plan(int area,
                     const Loa__V1__Bulletin *b,
                     int64_t start_ms,
                     int64_t now_us)
{
    struct occ *o = occ_find(b->bulletin_id.data[0], start_ms, area);

    if (o != NULL && memcmp(o->hash, b->content_hash.data, LOA_HASH_BYTES) != 0)
        o->known_us = now_us; /* Another content for the same moment. */
    if (o == NULL) {
        assert(m.occs_n < MODEL_OCCURRENCES);
        o = &m.occs[m.occs_n++];
        memset(o, 0, sizeof *o);
        o->id = b->bulletin_id.data[0];
        o->start_ms = start_ms;
        o->area = area;
        o->known_us = now_us;
    } else if (!o->alive && o->gone_us != now_us) {
        o->known_us = now_us;
    }
    memcpy(o->hash, b->content_hash.data, LOA_HASH_BYTES);
    o->class = (int)b->class_;
    o->duration_ms = b->duration_ms;
    o->alive = true;
}

static Loa__V1__Signed *opened(struct loa_bytes l)
{
    Loa__V1__Envelope *e = loa__v1__envelope__unpack(NULL, l.len, l.data);
    Loa__V1__Signed *s;

    assert(e != NULL);
    s = loa__v1__signed__unpack(NULL, e->signed_.len, e->signed_.data);
    assert(s != NULL);
    loa__v1__envelope__free_unpacked(e, NULL);
    return s;
}

static uint64_t letter_of(ProtobufCBinaryData d)
{
    Loa__V1__Signed *s = opened((struct loa_bytes){d.data, d.len});
    uint64_t id;

    memcpy(&id, s->message_id.data, sizeof id);
    loa__v1__signed__free_unpacked(s, NULL);
    return id;
}

/* Nobody can ask of it what its disk lost, until it hears that again. */
static void model_lost(int area)
{
    m.plans[area].lost = true;
    for (size_t i = 0; i < m.occs_n; i++)
        if (m.occs[i].area == area)
            m.occs[i].known_us = INT64_MAX;
}

static void model_found(int area, int64_t now_us)
{
    m.plans[area].lost = false;
    for (size_t i = 0; i < m.occs_n; i++)
        if (m.occs[i].area == area && m.occs[i].alive)
            m.occs[i].known_us = now_us;
}

/* A programme reached the device, which knows the time and can read it. True if
 * it has to keep it. */
static bool model_programme(struct loa_bytes l,
                            int64_t clock_ms,
                            int64_t now_us)
{
    Loa__V1__Signed *s = opened(l);
    Loa__V1__Programme *p =
        loa__v1__programme__unpack(NULL, s->body.len, s->body.data);
    bool taken = false;
    int a = 0;

    while (strcmp(model_areas[a], s->area) != 0)
        a++;
    if (!m.timed || s->expires_at_ms <= clock_ms ||
        s->issued_at_ms > clock_ms + BEHIND_MS)
        goto done;
    if (m.plans[a].version == p->version && m.plans[a].lost) {
        model_found(a, now_us);
        taken = true;
    }
    if (m.plans[a].version >= p->version)
        goto done;
    taken = true;
    m.plans[a].there = true;
    m.plans[a].lost = false;
    m.plans[a].version = p->version;
    m.plans[a].expires_ms = s->expires_at_ms;
    m.plans[a].letters_n = 0;
    for (size_t i = 0; i < p->n_approvals; i++)
        m.plans[a].letters[m.plans[a].letters_n++] = letter_of(p->approvals[i]);
    for (size_t i = 0; i < m.occs_n; i++)
        if (m.occs[i].area == a && m.occs[i].alive) {
            m.occs[i].alive = false;
            m.occs[i].gone_us = now_us;
        }
    for (size_t i = 0; i < p->n_bulletins; i++)
        for (size_t k = 0; k < p->bulletins[i]->n_starts_at_ms; k++)
            occ_plan(a, p->bulletins[i], p->bulletins[i]->starts_at_ms[k],
                     now_us);
done:
    loa__v1__programme__free_unpacked(p, NULL);
    loa__v1__signed__free_unpacked(s, NULL);
    return taken;
}

/* NULL: somebody approved that for here, and is believed until until_ms. */
static const char *why_unapproved(const struct occ *o, int64_t until_ms)
{
    const char *why = "unapproved";

    for (size_t i = 0; i < m.plans[o->area].letters_n; i++)
        for (size_t k = 0; k < m.approvals_n; k++) {
            const struct known_approval *a = &m.approvals[k];

            if (a->letter != m.plans[o->area].letters[i] ||
                memcmp(a->hash, o->hash, sizeof a->hash) != 0)
                continue;
            if (a->by_second && m.second_revoked)
                why = "revoked";
            else if (!a->covers)
                why = "elsewhere";
            else if (a->until_ms <= until_ms)
                why = "approval expired";
            else
                return NULL;
        }
    return why;
}

/* --- sounds --------------------------------------------------------------- */

static bool overlap(const struct occ *a, const struct occ *b, int64_t slack_ms)
{
    return a->start_ms < b->start_ms + b->duration_ms + slack_ms &&
           b->start_ms < a->start_ms + a->duration_ms + slack_ms;
}

/* It began to sound, in the meantime from_us to to_us of the clock that it has
 * to go by. over: what sounded until then was cut by it (or NULL). */
static void model_play(uint8_t id,
                       const uint8_t *hash,
                       int64_t start_ms,
                       int64_t first_us,
                       int64_t from_us,
                       int64_t to_us,
                       const struct occ *over)
{
    struct occ *o = NULL;
    int64_t late_us = first_us - start_ms * 1000;
    const char *why;

    for (size_t i = 0; i < m.occs_n; i++)
        if (m.occs[i].id == id && m.occs[i].start_ms == start_ms &&
            (o == NULL || m.occs[i].alive))
            o = &m.occs[i];
    if (o == NULL || memcmp(o->hash, hash, LOA_HASH_BYTES) != 0) {
        found("%d sounds and was never planned", id);
        return;
    }
    if (!o->alive)
        found("%d sounds and is not in the newest programme", id);
    if (m.plans[o->area].expires_ms <= first_us / 1000)
        found("%d sounds after the programme's end", id);
    why = why_unapproved(o, first_us / 1000);
    if (why != NULL)
        found("%d sounds, %s", id, why);
    if (late_us < -SAMPLE_US || late_us > (LATE_MS + 100) * 1000)
        found("%d sounds %.3f s after its start", id, (double)late_us / 1e6);
    if (first_us < from_us - 2100000 || first_us > to_us + 2100000)
        found("%d sounds by another clock", id);
    if (!m.timed)
        found("%d sounds without time", id);
    if (first_us / 1000 < m.floor_ms - BEHIND_MS - 2100)
        found("%d sounds by a clock behind signed time", id);
    if (o->plays_n > 0)
        found("%d sounds twice", id);
    if (o->barred)
        found("%d sounds after a Stop", id);
    if (over != NULL && over->class >= o->class)
        found("%d cuts %d, which is as strong", id, over->id);
    o->plays_n++;
    m.plays_n++;
    o->first_us = first_us;
    if (first_us / 1000 > m.played_ms)
        m.played_ms = first_us / 1000;
}

static void model_samples(struct occ *o, uint64_t n)
{
    o->samples_n = n;
    if (o->silenced && n > o->silenced_n)
        found("%d goes on after a Stop", o->id);
}

static void model_volume(unsigned percent)
{
    if (m.volume_known && percent != m.volume)
        found("the volume is %u and was set to %u", percent, m.volume);
}

/* --- what had to be ------------------------------------------------------- */

/* Could anything else have been in its way? A weaker one could not. */
static bool contested(const struct occ *o, int64_t since_us)
{
    for (size_t i = 0; i < m.occs_n; i++) {
        const struct occ *x = &m.occs[i];

        if (x != o && x->class >= o->class && overlap(o, x, LATE_MS + 2000) &&
            (x->alive || x->gone_us > since_us))
            return true;
    }
    return false;
}

/* clock_ms - now_us is the device's clock now, and has been since stable_us.
 * complete_us: since when the content is whole on its disk. */
static void model_judge(struct occ *o,
                        int64_t clock_ms,
                        int64_t now_us,
                        int64_t complete_us,
                        bool up,
                        int64_t real_off_ms)
{
    int64_t start_us = now_us - (clock_ms - o->start_ms) * 1000;
    int64_t since_us = start_us - QUIET_MS * 1000;
    int64_t end_ms = o->start_ms + o->duration_ms + LATE_MS;
    bool stands = up && o->alive && m.timed && m.stable_us < since_us &&
                  o->known_us < since_us && llabs(real_off_ms) < 60000 &&
                  clock_ms >= m.floor_ms && clock_ms >= m.played_ms &&
                  end_ms < m.plans[o->area].expires_ms;

    o->judged = true;
    o->told = stands;
    o->must = stands && !o->stopped && m.list_us < since_us &&
              complete_us < since_us && why_unapproved(o, end_ms) == NULL &&
              !contested(o, since_us);
    m.must_n += o->must;
}

#endif /* LOA_SIM_MODEL_H */
