#include "speaker/contents.h"

#include <string.h>

int64_t contents_quiet_us(struct chance *ch, int64_t now_us)
{
    return now_us + CONTENT_QUIET_US +
           (int64_t)chance_below(ch, CONTENT_JITTER_US);
}

/* The plan has changed for what is being fetched: whoever did not answer for
 * long may now, and the start may be near. */
void contents_ask_anew(struct contents *cs, struct chance *ch, int64_t now_us)
{
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *f = &cs->fetches[i];
        struct content *c = &cs->contents[f->content];
        int64_t soon_us;

        if (!f->used ||
            (c->was_needed && c->was_nearest_at_ms == c->nearest_at_ms))
            continue;
        soon_us = contents_quiet_us(ch, now_us);
        f->asked = false;
        f->pause_us = CONTENT_ASK_US_MIN;
        if (f->ask_us > soon_us)
            f->ask_us = soon_us;
        c->was_needed = true;
        c->was_nearest_at_ms = c->nearest_at_ms;
    }
}

/* --- packets -------------------------------------------------------------- */

static struct fetch *fetch_of(struct contents *cs,
                              const uint8_t stream_key[LOA_KEY_BYTES])
{
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *f = &cs->fetches[i];

        if (f->used && f->opened &&
            memcmp(cs->contents[f->content].m.stream_key, stream_key,
                   LOA_KEY_BYTES) == 0)
            return f;
    }
    return NULL;
}

static bool has(const struct fetch *f, uint32_t i)
{
    return (f->bits[i / 8] >> (i % 8) & 1) != 0;
}

/* All but the last packet of a content are full. */
static uint32_t frames_of(const struct manifest *m, uint32_t sequence)
{
    if (sequence + 1 < m->packets_n)
        return LOA_PACKET_FRAMES;
    return m->frames_n - (m->packets_n - 1) * LOA_PACKET_FRAMES;
}

enum contents_packet contents_packet(struct contents *cs,
                                     const struct loa_packet *k,
                                     struct chance *ch,
                                     int64_t now_us)
{
    struct fetch *f = fetch_of(cs, k->stream_key);
    const struct manifest *m;

    if (f == NULL)
        return CONTENTS_UNKNOWN;
    m = &cs->contents[f->content].m;
    if (k->sequence >= m->packets_n || k->frames_n != frames_of(m, k->sequence))
        return CONTENTS_BAD;
    /* The quiet is measured by what anybody is sent: an answer to a neighbour
     * may hold what this device misses. */
    f->ask_us = contents_quiet_us(ch, now_us);
    if (has(f, k->sequence))
        return CONTENTS_DUPLICATE;
    if (!loa_packet_verify(k))
        return CONTENTS_BAD;
    f->asked = false;
    f->pause_us = CONTENT_ASK_US_MIN;
    cs->put = true;
    cs->put_fetch = (size_t)(f - cs->fetches);
    cs->packet = k;
    return CONTENTS_TAKEN;
}

/* --- wants ---------------------------------------------------------------- */

static bool want_due(const struct fetch *f,
                     const struct contents *cs,
                     int64_t now_us)
{
    return f->used && f->opened && f->ask_us <= now_us &&
           f->have_n < cs->contents[f->content].m.packets_n;
}

static struct fetch *want_next(struct contents *cs, int64_t now_us)
{
    struct fetch *best = NULL;

    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *f = &cs->fetches[i];

        if (want_due(f, cs, now_us) &&
            (best == NULL || cs->contents[f->content].nearest_at_ms <
                                 cs->contents[best->content].nearest_at_ms))
            best = f;
    }
    return best;
}

static void want_ranges(const struct fetch *f,
                        const struct manifest *m,
                        struct wire_want_stream *s)
{
    memcpy(s->stream_key, m->stream_key, LOA_KEY_BYTES);
    s->pairs_n = 0;
    for (uint32_t i = 0; i < m->packets_n; i++) {
        if (has(f, i))
            continue;
        if (s->pairs_n > 0 &&
            s->pairs[s->pairs_n - 1][0] + s->pairs[s->pairs_n - 1][1] == i) {
            s->pairs[s->pairs_n - 1][1]++;
            continue;
        }
        if (s->pairs_n == WIRE_WANT_PAIRS_MAX)
            return;
        s->pairs[s->pairs_n][0] = i;
        s->pairs[s->pairs_n++][1] = 1;
    }
}

bool contents_want(struct contents *cs,
                   struct chance *ch,
                   struct wire_want *w,
                   int64_t now_us)
{
    struct fetch *f;

    w->streams_n = 0;
    while (w->streams_n < WIRE_WANT_STREAMS_MAX &&
           (f = want_next(cs, now_us)) != NULL) {
        want_ranges(f, &cs->contents[f->content].m,
                    &w->streams[w->streams_n++]);
        if (f->asked && f->pause_us < CONTENT_ASK_US_MAX)
            f->pause_us *= 2;
        f->asked = true;
        f->ask_us =
            now_us + f->pause_us + (int64_t)chance_below(ch, CONTENT_JITTER_US);
    }
    return w->streams_n > 0;
}

void contents_connected(struct contents *cs, struct chance *ch, int64_t now_us)
{
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *f = &cs->fetches[i];

        f->asked = false;
        f->pause_us = CONTENT_ASK_US_MIN;
        f->ask_us = contents_quiet_us(ch, now_us);
    }
}

int64_t contents_deadline_us(const struct contents *cs)
{
    int64_t next_us = INT64_MAX;

    for (size_t i = 0; i < FETCHES_MAX; i++) {
        const struct fetch *f = &cs->fetches[i];

        if (want_due(f, cs, INT64_MAX) && f->ask_us < next_us)
            next_us = f->ask_us;
    }
    return next_us;
}
