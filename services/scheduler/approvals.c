#include "scheduler/approvals.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "proto/audio.h"
#include "proto/text.h"
#include "scheduler/slots.h"

int approvals_init(struct approvals *a,
                   struct loa_trust *trust,
                   uint32_t approvals_max,
                   uint32_t certificates_max)
{
    memset(a, 0, sizeof *a);
    a->trust = trust;
    a->rows = calloc(approvals_max, sizeof *a->rows);
    a->certificates = calloc(certificates_max, sizeof *a->certificates);
    a->scratch = malloc(APPROVALS_SCRATCH);
    if (a->rows == NULL || a->certificates == NULL || a->scratch == NULL ||
        rows_init(&a->index, approvals_max) != LOA_OK ||
        rows_init(&a->certificate_index, certificates_max) != LOA_OK) {
        approvals_close(a);
        return LOA_ENOMEM;
    }
    loa_arena_init(&a->arena, a->scratch, APPROVALS_SCRATCH);
    return LOA_OK;
}

void approvals_close(struct approvals *a)
{
    free(a->rows);
    free(a->certificates);
    free(a->scratch);
    rows_close(&a->index);
    rows_close(&a->certificate_index);
    memset(a, 0, sizeof *a);
}

/* --- certificates --------------------------------------------------------- */

static uint32_t certificate_find(const struct approvals *a, struct loa_bytes p)
{
    uint32_t row = rows_first(&a->certificate_index, rows_hash(p.data, p.len));

    while (row != ROW_NONE &&
           (a->certificates[row].len != p.len ||
            memcmp(a->certificates[row].bytes, p.data, p.len) != 0))
        row = rows_next(&a->certificate_index, row);
    return row;
}

static uint32_t certificate_take(struct approvals *a, struct loa_bytes p)
{
    uint32_t row = certificate_find(a, p);

    if (row == ROW_NONE) {
        row = rows_add(&a->certificate_index, rows_hash(p.data, p.len));
        if (row == ROW_NONE)
            return row;
        memcpy(a->certificates[row].bytes, p.data, p.len);
        a->certificates[row].len = p.len;
        a->certificates[row].refs_n = 0;
    }
    a->certificates[row].refs_n++;
    return row;
}

static void certificate_drop(struct approvals *a, uint32_t row)
{
    struct certificate_row *c = &a->certificates[row];

    assert(c->refs_n > 0);
    if (--c->refs_n == 0)
        rows_remove(&a->certificate_index, row, rows_hash(c->bytes, c->len));
}

/* Which certificates lie on the way from a key to the root: nothing else that
 * an approver put in travels on to every device. */
static void mark_chain(struct approvals *a,
                       const struct loa_bytes certificates[],
                       size_t n,
                       const uint8_t *key,
                       bool on_chain[LOA_CERTIFICATES_MAX])
{
    struct loa_certificate c[LOA_CERTIFICATES_MAX];
    bool readable[LOA_CERTIFICATES_MAX], more = true;

    for (size_t i = 0; i < n; i++) {
        readable[i] =
            loa_certificate_parse(&a->arena, certificates[i], &c[i]) == LOA_OK;
        on_chain[i] =
            readable[i] && memcmp(c[i].subject, key, LOA_KEY_BYTES) == 0;
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                if (on_chain[i] && readable[k] && !on_chain[k] &&
                    memcmp(c[i].issuer, c[k].subject, LOA_KEY_BYTES) == 0)
                    on_chain[k] = more = true;
    }
}

static size_t spread(const struct approvals *a,
                     const struct approvals_chain *chain,
                     struct loa_bytes out[LOA_CERTIFICATES_MAX])
{
    for (uint32_t i = 0; i < chain->n; i++) {
        const struct certificate_row *c = &a->certificates[chain->rows[i]];

        out[i] = (struct loa_bytes){c->bytes, c->len};
    }
    return chain->n;
}

static int chain_add(struct approvals *a,
                     struct loa_bytes certificate,
                     struct approvals_chain *chain)
{
    uint32_t row = certificate_take(a, certificate);

    if (row == ROW_NONE) {
        approvals_drop_chain(a, chain);
        return LOA_EBUSY;
    }
    chain->rows[chain->n++] = row;
    return LOA_OK;
}

static int take_chain(struct approvals *a,
                      const uint8_t *key,
                      const struct loa_bytes certificates[],
                      size_t certificates_n,
                      struct approvals_chain *chain)
{
    bool on_chain[LOA_CERTIFICATES_MAX];
    int rv = LOA_OK;

    chain->n = 0;
    mark_chain(a, certificates, certificates_n, key, on_chain);
    for (size_t i = 0; rv == LOA_OK && i < certificates_n; i++)
        if (on_chain[i])
            rv = chain_add(a, certificates[i], chain);
    return rv;
}

