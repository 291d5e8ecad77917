/* The table against two readings of it: rows by hand, and ten thousand
 * generated filters against a reference that knows nothing of the table. The
 * reference says for each topic whether a holder may read it, matches topics
 * to filters by the text of MQTT 5 section 4.7, and so finds by enumeration
 * whether a filter lies within the holder's rights. */

#include <stdlib.h>
#include <string.h>

#include "broker-plugins/loa-auth/rights.h"
#include "check.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FILTERS_N 10000

static struct rights_holder holder(enum loa_role role,
                                   const char *service,
                                   uint32_t powers,
                                   const char *area,
                                   const char *principal)
{
    struct rights_holder h = {.role = role, .powers = powers};

    strcpy(h.service, service);
    strcpy(h.area, area);
    strcpy(h.principal, principal);
    rights_grant(&h);
    return h;
}

/* --- by hand -------------------------------------------------------------- */

#define DEVICE LOA_ROLE_DEVICE, "", 0
#define STAFF LOA_ROLE_STAFF, "", 0
#define CHIEF LOA_ROLE_STAFF, "", LOA_POWER_COMMAND
#define SERVICE(name) LOA_ROLE_SERVICE, name, 0
#define NEW RIGHTS_ROLE_ENROLLING, "", 0
#define SUB 's' /* May subscribe to the filter. */
#define PUB 'p' /* May publish, not retained. */
#define RET 'r' /* May publish retained. */

