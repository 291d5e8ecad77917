/* link: broker-plugins/loa-auth/gate.c broker-plugins/loa-auth/login.c
 * broker-plugins/loa-auth/left.c
 * broker-plugins/loa-auth/rights.c broker-plugins/loa-auth/seen.c
 * broker-plugins/loa-auth/session.c broker-plugins/loa-auth/topics.c
 * broker-plugins/loa-auth/wills.c broker-plugins/loa-auth/wire.c */

/* A broker's questions in any order, with any text. What must hold whatever is
 * asked:
 *   - nobody gets in whose login was not signed here;
 *   - a granted filter lies within what its holder may read, topic by topic;
 *   - nobody without a session may anything; who is gone may leave only a will;
 *   - after a revocation its victim may nothing more.
 *
 * The input is a list of operations, each a byte, a client and a text that ends
 * with a line feed. */

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker-plugins/loa-auth/gate.h"
#include "test/unit/loa-auth/people.h"

#define CLIENTS_N 8
#define TEXT_CAP 4096

enum { POLE, LAN, REG, SCHED, PEOPLE_N };

static struct gate *gate;
static struct person root, province, people[PEOPLE_N];
static char passwords[PEOPLE_N][LOA_PASSWORD_CAP];
static uint8_t revoking[4096];
static struct loa_bytes revoking_list;
static int clients[CLIENTS_N];

static void make_people(void)
{
    person_root(&root);
    person_issue(&province, &root, 2, &province_body);
    person_make(&people[POLE], &province, 3, LOA_ROLE_DEVICE, "pole",
                "vn/08/070", "", 0);
    person_make(&people[LAN], &province, 4, LOA_ROLE_STAFF, "lan", "vn/08/070",
                "", LOA_POWER_COMMAND);
    person_make(&people[REG], &province, 5, LOA_ROLE_SERVICE, "reg", "vn/08",
                "registry", LOA_POWER_REVOKE);
    person_make(&people[SCHED], &province, 6, LOA_ROLE_SERVICE, "sched",
                "vn/08", "scheduler", 0);
    for (uint8_t i = 0; i < PEOPLE_N; i++)
        person_login(&people[i], &(struct login_twist){0}, (uint8_t)(i + 1),
                     passwords[i]);
    revoking_list =
        person_trust_list(&people[REG], 1, &province, people[POLE].leaf.serial,
                          revoking, sizeof revoking);
}

#define demand(holds) demand_at(holds, __LINE__)
static void demand_at(bool holds, int line)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_verdict.c:%d: does not hold\n", line);
    abort();
}

/* The text as a password for anybody: only one that was signed above opens. */
static void try_login(const void *client, char *text)
{
    char *id = text, *password = strchr(text, ' ');
    struct login_request r = {client, id, id, password, NOW};
    const char *why;

    if (password != NULL) {
        *password++ = '\0';
        r.password = password;
    }
    why = gate_login(gate, &r);
    if (why != NULL)
        return;
    for (size_t i = 0; i < PEOPLE_N; i++)
        if (strcmp(password, passwords[i]) == 0 &&
            strcmp(id, people[i].leaf.principal) == 0)
            return;
    abort();
}

static void real_login(const void *client, size_t who)
{
    const char *name = people[who].leaf.principal;
    struct login_request r = {client, name, name, passwords[who], NOW};
    const char *why;

    memset(gate->seen.sets, 0, sizeof gate->seen.sets); /* It was not used. */
    memset(&gate->wills, 0, sizeof gate->wills);        /* Told before. */
    why = gate_login(gate, &r);
    if (gate->epoch == 0)
        demand(why == NULL);
    else
        demand((why == NULL) == (who != POLE));
}

static bool live(const void *client)
{
    const struct session *s = session_find(&gate->sessions, client);

    return s != NULL && s->state == SESSION_LIVE;
}

