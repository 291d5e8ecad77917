#include "telemetry-collector/presence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/civil.h"

void presence_init(struct presence *p,
                   struct device *devices,
                   size_t max,
                   uint32_t *slots,
                   size_t slots_n)
{
    assert(slots_n >= 2 * max && (slots_n & (slots_n - 1)) == 0);
    *p = (struct presence){
        .devices = devices, .max = max, .slots = slots, .slots_n = slots_n};
}

/* FNV-1a: ids come from certificates, nobody can choose many that collide
 * without having that many certificates. */
static size_t hash(const char *id)
{
    uint64_t h = 14695981039346656037u;

    for (; *id != '\0'; id++)
        h = (h ^ (unsigned char)*id) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

static uint32_t *slot(struct presence *p, const char *id)
{
    size_t at = hash(id) & (p->slots_n - 1);

    while (p->slots[at] != 0 &&
           strcmp(p->devices[p->slots[at] - 1].id, id) != 0)
        at = (at + 1) & (p->slots_n - 1);
    return &p->slots[at];
}

struct device *presence_find(struct presence *p, const char *id)
{
    uint32_t at = *slot(p, id);

    return at != 0 ? &p->devices[at - 1] : NULL;
}

static struct device *make(struct presence *p, const char *id)
{
    struct device *d = &p->devices[p->n];

    if (p->n == p->max) {
        p->turned_away_n++;
        return NULL;
    }
    *slot(p, id) = (uint32_t)++p->n;
    memccpy(d->id, id, '\0', sizeof d->id - 1);
    p->summary_dirty = true;
    return d;
}

struct device *presence_touch(struct presence *p,
                              const char *id,
                              const char *area,
                              int64_t now_ms)
{
    struct device *d = presence_find(p, id);

    if (d == NULL)
        d = make(p, id);
    if (d == NULL)
        return NULL;
    if (strcmp(d->area, area) != 0) {
        memset(d->area, 0, sizeof d->area);
        memccpy(d->area, area, '\0', sizeof d->area - 1);
        p->summary_dirty = true;
    }
    d->last_seen_at_ms = now_ms; /* Lower, when the clock was put back. */
    d->dirty = true;
    return d;
}

static size_t keep(uint8_t *to, struct loa_bytes bytes)
{
    if (bytes.len > PRESENCE_BYTES_MAX)
        return 0;
    memcpy(to, bytes.data, bytes.len);
    return bytes.len;
}

uint64_t presence_session(uint64_t session, int64_t now_ms)
{
    uint64_t max = (uint64_t)now_ms / 1000 + PRESENCE_SESSION_AHEAD_S;

    return session < max ? session : max;
}

void presence_live(struct device *d,
                   const char *area,
                   enum presence_kind said,
                   uint64_t session)
{
    if (said != PRESENCE_ONLINE || session >= d->session ||
        (d->said == PRESENCE_ONLINE && strcmp(d->area, area) != 0))
        return;
    d->said = PRESENCE_UNKNOWN;
    d->session = session;
}

bool presence_state(struct presence *p,
                    struct device *d,
                    enum presence_kind said,
                    uint64_t session,
                    struct loa_bytes bytes)
{
    if (session < d->session)
        return false;
    /* Of one session the goodbye is the last word: a retained "online" that the
     * broker hands out again later does not undo it. */
    if (session == d->session && d->said > PRESENCE_ONLINE &&
        said == PRESENCE_ONLINE)
        return false;
    if (d->said != said)
        p->summary_dirty = true;
    d->said = said;
    d->session = session;
    if (said != PRESENCE_ONLINE)
        d->playing = false;
    d->state_len = keep(d->state, bytes);
    return true;
}

void presence_health(struct presence *p,
                     struct device *d,
                     bool playing,
                     bool stale,
                     struct loa_bytes bytes)
{
    if (d->playing != playing || d->stale != stale)
        p->summary_dirty = true;
    d->playing = playing;
    d->stale = stale;
    d->health_len = keep(d->health, bytes);
}

enum presence_kind presence_now(const struct device *d, int64_t now_ms)
{
    int64_t silent_ms = now_ms - d->last_seen_at_ms;

    if (d->said == PRESENCE_ONLINE &&
        (silent_ms > PRESENCE_SILENT_MS || silent_ms < -PRESENCE_SILENT_MS))
        return PRESENCE_LOST;
    return d->said;
}

void presence_batch(struct device *d,
                    const uint8_t log_id[LOA_ID_BYTES],
                    uint64_t oldest,
                    uint64_t first,
                    uint64_t last)
{
    uint64_t base;

    assert(first >= 1 && last >= first);
    if (!d->log_known || memcmp(d->log_id, log_id, LOA_ID_BYTES) != 0) {
        d->log_known = true;
        memcpy(d->log_id, log_id, LOA_ID_BYTES);
        d->committed = d->flying = d->pending = 0;
    }
    base = d->pending;
    if (oldest == 0)
        oldest = first;
    if (oldest - 1 > base)
        base = oldest - 1; /* What is below is gone for good. */
    if (first <= base + 1 && last > d->pending)
        d->pending = last;
}

void presence_count(struct presence *p,
                    struct device *d,
                    enum presence_count what,
                    int64_t at_ms,
                    int64_t now_ms)
{
    int64_t day_ms = loa_civil_day_start(now_ms);

    if (at_ms < day_ms || at_ms >= day_ms + LOA_DAY_MS)
        return;
    if (d->counts_day_ms != day_ms) {
        memset(d->counts, 0, sizeof d->counts);
        d->counts_day_ms = day_ms;
    }
    d->counts[what]++;
    p->summary_dirty = true;
}

/* --- summaries --------------------------------------------------------------
 */

static int by_area(const void *a, const void *b)
{
    return strcmp(((const struct summary *)a)->area,
                  ((const struct summary *)b)->area);
}

static void add(struct summary *s, const struct device *d, int64_t now_ms)
{
    switch (presence_now(d, now_ms)) {
        case PRESENCE_ONLINE:
            s->online_n++;
            s->playing_n += d->playing;
            s->stale_n += d->stale;
            break;
        case PRESENCE_LOST:
            s->lost_n++;
            break;
        case PRESENCE_DISCONNECTED:
            s->disconnected_n++;
            break;
        case PRESENCE_UNKNOWN:
            break;
    }
    if (d->counts_day_ms == loa_civil_day_start(now_ms))
        for (int i = 0; i < PRESENCE_COUNTS_N; i++)
            s->counts[i] += d->counts[i];
}

/* First one line per device and area above it, then sorted, then lines of one
 * area are added up: no table of areas is needed. */
size_t presence_summaries(const struct presence *p,
                          int64_t now_ms,
                          struct summary *out,
                          size_t cap)
{
    size_t n = 0, w = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct device *d = &p->devices[i];
        size_t depth = loa_area_depth(d->area);
        for (size_t k = 1; k <= depth && n < cap; k++) {
            memset(&out[n], 0, sizeof out[n]);
            loa_area_prefix(d->area, k, out[n].area);
            add(&out[n++], d, now_ms);
        }
    }
    qsort(out, n, sizeof *out, by_area);
    for (size_t i = 0; i < n; i++) {
        if (w > 0 && strcmp(out[w - 1].area, out[i].area) == 0) {
            struct summary *to = &out[w - 1];
            to->online_n += out[i].online_n;
            to->lost_n += out[i].lost_n;
            to->disconnected_n += out[i].disconnected_n;
            to->playing_n += out[i].playing_n;
            to->stale_n += out[i].stale_n;
            for (int c = 0; c < PRESENCE_COUNTS_N; c++)
                to->counts[c] += out[i].counts[c];
        } else {
            out[w++] = out[i];
        }
    }
    return w;
}
