/* share.h -- how much of what serves the whole registry one area may fill.
 *
 * Lists and tables have one size for all. Whoever has power over one area only
 * fills a part of them, so that nobody keeps the others from being served: the
 * deeper the area, the smaller the part, and some is left for those above all.
 * Pure. */

#ifndef LOA_REGISTRY_SHARE_H
#define LOA_REGISTRY_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#define SHARE_WHOLE 128u
#define SHARE_BELOW 112u /* All who are below the registry's own area. */
#define SHARE_AREA 28u   /* An area right below it; half of that one deeper. */

struct share {
    const char *area; /* The asker's. */
    /* Of SHARE_WHOLE: what may be used when the asker's entry is added, by
     * everybody, and in the asker's area and below. */
    unsigned of_all, of_area;
};

/* The share of an asker in `area` of a registry of area `own`. Lent: area. */
struct share share_of(const char *own, const char *area);

/* May a table of max rows have all_n, and area_n of them in the asker's area
 * and below? */
bool share_allows(const struct share *s,
                  size_t max,
                  size_t all_n,
                  size_t area_n);

#endif /* LOA_REGISTRY_SHARE_H */
