/* First boot: which answers make a device what it is. */

#include "check.h"
#include "loa/v1/registry.pb-c.h"
#include "proto/enrol.h"
#include "speaker/enrol.h"
#include "town.h"

#define CODE "8GKP-3VHB-0ZN4-QYTM"

static struct town town;
static struct loa_identity id;
static struct loa_trust trust;
static struct letter l;
static _Alignas(16) uint8_t scratch[256 * 1024];
static char why[ENROL_WHY_CAP];

/* How an answer differs from the right one. */
struct row {
    const char *name;
    const char *code; /* That the registry knows. */
    const struct person *by;
    const struct person *root; /* That it names. */
    const char *principal;
    enum loa_role role;
    uint8_t key; /* 1: for another key. */
    bool refused, no_certificates, garbage, clockless;
    bool pinned_other;
    int want;
    const char *sentence;
};

static void seal_answer(const struct row *r)
{
    Loa__V1__RegistryAnswer a = LOA__V1__REGISTRY_ANSWER__INIT;
    Loa__V1__Status status = LOA__V1__STATUS__INIT;
    Loa__V1__Enrolment e = LOA__V1__ENROLMENT__INIT;
    ProtobufCBinaryData certificates[2];
    struct loa_certificate c = {.role = r->role, .serial = 77};
    uint8_t key[LOA_HASH_BYTES], proof[LOA_HASH_BYTES], body[4096];
    uint8_t store[LOA_CERTIFICATE_BYTES_MAX], enrolment[2048];
    size_t len;
    int rv = loa_enrol_key(r->code, key);

    assert(rv == LOA_OK);
    strcpy(c.principal, r->principal);
    strcpy(c.area, OWN);
    memcpy(c.subject, id.key.public_key, LOA_KEY_BYTES);
    c.subject[0] ^= r->key;
    c.not_before_ms = T0 - DAY;
    c.not_after_ms = T0 + 100 * DAY;
    rv = loa_certificate_issue(&c, &town.province.key, store, sizeof store,
                               &len);
    assert(rv == LOA_OK);
    certificates[0] = bin(store, len);
    certificates[1] = bin(town.province.certificates[0].data,
                          town.province.certificates[0].len);
    e.certificates = certificates;
    e.n_certificates = r->no_certificates ? 0 : 2;
    e.root = bin(r->root->key.public_key, LOA_KEY_BYTES);
    loa_enrolled_proof(key, id.key.public_key, r->root->key.public_key, proof);
    e.proof = bin(proof, sizeof proof);
    len = loa__v1__enrolment__pack(&e, enrolment);
    a.enrolment = bin(enrolment, r->garbage ? 5 : len);
    if (r->refused) {
        a.status = &status;
        status.code = LOA__V1__STATUS__CODE__CODE_EXPIRED;
        status.text_vi = (char *)(uintptr_t) "Mã đã hết hạn.";
        status.text_en = (char *)(uintptr_t) "The code has expired.";
    }
    len = loa__v1__registry_answer__pack(&a, body);
    seal(&town, LOA_TYPE_REGISTRY_ANSWER, r->by, (struct loa_bytes){body, len},
         &(struct twist){.area = "vn/08", .valid_ms = HOUR}, T0, &l);
}

static void fresh_identity(const struct row *r)
{
    uint8_t seed[32] = {0x77};

    memset(&id, 0, sizeof id);
    memcpy(id.seed, seed, sizeof seed);
    loa_key_from_seed(&id.key, seed);
    id.root_known = true;
    memcpy(
        id.root,
        r->pinned_other ? town.second.key.public_key : town.root.key.public_key,
        LOA_KEY_BYTES);
}

