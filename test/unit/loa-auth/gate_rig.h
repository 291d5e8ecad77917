/* gate_rig.h -- a gate, a province and who logs in, for the tests of gate.c. */

#ifndef LOA_TEST_GATE_RIG_H
#define LOA_TEST_GATE_RIG_H

#include <sodium.h>
#include <stdlib.h>

#include "broker-plugins/loa-auth/gate.h"
#include "check.h"
#include "people.h"

#define POLE_STATE "loa/1/up/state/vn/08/070/02215/@pole_1"
#define POLE_FILTER "loa/1/down/+/vn/08"
#define PROGRAMME "loa/1/down/programme/vn/08"
#define TRUST "loa/1/down/trust/vn/08"

static struct gate *g;
static struct person root, province, lan, pole, reg;
static int clients[8]; /* Their addresses stand for the broker's clients. */
static uint8_t next_id;

static const char *login(const void *client,
                         const struct person *p,
                         int64_t off_ms)
{
    struct login_twist t = {.off_ms = g->now_ms - NOW + off_ms};
    char password[LOA_PASSWORD_CAP];
    struct login_request r = {client, p->leaf.principal, p->leaf.principal,
                              password, g->now_ms};

    person_login(p, &t, ++next_id, password);
    return gate_login(g, &r);
}

__attribute__((unused)) static enum gate_verdict write_to(
    const void *client,
    const char *topic,
    struct loa_bytes payload,
    bool retain)
{
    struct gate_publication p = {client, NULL, topic, payload, retain};

    return gate_write(g, &p);
}

static void setup(void)
{
    static const struct login_rules rules = {"loa", 120000};

    free(g);
    g = calloc(1, sizeof *g);
    assert(g != NULL);
    gate_init(g, &rules, root.key.public_key);
    g->now_ms = NOW;
}

static void people(void)
{
    person_root(&root);
    person_issue(&province, &root, 2, &province_body);
    person_make(&lan, &province, 3, LOA_ROLE_STAFF, "lan", "vn/08/070", "", 0);
    person_make(&pole, &province, 4, LOA_ROLE_DEVICE, "pole_1",
                "vn/08/070/02215", "", 0);
    person_make(&reg, &root, 5, LOA_ROLE_SERVICE, "reg", "vn/08", "registry",
                LOA_POWER_REVOKE);
}

#endif /* LOA_TEST_GATE_RIG_H */
