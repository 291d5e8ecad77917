/* Questions and refusals, a table each: what is asked, by whom, what comes. */

#include "check.h"
#include "world.h"

#define COMMUNE "vn/08/070/02215"

static uint8_t chain_store[LOA_CERTIFICATE_BYTES_MAX];

/* A device and two people, in an area each. */
static void fill(void)
{
    struct device d = {.id = "d1", .area = COMMUNE, .code_used = true};
    struct principal p = {.id = "an", .area = "vn/08", .serial = 1};

    world_reset();
    world_import(WORLD_TREE, NOW);
    devices_put(&registry.devices, &d);
    principals_add(&registry.principals, &p);
    p = (struct principal){.id = "ba", .area = "vn/66", .serial = 2};
    principals_add(&registry.principals, &p);
}

static void test_find(void)
{
    static const struct {
        const char *name;
        enum registry_what what;
        const char *asker, *under, *id, *after;
        uint32_t limit;
        enum refusal_code want;
        size_t want_n;
    } rows[] = {
        {"devices", REGISTRY_DEVICE_FIND, "vn", "", "", "", 0, 0, 1},
        {"devices below", REGISTRY_DEVICE_FIND, "vn", "vn/08", "", "", 9, 0, 1},
        {"devices elsewhere", REGISTRY_DEVICE_FIND, "vn", "vn/66", "", "", 9, 0,
         0},
        {"devices after", REGISTRY_DEVICE_FIND, "vn", "", "", "d1", 9, 0, 0},
        {"one device", REGISTRY_DEVICE_FIND, "vn/08", "", "d1", "", 0, 0, 1},
        {"no device", REGISTRY_DEVICE_FIND, "vn", "", "d2", "", 0,
         REFUSAL_NOT_FOUND, 0},
        {"another's device", REGISTRY_DEVICE_FIND, "vn/66", "", "d1", "", 0,
         REFUSAL_NOT_FOUND, 0},
        {"devices of others", REGISTRY_DEVICE_FIND, "vn/66", "vn/08", "", "", 0,
         REFUSAL_NOT_ALLOWED, 0},
        {"devices of above", REGISTRY_DEVICE_FIND, "vn/66", "vn", "", "", 0,
         REFUSAL_NOT_ALLOWED, 0},
        {"devices nowhere", REGISTRY_DEVICE_FIND, "vn", "vn//", "", "", 0,
         REFUSAL_INVALID, 0},
        {"too many devices", REGISTRY_DEVICE_FIND, "vn", "", "", "", 501,
         REFUSAL_INVALID, 0},
        {"people", REGISTRY_PRINCIPAL_FIND, "vn", "", "", "", 0, 0, 2},
        {"people below", REGISTRY_PRINCIPAL_FIND, "vn", "vn/66", "", "", 0, 0,
         1},
        {"one person", REGISTRY_PRINCIPAL_FIND, "vn", "", "an", "", 0, 0, 1},
        {"nobody", REGISTRY_PRINCIPAL_FIND, "vn", "", "cy", "", 0,
         REFUSAL_NOT_FOUND, 0},
        {"another's person", REGISTRY_PRINCIPAL_FIND, "vn/66", "", "an", "", 0,
         REFUSAL_NOT_FOUND, 0},
        {"people of others", REGISTRY_PRINCIPAL_FIND, "vn/66", "vn/08", "", "",
         0, REFUSAL_NOT_ALLOWED, 0},
        {"people nowhere", REGISTRY_PRINCIPAL_FIND, "vn", "+", "", "", 0,
         REFUSAL_INVALID, 0},
        {"too many people", REGISTRY_PRINCIPAL_FIND, "vn", "", "", "", 501,
         REFUSAL_INVALID, 0},
        {"people after nothing", REGISTRY_PRINCIPAL_FIND, "vn", "", "", "x", 0,
         REFUSAL_INVALID, 0},
    };

    fill();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct registry_request q = {.what = rows[i].what,
                                     .find = {.under = rows[i].under,
                                              .id = rows[i].id,
                                              .after = rows[i].after,
                                              .limit = rows[i].limit}};
        const struct registry_answer *a =
            world_ask(rows[i].asker, 0, 1, &q, NOW);

        CHECK_INT(rows[i].name, a->status.code, rows[i].want);
        CHECK_INT(rows[i].name,
                  a->devices.devices_n + a->principals.principals_n +
                      (a->device != NULL),
                  rows[i].want_n);
        CHECK_INT(rows[i].name, update.flags, REGISTRY_ANSWER);
    }
}

