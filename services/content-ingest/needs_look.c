#include <string.h>

#include "content-ingest/needs.h"

/* What leaves the chains of the tables as they are; needs.c makes them. */

bool needs_area_over(const struct need_area *area)
{
    return area->version == 0 && area->first == NEEDS_NONE;
}

uint32_t needs_of(const struct needs *n, uint32_t area, uint32_t content)
{
    uint32_t i = n->areas[area].first;

    while (i != NEEDS_NONE && n->needs[i].content != content)
        i = n->needs[i].in_area;
    return i;
}

uint32_t needs_covering(const struct needs *n,
                        const char *path,
                        uint32_t content,
                        bool above)
{
    char outer[LOA_AREA_CAP];
    size_t depth = loa_area_depth(path) - above;

    for (; depth > 0; depth--) {
        uint32_t area, need;

        loa_area_prefix(path, depth, outer);
        area = needs_find_area(n, outer);
        if (area == NEEDS_NONE)
            continue;
        need = needs_of(n, area, content);
        if (need != NEEDS_NONE)
            return need;
    }
    return NEEDS_NONE;
}

uint64_t needs_signers(const struct needs *n)
{
    uint64_t signers = 0;

    for (uint32_t i = 0; i < n->areas_top; i++)
        if (n->areas[i].used && n->areas[i].signer < 64)
            signers |= UINT64_C(1) << n->areas[i].signer;
    return signers;
}

bool needs_unheard(const struct needs *n, int64_t now_at_ms)
{
    for (uint32_t i = 0; i < n->areas_top; i++)
        if (n->areas[i].used && !n->areas[i].heard &&
            n->areas[i].version != 0 && n->areas[i].expires_at_ms > now_at_ms)
            return true;
    return false;
}

bool needs_newer(const struct needs *n,
                 const char *area,
                 uint64_t version,
                 int64_t now_at_ms)
{
    uint64_t version_max = (uint64_t)(now_at_ms + NEEDS_AHEAD_MS);
    uint32_t i = needs_find_area(n, area);

    return version <= version_max &&
           (i == NEEDS_NONE || version > n->areas[i].version ||
            n->areas[i].version > version_max);
}

/* needs_programme() has left it open if it took anything. Who only repeats a
 * version does not become its signer. */
void needs_sign(struct needs *n,
                const char *area,
                uint64_t version,
                uint32_t signer)
{
    uint32_t i = needs_find_area(n, area);

    if (i == NEEDS_NONE || n->areas[i].signer != SIGNER_NONE ||
        version < n->areas[i].version)
        return;
    n->areas[i].signer = signer;
    needs_mark_dirty(n, &n->areas[i]);
}
