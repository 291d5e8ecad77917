#include "content-ingest/approved.h"

#include <string.h>

/* What is looked at for one area. */
struct look {
    const char *area;
    struct loa_trust *trust;
    struct loa_arena *arena;
    int64_t judged_at_ms;
    const struct wire_programme *p;
    bool good[NEED_PROGRAMME_MAX];
    size_t good_n;
};

static void take(struct look *k, size_t i)
{
    k->good_n += !k->good[i];
    k->good[i] = true;
}

static void take_known(struct look *k, const struct needs *n)
{
    uint32_t area = needs_find_area(n, k->area);

    if (area == NEEDS_NONE)
        return;
    for (size_t i = 0; i < k->p->items_n; i++) {
        uint32_t c = needs_find_content(n, k->p->items[i].content_hash);

        if (c != NEEDS_NONE && needs_of(n, area, c) != NEEDS_NONE)
            take(k, i);
    }
}

static bool is_of(const struct look *k, size_t i, const uint8_t *hash)
{
    return memcmp(k->p->items[i].content_hash, hash, LOA_HASH_BYTES) == 0;
}

static bool is_asked(const struct look *k, const uint8_t *hash)
{
    for (size_t i = 0; i < k->p->items_n; i++)
        if (!k->good[i] && is_of(k, i, hash))
            return true;
    return false;
}

static bool is_good(const struct look *k, const struct loa_envelope *e)
{
    struct loa_expect want = {.type = LOA_TYPE_APPROVAL,
                              .area = k->area,
                              .now_ms = k->judged_at_ms,
                              .time_trusted = true,
                              .certificates = k->p->certificates,
                              .certificates_n = k->p->certificates_n};

    return loa_trust_verify(k->trust, e, &want, NULL) == LOA_VERDICT_OK;
}

/* The signature is looked at last: it takes the time. */
static void judge(struct look *k, struct loa_bytes approval)
{
    uint8_t hash[LOA_HASH_BYTES];
    struct loa_envelope e;
    size_t used = k->arena->used;

    if (loa_envelope_parse(k->arena, approval, &e) == LOA_OK &&
        wire_manifest_hash(k->arena, e.header.body, hash) == LOA_OK &&
        is_asked(k, hash) && is_good(k, &e))
        for (size_t i = 0; i < k->p->items_n; i++)
            if (is_of(k, i, hash))
                take(k, i);
    k->arena->used = used;
}

size_t approved_keep(const struct needs *n,
                     const char *area,
                     struct loa_trust *trust,
                     struct loa_arena *arena,
                     int64_t now_at_ms,
                     int64_t issued_at_ms,
                     struct wire_programme *p)
{
    struct look k = {
        .area = area,
        .trust = trust,
        .arena = arena,
        .judged_at_ms = now_at_ms > issued_at_ms ? now_at_ms : issued_at_ms,
        .p = p};
    size_t all_n = p->items_n, kept_n = 0;

    take_known(&k, n);
    for (size_t i = 0; i < p->approvals_n && k.good_n < all_n; i++)
        judge(&k, p->approvals[i]);
    for (size_t i = 0; i < all_n; i++)
        if (k.good[i])
            p->items[kept_n++] = p->items[i];
    p->items_n = kept_n;
    return all_n - kept_n;
}
