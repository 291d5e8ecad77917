#include "telemetry-collector/refusals.h"

#include <assert.h>

bool refusals_room(const struct refusals *r, size_t n)
{
    return REFUSALS_MAX - r->n >= n;
}

void refusals_add(struct refusals *r,
                  const struct device *d,
                  uint64_t sequence,
                  enum refusal_stage stage)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->list[i].device == d && r->list[i].sequence == sequence) {
            if (r->list[i].stage > stage)
                r->list[i].stage = stage; /* It is told with this batch. */
            return;
        }
    assert(r->n < REFUSALS_MAX);
    r->list[r->n++] = (struct refusal){d, sequence, stage};
}

void refusals_advance(struct refusals *r, enum refusal_stage from)
{
    assert(from != REFUSAL_DURABLE);
    for (size_t i = 0; i < r->n; i++)
        if (r->list[i].stage == from)
            r->list[i].stage = from + 1;
}

size_t refusals_of(const struct refusals *r,
                   const struct device *d,
                   uint64_t out[],
                   size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n && n < cap; i++)
        if (r->list[i].device == d && r->list[i].stage == REFUSAL_DURABLE)
            out[n++] = r->list[i].sequence;
    return n;
}

static bool is_told(const struct refusal *e,
                    const struct device *d,
                    const uint64_t told[],
                    size_t told_n)
{
    if (e->device != d || e->stage != REFUSAL_DURABLE)
        return false;
    for (size_t i = 0; i < told_n; i++)
        if (told[i] == e->sequence)
            return true;
    return false;
}

void refusals_drop(struct refusals *r,
                   const struct device *d,
                   const uint64_t told[],
                   size_t told_n)
{
    size_t w = 0;

    for (size_t i = 0; i < r->n; i++)
        if (!is_told(&r->list[i], d, told, told_n))
            r->list[w++] = r->list[i];
    r->n = w;
}
