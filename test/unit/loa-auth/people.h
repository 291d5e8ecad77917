/* people.h -- a root, a province, and who works there, for the tests of the
 * plugin: keys from fixed seeds, logins, trust lists. */

#ifndef LOA_TEST_PEOPLE_H
#define LOA_TEST_PEOPLE_H

#include <assert.h>
#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "loa/v1/envelope.pb-c.h"
#include "proto/envelope.h"
#include "proto/identity.h"

#define NOW INT64_C(1790000000000) /* Wall time of the tests. */
#define HOUR INT64_C(3600000)
#define YEAR (365 * 24 * HOUR)

#define PERSON_SALT 0x10
#define PERSON_FROM_MS (NOW - YEAR / 2)
#define PERSON_UNTIL_MS (NOW + YEAR)
#include "../person.h"

__attribute__((unused)) static void person_root(struct person *p)
{
    person_key(p, 1, 0);
}

static const struct loa_certificate province_body = {
    .principal = "province_08",
    .role = LOA_ROLE_AUTHORITY,
    .area = "vn/08",
    .powers = LOA_POWERS_ALL & ~(uint32_t)LOA_POWER_DRILL,
    .max_depth = 5,
};

/* How a login differs from the right one. NULL and 0: as it should be. */
struct login_twist {
    const char *broker, *client_id;
    enum loa_type type;
    int64_t off_ms; /* Issued so much later. */
    const char *area;
    bool no_certificates;
    bool twice; /* The signature is there two times. */
    bool bad_body;
    size_t flip_at; /* This byte of the envelope (from 1) is changed. */
};

/* The envelope with its signature a second time; returns the new length. */
static size_t sign_again(uint8_t *envelope, size_t len)
{
    Loa__V1__Envelope *e = loa__v1__envelope__unpack(NULL, len, envelope);
    Loa__V1__Envelope two;
    Loa__V1__Signature *signatures[2];

    assert(e != NULL && e->n_signatures == 1);
    two = *e;
    signatures[0] = signatures[1] = e->signatures[0];
    two.signatures = signatures;
    two.n_signatures = 2;
    len = loa__v1__envelope__get_packed_size(&two);
    assert(len <= LOA_PASSWORD_CAP);
    len = loa__v1__envelope__pack(&two, envelope);
    loa__v1__envelope__free_unpacked(e, NULL);
    return len;
}

static void person_login(const struct person *p,
                         const struct login_twist *t,
                         uint8_t id,
                         char out[LOA_PASSWORD_CAP])
{
    Loa__V1__Login login = LOA__V1__LOGIN__INIT;
    struct loa_signer by = {&p->key, p->certificates,
                            t->no_certificates ? 0 : p->certificates_n};
    struct loa_header h = {
        .type = t->type == 0 ? LOA_TYPE_LOGIN : t->type,
        .message_id = {id},
        .issued_at_ms = NOW + t->off_ms,
        .expires_at_ms = NOW + t->off_ms + LOA_LOGIN_MS,
    };
    uint8_t body[256], envelope[LOA_PASSWORD_CAP];
    size_t len;
    int rv;

    login.broker = (char *)(uintptr_t)(t->broker ? t->broker : "loa");
    login.client_id =
        (char *)(uintptr_t)(t->client_id ? t->client_id : p->leaf.principal);
    strcpy(h.area, t->area ? t->area : p->leaf.area);
    h.body = (struct loa_bytes){body, loa__v1__login__pack(&login, body)};
    if (t->bad_body)
        h.body = (struct loa_bytes){(const uint8_t *)"\xff", 1};
    rv = loa_envelope_seal(&h, &by, envelope, sizeof envelope, &len);
    assert(rv == LOA_OK);
    if (t->twice)
        len = sign_again(envelope, len);
    if (t->flip_at != 0)
        envelope[(t->flip_at - 1) % len] ^= 1;
    rv = loa_base64((struct loa_bytes){envelope, len}, out, LOA_PASSWORD_CAP);
    assert(rv == LOA_OK);
}

/* A trust list by p that revokes one serial of the issuer (NULL: nothing). */
__attribute__((unused)) static struct loa_bytes person_trust_list(
    const struct person *p,
    uint64_t number,
    const struct person *issuer,
    uint64_t serial,
    uint8_t *out,
    size_t cap)
{
    Loa__V1__TrustList list = LOA__V1__TRUST_LIST__INIT;
    Loa__V1__Revocation entry = LOA__V1__REVOCATION__INIT, *entries = &entry;
    struct loa_signer by = {&p->key, p->certificates, p->certificates_n};
    struct loa_header h = {.type = LOA_TYPE_TRUST,
                           .message_id = {(uint8_t)number},
                           .issued_at_ms = NOW,
                           .expires_at_ms = NOW + YEAR / 2};
    uint8_t body[256], key[LOA_KEY_BYTES];
    size_t len;
    int rv;

    list.number = number;
    if (issuer != NULL) {
        memcpy(key, issuer->key.public_key, sizeof key);
        entry.issuer = (ProtobufCBinaryData){sizeof key, key};
        entry.serials = &serial;
        entry.n_serials = 1;
        list.revocations = &entries;
        list.n_revocations = 1;
    }
    strcpy(h.area, p->leaf.area);
    h.body = (struct loa_bytes){body, loa__v1__trust_list__pack(&list, body)};
    rv = loa_envelope_seal(&h, &by, out, cap, &len);
    assert(rv == LOA_OK);
    return (struct loa_bytes){out, len};
}

__attribute__((unused)) static struct loa_bytes state_bytes(
    Loa__V1__Presence presence,
    uint8_t out[256])
{
    Loa__V1__State s = LOA__V1__STATE__INIT;

    s.presence = presence;
    s.session = 7;
    return (struct loa_bytes){out, loa__v1__state__pack(&s, out)};
}

#endif /* LOA_TEST_PEOPLE_H */