int approvals_take_chain(struct approvals *a,
                         const uint8_t key[LOA_KEY_BYTES],
                         const struct loa_bytes certificates[],
                         size_t certificates_n,
                         struct approvals_chain *chain)
{
    loa_arena_reset(&a->arena);
    return take_chain(a, key, certificates, certificates_n, chain);
}

void approvals_drop_chain(struct approvals *a, struct approvals_chain *chain)
{
    while (chain->n > 0)
        certificate_drop(a, chain->rows[--chain->n]);
}

size_t approvals_pack_chain(const struct approvals *a,
                            const struct approvals_chain *chain,
                            uint8_t buf[APPROVALS_CHAIN_BYTES_MAX])
{
    size_t len = 0;

    for (uint32_t i = 0; i < chain->n; i++) {
        const struct certificate_row *c = &a->certificates[chain->rows[i]];

        buf[len++] = (uint8_t)(c->len >> 8);
        buf[len++] = (uint8_t)c->len;
        memcpy(buf + len, c->bytes, c->len);
        len += c->len;
    }
    return len;
}

int approvals_restore_chain(struct approvals *a,
                            struct loa_bytes packed,
                            struct approvals_chain *chain)
{
    int rv = LOA_OK;

    chain->n = 0;
    while (rv == LOA_OK && packed.len > 0) {
        size_t len = packed.len < 2
                         ? 0
                         : (size_t)packed.data[0] << 8 | (size_t)packed.data[1];

        if (len == 0 || len > LOA_CERTIFICATE_BYTES_MAX ||
            len > packed.len - 2 || chain->n == LOA_CERTIFICATES_MAX) {
            approvals_drop_chain(a, chain);
            return LOA_EINVAL;
        }
        rv = chain_add(a, (struct loa_bytes){packed.data + 2, len}, chain);
        packed.data += 2 + len;
        packed.len -= 2 + len;
    }
    return rv;
}

bool approvals_chain_revoked(struct approvals *a,
                             const struct approvals_chain *chain,
                             const uint8_t issuer[LOA_KEY_BYTES],
                             uint64_t serial)
{
    struct loa_bytes certificates[LOA_CERTIFICATES_MAX];
    size_t n = spread(a, chain, certificates);
    struct loa_certificate c, leaf;

    for (size_t i = 0; i < n; i++) {
        loa_arena_reset(&a->arena);
        if (loa_certificate_parse(&a->arena, certificates[i], &c) == LOA_OK &&
            c.serial == serial && memcmp(c.issuer, issuer, LOA_KEY_BYTES) == 0)
            return loa_trust_chain(a->trust, c.subject, certificates, n, 0,
                                   false, &leaf) == LOA_VERDICT_REVOKED;
    }
    return false;
}

/* --- approvals ------------------------------------------------------------ */

/* What the scheduler needs of the manifest; false: nothing to be scheduled. */
static bool read_manifest(struct approvals *a,
                          struct loa_bytes body,
                          struct approval *v)
{
    Loa__V1__ContentManifest *m;
    bool sound;

    if (body.len > APPROVAL_MANIFEST_MAX)
        return false;
    m = loa__v1__content_manifest__unpack(&a->arena.allocator, body.len,
                                          body.data);
    if (m == NULL)
        return false;
    sound = m->content_hash.len == LOA_HASH_BYTES &&
            m->stream_key.len == LOA_KEY_BYTES && m->duration_ms > 0 &&
            m->duration_ms <= SLOTS_DURATION_MS_MAX &&
            loa_line_valid(m->title, APPROVAL_TITLE_CAP - 1);
    if (!sound)
        return false;
    memcpy(v->content_hash, m->content_hash.data, LOA_HASH_BYTES);
    v->duration_ms = m->duration_ms;
    memcpy(v->title, m->title, strlen(m->title) + 1);
    return true;
}

/* The approver's certificate among those handed in; the longest valid one. */
static bool find_approver(struct approvals *a,
                          const struct loa_envelope *e,
                          struct loa_certificate *leaf)
{
    struct loa_certificate c;
    bool found = false;

    for (size_t i = 0; i < e->certificates_n; i++) {
        if (loa_certificate_parse(&a->arena, e->certificates[i], &c) != LOA_OK)
            continue;
        if (memcmp(c.subject, e->signatures[0].key, LOA_KEY_BYTES) != 0)
            continue;
        if (found && c.not_after_ms <= leaf->not_after_ms)
            continue;
        *leaf = c;
        found = true;
    }
    return found;
}

/* Fill *v from the envelope, but for its certificates. */
static int read_approval(struct approvals *a,
                         const struct loa_envelope *e,
                         const struct loa_certificate *leaf,
                         struct approval *v)
{
    if (e->header.type != LOA_TYPE_APPROVAL || e->signatures_n != 1 ||
        !read_manifest(a, e->header.body, v) ||
        loa_envelope_strip(e, v->bytes, sizeof v->bytes, &v->len) != LOA_OK)
        return LOA_EINVAL;
    memcpy(v->area, e->header.area, sizeof v->area);
    memcpy(v->key, e->signatures[0].key, LOA_KEY_BYTES);
    memcpy(v->approver, leaf->principal, sizeof v->approver);
    v->issued_at_ms = e->header.issued_at_ms;
    v->expires_at_ms = e->header.expires_at_ms;
    if (v->expires_at_ms > leaf->not_after_ms)
        v->expires_at_ms = leaf->not_after_ms;
    return LOA_OK;
}

