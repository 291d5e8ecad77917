#include "registry/share.h"

#include "proto/topic.h"

struct share share_of(const char *own, const char *area)
{
    struct share s = {area, SHARE_WHOLE, SHARE_WHOLE};
    size_t deeper = 0; /* Than right below own, or beside it. */

    if (loa_area_within(own, area))
        return s;
    if (loa_area_within(area, own))
        deeper = loa_area_depth(area) - loa_area_depth(own) - 1;
    s.of_all = SHARE_BELOW;
    s.of_area = SHARE_AREA >> deeper > 1 ? SHARE_AREA >> deeper : 1;
    return s;
}

bool share_allows(const struct share *s,
                  size_t max,
                  size_t all_n,
                  size_t area_n)
{
    return all_n * SHARE_WHOLE <= max * s->of_all &&
           area_n * SHARE_WHOLE <= max * s->of_area;
}
