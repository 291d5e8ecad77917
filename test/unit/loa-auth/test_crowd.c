/* Who may be in beside or in place of whom, and how many: what strangers and
 * other provinces try with good signatures. */

#include "gate_rig.h"

/* A device that has a key and nothing else; n makes the key. */
static const char *stranger(int n, int64_t now_ms)
{
    static char places[4096];
    struct login_twist t = {.area = LOA_ENROL_AREA,
                            .no_certificates = true,
                            .off_ms = now_ms - NOW};
    char name[LOA_PRINCIPAL_CAP] = LOA_ENROL_PREFIX;
    char password[LOA_PASSWORD_CAP];
    uint8_t seed[32] = {(uint8_t)n, (uint8_t)(n >> 8), 77};
    struct login_request r = {&places[n], name, name, password, now_ms};
    struct person p = {0};

    loa_key_from_seed(&p.key, seed);
    loa_hex(p.key.public_key, 12, name + strlen(name));
    t.client_id = name;
    person_login(&p, &t, ++next_id, password);
    return gate_login(g, &r);
}

static void expect(const char *what, const char *got, const char *want)
{
    CHECK_INT(what, strcmp(got == NULL ? "in" : got, want), 0);
}

static void test_strangers_fill_the_broker(void)
{
    int64_t now_ms = NOW;
    int n = 0;

    setup();
    for (; n < GATE_ENROL_BURST; n++)
        expect("burst", stranger(n, now_ms), "in");
    expect("one more", stranger(n++, now_ms), "too-many");
    now_ms += GATE_ENROL_EVERY_MS - 1;
    expect("too soon", stranger(n++, now_ms), "too-many");
    expect("others", login(&clients[0], &pole, 0), "in");
    for (int i = 0; i < 100; i++, now_ms += GATE_ENROL_EVERY_MS) {
        expect("one a second", stranger(n++, now_ms + 1), "in");
        expect("and no more", stranger(n++, now_ms + 1), "too-many");
    }
    now_ms += GATE_ENROL_BURST * GATE_ENROL_EVERY_MS;
    for (int i = 0; i < GATE_ENROL_BURST; i++)
        expect("whole again", stranger(n++, now_ms), "in");
    expect("and no more", stranger(n++, now_ms), "too-many");
    /* Set to the right year, the clock does not keep everybody out. */
    expect("set back", stranger(n++, NOW - 10 * YEAR), "in");
}

static void test_filters_fill_the_broker(void)
{
    const size_t max = GATE_FILTERS_MAX;

    setup();
    expect("login", login(&clients[0], &pole, 0), "in");
    CHECK_INT("last", gate_subscribe(g, &clients[0], POLE_FILTER, max - 1),
              GATE_OK);
    CHECK_INT("full", gate_subscribe(g, &clients[0], POLE_FILTER, max),
              GATE_FILTERS);
    CHECK_INT("name", strcmp(gate_verdict_name(GATE_FILTERS), "filters"), 0);
    CHECK_INT("not its own", gate_subscribe(g, &clients[0], "loa/1/up/+/vn", 0),
              GATE_RIGHT);
}

/* Somebody called name is in; who else of that name may push him out? */
static void test_pushed_out_by_name(void)
{
    static const struct {
        const char *name;
        struct {
            enum loa_role role;
            const char *area, *service;
        } in, comes;
        const char *want;
    } rows[] = {
        /* clang-format off */
        {"the same", {LOA_ROLE_DEVICE, "vn/08/070", ""},
         {LOA_ROLE_DEVICE, "vn/08/070", ""}, "in"},
        {"a province beside", {LOA_ROLE_DEVICE, "vn/08/070", ""},
         {LOA_ROLE_DEVICE, "vn/66/001", ""}, "in-use"},
        {"an area below", {LOA_ROLE_SERVICE, "vn", "registry"},
         {LOA_ROLE_SERVICE, "vn/66", "registry"}, "in-use"},
        {"a device below", {LOA_ROLE_SERVICE, "vn", "registry"},
         {LOA_ROLE_DEVICE, "vn/66", ""}, "in-use"},
        {"an area above", {LOA_ROLE_DEVICE, "vn/66/001", ""},
         {LOA_ROLE_SERVICE, "vn", "registry"}, "in"},
        {"not quite above", {LOA_ROLE_DEVICE, "vn/081", ""},
         {LOA_ROLE_DEVICE, "vn/08", ""}, "in-use"},
        {"another role", {LOA_ROLE_SERVICE, "vn/08", "scheduler"},
         {LOA_ROLE_STAFF, "vn/08", ""}, "in-use"},
        {"another service", {LOA_ROLE_SERVICE, "vn/08", "scheduler"},
         {LOA_ROLE_SERVICE, "vn/08", "registry"}, "in-use"},
        /* clang-format on */
    };
    struct person in, comes;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setup();
        person_make(&in, &root, 20, rows[i].in.role, "same", rows[i].in.area,
                    rows[i].in.service, 0);
        person_make(&comes, &root, 21, rows[i].comes.role, "same",
                    rows[i].comes.area, rows[i].comes.service, 0);
        expect(rows[i].name, login(&clients[0], &in, 0), "in");
        expect(rows[i].name, login(&clients[1], &comes, 0), rows[i].want);
        /* Whose certificate has ended is in nobody's way. */
        g->now_ms += YEAR / 2;
        session_find(&g->sessions, &clients[0])->not_after_ms = g->now_ms;
        expect(rows[i].name, login(&clients[2], &comes, 0), "in");
    }
}

