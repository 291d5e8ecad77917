/* Topics: what is well formed, what comes apart, and filters against MQTT's own
 * rules written out on the plain texts. */

#include <string.h>

#include "check.h"
#include "proto/topic.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define S16 "0123456789abcdeF"
#define A8 S16 "/" S16 "/" S16 "/" S16 "/" S16 "/" S16 "/" S16 "/" S16
#define P32 S16 S16
#define K24 "abcdefghijklmnopqrstuv-z"

/* --- words ---------------------------------------------------------------- */

static const struct {
    const char *text;
    bool area, principal, kind;
} words[] = {
    {"", false, false, false},
    {"vn", true, true, true},
    {"VN_1", true, true, false},
    {"vn/08", true, false, false},
    {"vn/08/070/02215", true, false, false},
    {"/vn", false, false, false},
    {"vn/", false, false, false},
    {"vn//08", false, false, false},
    {"vn/+", false, false, false},
    {"vn/#", false, false, false},
    {"vn/@a", false, false, false},
    {"v n", false, false, false},
    {"vn\x01", false, false, false},
    {"v\xc3\xa2", false, false, false},
    {"a-b", false, false, true},
    {"-", false, false, true},
    {"$SYS", false, false, false},
    {S16, true, true, false},
    {S16 "x", false, true, false},
    {A8, true, false, false},
    {A8 "/x", false, false, false},
    {P32, false, true, false},
    {P32 "x", false, false, false},
    {K24, false, false, true},
    {K24 "a", false, false, false},
};

static void test_words(void)
{
    for (size_t i = 0; i < N(words); i++) {
        const char *s = words[i].text;
        CHECK_INT(s, loa_area_valid(s), words[i].area);
        CHECK_INT(s, loa_principal_valid(s), words[i].principal);
        CHECK_INT(s, loa_kind_valid(s), words[i].kind);
    }
}

static const struct {
    const char *client, *principal;
    bool exact, valid;
} clients[] = {
    {"lan", "lan", true, true},       {"lan", "lan", false, true},
    {"lan-pc_1", "lan", false, true}, {"lan-pc_1", "lan", true, false},
    {"lan-", "lan", false, false},    {"lan-a-b", "lan", false, false},
    {"lan-" P32, "lan", false, true}, {"lan-" P32 "x", "lan", false, false},
    {"lan-+", "lan", false, false},   {"lanx", "lan", false, false},
    {"la", "lan", false, false},      {"", "lan", false, false},
    {"", "", false, false},           {"-x", "", false, false},
    {"a#", "a#", false, false},
};

static void test_clients(void)
{
    for (size_t i = 0; i < N(clients); i++)
        CHECK_INT(clients[i].client,
                  loa_client_valid(clients[i].client, clients[i].principal,
                                   clients[i].exact),
                  clients[i].valid);
}

/* --- areas ---------------------------------------------------------------- */

static const struct {
    const char *inner, *outer;
    bool within;
} areas[] = {
    {"vn", "vn", true},         {"vn/08", "vn", true},
    {"vn/08/070", "vn", true},  {"vn", "vn/08", false},
    {"vn/080", "vn/08", false}, {"vn/08/070", "vn/08/071", false},
    {"vn/08", "vn/08", true},   {"enrol", "vn", false},
};

static void test_areas(void)
{
    char out[LOA_AREA_CAP];

    for (size_t i = 0; i < N(areas); i++)
        CHECK_INT(areas[i].inner,
                  loa_area_within(areas[i].inner, areas[i].outer),
                  areas[i].within);
    CHECK_INT("depth", loa_area_depth("vn"), 1);
    CHECK_INT("depth", loa_area_depth("vn/08/070/02215"), 4);
    CHECK_INT("depth", loa_area_depth(A8), LOA_AREA_DEPTH_MAX);
    loa_area_prefix("vn/08/070", 1, out);
    CHECK_INT("prefix 1", strcmp(out, "vn"), 0);
    loa_area_prefix("vn/08/070", 2, out);
    CHECK_INT("prefix 2", strcmp(out, "vn/08"), 0);
    loa_area_prefix("vn/08/070", 3, out);
    CHECK_INT("prefix 3", strcmp(out, "vn/08/070"), 0);
    loa_area_prefix(A8, 8, out);
    CHECK_INT("prefix 8", strcmp(out, A8), 0);
}

