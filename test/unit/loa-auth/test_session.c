/* The table of sessions against a list that is searched from end to end. */

#include <stdlib.h>
#include <string.h>

#include "broker-plugins/loa-auth/session.h"
#include "check.h"

#define CLIENTS_N 600
#define OPERATIONS_N 60000

static struct sessions *table;

/* Pointers as a heap gives them; never followed. */
static const void *pointer(size_t i)
{
    return (const void *)(uintptr_t)(0x7f0000000000u + i * 1184u);
}

static struct session make(size_t client, const char *id, enum loa_role role)
{
    struct session s = {.client = pointer(client), .not_after_ms = 1};

    s.who.role = role;
    strcpy(s.who.area, "vn/08");
    strcpy(s.who.principal, id);
    strcpy(s.client_id, id);
    rights_grant(&s.who);
    return s;
}

static struct {
    enum session_state state;
    char id[LOA_CLIENT_CAP];
} model[CLIENTS_N];

static void check_model(void)
{
    size_t live_n = 0, gone_n = 0;

    for (size_t i = 0; i < CLIENTS_N; i++) {
        const struct session *s = session_find(table, pointer(i)), *by_id;

        CHECK_INT("state", s == NULL ? SESSION_FREE : s->state, model[i].state);
        live_n += model[i].state == SESSION_LIVE;
        gone_n += model[i].state == SESSION_GONE;
        if (model[i].state != SESSION_LIVE)
            continue;
        by_id = session_find_id(table, model[i].id);
        CHECK_INT("by id",
                  by_id != NULL && by_id->state == SESSION_LIVE &&
                      strcmp(by_id->client_id, model[i].id) == 0,
                  true);
    }
    CHECK_INT("live", table->live_n, live_n);
    CHECK_INT("gone", table->gone_n, gone_n);
    CHECK_INT("rows", table->used_n <= CLIENTS_N, true);
}

static void model_gone(size_t i)
{
    for (size_t k = 0; k < CLIENTS_N; k++)
        if (model[k].state == SESSION_GONE &&
            strcmp(model[k].id, model[i].id) == 0)
            model[k].state = SESSION_FREE;
    model[i].state = model[i].id[0] == 'p' ? SESSION_GONE : SESSION_FREE;
}

static void operate(size_t i)
{
    bool device = rand() % 2;
    struct session s;

    switch (rand() % 4) {
        case 0:
        case 1:
            /* Few ids, so that several clients have the same. */
            snprintf(model[i].id, sizeof model[i].id, "%s_%d",
                     device ? "pole" : "lan", rand() % 300);
            s = make(i, model[i].id, device ? LOA_ROLE_DEVICE : LOA_ROLE_STAFF);
            CHECK_INT("add", session_add(table, &s), LOA_OK);
            model[i].state = SESSION_LIVE;
            break;
        case 2:
            session_gone(table, pointer(i), 5);
            /* Who can have no will leaves nothing behind. */
            if (model[i].state == SESSION_LIVE)
                model_gone(i);
            break;
        case 3:
            session_remove(table, pointer(i));
            model[i].state = SESSION_FREE;
            break;
    }
}

static void test_against_the_model(void)
{
    srand(11);
    for (int n = 0; n < OPERATIONS_N; n++) {
        operate((size_t)rand() % CLIENTS_N);
        if (n % 500 == 0)
            check_model();
    }
    check_model();
    for (size_t i = 0; i < CLIENTS_N; i++) {
        session_remove(table, pointer(i));
        model[i].state = SESSION_FREE;
    }
    check_model();
    for (size_t i = 0; i < SESSION_SLOTS_N; i++)
        if (table->by_client[i] != 0 || table->by_id[i] != 0)
            CHECK_INT("slot left", i, -1);
}

/* P9: a stolen key that logs in and goes takes no room from others. */
static void test_one_key_cannot_fill_it(void)
{
    for (size_t i = 0; i < SESSIONS_MAX + 10; i++) {
        struct session s = make(i, "pole_1", LOA_ROLE_DEVICE);

        CHECK_INT("in", session_add(table, &s), LOA_OK);
        session_gone(table, s.client, 1);
        CHECK_INT("the last one", table->gone_n, 1);
    }
    session_remove(table, pointer(SESSIONS_MAX + 9));
    CHECK_INT("none", table->gone_n, 0);
}