/* clang-format off */
static const struct row {
    enum loa_role role; const char *service; uint32_t powers;
    const char *area, *principal;
    char what;
    const char *topic;
    bool want;
} rows[] = {
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/programme/vn/08/070/02215", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/rpc/reply/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/#", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/02215/#", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/02215/@pole2", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/09", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/0221", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/up/state/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/rpc/+/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", RET, "loa/1/up/state/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/health/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", RET, "loa/1/up/health/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/receipt/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/want/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/feedback/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/state/vn/08/070/02215/@other", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/state/vn/08/070/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/state/vn/08/070/02215", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/rpc/scheduler/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/rpc/registry/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/down/programme/vn/08/070/02215", false},

    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/+/vn/08/070/#", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/state/vn/08/070/02215/@pole", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/pub/summary/vn/08/070", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/down/+/vn/08/070/#", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/down/trust/vn/08", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/down/programme/vn/08", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/+/vn/08/071/#", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/+/vn/08/0701/#", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/rpc/+/vn/08/070/#", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/rpc/reply/vn/08/070/@lan", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/rpc/reply/vn/08/070/@minh", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/link/+/vn/08/070/#", false},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/rpc/scheduler/vn/08/070/@lan", true},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/rpc/reply/vn/08/070/@lan", false},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/rpc/scheduler/vn/08/070/02215/@lan", false},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/070", false},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/070", true},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/070/02215/@pole", true},
    {CHIEF, "vn/08/070", "lan", RET, "loa/1/down/command/vn/08/070", false},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/071", false},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/programme/vn/08/070", false},

    {SERVICE("registry"), "vn/08", "reg", SUB, "loa/1/rpc/registry/vn/08/#", true},
    {SERVICE("registry"), "vn/08", "reg", SUB, "loa/1/rpc/registry/enrol/#", true},
    {SERVICE("registry"), "vn/08", "reg", SUB, "loa/1/rpc/scheduler/vn/08/#", false},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/rpc/reply/vn/08/070/@lan", true},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/rpc/reply/enrol/@enrol_1", true},
    {SERVICE("registry"), "vn/08", "reg", RET, "loa/1/down/trust/vn/08", true},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/down/trust/vn/08/070", false},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/down/trust/vn", false},
    {SERVICE("registry"), "vn/08", "reg", RET, "loa/1/down/programme/vn/08", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/scheduler/vn/08/#", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/registry/enrol/#", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/programme/vn/08/#", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/head/vn/08/#", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/+/vn/08/#", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/trust/vn", true},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/programme/vn/08/070/02215", true},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/head/vn/08", true},
    {SERVICE("scheduler"), "vn/08", "sch", PUB, "loa/1/down/head/vn/08/070/@pole", true},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/head/vn/08/070/@pole", false},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/programme/vn/09", false},
    {SERVICE("scheduler"), "vn/08", "sch", PUB, "loa/1/rpc/registry/vn/08/@sch", true},
    {SERVICE("scheduler"), "vn/08", "sch", PUB, "loa/1/rpc/scheduler/vn/08/@sch", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/reply/vn/08/@sch", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/reply/vn/08/#", false},
    {SERVICE("content-ingest"), "vn/08", "con", SUB, "loa/1/up/want/vn/08/#", true},
    {SERVICE("content-ingest"), "vn/08", "con", SUB, "loa/1/down/programme/vn/08/#", true},
    {SERVICE("content-ingest"), "vn/08", "con", PUB, "loa/1/down/content/vn/08/070", true},
    {SERVICE("content-ingest"), "vn/08", "con", RET, "loa/1/down/content/vn/08/070", false},
    {SERVICE("content-ingest"), "vn/08", "con", PUB, "loa/1/down/content/vn/08/070/@pole", false},
    {SERVICE("telemetry-collector"), "vn/08", "tel", SUB, "loa/1/up/state/vn/08/#", true},
    {SERVICE("telemetry-collector"), "vn/08", "tel", SUB, "loa/1/up/receipt/vn/08/#", true},
    {SERVICE("telemetry-collector"), "vn/08", "tel", SUB, "loa/1/up/+/vn/08/#", false},
    {SERVICE("telemetry-collector"), "vn/08", "tel", PUB, "loa/1/down/ack/vn/08/070/@pole", true},
    {SERVICE("telemetry-collector"), "vn/08", "tel", PUB, "loa/1/down/ack/vn/08/070", false},
    {SERVICE("telemetry-collector"), "vn/08", "tel", RET, "loa/1/pub/summary/vn/08/070", true},
    {SERVICE("reply"), "vn/08", "rep", SUB, "loa/1/rpc/reply/vn/08/#", false},

    {NEW, "enrol", "enrol_1", PUB, "loa/1/rpc/registry/enrol/@enrol_1", true},
    {NEW, "enrol", "enrol_1", RET, "loa/1/rpc/registry/enrol/@enrol_1", false},
    {NEW, "enrol", "enrol_1", PUB, "loa/1/rpc/registry/enrol/@enrol_2", false},
    {NEW, "enrol", "enrol_1", PUB, "loa/1/rpc/scheduler/enrol/@enrol_1", false},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/rpc/reply/enrol/@enrol_1", true},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/rpc/reply/enrol/@enrol_2", false},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/rpc/reply/enrol/#", false},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/down/+/enrol", false},

    {LOA_ROLE_AUTHORITY, "", LOA_POWERS_ALL, "vn", "vn", SUB, "loa/1/up/+/vn/#", false},
    {LOA_ROLE_BRIDGE, "", LOA_POWERS_ALL, "vn", "vn", SUB, "loa/1/up/+/vn/#", false},
};
/* clang-format on */

static bool may(const struct rights_holder *h, char what, const char *topic)
{
    struct rights_topic t = {.text = ""};
    struct loa_filter f;
    unsigned flags;

    if (what == SUB)
        return loa_filter_parse(topic, &f) == LOA_OK &&
               rights_cover_filter(h, &f);
    rights_topic_set(&t, topic);
    return rights_cover_topic(h, RIGHTS_WRITE, &t, &flags) &&
           (what == PUB || (flags & RIGHTS_RETAIN));
}

static void test_rows(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct rights_holder h =
            holder(r->role, r->service, r->powers, r->area, r->principal);

        CHECK_INT(r->topic, may(&h, r->what, r->topic), r->want);
    }
}

