/* Who may say what, where and when: the policy row by row, against a table that
 * was written from the messages' own comments and not from trust.c. */

#include <sodium.h>

#include "check.h"
#include "world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct loa_trust trust;
static struct letter letter;

static enum loa_verdict verify(const struct world *w,
                               const struct loa_expect *want,
                               struct loa_identity_claim *who)
{
    loa_trust_init(&trust, w->root.public_key);
    return loa_trust_verify(&trust, &letter.e, want, who);
}

/* --- every type with every role, service and power ------------------------ */

/* clang-format off */
static const struct policy {
    enum loa_type type;
    const char *roles;    /* a s v d b: authority, staff, service, device, bridge. */
    const char *service;  /* NULL: any. */
    uint32_t powers;
    uint32_t barred;
} policies[] = {
    {LOA_TYPE_CERTIFICATE,       "",     NULL, 0, 0},
    {LOA_TYPE_LOGIN,             "svdb", NULL, 0, 0},
    {LOA_TYPE_APPROVAL,          "s",    NULL, LOA_POWER_CONTENT_APPROVE, 0},
    {LOA_TYPE_PROGRAMME,         "sv",   "scheduler", LOA_POWER_SCHEDULE, LOA_POWER_CONTENT_APPROVE},
    {LOA_TYPE_HEAD,              "v",    "scheduler", LOA_POWER_SCHEDULE | LOA_POWER_TIME, 0},
    {LOA_TYPE_COMMAND,           "sv",   NULL, LOA_POWER_COMMAND, 0},
    {LOA_TYPE_TRUST,             "sv",   "registry", LOA_POWER_REVOKE, 0},
    {LOA_TYPE_RECEIPTS,          "d",    NULL, 0, 0},
    {LOA_TYPE_ACK,               "v",    "telemetry-collector", 0, 0},
    {LOA_TYPE_PACKET,            "",     NULL, 0, 0},
    {LOA_TYPE_ENROL,             "",     NULL, 0, 0},
    {LOA_TYPE_REGISTRY_REQUEST,  "sv",   NULL, 0, 0},
    {LOA_TYPE_REGISTRY_ANSWER,   "v",    "registry", LOA_POWER_REVOKE, 0},
    {LOA_TYPE_CONTENT_REQUEST,   "sv",   NULL, 0, 0},
    {LOA_TYPE_CONTENT_ANSWER,    "v",    "content-ingest", 0, 0},
    {LOA_TYPE_SCHEDULER_REQUEST, "sv",   NULL, 0, 0},
    {LOA_TYPE_SCHEDULER_ANSWER,  "v",    "scheduler", LOA_POWER_SCHEDULE, 0},
    {LOA_TYPE_TELEMETRY_REQUEST, "sv",   NULL, 0, 0},
    {LOA_TYPE_TELEMETRY_ANSWER,  "v",    "telemetry-collector", 0, 0},
    {(enum loa_type)0,           "",     NULL, 0, 0},
    {(enum loa_type)12,          "",     NULL, 0, 0},
    {(enum loa_type)28,          "",     NULL, 0, 0},
    {(enum loa_type)1000,        "",     NULL, 0, 0},
};

static const char *const services[] = {
    "registry", "content-ingest", "scheduler", "telemetry-collector", "other",
};
/* clang-format on */

static enum loa_verdict policy_says(const struct policy *p,
                                    const struct loa_certificate *c)
{
    if (p->roles[0] == '\0')
        return LOA_VERDICT_WRONG_TYPE;
    if (strchr(p->roles, "?asvdb"[c->role]) == NULL)
        return LOA_VERDICT_ROLE;
    if (c->role == LOA_ROLE_SERVICE && p->service != NULL &&
        strcmp(c->service, p->service) != 0)
        return LOA_VERDICT_ROLE;
    if ((c->powers & LOA_POWER_DRILL) != 0 || (c->powers & p->barred) != 0)
        return LOA_VERDICT_POWER;
    for (uint32_t bit = 1; bit < LOA_POWERS_ALL; bit *= 2) {
        if ((p->powers & bit) != 0 && (c->powers & bit) == 0)
            return LOA_VERDICT_POWER;
    }
    return LOA_VERDICT_OK;
}

static void check_policy(struct world *w, const struct policy *p)
{
    char name[128];
    struct loa_expect want = {
        .type = p->type, .now_ms = WORLD_NOW_MS, .time_trusted = true};
    const struct loa_certificate *c = &w->signer.c;
    /* Types that no envelope can have are put behind the seal. */
    bool sealable = p->roles[0] != '\0';
    struct loa_header h =
        world_header(sealable ? p->type : LOA_TYPE_COMMAND, "vn/08/070");

    world_issue(w);
    world_seal(w, &h, &letter);
    letter.e.header.type = p->type;
    (void)snprintf(name, sizeof name, "type %d role %s service '%s' powers %x",
                   (int)p->type, loa_role_name(c->role), c->service, c->powers);
    CHECK_INT(name, verify(w, &want, NULL), policy_says(p, c));
}

