#include "content-ingest/ranges.h"

#include <assert.h>
#include <string.h>

/* The first interval that ends at or after `at`; s->n if none does. */
static size_t reaching(const struct ranges *s, uint64_t at)
{
    size_t i = 0;

    while (i < s->n && s->r[i].to < at)
        i++;
    return i;
}

int ranges_add(struct ranges *s, uint64_t from, uint64_t to)
{
    size_t first = reaching(s, from), last = first;

    assert(from < to);
    /* Intervals [first, last) touch the new one and melt into it. */
    while (last < s->n && s->r[last].from <= to)
        last++;
    if (first == last && s->n == RANGES_MAX)
        return LOA_EBUSY;
    if (first < last) {
        if (s->r[first].from < from)
            from = s->r[first].from;
        if (s->r[last - 1].to > to)
            to = s->r[last - 1].to;
    }
    memmove(&s->r[first + 1], &s->r[last], (s->n - last) * sizeof s->r[0]);
    s->r[first] = (struct range){from, to};
    s->n = s->n - (last - first) + 1;
    return LOA_OK;
}

uint64_t ranges_prefix(const struct ranges *s)
{
    return s->n > 0 && s->r[0].from == 0 ? s->r[0].to : 0;
}

bool ranges_missing(const struct ranges *s,
                    uint64_t from,
                    uint64_t to,
                    struct range *piece)
{
    size_t i = reaching(s, from);

    assert(from < to);
    if (i < s->n && s->r[i].from <= from) {
        from = s->r[i].to;
        i++;
    }
    if (from >= to)
        return false;
    piece->from = from;
    piece->to = i < s->n && s->r[i].from < to ? s->r[i].from : to;
    return true;
}
