#include "registry/devices.h"

#include <stdlib.h>
#include <string.h>

#include "registry/hash.h"

#define SLOTS_N (2 * DEVICES_MAX)

/* The slot of an id, or the free one where it would go. */
static uint32_t slot_of(const struct devices *d, const char *id)
{
    uint32_t slot = hash_text(id) % SLOTS_N;

    while (d->by_id[slot] != 0 &&
           strcmp(d->devices[d->by_id[slot] - 1].id, id) != 0)
        slot = (slot + 1) % SLOTS_N;
    return slot;
}

struct device *devices_find(struct devices *d, const char *id)
{
    uint32_t i = d->by_id[slot_of(d, id)];

    return i != 0 ? &d->devices[i - 1] : NULL;
}

struct device *devices_put(struct devices *d, const struct device *new)
{
    uint32_t slot = slot_of(d, new->id);

    if (d->by_id[slot] == 0) {
        if (d->devices_n == DEVICES_MAX)
            return NULL;
        d->by_id[slot] = (uint32_t)++d->devices_n;
    }
    d->devices[d->by_id[slot] - 1] = *new;
    return &d->devices[d->by_id[slot] - 1];
}

size_t devices_below(const struct devices *d, const char *area)
{
    size_t n = 0;

    for (size_t i = 0; i < d->devices_n; i++)
        n += loa_area_within(d->devices[i].area, area);
    return n;
}

static int compare(const void *l, const void *r)
{
    return strcmp((*(const struct device *const *)l)->id,
                  (*(const struct device *const *)r)->id);
}

static size_t bytes(const struct device *d)
{
    return strlen(d->id) + strlen(d->area) + strlen(d->serial) +
           strlen(d->model) + strlen(d->name) + LOA_KEY_BYTES + 64;
}

void devices_page(const struct devices *d,
                  const char *under,
                  const char *after,
                  uint32_t limit,
                  struct device_page *page)
{
    static const struct device *hits[DEVICES_MAX];
    size_t hits_n = 0, len = 0, i;

    for (i = 0; i < d->devices_n; i++)
        if (loa_area_within(d->devices[i].area, under) &&
            strcmp(d->devices[i].id, after) > 0)
            hits[hits_n++] = &d->devices[i];
    qsort(hits, hits_n, sizeof hits[0], compare);
    if (limit == 0)
        limit = DEVICE_PAGE_DEFAULT;
    for (i = 0; i < hits_n && i < limit && i < DEVICE_PAGE_MAX; i++) {
        len += bytes(hits[i]);
        if (len > DEVICE_PAGE_BYTES_MAX)
            break;
        page->devices[i] = hits[i];
    }
    page->devices_n = i;
    page->next = i < hits_n ? hits[i - 1]->id : "";
}
