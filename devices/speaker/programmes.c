#include "speaker/programmes.h"

#include <assert.h>
#include <string.h>

#include "speaker/wire.h"

void programmes_init(struct programmes *ps)
{
    ps->held_n = 0;
    for (size_t i = 0; i < PROGRAMMES_MAX; i++)
        ps->held[i] = &ps->store[i];
    ps->spare = &ps->store[PROGRAMMES_MAX];
}

struct programme *programmes_find(const struct programmes *ps, const char *area)
{
    for (size_t i = 0; i < ps->held_n; i++)
        if (strcmp(ps->held[i]->area, area) == 0)
            return ps->held[i];
    return NULL;
}

/* Body and chain came in one envelope, so they fit into the pool together. */
static int keep_chain(struct programme *p, const struct loa_envelope *e)
{
    p->chain_n = 0;
    for (size_t i = 0; i < e->certificates_n; i++) {
        struct loa_bytes from = e->certificates[i];

        if (from.len > sizeof p->pool - p->pool_len)
            return LOA_EINVAL;
        memcpy(p->pool + p->pool_len, from.data, from.len);
        p->chain[p->chain_n++] =
            (struct loa_bytes){p->pool + p->pool_len, from.len};
        p->pool_len += from.len;
    }
    return LOA_OK;
}

int programmes_stage(struct programmes *ps,
                     struct loa_arena *arena,
                     const struct loa_envelope *e,
                     const struct loa_identity_claim *who,
                     struct loa_bytes whole)
{
    struct programme *p = ps->spare;
    int rv = wire_programme(arena, e->header.body, p);

    if (rv != LOA_OK)
        return rv;
    memcpy(p->area, e->header.area, sizeof p->area);
    p->issued_at_ms = e->header.issued_at_ms;
    p->expires_at_ms = e->header.expires_at_ms;
    loa_hash(whole, p->envelope_hash);
    memcpy(p->signer_key, who->certificate.subject, sizeof p->signer_key);
    memcpy(p->signer, who->certificate.principal, sizeof p->signer);
    memcpy(p->signer_issuer, who->certificate.issuer, sizeof p->signer_issuer);
    p->signer_serial = who->certificate.serial;
    return keep_chain(p, e);
}

static bool same_plan(const struct programme *p,
                      const struct bulletin *a,
                      const struct programme *q,
                      const struct bulletin *b)
{
    return memcmp(a->id, b->id, LOA_ID_BYTES) == 0 &&
           memcmp(a->hash, b->hash, LOA_HASH_BYTES) == 0 &&
           a->starts_n == b->starts_n &&
           memcmp(p->starts + a->starts_at, q->starts + b->starts_at,
                  a->starts_n * sizeof p->starts[0]) == 0;
}

static void carry_over(struct programme *to, const struct programme *from)
{
    for (uint32_t i = 0; i < to->bulletins_n; i++)
        for (uint32_t k = 0; k < from->bulletins_n; k++)
            if (same_plan(to, &to->bulletins[i], from, &from->bulletins[k]))
                to->bulletins[i].received_told =
                    from->bulletins[k].received_told;
}

/* Where the programme of `area` is to go. All places are taken only after a
 * move to another area, and then one of them is no ancestor of the new one. */
static size_t place_for(struct programmes *ps,
                        const char *own,
                        const char *area)
{
    size_t i;

    for (i = 0; i < ps->held_n; i++)
        if (strcmp(ps->held[i]->area, area) == 0)
            return i;
    if (ps->held_n < PROGRAMMES_MAX) {
        ps->held[ps->held_n]->bulletins_n = 0;
        return ps->held_n++;
    }
    for (i = 0; i + 1 < ps->held_n; i++)
        if (!loa_area_within(own, ps->held[i]->area))
            break;
    return i;
}

struct programme *programmes_adopt(struct programmes *ps, const char *own)
{
    struct programme *p = ps->spare;
    size_t i = place_for(ps, own, p->area);

    carry_over(p, ps->held[i]);
    ps->spare = ps->held[i];
    ps->held[i] = p;
    return p;
}

void programmes_drop(struct programmes *ps, size_t i)
{
    struct programme *gone = ps->held[i];

    assert(i < ps->held_n);
    ps->held_n--;
    memmove(&ps->held[i], &ps->held[i + 1],
            (ps->held_n - i) * sizeof ps->held[0]);
    ps->held[ps->held_n] = gone;
}

void programmes_rewind(struct programmes *ps)
{
    for (size_t i = 0; i < ps->held_n; i++)
        for (uint32_t k = 0; k < ps->held[i]->bulletins_n; k++)
            ps->held[i]->bulletins[k].past_n = 0;
}

