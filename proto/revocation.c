#include <stddef.h>
#include <string.h>

#include "loa/v1/envelope.pb-c.h"
#include "proto/trust.h"

/* Room to unpack the longest list that the store holds: an entry costs the
 * list's 60,000 bytes at least 40, and 200 here. A list that does not fit has
 * more than we take anyway. */
#define LIST_ARENA_LEN (256 * 1024)

/* By its serial, or by its key: then also each certificate that the issuer gave
 * that key and nobody told the registry of. */
static bool entry_binds(const struct loa_revocations *r,
                        const struct loa_revocation *e,
                        const struct loa_certificate *c)
{
    uint64_t key;

    if (memcmp(e->issuer, c->issuer, LOA_KEY_BYTES) != 0)
        return false;
    if (c->serial < e->floor_serial)
        return true;
    key = loa_key_number(c->subject);
    for (size_t i = 0; i < e->serials_n; i++) {
        uint64_t x = r->serials[e->serials_at + i];

        if (x == c->serial || x == key)
            return true;
    }
    return false;
}

bool loa_trust_revoked(const struct loa_trust *t,
                       const struct loa_certificate *c)
{
    const struct loa_revocations *r = &t->revoked;

    if (r->number == 0 || !loa_area_within(c->area, r->area))
        return false;
    for (size_t i = 0; i < r->entries_n; i++) {
        if (entry_binds(r, &r->entries[i], c))
            return true;
    }
    return false;
}

/* --- taking a list -------------------------------------------------------- */

/* Does all of it fit into the store? Asked before anything is changed there. */
static bool list_fits(const Loa__V1__TrustList *m)
{
    size_t serials_n = 0;

    if (m->number == 0 || m->n_revocations > LOA_REVOCATIONS_MAX)
        return false;
    for (size_t i = 0; i < m->n_revocations; i++) {
        const Loa__V1__Revocation *e = m->revocations[i];
        if (e->issuer.len != LOA_KEY_BYTES ||
            e->n_serials > LOA_REVOKED_SERIALS_MAX - serials_n)
            return false;
        serials_n += e->n_serials;
    }
    return true;
}

static void list_take(struct loa_revocations *r,
                      const Loa__V1__TrustList *m,
                      const char *area)
{
    r->number = m->number;
    r->areas_version = m->areas_version;
    memcpy(r->area, area, sizeof r->area);
    r->entries_n = m->n_revocations;
    r->serials_n = 0;
    for (size_t i = 0; i < m->n_revocations; i++) {
        const Loa__V1__Revocation *from = m->revocations[i];
        struct loa_revocation *to = &r->entries[i];

        memcpy(to->issuer, from->issuer.data, LOA_KEY_BYTES);
        to->floor_serial = from->floor_serial;
        to->serials_at = r->serials_n;
        to->serials_n = from->n_serials;
        for (size_t k = 0; k < from->n_serials; k++)
            r->serials[r->serials_n++] = from->serials[k];
    }
}

/* Is the list newer than the one held? Numbers compare only between lists for
 * the same area. A wider list replaces a narrower one whatever its number; a
 * narrower one never replaces: otherwise a stolen commune key could make every
 * device forget what the province has revoked. */
static enum loa_verdict judge_order(const struct loa_revocations *r,
                                    uint64_t number,
                                    const char *area)
{
    if (r->number == 0)
        return LOA_VERDICT_OK;
    if (!loa_area_within(r->area, area))
        return LOA_VERDICT_AREA;
    if (strcmp(area, r->area) == 0 && number <= r->number)
        return LOA_VERDICT_REPLAYED;
    return LOA_VERDICT_OK;
}

static enum loa_verdict update(struct loa_revocations *r,
                               struct loa_bytes body,
                               const char *area)
{
    _Alignas(max_align_t) uint8_t room[LIST_ARENA_LEN];
    struct loa_arena arena;
    Loa__V1__TrustList *m;
    enum loa_verdict v;

    loa_arena_init(&arena, room, sizeof room);
    m = loa__v1__trust_list__unpack(&arena.allocator, body.len, body.data);
    if (m == NULL || !list_fits(m))
        return LOA_VERDICT_MALFORMED;
    v = judge_order(r, m->number, area);
    if (v == LOA_VERDICT_OK)
        list_take(r, m, area);
    return v;
}

enum loa_verdict loa_trust_update(struct loa_trust *t,
                                  const struct loa_envelope *e,
                                  int64_t now_ms,
                                  bool time_trusted)
{
    struct loa_expect want = {
        .type = LOA_TYPE_TRUST,
        .now_ms = now_ms,
        .time_trusted = time_trusted,
    };
    struct loa_identity_claim who;
    enum loa_verdict v = loa_trust_verify(t, e, &want, &who);

    if (v != LOA_VERDICT_OK)
        return v;
    /* A list of somewhere else binds nobody here, and in the place of the first
     * one it would keep our own out for ever. */
    if (t->area[0] != '\0' && !loa_area_within(t->area, who.certificate.area) &&
        !loa_area_within(who.certificate.area, t->area))
        return LOA_VERDICT_NOT_FOR_US;
    return update(&t->revoked, e->header.body, who.certificate.area);
}
