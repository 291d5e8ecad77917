/* world.h -- a registry with keys and a tree, for tests and fuzzers: time and
 * requests are the caller's, nothing else is there. */

#ifndef LOA_TEST_REGISTRY_WORLD_H
#define LOA_TEST_REGISTRY_WORLD_H

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "registry/alarm.h"
#include "registry/registry.h"

#define DAY 86400000ll
#define NOW (1700000000000ll)

static struct registry registry;
static struct loa_identity identity;
static struct loa_trust trust;
static struct loa_key root_key, authority_key;
static struct loa_certificate authority;
static struct registry_update update;

static struct loa_key world_key(uint8_t n)
{
    struct loa_key k;
    uint8_t seed[32];

    memset(seed, n, sizeof seed);
    loa_key_from_seed(&k, seed);
    return k;
}

/* A certificate below `issuer`; the encoded form goes to buf. */
static struct loa_certificate world_certificate(const struct loa_key *issuer,
                                                const struct loa_key *subject,
                                                const char *name,
                                                const char *area,
                                                enum loa_role role,
                                                uint32_t powers,
                                                uint64_t serial,
                                                uint8_t *buf,
                                                size_t *len)
{
    struct loa_certificate c = {.serial = serial,
                                .role = role,
                                .powers = powers,
                                .not_before_ms = NOW - DAY,
                                .not_after_ms = NOW + 1000 * DAY};
    int rv;

    if (role == LOA_ROLE_AUTHORITY)
        c.max_depth = 5;
    if (role == LOA_ROLE_SERVICE) {
        c.max_depth = 1;
        snprintf(c.service, sizeof c.service, "registry");
    }
    memcpy(c.subject, subject->public_key, LOA_KEY_BYTES);
    snprintf(c.principal, sizeof c.principal, "%s", name);
    snprintf(c.name, sizeof c.name, "%s", name);
    snprintf(c.area, sizeof c.area, "%s", area);
    rv = loa_certificate_issue(&c, issuer, buf, LOA_CERTIFICATE_BYTES_MAX, len);
    assert(rv == LOA_OK);
    return c;
}

/* The registry's own identity, root -> ministry -> registry. */
static void world_identity(void)
{
    struct loa_key key = world_key(3);
    size_t len;

    root_key = world_key(1);
    authority_key = world_key(2);
    authority = world_certificate(
        &root_key, &authority_key, "ministry", "vn", LOA_ROLE_AUTHORITY,
        LOA_POWERS_ALL, 1, identity.store[1], &identity.certificates[1].len);
    identity.leaf = world_certificate(
        &authority_key, &key, "registry_vn", "vn", LOA_ROLE_SERVICE,
        LOA_POWER_DELEGATE | LOA_POWER_REVOKE | LOA_POWER_CONFIG, 1,
        identity.store[0], &len);
    identity.certificates[0].len = len;
    identity.certificates[0].data = identity.store[0];
    identity.certificates[1].data = identity.store[1];
    identity.certificates_n = 2;
    identity.key = key;
    memset(identity.seed, 3, sizeof identity.seed);
    memcpy(identity.root, root_key.public_key, LOA_KEY_BYTES);
    identity.root_known = true;
}

/* Empty again, as after the first start; cheap enough for a fuzzer. */
static void world_reset(void)
{
    const struct registry_conf conf = {&identity, &trust, 365 * DAY};
    struct refusal why;
    int rv;

    registry.areas.areas_n = registry.areas.states_n = 0;
    registry.areas.version = 0;
    memset(registry.areas.by_id, 0, sizeof registry.areas.by_id);
    memset(registry.areas.by_code, 0, sizeof registry.areas.by_code);
    for (size_t i = 0; i < IMPORTS_MAX; i++)
        parts_drop(&registry.parts.imports[i]);
    registry.devices.devices_n = 0;
    memset(registry.devices.by_id, 0, sizeof registry.devices.by_id);
    registry.principals.principals_n = 0;
    registry.revoked.entries_n = 0;
    registry.trust_number = registry.areas_version = registry.last_serial = 0;
    registry.trust_at_ms = registry.guesses_since_ms = 0;
    registry.trust_signer = 0;
    registry.importing = false;
    registry.codes_n = registry.codes_next = registry.guesses_n = 0;
    registry.own_alarm = 0;
    if (!identity.root_known)
        world_identity();
    loa_trust_init(&trust, identity.root);
    rv = registry_init(&registry, &conf, &why);
    assert(rv == LOA_OK);
}

/* Ask as somebody of an area with these powers. */
static inline const struct registry_answer *world_ask(
    const char *area,
    uint32_t powers,
    uint8_t message,
    const struct registry_request *q,
    int64_t now_ms)
{
    static struct loa_certificate who;
    static uint8_t message_id[LOA_ID_BYTES];
    struct registry_event ev = {.type = REGISTRY_REQUEST,
                                .now_ms = now_ms,
                                .who = &who,
                                .message_id = message_id,
                                .request = q};

    who.powers = powers;
    snprintf(who.principal, sizeof who.principal, "lan");
    snprintf(who.area, sizeof who.area, "%s", area);
    memset(message_id, message, sizeof message_id);
    registry_step(&registry, &ev, &update);
    return &update.answer;
}

static inline void world_event(enum registry_event_type type, int64_t now_ms)
{
    struct registry_event ev = {.type = type, .now_ms = now_ms};

    registry_step(&registry, &ev, &update);
}

/* Import a file and let it be committed; the answer to its last piece. */
static inline const struct registry_answer *world_import(const char *text,
                                                         int64_t now_ms)
{
    static struct registry_answer answer;
    struct registry_request q = {.what = REGISTRY_AREA_IMPORT};
    size_t len = strlen(text), at = 0;
    unsigned flags;

    q.part.parts_n = (uint32_t)((len + PART_LEN_MAX - 1) / PART_LEN_MAX);
    for (; at < len; at += PART_LEN_MAX, q.part.part++) {
        q.part.csv.data = (const uint8_t *)text + at;
        q.part.csv.len = len - at < PART_LEN_MAX ? len - at : PART_LEN_MAX;
        answer = *world_ask("vn", LOA_POWERS_ALL, 250, &q, now_ms);
    }
    flags = update.flags;
    if (flags & REGISTRY_SAVE_PLAN)
        world_event(REGISTRY_IMPORTED, now_ms);
    update.flags = flags;
    return &answer;
}

#define WORLD_TREE                                                             \
    "code,parent,tier,name\nvn,,central,Việt Nam\n"                          \
    "08,vn,province,Tỉnh Tuyên Quang\n66,vn,province,Tỉnh Đắk Lắk\n" \
    "070,08,district,Thành phố Tuyên Quang\n"                              \
    "02215,070,commune,Phường Ỷ La\n02218,070,commune,Xã Trung Môn\n"

#endif /* LOA_TEST_REGISTRY_WORLD_H */
