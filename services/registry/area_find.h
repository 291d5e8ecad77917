/* area_find.h -- questions about the tree, answered a page at a time. Pure. */

#ifndef LOA_REGISTRY_AREA_FIND_H
#define LOA_REGISTRY_AREA_FIND_H

#include "registry/areas.h"
#include "registry/refusal.h"

#define AREA_PAGE_MAX 500         /* Areas in one answer. */
#define AREA_PAGE_DEFAULT 100     /* When the asker names no number. */
#define AREA_PAGE_BYTES_MAX 52000 /* As encoded; see area_bytes(). */
#define AREA_CURSOR_CAP 200

struct area_page {
    const struct area_state *states[AREA_PAGE_MAX]; /* Lent by the tree. */
    size_t states_n;
    char next[AREA_CURSOR_CAP]; /* "": there is no more. */
};

struct area_find {
    const char *text;  /* Path, code or name; "": everything. */
    const char *under; /* "": the whole tree. */
    const char *after; /* area_page.next of the page before; "": the first. */
    uint32_t limit;    /* 0: AREA_PAGE_DEFAULT; at most AREA_PAGE_MAX. */
    bool children_only;
    int64_t at_ms;
};

/* The areas that fit, best first: the path, the code, then names by name_rank;
 * among equals the higher tier, then the path. Without a text: by path.
 * LOA_EINVAL: *why says what is wrong with the question. */
LOA_MUST_CHECK int area_find(const struct areas *a,
                             const struct area_find *q,
                             struct area_page *page,
                             struct refusal *why);

/* States that changed after `since`, in order of version, path, time. The last
 * page has no `next`, and then the asker is at areas.version. LOA_EINVAL: after
 * is not a cursor of ours. */
LOA_MUST_CHECK int area_sync(const struct areas *a,
                             uint64_t since,
                             const char *after,
                             struct area_page *page,
                             struct refusal *why);

/* At most so many bytes of an answer. */
size_t area_bytes(const struct area_state *s);

#endif /* LOA_REGISTRY_AREA_FIND_H */
