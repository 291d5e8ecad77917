/* Certificates: what is issued is what is parsed, and every field that is out
 * of its range is refused both ways. */

#include <sodium.h>

#include "check.h"
#include "loa/v1/envelope.pb-c.h"
#include "world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static _Alignas(max_align_t) uint8_t room[2048];
static struct loa_arena arena;

static int parse(struct loa_bytes p, struct loa_certificate *c)
{
    loa_arena_init(&arena, room, sizeof room);
    return loa_certificate_parse(&arena, p, c);
}

/* --- there and back ------------------------------------------------------- */

static void test_round(void)
{
    struct world w;
    struct loa_certificate c;

    world_init(&w);
    strcpy(w.signer.c.name, "Nguyễn Thị Lan, phường Lê Lợi");
    w.signer.c.serial = UINT64_MAX;
    w.signer.c.not_after_ms = INT64_MAX;
    actor_issue(&w.signer, &w.commune.key);
    CHECK_INT("parse", parse(w.signer.cert, &c), LOA_OK);
    CHECK_INT("issuer",
              memcmp(c.issuer, w.commune.key.public_key, LOA_KEY_BYTES), 0);
    CHECK_INT("subject",
              memcmp(c.subject, w.signer.key.public_key, LOA_KEY_BYTES), 0);
    CHECK_INT("signature",
              loa_sign_verify(c.issuer, "certificate", c.body, c.signature), 1);
    c.body = (struct loa_bytes){NULL, 0};
    c.signature = NULL;
    CHECK_INT("serial", c.serial == UINT64_MAX, 1);
    CHECK_INT("principal", strcmp(c.principal, "lan"), 0);
    CHECK_INT("name", strcmp(c.name, w.signer.c.name), 0);
    CHECK_INT("role", c.role, LOA_ROLE_STAFF);
    CHECK_INT("service", c.service[0], 0);
    CHECK_INT("area", strcmp(c.area, "vn/08/070"), 0);
    CHECK_INT("powers", c.powers, WORLD_POWERS);
    CHECK_INT("depth", c.max_depth, 0);
    CHECK_INT("from", c.not_before_ms, w.signer.c.not_before_ms);
    CHECK_INT("to", c.not_after_ms, INT64_MAX);
}

/* The longest certificate that can be made fits every bound. */
static void test_longest(void)
{
    struct world w;
    struct loa_certificate *s = &w.signer.c, c;
    size_t len;

    world_init(&w);
    memset(s->principal, 'p', sizeof s->principal - 1);
    memset(s->name, 'n', sizeof s->name - 1);
    memset(s->service, 's', sizeof s->service - 1);
    memset(s->area, 'a', sizeof s->area - 1);
    for (size_t i = 16; i < sizeof s->area - 1; i += 17)
        s->area[i] = '/';
    s->role = LOA_ROLE_SERVICE;
    s->serial = UINT64_MAX;
    s->powers = LOA_POWERS_ALL;
    s->max_depth = 7;
    s->not_before_ms = INT64_MAX - 1;
    s->not_after_ms = INT64_MAX;
    actor_issue(&w.signer, &w.commune.key);
    CHECK_INT("parse", parse(w.signer.cert, &c), LOA_OK);
    CHECK_INT("area", strcmp(c.area, s->area), 0);
    len = w.signer.cert.len;
    CHECK_INT(
        "no room",
        loa_certificate_issue(s, &w.commune.key, w.signer.bytes, len - 1, &len),
        LOA_ENOSPC);
    CHECK_INT(
        "just room",
        loa_certificate_issue(s, &w.commune.key, w.signer.bytes, len, &len),
        LOA_OK);
}

/* --- every field out of its range ----------------------------------------- */

/* A body as protobuf-c has it, so that what our own issuing refuses can be
 * signed all the same. */
static void body_init(Loa__V1__CertificateBody *b)
{
    static uint8_t key[LOA_KEY_BYTES] = {1};

    loa__v1__certificate_body__init(b);
    b->version = 1;
    b->algorithm = 1;
    b->serial = 1;
    b->issuer = (ProtobufCBinaryData){sizeof key, key};
    b->subject = b->issuer;
    b->principal = "lan";
    b->name = "Lan";
    b->role = LOA__V1__ROLE__ROLE_STAFF;
    b->area = "vn";
    b->not_before_ms = 1;
    b->not_after_ms = 2;
}

