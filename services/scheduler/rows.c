#include "scheduler/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int rows_init(struct rows *r, uint32_t rows_max)
{
    uint32_t heads_n = 1;

    while (heads_n < rows_max)
        heads_n *= 2;
    memset(r, 0, sizeof *r);
    r->heads = malloc(heads_n * sizeof *r->heads);
    r->next = malloc(rows_max * sizeof *r->next);
    if (r->heads == NULL || r->next == NULL) {
        rows_close(r);
        return LOA_ENOMEM;
    }
    memset(r->heads, 0xff, heads_n * sizeof *r->heads);
    r->mask = heads_n - 1;
    r->rows_max = rows_max;
    r->free = ROW_NONE;
    return LOA_OK;
}

void rows_close(struct rows *r)
{
    free(r->heads);
    free(r->next);
    memset(r, 0, sizeof *r);
}

/* FNV-1a. Whoever makes keys collide holds a certificate of this network, and
 * gains that his own requests take longer. */
uint32_t rows_hash(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

uint32_t rows_first(const struct rows *r, uint32_t hash)
{
    return r->heads[hash & r->mask];
}

uint32_t rows_next(const struct rows *r, uint32_t row)
{
    return r->next[row];
}

uint32_t rows_add(struct rows *r, uint32_t hash)
{
    uint32_t *head = &r->heads[hash & r->mask];
    uint32_t row = r->free;

    if (row != ROW_NONE)
        r->free = r->next[row];
    else if (r->touched_n < r->rows_max)
        row = r->touched_n++;
    else
        return ROW_NONE;
    r->next[row] = *head;
    *head = row;
    r->rows_n++;
    return row;
}

void rows_remove(struct rows *r, uint32_t row, uint32_t hash)
{
    uint32_t *at = &r->heads[hash & r->mask];

    while (*at != row) {
        assert(*at != ROW_NONE);
        at = &r->next[*at];
    }
    *at = r->next[row];
    r->next[row] = r->free;
    r->free = row;
    r->rows_n--;
}
