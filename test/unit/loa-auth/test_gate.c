/* A broker's questions in the order in which it asks them: login, deliveries,
 * a revocation in between, the end of a certificate, wills. */

#include "gate_rig.h"

static size_t tick(int64_t now_ms, struct gate_kick *kicks)
{
    static int64_t monotonic_ms;
    size_t n = 0;

    /* One turn to the end of the rows, one from the start. */
    for (int i = 0; i < 2 && n == 0; i++)
        n = gate_tick(g, now_ms, monotonic_ms += GATE_SWEEP_MS, kicks);
    return n;
}

static enum loa_verdict trust(const struct person *by,
                              uint64_t number,
                              const struct person *issuer,
                              uint64_t serial)
{
    static uint8_t bytes[4096];
    struct loa_bytes list =
        person_trust_list(by, number, issuer, serial, bytes, sizeof bytes);
    struct gate_publication p = {&clients[2], "reg", TRUST, list, true};

    CHECK_INT("is a list", gate_is_trust(g, &p), true);
    return gate_trust(g, list);
}

static void test_who_is_not_in_may_nothing(void)
{
    struct loa_bytes none = {NULL, 0};

    setup();
    CHECK_INT("read", gate_read(g, &clients[0], PROGRAMME), GATE_NO_SESSION);
    CHECK_INT("subscribe", gate_subscribe(g, &clients[0], POLE_FILTER, 0),
              GATE_NO_SESSION);
    CHECK_INT("write", write_to(&clients[0], POLE_STATE, none, true),
              GATE_NO_SESSION);
    gate_gone(g, &clients[0]);
}

static void test_names(void)
{
    CHECK_INT("ok", strcmp(gate_verdict_name(GATE_OK), "ok"), 0);
    CHECK_INT("last", strcmp(gate_verdict_name(GATE_EXPIRED), "expired"), 0);
    CHECK_INT("none",
              strcmp(gate_verdict_name((enum gate_verdict)99), "unknown"), 0);
}

static void test_what_is_a_trust_list(void)
{
    static const struct {
        const char *topic;
        size_t len;
        bool want;
    } rows[] = {
        {TRUST, 1, true},      {TRUST, 0, false}, /* Clearing. */
        {PROGRAMME, 1, false}, {"loa/1/up/trust/vn/08", 1, false},
        {"a/b", 1, false},
    };

    setup();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gate_publication p = {NULL,
                                     NULL,
                                     rows[i].topic,
                                     {(const uint8_t *)"x", rows[i].len},
                                     true};

        CHECK_INT(rows[i].topic, gate_is_trust(g, &p), rows[i].want);
    }
}

static void test_no_room(void)
{
    static char many[SESSIONS_MAX];
    struct session s = {.not_after_ms = NOW};

    setup();
    s.who.role = LOA_ROLE_STAFF;
    for (size_t i = 0; i < sizeof many; i++) {
        s.client = &many[i];
        CHECK_INT("add", session_add(&g->sessions, &s), LOA_OK);
    }
    CHECK_INT("full", strcmp(login(&clients[0], &pole, 0), "full"), 0);
}

