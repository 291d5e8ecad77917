/* Parameters and results of pg.h: no connection here. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg.h"

/* PostgreSQL counts its binary timestamps in us from 2000-01-01 UTC. */
#define EPOCH_MS INT64_C(946684800000)

static void put_be(uint8_t *buf, uint64_t value, int n)
{
    for (int i = n; i > 0; i--, value >>= 8)
        buf[i - 1] = (uint8_t)value;
}

struct pg_value pg_text(const char *text)
{
    return (struct pg_value){text, 0, false};
}

struct pg_value pg_chars(const char *text, size_t len)
{
    return pg_bytes(text, len);
}

struct pg_value pg_bytes(const void *data, size_t len)
{
    assert(len <= INT32_MAX);
    return (struct pg_value){data == NULL ? "" : data, (int)len, true};
}

struct pg_value pg_i64(int64_t value, uint8_t buf[8])
{
    put_be(buf, (uint64_t)value, 8);
    return (struct pg_value){buf, 8, true};
}

struct pg_value pg_i32(int32_t value, uint8_t buf[4])
{
    put_be(buf, (uint32_t)value, 4);
    return (struct pg_value){buf, 4, true};
}

struct pg_value pg_bool(bool value, uint8_t buf[1])
{
    buf[0] = value;
    return (struct pg_value){buf, 1, true};
}

struct pg_value pg_time_ms(int64_t at_ms, uint8_t buf[8])
{
    return pg_i64((at_ms - EPOCH_MS) * 1000, buf);
}

bool pg_is_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) != 0;
}

const char *pg_get_text(const PGresult *res, int row, int col, size_t *len)
{
    if (len != NULL)
        *len = (size_t)PQgetlength(res, row, col);
    return PQgetvalue(res, row, col);
}

const void *pg_get_bytes(const PGresult *res, int row, int col, size_t *len)
{
    assert(PQfformat(res, col) == 1);
    *len = (size_t)PQgetlength(res, row, col);
    return PQgetvalue(res, row, col);
}

static int64_t from_text(const char *text)
{
    char *end;
    long long n = strtoll(text, &end, 10);

    assert(end != text && *end == '\0');
    return n;
}

int64_t pg_get_i64(const PGresult *res, int row, int col)
{
    const uint8_t *p = (const uint8_t *)PQgetvalue(res, row, col);
    int len = PQgetlength(res, row, col);
    uint64_t n;

    if (pg_is_null(res, row, col))
        return 0;
    if (PQfformat(res, col) == 0)
        return from_text((const char *)p);
    assert(len == 2 || len == 4 || len == 8);
    n = (p[0] & 0x80) != 0 ? UINT64_MAX : 0; /* Extend the sign. */
    for (int i = 0; i < len; i++)
        n = n << 8 | p[i];
    return (int64_t)n;
}

uint64_t pg_get_u64(const PGresult *res, int row, int col)
{
    int64_t n = pg_get_i64(res, row, col);

    assert(n >= 0);
    return (uint64_t)n;
}

bool pg_get_bool(const PGresult *res, int row, int col)
{
    const char *p = PQgetvalue(res, row, col);

    return !pg_is_null(res, row, col) && (*p == 't' || *p == 1);
}

int64_t pg_get_time_ms(const PGresult *res, int row, int col)
{
    int64_t us;

    assert(PQfformat(res, col) == 1);
    if (pg_is_null(res, row, col))
        return 0;
    us = pg_get_i64(res, row, col);
    /* Round down, also before 2000. */
    return (us - (us % 1000 + 1000) % 1000) / 1000 + EPOCH_MS;
}
