#include "scheduler/areas.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a: paths come from the registry, nobody chooses them to collide. */
static uint32_t hash(const char *path)
{
    uint32_t h = 2166136261u;

    for (; *path != '\0'; path++)
        h = (h ^ (uint8_t)*path) * 16777619u;
    return h;
}

int areas_init(struct areas *a, uint32_t rows_max)
{
    uint32_t slots_n = 2;

    while (slots_n < 2 * rows_max)
        slots_n *= 2;
    memset(a, 0, sizeof *a);
    a->rows = calloc(rows_max, sizeof *a->rows);
    a->index = calloc(slots_n, sizeof *a->index);
    if (a->rows == NULL || a->index == NULL) {
        areas_close(a);
        return LOA_ENOMEM;
    }
    a->rows_max = rows_max;
    a->index_mask = slots_n - 1;
    return LOA_OK;
}

void areas_close(struct areas *a)
{
    free(a->rows);
    free(a->index);
    memset(a, 0, sizeof *a);
}

/* The place in the index where path is, or would be. */
static uint32_t place(const struct areas *a, const char *path)
{
    uint32_t at = hash(path) & a->index_mask;

    while (a->index[at] != 0 &&
           strcmp(a->rows[a->index[at] - 1].path, path) != 0)
        at = (at + 1) & a->index_mask;
    return at;
}

uint32_t areas_find(const struct areas *a, const char *path)
{
    uint32_t entry = a->index[place(a, path)];

    return entry == 0 ? AREA_NONE : entry - 1;
}

static uint32_t add(struct areas *a, const char *path, uint32_t parent)
{
    uint32_t row = a->rows_n++;
    struct area *area = &a->rows[row];

    memset(area, 0, sizeof *area);
    strcpy(area->path, path);
    area->parent = parent;
    area->child = area->sibling = area->placement = AREA_NONE;
    if (parent != AREA_NONE) {
        area->sibling = a->rows[parent].child;
        a->rows[parent].child = row;
    }
    a->index[place(a, path)] = row + 1;
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
        if (*row != AREA_NONE)
            continue;
        if (a->rows_n == a->rows_max)
            return LOA_EBUSY;
        *row = add(a, prefix, parent);
    }
    return LOA_OK;
}

bool areas_exists(const struct areas *a, uint32_t row, int64_t at_ms)
{
    const struct area *area = &a->rows[row];

    return area->known && area->valid_from_ms <= at_ms &&
           (area->valid_until_ms == 0 || area->valid_until_ms > at_ms);
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
