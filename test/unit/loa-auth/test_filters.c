/* Ten thousand generated filters, and as many topics, against a reference that
 * knows nothing of the table. The reference says for each topic whether a
 * holder may read it, matches topics to filters by the text of MQTT 5 section
 * 4.7, and so finds by enumeration whether a filter lies within the holder's
 * rights. */

#include <stdlib.h>
#include <string.h>

#include "broker-plugins/loa-auth/rights.h"
#include "check.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FILTERS_N 10000

/* What is asked: does the plugin grant the filter? */
static bool granted(const struct rights_holder *h, const char *filter)
{
    struct loa_filter f;

    return loa_filter_parse(filter, &f) == LOA_OK && rights_cover_filter(h, &f);
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
        got = granted(&h, filter);
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
    test_filters_against_the_reference();
    test_deliveries_against_the_reference();
    return CHECK_DONE();
}