static void test_areas(void)
{
    struct registry_request q = {
        .what = REGISTRY_AREA_FIND,
        .area_find = {.text = "y la", .under = "", .after = ""}};
    const struct registry_answer *a;

    fill();
    a = world_ask("vn/66", 0, 1, &q, NOW);
    CHECK_INT("now", a->areas.states_n, 1);
    CHECK_INT("version", a->version, 1);
    CHECK_INT("before", world_ask("vn", 0, 1, &q, NOW - 1)->areas.states_n, 0);
    q.area_find.at_ms = NOW;
    CHECK_INT("as of", world_ask("vn", 0, 1, &q, NOW - 1)->areas.states_n, 1);
    q.area_find.after = "?";
    CHECK_INT("cursor", world_ask("vn", 0, 1, &q, NOW)->status.code,
              REFUSAL_INVALID);

    q = (struct registry_request){.what = REGISTRY_AREA_SYNC,
                                  .area_sync = {.after = ""}};
    CHECK_INT("sync", world_ask("vn", 0, 1, &q, NOW)->areas.states_n, 6);
    q.area_sync.since = 1;
    a = world_ask("vn", 0, 1, &q, NOW);
    CHECK_INT("nothing new", a->areas.states_n, 0);
    CHECK_INT("nothing new", a->version, 1);
    q.area_sync.after = "?";
    CHECK_INT("cursor", world_ask("vn", 0, 1, &q, NOW)->status.code,
              REFUSAL_INVALID);
}

static void test_code_texts(void)
{
    static char long_name[200];
    static const struct {
        const char *name, *serial, *text;
        uint32_t valid_s;
        enum refusal_code want;
    } rows[] = {
        {"plain", "SN-1", "Cổng chợ", 0, REFUSAL_NONE},
        {"shortest", "", "", 60, REFUSAL_NONE},
        {"longest", "", "", 2592000, REFUSAL_NONE},
        {"too short", "", "", 59, REFUSAL_INVALID},
        {"too long", "", "", 2592001, REFUSAL_INVALID},
        {"serial of two lines", "a\nb", "", 0, REFUSAL_INVALID},
        {"serial of 65 bytes",
         "01234567890123456789012345678901234567890123456789012345678901234",
         "", 0, REFUSAL_INVALID},
        {"name that is no text", "", "\xff", 0, REFUSAL_INVALID},
        {"name of 199 bytes", "", long_name, 0, REFUSAL_INVALID},
    };

    memset(long_name, 'x', sizeof long_name - 1);
    fill();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct registry_request q = {.what = REGISTRY_DEVICE_CODE,
                                     .code = {.id = "d9",
                                              .area = COMMUNE,
                                              .serial = rows[i].serial,
                                              .name = rows[i].text,
                                              .valid_s = rows[i].valid_s}};

        CHECK_INT(rows[i].name,
                  world_ask("vn", LOA_POWER_CONFIG, (uint8_t)(i + 1), &q, NOW)
                      ->status.code,
                  rows[i].want);
    }
    CHECK_INT("what was not given again stays",
              strcmp(devices_find(&registry.devices, "d9")->name, "Cổng chợ"),
              0);
    CHECK_INT("what was not given again stays",
              strcmp(devices_find(&registry.devices, "d9")->serial, "SN-1"), 0);
}