/* The broker's order: RELOAD, all who are in, TICK. */
static void test_sighup_throws_everybody_out(void)
{
    struct login_request lan_again = {&clients[0], "lan", "lan", "", NOW};
    struct login_request other = {&clients[1], "lan", "lan", "", NOW};
    struct login_request renamed = {&clients[0], "lan-2", "lan", "", NOW};
    struct login_request nameless = {&clients[0], NULL, "lan", "", NOW};
    struct gate_kick kicks[GATE_KICKS_MAX];

    setup();
    expect("login", login(&clients[0], &lan, 0), "in");
    CHECK_INT("not asked", gate_asks_again(g, &lan_again), false);
    gate_reload(g);
    CHECK_INT("stays", gate_asks_again(g, &lan_again), true);
    CHECK_INT("another", gate_asks_again(g, &other), false);
    CHECK_INT("another id", gate_asks_again(g, &renamed), false);
    CHECK_INT("no id", gate_asks_again(g, &nameless), false);
    CHECK_INT("tick", gate_tick(g, NOW, 0, kicks), 0);
    CHECK_INT("over", gate_asks_again(g, &lan_again), false);
    gate_reload(g);
    gate_gone(g, &clients[0]);
    CHECK_INT("gone", gate_asks_again(g, &lan_again), false);
}

static void test_older_list_goes_out(void)
{
    static uint8_t bytes[3][4096];
    struct loa_bytes lists[3], rubbish = {(const uint8_t *)"x", 1};

    setup();
    for (uint64_t i = 0; i < 3; i++)
        lists[i] = person_trust_list(&reg, 7 + i, &province, 99, bytes[i],
                                     sizeof bytes[i]);
    CHECK_INT("first", gate_trust(g, lists[1]), LOA_VERDICT_OK);
    CHECK_INT("the same", gate_trust(g, lists[1]), LOA_VERDICT_REPLAYED);
    CHECK_INT("is no older one", gate_trust_older(g, lists[1]), false);
    CHECK_INT("older", gate_trust(g, lists[0]), LOA_VERDICT_REPLAYED);
    CHECK_INT("is an older one", gate_trust_older(g, lists[0]), true);
    CHECK_INT("rubbish", gate_trust_older(g, rubbish), true);
    CHECK_INT("newer", gate_trust(g, lists[2]), LOA_VERDICT_OK);
    CHECK_INT("now it is", gate_trust_older(g, lists[1]), true);
}

/* lan comes and goes as lan-n; left: the broker still knows the session. */
static const char *visit(const char *client_id, bool left)
{
    struct login_twist t = {.client_id = client_id, .off_ms = g->now_ms - NOW};
    char password[LOA_PASSWORD_CAP];
    struct login_request r = {&clients[3], client_id, "lan", password,
                              g->now_ms};
    const struct gate_ended *e;
    const char *why;

    person_login(&lan, &t, ++next_id, password);
    why = gate_login(g, &r);
    gate_gone(g, &clients[3]);
    while ((e = gate_next_ended(g)) != NULL)
        if (left)
            gate_left(g, e);
    return why;
}

static void test_sessions_of_one_person_fill_the_broker(void)
{
    char id[LOA_CLIENT_CAP];

    setup();
    for (int i = 0; i < 200; i++)
        expect("leaves nothing", visit("lan-x", false), "in");
    for (int i = 0; i < LEFT_MAX; i++) {
        snprintf(id, sizeof id, "lan-%d", i);
        expect("leaves one", visit(id, true), "in");
    }
    expect("one more", visit("lan-more", true), "left-behind");
    expect("its own name", visit("lan", true), "in");
    expect("others", login(&clients[0], &pole, 0), "in");
    g->now_ms += LEFT_KEEP_MS;
    expect("later", visit("lan-more", false), "in");
    /* Whoever took the place of another left nothing behind. */
    g->now_ms += LEFT_KEEP_MS;
    expect("in", login(&clients[1], &lan, 0), "in");
    CHECK_INT("none", gate_next_ended(g) == NULL, true);
}

/* Ends for which there is no room between two TICKs are taken for the worst. */
static void test_many_ends_at_once(void)
{
    setup();
    for (int i = 0; i < GATE_ENDED_MAX + LEFT_MAX; i++) {
        struct session s = {.not_after_ms = NOW + HOUR, .client = &clients[0]};

        s.who.role = LOA_ROLE_STAFF;
        strcpy(s.who.principal, "lan");
        strcpy(s.client_id, "lan-y");
        CHECK_INT("add", session_add(&g->sessions, &s), LOA_OK);
        gate_gone(g, &clients[0]);
    }
    CHECK_INT("as many as fit", g->ended_n, GATE_ENDED_MAX);
    expect("the others count", visit("lan-z", false), "left-behind");
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    people();
    test_strangers_fill_the_broker();
    test_filters_fill_the_broker();
    test_pushed_out_by_name();
    test_sighup_throws_everybody_out();
    test_older_list_goes_out();
    test_sessions_of_one_person_fill_the_broker();
    test_many_ends_at_once();
    free(g);
    return CHECK_DONE();
}
