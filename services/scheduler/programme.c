#include "scheduler/programme.h"

#include <assert.h>
#include <string.h>

#include "loa/v1/programme.pb-c.h"

/* Upper bounds of what protobuf needs around values. */
#define BULLETIN_BYTES 80 /* All fields but starts and title. */
#define START_BYTES 6     /* A varint of Unix ms until the year 2527. */
#define ITEM_BYTES 4      /* Tag and length of an element. */
#define PROGRAMME_BYTES 16
#define ENVELOPE_BYTES 512 /* Header, signature, lengths. */

int64_t programme_window_end(int64_t now_ms, unsigned horizon_days)
{
    return slots_midnight(now_ms) + (horizon_days + 1) * LOA_DAY_MS;
}

/* The first start of an occurrence that has not ended, or SLOTS_NONE. */
static int64_t next_start(const struct bulletin *b, int64_t now_ms)
{
    return slots_next(&b->rule, now_ms - b->rule.duration_ms + 1);
}

static bool lists(const struct bulletin *b,
                  int64_t now_ms,
                  int64_t window_end_ms)
{
    return b->why == BULLETIN_STANDS && next_start(b, now_ms) < window_end_ms;
}

bool programme_carries(const struct area *a, const struct bulletin *b)
{
    return a->programme.version != 0 && b->revision <= a->programme.revision &&
           lists(b, a->programme.built_at_ms, a->programme.window_end_ms);
}

bool programme_far(uint64_t version, int64_t now_ms)
{
    return version > (uint64_t)(now_ms + PROGRAMME_AHEAD_MS) + 300000;
}

static uint64_t next_version(uint64_t last, int64_t now_ms)
{
    if (programme_far(last, now_ms))
        return (uint64_t)(now_ms + PROGRAMME_AHEAD_MS);
    return last + 1 > (uint64_t)now_ms ? last + 1 : (uint64_t)now_ms;
}

bool programme_due(const struct plan *p,
                   const struct area *a,
                   int64_t now_ms,
                   int64_t window_end_ms)
{
    const struct area_programme *g = &a->programme;

    if (a->stale || programme_far(g->version, now_ms))
        return true;
    if (g->version != 0 && g->expires_at_ms - now_ms <= PROGRAMME_MARGIN_MS)
        return true;
    for (uint32_t at = a->placement; at != ROW_NONE;
         at = p->placements[at].here) {
        const struct bulletin *b = &p->bulletins[p->placements[at].bulletin];
        bool had = programme_carries(a, b), has;

        has = lists(b, now_ms, window_end_ms);
        if (had != has)
            return true;
        /* Something new in the part of the window that was not listed yet. */
        if (has && window_end_ms > g->window_end_ms &&
            slots_next(&b->rule, g->window_end_ms) < window_end_ms)
            return true;
    }
    return false;
}

/* --- limits --------------------------------------------------------------- */

size_t programme_body_max(const struct loa_signer *signer)
{
    size_t used = ENVELOPE_BYTES;

    for (size_t i = 0; i < signer->certificates_n; i++)
        used += ITEM_BYTES + signer->certificates[i].len;
    return used < LOA_ENVELOPE_BYTES_MAX ? LOA_ENVELOPE_BYTES_MAX - used : 0;
}

static size_t starts_max(const struct slots_rule *r, unsigned horizon_days)
{
    size_t days = horizon_days + 2, n = days;

    if (r->frequency == SLOTS_ONCE)
        return 1;
    if (r->frequency == SLOTS_WEEKLY)
        n = (days / 7 + 1) * (size_t)__builtin_popcount(r->weekdays);
    return n < PROGRAMME_STARTS_MAX ? n : PROGRAMME_STARTS_MAX;
}

struct load {
    size_t bulletins_n, certificates_n, bytes;
};

/* Add one bulletin; its approval and certificates only if they are not in yet,
 * which the current stamp says. */
static void load_add(struct plan *p,
                     struct load *l,
                     const struct bulletin *b,
                     size_t starts_n)
{
    struct approval *v = &p->approvals.rows[b->approval];

    l->bulletins_n++;
    l->bytes +=
        BULLETIN_BYTES + starts_n * START_BYTES + strlen(plan_title(p, b));
    if (v->stamp == p->stamp)
        return;
    v->stamp = p->stamp;
    l->bytes += ITEM_BYTES + v->len;
    for (uint32_t i = 0; i < v->chain.n; i++) {
        struct certificate_row *c =
            &p->approvals.certificates[v->chain.rows[i]];

        if (c->stamp == p->stamp)
            continue;
        c->stamp = p->stamp;
        l->certificates_n++;
        l->bytes += ITEM_BYTES + c->len;
    }
}

static bool load_fits(const struct load *l, size_t body_max)
{
    return l->bulletins_n <= PROGRAMME_BULLETINS_MAX &&
           l->certificates_n <= PROGRAMME_CERTIFICATES_MAX &&
           l->bytes + PROGRAMME_BYTES <= body_max;
}

/* When b may be listed, from the first to the last day. */
struct span {
    int64_t from_ms, to_ms;
};