/* --- topics --------------------------------------------------------------- */

static const struct {
    const char *topic; /* NULL: a part is malformed. */
    enum loa_plane plane;
    const char *kind, *area, *principal;
} topics[] = {
    {"loa/1/down/programme/vn/08", LOA_PLANE_DOWN, "programme", "vn/08", ""},
    {"loa/1/down/programme/vn/08", LOA_PLANE_DOWN, "programme", "vn/08", NULL},
    {"loa/1/up/state/vn/08/070/02215/@pole_1", LOA_PLANE_UP, "state",
     "vn/08/070/02215", "pole_1"},
    {"loa/1/rpc/content-ingest/vn/@lan", LOA_PLANE_RPC, "content-ingest", "vn",
     "lan"},
    {"loa/1/pub/summary/vn", LOA_PLANE_PUB, "summary", "vn", ""},
    {"loa/1/link/parcel/vn/08", LOA_PLANE_LINK, "parcel", "vn/08", ""},
    {"loa/1/link/" K24 "/" A8 "/@" P32, LOA_PLANE_LINK, K24, A8, P32},
    {NULL, LOA_PLANES_N, "state", "vn", ""},
    {NULL, (enum loa_plane)99, "state", "vn", ""},
    {NULL, LOA_PLANE_UP, "", "vn", ""},
    {NULL, LOA_PLANE_UP, "+", "vn", ""},
    {NULL, LOA_PLANE_UP, "state", "", ""},
    {NULL, LOA_PLANE_UP, "state", "vn/#", ""},
    {NULL, LOA_PLANE_UP, "state", "vn", "a/b"},
};

static const char *const not_topics[] = {
    "",
    "loa",
    "loa/1",
    "loa/1/",
    "loa/1/down",
    "loa/1/down/",
    "loa/1/down/head",
    "loa/1/down/head/",
    "loa/2/down/head/vn",
    "Loa/1/down/head/vn",
    "/loa/1/down/head/vn",
    "loa/1/downhead/head/vn",
    "loa/1/side/head/vn",
    "loa/1/down//vn",
    "loa/1/down/+/vn",
    "loa/1/down/he+ad/vn",
    "loa/1/down/HEAD/vn",
    "loa/1/down/head/vn/",
    "loa/1/down/head/vn/#",
    "loa/1/down/head/+",
    "loa/1/down/head/vn/@",
    "loa/1/down/head/@pole",
    "loa/1/down/head/vn/@pole/x",
    "loa/1/down/head/vn/@pole/",
    "loa/1/down/head/vn/@p ole",
    "loa/1/down/head/vn/@" P32 "x",
    "loa/1/down/" K24 "a/vn",
    "loa/1/down/head/" S16 "x",
    "loa/1/down/head/" A8 "/vn",
    "$share/g/loa/1/down/head/vn",
    "$SYS/broker/uptime",
};

static void test_topics(void)
{
    char buf[LOA_TOPIC_CAP];
    struct loa_topic t;

    for (size_t i = 0; i < N(topics); i++) {
        const char *want = topics[i].topic;
        const char *name = want != NULL ? want : topics[i].area;
        const char *who = topics[i].principal;
        int rv = loa_topic_build(buf, sizeof buf, topics[i].plane,
                                 topics[i].kind, topics[i].area, who);

        CHECK_INT(name, rv, want != NULL ? LOA_OK : LOA_EINVAL);
        if (want == NULL)
            continue;
        CHECK_INT(name, strcmp(buf, want), 0);
        CHECK_INT(name,
                  loa_topic_build(buf, strlen(want), topics[i].plane,
                                  topics[i].kind, topics[i].area, who),
                  LOA_ENOSPC);
        CHECK_INT(name, loa_topic_parse(want, &t), LOA_OK);
        CHECK_INT(name, t.plane, topics[i].plane);
        CHECK_INT(name, strcmp(t.kind, topics[i].kind), 0);
        CHECK_INT(name, strcmp(t.area, topics[i].area), 0);
        CHECK_INT(name, strcmp(t.principal, who != NULL ? who : ""), 0);
    }
    for (size_t i = 0; i < N(not_topics); i++)
        CHECK_INT(not_topics[i], loa_topic_parse(not_topics[i], &t),
                  LOA_EINVAL);
}

