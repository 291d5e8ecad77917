#include "content-ingest/sqlarray.h"

#include <assert.h>
#include <string.h>

/* Dimensions, has-null flag, element oid; then size and lower bound of the one
 * dimension; then each element behind its length. All 32 bits, big endian. An
 * empty array has no dimension. */
#define HEADER_LEN 20

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void sqlarray_init(struct sqlarray *a, uint8_t *buf, size_t cap, uint32_t oid)
{
    assert(cap >= HEADER_LEN);
    *a = (struct sqlarray){buf, cap, 12, 0};
    put32(buf, 0);
    put32(buf + 4, 0);
    put32(buf + 8, oid);
}

int sqlarray_bytes(struct sqlarray *a, const void *data, size_t len)
{
    size_t at = a->n == 0 ? HEADER_LEN : a->len;

    if (len > a->cap - at || a->cap - at - len < 4)
        return LOA_ENOSPC;
    put32(a->buf + at, (uint32_t)len);
    if (len > 0)
        memcpy(a->buf + at + 4, data, len);
    a->len = at + 4 + len;
    a->n++;
    put32(a->buf, 1);
    put32(a->buf + 12, a->n);
    put32(a->buf + 16, 1);
    return LOA_OK;
}

int sqlarray_i64(struct sqlarray *a, int64_t value)
{
    uint8_t be[8];

    put32(be, (uint32_t)((uint64_t)value >> 32));
    put32(be + 4, (uint32_t)(uint64_t)value);
    return sqlarray_bytes(a, be, sizeof be);
}
