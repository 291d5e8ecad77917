/* Who gets in, as what, and for which word others are refused. */

#include <sodium.h>
#include <stdlib.h>

#include "broker-plugins/loa-auth/login.h"
#include "check.h"
#include "people.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
    LAN,
    POLE,
    SCHEDULER,
    DRILLER,
    BRIDGE,
    PROVINCE,
    ENDED,
    FAKE_ENROL,
    ALMOST_ENROL,
    IN_ENROL,
    STRANGER,
    PEOPLE_N
};

static struct {
    struct person root, people[PEOPLE_N];
    struct loa_trust trust;
    struct seen seen;
    struct loa_arena arena;
    _Alignas(16) uint8_t memory[1 << 18];
} * w;

static void make_people(void)
{
    static const uint8_t other_seed[32] = {99};
    struct person other_root = {0}, *p = w->people;
    struct loa_certificate ended = {.role = LOA_ROLE_DEVICE,
                                    .principal = "pole_old",
                                    .area = "vn/08",
                                    .not_after_ms = NOW};

    person_root(&w->root);
    person_issue(&p[PROVINCE], &w->root, 2, &province_body);
    person_make(&p[LAN], &p[PROVINCE], 3, LOA_ROLE_STAFF, "lan", "vn/08/070",
                "", LOA_POWER_COMMAND);
    person_make(&p[POLE], &p[PROVINCE], 4, LOA_ROLE_DEVICE, "pole_1",
                "vn/08/070/02215", "", 0);
    person_make(&p[SCHEDULER], &p[PROVINCE], 5, LOA_ROLE_SERVICE, "sched_08",
                "vn/08", "scheduler", LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    person_make(&p[DRILLER], &w->root, 6, LOA_ROLE_STAFF, "drill", "vn/08", "",
                LOA_POWER_DRILL);
    person_make(&p[BRIDGE], &p[PROVINCE], 7, LOA_ROLE_BRIDGE, "bridge", "vn/08",
                "", 0);
    person_issue(&p[ENDED], &p[PROVINCE], 8, &ended);
    person_make(&p[ALMOST_ENROL], &p[PROVINCE], 9, LOA_ROLE_DEVICE, "enrolx",
                "vn/08", "", 0);
    person_make(&p[FAKE_ENROL], &p[PROVINCE], 12, LOA_ROLE_DEVICE, "enrol_0",
                "vn/08", "", 0);
    person_make(&p[IN_ENROL], &w->root, 10, LOA_ROLE_DEVICE, "pole_2",
                "enrol/x", "", 0);
    loa_key_from_seed(&other_root.key, other_seed);
    person_make(&p[STRANGER], &other_root, 11, LOA_ROLE_STAFF, "stranger",
                "vn/08", "", 0);
    loa_trust_init(&w->trust, w->root.key.public_key);
    loa_arena_init(&w->arena, w->memory, sizeof w->memory);
}

static const char *attempt(const char *user,
                           const char *client_id,
                           const char *password,
                           struct session *s)
{
    struct login_judge judge = {
        {"loa", 120000}, &w->trust, &w->arena, &w->seen};
    struct login_request r = {w, client_id, user, password, NOW};

    return login_judge(&judge, &r, s);
}

static void expect(const char *name, const char *got, const char *want)
{
    if (got == NULL)
        got = "in";
    if (strcmp(got, want) != 0)
        fprintf(stderr, "%s: %s, want %s\n", name, got, want);
    CHECK_INT(name, strcmp(got, want), 0);
}

#define SECOND INT64_C(1000)
/* Longer than a client id or the name of a broker can be. */
#define LONG                              \
    "lan-0123456789012345678901234567890" \
    "0123456789012345678901234567890123456789"

/* clang-format off */
static const struct row {
    const char *name;
    int who;
    const char *user, *client; /* NULL: the principal. */
    struct login_twist twist;
    const char *want;
} rows[] = {
    {"staff",                 LAN,       NULL, NULL,    {0}, "in"},
    {"staff, second client",  LAN,       NULL, "lan-a", {.client_id = "lan-a"}, "in"},
    {"service",               SCHEDULER, NULL, NULL,    {0}, "in"},
    {"device",                POLE,      NULL, NULL,    {0}, "in"},
    {"device with a suffix",  POLE,      NULL, "pole_1-a", {.client_id = "pole_1-a"}, "client-id"},
    {"another's client id",   LAN,       NULL, "pole_1", {.client_id = "pole_1"}, "client-id"},
    {"client id not signed",  LAN,       NULL, "lan-b", {0}, "client-id"},
    {"prefix of a name",      LAN,       NULL, "lanx",  {.client_id = "lanx"}, "client-id"},
    {"wildcard in the id",    LAN,       NULL, "lan-#", {.client_id = "lan-#"}, "client-id"},
    {"slash in the id",       LAN,       NULL, "lan-/", {.client_id = "lan-/"}, "client-id"},
    {"no client id",          LAN,       NULL, "",      {.client_id = "x"}, "client-id"},
    {"another's user name",   LAN,       "pole_1", NULL, {0}, "user-name"},
    {"empty user name",       LAN,       "",   NULL,    {0}, "anonymous"},
    {"another broker",        LAN,       NULL, NULL,    {.broker = "hanoi"}, "wrong-broker"},
    {"another type",          LAN,       NULL, NULL,    {.type = LOA_TYPE_COMMAND}, "wrong-type"},
    {"no certificate",        LAN,       NULL, NULL,    {.no_certificates = true}, "no-certificate"},
    {"authority",             PROVINCE,  NULL, NULL,    {0}, "role"},
    {"bridge",                BRIDGE,    NULL, NULL,    {0}, "role"},
    {"key for drills",        DRILLER,   NULL, NULL,    {0}, "power"},
    {"another root",          STRANGER,  NULL, NULL,    {0}, "no-certificate"},
    {"certificate has ended", ENDED,     NULL, NULL,    {0}, "expired-certificate"},
    {"area outside its own",  LAN,       NULL, NULL,    {.area = "vn/08"}, "area"},
    {"area of enrolment",     IN_ENROL,  NULL, NULL,    {0}, "role"},
    {"name like enrolment's", ALMOST_ENROL, NULL, NULL, {0}, "in"},
    {"name of enrolment",     FAKE_ENROL, NULL, NULL,   {0}, "user-name"},
    {"the same as a user",    FAKE_ENROL, "lan", "lan", {.client_id = "lan"}, "role"},
    {"long client id",        LAN,       NULL, LONG,    {.client_id = LONG}, "client-id"},
    {"long id is signed",     LAN,       NULL, NULL,    {.client_id = LONG}, "malformed"},
    {"long broker",           LAN,       NULL, NULL,    {.broker = LONG}, "malformed"},
    {"signed by two",         LAN,       NULL, NULL,    {.twice = true}, "malformed"},
    {"body is no login",      LAN,       NULL, NULL,    {.bad_body = true}, "malformed"},
    {"clock 2 min behind",    LAN,       NULL, NULL,    {.off_ms = -120 * SECOND}, "in"},
    {"clock 2 min ahead",     LAN,       NULL, NULL,    {.off_ms = 120 * SECOND}, "in"},
    {"clock too far behind",  LAN,       NULL, NULL,    {.off_ms = -121 * SECOND}, "time"},
    {"clock too far ahead",   SCHEDULER, NULL, NULL,    {.off_ms = 121 * SECOND}, "time"},
    {"device of 1970",        POLE,      NULL, NULL,    {.off_ms = 1 - NOW}, "in"},
};
/* clang-format on */

static void test_rows(void)
{
    char password[LOA_PASSWORD_CAP];
    struct session s;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        const struct person *p = &w->people[r->who];
        const char *user = r->user ? r->user : p->leaf.principal;

        person_login(p, &r->twist, (uint8_t)(i + 1), password);
        expect(r->name,
               attempt(user, r->client ? r->client : p->leaf.principal,
                       password, &s),
               r->want);
    }
}