static void test_device(void)
{
    struct loa_bytes none = {NULL, 0};

    setup();
    CHECK_INT("login", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("filter", gate_subscribe(g, &clients[0], POLE_FILTER, 0),
              GATE_OK);
    CHECK_INT("#", gate_subscribe(g, &clients[0], "#", 0), GATE_TOPIC);
    CHECK_INT("$share",
              gate_subscribe(g, &clients[0], "$share/g/" POLE_FILTER, 0),
              GATE_TOPIC);
    CHECK_INT("subtree",
              gate_subscribe(g, &clients[0], "loa/1/down/+/vn/08/#", 0),
              GATE_RIGHT);
    CHECK_INT("read", gate_read(g, &clients[0], PROGRAMME), GATE_OK);
    CHECK_INT("read another",
              gate_read(g, &clients[0], "loa/1/down/programme/vn/09"),
              GATE_RIGHT);
    CHECK_INT("read $SYS", gate_read(g, &clients[0], "$SYS/broker/uptime"),
              GATE_TOPIC);
    CHECK_INT("state", write_to(&clients[0], POLE_STATE, none, true), GATE_OK);
    CHECK_INT("retained health",
              write_to(&clients[0], "loa/1/up/health/vn/08/070/02215/@pole_1",
                       none, true),
              GATE_RETAIN);
    CHECK_INT("state, not retained",
              write_to(&clients[0], POLE_STATE, none, false), GATE_OK);
    CHECK_INT("health, not retained",
              write_to(&clients[0], "loa/1/up/health/vn/08/070/02215/@pole_1",
                       none, false),
              GATE_OK);
    CHECK_INT("programme", write_to(&clients[0], PROGRAMME, none, false),
              GATE_RIGHT);
    CHECK_INT("foreign", write_to(&clients[0], "a/b", none, false), GATE_TOPIC);
}

/* What a client may read is remembered by topic: never longer than it is so. */
static void test_memory_of_deliveries(void)
{
    char topic[64];

    setup();
    CHECK_INT("pole", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("lan", login(&clients[1], &lan, 0) == NULL, true);
    CHECK_INT("registry", login(&clients[2], &reg, 0) == NULL, true);
    for (int i = 0; i < 3; i++) {
        CHECK_INT("pole", gate_read(g, &clients[0], PROGRAMME), GATE_OK);
        CHECK_INT("lan", gate_read(g, &clients[1], PROGRAMME), GATE_RIGHT);
        CHECK_INT("nobody", gate_read(g, &clients[5], PROGRAMME),
                  GATE_NO_SESSION);
        CHECK_INT("other", gate_read(g, &clients[0], "loa/1/down/head/vn/09"),
                  GATE_RIGHT);
        CHECK_INT("foreign", gate_read(g, &clients[0], "a/b"), GATE_TOPIC);
    }
    for (int i = 0; i < 3 * TOPICS_MAX; i++) {
        snprintf(topic, sizeof topic, "loa/1/down/head/vn/0%d/%d", 8 + i % 2,
                 i % 300);
        CHECK_INT(topic, gate_read(g, &clients[1], topic), GATE_RIGHT);
        CHECK_INT(topic, gate_read(g, &clients[0], PROGRAMME), GATE_OK);
    }
    /* Somebody else at the same place in memory. */
    CHECK_INT("lan", login(&clients[0], &lan, 0) == NULL, true);
    CHECK_INT("lan", gate_read(g, &clients[0], PROGRAMME), GATE_RIGHT);
    CHECK_INT("pole", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("pole", gate_read(g, &clients[0], PROGRAMME), GATE_OK);
    CHECK_INT("list", trust(&reg, 1, &province, pole.leaf.serial),
              LOA_VERDICT_OK);
    CHECK_INT("revoked", gate_read(g, &clients[0], PROGRAMME), GATE_REVOKED);
    gate_gone(g, &clients[0]);
    CHECK_INT("gone", gate_read(g, &clients[0], PROGRAMME), GATE_NO_SESSION);
}

static void test_gone_is_forgotten(void)
{
    struct gate_kick kicks[GATE_KICKS_MAX];

    setup();
    CHECK_INT("login", login(&clients[0], &pole, 0) == NULL, true);
    gate_gone(g, &clients[0]);
    CHECK_INT("tick", tick(NOW + SESSION_LINGER_MS, kicks), 0);
    CHECK_INT("kept", g->sessions.gone_n, 1);
    CHECK_INT("tick", tick(NOW + SESSION_LINGER_MS + 1, kicks), 0);
    CHECK_INT("forgotten", g->sessions.gone_n, 0);
}

static void test_revocation_cuts_who_is_in(void)
{
    struct gate_kick kicks[GATE_KICKS_MAX];
    uint8_t bytes[256];

    setup();
    CHECK_INT("pole", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("lan", login(&clients[1], &lan, 0) == NULL, true);
    CHECK_INT("registry", login(&clients[2], &reg, 0) == NULL, true);
    CHECK_INT("before", gate_read(g, &clients[0], PROGRAMME), GATE_OK);
    CHECK_INT("list", trust(&reg, 1, &province, pole.leaf.serial),
              LOA_VERDICT_OK);
    CHECK_INT("read", gate_read(g, &clients[0], PROGRAMME), GATE_REVOKED);
    CHECK_INT("subscribe", gate_subscribe(g, &clients[0], POLE_FILTER, 0),
              GATE_REVOKED);
    CHECK_INT(
        "write",
        write_to(&clients[0], POLE_STATE,
                 state_bytes(LOA__V1__PRESENCE__PRESENCE_LOST, bytes), true),
        GATE_REVOKED);
    CHECK_INT("others",
              gate_subscribe(g, &clients[1], "loa/1/up/+/vn/08/070/#", 0),
              GATE_OK);

    CHECK_INT("one", tick(NOW + 1, kicks), 1);
    CHECK_INT("whom", strcmp(kicks[0].client_id, "pole_1"), 0);
    CHECK_INT("why", kicks[0].why, GATE_REVOKED);
    CHECK_INT("once", tick(NOW + 2, kicks), 0);
    /* Being cut, it may say that it is lost. */
    gate_gone(g, &clients[0]);
    CHECK_INT(
        "will",
        write_to(&clients[0], POLE_STATE,
                 state_bytes(LOA__V1__PRESENCE__PRESENCE_LOST, bytes), true),
        GATE_OK);
    CHECK_INT("back", strcmp(login(&clients[3], &pole, 0), "revoked"), 0);

    CHECK_INT("again", trust(&reg, 1, NULL, 0), LOA_VERDICT_REPLAYED);
    CHECK_INT("still", strcmp(login(&clients[3], &pole, 0), "revoked"), 0);
    CHECK_INT("by others", trust(&lan, 2, NULL, 0), LOA_VERDICT_POWER);
    CHECK_INT("too long",
              gate_trust(g, (struct loa_bytes){(const uint8_t *)"x",
                                               LOA_ENVELOPE_BYTES_MAX + 1}),
              LOA_VERDICT_MALFORMED);
    CHECK_INT("malformed",
              gate_trust(g, (struct loa_bytes){(const uint8_t *)"x", 1}),
              LOA_VERDICT_MALFORMED);
    CHECK_INT("the issuer", trust(&reg, 2, &root, province.leaf.serial),
              LOA_VERDICT_OK);
    CHECK_INT("all that it issued", tick(NOW + 3, kicks), 1);
    CHECK_INT("whom", strcmp(kicks[0].client_id, "lan"), 0);
}

static void test_restored_list_binds(void)
{
    static uint8_t bytes[4096];

    setup();
    g->now_ms = NOW + 10 * YEAR; /* Its own expiry does not matter. */
    CHECK_INT(
        "restore",
        gate_restore(g, person_trust_list(&reg, 3, &province, pole.leaf.serial,
                                          bytes, sizeof bytes)),
        LOA_VERDICT_OK);
    g->now_ms = NOW;
    CHECK_INT("revoked", strcmp(login(&clients[0], &pole, 0), "revoked"), 0);
}

static void test_certificate_ends(void)
{
    struct gate_kick kicks[GATE_KICKS_MAX];

    setup();
    CHECK_INT("login", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("nobody", tick(NOW + YEAR - 1, kicks), 0);
    CHECK_INT("last", gate_read(g, &clients[0], PROGRAMME), GATE_OK);
    CHECK_INT("one", tick(NOW + YEAR, kicks), 1);
    CHECK_INT("why", kicks[0].why, GATE_EXPIRED);
    CHECK_INT("read", gate_read(g, &clients[0], PROGRAMME), GATE_EXPIRED);
}

/* As the broker does it: the new one is let in, then the old one is gone. */
static void test_login_without_time_pushes_nobody_out(void)
{
    const char *why;

    setup();
    CHECK_INT("limited", login(&clients[0], &pole, -YEAR) == NULL, true);
    CHECK_INT("limited", login(&clients[1], &pole, -YEAR) == NULL, true);
    gate_gone(g, &clients[0]);
    CHECK_INT("full", login(&clients[2], &pole, 0) == NULL, true);
    gate_gone(g, &clients[1]);
    why = login(&clients[3], &pole, -YEAR);
    CHECK_INT("refused", why != NULL && strcmp(why, "in-use") == 0, true);
    CHECK_INT("full again", login(&clients[4], &pole, 0) == NULL, true);
    gate_gone(g, &clients[2]);
    gate_gone(g, &clients[4]);
    CHECK_INT("limited", login(&clients[3], &pole, -YEAR) == NULL, true);
}

/* The broker gives the memory of one client to the next. */
static void test_pointer_is_used_again(void)
{
    setup();
    CHECK_INT("login", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("wrong", login(&clients[0], &province, 0) != NULL, true);
    CHECK_INT("nobody", gate_read(g, &clients[0], PROGRAMME), GATE_NO_SESSION);
    CHECK_INT("login", login(&clients[0], &lan, 0) == NULL, true);
    CHECK_INT("somebody else",
              gate_subscribe(g, &clients[0], "loa/1/up/+/vn/08/070/#", 0),
              GATE_OK);
}

static void test_sweep_is_bounded(void)
{
    struct gate_kick kicks[GATE_KICKS_MAX];
    size_t kicked_n = 0;
    static char many[3 * GATE_KICKS_MAX];
    struct session s = {.not_after_ms = NOW + HOUR};

    setup();
    s.who.role = LOA_ROLE_STAFF;
    for (size_t i = 0; i < sizeof many; i++) {
        s.client = &many[i];
        snprintf(s.client_id, sizeof s.client_id, "c%zu", i);
        CHECK_INT("add", session_add(&g->sessions, &s), LOA_OK);
    }
    for (int64_t t = 1; t <= 5; t++) {
        size_t n = gate_tick(g, NOW + HOUR, t * GATE_SWEEP_MS, kicks);

        CHECK_INT("a few at a time", n <= GATE_KICKS_MAX, true);
        CHECK_INT("too soon",
                  gate_tick(g, NOW + HOUR, t * GATE_SWEEP_MS + 1, kicks), 0);
        kicked_n += n;
    }
    CHECK_INT("all", kicked_n, sizeof many);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    people();
    test_who_is_not_in_may_nothing();
    test_names();
    test_what_is_a_trust_list();
    test_no_room();
    test_device();
    test_memory_of_deliveries();
    test_gone_is_forgotten();
    test_revocation_cuts_who_is_in();
    test_restored_list_binds();
    test_certificate_ends();
    test_login_without_time_pushes_nobody_out();
    test_pointer_is_used_again();
    test_sweep_is_bounded();
    free(g);
    return CHECK_DONE();
}