static void test_answers(void)
{
    static struct person evil;
    static const struct person *const good = &town.registry;
    static const struct person *const root = &town.root;
    const struct row rows[] = {
        {.name = "right", .want = LOA_OK},
        {.name = "right, without a clock", .clockless = true, .want = LOA_OK},
        {.name = "refused",
         .refused = true,
         .want = LOA_EACCES,
         .sentence = "The code has expired."},
        {.name = "does not know the code",
         .code = "0000-0000-0000-0000",
         .want = LOA_EACCES,
         .sentence = "does not know the code"},
        {.name = "another root",
         .root = &evil,
         .want = LOA_EACCES,
         .sentence = "another root"},
        {.name = "pinned otherwise",
         .pinned_other = true,
         .want = LOA_EACCES,
         .sentence = "another root"},
        {.name = "signed by a stranger",
         .by = &evil,
         .want = LOA_EACCES,
         .sentence = "not the registry's"},
        {.name = "signed by another service",
         .by = &town.scheduler,
         .want = LOA_EACCES,
         .sentence = "not the registry's"},
        {.name = "for another device",
         .principal = "pole_2",
         .want = LOA_EACCES,
         .sentence = "another device"},
        {.name = "as a staff member",
         .role = LOA_ROLE_STAFF,
         .want = LOA_EACCES,
         .sentence = "another device"},
        {.name = "for another key",
         .key = 1,
         .want = LOA_EACCES,
         .sentence = "certificate is no good"},
        {.name = "no certificates",
         .no_certificates = true,
         .want = LOA_EACCES,
         .sentence = "malformed"},
        {.name = "garbage",
         .garbage = true,
         .want = LOA_EACCES,
         .sentence = "malformed"},
    };

    person_make(&evil, &town.root, 99, LOA_ROLE_SERVICE, "evil", "vn/08",
                "registry", 0);
    evil.certificates_n = 0; /* A key that nobody certified. */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row r = rows[i];
        struct loa_arena arena;
        struct enrol e;
        int rv;

        r.code = r.code != NULL ? r.code : CODE;
        r.by = r.by != NULL ? r.by : good;
        r.root = r.root != NULL ? r.root : root;
        r.principal = r.principal != NULL ? r.principal : "pole_1";
        r.role = r.role != 0 ? r.role : LOA_ROLE_DEVICE;
        fresh_identity(&r);
        CHECK_INT("init",
                  enrol_init(&e, &id, "8gkp3vhb0zn4qytm", "pole_1", "SN-1",
                             "loa", why),
                  LOA_OK);
        seal_answer(&r);
        loa_arena_init(&arena, scratch, sizeof scratch);
        why[0] = '\0';
        rv = enrol_answer(&e, &id, &arena, &trust,
                          (struct loa_bytes){l.data, l.len},
                          r.clockless ? 5 : T0 + SECOND, !r.clockless, why);
        CHECK_INT(r.name, rv, r.want);
        CHECK_INT(r.name, r.sentence == NULL || strstr(why, r.sentence) != NULL,
                  1);
        CHECK_INT(r.name, id.certificates_n, r.want == LOA_OK ? 2 : 0);
        if (rv == LOA_OK) {
            CHECK_INT("area", strcmp(id.leaf.area, OWN), 0);
            CHECK_INT("root", memcmp(id.root, town.root.key.public_key, 32), 0);
        }
    }
}

static void test_nonsense(void)
{
    struct row r = {.code = CODE};
    struct loa_arena arena;
    struct enrol e;

    fresh_identity(&r);
    CHECK_INT("not a code",
              enrol_init(&e, &id, "8GKP-3VHB", "pole_1", "SN-1", "loa", why),
              LOA_EINVAL);
    CHECK_INT("says so", strstr(why, "XXXX") != NULL, 1);
    CHECK_INT("init", enrol_init(&e, &id, CODE, "pole_1", "SN-1", "loa", why),
              LOA_OK);
    for (size_t len = 0; len < 200; len++) {
        for (size_t i = 0; i < len; i++)
            l.data[i] = (uint8_t)(i * 37 + len);
        loa_arena_init(&arena, scratch, sizeof scratch);
        CHECK_INT("nonsense",
                  enrol_answer(&e, &id, &arena, &trust,
                               (struct loa_bytes){l.data, len}, T0, true, why),
                  LOA_EACCES);
    }
}

static void test_request(void)
{
    struct row r = {.code = CODE};
    uint8_t message_id[LOA_ID_BYTES] = {1}, buf[2048], proof[LOA_HASH_BYTES];
    uint8_t small[100];
    Loa__V1__EnrolRequest *m;
    struct loa_arena arena;
    struct loa_envelope env;
    struct enrol e;
    size_t len;

    fresh_identity(&r);
    CHECK_INT("init", enrol_init(&e, &id, CODE, "pole_1", "SN-1", "loa", why),
              LOA_OK);
    CHECK_INT("principal", strncmp(e.principal, "enrol_", 6), 0);
    CHECK_INT("request",
              enrol_request(&e, &id, message_id, T0, buf, sizeof buf, &len),
              LOA_OK);
    loa_arena_init(&arena, scratch, sizeof scratch);
    CHECK_INT("envelope",
              loa_envelope_parse(&arena, (struct loa_bytes){buf, len}, &env),
              LOA_OK);
    CHECK_INT("signed by itself", loa_envelope_self_signed(&env), 1);
    m = loa__v1__enrol_request__unpack(&arena.allocator, env.header.body.len,
                                       env.header.body.data);
    CHECK_INT("body", m != NULL, 1);
    CHECK_INT(
        "proof",
        loa_enrol_proof(e.code_key, "pole_1", "SN-1", id.key.public_key, proof),
        LOA_OK);
    CHECK_INT("proof", memcmp(m->proof.data, proof, sizeof proof), 0);
    CHECK_INT("no room",
              enrol_request(&e, &id, message_id, T0, small, sizeof small, &len),
              LOA_ENOSPC);
    memset(small, 'x', sizeof small - 1);
    small[99] = '\0';
    e.serial = (const char *)small;
    CHECK_INT("serial too long",
              enrol_request(&e, &id, message_id, T0, buf, sizeof buf, &len),
              LOA_EINVAL);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    town_init(&town);
    test_answers();
    test_nonsense();
    test_request();
    return CHECK_DONE();
}