static void check_powers(struct world *w, const struct policy *p)
{
    uint32_t sets[] = {0, p->powers, WORLD_POWERS, LOA_POWERS_ALL,
                       WORLD_POWERS & ~p->barred};

    for (size_t i = 0; i < N(sets); i++) {
        w->signer.c.powers = sets[i];
        check_policy(w, p);
    }
    for (uint32_t bit = 1; bit < LOA_POWERS_ALL; bit *= 2) {
        w->signer.c.powers = WORLD_POWERS & ~bit;
        check_policy(w, p);
    }
}

static void test_policy(void)
{
    struct world w;

    world_init(&w);
    for (size_t i = 0; i < N(policies); i++) {
        for (int role = LOA_ROLE_AUTHORITY; role <= LOA_ROLE_BRIDGE; role++) {
            w.signer.c.role = (enum loa_role)role;
            w.signer.c.service[0] = '\0';
            if (role != LOA_ROLE_SERVICE) {
                check_powers(&w, &policies[i]);
                continue;
            }
            for (size_t k = 0; k < N(services); k++) {
                strcpy(w.signer.c.service, services[k]);
                check_powers(&w, &policies[i]);
            }
        }
    }
}

/* --- areas and times -------------------------------------------------------
 */

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* clang-format off */
static const struct row {
    const char *name;
    enum loa_type type;
    const char *area;         /* Of the message; the signer's is vn/08/070. */
    const char *receiver;
    const char *signer_area;
    int64_t issued_ms;        /* From now on. */
    int64_t expires_ms;
    bool no_time;
    enum loa_verdict verdict;
} rows[] = {
    {"plain",              LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, -1, MINUTE, false, LOA_VERDICT_OK},
    {"below the signer",   LOA_TYPE_COMMAND, "vn/08/070/02215", NULL, NULL, -1, MINUTE, false, LOA_VERDICT_OK},
    {"above the signer",   LOA_TYPE_COMMAND, "vn/08", NULL, NULL, -1, MINUTE, false, LOA_VERDICT_AREA},
    {"beside the signer",  LOA_TYPE_COMMAND, "vn/08/071", NULL, NULL, -1, MINUTE, false, LOA_VERDICT_AREA},
    {"only a prefix",      LOA_TYPE_COMMAND, "vn/08/0700", NULL, NULL, -1, MINUTE, false, LOA_VERDICT_AREA},
    {"for us",             LOA_TYPE_COMMAND, "vn/08/070", "vn/08/070/02215", NULL, -1, MINUTE, false, LOA_VERDICT_OK},
    {"for us exactly",     LOA_TYPE_COMMAND, "vn/08/070", "vn/08/070", NULL, -1, MINUTE, false, LOA_VERDICT_OK},
    {"for another",        LOA_TYPE_COMMAND, "vn/08/070/02215", "vn/08/070/02216", NULL, -1, MINUTE, false, LOA_VERDICT_NOT_FOR_US},
    {"for one below us",   LOA_TYPE_COMMAND, "vn/08/070/02215", "vn/08/070", NULL, -1, MINUTE, false, LOA_VERDICT_NOT_FOR_US},
    {"signer holds ours",  LOA_TYPE_COMMAND, "vn/08/070/02215", NULL, "vn/08/070/02216", -1, MINUTE, false, LOA_VERDICT_OK},
    {"signer does not",    LOA_TYPE_COMMAND, "vn/08/070", NULL, "vn/08", -1, MINUTE, false, LOA_VERDICT_AREA},
    {"area before time",   LOA_TYPE_COMMAND, "vn/08", NULL, NULL, -2, -1, false, LOA_VERDICT_AREA},

    {"just issued",        LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, 0, MINUTE, false, LOA_VERDICT_OK},
    {"skew is allowed",    LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, LOA_SKEW_MS, HOUR, false, LOA_VERDICT_OK},
    {"one ms too far",     LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, LOA_SKEW_MS + 1, HOUR, false, LOA_VERDICT_FUTURE},
    {"last ms",            LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, -MINUTE, 1, false, LOA_VERDICT_OK},
    {"expires now",        LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, -MINUTE, 0, false, LOA_VERDICT_EXPIRED},
    {"expired",            LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, -HOUR, -1, false, LOA_VERDICT_EXPIRED},
    {"command 24 h",       LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, 0, DAY, false, LOA_VERDICT_OK},
    {"command too long",   LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, 0, DAY + 1, false, LOA_VERDICT_MALFORMED},
    {"command no time",    LOA_TYPE_COMMAND, "vn/08/070", NULL, NULL, 0, MINUTE, true, LOA_VERDICT_NO_TIME},
    {"approval a year",    LOA_TYPE_APPROVAL, "vn/08/070", NULL, NULL, 0, 365 * DAY, false, LOA_VERDICT_OK},
    {"approval no time",   LOA_TYPE_APPROVAL, "vn/08/070", NULL, NULL, 0, DAY, true, LOA_VERDICT_NO_TIME},
    {"programme no time",  LOA_TYPE_PROGRAMME, "vn/08/070", NULL, NULL, 0, DAY, true, LOA_VERDICT_NO_TIME},
    {"login 10 min",       LOA_TYPE_LOGIN, "vn/08/070", NULL, NULL, 0, 10 * MINUTE, false, LOA_VERDICT_OK},
    {"login too long",     LOA_TYPE_LOGIN, "vn/08/070", NULL, NULL, 0, 10 * MINUTE + 1, false, LOA_VERDICT_MALFORMED},
    {"login no time",      LOA_TYPE_LOGIN, "vn/08/070", NULL, NULL, -DAY, -DAY + MINUTE, true, LOA_VERDICT_OK},
    {"login old",          LOA_TYPE_LOGIN, "vn/08/070", NULL, NULL, -DAY, -DAY + MINUTE, false, LOA_VERDICT_EXPIRED},
    {"login too long, no time", LOA_TYPE_LOGIN, "vn/08/070", NULL, NULL, 0, DAY, true, LOA_VERDICT_MALFORMED},
    {"list no time",       LOA_TYPE_TRUST, "vn/08/070", NULL, NULL, -DAY, -1, true, LOA_VERDICT_OK},
    {"list expired",       LOA_TYPE_TRUST, "vn/08/070", NULL, NULL, -DAY, -1, false, LOA_VERDICT_EXPIRED},
    {"request no time",    LOA_TYPE_CONTENT_REQUEST, "vn/08/070", NULL, NULL, 0, MINUTE, true, LOA_VERDICT_NO_TIME},
};
/* clang-format on */

