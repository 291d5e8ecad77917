/* The core: who may ask for what, codes and enrolment in time, revocation. */

#include "check.h"
#include "world.h"

static uint8_t chain_store[LOA_CERTIFICATE_BYTES_MAX];

#define COMMUNE "vn/08/070/02215"
#define STAFF (LOA_POWERS_ALL & ~LOA_POWER_DRILL)

/* --- codes and enrolment ---------------------------------------------------
 */

static const struct registry_answer *ask_code(const char *asker_area,
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
static const struct registry_answer *enrol(const char *code,
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

static void test_who_may_make_codes(void)
{
    static const struct {
        const char *name, *asker, *id, *area;
        uint32_t powers;
        enum refusal_code want;
    } rows[] = {
        {"country", "vn", "d1", COMMUNE, STAFF, REFUSAL_NONE},
        {"commune", COMMUNE, "d2", COMMUNE, LOA_POWER_CONFIG, REFUSAL_NONE},
        {"another commune", "vn/08/070/02218", "d3", COMMUNE, STAFF,
         REFUSAL_NOT_ALLOWED},
        {"no power", "vn", "d4", COMMUNE, STAFF & ~LOA_POWER_CONFIG,
         REFUSAL_NOT_ALLOWED},
        {"somebody else's device", COMMUNE, "d9", COMMUNE, STAFF,
         REFUSAL_NOT_ALLOWED},
        {"no such area", "vn", "d5", "vn/99", STAFF, REFUSAL_NOT_FOUND},
        {"not the path", "vn", "d5", "vn/66/070/02215", STAFF,
         REFUSAL_NOT_FOUND},
        {"malformed area", "vn", "d5", "vn/+", STAFF, REFUSAL_NOT_FOUND},
        {"reserved id", "vn", "enrol_0", COMMUNE, STAFF, REFUSAL_INVALID},
        {"bad id", "vn", "đ1", COMMUNE, STAFF, REFUSAL_INVALID},
        {"chosen id", "vn", "", COMMUNE, STAFF, REFUSAL_NONE},
    };

    world_reset();
    world_import(WORLD_TREE, NOW);
    ask_code("vn", STAFF, 200, "d9", "vn/66", NOW);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct registry_answer *a =
            ask_code(rows[i].asker, rows[i].powers, (uint8_t)(i + 1),
                     rows[i].id, rows[i].area, NOW);

        CHECK_INT(rows[i].name, a->status.code, rows[i].want);
        CHECK_INT(rows[i].name, a->code[0] != '\0',
                  rows[i].want == REFUSAL_NONE);
        CHECK_INT(rows[i].name, (update.flags & REGISTRY_SAVE_CODE) != 0,
                  rows[i].want == REFUSAL_NONE);
    }
}

static void test_code_in_time(void)
{
    char first[LOA_CODE_CAP], second[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW);
    memcpy(first, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof first);
    CHECK_INT("a secret", (update.flags & REGISTRY_SECRET) != 0, 1);
    CHECK_INT("repeated",
              strcmp(ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code, first),
              0);
    CHECK_INT("repeated", update.flags & REGISTRY_WRITE, 0);
    memcpy(second, ask_code("vn", STAFF, 2, "d1", COMMUNE, NOW)->code,
           sizeof second);
    CHECK_INT("another", strcmp(first, second) != 0, 1);
    CHECK_INT("the first again",
              ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->status.code,
              REFUSAL_CONFLICT);
    CHECK_INT("void", enrol(first, "d1", 10, NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    CHECK_INT("too late", enrol(second, "d1", 10, NOW + DAY)->status.code,
              REFUSAL_EXPIRED);
    CHECK_INT("in time", enrol(second, "d1", 10, NOW + DAY - 1)->status.code,
              REFUSAL_NONE);
    CHECK_INT("written", update.flags & REGISTRY_SAVE_CERTIFICATE,
              REGISTRY_SAVE_CERTIFICATE);
    CHECK_INT("same key again, later",
              enrol(second, "d1", 10, NOW + 2 * DAY)->status.code,
              REFUSAL_NONE);
    CHECK_INT("from the table", update.flags & REGISTRY_LOOK_UP,
              REGISTRY_LOOK_UP);
    CHECK_INT("not issued again", update.flags & REGISTRY_WRITE, 0);
    CHECK_INT("other key", enrol(second, "d1", 11, NOW + DAY)->status.code,
              REFUSAL_CONFLICT);
    CHECK_INT("other device", enrol(second, "d2", 11, NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
}

static void test_certificates(void)
{
    _Alignas(16) uint8_t memory[4096];
    struct loa_arena arena;
    struct loa_certificate c, second;
    char code[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW - DAY);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof code);
    enrol(code, "d1", 10, NOW);
    loa_arena_init(&arena, memory, sizeof memory);
    CHECK_INT(
        "parse",
        loa_certificate_parse(
            &arena,
            (struct loa_bytes){update.certificate, update.certificate_len}, &c),
        LOA_OK);
    CHECK_INT("issue", loa_trust_may_issue(&identity.leaf, &c), LOA_VERDICT_OK);
    CHECK_INT("area", strcmp(c.area, COMMUNE), 0);
    CHECK_INT("powers", c.powers, 0);
    CHECK_INT("a year", c.not_after_ms - NOW, 365 * DAY);

    memcpy(code, ask_code("vn", STAFF, 9, "d9", COMMUNE, NOW - DAY)->code,
           sizeof code);
    enrol(code, "d9", 19, NOW - DAY);
    loa_arena_reset(&arena);
    CHECK_INT("parse",
              loa_certificate_parse(&arena,
                                    (struct loa_bytes){update.certificate,
                                                       update.certificate_len},
                                    &second),
              LOA_OK);
    CHECK_INT("not before its issuer", second.not_before_ms,
              identity.leaf.not_before_ms);
    /* The clock goes back; serials do not. Near the end of the registry's own
     * certificate, the device's is shorter. */
    memcpy(code, ask_code("vn", STAFF, 2, "d2", COMMUNE, NOW)->code,
           sizeof code);
    enrol(code, "d2", 11, NOW - 1000);
    CHECK_INT("serial", update.device->certificate_serial, c.serial + 2);
    memcpy(code, ask_code("vn", STAFF, 3, "d3", COMMUNE, NOW + 900 * DAY)->code,
           sizeof code);
    enrol(code, "d3", 12, NOW + 900 * DAY);
    CHECK_INT("never longer than its issuer", update.device->not_after_ms,
              identity.leaf.not_after_ms);
    memcpy(code,
           ask_code("vn", STAFF, 4, "d4", COMMUNE, NOW + 1000 * DAY)->code,
           sizeof code);
    CHECK_INT("own certificate has ended",
              enrol(code, "d4", 13, NOW + 1000 * DAY)->status.code,
              REFUSAL_FAILED);
    CHECK_INT("nothing written", update.flags & REGISTRY_WRITE, 0);
}

static void test_renewal(void)
{
    char code[LOA_CODE_CAP];
    int64_t late = NOW + (365 - 30) * DAY;
    uint64_t old;

    world_reset();
    world_import(WORLD_TREE, NOW);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof code);
    enrol(code, "d1", 10, NOW);
    old = update.device->certificate_serial;
    CHECK_INT("31 days before its end",
              ask_code("vn", STAFF, 2, "d1", COMMUNE, late - 1)->status.code,
              REFUSAL_EXISTS);
    CHECK_INT("elsewhere",
              ask_code("vn", STAFF, 3, "d1", "vn/66", late)->status.code,
              REFUSAL_CONFLICT);
    memcpy(code, ask_code("vn", STAFF, 4, "d1", COMMUNE, late)->code,
           sizeof code);
    {
        struct revoked_entry e = {.not_after_ms = late + DAY};

        for (e.serial = 1; revoked_add(&registry.revoked, &e) == LOA_OK;)
            e.serial++;
        CHECK_INT("no room for the old one",
                  enrol(code, "d1", 12, late)->status.code, REFUSAL_TOO_LARGE);
        CHECK_INT("no room for the old one", update.flags & REGISTRY_WRITE, 0);
        registry.revoked.entries_n = 1;
        CHECK_INT("twice is once",
                  revoked_add(&registry.revoked, &registry.revoked.entries[0]),
                  LOA_OK);
        CHECK_INT("twice is once", registry.revoked.entries_n, 1);
    }
    CHECK_INT("another's key", enrol(code, "d1", 3, late)->status.code,
              REFUSAL_NONE);
    CHECK_INT("the old certificate is revoked", update.revoked_n, 1);
    CHECK_INT("the old certificate is revoked", update.revoked[0].serial, old);
    CHECK_INT("signed", update.flags & REGISTRY_SAVE_TRUST,
              REGISTRY_SAVE_TRUST);
}

static void test_guesses(void)
{
    char code[LOA_CODE_CAP];
    const char *wrong = "0000-0000-0000-0000";

    world_reset();
    world_import(WORLD_TREE, NOW);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof code);
    for (int i = 0; i < REGISTRY_GUESSES_MAX; i++) {
        enrol(wrong, "d1", 10, NOW);
        CHECK_INT("answered", update.flags, REGISTRY_ANSWER);
    }
    enrol(wrong, "d1", 10, NOW);
    CHECK_INT("dropped", update.flags, 0);
    enrol(wrong, "d1", 10, NOW + REGISTRY_GUESSES_MS);
    CHECK_INT("answered later", update.flags, REGISTRY_ANSWER);
    for (int i = 0; i < REGISTRY_GUESSES_MAX; i++)
        enrol(wrong, "d1", 10, NOW + REGISTRY_GUESSES_MS);
    CHECK_INT("dropped again", update.flags, 0);
    CHECK_INT("the right one passes",
              enrol(code, "d1", 10, NOW + REGISTRY_GUESSES_MS)->status.code,
              REFUSAL_NONE);
}

static void test_enrol_refused(void)
{
    struct loa_key key = world_key(10);
    char code[LOA_CODE_CAP];
    struct registry_enrol e = {.device = "d1", .serial = "SN", .model = "LS"};
    struct registry_event ev = {
        .type = REGISTRY_ENROL, .now_ms = NOW, .enrol = &e};
    uint8_t code_key[LOA_HASH_BYTES];

    world_reset();
    world_import(WORLD_TREE, NOW - DAY);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof code);
    memcpy(e.key, key.public_key, LOA_KEY_BYTES);
    CHECK_INT("key", loa_enrol_key(code, code_key), LOA_OK);
    CHECK_INT("proof", loa_enrol_proof(code_key, "d1", "SN", e.key, e.proof),
              LOA_OK);
    registry_step(&registry, &ev, &update);
    CHECK_INT("not signed", update.answer.status.code, REFUSAL_INVALID);
    e.signed_by_key = true;
    e.model = "a\nb";
    registry_step(&registry, &ev, &update);
    CHECK_INT("model", update.answer.status.code, REFUSAL_CONFLICT);
    e.model = "LS";
    e.proof[31] ^= 1;
    registry_step(&registry, &ev, &update);
    CHECK_INT("one bit", update.answer.status.code, REFUSAL_NOT_ALLOWED);
    e.proof[31] ^= 1;
    world_import("code,parent,tier,name\n02215,,closed,\n", NOW);
    registry_step(&registry, &ev, &update);
    CHECK_INT("the area is no more", update.answer.status.code,
              REFUSAL_NOT_FOUND);
}

/* --- principals and revocation ---------------------------------------------
 */

/* Make a certificate of the ministry known. */
static const struct registry_answer *add(const char *name,
                                         const char *area,
                                         uint8_t key_n,
                                         uint64_t serial)
{
    struct loa_key key = world_key(key_n);
    struct registry_request q = {.what = REGISTRY_PRINCIPAL_ADD};
    size_t len;

    world_certificate(&authority_key, &key, name, area, LOA_ROLE_STAFF,
                      LOA_POWER_SCHEDULE, serial, chain_store, &len);
    q.add.certificates[0] = (struct loa_bytes){chain_store, len};
    q.add.certificates[1] = identity.certificates[1];
    q.add.certificates_n = 2;
    return world_ask("vn", STAFF, 100, &q, NOW);
}

static const struct registry_answer *revoke(const char *area,
                                            uint32_t powers,
                                            const char *id,
                                            int64_t now_ms)
{
    struct registry_request q = {
        .what = REGISTRY_REVOKE,
        .revoke = {.principal = id, .reason = "mất khóa"}};

    return world_ask(area, powers, 101, &q, now_ms);
}

static void test_revoke(void)
{
    world_reset();
    world_event(REGISTRY_TICK, NOW);
    CHECK_INT("first list", registry.trust_number, 1);
    CHECK_INT("add", add("an", "vn/08", 20, 7)->status.code, REFUSAL_NONE);
    CHECK_INT("somebody else", add("ba", "vn/08", 30, 70)->status.code,
              REFUSAL_NONE);
    CHECK_INT("add again", add("an", "vn/08", 20, 7)->status.code,
              REFUSAL_NONE);
    CHECK_INT("add again", update.flags & REGISTRY_WRITE, 0);
    CHECK_INT("one serial, two keys", add("an", "vn/08", 21, 7)->status.code,
              REFUSAL_CONFLICT);
    registry.principals.principals_n = PRINCIPALS_MAX;
    CHECK_INT("full", add("an", "vn/08", 21, 8)->status.code,
              REFUSAL_TOO_LARGE);
    registry.principals.principals_n = 2;
    CHECK_INT("the next certificate", add("an", "vn/08", 21, 8)->status.code,
              REFUSAL_NONE);

    CHECK_INT("no power",
              revoke("vn", STAFF & ~LOA_POWER_REVOKE, "an", NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    CHECK_INT("elsewhere", revoke("vn/66", STAFF, "an", NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    CHECK_INT("nobody", revoke("vn", STAFF, "nobody", NOW)->status.code,
              REFUSAL_NOT_FOUND);
    CHECK_INT("nobody's name", revoke("vn", STAFF, "a/b", NOW)->status.code,
              REFUSAL_INVALID);
    CHECK_INT("both", revoke("vn/08", LOA_POWER_REVOKE, "an", NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("both", update.revoked_n, 2);
    CHECK_INT("number", update.answer.revocation_number, 2);
    CHECK_INT("again", revoke("vn", STAFF, "an", NOW)->revocation_number, 2);
    CHECK_INT("again", update.flags & REGISTRY_SAVE_TRUST, 0);
    CHECK_INT("on the list", registry.revoked.entries_n, 2);
    registry.trust_at_ms = NOW + 1000 * DAY;
    world_event(REGISTRY_TICK, NOW + 1031 * DAY);
    CHECK_INT("off the list when nobody can believe it",
              registry.revoked.entries_n, 0);
}

static void test_names_are_not_taken(void)
{
    char code[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW);
    add("an", "vn/08", 20, 7);
    CHECK_INT("a person's",
              ask_code("vn", STAFF, 1, "an", COMMUNE, NOW)->status.code,
              REFUSAL_EXISTS);
    memcpy(code, ask_code("vn", STAFF, 2, "d1", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("a device's", add("d1", "vn/08", 21, 9)->status.code,
              REFUSAL_EXISTS);
    CHECK_INT("a person's key", enrol(code, "d1", 20, NOW)->status.code,
              REFUSAL_EXISTS);
}

static void test_revoke_device(void)
{
    char code[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("waiting", revoke("vn", STAFF, "d1", NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("its code is void", enrol(code, "d1", 10, NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    memcpy(code, ask_code("vn", STAFF, 2, "d1", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("new code", enrol(code, "d1", 10, NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("revoked", revoke("vn", STAFF, "d1", NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("revoked", update.revoked_n, 1);
    CHECK_INT("not again", enrol(code, "d1", 10, NOW)->status.code,
              REFUSAL_REVOKED);
    memcpy(code, ask_code("vn", STAFF, 3, "d1", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("nor with another code", enrol(code, "d1", 10, NOW)->status.code,
              REFUSAL_REVOKED);
    CHECK_INT("others", revoke("vn/66", STAFF, "d1", NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    CHECK_INT("a new key", enrol(code, "d1", 11, NOW)->status.code,
              REFUSAL_NONE);
    memcpy(code, ask_code("vn", STAFF, 4, "d2", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("one key, two devices", enrol(code, "d2", 11, NOW)->status.code,
              REFUSAL_EXISTS);
}

static void test_full_list(void)
{
    struct revoked_entry e = {.not_after_ms = NOW + DAY};
    size_t n = registry.revoked.entries_n;

    world_reset();
    add("an", "vn/08", 20, 7);
    for (n = 0; n < REVOKED_MAX; n++) {
        e.serial = UINT64_MAX - n;
        if (revoked_add(&registry.revoked, &e) != LOA_OK)
            break;
    }
    CHECK_INT("thousands fit", n > 4000, 1);
    for (e.serial = 1; revoked_add(&registry.revoked, &e) == LOA_OK;)
        e.serial++;
    n = registry.revoked.entries_n;
    CHECK_INT("full", revoke("vn", STAFF, "an", NOW)->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("nothing changed", registry.revoked.entries_n, n);
    CHECK_INT("nothing changed", update.flags & REGISTRY_WRITE, 0);
    CHECK_INT("nothing changed", registry.principals.principals[0].revoked, 0);
}

/* More certificates of one name than a list holds. */
static void test_too_many_of_a_name(void)
{
    struct principal p = {
        .id = "an", .area = "vn/08", .not_after_ms = NOW + DAY};

    world_reset();
    for (p.serial = 1; p.serial <= REVOKED_MAX + 1; p.serial++)
        principals_add(&registry.principals, &p);
    CHECK_INT("too many", revoke("vn", STAFF, "an", NOW)->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("none revoked", registry.revoked.entries_n, 0);
}

static void test_own_chain(void)
{
    struct registry_request q = {.what = REGISTRY_PRINCIPAL_ADD};

    world_reset();
    q.add.certificates[0] = identity.certificates[0];
    q.add.certificates[1] = identity.certificates[1];
    q.add.certificates_n = 2;
    CHECK_INT("add", world_ask("vn", STAFF, 1, &q, NOW)->status.code,
              REFUSAL_NONE);
    CHECK_INT("itself", revoke("vn", STAFF, "registry_vn", NOW)->status.code,
              REFUSAL_IN_USE);
}

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
    CHECK_INT("a new tree is told of", registry.trust_number, 4);
    world_import(WORLD_TREE, NOW + DAY);
    CHECK_INT("the same tree is not", registry.trust_number, 4);

    memcpy(seen.area, "vn", 3);
    seen.number = 4;
    seen.entries_n = seen.serials_n = 1;
    seen.entries[0].serials_n = 1;
    seen.serials[0] = 77;
    {
        struct registry_event ev = {
            .type = REGISTRY_LIST, .now_ms = NOW, .list = &seen};

        registry_step(&registry, &ev, &update);
        CHECK_INT("our own", update.flags, 0);
        seen.number = 50;
        memcpy(seen.area, "vn/08", 6);
        registry_step(&registry, &ev, &update);
        CHECK_INT("somebody else's", update.flags, 0);
        memcpy(seen.area, "vn", 3);
        registry_step(&registry, &ev, &update);
        CHECK_INT("ours of before a backup", registry.trust_number, 51);
        CHECK_INT("ours of before a backup", update.revoked_n, 1);
        CHECK_INT("ours of before a backup",
                  revoked_has(&registry.revoked, seen.entries[0].issuer, 77),
                  1);
    }
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
    test_who_may_make_codes();
    test_code_in_time();
    test_certificates();
    test_renewal();
    test_guesses();
    test_enrol_refused();
    test_revoke();
    test_names_are_not_taken();
    test_revoke_device();
    test_full_list();
    test_too_many_of_a_name();
    test_own_chain();
    test_list_in_time();
    test_alarms();
    test_import_states();
    test_identity();
    return CHECK_DONE();
}