static struct span span_of(const struct bulletin *b, unsigned horizon_days)
{
    return (struct span){b->rule.first_ms - (horizon_days + 1) * LOA_DAY_MS,
                         b->end_ms};
}

static bool holds(struct span s, int64_t at_ms)
{
    return s.from_ms <= at_ms && at_ms < s.to_ms;
}

bool programme_fits(struct plan *p,
                    uint32_t area,
                    const struct bulletin *b,
                    uint32_t skip,
                    int64_t now_ms,
                    unsigned horizon_days,
                    size_t body_max)
{
    uint32_t first = p->areas.rows[area].placement;
    struct span own = span_of(b, horizon_days);
    int64_t begin_ms = own.from_ms > now_ms ? own.from_ms : now_ms;

    /* The load is highest just when some bulletin has come in: looking at
     * those moments is enough. */
    for (uint32_t peak = ROW_NONE;;) {
        struct load l = {0, 0, 0};
        int64_t at_ms = begin_ms;

        if (peak != ROW_NONE)
            at_ms = span_of(&p->bulletins[p->placements[peak].bulletin],
                            horizon_days)
                        .from_ms;
        if (at_ms >= begin_ms && holds(own, at_ms)) {
            plan_stamp(p);
            load_add(p, &l, b, starts_max(&b->rule, horizon_days));
            for (uint32_t at = first; at != ROW_NONE;
                 at = p->placements[at].here) {
                const struct bulletin *o =
                    &p->bulletins[p->placements[at].bulletin];

                if (p->placements[at].bulletin != skip &&
                    o->why == BULLETIN_STANDS &&
                    holds(span_of(o, horizon_days), at_ms))
                    load_add(p, &l, o, starts_max(&o->rule, horizon_days));
            }
            if (!load_fits(&l, body_max))
                return false;
        }
        peak = peak == ROW_NONE ? first : p->placements[peak].here;
        if (peak == ROW_NONE)
            return true;
    }
}

/* --- making --------------------------------------------------------------- */

/* List what is to be listed by next start, then id: the same plan gives the
 * same programme. */
static uint32_t list(struct programme_maker *m,
                     const struct plan *p,
                     const struct area *a,
                     int64_t now_ms,
                     int64_t window_end_ms,
                     uint32_t *omitted_n)
{
    uint32_t n = 0;

    for (uint32_t at = a->placement; at != ROW_NONE;
         at = p->placements[at].here) {
        uint32_t row = p->placements[at].bulletin, to = n;
        const struct bulletin *b = &p->bulletins[row];
        int64_t next_ms = next_start(b, now_ms);

        if (!lists(b, now_ms, window_end_ms))
            continue;
        while (to > 0 && (m->listed[to - 1].next_ms > next_ms ||
                          (m->listed[to - 1].next_ms == next_ms &&
                           memcmp(p->bulletins[m->listed[to - 1].row].id, b->id,
                                  LOA_ID_BYTES) > 0)))
            to--;
        if (n == PROGRAMME_BULLETINS_MAX) {
            *omitted_n += 1;
            if (to == n)
                continue;
            n--;
        }
        memmove(&m->listed[to + 1], &m->listed[to],
                (n - to) * sizeof m->listed[0]);
        m->listed[to].row = row;
        m->listed[to].next_ms = next_ms;
        n++;
    }
    return n;
}

static uint32_t fill_starts(const struct bulletin *b,
                            int64_t next_ms,
                            int64_t window_end_ms,
                            int64_t starts[PROGRAMME_STARTS_MAX])
{
    uint32_t n = 0;

    while (next_ms < window_end_ms && n < PROGRAMME_STARTS_MAX) {
        starts[n++] = next_ms;
        next_ms = slots_next(&b->rule, next_ms + 1);
    }
    return n;
}

/* protobuf-c's structs have no const; packing changes nothing. */
static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static void fill_bulletin(const struct plan *p,
                          const struct bulletin *b,
                          int64_t *starts,
                          uint32_t starts_n,
                          Loa__V1__Bulletin *out)
{
    const struct approval *v = &p->approvals.rows[b->approval];

    loa__v1__bulletin__init(out);
    out->bulletin_id = binary(b->id, LOA_ID_BYTES);
    out->class_ = (Loa__V1__BulletinClass)b->class;
    out->content_hash = binary(v->content_hash, LOA_HASH_BYTES);
    out->starts_at_ms = starts;
    out->n_starts_at_ms = starts_n;
    out->duration_ms = v->duration_ms;
    out->title = (char *)(uintptr_t)plan_title(p, b);
}

/* Add the bulletin's approval and certificates, each once. */
static void fill_approval(struct plan *p,
                          const struct bulletin *b,
                          Loa__V1__Programme *out)
{
    struct approval *v = &p->approvals.rows[b->approval];

    if (v->stamp == p->stamp)
        return;
    v->stamp = p->stamp;
    out->approvals[out->n_approvals++] = binary(v->bytes, v->len);
    for (uint32_t i = 0; i < v->chain.n; i++) {
        struct certificate_row *c =
            &p->approvals.certificates[v->chain.rows[i]];

        if (c->stamp == p->stamp)
            continue;
        c->stamp = p->stamp;
        out->certificates[out->n_certificates++] = binary(c->bytes, c->len);
    }
}