static void test_rows(void)
{
    struct world w;

    world_init(&w);
    for (size_t i = 0; i < N(rows); i++) {
        const struct row *r = &rows[i];
        struct loa_header h = world_header(r->type, r->area);
        struct loa_expect want = {
            .type = r->type,
            .area = r->receiver,
            .signer_area = r->signer_area,
            .now_ms = WORLD_NOW_MS,
            .time_trusted = !r->no_time,
        };

        h.issued_at_ms = WORLD_NOW_MS + r->issued_ms;
        h.expires_at_ms = WORLD_NOW_MS + r->expires_ms;
        w.signer.c.powers = WORLD_POWERS;
        if (r->type == LOA_TYPE_PROGRAMME)
            w.signer.c.powers &= ~(uint32_t)LOA_POWER_CONTENT_APPROVE;
        world_issue(&w);
        world_seal(&w, &h, &letter);
        CHECK_INT(r->name, verify(&w, &want, NULL), r->verdict);
    }
}

/* A device without a clock may take the head of a scheduler whose certificate
 * it cannot date; with a clock the same head is refused. */
static void test_head_without_time(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_HEAD, "vn/08/070");
    struct loa_expect want = {.type = LOA_TYPE_HEAD, .now_ms = 0};

    world_init(&w);
    w.signer.c.role = LOA_ROLE_SERVICE;
    strcpy(w.signer.c.service, "scheduler");
    world_issue(&w);
    world_seal(&w, &h, &letter);
    CHECK_INT("no clock", verify(&w, &want, NULL), LOA_VERDICT_OK);
    want.time_trusted = true;
    CHECK_INT("1970", verify(&w, &want, NULL), LOA_VERDICT_NOT_YET_VALID);
}

/* --- type, root, who -------------------------------------------------------
 */

static void test_type_and_root(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");
    struct loa_expect want = {
        .type = LOA_TYPE_COMMAND, .now_ms = WORLD_NOW_MS, .time_trusted = true};
    struct loa_identity_claim who;

    world_init(&w);
    world_seal(&w, &h, &letter);
    CHECK_INT("right", verify(&w, &want, &who), LOA_VERDICT_OK);
    CHECK_INT("who", strcmp(who.certificate.principal, "lan"), 0);
    CHECK_INT("nothing lent", who.certificate.signature == NULL, 1);
    CHECK_INT("nothing lent", who.certificate.body.data == NULL, 1);

    want.type = LOA_TYPE_PROGRAMME;
    CHECK_INT("other type", verify(&w, &want, NULL), LOA_VERDICT_WRONG_TYPE);
    want.type = LOA_TYPE_COMMAND;
    loa_trust_init(&trust, NULL);
    CHECK_INT("no root", loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_NO_ROOT);
    loa_trust_init(&trust, w.province.key.public_key);
    CHECK_INT("the province as root",
              loa_trust_verify(&trust, &letter.e, &want, NULL), LOA_VERDICT_OK);
    loa_trust_init(&trust, w.second.key.public_key);
    CHECK_INT("a foreign root",
              loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_NO_CERTIFICATE);
}

