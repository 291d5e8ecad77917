/* ranges.h -- which bytes of a file are there: a short list of intervals.
 *
 * Parts of an upload may come in any order and more than once. The list holds
 * disjoint, rising, non-touching intervals; a file sent in order is one of
 * them. */

#ifndef LOA_CONTENT_RANGES_H
#define LOA_CONTENT_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define RANGES_MAX 16 /* Twice the gaps that sane networks make. */

struct range {
    uint64_t from, to; /* Bytes [from, to); from < to. */
};

struct ranges {
    size_t n;
    struct range r[RANGES_MAX];
};

/* Add [from, to). LOA_EBUSY: it would be one interval too many; nothing was
 * changed. from < to. */
LOA_MUST_CHECK int ranges_add(struct ranges *s, uint64_t from, uint64_t to);

/* How many bytes from 0 are there without a gap. */
uint64_t ranges_prefix(const struct ranges *s);

/* The first piece of [from, to) that is not there. False: all of it is. */
bool ranges_missing(const struct ranges *s,
                    uint64_t from,
                    uint64_t to,
                    struct range *piece);

#endif /* LOA_CONTENT_RANGES_H */
