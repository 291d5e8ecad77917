#include "scheduler/released.h"

#include <string.h>

static struct released_row *find(struct released *r,
                                 const uint8_t content_hash[LOA_HASH_BYTES],
                                 const char *area)
{
    for (uint32_t i = 0; i < r->rows_n; i++)
        if (memcmp(r->rows[i].content_hash, content_hash, LOA_HASH_BYTES) ==
                0 &&
            strcmp(r->rows[i].area, area) == 0)
            return &r->rows[i];
    return NULL;
}

static uint32_t earliest(const struct released *r)
{
    uint32_t row = 0;

    for (uint32_t i = 1; i < r->rows_n; i++)
        if (r->rows[i].closed_until_ms < r->rows[row].closed_until_ms)
            row = i;
    return row;
}

const struct released_row *released_put(
    struct released *r,
    const uint8_t content_hash[LOA_HASH_BYTES],
    const char *area,
    int64_t closed_until_ms)
{
    struct released_row *row = find(r, content_hash, area);

    if (row == NULL)
        row = &r->rows[r->rows_n < RELEASED_MAX ? r->rows_n++ : earliest(r)];
    memcpy(row->content_hash, content_hash, LOA_HASH_BYTES);
    memcpy(row->area, area, strlen(area) + 1);
    row->closed_until_ms = closed_until_ms;
    return row;
}

int64_t released_earliest(const struct released *r)
{
    return r->rows_n < RELEASED_MAX ? INT64_MIN
                                    : r->rows[earliest(r)].closed_until_ms;
}

int64_t released_until(const struct released *r,
                       const uint8_t content_hash[LOA_HASH_BYTES],
                       const char *area)
{
    int64_t until_ms = INT64_MIN;

    for (uint32_t i = 0; i < r->rows_n; i++) {
        const struct released_row *row = &r->rows[i];

        if (row->closed_until_ms > until_ms &&
            memcmp(row->content_hash, content_hash, LOA_HASH_BYTES) == 0 &&
            (loa_area_within(area, row->area) ||
             loa_area_within(row->area, area)))
            until_ms = row->closed_until_ms;
    }
    return until_ms;
}
