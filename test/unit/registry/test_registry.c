/* The registry's core: the list in time, alarms, imports, its own key. */

#include "asking.h"

/* --- the list and time ------------------------------------------------------
 */

static void test_list_in_time(void)
{
    static struct loa_revocations seen;

    world_reset();
    world_event(REGISTRY_TICK, NOW);
    CHECK_INT("at first", update.flags, REGISTRY_WRITE | REGISTRY_SAVE_TRUST);
    world_event(REGISTRY_TICK, NOW + DAY - 1);
    CHECK_INT("within a day", update.flags, 0);
    world_event(REGISTRY_TICK, NOW + DAY);
    CHECK_INT("daily", registry.trust_number, 2);
    registry.trust_signer = 99;
    world_event(REGISTRY_TICK, NOW + DAY);
    CHECK_INT("a new certificate signs again", registry.trust_number, 3);
    world_import(WORLD_TREE, NOW + DAY);
    CHECK_INT("a new tree is told of", registry.trust_number, NOW + DAY);
    world_import(WORLD_TREE, NOW + DAY);
    CHECK_INT("the same tree is not", registry.trust_number, NOW + DAY);

    memcpy(seen.area, "vn", 3);
    seen.number = NOW + DAY;
    seen.entries_n = seen.serials_n = 1;
    seen.entries[0].serials_n = 1;
    seen.serials[0] = 77;
    {
        struct registry_event ev = {
            .type = REGISTRY_LIST, .now_ms = NOW, .list = &seen};

        registry_step(&registry, &ev, &update);
        CHECK_INT("our own", update.flags, 0);
        seen.number = NOW + DAY + 50;
        memcpy(seen.area, "vn/08", 6);
        registry_step(&registry, &ev, &update);
        CHECK_INT("somebody else's", update.flags, 0);
        memcpy(seen.area, "vn", 3);
        registry_step(&registry, &ev, &update);
        CHECK_INT("ours of before a backup", registry.trust_number,
                  NOW + DAY + 51);
        CHECK_INT("ours of before a backup", update.revoked_n, 1);
        CHECK_INT("ours of before a backup",
                  revoked_has(&registry.revoked, seen.entries[0].issuer, 77),
                  1);
    }
}

/* The number after it would not fit the tables, and no start would read them
 * again. */
static void test_highest_number_is_not_followed(void)
{
    static struct loa_revocations seen = {.area = "vn"};
    struct registry_event ev = {
        .type = REGISTRY_LIST, .now_ms = NOW, .list = &seen};

    world_reset();
    world_event(REGISTRY_TICK, NOW);
    for (int bits = 64; bits > 62; bits--) {
        seen.number = UINT64_MAX >> (64 - bits);
        registry_step(&registry, &ev, &update);
        CHECK_INT("the highest", update.flags, 0);
        CHECK_INT("the highest", registry.trust_number, 1);
    }
    seen.number = INT64_MAX / 2;
    registry_step(&registry, &ev, &update);
    CHECK_INT("there is room above", registry.trust_number, INT64_MAX / 2 + 1);
}

static void test_alarms(void)
{
    static struct alarms a;
    static const struct {
        int64_t left_ms;
        size_t due_n;
        int days;
    } rows[] = {
        {91 * DAY, 0, 91}, {90 * DAY + DAY - 1, 1, 90},
        {89 * DAY, 0, 89}, {30 * DAY, 1, 30},
        {29 * DAY, 0, 29}, {7 * DAY, 1, 7},
        {2 * DAY, 0, 2},   {DAY + 1, 1, 1},
        {1, 0, 0},         {0, 1, -1},
        {-5 * DAY, 0, -1},
    };
    int64_t end = NOW + 500 * DAY;
    struct principal p = {.not_after_ms = end, .id = "an", .area = "vn"};

    world_reset();
    principals_add(&registry.principals, &p);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[32];

        snprintf(name, sizeof name, "%lld ms left", (long long)rows[i].left_ms);
        alarms_look(&registry, end - rows[i].left_ms, &a);
        CHECK_INT(name, a.due_n, rows[i].due_n);
        CHECK_INT(name, a.principal_ms, rows[i].left_ms);
        if (a.due_n > 0)
            CHECK_INT(name, a.due[0].days, rows[i].days);
    }
    for (int i = 0; i < ALARM_LINES_MAX + 5; i++) {
        struct device d = {.enrolled_at_ms = 1, .not_after_ms = end};
        snprintf(d.id, sizeof d.id, "d%d", i);
        devices_put(&registry.devices, &d);
    }
    alarms_look(&registry, end - DAY, &a);
    CHECK_INT("many", a.due_n, ALARM_LINES_MAX);
    CHECK_INT("many", a.more_n, 5);
    CHECK_INT("many", a.device_ms, DAY);
}

/* --- imports ----------------------------------------------------------------
 */

static void test_import_states(void)
{
    static const char tree[] = WORLD_TREE;
    struct registry_request q = {
        .what = REGISTRY_AREA_IMPORT,
        .part = {.parts_n = 1, .csv = {(const uint8_t *)tree, strlen(tree)}}};

    world_reset();
    CHECK_INT(
        "no power",
        world_ask("vn", STAFF & ~LOA_POWER_DELEGATE, 1, &q, NOW)->status.code,
        REFUSAL_NOT_ALLOWED);
    q.part.valid_from_ms = NOW + 4000 * DAY;
    CHECK_INT("too far ahead", world_ask("vn", STAFF, 1, &q, NOW)->status.code,
              REFUSAL_INVALID);
    q.part.valid_from_ms = 0;
    CHECK_INT("taken", world_ask("vn", STAFF, 1, &q, NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("taken", update.flags & REGISTRY_SAVE_PLAN, REGISTRY_SAVE_PLAN);
    CHECK_INT("not there before the commit", registry.areas.areas_n, 0);
    CHECK_INT("one at a time", world_ask("vn", STAFF, 2, &q, NOW)->status.code,
              REFUSAL_BUSY);
    world_event(REGISTRY_IMPORTED, NOW);
    CHECK_INT("there", registry.areas.areas_n, 6);
    q.part.parts_n = 2;
    CHECK_INT("half", world_ask("vn", STAFF, 3, &q, NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("half", update.flags,
              REGISTRY_ANSWER | REGISTRY_WRITE | REGISTRY_SAVE_PART);
    q.part.import_id[0] = 1;
    CHECK_INT("begun again", world_ask("vn", STAFF, 4, &q, NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("begun again", update.drop_n, 1);
    CHECK_INT("wrong file is dropped",
              world_import("code,parent\n", NOW)->status.code, REFUSAL_INVALID);
    CHECK_INT("and what was begun before it", update.drop_n, 2);
    CHECK_INT("wrong file is dropped", update.flags,
              REGISTRY_ANSWER | REGISTRY_WRITE | REGISTRY_DROP_PARTS);
}

static void test_identity(void)
{
    const struct registry_conf conf = {&identity, &trust, DAY};
    struct refusal why = {0};
    uint32_t powers = identity.leaf.powers;

    world_reset();
    identity.leaf.powers = LOA_POWER_REVOKE;
    CHECK_INT("no delegate", registry_init(&registry, &conf, &why), LOA_EINVAL);
    identity.leaf.powers = powers;
    identity.leaf.max_depth = 0;
    CHECK_INT("no depth", registry_init(&registry, &conf, &why), LOA_EINVAL);
    identity.leaf.max_depth = 1;
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_list_in_time();
    test_highest_number_is_not_followed();
    test_alarms();
    test_import_states();
    test_identity();
    return CHECK_DONE();
}