/* By the same certificate: another one for this key may give it less. */
enum loa_verdict programme_signer(const struct programme *p,
                                  const struct judge *j)
{
    struct loa_certificate leaf;
    enum loa_verdict v =
        loa_trust_chain(j->trust, p->signer_key, p->chain, p->chain_n, j->at_ms,
                        j->time_trusted, &leaf);

    if (v == LOA_VERDICT_OK &&
        (leaf.serial != p->signer_serial ||
         memcmp(leaf.issuer, p->signer_issuer, sizeof leaf.issuer) != 0))
        v = LOA_VERDICT_REVOKED;
    return v;
}

/* New speech has two locks: neither one key nor one person opens both, whatever
 * the powers of a certificate. */
static bool same_person(const struct programme *p,
                        const struct loa_certificate *approver)
{
    return memcmp(p->signer_key, approver->subject, LOA_KEY_BYTES) == 0 ||
           strcmp(p->signer, approver->principal) == 0;
}

static enum loa_verdict judge_approval(const struct programme *p,
                                       const struct programme_approval *a,
                                       const struct judge *j,
                                       struct manifest *m)
{
    struct loa_expect want = {
        .type = LOA_TYPE_APPROVAL,
        .area = j->area,
        .now_ms = j->at_ms,
        .time_trusted = j->time_trusted,
        .certificates = p->certificates,
        .certificates_n = p->certificates_n,
    };
    struct loa_identity_claim who;
    struct loa_envelope e;
    struct loa_arena arena;
    enum loa_verdict v;

    loa_arena_init(&arena, j->scratch, j->scratch_len);
    if (loa_envelope_parse(&arena, a->envelope, &e) != LOA_OK)
        return LOA_VERDICT_MALFORMED;
    v = loa_trust_verify(j->trust, &e, &want, &who);
    if (v == LOA_VERDICT_OK && same_person(p, &who.certificate))
        v = LOA_VERDICT_QUORUM;
    if (v == LOA_VERDICT_OK &&
        wire_manifest(&arena, e.header.body, m) != LOA_OK)
        v = LOA_VERDICT_MALFORMED;
    m->expires_at_ms = e.header.expires_at_ms;
    return v;
}

/* The second look is at what was verified, not at the index. The plan may not
 * say another length than the approver did: by it is known when it is over. */
static bool approves(const struct manifest *m, const struct bulletin *b)
{
    return memcmp(m->hash, b->hash, sizeof m->hash) == 0 &&
           m->duration_ms == b->duration_ms;
}

/* Of several approvals the one that lasts longest counts: what sounds is cut
 * when it ends. */
const char *programme_judge(const struct programme *p,
                            const struct bulletin *b,
                            const struct judge *j,
                            struct manifest *m)
{
    enum loa_verdict signer = programme_signer(p, j);
    const char *why = "unapproved";
    bool approved = false;

    if (signer != LOA_VERDICT_OK)
        return loa_verdict_name(signer);
    for (uint32_t i = 0; i < p->approvals_n; i++) {
        const struct programme_approval *a = &p->approvals[i];
        struct manifest one;
        enum loa_verdict v;

        if (memcmp(a->hash, b->hash, LOA_HASH_BYTES) != 0)
            continue;
        v = judge_approval(p, a, j, &one);
        why = v != LOA_VERDICT_OK ? loa_verdict_name(v) : "unapproved";
        if (v != LOA_VERDICT_OK || !approves(&one, b))
            continue;
        if (!approved || one.expires_at_ms > m->expires_at_ms)
            *m = one;
        approved = true;
    }
    return approved ? NULL : why;
}

static bool starts_at(const struct programme *p,
                      const struct bulletin *b,
                      int64_t start_at_ms)
{
    for (uint32_t i = 0; i < b->starts_n; i++)
        if (p->starts[b->starts_at + i] == start_at_ms)
            return true;
    return false;
}

const struct bulletin *programmes_holding(const struct programmes *ps,
                                          const uint8_t id[LOA_ID_BYTES],
                                          const uint8_t hash[LOA_HASH_BYTES],
                                          int64_t start_at_ms,
                                          int64_t at_ms,
                                          const struct programme **in)
{
    for (size_t i = 0; i < ps->held_n; i++) {
        const struct programme *p = ps->held[i];

        if (p->expires_at_ms <= at_ms)
            continue;
        for (uint32_t k = 0; k < p->bulletins_n; k++) {
            const struct bulletin *b = &p->bulletins[k];

            if (memcmp(b->id, id, LOA_ID_BYTES) == 0 &&
                memcmp(b->hash, hash, LOA_HASH_BYTES) == 0 &&
                starts_at(p, b, start_at_ms)) {
                *in = p;
                return b;
            }
        }
    }
    return NULL;
}
