#include "registry/principals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct principal *principals_find(struct principals *p,
                                  const uint8_t issuer[LOA_KEY_BYTES],
                                  uint64_t serial)
{
    for (size_t i = 0; i < p->principals_n; i++)
        if (p->principals[i].serial == serial &&
            memcmp(p->principals[i].issuer, issuer, LOA_KEY_BYTES) == 0)
            return &p->principals[i];
    return NULL;
}

const struct principal *principals_newest(const struct principals *p,
                                          const char *id)
{
    const struct principal *newest = NULL;

    for (size_t i = 0; i < p->principals_n; i++)
        if (strcmp(p->principals[i].id, id) == 0 &&
            (newest == NULL ||
             p->principals[i].not_after_ms > newest->not_after_ms))
            newest = &p->principals[i];
    return newest;
}

static bool falls(struct principal *const *named,
                  size_t named_n,
                  const struct principal *p)
{
    for (size_t i = 0; i < named_n; i++)
        if (memcmp(named[i]->key, p->key, LOA_KEY_BYTES) == 0 &&
            memcmp(named[i]->issuer, p->issuer, LOA_KEY_BYTES) == 0)
            return strcmp(named[i]->id, p->id) != 0;
    return false;
}

size_t principals_falling(struct principals *p,
                          const char *id,
                          struct principal *hits[PRINCIPALS_MAX])
{
    size_t named_n = 0, n;

    for (size_t i = 0; i < p->principals_n; i++)
        if (strcmp(p->principals[i].id, id) == 0)
            hits[named_n++] = &p->principals[i];
    n = named_n;
    for (size_t i = 0; i < p->principals_n; i++)
        if (falls(hits, named_n, &p->principals[i]))
            hits[n++] = &p->principals[i];
    return n;
}

size_t principals_below(const struct principals *p, const char *area)
{
    size_t n = 0;

    for (size_t i = 0; i < p->principals_n; i++)
        n += loa_area_within(p->principals[i].area, area);
    return n;
}

struct principal *principals_add(struct principals *p,
                                 const struct principal *new)
{
    if (p->principals_n == PRINCIPALS_MAX)
        return NULL;
    p->principals[p->principals_n] = *new;
    return &p->principals[p->principals_n++];
}

static int compare(const void *left, const void *right)
{
    const struct principal *l = *(const struct principal *const *)left;
    const struct principal *r = *(const struct principal *const *)right;
    int by_id = strcmp(l->id, r->id);

    if (by_id != 0)
        return by_id;
    if (l->serial != r->serial)
        return l->serial < r->serial ? -1 : 1;
    return memcmp(l->issuer, r->issuer, LOA_KEY_BYTES);
}

/* "serial.issuer.id", issuer in hexadecimal. */
static int read_cursor(const char *after, struct principal *p)
{
    char issuer[2 * LOA_KEY_BYTES + 1];

    memset(p, 0, sizeof *p);
    if (sscanf(after, "%20" SCNu64 ".%64[0-9a-f].%32[A-Za-z0-9_]", &p->serial,
               issuer, p->id) != 3)
        return LOA_EINVAL;
    return loa_unhex(issuer, p->issuer, LOA_KEY_BYTES);
}

static size_t bytes(const struct principal *p)
{
    return strlen(p->id) + strlen(p->name) + strlen(p->area) +
           strlen(p->service) + 2 * LOA_KEY_BYTES + 64;
}

static void fill(struct principal_page *page,
                 const struct principal *const *hits,
                 size_t hits_n,
                 uint32_t limit)
{
    size_t len = 0, i;

    for (i = 0; i < hits_n && i < limit && i < PRINCIPAL_PAGE_MAX; i++) {
        len += bytes(hits[i]);
        if (len > PRINCIPAL_PAGE_BYTES_MAX)
            break;
        page->principals[i] = hits[i];
    }
    page->principals_n = i;
    page->next[0] = '\0';
    if (i < hits_n) {
        char issuer[2 * LOA_KEY_BYTES + 1];
        loa_hex(hits[i - 1]->issuer, LOA_KEY_BYTES, issuer);
        snprintf(page->next, sizeof page->next, "%" PRIu64 ".%s.%s",
                 hits[i - 1]->serial, issuer, hits[i - 1]->id);
    }
}

int principals_page(const struct principals *p,
                    const char *under,
                    const char *id,
                    const char *after,
                    uint32_t limit,
                    struct principal_page *page)
{
    static const struct principal *hits[PRINCIPALS_MAX];
    struct principal mark;
    const struct principal *place = &mark;
    size_t hits_n = 0;

    if (after[0] != '\0' && read_cursor(after, &mark) != LOA_OK)
        return LOA_EINVAL;
    for (size_t i = 0; i < p->principals_n; i++) {
        const struct principal *hit = &p->principals[i];

        if (loa_area_within(hit->area, under) &&
            (id[0] == '\0' || strcmp(hit->id, id) == 0) &&
            (after[0] == '\0' || compare(&hit, &place) > 0))
            hits[hits_n++] = hit;
    }
    qsort(hits, hits_n, sizeof hits[0], compare);
    fill(page, hits, hits_n, limit != 0 ? limit : PRINCIPAL_PAGE_DEFAULT);
    return LOA_OK;
}
