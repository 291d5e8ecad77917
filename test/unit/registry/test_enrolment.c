/* The registry's core: one-time codes, and the certificates that they bring. */

#include "asking.h"

/* --- codes and enrolment ---------------------------------------------------
 */

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

/* So many other requests that the registry has forgotten the first ones. */
static void forget_requests(void)
{
    uint8_t id[LOA_ID_BYTES] = {0};

    for (int i = 0; i < REGISTRY_CODES_MAX; i++) {
        id[0] = (uint8_t)i;
        id[1] = (uint8_t)(1 + i / 256);
        registry_remember_code(&registry, id);
    }
}

static void test_a_forgotten_id_brings_back_no_old_code(void)
{
    char first[LOA_CODE_CAP], again[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW);
    memcpy(first, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof first);
    ask_code("vn", STAFF, 2, "d1", COMMUNE, NOW);
    forget_requests();
    memcpy(again, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW + 1)->code,
           sizeof again);
    CHECK_INT("made", update.flags & REGISTRY_SAVE_CODE, REGISTRY_SAVE_CODE);
    CHECK_INT("another one", strcmp(first, again) != 0, 1);
    CHECK_INT(
        "repeated",
        strcmp(ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW + 2)->code, again),
        0);
    CHECK_INT("the old one", enrol(first, "d1", 10, NOW + 2)->status.code,
              REFUSAL_NOT_ALLOWED);
    CHECK_INT("the new one", enrol(again, "d1", 10, NOW + 2)->status.code,
              REFUSAL_NONE);
}

/* As it stands in tables of before: made from the id alone. */
static void test_codes_of_older_versions_are_good(void)
{
    struct device *d;
    char code[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW);
    ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW);
    d = devices_find(&registry.devices, "d1");
    memset(d->code_request, 1, sizeof d->code_request);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("repeated", update.flags & REGISTRY_WRITE, 0);
    CHECK_INT("good", enrol(code, "d1", 10, NOW)->status.code, REFUSAL_NONE);
}

static void test_anothers_id_gives_no_code_away(void)
{
    world_reset();
    world_import(WORLD_TREE, NOW);
    ask_code("vn", STAFF, 1, "d9", "vn/66", NOW);
    CHECK_INT("of another area",
              ask_code(COMMUNE, STAFF, 1, "d9", COMMUNE, NOW)->status.code,
              REFUSAL_CONFLICT);
    CHECK_INT("no code", update.answer.code[0], '\0');
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

/* d1 of this area, with key 10 since NOW; the serial of its certificate. */
static uint64_t enrolled(const char *area)
{
    char code[LOA_CODE_CAP];

    world_reset();
    world_import(WORLD_TREE, NOW);
    memcpy(code, ask_code("vn", STAFF, 1, "d1", area, NOW)->code, sizeof code);
    CHECK_INT("enrolled", enrol(code, "d1", 10, NOW)->status.code,
              REFUSAL_NONE);
    return update.device->certificate_serial;
}

static void test_renewal(void)
{
    char code[LOA_CODE_CAP];
    int64_t late = NOW + (365 - 30) * DAY;
    uint64_t old = enrolled(COMMUNE);

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

/* It could go on with the certificate before the one that was revoked. */
static void test_renewed_with_its_old_key(void)
{
    char code[LOA_CODE_CAP];
    int64_t late = NOW + (365 - 30) * DAY;
    uint64_t old = enrolled(COMMUNE);

    memcpy(code, ask_code("vn", STAFF, 2, "d1", COMMUNE, late)->code,
           sizeof code);
    CHECK_INT("renewed", enrol(code, "d1", 10, late)->status.code,
              REFUSAL_NONE);
    CHECK_INT("the old one is given up", update.revoked_n, 1);
    CHECK_INT("the old one is given up", update.revoked[0].serial, old);
    CHECK_INT("asked again", enrol(code, "d1", 10, late)->status.code,
              REFUSAL_NONE);
    CHECK_INT("asked again", update.flags & REGISTRY_WRITE, 0);
}

/* What is kept for authorities is not for the devices of a wide area. */
static void test_a_renewal_leaves_the_end_of_the_list(void)
{
    struct revoked_entry e = {.not_after_ms = NOW + 400 * DAY};
    int64_t late = NOW + (365 - 30) * DAY;
    char code[LOA_CODE_CAP];

    enrolled("vn");
    for (e.serial = 1; e.serial <= REVOKED_MAX * REVOKED_SHARE / SHARE_WHOLE;
         e.serial++)
        CHECK_INT("fill", revoked_add(&registry.revoked, &e), LOA_OK);
    memcpy(code, ask_code("vn", STAFF, 2, "d1", "vn", late)->code, sizeof code);
    CHECK_INT("no room", enrol(code, "d1", 12, late)->status.code,
              REFUSAL_TOO_LARGE);
    registry.revoked.entries_n--;
    CHECK_INT("room", enrol(code, "d1", 12, late)->status.code, REFUSAL_NONE);
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
    CHECK_INT("no proof, so no signature is checked",
              registry_proves(&registry, &e), 0);
    CHECK_INT("key", loa_enrol_key(code, code_key), LOA_OK);
    CHECK_INT("proof", loa_enrol_proof(code_key, "d1", "SN", e.key, e.proof),
              LOA_OK);
    CHECK_INT("a right one", registry_proves(&registry, &e), 1);
    e.device = "d2";
    CHECK_INT("another device", registry_proves(&registry, &e), 0);
    e.device = "d1";
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

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_who_may_make_codes();
    test_code_in_time();
    test_a_forgotten_id_brings_back_no_old_code();
    test_codes_of_older_versions_are_good();
    test_anothers_id_gives_no_code_away();
    test_certificates();
    test_renewal();
    test_renewed_with_its_old_key();
    test_a_renewal_leaves_the_end_of_the_list();
    test_guesses();
    test_enrol_refused();
    return CHECK_DONE();
}