static int parse_body(const Loa__V1__CertificateBody *b)
{
    uint8_t body[1024], cert[1200], signature[LOA_SIGNATURE_BYTES] = {0};
    Loa__V1__Certificate m = LOA__V1__CERTIFICATE__INIT;
    struct loa_certificate c;

    m.body.data = body;
    m.body.len = loa__v1__certificate_body__pack(b, body);
    m.signature = (ProtobufCBinaryData){sizeof signature, signature};
    return parse((struct loa_bytes){cert, loa__v1__certificate__pack(&m, cert)},
                 &c);
}

#define LONG_NAME                                                      \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123"

#define WITH(field, value, rv)                            \
    do {                                                  \
        Loa__V1__CertificateBody b;                       \
        body_init(&b);                                    \
        b.field = value;                                  \
        CHECK_INT(#field " " #value, parse_body(&b), rv); \
    } while (0)

static void test_fields(void)
{
    WITH(version, 1, LOA_OK);
    WITH(version, 0, LOA_EINVAL);
    WITH(version, 2, LOA_EINVAL);
    WITH(algorithm, 0, LOA_EINVAL);
    WITH(algorithm, 2, LOA_EINVAL);
    WITH(issuer.len, 31, LOA_EINVAL);
    WITH(issuer.len, 0, LOA_EINVAL);
    WITH(subject.len, 31, LOA_EINVAL);
    WITH(principal, "", LOA_EINVAL);
    WITH(principal, "a-b", LOA_EINVAL);
    WITH(principal, "#", LOA_EINVAL);
    WITH(principal, "012345678901234567890123456789012", LOA_EINVAL);
    WITH(name, "", LOA_OK);
    WITH(name, "Lộc Hà", LOA_OK);
    WITH(name, "a\nb", LOA_EINVAL);
    WITH(name, "\xc3", LOA_EINVAL);
    WITH(name, LONG_NAME, LOA_OK);
    WITH(name, LONG_NAME "x", LOA_EINVAL);
    WITH(role, LOA__V1__ROLE__ROLE_AUTHORITY, LOA_OK);
    WITH(role, LOA__V1__ROLE__ROLE_BRIDGE, LOA_OK);
    WITH(role, LOA__V1__ROLE__ROLE_UNSPECIFIED, LOA_EINVAL);
    WITH(role, (Loa__V1__Role)6, LOA_EINVAL);
    WITH(role, (Loa__V1__Role)-1, LOA_EINVAL);
    WITH(role, LOA__V1__ROLE__ROLE_SERVICE, LOA_EINVAL);
    WITH(service, "scheduler", LOA_EINVAL);
    WITH(service, "0123456789012345678901234", LOA_EINVAL);
    WITH(area, "", LOA_EINVAL);
    WITH(area, "vn/", LOA_EINVAL);
    WITH(area, "vn/#", LOA_EINVAL);
    WITH(area, LONG_NAME LONG_NAME, LOA_EINVAL);
    WITH(powers, 2047, LOA_OK);
    WITH(powers, 2048, LOA_EINVAL);
    WITH(powers, 0xffffffff, LOA_EINVAL);
    WITH(max_depth, 7, LOA_OK);
    WITH(max_depth, 8, LOA_EINVAL);
    WITH(not_before_ms, -1, LOA_EINVAL);
    WITH(not_before_ms, 2, LOA_EINVAL);
    WITH(not_after_ms, 1, LOA_EINVAL);
    WITH(not_after_ms, -1, LOA_EINVAL);
}

static void test_service(void)
{
    Loa__V1__CertificateBody b;

    body_init(&b);
    b.role = LOA__V1__ROLE__ROLE_SERVICE;
    b.service = "scheduler";
    CHECK_INT("service", parse_body(&b), LOA_OK);
    b.service = "Scheduler";
    CHECK_INT("malformed service", parse_body(&b), LOA_EINVAL);
}

static void test_not_issued(void)
{
    struct world w;
    size_t len;

    world_init(&w);
    w.signer.c.powers = 4096;
    CHECK_INT("powers",
              loa_certificate_issue(&w.signer.c, &w.root, w.signer.bytes,
                                    sizeof w.signer.bytes, &len),
              LOA_EINVAL);
}

/* --- the outer layer ------------------------------------------------------ */

static void test_outer(void)
{
    static uint8_t junk[LOA_CERTIFICATE_BYTES_MAX + 1], small[32];
    struct world w;
    struct loa_certificate c;
    struct loa_bytes p;
    struct loa_arena tiny;
    Loa__V1__Certificate m = LOA__V1__CERTIFICATE__INIT;
    uint8_t out[1024];

    world_init(&w);
    p = w.signer.cert;
    CHECK_INT("empty", parse((struct loa_bytes){p.data, 0}, &c), LOA_EINVAL);
    CHECK_INT("too long", parse((struct loa_bytes){junk, sizeof junk}, &c),
              LOA_EINVAL);
    for (size_t len = 0; len < p.len; len++)
        CHECK_INT("cut", parse((struct loa_bytes){p.data, len}, &c),
                  LOA_EINVAL);

    m.body = (ProtobufCBinaryData){513, junk};
    m.signature = (ProtobufCBinaryData){LOA_SIGNATURE_BYTES, junk};
    p = (struct loa_bytes){out, loa__v1__certificate__pack(&m, out)};
    CHECK_INT("long body", parse(p, &c), LOA_EINVAL);
    m.body.len = 16;
    p.len = loa__v1__certificate__pack(&m, out);
    CHECK_INT("no body", parse(p, &c), LOA_EINVAL);
    m.body.len = 0;
    p.len = loa__v1__certificate__pack(&m, out);
    CHECK_INT("empty body", parse(p, &c), LOA_EINVAL);
    m.signature.len = 63;
    p.len = loa__v1__certificate__pack(&m, out);
    CHECK_INT("short signature", parse(p, &c), LOA_EINVAL);

    loa_arena_init(&tiny, small, sizeof small);
    CHECK_INT("no room", loa_certificate_parse(&tiny, w.signer.cert, &c),
              LOA_ENOSPC);
    loa_arena_init(&tiny, room, 400);
    CHECK_INT("no room for the body",
              loa_certificate_parse(&tiny, w.signer.cert, &c), LOA_ENOSPC);
}

/* --- words ---------------------------------------------------------------- */

static const struct {
    const char *text;
    int rv;
    uint32_t powers;
    const char *back;
} words[] = {
    {"none", LOA_OK, 0, "none"},
    {"all", LOA_OK, LOA_POWERS_ALL,
     "emergency-originate,emergency-approve,live,schedule,content-approve,"
     "command,config,delegate,revoke,time,drill"},
    {"schedule", LOA_OK, LOA_POWER_SCHEDULE, "schedule"},
    {"time,schedule,time", LOA_OK, LOA_POWER_SCHEDULE | LOA_POWER_TIME,
     "schedule,time"},
    {"drill,none", LOA_OK, LOA_POWER_DRILL, "drill"},
    {"", LOA_EINVAL, 0, NULL},
    {"schedul", LOA_EINVAL, 0, NULL},
    {"schedules", LOA_EINVAL, 0, NULL},
    {"Schedule", LOA_EINVAL, 0, NULL},
    {"schedule,", LOA_EINVAL, 0, NULL},
    {",schedule", LOA_EINVAL, 0, NULL},
    {"schedule, time", LOA_EINVAL, 0, NULL},
};

static void test_words(void)
{
    char buf[160];
    uint32_t powers;
    enum loa_role role;

    for (size_t i = 0; i < N(words); i++) {
        CHECK_INT(words[i].text, loa_powers_parse(words[i].text, &powers),
                  words[i].rv);
        if (words[i].rv != LOA_OK)
            continue;
        CHECK_INT(words[i].text, powers, words[i].powers);
        loa_powers_format(powers, buf, sizeof buf);
        CHECK_INT(words[i].text, strcmp(buf, words[i].back), 0);
    }
    loa_powers_format(LOA_POWERS_ALL, buf, 24);
    CHECK_INT("cut short, ended", strlen(buf), 23);

    for (int r = LOA_ROLE_AUTHORITY; r <= LOA_ROLE_BRIDGE; r++) {
        const char *name = loa_role_name((enum loa_role)r);
        CHECK_INT(name, loa_role_parse(name, &role), LOA_OK);
        CHECK_INT(name, role, r);
    }
    CHECK_INT("no role", loa_role_parse("citizen", &role), LOA_EINVAL);
    CHECK_INT("no role", strcmp(loa_role_name((enum loa_role)0), "unknown"), 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_round();
    test_longest();
    test_fields();
    test_service();
    test_not_issued();
    test_outer();
    test_words();
    return CHECK_DONE();
}
