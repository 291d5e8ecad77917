/* link: */
/* The input is the body of a TRUST envelope that the registry really signed.
 * Properties: a list that is refused leaves the store as it was; one that is
 * taken revokes exactly what another reading of the same bytes says. */

#include <sodium.h>

#include "loa/v1/envelope.pb-c.h"
#include "test/fuzz/mutator.h"
#include "test/unit/proto/world.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct world world;
static struct loa_trust trust, before;

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    (void)data;
    (void)chance;
    return mutator_whole(len, 0, &loa__v1__trust_list__descriptor, part);
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    Loa__V1__TrustList m = LOA__V1__TRUST_LIST__INIT;
    Loa__V1__Revocation r = LOA__V1__REVOCATION__INIT, *refs[] = {&r};
    uint64_t serials[] = {
        chance % 7,
        chance % 3 == 0 ? loa_key_number(world.signer.c.subject) : chance % 5};

    (void)cap;
    r.issuer =
        (ProtobufCBinaryData){LOA_KEY_BYTES, world.commune.key.public_key};
    r.floor_serial = chance % 3;
    r.serials = serials;
    r.n_serials = 2;
    m.number = chance % 1000;
    m.revocations = refs;
    m.n_revocations = 1;
    return loa__v1__trust_list__pack(&m, out);
}

static const struct mutator mutator = {.find = find, .seed = seed};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    world_init(&world);
    loa_trust_init(&trust, world.root.public_key);
    return 0;
}

/* The list by malloc and protobuf-c alone, walked for one certificate. */
static bool listed(const Loa__V1__TrustList *m, const struct loa_certificate *c)
{
    for (size_t i = 0; i < m->n_revocations; i++) {
        const Loa__V1__Revocation *r = m->revocations[i];

        if (memcmp(r->issuer.data, c->issuer, LOA_KEY_BYTES) != 0)
            continue;
        if (c->serial < r->floor_serial)
            return true;
        for (size_t k = 0; k < r->n_serials; k++) {
            if (r->serials[k] == c->serial ||
                r->serials[k] == loa_key_number(c->subject))
                return true;
        }
    }
    return false;
}

static void check_one(const Loa__V1__TrustList *m,
                      const uint8_t *issuer,
                      uint64_t serial)
{
    struct loa_certificate c = world.signer.c;

    memcpy(c.issuer, issuer, LOA_KEY_BYTES);
    c.serial = serial;
    assert(loa_trust_revoked(&trust, &c) == listed(m, &c));
    strcpy(c.area, "vn/09");
    assert(!loa_trust_revoked(&trust, &c));
}

static void check_taken(const uint8_t *data, size_t len)
{
    Loa__V1__TrustList *m = loa__v1__trust_list__unpack(NULL, len, data);
    const struct loa_revocations *r = &trust.revoked;

    assert(m != NULL && m->number == r->number && r->number > 0);
    assert(m->n_revocations == r->entries_n);
    assert(r->entries_n <= LOA_REVOCATIONS_MAX);
    assert(r->serials_n <= LOA_REVOKED_SERIALS_MAX);
    assert(strcmp(r->area, "vn/08/070") == 0);
    for (size_t i = 0; i < m->n_revocations; i++) {
        const Loa__V1__Revocation *e = m->revocations[i];
        check_one(m, e->issuer.data, e->floor_serial);
        check_one(m, e->issuer.data, e->floor_serial - 1);
        for (size_t k = 0; k < e->n_serials; k++) {
            check_one(m, e->issuer.data, e->serials[k]);
            check_one(m, e->issuer.data, e->serials[k] + 1);
        }
    }
    check_one(m, world.commune.key.public_key, 4);
    loa__v1__trust_list__free_unpacked(m, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct letter letter;
    struct loa_header h = world_header(LOA_TYPE_TRUST, "vn/08/070");
    enum loa_verdict v;

    h.body = (struct loa_bytes){data, len};
    world_seal(&world, &h, &letter);

    /* Some lists come to an empty store, some to one that holds a list. */
    if (trust.revoked.number > 1000 || len % 3 == 0)
        trust.revoked.number = 0;
    before.revoked = trust.revoked;
    v = loa_trust_update(&trust, &letter.e, WORLD_NOW_MS, true);
    if (v == LOA_VERDICT_OK) {
        assert(trust.revoked.number > before.revoked.number);
        check_taken(data, len);
        /* What this list revokes may be its own signer. */
        trust.revoked.entries_n = 0;
        return 0;
    }
    assert(v == LOA_VERDICT_MALFORMED || v == LOA_VERDICT_REPLAYED);
    assert(memcmp(&before.revoked, &trust.revoked, sizeof trust.revoked) == 0);
    return 0;
}
