#include "registry/area_find.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path and the code come before all names. */
#define RANK_PATH 0
#define RANK_CODE 1
#define RANK_NAME 2

/* A place in the order of answers; also what the cursor spells out. */
struct place {
    unsigned rank, tier;
    const char *path;
};

struct hit {
    struct place place;
    const struct area_state *state;
};

/* Every state can fit; used during one call only. */
static struct hit hits[AREA_STATES_MAX];

size_t area_bytes(const struct area_state *s)
{
    /* Tags, lengths and the five numbers take at most 48. */
    return strlen(s->path) + strlen(s->code) + strlen(s->name) + 48;
}

static int place_compare(const struct place *l, const struct place *r)
{
    if (l->rank != r->rank)
        return l->rank < r->rank ? -1 : 1;
    if (l->tier != r->tier)
        return l->tier < r->tier ? -1 : 1;
    return strcmp(l->path, r->path);
}

static int hit_compare(const void *l, const void *r)
{
    return place_compare(&((const struct hit *)l)->place,
                         &((const struct hit *)r)->place);
}

static int bad_cursor(struct refusal *why)
{
    return refuse(why, REFUSAL_INVALID,
                  "Vị trí tiếp theo (after) không hợp lệ; hãy tìm lại từ đầu.",
                  "The position to go on from (after) is not valid; ask again "
                  "from the beginning.");
}

/* "rank.tier.path" */
static int read_place(const char *after, struct place *p)
{
    int path_at = 0;

    if (sscanf(after, "%2u.%1u.%n", &p->rank, &p->tier, &path_at) != 2 ||
        path_at == 0)
        return LOA_EINVAL;
    p->path = after + path_at;
    return loa_area_valid(p->path) ? LOA_OK : LOA_EINVAL;
}

static bool in_scope(const struct area_state *s, const struct area_find *q)
{
    size_t under_len = strlen(q->under);
    const char *rest = s->path;

    if (!area_state_at(s, q->at_ms))
        return false;
    if (under_len > 0) {
        if (!loa_area_within(s->path, q->under) || s->path[under_len] == '\0')
            return false;
        rest = s->path + under_len + 1;
    }
    return !q->children_only || strchr(rest, '/') == NULL;
}

/* Where a state stands among the answers; false: nowhere. */
static bool place(const struct area_find *q,
                  const struct name_query *name,
                  const struct area_state *s,
                  struct place *p)
{
    unsigned rank;

    *p = (struct place){RANK_PATH, 0, s->path};
    if (q->text[0] == '\0')
        return true;
    p->tier = (unsigned)s->tier;
    if (strcmp(s->path, q->text) == 0)
        return true;
    p->rank = RANK_CODE;
    if (strcmp(s->code, q->text) == 0)
        return true;
    if (name->folded[0] == '\0')
        return false;
    rank = name_rank(name, s->name, s->folded);
    p->rank = RANK_NAME + rank;
    return rank < NAME_NO_MATCH;
}

static int check(const struct areas *a,
                 const struct area_find *q,
                 struct name_query *name,
                 struct refusal *why)
{
    if (q->limit > AREA_PAGE_MAX)
        return refuse(
            why, REFUSAL_INVALID, "Mỗi lần chỉ trả lời tối đa %d khu vực.",
            "At most %d areas are answered at a time.", AREA_PAGE_MAX);
    if (q->under[0] != '\0' &&
        (!loa_area_valid(q->under) || areas_at(a, q->under, q->at_ms) == NULL))
        return refuse(why, REFUSAL_NOT_FOUND, "Không có khu vực \"%.*s\".",
                      "There is no area \"%.*s\".", LOA_AREA_CAP, q->under);
    if (name_query(name, q->text) != LOA_OK)
        return refuse(why, REFUSAL_INVALID,
                      "Nội dung tìm quá dài hoặc không phải UTF-8.",
                      "The text to find is too long or not UTF-8.");
    return LOA_OK;
}

/* Fill the page from the sorted hits. */
static void page_fill(struct area_page *page, size_t hits_n, size_t limit)
{
    size_t bytes = 0, i;

    for (i = 0; i < hits_n && i < limit; i++) {
        bytes += area_bytes(hits[i].state);
        if (bytes > AREA_PAGE_BYTES_MAX)
            break;
        page->states[i] = hits[i].state;
    }
    page->states_n = i;
    page->next[0] = '\0';
    if (i < hits_n) {
        const struct place *last = &hits[i - 1].place;
        snprintf(page->next, sizeof page->next, "%u.%u.%s", last->rank,
                 last->tier, last->path);
    }
}

int area_find(const struct areas *a,
              const struct area_find *q,
              struct area_page *page,
              struct refusal *why)
{
    struct place after = {0, 0, NULL};
    struct name_query name;
    size_t hits_n = 0;
    int rv = check(a, q, &name, why);

    if (rv != LOA_OK)
        return rv;
    if (q->after[0] != '\0' && read_place(q->after, &after) != LOA_OK)
        return bad_cursor(why);
    for (size_t i = 0; i < a->states_n; i++) {
        struct hit h = {.state = &a->states[i]};

        if (!in_scope(h.state, q) || !place(q, &name, h.state, &h.place))
            continue;
        if (after.path == NULL || place_compare(&h.place, &after) > 0)
            hits[hits_n++] = h;
    }
    qsort(hits, hits_n, sizeof hits[0], hit_compare);
    page_fill(page, hits_n, q->limit != 0 ? q->limit : AREA_PAGE_DEFAULT);
    return LOA_OK;
}

/* --- sync ----------------------------------------------------------------- */

/* A place in the order of changes: "version.from.path". */
struct mark {
    uint64_t version;
    const char *path;
    int64_t from_ms;
};

static int read_mark(const char *after, struct mark *m)
{
    int path_at = 0;

    if (sscanf(after, "%20" SCNu64 ".%19" SCNd64 ".%n", &m->version,
               &m->from_ms, &path_at) != 2 ||
        path_at == 0)
        return LOA_EINVAL;
    m->path = after + path_at;
    return loa_area_valid(m->path) ? LOA_OK : LOA_EINVAL;
}

static bool comes_after(const struct area_state *s, const struct mark *m)
{
    int by_path;

    if (s->version != m->version || m->path == NULL)
        return s->version > m->version;
    by_path = strcmp(s->path, m->path);
    if (by_path != 0)
        return by_path > 0;
    return s->valid_from_ms > m->from_ms;
}

/* The first place in the order that comes after m. */
static size_t first_after(const struct areas *a, const struct mark *m)
{
    size_t low = 0, high = a->states_n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (comes_after(&a->states[a->order[middle]], m))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int area_sync(const struct areas *a,
              uint64_t since,
              const char *after,
              struct area_page *page,
              struct refusal *why)
{
    struct mark m = {since, NULL, 0};
    size_t bytes = 0, at;

    if (after[0] != '\0' && read_mark(after, &m) != LOA_OK)
        return bad_cursor(why);
    at = first_after(a, &m);
    page->states_n = 0;
    page->next[0] = '\0';
    for (; at < a->states_n && page->states_n < AREA_PAGE_MAX; at++) {
        const struct area_state *s = &a->states[a->order[at]];

        bytes += area_bytes(s);
        if (bytes > AREA_PAGE_BYTES_MAX)
            break;
        page->states[page->states_n++] = s;
    }
    if (at < a->states_n) {
        const struct area_state *last = page->states[page->states_n - 1];
        snprintf(page->next, sizeof page->next, "%" PRIu64 ".%" PRId64 ".%s",
                 last->version, last->valid_from_ms, last->path);
    }
    return LOA_OK;
}
