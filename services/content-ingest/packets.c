#include "content-ingest/packets.h"

#include <assert.h>
#include <string.h>

int packets_open(struct packets *k,
                 const uint8_t *file,
                 size_t len,
                 const uint8_t seed[32])
{
    memset(k, 0, sizeof *k);
    if (frames_open(&k->reader, file, len) != LOA_OK)
        return LOA_EINVAL;
    loa_key_from_seed(&k->stream, seed);
    loa_content_hash_init(&k->hash);
    return LOA_OK;
}

int packets_next(struct packets *k, uint8_t *buf, size_t *len)
{
    struct loa_packet p = {.sequence = k->packets_n};
    int rv = LOA_OK;

    while (p.frames_n < LOA_PACKET_FRAMES) {
        struct loa_bytes *f = &p.frames[p.frames_n];

        rv = frames_next(&k->reader, &f->data, &f->len);
        if (rv != LOA_OK)
            break;
        if (f->len > LOA_FRAME_BYTES_MAX)
            return LOA_EINVAL;
        loa_content_hash_frame(&k->hash, f->data, f->len);
        k->bytes += f->len;
        k->frames_n++;
        p.frames_n++;
    }
    if (rv == LOA_EINVAL || p.frames_n == 0) {
        k->ended = rv == LOA_ENOENT;
        return rv;
    }
    k->packets_n++;
    return loa_packet_seal(&p, &k->stream, buf, LOA_PACKET_BYTES_MAX, len);
}

void packets_hash(struct packets *k, uint8_t out[LOA_HASH_BYTES])
{
    assert(k->ended);
    loa_content_hash_final(&k->hash, out);
}

void packets_close(struct packets *k)
{
    sodium_memzero(k->stream.secret, sizeof k->stream.secret);
}

int packets_unpack(struct loa_arena *arena,
                   struct loa_bytes packet,
                   uint8_t *out,
                   size_t cap,
                   size_t *len)
{
    struct loa_packet p;
    int rv;

    loa_arena_reset(arena);
    rv = loa_packet_parse(arena, packet, &p);
    for (size_t i = 0; i < p.frames_n && rv == LOA_OK; i++) {
        const struct loa_bytes *f = &p.frames[i];

        if (f->len > cap - *len || cap - *len - f->len < FRAMES_LEN_LEN)
            return LOA_ENOSPC;
        frames_len_put(out + *len, f->len);
        memcpy(out + *len + FRAMES_LEN_LEN, f->data, f->len);
        *len += FRAMES_LEN_LEN + f->len;
    }
    return rv;
}

bool packets_header(uint32_t frames_n,
                    uint32_t duration_ms,
                    uint32_t pre_skip,
                    struct frames_header *h)
{
    uint64_t whole = (uint64_t)duration_ms * (LOA_RATE_HZ / 1000);
    uint64_t most = (uint64_t)frames_n * LOA_FRAME_SAMPLES;
    uint64_t least;

    if (frames_n == 0 || frames_n > FRAMES_N_MAX ||
        pre_skip > FRAMES_PRE_SKIP_MAX || most <= pre_skip)
        return false;
    most -= pre_skip;
    least = most > LOA_FRAME_SAMPLES ? most - LOA_FRAME_SAMPLES + 1 : 1;
    if (whole < least)
        whole = least;
    if (whole > most)
        whole = most;
    h->frames_n = frames_n;
    h->duration_samples = (uint32_t)whole;
    h->pre_skip = (uint16_t)pre_skip;
    return frames_needed(h->duration_samples, h->pre_skip) == frames_n;
}