static void test_limited_device_only_listens_and_asks_the_time(void)
{
    struct rights_holder h = holder(DEVICE, "vn/08", "pole");

    CHECK_INT("with a clock", rights_have_will(&h), true);
    h.limited = true;
    rights_grant(&h);
    CHECK_INT("will", rights_have_will(&h), false);
    CHECK_INT("down", may(&h, SUB, "loa/1/down/+/vn"), true);
    CHECK_INT("own", may(&h, SUB, "loa/1/down/+/vn/08/@pole"), true);
    CHECK_INT("time", may(&h, PUB, "loa/1/rpc/scheduler/vn/08/@pole"), true);
    CHECK_INT("reply", may(&h, SUB, "loa/1/rpc/reply/vn/08/@pole"), true);
    CHECK_INT("state", may(&h, PUB, "loa/1/up/state/vn/08/@pole"), false);
    CHECK_INT("want", may(&h, PUB, "loa/1/up/want/vn/08/@pole"), false);
}

static void test_topic_is_taken_apart_once(void)
{
    struct rights_topic t = {.text = ""};
    char longer[2 * LOA_TOPIC_CAP];

    rights_topic_set(&t, "loa/1/up/state/vn/@a");
    CHECK_INT("ours", t.ours, true);
    t.at.area[0] = 'x'; /* Would be mended if it were parsed again. */
    rights_topic_set(&t, "loa/1/up/state/vn/@a");
    CHECK_INT("the same", t.at.area[0], 'x');
    rights_topic_set(&t, "loa/1/up/state/vn/@b");
    CHECK_INT("another", t.at.area[0], 'v');
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    rights_topic_set(&t, longer);
    CHECK_INT("too long", t.ours, false);
    rights_topic_set(&t, "$SYS/broker/uptime");
    CHECK_INT("foreign", t.ours, false);
    rights_topic_set(&t, "");
    CHECK_INT("empty", t.ours, false);
}

/* --- the reference -------------------------------------------------------- */

static const char *const planes[] = {"down", "up", "rpc", "pub", "link"};
static const char *const kinds[] = {
    "programme", "content",   "command",        "head",
    "trust",     "ack",       "state",          "health",
    "receipt",   "want",      "reply",          "summary",
    "registry",  "scheduler", "content-ingest", "telemetry-collector",
    "unheard-of"};
static const char *const areas[] = {"vn",
                                    "vn/08",
                                    "vn/08/070",
                                    "vn/08/070/02215",
                                    "vn/08/070/02215/h1",
                                    "vn/08/070/02216",
                                    "vn/08/0701",
                                    "vn/08/071",
                                    "vn/09",
                                    "la",
                                    "enrol",
                                    "enrol/x"};
static const char *const ends[] = {"", "/@me", "/@me2", "/@you", "/@enrol_1"};

static bool below(const char *area, const char *own)
{
    size_t n = strlen(own);

    return strncmp(area, own, n) == 0 && (area[n] == '/' || area[n] == '\0');
}