/* --- filters -------------------------------------------------------------- */

static const char *const filters[] = {
    "loa/1/down/+/vn",
    "loa/1/down/+/vn/08",
    "loa/1/down/head/vn/08",
    "loa/1/down/head/vn/#",
    "loa/1/down/+/vn/#",
    "loa/1/up/state/vn/08/#",
    "loa/1/up/+/vn/08/070/@pole_1",
    "loa/1/down/+/vn/08/@pole_1",
    "loa/1/rpc/reply/vn/08/@lan",
    "loa/1/down/head/" A8 "/#",
};

static const char *const not_filters[] = {
    "",
    "#",
    "+",
    "+/+",
    "loa/#",
    "loa/1/#",
    "loa/1/down/#",
    "loa/1/down/+",
    "loa/1/down/+/#",
    "loa/1/+/+/vn",
    "loa/1/+/head/vn",
    "loa/1/down/head/+",
    "loa/1/down/head/+/08",
    "loa/1/down/head/vn/+",
    "loa/1/down/head/vn/@+",
    "loa/1/down/head/vn/@pole_1/#",
    "loa/1/down/head/vn/##",
    "loa/1/down/head/vn/#/",
    "loa/1/down/head/vn#",
    "loa/1/down/+head/vn",
    "loa/1/down/++/vn",
    "loa/1/down/+vn",
    "$share/g/loa/1/down/head/vn",
    "$SYS/#",
};

/* MQTT 5 section 4.7 on plain texts, level by level. */
static bool mqtt_matches(const char *filter, const char *topic)
{
    for (;;) {
        size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");

        if (f == 1 && filter[0] == '#')
            return true;
        if (!(f == 1 && filter[0] == '+') &&
            (f != t || strncmp(filter, topic, f) != 0))
            return false;
        filter += f;
        topic += t;
        if (*topic == '\0')
            return *filter == '\0' || strcmp(filter, "/#") == 0;
        if (*filter == '\0')
            return false;
        filter++;
        topic++;
    }
}

static void check_matches(const char *filter, const struct loa_filter *f)
{
    static const char *const more[] = {
        "loa/1/down/head/vn",         "loa/1/down/head/vn/08/@pole_1",
        "loa/1/down/head/vn/08/070",  "loa/1/down/trust/vn/080",
        "loa/1/down/head/vn/@pole_1", "loa/1/up/state/vn/08/070/@pole_1",
        "loa/1/up/state/vn/08",       "loa/1/rpc/reply/vn/08/@lan",
        "loa/1/rpc/reply/vn/08/@la",  "loa/1/down/head/" A8 "/@" P32,
    };
    struct loa_topic t;

    for (size_t i = 0; i < N(more) + N(topics); i++) {
        const char *topic = i < N(more) ? more[i] : topics[i - N(more)].topic;
        if (topic == NULL)
            continue;
        CHECK_INT(topic, loa_topic_parse(topic, &t), LOA_OK);
        CHECK_INT(filter, loa_filter_matches(f, &t),
                  mqtt_matches(filter, topic));
    }
}

static void test_filters(void)
{
    struct loa_filter f;

    for (size_t i = 0; i < N(filters); i++) {
        CHECK_INT(filters[i], loa_filter_parse(filters[i], &f), LOA_OK);
        CHECK_INT(filters[i], f.subtree, strchr(filters[i], '#') != NULL);
        CHECK_INT(filters[i], f.kind[0] == '\0',
                  strchr(filters[i], '+') != NULL);
        check_matches(filters[i], &f);
    }
    for (size_t i = 0; i < N(not_filters); i++)
        CHECK_INT(not_filters[i], loa_filter_parse(not_filters[i], &f),
                  LOA_EINVAL);
}

static void test_planes(void)
{
    CHECK_INT("down", strcmp(loa_plane_name(LOA_PLANE_DOWN), "down"), 0);
    CHECK_INT("link", strcmp(loa_plane_name(LOA_PLANE_LINK), "link"), 0);
}

int main(void)
{
    test_words();
    test_clients();
    test_areas();
    test_topics();
    test_filters();
    test_planes();
    return CHECK_DONE();
}
