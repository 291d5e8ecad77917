/* Wills: which one is sent, and how the author of another one is told. */

#include "gate_rig.h"

static enum gate_verdict will_of(const void *client,
                                 const char *id,
                                 const char *topic,
                                 struct loa_bytes payload)
{
    struct gate_publication p = {client, id, topic, payload, true};

    return gate_write(g, &p);
}

static void test_will(void)
{
    uint8_t bytes[256];
    struct loa_bytes none = {NULL, 0};
    struct loa_bytes lost =
        state_bytes(LOA__V1__PRESENCE__PRESENCE_LOST, bytes);
    uint8_t more[256];
    struct loa_bytes online =
        state_bytes(LOA__V1__PRESENCE__PRESENCE_ONLINE, more);

    setup();
    CHECK_INT("login", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("login", login(&clients[1], &lan, 0) == NULL, true);
    gate_gone(g, &clients[0]);
    gate_gone(g, &clients[1]);
    CHECK_INT("lost", will_of(&clients[0], "pole_1", POLE_STATE, lost),
              GATE_OK);
    CHECK_INT("online", will_of(&clients[0], "pole_1", POLE_STATE, online),
              GATE_WILL);
    CHECK_INT("empty", will_of(&clients[0], "pole_1", POLE_STATE, none),
              GATE_WILL);
    CHECK_INT("nonsense",
              will_of(&clients[0], "pole_1", POLE_STATE,
                      (struct loa_bytes){(const uint8_t *)"\xff", 1}),
              GATE_WILL);
    CHECK_INT("health",
              will_of(&clients[0], "pole_1",
                      "loa/1/up/health/vn/08/070/02215/@pole_1", lost),
              GATE_WILL);
    CHECK_INT("another's state",
              will_of(&clients[0], "pole_1",
                      "loa/1/up/state/vn/08/070/02215/@pole_2", lost),
              GATE_WILL);
    CHECK_INT("staff",
              will_of(&clients[1], "lan-a",
                      "loa/1/rpc/scheduler/vn/08/070/@lan", none),
              GATE_WILL);
    CHECK_INT("nothing is read", gate_read(g, &clients[0], PROGRAMME),
              GATE_NO_SESSION);
}

/* Told at the next login of the same principal, once. */
static void test_author_of_a_wrong_will_is_told(void)
{
    uint8_t bytes[256];
    struct loa_bytes none = {NULL, 0}, lost;
    const char *why;

    lost = state_bytes(LOA__V1__PRESENCE__PRESENCE_LOST, bytes);
    setup();
    CHECK_INT("login", login(&clients[0], &pole, 0) == NULL, true);
    gate_gone(g, &clients[0]);
    CHECK_INT("foreign", will_of(&clients[0], "pole_1", "a/b", none),
              GATE_WILL);
    CHECK_INT("others", login(&clients[1], &lan, 0) == NULL, true);
    why = login(&clients[0], &pole, 0);
    CHECK_INT("told", why != NULL && strcmp(why, "will") == 0, true);
    CHECK_INT("which", strcmp(g->told_will, "a/b"), 0);
    CHECK_INT("not in", gate_read(g, &clients[0], PROGRAMME), GATE_NO_SESSION);
    CHECK_INT("then in", login(&clients[0], &pole, 0) == NULL, true);

    /* Who may have no will at all, under any of its client ids. */
    gate_gone(g, &clients[1]);
    CHECK_INT("staff", will_of(&clients[1], "lan-console", PROGRAMME, lost),
              GATE_WILL);
    why = login(&clients[1], &lan, 0);
    CHECK_INT("told", why != NULL && strcmp(why, "will") == 0, true);
    CHECK_INT("then in", login(&clients[1], &lan, 0) == NULL, true);

    /* The right one is no mistake, nor where it cannot be taken. */
    gate_gone(g, &clients[0]);
    CHECK_INT("right", will_of(&clients[0], "pole_1", POLE_STATE, lost),
              GATE_OK);
    session_remove(&g->sessions, &clients[0]);
    CHECK_INT("too late", will_of(&clients[0], "pole_1", POLE_STATE, lost),
              GATE_WILL);
    CHECK_INT("in", login(&clients[0], &pole, -YEAR) == NULL, true);
    gate_gone(g, &clients[0]);
    CHECK_INT("no clock", will_of(&clients[0], "pole_1", POLE_STATE, lost),
              GATE_WILL);
    CHECK_INT("in", login(&clients[0], &pole, 0) == NULL, true);

    /* Somebody without the key cannot take the word. */
    gate_gone(g, &clients[0]);
    CHECK_INT("foreign", will_of(&clients[0], "pole_1", PROGRAMME, lost),
              GATE_WILL);
    why = gate_login(g, &(struct login_request){&clients[3], "pole_1", "pole_1",
                                                "AAAA", NOW});
    CHECK_INT("no key", why != NULL && strcmp(why, "malformed") == 0, true);
    g->now_ms += WILLS_KEEP_MS;
    CHECK_INT("forgotten", login(&clients[0], &pole, 0) == NULL, true);
}

/* A connection that is pushed out by its own successor: the broker asks about
 * its will after the new login, before it says that the old one is gone. */
static void test_will_of_who_is_pushed_out(void)
{
    uint8_t bytes[256], more[256];
    struct loa_bytes lost, online;

    lost = state_bytes(LOA__V1__PRESENCE__PRESENCE_LOST, bytes);
    online = state_bytes(LOA__V1__PRESENCE__PRESENCE_ONLINE, more);
    setup();
    CHECK_INT("old", login(&clients[0], &pole, 0) == NULL, true);
    CHECK_INT("online", write_to(&clients[0], POLE_STATE, online, true),
              GATE_OK);
    CHECK_INT("new", login(&clients[1], &pole, 0) == NULL, true);
    CHECK_INT("online", will_of(&clients[0], "pole_1", POLE_STATE, online),
              GATE_WILL);
    CHECK_INT("lost", will_of(&clients[0], "pole_1", POLE_STATE, lost),
              GATE_OK);
    gate_gone(g, &clients[0]);
    CHECK_INT("the new one", write_to(&clients[1], POLE_STATE, online, true),
              GATE_OK);
    CHECK_INT("told", strcmp(login(&clients[2], &pole, 0), "will"), 0);
    CHECK_INT("who was told pushed nobody out",
              write_to(&clients[1], POLE_STATE, online, true), GATE_OK);
    /* A broker that lets both live: the old one is asked as ever. */
    CHECK_INT("again", login(&clients[2], &pole, 0) == NULL, true);
    gate_tick(g, g->now_ms, 0, (struct gate_kick[GATE_KICKS_MAX]){{"", 0}});
    CHECK_INT("still there", write_to(&clients[1], POLE_STATE, online, true),
              GATE_OK);
}

static void test_notes_of_wills(void)
{
    static struct wills w;
    char topic[WILLS_TOPIC_CAP], name[LOA_PRINCIPAL_CAP], longer[400];

    wills_principal("lan-watch-x", name);
    CHECK_INT("staff", strcmp(name, "lan"), 0);
    wills_principal("", name);
    CHECK_INT("empty", name[0], 0);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    wills_principal(longer, name);
    CHECK_INT("cut", strlen(name), sizeof name - 1);
    CHECK_INT("nothing", wills_take(&w, "a", NOW, topic), false);
    wills_add(&w, "a", "first", NOW);
    wills_add(&w, "a", longer, NOW + 1);
    CHECK_INT("last", wills_take(&w, "a", NOW + WILLS_KEEP_MS, topic), true);
    CHECK_INT("cut", strlen(topic), sizeof topic - 1);
    CHECK_INT("once", wills_take(&w, "a", NOW + 2, topic), false);
    for (int i = 0; i <= WILLS_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        wills_add(&w, name, "t", NOW + i);
    }
    CHECK_INT("oldest gave way", wills_take(&w, "p0", NOW, topic), false);
    CHECK_INT("others stay", wills_take(&w, "p1", NOW, topic), true);
    CHECK_INT("ends", wills_take(&w, "p2", NOW + 2 + WILLS_KEEP_MS, topic),
              false);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    people();
    test_will();
    test_author_of_a_wrong_will_is_told();
    test_will_of_who_is_pushed_out();
    test_notes_of_wills();
    free(g);
    return CHECK_DONE();
}