struct topic_parts {
    const char *plane, *kind, *area, *end;
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool device_reads(const struct rights_holder *h,
                         const struct topic_parts *t,
                         bool own)
{
    if (is(t->plane, "rpc"))
        return is(t->kind, "reply") && own;
    if (!is(t->plane, "down"))
        return false;
    return own || (is(t->end, "") && below(h->area, t->area));
}

static bool staff_reads(const struct rights_holder *h,
                        const struct topic_parts *t,
                        bool own)
{
    if (is(t->plane, "rpc"))
        return is(t->kind, "reply") && own;
    if (is(t->plane, "link"))
        return false;
    if (below(t->area, h->area))
        return true;
    return is(t->plane, "down") && is(t->kind, "trust") && is(t->end, "") &&
           below(h->area, t->area);
}

static bool service_reads(const struct rights_holder *h,
                          const struct topic_parts *t,
                          bool own)
{
    bool mine = below(t->area, h->area);
    bool registry = is(h->service, "registry");
    bool down = is(t->plane, "down"), up = is(t->plane, "up");

    if (is(t->plane, "rpc")) {
        if (is(t->kind, "reply"))
            return own;
        return is(t->kind, h->service) &&
               (mine || (registry && below(t->area, "enrol")));
    }
    if (down && is(t->kind, "trust"))
        return is(t->end, "") && below(h->area, t->area);
    if (is(h->service, "scheduler"))
        return mine && down &&
               (is(t->kind, "programme") || is(t->kind, "head"));
    if (is(h->service, "content-ingest"))
        return mine && ((down && is(t->kind, "programme")) ||
                        (up && is(t->kind, "want")));
    if (is(h->service, "telemetry-collector"))
        return mine && up &&
               (is(t->kind, "state") || is(t->kind, "health") ||
                is(t->kind, "receipt"));
    return false;
}

static bool reference_reads(const struct rights_holder *h,
                            const struct topic_parts *t)
{
    bool own = is(t->area, h->area) && t->end[0] != '\0' &&
               is(t->end + 2, h->principal);

    switch ((int)h->role) {
        case LOA_ROLE_DEVICE:
            return device_reads(h, t, own);
        case LOA_ROLE_STAFF:
            return staff_reads(h, t, own);
        case LOA_ROLE_SERVICE:
            return service_reads(h, t, own);
        case (int)RIGHTS_ROLE_ENROLLING:
            return is(t->plane, "rpc") && is(t->kind, "reply") && own;
        default:
            return false;
    }
}

/* MQTT 5 section 4.7, character by character. */
static bool matches(const char *f, const char *t)
{
    for (;;) {
        if (is(f, "#"))
            return true;
        if (*f == '+') {
            f++;
            t += strcspn(t, "/");
        } else {
            size_t n = strcspn(f, "/");

            if (n != strcspn(t, "/") || strncmp(f, t, n) != 0)
                return false;
            f += n;
            t += n;
        }
        if (*t == '\0')
            return *f == '\0' || is(f, "/#");
        if (*f == '\0')
            return false;
        f++;
        t++;
    }
}

#define TOPICS_N \
    (ARRAY_LEN(planes) * ARRAY_LEN(kinds) * ARRAY_LEN(areas) * ARRAY_LEN(ends))

static struct {
    struct topic_parts parts;
    char text[LOA_TOPIC_CAP];
} topics[TOPICS_N];

static void make_topics(void)
{
    for (size_t i = 0; i < TOPICS_N; i++) {
        struct topic_parts *t = &topics[i].parts;
        size_t n = i;

        t->plane = planes[n % ARRAY_LEN(planes)];
        n /= ARRAY_LEN(planes);
        t->kind = kinds[n % ARRAY_LEN(kinds)];
        n /= ARRAY_LEN(kinds);
        t->area = areas[n % ARRAY_LEN(areas)];
        t->end = ends[n / ARRAY_LEN(areas)];
        snprintf(topics[i].text, sizeof topics[i].text, "loa/1/%s/%s/%s%s",
                 t->plane, t->kind, t->area, t->end);
    }
}

/* Is everything that the filter matches readable? *n says how much that is. */
static bool within(const struct rights_holder *h, const char *filter, int *n)
{
    *n = 0;
    for (size_t i = 0; i < TOPICS_N; i++) {
        if (!matches(filter, topics[i].text))
            continue;
        ++*n;
        if (!reference_reads(h, &topics[i].parts))
            return false;
    }
    return true;
}

/* Of the one shape that there is: wildcards only as the kind, or as the end
 * behind an area. */
static bool well_formed(const char *filter)
{
    const char *kind, *area, *hash;

    if (strncmp(filter, "loa/1/", 6) != 0 || strpbrk(filter, "$ ") != NULL)
        return false;
    kind = strchr(filter + 6, '/');
    area = kind == NULL ? NULL : strchr(kind + 1, '/');
    if (area == NULL || memchr(filter, '+', (size_t)(kind - filter)) != NULL)
        return false;
    if (kind[1] == '+' && kind[2] != '/')
        return false;
    hash = strchr(filter, '#');
    if (strchr(area, '+') != NULL || area[1] == '#' || area[1] == '@' ||
        (hash != NULL && (hash[-1] != '/' || hash[1] != '\0')))
        return false;
    return !(strchr(area, '@') != NULL && hash != NULL);
}

static const char *any(const char *const *list, size_t n)
{
    return list[(size_t)rand() % n];
}

static const char *const odd[] = {
    "#",
    "+",
    "+/+/+/+/+",
    "loa/#",
    "loa/1/#",
    "loa/1/+/state/vn/08/#",
    "loa/1/down/#",
    "loa/1/down/+/#",
    "loa/1/down/+/+",
    "loa/1/down/+/vn/+",
    "loa/1/down/+/vn/+/070",
    "loa/1/down/programme/vn/08/+/#",
    "loa/1/down/programme/vn/08/@me/#",
    "loa/1/down/programme/vn/08/@+",
    "loa/1/down/programme/@me",
    "loa/1/up/sta+te/vn/08",
    "$share/g/loa/1/up/state/vn/08/#",
    "$share/g/#",
    "$SYS/#",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
    "loa/2/up/state/vn/08/#",
    "LOA/1/up/state/vn/08/#",
    "loa/1/up/state/vn//08/#",
    "/loa/1/up/state/vn/08/#",
    "loa/1/up/state/vn/08/",
    "loa/1/up/state//#",
};

static void generate(char *out, size_t cap)
{
    static const char *const tails[] = {"",      "/#",    "/#",       "/@me",
                                        "/@me2", "/@you", "/@enrol_1"};

    if (rand() % 20 == 0) {
        snprintf(out, cap, "%s", any(odd, ARRAY_LEN(odd)));
        return;
    }
    snprintf(out, cap, "loa/1/%s/%s/%s%s", any(planes, ARRAY_LEN(planes)),
             rand() % 4 == 0 ? "+" : any(kinds, ARRAY_LEN(kinds)),
             any(areas, ARRAY_LEN(areas)), any(tails, ARRAY_LEN(tails)));
}

static struct rights_holder generate_holder(void)
{
    static const char *const services[] = {"registry", "scheduler",
                                           "content-ingest",
                                           "telemetry-collector", "other"};
    static const enum loa_role roles[] = {
        LOA_ROLE_DEVICE,  LOA_ROLE_STAFF,        LOA_ROLE_SERVICE,
        LOA_ROLE_SERVICE, RIGHTS_ROLE_ENROLLING, LOA_ROLE_AUTHORITY,
        LOA_ROLE_BRIDGE};
    struct rights_holder h = {
        .role = roles[(size_t)rand() % ARRAY_LEN(roles)],
        .powers = (uint32_t)rand() & LOA_POWERS_ALL,
    };