static void test_full(void)
{
    struct session s;
    size_t i;

    for (i = 0; i < SESSIONS_MAX; i++) {
        s = make(i, "x", LOA_ROLE_STAFF);
        snprintf(s.client_id, sizeof s.client_id, "x%zu", i);
        if (session_add(table, &s) != LOA_OK)
            break;
    }
    CHECK_INT("all rows", i, SESSIONS_MAX);
    s = make(i, "y", LOA_ROLE_STAFF);
    CHECK_INT("full", session_add(table, &s), LOA_EBUSY);
    CHECK_INT("nothing left", session_find(table, pointer(i)) == NULL, true);
    session_remove(table, pointer(4711));
    CHECK_INT("room again", session_add(table, &s), LOA_OK);
    CHECK_INT("found", session_find_id(table, "y") != NULL, true);
    for (i = 0; i <= SESSIONS_MAX; i++)
        session_remove(table, pointer(i));
    CHECK_INT("empty", table->live_n, 0);
}

static void test_enrolling_have_few_rows(void)
{
    struct session s;

    for (size_t i = 0; i < SESSIONS_ENROLLING_MAX; i++) {
        s = make(i, "enrol_x", RIGHTS_ROLE_ENROLLING);
        CHECK_INT("enrolling", session_add(table, &s), LOA_OK);
    }
    s = make(CLIENTS_N, "enrol_y", RIGHTS_ROLE_ENROLLING);
    CHECK_INT("one too many", session_add(table, &s), LOA_EBUSY);
    s = make(CLIENTS_N, "lan", LOA_ROLE_STAFF);
    CHECK_INT("others have room", session_add(table, &s), LOA_OK);
    session_gone(table, pointer(0), 1);
    s = make(CLIENTS_N + 1, "enrol_y", RIGHTS_ROLE_ENROLLING);
    CHECK_INT("room again", session_add(table, &s), LOA_OK);
}

static void test_revoked_is_asked_once_an_epoch(void)
{
    static struct loa_trust trust;
    struct session s = make(1, "pole", LOA_ROLE_DEVICE);

    strcpy(s.who.area, "vn/08/070/02215");
    s.links_n = 2;
    s.links[0] = (struct session_link){{1}, 40, 4};
    s.links[1] = (struct session_link){{2}, 50, 2};
    CHECK_INT("no list", session_revoked(&s, &trust, 1), false);

    trust.revoked.number = 1;
    strcpy(trust.revoked.area, "vn/08");
    trust.revoked.entries_n = 1;
    trust.revoked.entries[0] =
        (struct loa_revocation){.issuer = {2}, .floor_serial = 51};
    CHECK_INT("remembered", session_revoked(&s, &trust, 1), false);
    CHECK_INT("a link above", session_revoked(&s, &trust, 2), true);
    /* The list binds only what lies in its signer's area. */
    strcpy(trust.revoked.area, "vn/08/070");
    CHECK_INT("outside", session_revoked(&s, &trust, 3), false);
    trust.revoked.entries[0].issuer[0] = 1;
    CHECK_INT("the leaf", session_revoked(&s, &trust, 4), true);
}

/* Of a connection each link's key is known: the leaf's, then the issuers'. */
static void test_revoked_by_key(void)
{
    static struct loa_trust trust;
    struct session s = make(1, "lan", LOA_ROLE_STAFF);

    strcpy(s.who.area, "vn/08/070");
    s.key[0] = 9;
    s.links_n = 2;
    s.links[0] = (struct session_link){{1}, 40, 3};
    s.links[1] = (struct session_link){{2}, 50, 2};
    trust.revoked.number = 1;
    strcpy(trust.revoked.area, "vn");
    trust.revoked.entries_n = trust.revoked.serials_n = 1;
    trust.revoked.entries[0] =
        (struct loa_revocation){.issuer = {1}, .serials_n = 1};
    trust.revoked.serials[0] = loa_key_number(s.key);
    CHECK_INT("the leaf", session_revoked(&s, &trust, 1), true);
    trust.revoked.entries[0].issuer[0] = 2;
    CHECK_INT("of another issuer", session_revoked(&s, &trust, 2), false);
    trust.revoked.serials[0] = loa_key_number(s.links[0].issuer);
    CHECK_INT("a link above", session_revoked(&s, &trust, 3), true);
}

int main(void)
{
    table = calloc(1, sizeof *table);
    if (table == NULL)
        return 1;
    test_against_the_model();
    test_one_key_cannot_fill_it();
    test_full();
    test_enrolling_have_few_rows();
    test_revoked_is_asked_once_an_epoch();
    test_revoked_by_key();
    free(table);
    return CHECK_DONE();
}