/* --- signatures and quorum -------------------------------------------------
 */

static void test_signatures(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");
    struct loa_expect want = {
        .type = LOA_TYPE_COMMAND, .now_ms = WORLD_NOW_MS, .time_trusted = true};
    struct loa_identity_claim who;

    world_init(&w);
    world_seal(&w, &h, &letter);
    letter.e.signatures[0].signature[0] ^= 1;
    CHECK_INT("bent", verify(&w, &want, NULL), LOA_VERDICT_BAD_SIGNATURE);

    world_seal(&w, &h, &letter);
    letter.e.header.type = want.type = LOA_TYPE_APPROVAL;
    CHECK_INT("as another type", verify(&w, &want, NULL),
              LOA_VERDICT_BAD_SIGNATURE);
    want.type = LOA_TYPE_COMMAND;

    world_seal(&w, &h, &letter);
    letter.e.signatures_n = 0;
    CHECK_INT("nobody", verify(&w, &want, NULL), LOA_VERDICT_QUORUM);
    letter.e.signatures_n = LOA_SIGNATURES_MAX + 1;
    CHECK_INT("a crowd", verify(&w, &want, NULL), LOA_VERDICT_MALFORMED);

    world_seal(&w, &h, &letter);
    letter_cosign(&letter, &w.second);
    CHECK_INT("two people", verify(&w, &want, &who), LOA_VERDICT_OK);
    CHECK_INT("the first", strcmp(who.certificate.principal, "lan"), 0);

    letter.e.signatures[1].signature[5] ^= 4;
    CHECK_INT("second bent", verify(&w, &want, NULL),
              LOA_VERDICT_BAD_SIGNATURE);

    world_seal(&w, &h, &letter);
    letter_cosign(&letter, &w.second);
    letter.e.certificates_n--;
    CHECK_INT("second unknown", verify(&w, &want, NULL),
              LOA_VERDICT_NO_CERTIFICATE);

    world_seal(&w, &h, &letter);
    letter_cosign(&letter, &w.signer);
    CHECK_INT("same key twice", verify(&w, &want, NULL), LOA_VERDICT_QUORUM);
}

static void check_second(const char *name,
                         struct world *w,
                         const struct loa_key *issuer,
                         enum loa_verdict verdict)
{
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");
    struct loa_expect want = {
        .type = LOA_TYPE_COMMAND, .now_ms = WORLD_NOW_MS, .time_trusted = true};

    world_seal(w, &h, &letter);
    actor_issue(&w->second, issuer);
    letter_cosign(&letter, &w->second);
    CHECK_INT(name, verify(w, &want, NULL), verdict);
}

/* What the first signer may, the second must be allowed too. */
static void test_second_signer(void)
{
    struct world w;

    world_init(&w);
    strcpy(w.second.c.principal, "lan");
    check_second("one person, two keys", &w, &w.commune.key,
                 LOA_VERDICT_QUORUM);
    strcpy(w.second.c.principal, "minh");
    w.second.c.role = LOA_ROLE_DEVICE;
    check_second("a device", &w, &w.commune.key, LOA_VERDICT_ROLE);
    w.second.c.role = LOA_ROLE_STAFF;
    w.second.c.powers = 0;
    check_second("without power", &w, &w.commune.key, LOA_VERDICT_POWER);
    w.second.c.powers = LOA_POWER_COMMAND;
    strcpy(w.second.c.area, "vn/08/070/02215");
    check_second("for less", &w, &w.commune.key, LOA_VERDICT_AREA);
    strcpy(w.second.c.area, "vn/08");
    check_second("for more", &w, &w.province.key, LOA_VERDICT_OK);
}

static void test_names(void)
{
    CHECK_INT("ok", strcmp(loa_verdict_name(LOA_VERDICT_OK), "ok"), 0);
    CHECK_INT("last",
              strcmp(loa_verdict_name(LOA_VERDICT_REPLAYED), "replayed"), 0);
    CHECK_INT("none",
              strcmp(loa_verdict_name((enum loa_verdict)1000), "unknown"), 0);
    for (int v = LOA_VERDICT_OK; v <= LOA_VERDICT_REPLAYED; v++)
        CHECK_INT("has a name", loa_verdict_name((enum loa_verdict)v) != NULL,
                  1);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_policy();
    test_rows();
    test_head_without_time();
    test_type_and_root();
    test_signatures();
    test_second_signer();
    test_names();
    return CHECK_DONE();
}
