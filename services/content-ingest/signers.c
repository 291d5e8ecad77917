#include "content-ingest/signers.h"

#include <assert.h>
#include <string.h>

_Static_assert(SIGNERS_MAX <= 64, "one bit each");

int signers_pack(const struct loa_bytes certificates[],
                 size_t n,
                 uint8_t out[SIGNER_CHAIN_BYTES_MAX],
                 size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < n; i++) {
        const struct loa_bytes *c = &certificates[i];

        if (i == LOA_CERTIFICATES_MAX || c->len > LOA_CERTIFICATE_BYTES_MAX)
            return LOA_ENOSPC;
        out[(*len)++] = (uint8_t)(c->len >> 8);
        out[(*len)++] = (uint8_t)c->len;
        memcpy(out + *len, c->data, c->len);
        *len += c->len;
    }
    return LOA_OK;
}

/* What the database holds was packed here; anything else leads nowhere. */
static size_t unpack(const struct signer *r,
                     struct loa_bytes out[LOA_CERTIFICATES_MAX])
{
    size_t n = 0, at = 0;

    while (n < LOA_CERTIFICATES_MAX && r->chain_len - at >= 2) {
        size_t len = (size_t)r->chain[at] << 8 | r->chain[at + 1];

        if (len > r->chain_len - at - 2)
            return 0;
        out[n++] = (struct loa_bytes){r->chain + at + 2, len};
        at += 2 + len;
    }
    return n;
}

uint32_t signers_find(const struct signers *s, const uint8_t key[LOA_KEY_BYTES])
{
    for (uint32_t i = 0; i < SIGNERS_MAX; i++)
        if (s->rows[i].used && memcmp(s->rows[i].key, key, LOA_KEY_BYTES) == 0)
            return i;
    return SIGNER_NONE;
}

/* One that was never used, or else the first that nobody needs. */
static uint32_t place(const struct signers *s, uint64_t kept)
{
    uint32_t spare = SIGNER_NONE;

    for (uint32_t i = 0; i < SIGNERS_MAX; i++) {
        if (!s->rows[i].used)
            return i;
        if (spare == SIGNER_NONE && (kept >> i & 1) == 0)
            spare = i;
    }
    return spare;
}

uint32_t signers_put(struct signers *s,
                     const uint8_t key[LOA_KEY_BYTES],
                     struct loa_bytes chain,
                     uint64_t kept)
{
    uint32_t i = signers_find(s, key);
    struct signer *r;

    assert(chain.len <= SIGNER_CHAIN_BYTES_MAX);
    if (i == SIGNER_NONE) {
        i = place(s, kept);
        if (i == SIGNER_NONE)
            return i;
        memset(&s->rows[i], 0, sizeof s->rows[i]);
    }
    r = &s->rows[i];
    r->used = true;
    memcpy(r->key, key, LOA_KEY_BYTES);
    memcpy(r->chain, chain.data, chain.len);
    r->chain_len = chain.len;
    return i;
}

bool signers_hold(struct signers *s, uint32_t row, struct loa_trust *trust)
{
    struct signer *r = &s->rows[row];
    struct loa_bytes certificates[LOA_CERTIFICATES_MAX];
    size_t n = unpack(r, certificates);
    struct loa_certificate leaf;

    assert(r->used);
    if (loa_trust_chain(trust, r->key, certificates, n, 0, false, &leaf) !=
        LOA_VERDICT_OK)
        return false;
    memcpy(r->principal, leaf.principal, sizeof r->principal);
    return true;
}

void signers_drop(struct signers *s, uint32_t row)
{
    s->rows[row].used = false;
}
