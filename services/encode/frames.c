#include "encode/frames.h"

#include <assert.h>
#include <string.h>

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

uint32_t frames_needed(uint32_t duration_samples, uint16_t pre_skip)
{
    uint64_t samples = (uint64_t)duration_samples + pre_skip;

    return (uint32_t)((samples + LOA_FRAME_SAMPLES - 1) / LOA_FRAME_SAMPLES);
}

static int header_check(const struct frames_header *h)
{
    if (h->pre_skip > FRAMES_PRE_SKIP_MAX || h->duration_samples == 0 ||
        h->frames_n > FRAMES_N_MAX ||
        h->frames_n != frames_needed(h->duration_samples, h->pre_skip))
        return LOA_EINVAL;
    return LOA_OK;
}

void frames_header_put(uint8_t *out, const struct frames_header *h)
{
    assert(header_check(h) == LOA_OK);

    memcpy(out, FRAMES_MAGIC, sizeof FRAMES_MAGIC);
    put16(out + 6, FRAMES_VERSION);
    put32(out + 8, LOA_RATE_HZ);
    out[12] = FRAMES_CHANNELS;
    out[13] = LOA_FRAME_MS;
    put16(out + 14, h->pre_skip);
    put32(out + 16, h->frames_n);
    put32(out + 20, h->duration_samples);
}

void frames_len_put(uint8_t *out, size_t frame_len)
{
    assert(frame_len >= 1 && frame_len <= LOA_FRAME_BYTES_MAX);
    put16(out, (uint32_t)frame_len);
}

int frames_header_get(struct frames_header *h, const uint8_t *buf, size_t len)
{
    if (len < FRAMES_HEADER_LEN ||
        memcmp(buf, FRAMES_MAGIC, sizeof FRAMES_MAGIC) != 0 ||
        get16(buf + 6) != FRAMES_VERSION || get32(buf + 8) != LOA_RATE_HZ ||
        buf[12] != FRAMES_CHANNELS || buf[13] != LOA_FRAME_MS)
        return LOA_EINVAL;
    h->pre_skip = (uint16_t)get16(buf + 14);
    h->frames_n = get32(buf + 16);
    h->duration_samples = get32(buf + 20);
    return header_check(h);
}

/* Whether the first byte of a packet announces frames of 20 ms: its upper five
 * bits are the configuration, in groups of one mode and bandwidth. */
static int toc_is_20_ms(uint8_t toc)
{
    unsigned config = toc >> 3;

    if (config < 12)
        return (config & 3) == 1; /* SILK: 10, 20, 40, 60 ms. */
    if (config < 16)
        return (config & 1) == 1; /* Hybrid: 10, 20 ms. */
    return (config & 3) == 3;     /* CELT: 2.5, 5, 10, 20 ms. */
}

int frames_frame_check(const uint8_t *frame, size_t frame_len)
{
    const uint8_t stereo = 4, count_code = 3;

    if (frame_len < 1 || frame_len > LOA_FRAME_BYTES_MAX ||
        (frame[0] & stereo) || (frame[0] & count_code) ||
        !toc_is_20_ms(frame[0]))
        return LOA_EINVAL;
    return LOA_OK;
}

int frames_open(struct frames_reader *r, const uint8_t *buf, size_t len)
{
    int rv = frames_header_get(&r->header, buf, len);

    if (rv != LOA_OK)
        return rv;
    r->at = buf + FRAMES_HEADER_LEN;
    r->left = len - FRAMES_HEADER_LEN;
    r->frames_left = r->header.frames_n;
    return LOA_OK;
}

int frames_next(struct frames_reader *r,
                const uint8_t **frame,
                size_t *frame_len)
{
    size_t len;

    if (r->frames_left == 0)
        return r->left == 0 ? LOA_ENOENT : LOA_EINVAL;
    if (r->left < FRAMES_LEN_LEN)
        return LOA_EINVAL;
    len = get16(r->at);
    if (len > r->left - FRAMES_LEN_LEN ||
        frames_frame_check(r->at + FRAMES_LEN_LEN, len) != LOA_OK)
        return LOA_EINVAL;

    *frame = r->at + FRAMES_LEN_LEN;
    *frame_len = len;
    r->at += FRAMES_LEN_LEN + len;
    r->left -= FRAMES_LEN_LEN + len;
    r->frames_left--;
    return LOA_OK;
}