    h.limited = h.role == LOA_ROLE_DEVICE && rand() % 3 == 0;
    strcpy(h.area, areas[(size_t)rand() % 10]);
    strcpy(h.principal, "me");
    if (h.role == LOA_ROLE_SERVICE)
        strcpy(h.service, any(services, ARRAY_LEN(services)));
    if (h.role == RIGHTS_ROLE_ENROLLING) {
        strcpy(h.area, "enrol");
        strcpy(h.principal, "enrol_1");
    }
    rights_grant(&h);
    return h;
}

static void test_filters_against_the_reference(void)
{
    char filter[LOA_TOPIC_CAP];
    int granted_n = 0;

    srand(20260801);
    for (int i = 0; i < FILTERS_N; i++) {
        struct rights_holder h = generate_holder();
        int n;
        bool want, got;

        generate(filter, sizeof filter);
        want = within(&h, filter, &n) && n > 0 && well_formed(filter);
        got = may(&h, SUB, filter);
        granted_n += got;
        CHECK_INT(filter, got, want);
    }
    /* A test in which nothing is granted would show little. */
    CHECK_INT("some are granted", granted_n > FILTERS_N / 50, true);
}

/* What is granted when subscribing is what is delivered: no more, no less. */
static void test_deliveries_against_the_reference(void)
{
    struct rights_topic topic = {.text = ""};

    srand(7);
    for (int i = 0; i < FILTERS_N; i++) {
        struct rights_holder h = generate_holder();
        size_t n = (size_t)rand() % TOPICS_N;

        rights_topic_set(&topic, topics[n].text);
        CHECK_INT(topics[n].text,
                  rights_cover_topic(&h, RIGHTS_READ, &topic, NULL),
                  reference_reads(&h, &topics[n].parts));
    }
}

int main(void)
{
    make_topics();
    test_rows();
    test_limited_device_only_listens_and_asks_the_time();
    test_topic_is_taken_apart_once();
    test_filters_against_the_reference();
    test_deliveries_against_the_reference();
    return CHECK_DONE();
}
