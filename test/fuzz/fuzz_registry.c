/* link: services/registry/alarm.c services/registry/area_csv.c
 * services/registry/area_find.c services/registry/area_plan.c
 * services/registry/areas.c services/registry/devices.c
 * services/registry/names.c services/registry/parts.c
 * services/registry/principals.c services/registry/refusal.c
 * services/registry/registry.c services/registry/registry_area.c
 * services/registry/registry_device.c services/registry/registry_enrol.c
 * services/registry/registry_principal.c services/registry/revoked.c
 * services/registry/share.c services/registry/wire.c */
/* Any bytes as requests, from askers of several areas and powers, one after the
 * other. Properties: a refusal has both sentences and writes nothing but the
 * end of an import; every answer and the list fit into their envelopes; no id
 * comes twice; states of an area do not overlap; who has no power changes
 * nothing. */

#include <stdlib.h>

#include "../unit/registry/world.h"
#include "loa/v1/registry.pb-c.h"
#include "proto/text.h"
#include "registry/wire.h"
#include "test/fuzz/mutator.h"

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

#define ANSWER_MAX 57344

/* One of the operations: how, who, the length of its message, little end first,
 * and the message. */
static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    size_t at = 0, n = 0;

    for (; len - at >= 4; n++) {
        size_t body = data[at + 2] | (size_t)data[at + 3] << 8;

        if (body > len - at - 4)
            body = len - at - 4;
        if (chance % (n + 1) == 0) {
            const uint8_t how = data[at] % 5;

            *part = (struct mutator_part){
                how == 2 || how == 3 ? &loa__v1__enrol_request__descriptor
                                     : &loa__v1__registry_request__descriptor,
                at + 4, body, LEN_LITTLE};
        }
        at += 4 + body;
    }
    return n > 0;
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    (void)cap;
    /* Two operations of any kind, empty: the mutator fills them. */
    memcpy(out, &chance, sizeof chance);
    out[2] = out[3] = out[6] = out[7] = 0;
    return 8;
}

static const struct mutator mutator = {.find = find, .seed = seed};

static uint8_t memory[1 << 20];
static char code[LOA_CODE_CAP], code_device[LOA_PRINCIPAL_CAP];

static const struct asker {
    const char *area;
    uint32_t powers;
} askers[] = {
    {"vn", LOA_POWERS_ALL},
    {"vn/08", LOA_POWERS_ALL},
    {"vn/08/070/02215", LOA_POWERS_ALL},
    {"vn/66", LOA_POWER_CONFIG | LOA_POWER_REVOKE},
    {"vn", 0},
};

static void check_answer(void)
{
    const struct refusal *s = &update.answer.status;
    struct loa_bytes certificate = {update.certificate, update.certificate_len};
    const ProtobufCMessage *m = wire_answer(
        &registry, &update, update.certificate_len > 0 ? &certificate : NULL);
    const unsigned harmless =
        REGISTRY_ANSWER | REGISTRY_WRITE | REGISTRY_DROP_PARTS;

    CHECK(protobuf_c_message_get_packed_size(m) <= ANSWER_MAX);
    CHECK(loa_utf8_valid((const uint8_t *)s->vi, strlen(s->vi)));
    CHECK(loa_utf8_valid((const uint8_t *)s->en, strlen(s->en)));
    if (s->code != REFUSAL_NONE) {
        CHECK(s->vi[0] != '\0' && s->en[0] != '\0');
        CHECK((update.flags & ~harmless) == 0);
    }
}

static void check_history(void)
{
    for (size_t i = 0; i < registry.areas.areas_n; i++) {
        uint32_t s = registry.areas.areas[i].newest;

        CHECK(areas_by_id(&registry.areas, registry.areas.areas[i].id) == i);
        for (; registry.areas.states[s].prev != AREA_NONE;
             s = registry.areas.states[s].prev) {
            const struct area_state *new = &registry.areas.states[s];
            const struct area_state *old = &registry.areas.states[new->prev];

            CHECK(old->valid_until_ms != 0);
            CHECK(old->valid_until_ms <= new->valid_from_ms);
        }
    }
}

static void request(uint8_t who, struct loa_bytes body, int64_t now_ms)
{
    const struct asker *a = &askers[who % (sizeof askers / sizeof askers[0])];
    struct registry_request q;
    struct loa_arena arena;
    struct refusal why;

    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_request(&arena, body, &q, &why) != LOA_OK)
        return;
    world_ask(a->area, a->powers, who, &q, now_ms);
    check_answer();
    if (a->powers == 0)
        CHECK((update.flags & REGISTRY_WRITE) == 0 ||
              (update.flags & REGISTRY_SAVE_PRINCIPAL) != 0);
    if (update.answer.code[0] != '\0' && update.answer.device != NULL) {
        memcpy(code, update.answer.code, sizeof code);
        memcpy(code_device, update.answer.device->id, sizeof code_device);
    }
    if (update.flags & REGISTRY_SAVE_PLAN) {
        world_event(REGISTRY_IMPORTED, now_ms);
        check_history();
    }
}

/* As the wire has it; with `honest`, the proof of the last code is put in. */
static void enrol(struct loa_bytes body, bool honest, int64_t now_ms)
{
    struct registry_enrol e = {.signed_by_key = true};
    struct registry_event ev = {
        .type = REGISTRY_ENROL, .now_ms = now_ms, .enrol = &e};
    uint8_t key[LOA_HASH_BYTES];
    struct loa_arena arena;

    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_enrol(&arena, body, &e) != LOA_OK)
        return;
    if (honest && code[0] != '\0') {
        e.device = code_device;
        CHECK(loa_enrol_key(code, key) == LOA_OK);
        if (loa_enrol_proof(key, e.device, e.serial, e.key, e.proof) != LOA_OK)
            return;
    }
    registry_step(&registry, &ev, &update);
    CHECK(honest || (update.flags & ~(unsigned)REGISTRY_ANSWER) == 0);
    check_answer();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t list[WIRE_TRUST_LIST_MAX];
    static struct alarms alarms;
    int64_t now_ms = NOW;

    if (sodium_init() < 0)
        return 0;
    world_reset();
    code[0] = '\0';
    world_import(WORLD_TREE, NOW);
    while (size >= 4) {
        size_t len = data[2] | (size_t)data[3] << 8;
        struct loa_bytes body = {data + 4, len <= size - 4 ? len : size - 4};

        now_ms += (data[1] >> 4) * 3600000ll;
        switch (data[0] % 5) {
            case 0:
            case 1:
                request(data[1] & 15, body, now_ms);
                break;
            case 2:
                enrol(body, false, now_ms);
                break;
            case 3:
                enrol(body, true, now_ms);
                break;
            default:
                world_event(REGISTRY_TICK, now_ms);
                alarms_look(&registry, now_ms + data[1] * 10 * DAY, &alarms);
        }
        data = body.data + body.len;
        size -= 4 + body.len;
    }
    CHECK(wire_trust_list(&registry, list) <= sizeof list);
    return 0;
}
