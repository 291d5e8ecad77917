#include "loactl/archive.h"

#include <ogg/ogg.h>
#include <string.h>

#include "proto/audio.h"

#define PIECE 4096
#define HEAD_LEN 19

/* A file on its way through the check. */
struct walk {
    const Loa__V1__ContentManifest *m; /* NULL: not known. */
    ogg_sync_state sync;
    ogg_stream_state stream;
    bool open;          /* The first page has come. */
    uint64_t packets_n; /* The two headers too. */
    bool ended;
    struct loa_content_hash hash;
};

static bool head_fits(const ogg_packet *p, const Loa__V1__ContentManifest *m)
{
    const uint8_t *b = p->packet;

    /* One channel, what is skipped, no gain: nothing hides what sounds. */
    return p->bytes == HEAD_LEN && memcmp(b, "OpusHead\1\1", 10) == 0 &&
           (m == NULL || (uint32_t)(b[10] | b[11] << 8) == m->pre_skip) &&
           b[16] == 0 && b[17] == 0 && b[18] == 0;
}

/* Where a page says that it ends must be where its frames end: players cut off
 * what lies behind. Only the last frame may be cut. */
static bool place_fits(const ogg_packet *p, uint64_t frames_n)
{
    uint64_t end = frames_n * LOA_FRAME_SAMPLES, at = (uint64_t)p->granulepos;

    if (p->granulepos == -1)
        return !p->e_o_s;
    return p->e_o_s ? at <= end && at + 2 * LOA_FRAME_SAMPLES > end : at == end;
}

static bool take_packet(struct walk *w, const ogg_packet *p)
{
    w->packets_n++;
    if (w->packets_n == 1)
        return head_fits(p, w->m);
    if (w->packets_n == 2)
        return p->bytes >= 8 && memcmp(p->packet, "OpusTags", 8) == 0;
    if (p->bytes < 1 || p->bytes > LOA_FRAME_BYTES_MAX ||
        !place_fits(p, w->packets_n - 2))
        return false;
    loa_content_hash_frame(&w->hash, p->packet, (size_t)p->bytes);
    w->ended = p->e_o_s != 0;
    return true;
}

/* One stream from the beginning to its end, and nothing behind it. */
static bool take_page(struct walk *w, ogg_page *page)
{
    ogg_packet p;
    int rv = 1;

    if (w->ended || w->open != (ogg_page_bos(page) == 0))
        return false;
    if (!w->open && ogg_stream_init(&w->stream, ogg_page_serialno(page)) != 0)
        return false;
    w->open = true;
    if (ogg_stream_pagein(&w->stream, page) != 0)
        return false;
    while ((rv = ogg_stream_packetout(&w->stream, &p)) == 1)
        if (!take_packet(w, &p))
            return false;
    return rv == 0;
}

static bool walk(struct walk *w, FILE *f)
{
    ogg_page page;
    int rv;

    for (;;) {
        while ((rv = ogg_sync_pageout(&w->sync, &page)) == 1)
            if (!take_page(w, &page))
                return false;
        char *buf = rv == 0 ? ogg_sync_buffer(&w->sync, PIECE) : NULL;
        size_t n = buf != NULL ? fread(buf, 1, PIECE, f) : 0;
        if (buf == NULL || ogg_sync_wrote(&w->sync, (long)n) != 0)
            return false;
        if (n == 0)
            return w->ended && w->sync.fill == w->sync.returned && !ferror(f);
    }
}

static bool find_hash(FILE *f,
                      const Loa__V1__ContentManifest *m,
                      uint8_t hash[LOA_HASH_BYTES])
{
    struct walk w = {.m = m};
    bool good;

    ogg_sync_init(&w.sync);
    loa_content_hash_init(&w.hash);
    good = walk(&w, f);
    loa_content_hash_final(&w.hash, hash);
    if (w.open)
        ogg_stream_clear(&w.stream);
    ogg_sync_clear(&w.sync);
    return good;
}

bool archive_hash(FILE *f, uint8_t hash[LOA_HASH_BYTES])
{
    return find_hash(f, NULL, hash);
}

bool archive_is(FILE *f, const Loa__V1__ContentManifest *m)
{
    uint8_t hash[LOA_HASH_BYTES];

    return find_hash(f, m, hash) && m->content_hash.len == LOA_HASH_BYTES &&
           memcmp(hash, m->content_hash.data, LOA_HASH_BYTES) == 0;
}
