#include "speaker/codec.h"

#include <string.h>

struct codec codec_writer(uint8_t *data, size_t cap)
{
    return (struct codec){data, cap, 0, true, false};
}

struct codec codec_reader(const uint8_t *data, size_t len)
{
    /* The cast is safe: a reader never writes. */
    return (struct codec){(uint8_t *)(uintptr_t)data, len, 0, false, false};
}

void codec_bytes(struct codec *c, void *p, size_t len)
{
    if (c->bad || len > c->cap - c->at) {
        c->bad = true;
        return;
    }
    if (c->writing)
        memcpy(c->data + c->at, p, len);
    else
        memcpy(p, c->data + c->at, len);
    c->at += len;
}

void codec_u8(struct codec *c, uint8_t *v)
{
    codec_bytes(c, v, 1);
}

static void integer(struct codec *c, uint64_t *v, size_t len)
{
    uint8_t b[8] = {0};

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)(*v >> (8 * i));
    codec_bytes(c, b, len);
    if (c->bad || c->writing)
        return;
    *v = 0;
    for (size_t i = 0; i < len; i++)
        *v |= (uint64_t)b[i] << (8 * i);
}

void codec_u32(struct codec *c, uint32_t *v)
{
    uint64_t wide = *v;

    integer(c, &wide, 4);
    *v = (uint32_t)wide;
}

void codec_u64(struct codec *c, uint64_t *v)
{
    integer(c, v, 8);
}

void codec_i64(struct codec *c, int64_t *v)
{
    uint64_t wide = (uint64_t)*v;

    integer(c, &wide, 8);
    *v = (int64_t)wide;
}