static bool victim(const void *client)
{
    const struct session *s = session_find(&gate->sessions, client);

    return gate->epoch > 0 && s != NULL &&
           strcmp(s->who.principal, "pole") == 0;
}

/* Every topic of a small world that a granted filter matches is readable. */
static void check_filter(const void *client, const char *text)
{
    static const char *const kinds[] = {"programme", "head",  "trust",
                                        "state",     "reply", "registry"};
    static const char *const ends[] = {"", "/@pole", "/@lan", "/@you"};
    struct loa_filter f;
    struct loa_topic t;
    char topic[LOA_TOPIC_CAP + 16];
    int rv = loa_filter_parse(text, &f);

    demand(rv == LOA_OK);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t e = 0; e < sizeof ends / sizeof ends[0]; e++)
            for (int below = 0; below < 2; below++) {
                snprintf(topic, sizeof topic, "loa/1/%s/%s/%s%s%s",
                         loa_plane_name(f.plane), kinds[k], f.area,
                         below ? "/x" : "", ends[e]);
                if (loa_topic_parse(topic, &t) == LOA_OK &&
                    loa_filter_matches(&f, &t))
                    demand(gate_read(gate, client, topic) == GATE_OK);
            }
}

static void ask(uint8_t what, const void *client, char *text)
{
    struct gate_publication p = {client,
                                 what & 32 ? "pole" : text,
                                 text,
                                 {(const uint8_t *)text, strlen(text)},
                                 what & 16};
    bool in = live(client) && !victim(client);
    enum gate_verdict v;
    bool first;

    switch (what % 16) {
        case 0:
            try_login(client, text);
            break;
        case 1:
            real_login(client, (uint8_t)text[0] % PEOPLE_N);
            break;
        case 2:
            v = gate_subscribe(gate, client, text, 0);
            demand(v != GATE_OK || in);
            if (v == GATE_OK)
                check_filter(client, text);
            break;
        case 3:
            v = gate_read(gate, client, text);
            demand(v != GATE_OK || in);
            /* What is remembered is what would be judged. */
            topics_renumber(&gate->topics);
            demand(gate_read(gate, client, text) == v);
            break;
        case 4:
            /* What is left of a client may have a will; a text is none. */
            demand(gate_write(gate, &p) != GATE_OK || in);
            break;
        case 5:
            gate_gone(gate, client);
            demand(!live(client));
            break;
        case 6:
            demand(gate_trust(gate, p.payload) != LOA_VERDICT_OK);
            break;
        case 7:
            first = gate->epoch == 0;
            demand(gate_trust(gate, revoking_list) ==
                   (first ? LOA_VERDICT_OK : LOA_VERDICT_REPLAYED));
            break;
        case 8: {
            struct gate_kick kicks[GATE_KICKS_MAX];

            demand(gate_tick(gate, NOW, gate->sweep_ms + GATE_SWEEP_MS,
                             kicks) <= CLIENTS_N);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct login_rules rules = {"loa", 120000};
    static char text[TEXT_CAP];

    if (gate == NULL) {
        if (sodium_init() < 0 || (gate = calloc(1, sizeof *gate)) == NULL)
            return 0;
        make_people();
        gate_init(gate, &rules, root.key.public_key);
    }
    for (size_t i = 0; i < CLIENTS_N; i++)
        session_remove(&gate->sessions, &clients[i]);
    gate->epoch = 0;
    gate->sweep_at = 0;
    gate->trust.revoked.number = 0;
    gate->now_ms = NOW;

    while (size >= 2) {
        const uint8_t *end = memchr(data + 2, '\n', size - 2);
        size_t len = end == NULL ? size - 2 : (size_t)(end - data) - 2;

        if (len >= sizeof text)
            return 0;
        memcpy(text, data + 2, len);
        text[len] = '\0';
        ask(data[0], &clients[data[1] % CLIENTS_N], text);
        len += end == NULL ? 2 : 3;
        data += len;
        size -= len;
    }
    return 0;
}