static void test_session_is_what_the_certificate_says(void)
{
    struct login_twist t = {.off_ms = 1};
    char password[LOA_PASSWORD_CAP];
    struct session s;

    person_login(&w->people[SCHEDULER], &t, 100, password);
    expect("login", attempt("sched_08", "sched_08", password, &s), "in");
    CHECK_INT("role", s.who.role, LOA_ROLE_SERVICE);
    CHECK_INT("powers", s.who.powers, LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    CHECK_INT("area", strcmp(s.who.area, "vn/08"), 0);
    CHECK_INT("service", strcmp(s.who.service, "scheduler"), 0);
    CHECK_INT("limited", s.who.limited, false);
    CHECK_INT("rows", s.who.rows != 0, true);
    CHECK_INT("links", s.links_n, 2);
    CHECK_INT("leaf", s.links[0].serial, 5);
    CHECK_INT("province", s.links[1].serial, 2);
    CHECK_INT("depth", s.links[0].area_depth, 2);
    CHECK_INT("issuer",
              memcmp(s.links[0].issuer, w->people[PROVINCE].key.public_key,
                     LOA_KEY_BYTES),
              0);
    CHECK_INT("ends", s.not_after_ms == NOW + YEAR, true);

    t.off_ms = -2 * YEAR;
    person_login(&w->people[POLE], &t, 101, password);
    expect("no clock", attempt("pole_1", "pole_1", password, &s), "in");
    CHECK_INT("limited", s.who.limited, true);
}

static void test_login_is_used_up(void)
{
    struct login_twist t = {0};
    char password[LOA_PASSWORD_CAP];
    struct session s;

    person_login(&w->people[LAN], &t, 102, password);
    expect("first", attempt("lan", "lan", password, &s), "in");
    expect("second", attempt("lan", "lan", password, &s), "repeated");
}

static void test_every_changed_byte_is_refused(void)
{
    struct login_twist t = {.flip_at = 1};
    char password[LOA_PASSWORD_CAP];
    struct session s;
    size_t len;

    person_login(&w->people[LAN], &t, 103, password);
    len = strlen(password) * 3 / 4;
    for (; t.flip_at <= len; t.flip_at++) {
        person_login(&w->people[LAN], &t, 103, password);
        CHECK_INT("flipped", attempt("lan", "lan", password, &s) != NULL, true);
    }
    /* And the last refusal used nothing up. */
    t.flip_at = 0;
    person_login(&w->people[LAN], &t, 103, password);
    expect("whole", attempt("lan", "lan", password, &s), "in");
}

static void test_malformed(void)
{
    static char longest[LOGIN_PASSWORD_LEN_MAX + 2];
    struct session s;

    expect("empty", attempt("lan", "lan", "", &s), "malformed");
    expect("none", attempt("lan", "lan", NULL, &s), "no-password");
    expect("no user", attempt(NULL, "lan", "AAAA", &s), "anonymous");
    expect("no client id", attempt("lan", NULL, "AAAA", &s), "client-id");
    expect("padded", attempt("lan", "lan", "AAA=", &s), "malformed");
    expect("nothing", attempt("lan", "lan", "AAAA", &s), "malformed");
    memset(longest, 'A', sizeof longest - 2);
    expect("long", attempt("lan", "lan", longest, &s), "malformed");
    memset(longest, 'A', sizeof longest - 1);
    expect("too long", attempt("lan", "lan", longest, &s), "malformed");
}

/* Two certificates of one key: which one would a revocation hit? */
static void test_ambiguous_chain(void)
{
    struct person twice = w->people[LAN], again;
    struct login_twist t = {0};
    char password[LOA_PASSWORD_CAP];
    struct session s;

    person_make(&again, &w->people[PROVINCE], 3, LOA_ROLE_STAFF, "lan",
                "vn/08/070", "", 0);
    twice.certificates[twice.certificates_n++] = again.certificates[0];
    person_login(&twice, &t, 104, password);
    expect("two", attempt("lan", "lan", password, &s), "ambiguous-chain");
}

static void test_revoked_at_login(void)
{
    uint8_t bytes[2048], memory[16384];
    struct loa_arena arena;
    struct loa_envelope e;
    struct person registry;
    struct login_twist t = {0};
    char password[LOA_PASSWORD_CAP];
    struct session s;

    person_make(&registry, &w->people[PROVINCE], 20, LOA_ROLE_SERVICE, "reg",
                "vn/08", "registry", LOA_POWER_REVOKE);
    loa_arena_init(&arena, memory, sizeof memory);
    CHECK_INT(
        "parse",
        loa_envelope_parse(&arena,
                           person_trust_list(&registry, 1, &w->people[PROVINCE],
                                             3, bytes, sizeof bytes),
                           &e),
        LOA_OK);
    CHECK_INT("update", loa_trust_update(&w->trust, &e, NOW, true),
              LOA_VERDICT_OK);
    person_login(&w->people[LAN], &t, 105, password);
    expect("revoked", attempt("lan", "lan", password, &s), "revoked");
    person_login(&w->people[POLE], &t, 106, password);
    expect("another", attempt("pole_1", "pole_1", password, &s), "in");
}

static void test_enrolling(void)
{
    struct person fresh = {0};
    uint8_t seed[32] = {77};
    struct login_twist t = {.area = "enrol", .no_certificates = true};
    char password[LOA_PASSWORD_CAP], name[LOA_PRINCIPAL_CAP];
    struct session s;

    loa_key_from_seed(&fresh.key, seed);
    strcpy(name, LOA_ENROL_PREFIX);
    loa_hex(fresh.key.public_key, 12, name + strlen(name));
    t.client_id = name;
    person_login(&fresh, &t, 1, password);
    expect("enrolling", attempt(name, name, password, &s), "in");
    CHECK_INT("role", s.who.role, RIGHTS_ROLE_ENROLLING);
    CHECK_INT("area", strcmp(s.who.area, "enrol"), 0);
    CHECK_INT("ends", s.not_after_ms == NOW + LOGIN_ENROL_MS, true);
    expect("again", attempt(name, name, password, &s), "in");

    t.off_ms = 1 - NOW;
    person_login(&fresh, &t, 2, password);
    expect("without a clock", attempt(name, name, password, &s), "in");

    /* The name of another key. */
    name[strlen(name) - 1] ^= 1;
    person_login(&fresh, &t, 3, password);
    expect("another's", attempt(name, name, password, &s), "user-name");
    name[strlen(name) - 1] ^= 1;

    t.client_id = "enrol_other";
    person_login(&fresh, &t, 4, password);
    expect("client id", attempt(name, "enrol_other", password, &s),
           "client-id");

    /* With a chain it is no enrolment. */
    fresh.certificates[0] = w->people[LAN].certificates[0];
    fresh.certificates_n = 1;
    t = (struct login_twist){.area = "enrol", .client_id = name};
    person_login(&fresh, &t, 5, password);
    expect("with a chain", attempt(name, name, password, &s), "bad-signature");

    t = (struct login_twist){.area = "enrol",
                             .client_id = name,
                             .no_certificates = true,
                             .flip_at = 10};
    person_login(&fresh, &t, 6, password);
    CHECK_INT("flipped", attempt(name, name, password, &s) != NULL, true);
}

int main(void)
{
    if (sodium_init() < 0 || (w = calloc(1, sizeof *w)) == NULL)
        return 1;
    make_people();
    test_rows();
    test_session_is_what_the_certificate_says();
    test_login_is_used_up();
    test_every_changed_byte_is_refused();
    test_malformed();
    test_ambiguous_chain();
    test_enrolling();
    test_revoked_at_login();
    free(w);
    return CHECK_DONE();
}