/* How many of the listed fit: the soonest ones. */
static uint32_t cut(const struct programme_maker *m,
                    struct plan *p,
                    uint32_t listed_n,
                    const uint32_t starts_n[])
{
    struct load l = {0, 0, 0};
    uint32_t n = 0;

    plan_stamp(p);
    while (n < listed_n) {
        load_add(p, &l, &p->bulletins[m->listed[n].row], starts_n[n]);
        if (!load_fits(&l, m->body_max))
            break;
        n++;
    }
    return n;
}

/* The body into m->body; *end_ms becomes the end of the last occurrence. */
static size_t pack(struct programme_maker *m,
                   struct plan *p,
                   uint64_t version,
                   uint32_t listed_n,
                   const uint32_t starts_n[],
                   int64_t *end_ms)
{
    Loa__V1__Programme out = LOA__V1__PROGRAMME__INIT;
    Loa__V1__Bulletin bulletins[PROGRAMME_BULLETINS_MAX];
    Loa__V1__Bulletin *pointers[PROGRAMME_BULLETINS_MAX];
    ProtobufCBinaryData approvals[PROGRAMME_BULLETINS_MAX];
    ProtobufCBinaryData certificates[PROGRAMME_CERTIFICATES_MAX];

    out.version = version;
    out.bulletins = pointers;
    out.approvals = approvals;
    out.certificates = certificates;
    plan_stamp(p);
    for (uint32_t i = 0; i < listed_n; i++) {
        const struct bulletin *b = &p->bulletins[m->listed[i].row];
        int64_t b_end_ms = m->starts[i][starts_n[i] - 1] + b->rule.duration_ms;

        fill_bulletin(p, b, m->starts[i], starts_n[i], &bulletins[i]);
        fill_approval(p, b, &out);
        pointers[out.n_bulletins++] = &bulletins[i];
        if (b_end_ms > *end_ms)
            *end_ms = b_end_ms;
    }
    assert(loa__v1__programme__get_packed_size(&out) <= sizeof m->body);
    return loa__v1__programme__pack(&out, m->body);
}

/* Two programmes of an area have different versions, so an id made of area and
 * version is as unique as a random one, and a repeated step makes it again. */
static void make_id(const struct area *a,
                    uint64_t version,
                    const uint8_t key[LOA_KEY_BYTES],
                    uint8_t id[LOA_ID_BYTES])
{
    struct {
        char area[LOA_AREA_CAP];
        uint64_t version;
        uint8_t key[LOA_KEY_BYTES];
    } seed;
    uint8_t hash[LOA_HASH_BYTES];

    memset(&seed, 0, sizeof seed);
    memcpy(seed.area, a->path, strlen(a->path));
    seed.version = version;
    memcpy(seed.key, key, sizeof seed.key);
    loa_hash((struct loa_bytes){(const uint8_t *)&seed, sizeof seed}, hash);
    memcpy(id, hash, LOA_ID_BYTES);
}

int programme_make(struct programme_maker *m,
                   struct plan *p,
                   uint32_t area,
                   int64_t now_ms,
                   int64_t window_end_ms,
                   struct loa_bytes *envelope,
                   uint8_t buf[LOA_ENVELOPE_BYTES_MAX],
                   uint32_t *omitted_n)
{
    struct area *a = &p->areas.rows[area];
    struct area_programme g = a->programme;
    uint32_t starts_n[PROGRAMME_BULLETINS_MAX], listed_n, n;
    struct loa_header h = {.type = LOA_TYPE_PROGRAMME, .issued_at_ms = now_ms};
    int64_t end_ms = window_end_ms;
    int rv;

    *omitted_n = 0;
    listed_n = list(m, p, a, now_ms, window_end_ms, omitted_n);
    for (uint32_t i = 0; i < listed_n; i++)
        starts_n[i] =
            fill_starts(&p->bulletins[m->listed[i].row], m->listed[i].next_ms,
                        window_end_ms, m->starts[i]);
    n = cut(m, p, listed_n, starts_n);
    *omitted_n += listed_n - n;

    g.version = next_version(g.version, now_ms);
    h.body.data = m->body;
    h.body.len = pack(m, p, g.version, n, starts_n, &end_ms);
    h.expires_at_ms = end_ms + PROGRAMME_MARGIN_MS;
    memcpy(h.area, a->path, sizeof h.area);
    make_id(a, g.version, m->signer.key->public_key, h.message_id);
    rv = loa_envelope_seal(&h, &m->signer, buf, LOA_ENVELOPE_BYTES_MAX,
                           &envelope->len);
    if (rv != LOA_OK)
        return rv;
    envelope->data = buf;
    loa_hash(*envelope, g.hash);
    g.built_at_ms = now_ms;
    g.window_end_ms = window_end_ms;
    g.expires_at_ms = h.expires_at_ms;
    g.bulletins_n = n;
    a->programme = g;
    a->stale = false;
    return LOA_OK;
}