static uint32_t find(const struct approvals *a, const uint8_t *id)
{
    uint32_t row = rows_first(&a->index, rows_hash(id, LOA_HASH_BYTES));

    while (row != APPROVAL_NONE &&
           memcmp(a->rows[row].id, id, LOA_HASH_BYTES) != 0)
        row = rows_next(&a->index, row);
    return row;
}

static int add(struct approvals *a,
               const uint8_t *id,
               const struct loa_envelope *e,
               const struct loa_certificate *leaf,
               uint32_t *row)
{
    struct approval *v;
    int rv;

    *row = rows_add(&a->index, rows_hash(id, LOA_HASH_BYTES));
    if (*row == APPROVAL_NONE)
        return LOA_EBUSY;
    v = &a->rows[*row];
    memset(v, 0, sizeof *v);
    memcpy(v->id, id, LOA_HASH_BYTES);
    v->refs_n = 1;
    rv = read_approval(a, e, leaf, v);
    if (rv == LOA_OK)
        rv = take_chain(a, v->key, e->certificates, e->certificates_n,
                        &v->chain);
    if (rv != LOA_OK)
        rows_remove(&a->index, *row, rows_hash(id, LOA_HASH_BYTES));
    return rv;
}

int approvals_take(struct approvals *a,
                   struct loa_bytes envelope,
                   int64_t now_ms,
                   enum loa_verdict *verdict,
                   uint32_t *row)
{
    struct loa_expect want = {
        .type = LOA_TYPE_APPROVAL, .now_ms = now_ms, .time_trusted = true};
    struct loa_identity_claim who;
    struct loa_envelope e;
    uint8_t id[LOA_HASH_BYTES];

    loa_arena_reset(&a->arena);
    *verdict = LOA_VERDICT_MALFORMED;
    if (envelope.len == 0 || envelope.len > APPROVAL_ENVELOPE_MAX ||
        loa_envelope_parse(&a->arena, envelope, &e) != LOA_OK)
        return LOA_EACCES;
    *verdict = loa_trust_verify(a->trust, &e, &want, &who);
    if (*verdict != LOA_VERDICT_OK)
        return LOA_EACCES;
    loa_hash(envelope, id);
    *row = find(a, id);
    if (*row == APPROVAL_NONE)
        return add(a, id, &e, &who.certificate, row);
    a->rows[*row].refs_n++;
    return LOA_OK;
}

int approvals_restore(struct approvals *a,
                      struct loa_bytes envelope,
                      uint32_t *row)
{
    struct loa_certificate leaf;
    struct loa_envelope e;
    uint8_t id[LOA_HASH_BYTES];

    loa_arena_reset(&a->arena);
    if (envelope.len == 0 || envelope.len > APPROVAL_ENVELOPE_MAX ||
        loa_envelope_parse(&a->arena, envelope, &e) != LOA_OK ||
        !find_approver(a, &e, &leaf))
        return LOA_EINVAL;
    loa_hash(envelope, id);
    *row = find(a, id);
    if (*row == APPROVAL_NONE)
        return add(a, id, &e, &leaf, row);
    a->rows[*row].refs_n++;
    return LOA_OK;
}

void approvals_hold(struct approvals *a, uint32_t row)
{
    a->rows[row].refs_n++;
}

void approvals_drop(struct approvals *a, uint32_t row)
{
    struct approval *v = &a->rows[row];

    assert(v->refs_n > 0);
    if (--v->refs_n > 0)
        return;
    approvals_drop_chain(a, &v->chain);
    rows_remove(&a->index, row, rows_hash(v->id, LOA_HASH_BYTES));
}

enum loa_verdict approvals_judge(struct approvals *a,
                                 uint32_t row,
                                 int64_t now_ms)
{
    const struct approval *v = &a->rows[row];
    struct loa_bytes chain[LOA_CERTIFICATES_MAX];
    struct loa_expect want = {.type = LOA_TYPE_APPROVAL,
                              .now_ms = now_ms,
                              .time_trusted = true,
                              .certificates = chain,
                              .certificates_n = spread(a, &v->chain, chain)};
    struct loa_envelope e;

    loa_arena_reset(&a->arena);
    if (loa_envelope_parse(&a->arena, (struct loa_bytes){v->bytes, v->len},
                           &e) != LOA_OK)
        return LOA_VERDICT_MALFORMED;
    return loa_trust_verify(a->trust, &e, &want, NULL);
}