/* Tables that one district had filled refused everybody's devices and areas. */
static void test_a_district_does_not_fill_the_registry(void)
{
    struct registry_request q = {
        .what = REGISTRY_DEVICE_CODE,
        .code = {.id = "d8", .area = COMMUNE, .serial = "", .name = ""}};
    const char *file = "code,parent,tier,name\n1,070,commune,X\n";
    struct registry_request import = {.what = REGISTRY_AREA_IMPORT};
    struct device d = {.area = COMMUNE};
    size_t n = registry.devices.devices_n;

    fill();
    for (; registry.devices.devices_n < DEVICES_MAX * 14 / 128; n++) {
        snprintf(d.id, sizeof d.id, "x%zu", n);
        devices_put(&registry.devices, &d);
    }
    CHECK_INT("the district",
              world_ask("vn/08/070", LOA_POWER_CONFIG, 1, &q, NOW)->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("the district", update.flags, REGISTRY_ANSWER);
    q.code.id = d.id;
    CHECK_INT("a device that is there",
              world_ask("vn/08/070", LOA_POWER_CONFIG, 2, &q, NOW)->status.code,
              REFUSAL_NONE);
    q.code.id = "d8";
    CHECK_INT("the province",
              world_ask("vn/08", LOA_POWER_CONFIG, 3, &q, NOW)->status.code,
              REFUSAL_NONE);
    import.part.parts_n = 1;
    import.part.csv = (struct loa_bytes){(const uint8_t *)file, strlen(file)};
    n = registry.areas.states_n;
    registry.areas.states_n += AREA_STATES_MAX * 14 / 128;
    for (size_t i = n; i < registry.areas.states_n; i++)
        snprintf(registry.areas.states[i].path, LOA_AREA_CAP, "%s", COMMUNE);
    CHECK_INT("areas of the district",
              world_ask("vn/08/070", LOA_POWERS_ALL, 4, &import, NOW + 1)
                  ->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("areas of the district", update.flags & REGISTRY_SAVE_PLAN, 0);
    CHECK_INT(
        "by the province",
        world_ask("vn/08", LOA_POWERS_ALL, 5, &import, NOW + 1)->status.code,
        REFUSAL_NONE);
    CHECK_INT("by the province", update.flags & REGISTRY_SAVE_PLAN,
              REGISTRY_SAVE_PLAN);
    registry.importing = false;
    registry.areas.states_n = n;
}

static void test_shares(void)
{
    static const struct {
        const char *own, *area;
        unsigned of_all, of_area;
    } rows[] = {
        {"vn", "vn", 128, 128},
        {"vn/08", "vn", 128, 128},
        {"vn", "vn/08", 112, 28},
        {"vn/08", "vn/08/070", 112, 28},
        {"vn", "vn/08/070", 112, 14},
        {"vn", "vn/08/070/1", 112, 7},
        {"vn/08/070", "a", 112, 28},
        {"vn/08", "vn/66/1", 112, 28},
        {"vn", "a/b/c/d/e", 112, 28},
        {"vn", "vn/2/3/4/5", 112, 3},
        {"vn", "vn/2/3/4/5/6/7/8", 112, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct share s = share_of(rows[i].own, rows[i].area);

        CHECK_INT(rows[i].area, s.of_all, rows[i].of_all);
        CHECK_INT(rows[i].area, s.of_area, rows[i].of_area);
    }
}

static void test_full(void)
{
    struct registry_request q = {
        .what = REGISTRY_DEVICE_CODE,
        .code = {.id = "d9", .area = COMMUNE, .serial = "", .name = ""}};
    struct principal p = {.id = "an"};

    fill();
    registry.devices.devices_n = DEVICES_MAX;
    CHECK_INT("devices",
              world_ask("vn", LOA_POWER_CONFIG, 1, &q, NOW)->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("devices", update.flags, REGISTRY_ANSWER);
    registry.principals.principals_n = PRINCIPALS_MAX;
    CHECK_INT("people", principals_add(&registry.principals, &p) == NULL, 1);
    registry.principals.principals_n = 0;
    registry.areas.states_n = AREA_STATES_MAX;
    CHECK_INT("areas",
              world_import("code,parent,tier,name\n1,08,district,X\n", NOW + 1)
                  ->status.code,
              REFUSAL_TOO_LARGE);
    registry.areas.states_n = 6;
}

/* A registry of a province is asked by staff of the country. */
static void test_outside_own_area(void)
{
    struct registry_request q = {
        .what = REGISTRY_DEVICE_CODE,
        .code = {.id = "d9", .area = "vn/66", .serial = "", .name = ""}};

    fill();
    memcpy(identity.leaf.area, "vn/08", 6);
    CHECK_INT("outside",
              world_ask("vn", LOA_POWER_CONFIG, 1, &q, NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    q.code.area = COMMUNE;
    CHECK_INT("inside",
              world_ask("vn", LOA_POWER_CONFIG, 2, &q, NOW)->status.code,
              REFUSAL_NONE);
    memcpy(identity.leaf.area, "vn", 3);
}

/* Add a certificate of this area, spoilt in one way. */
static void test_add(void)
{
    static const struct {
        const char *name, *asker, *principal, *area;
        size_t certificates_n;
        bool cut, revoked;
        int64_t now_ms;
        enum refusal_code want;
    } rows[] = {
        {"good", "vn", "cy", "vn/08", 2, false, false, NOW, REFUSAL_NONE},
        {"no chain", "vn", "du", "vn/08", 0, false, false, NOW,
         REFUSAL_INVALID},
        {"half a chain", "vn", "du", "vn/08", 1, false, false, NOW,
         REFUSAL_INVALID},
        {"cut", "vn", "du", "vn/08", 2, true, false, NOW, REFUSAL_INVALID},
        {"ended", "vn", "du", "vn/08", 2, false, false, NOW + 2000 * DAY,
         REFUSAL_INVALID},
        {"outside the asker's", "vn/66", "du", "vn/08", 2, false, false, NOW,
         REFUSAL_NOT_ALLOWED},
        {"above the asker's", "vn/08", "du", "vn", 2, false, false, NOW,
         REFUSAL_NOT_ALLOWED},
        {"somebody else's name", "vn", "an", "vn/08", 2, false, false, NOW,
         REFUSAL_EXISTS},
        {"a device's name", "vn", "d1", "vn/08", 2, false, false, NOW,
         REFUSAL_EXISTS},
        {"revoked", "vn", "du", "vn/08", 2, false, true, NOW, REFUSAL_REVOKED},
    };

    fill();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct registry_request q = {.what = REGISTRY_PRINCIPAL_ADD};
        struct loa_key key = world_key((uint8_t)(50 + i));
        size_t len;

        world_certificate(&authority_key, &key, rows[i].principal, rows[i].area,
                          LOA_ROLE_STAFF, 0, 100 + i, chain_store, &len);
        q.add.certificates[0] =
            (struct loa_bytes){chain_store, rows[i].cut ? len - 1 : len};
        q.add.certificates[1] = identity.certificates[1];
        q.add.certificates_n = rows[i].certificates_n;
        if (rows[i].revoked) {
            trust.revoked.number = 1;
            trust.revoked.entries_n = 1;
            memcpy(trust.revoked.area, "vn", 3);
            memcpy(trust.revoked.entries[0].issuer, authority_key.public_key,
                   LOA_KEY_BYTES);
            trust.revoked.entries[0].floor_serial = UINT64_MAX;
        }
        CHECK_INT(
            rows[i].name,
            world_ask(rows[i].asker, 0, 1, &q, rows[i].now_ms)->status.code,
            rows[i].want);
        CHECK_INT(rows[i].name, (update.flags & REGISTRY_SAVE_PRINCIPAL) != 0,
                  rows[i].want == REFUSAL_NONE);
    }
}

static void test_certificates_without_end(void)
{
    struct registry_request q = {.what = REGISTRY_PRINCIPAL_ADD};
    struct loa_certificate c;
    struct loa_key key = world_key(70);
    size_t len;

    world_reset();
    c = world_certificate(&root_key, &key, "cy", "vn", LOA_ROLE_STAFF, 0, 5,
                          chain_store, &len);
    c.not_after_ms = INT64_MAX;
    CHECK_INT("issue",
              loa_certificate_issue(&c, &root_key, chain_store,
                                    sizeof chain_store, &len),
              LOA_OK);
    q.add.certificates[0] = (struct loa_bytes){chain_store, len};
    q.add.certificates_n = 1;
    CHECK_INT("add", world_ask("vn", 0, 1, &q, NOW)->status.code, REFUSAL_NONE);
    CHECK_INT("a date that a database knows",
              update.principal->not_after_ms < 253402300800001ll, 1);
}

static void test_refusal_is_text(void)
{
    struct registry_request q = {
        .what = REGISTRY_DEVICE_CODE,
        .code = {
            .id = "d9", .area = "a\xff\n\xe1\xbb", .serial = "", .name = ""}};
    const struct registry_answer *a;

    fill();
    a = world_ask("vn", LOA_POWER_CONFIG, 1, &q, NOW);
    CHECK_INT("text", strcmp(a->status.en, "There is no area \"a????\"."), 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_find();
    test_areas();
    test_code_texts();
    test_a_district_does_not_fill_the_registry();
    test_shares();
    test_full();
    test_outside_own_area();
    test_add();
    test_certificates_without_end();
    test_refusal_is_text();
    return CHECK_DONE();
}
