#include "registry/share.h"

#include "proto/topic.h"

struct share share_of(const char *own, const char *area)
{
    struct share s = {area, SHARE_WHOLE, SHARE_WHOLE};
    size_t deeper;

    if (loa_area_within(own, area))
        return s;
    deeper = loa_area_depth(area) - loa_area_depth(own) - 1;
    s.of_all = SHARE_BELOW;
    s.of_area = SHARE_AREA >> deeper > 1 ? SHARE_AREA >> deeper : 1;
    return s;
}
