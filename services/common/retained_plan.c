#include "common/retained_plan.h"

#include <stdlib.h>
#include <string.h>

void retained_plan_init(struct retained_plan *plan,
                        struct retained_area *areas,
                        size_t cap,
                        const char *own_area)
{
    *plan = (struct retained_plan){
        .areas = areas, .cap = cap, .own_depth = loa_area_depth(own_area)};
}

int retained_plan_add(struct retained_plan *plan, const char *path)
{
    struct retained_area *a = &plan->areas[plan->n];

    if (plan->n == plan->cap)
        return LOA_EBUSY;
    memset(a, 0, sizeof *a);
    memccpy(a->path, path, '\0', sizeof a->path - 1);
    a->messages_n = 1;
    plan->n++;
    plan->messages_n++;
    return LOA_OK;
}

/* No sign of a path sorts before '/': what is below an area follows it without
 * a gap. */
static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct retained_area *)a)->path,
                  ((const struct retained_area *)b)->path);
}

void retained_plan_begin(struct retained_plan *plan, bool whole)
{
    size_t w = 0;

    qsort(plan->areas, plan->n, sizeof plan->areas[0], by_path);
    for (size_t i = 0; i < plan->n; i++) {
        struct retained_area *a = &plan->areas[i];
        if (w > 0 && strcmp(plan->areas[w - 1].path, a->path) == 0)
            plan->areas[w - 1].messages_n += a->messages_n;
        else
            plan->areas[w++] = *a;
    }
    plan->n = w;
    plan->at = 0;
    plan->whole = whole;
}

/* Messages at and below path, which some entry around `at` lies in. Returns
 * where the entries end. */
static size_t span(const struct retained_plan *plan,
                   const char *path,
                   uint64_t *messages_n)
{
    size_t first = plan->at, end = plan->at;

    while (first > 0 && loa_area_within(plan->areas[first - 1].path, path))
        first--;
    *messages_n = 0;
    for (end = first; end < plan->n; end++) {
        if (!loa_area_within(plan->areas[end].path, path))
            break;
        *messages_n += plan->areas[end].messages_n;
    }
    return end;
}

bool retained_plan_next(struct retained_plan *plan, char piece[LOA_AREA_CAP])
{
    if (plan->whole && plan->messages_n <= RETAINED_PIECE_MAX)
        return false;
    while (plan->at < plan->n) {
        const char *path = plan->areas[plan->at].path;
        size_t depth = loa_area_depth(path);
        uint64_t messages_n;
        for (size_t d = plan->own_depth + 1; d <= depth; d++) {
            size_t end;
            loa_area_prefix(path, d, piece);
            end = span(plan, piece, &messages_n);
            if (messages_n > RETAINED_PIECE_MAX && d < depth)
                continue;
            plan->at = messages_n > RETAINED_PIECE_MAX ? plan->at + 1 : end;
            return true;
        }
        plan->at++; /* The own area, which was asked for as a whole. */
    }
    return false;
}
