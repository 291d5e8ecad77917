#include "scheduler/areas.h"

#include <stdlib.h>
#include <string.h>

int areas_init(struct areas *a, uint32_t rows_max)
{
    memset(a, 0, sizeof *a);
    a->rows = calloc(rows_max, sizeof *a->rows);
    if (a->rows == NULL || rows_init(&a->index, rows_max) != LOA_OK) {
        areas_close(a);
        return LOA_ENOMEM;
    }
    return LOA_OK;
}

void areas_close(struct areas *a)
{
    free(a->rows);
    rows_close(&a->index);
    memset(a, 0, sizeof *a);
}

uint32_t areas_find(const struct areas *a, const char *path)
{
    uint32_t row = rows_first(&a->index, rows_hash(path, strlen(path)));

    while (row != AREA_NONE && strcmp(a->rows[row].path, path) != 0)
        row = rows_next(&a->index, row);
    return row;
}

static uint32_t add(struct areas *a, const char *path, uint32_t parent)
{
    uint32_t row = rows_add(&a->index, rows_hash(path, strlen(path)));
    struct area *area;

    if (row == AREA_NONE)
        return AREA_NONE;
    /* Rows are never given back, so they are used in order. */
    a->rows_n = row + 1;
    area = &a->rows[row];
    strcpy(area->path, path);
    area->parent = parent;
    area->child = area->sibling = area->placement = AREA_NONE;
    if (parent != AREA_NONE) {
        area->sibling = a->rows[parent].child;
        a->rows[parent].child = row;
    }
    return row;
}

int areas_put(struct areas *a, const char *path, uint32_t *row)
{
    char prefix[LOA_AREA_CAP];
    size_t depth;

    if (!loa_area_valid(path))
        return LOA_EINVAL;
    *row = areas_find(a, path);
    if (*row != AREA_NONE)
        return LOA_OK;
    depth = loa_area_depth(path);
    for (size_t n = 1; n <= depth; n++) {
        uint32_t parent = *row;

        loa_area_prefix(path, n, prefix);
        *row = areas_find(a, prefix);
        if (*row == AREA_NONE)
            *row = add(a, prefix, parent);
        if (*row == AREA_NONE)
            return LOA_EBUSY;
    }
    return LOA_OK;
}

void areas_valid(struct areas *a, uint32_t row, struct area_span span)
{
    struct area *area = &a->rows[row];
    uint32_t at = 0;

    for (uint32_t i = 0; i < area->spans_n; i++) {
        if (area->spans[i].from_ms == span.from_ms) {
            area->spans[i] = span;
            return;
        }
        if (area->spans[i].from_ms < area->spans[at].from_ms)
            at = i;
    }
    if (area->spans_n < AREA_SPANS_MAX)
        at = area->spans_n++;
    area->spans[at] = span;
}

bool areas_exists(const struct areas *a, uint32_t row, int64_t at_ms)
{
    const struct area *area = &a->rows[row];

    for (uint32_t i = 0; i < area->spans_n; i++)
        if (area->spans[i].from_ms <= at_ms &&
            (area->spans[i].until_ms == 0 || area->spans[i].until_ms > at_ms))
            return true;
    return false;
}

uint32_t areas_walk(const struct areas *a, uint32_t top, uint32_t row)
{
    if (a->rows[row].child != AREA_NONE)
        return a->rows[row].child;
    while (row != top) {
        if (a->rows[row].sibling != AREA_NONE)
            return a->rows[row].sibling;
        row = a->rows[row].parent;
    }
    return AREA_NONE;
}
