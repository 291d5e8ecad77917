/* asking.h -- the requests that most stories of the registry begin with. */

#ifndef LOA_TEST_REGISTRY_ASKING_H
#define LOA_TEST_REGISTRY_ASKING_H

#include "check.h"
#include "world.h"

#define COMMUNE "vn/08/070/02215"
#define STAFF (LOA_POWERS_ALL & ~LOA_POWER_DRILL)

UNUSED static const struct registry_answer *ask_code(const char *asker_area,
                                                     uint32_t powers,
                                                     uint8_t message,
                                                     const char *id,
                                                     const char *area,
                                                     int64_t now_ms)
{
    struct registry_request q = {
        .what = REGISTRY_DEVICE_CODE,
        .code = {.id = id, .area = area, .serial = "", .name = ""}};

    return world_ask(asker_area, powers, message, &q, now_ms);
}

/* The device's side. */
UNUSED static const struct registry_answer *enrol(const char *code,
                                                  const char *device,
                                                  uint8_t key_n,
                                                  int64_t now_ms)
{
    struct loa_key key = world_key(key_n);
    struct registry_enrol e = {
        .device = device, .serial = "SN", .model = "LS", .signed_by_key = true};
    struct registry_event ev = {
        .type = REGISTRY_ENROL, .now_ms = now_ms, .enrol = &e};
    uint8_t code_key[LOA_HASH_BYTES];

    memcpy(e.key, key.public_key, LOA_KEY_BYTES);
    CHECK_INT(device, loa_enrol_key(code, code_key), LOA_OK);
    CHECK_INT(device, loa_enrol_proof(code_key, device, "SN", e.key, e.proof),
              LOA_OK);
    registry_step(&registry, &ev, &update);
    return &update.answer;
}

#endif /* LOA_TEST_REGISTRY_ASKING_H */
