/* The registry's core: who is known, and who is revoked. */

#include "asking.h"

static uint8_t chain_store[LOA_CERTIFICATE_BYTES_MAX];

/* --- principals and revocation ---------------------------------------------
 */

/* Make a certificate of the ministry known. */
static const struct registry_answer *add_as(const char *asker,
                                            const char *name,
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
    return world_ask(asker, STAFF, 100, &q, NOW);
}

static const struct registry_answer *add(const char *name,
                                         const char *area,
                                         uint8_t key_n,
                                         uint64_t serial)
{
    return add_as("vn", name, area, key_n, serial);
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
    CHECK_INT("both", update.answer.changed_n, 2);
    CHECK_INT("and both keys", update.revoked_n, 4);
    CHECK_INT("number", update.answer.revocation_number, NOW);
    CHECK_INT("again", revoke("vn", STAFF, "an", NOW)->revocation_number, NOW);
    CHECK_INT("again", update.flags & REGISTRY_SAVE_TRUST, 0);
    CHECK_INT("on the list", registry.revoked.entries_n, 4);
    registry.trust_at_ms = NOW + 1000 * DAY;
    world_event(REGISTRY_TICK, NOW + 1031 * DAY);
    CHECK_INT("off the list when nobody can believe it",
              registry.revoked.entries_n, 2);
    world_event(REGISTRY_TICK, NOW + REVOKED_UNKNOWN_END_MS + 30 * DAY);
    CHECK_INT("and the keys in the end", registry.revoked.entries_n, 0);
}

/* A backup knows list 1; since then devices have taken the list of NOW. What is
 * revoked after the restore must be above it, and what only keeps the list
 * alive must not be: a broker may still hold more for us. */
static void test_numbers_rise_over_a_backup(void)
{
    world_reset();
    world_event(REGISTRY_TICK, NOW - DAY);
    add("an", "vn/08", 20, 7);
    revoke("vn", STAFF, "an", NOW);
    CHECK_INT("a time", registry.trust_number, NOW);
    revoke("vn", STAFF, "an", NOW);
    add("ba", "vn/08", 21, 8);
    CHECK_INT("in the same millisecond",
              revoke("vn", STAFF, "ba", NOW)->revocation_number, NOW + 1);

    world_reset();
    add("an", "vn/08", 20, 7);
    registry.trust_number = 1;
    world_event(REGISTRY_TICK, NOW + 5);
    CHECK_INT("kept alive", registry.trust_number, 2);
    CHECK_INT("revoked after it",
              revoke("vn", STAFF, "an", NOW + 5)->revocation_number, NOW + 5);
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

/* The same by an authority of another province, asked for there or above. */
static enum refusal_code add_66(const char *name,
                                const char *asker_area,
                                uint8_t key_n,
                                uint64_t serial)
{
    static uint8_t store[2][LOA_CERTIFICATE_BYTES_MAX];
    struct loa_key of = world_key(66), key = world_key(key_n);
    struct registry_request q = {.what = REGISTRY_PRINCIPAL_ADD};

    for (size_t i = 0; i < 2; i++)
        q.add.certificates[i].data = store[i];
    world_certificate(&root_key, &of, "auth_66", "vn/66", LOA_ROLE_AUTHORITY,
                      LOA_POWERS_ALL, 2, store[1], &q.add.certificates[1].len);
    world_certificate(&of, &key, name, "vn/66", LOA_ROLE_STAFF,
                      LOA_POWER_SCHEDULE, serial, store[0],
                      &q.add.certificates[0].len);
    q.add.certificates_n = 2;
    return world_ask(asker_area, STAFF, 100, &q, NOW)->status.code;
}

/* Another authority certified a person's public key under her name: that was
 * taken, and with it the name; her own province could not revoke her. */
static void test_names_are_not_shared(void)
{
    world_reset();
    CHECK_INT("hers", add("an", "vn/08", 20, 7)->status.code, REFUSAL_NONE);
    CHECK_INT("her key", add_66("an", "vn/66", 20, 1), REFUSAL_EXISTS);
    CHECK_INT("no key of hers", add_66("an", "vn", 21, 1), REFUSAL_EXISTS);
    CHECK_INT("she may be revoked at home",
              revoke("vn/08", STAFF, "an", NOW)->status.code, REFUSAL_NONE);

    world_reset();
    add("an", "vn/08", 20, 7);
    CHECK_INT("for who is above both", add_66("an", "vn", 20, 1), REFUSAL_NONE);
    CHECK_INT("but not the name", add_66("an", "vn", 21, 2), REFUSAL_EXISTS);
    CHECK_INT("nor from the first", add("an", "vn/08", 22, 8)->status.code,
              REFUSAL_EXISTS);
    revoke("vn", STAFF, "an", NOW);
    CHECK_INT("until they are revoked", add("an", "vn/08", 22, 8)->status.code,
              REFUSAL_NONE);
    CHECK_INT("then it is hers", add_66("an", "vn", 21, 2), REFUSAL_EXISTS);
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
    CHECK_INT("shown", devices_find(&registry.devices, "d1")->revoked, 1);
    CHECK_INT("no list", update.answer.revocation_number, 0);
    CHECK_INT("its code is void", enrol(code, "d1", 10, NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    memcpy(code, ask_code("vn", STAFF, 2, "d1", COMMUNE, NOW)->code,
           sizeof code);
    CHECK_INT("waits", devices_find(&registry.devices, "d1")->revoked, 0);
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

/* Code, enrolment, revocation, with a new key each time: how often the
 * administrator of an area can do it, and what the last answer is. */
static unsigned lose_devices(const char *asker,
                             const char *id,
                             uint8_t key_n,
                             enum refusal_code *last)
{
    const uint32_t powers = LOA_POWER_CONFIG | LOA_POWER_REVOKE;
    unsigned n = 0;

    for (;; n++) {
        char code[LOA_CODE_CAP];

        registry.codes_n = 0; /* Ids of requests have one byte here. */
        memcpy(
            code,
            ask_code(asker, powers, (uint8_t)(1 + n % 99), id, COMMUNE, NOW + n)
                ->code,
            sizeof code);
        *last = enrol(code, id, (uint8_t)(key_n + n % 2), NOW + n)->status.code;
        CHECK_INT(id, *last, REFUSAL_NONE);
        if (*last == REFUSAL_NONE)
            *last = revoke(asker, powers, id, NOW + n)->status.code;
        if (*last != REFUSAL_NONE || n == REVOKED_MAX)
            return n;
    }
}

static void test_a_commune_does_not_fill_the_list_of_the_country(void)
{
    enum refusal_code last;

    world_reset();
    world_import(WORLD_TREE, NOW);
    add("an", "vn/66", 20, 7);
    add("ba", "vn", 30, 8);
    CHECK_INT("of the commune", lose_devices(COMMUNE, "d1", 40, &last), 224);
    CHECK_INT("its share", last, REFUSAL_TOO_LARGE);
    CHECK_INT("written", update.flags & REGISTRY_WRITE, 0);
    CHECK_INT("the district",
              revoke("vn/08/070", STAFF, "d1", NOW)->status.code, REFUSAL_NONE);
    lose_devices("vn/08/070", "d2", 50, &last);
    CHECK_INT("of the district", registry.revoked.entries_n, 448);
    lose_devices("vn/08", "d3", 60, &last);
    CHECK_INT("of the province", registry.revoked.entries_n, 896);
    CHECK_INT("another province",
              revoke("vn/66", STAFF, "an", NOW)->status.code, REFUSAL_NONE);
    CHECK_INT("the country", revoke("vn", STAFF, "ba", NOW)->status.code,
              REFUSAL_NONE);
    for (const char *const *id = (const char *const[]){"d2", "d3", NULL};
         *id != NULL; id++)
        CHECK_INT(*id, revoke("vn", STAFF, *id, NOW)->status.code,
                  REFUSAL_NONE);
}

/* Any certificate of a district can make others of it known. */
static void test_a_district_does_not_fill_the_certificates(void)
{
    struct principal p = {.area = COMMUNE};

    world_reset();
    for (; registry.principals.principals_n < PRINCIPALS_MAX * 14 / 128;
         p.serial++) {
        snprintf(p.id, sizeof p.id, "x%zu", registry.principals.principals_n);
        principals_add(&registry.principals, &p);
    }
    CHECK_INT("the district",
              add_as("vn/08/070", "an", COMMUNE, 20, 7)->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("the district", update.flags & REGISTRY_WRITE, 0);
    CHECK_INT("another", add_as("vn/66", "ba", "vn/66", 21, 8)->status.code,
              REFUSAL_NONE);
    CHECK_INT("the province",
              add_as("vn/08", "an", COMMUNE, 20, 7)->status.code, REFUSAL_NONE);
}

/* Nor do many issuers, whose entries are long. */
static void test_issuers_have_shares_too(void)
{
    struct share share = share_of("vn", "vn/08");
    struct revoked_entry e = {.area = "vn/08", .not_after_ms = NOW};

    world_reset();
    for (e.serial = 1; revoked_may(&registry.revoked, &e, &share); e.serial++) {
        memcpy(e.issuer, &e.serial, sizeof e.serial);
        if (revoked_add(&registry.revoked, &e) != LOA_OK)
            break;
    }
    CHECK_INT("a part of the issuers",
              registry.revoked.entries_n > 200 &&
                  registry.revoked.entries_n <= LOA_REVOCATIONS_MAX / 4,
              1);
}

/* All provinces together leave room for the country, and whatever that fills,
 * an authority is revoked. */
static void test_the_end_of_the_list_is_for_those_above(void)
{
    struct revoked_entry e = {.area = "vn/08", .not_after_ms = NOW + DAY};
    const struct share below = share_of("vn", "vn/08");

    world_reset();
    add("an", "vn/66", 20, 7);
    add("ba", "vn/66", 21, 8);
    CHECK_INT("no name", below.of_all, SHARE_BELOW);
    for (e.serial = 1; e.serial <= REVOKED_MAX * SHARE_BELOW / SHARE_WHOLE;
         e.serial++)
        CHECK_INT("fill", revoked_add(&registry.revoked, &e), LOA_OK);
    CHECK_INT("a province", revoke("vn/66", STAFF, "an", NOW)->status.code,
              REFUSAL_TOO_LARGE);
    CHECK_INT("the country", revoke("vn", STAFF, "an", NOW)->status.code,
              REFUSAL_NONE);
    for (; e.serial <= REVOKED_MAX * REVOKED_SHARE / SHARE_WHOLE; e.serial++)
        CHECK_INT("fill", revoked_add(&registry.revoked, &e), LOA_OK);
    CHECK_INT("the country", revoke("vn", STAFF, "ba", NOW)->status.code,
              REFUSAL_TOO_LARGE);
    registry.principals.principals[1].role = LOA_ROLE_AUTHORITY;
    CHECK_INT("an authority", revoke("vn", STAFF, "ba", NOW)->status.code,
              REFUSAL_NONE);
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

/* Somebody asks the registry anything. */
static void seen(const char *name,
                 const char *area,
                 uint8_t key_n,
                 uint64_t serial)
{
    struct loa_key key = world_key(key_n);
    size_t len;
    struct loa_certificate who =
        world_certificate(&authority_key, &key, name, area, LOA_ROLE_STAFF,
                          LOA_POWER_SCHEDULE, serial, chain_store, &len);
    struct registry_event ev = {
        .type = REGISTRY_SEEN, .now_ms = NOW, .who = &who};

    memcpy(who.issuer, authority_key.public_key, LOA_KEY_BYTES);
    registry_step(&registry, &ev, &update);
}

/* "Revoked", said the registry, and her renewed certificate went on working:
 * it listed only what it had been given. */
static void test_renewed_principal_is_revoked(void)
{
    world_reset();
    seen("an", "vn/08", 20, 7);
    CHECK_INT("not known", update.flags, 0);
    add("an", "vn/08", 20, 7);
    seen("an", "vn/08", 20, 7);
    CHECK_INT("known already", update.flags, 0);
    seen("an", "vn/08", 20, 8);
    CHECK_INT("renewed", update.flags,
              REGISTRY_WRITE | REGISTRY_SAVE_PRINCIPAL);
    CHECK_INT("renewed", update.principal->serial, 8);
    seen("an", "vn/08", 20, 8);
    CHECK_INT("once", update.flags, 0);
    CHECK_INT("both", revoke("vn", STAFF, "an", NOW)->changed_n, 2);
    CHECK_INT("both",
              revoked_has(&registry.revoked, authority_key.public_key, 8), 1);
    CHECK_INT("again", revoke("vn", STAFF, "an", NOW)->unchanged_n, 2);
    CHECK_INT("again", update.answer.changed_n, 0);
    registry.principals.principals_n = PRINCIPALS_MAX;
    seen("an", "vn/08", 20, 9);
    CHECK_INT("full", update.flags, 0);
    registry.principals.principals_n = 2;
}

/* Is what the ministry gave this key on the list, whatever its serial? */
static bool key_listed(uint8_t key_n)
{
    struct loa_key key = world_key(key_n);

    return revoked_has(&registry.revoked, authority_key.public_key,
                       loa_key_number(key.public_key));
}

/* Renewed off-line, and the registry never heard of it: it listed the serials
 * that it knew, and the renewed certificate went on working. */
static void test_renewed_in_secret_is_revoked(void)
{
    world_reset();
    add("an", "vn/08", 20, 7);
    CHECK_INT("listed", revoke("vn", STAFF, "an", NOW)->changed_n, 1);
    CHECK_INT("her key too", key_listed(20), 1);
    CHECK_INT("nobody else's", key_listed(21), 0);
    CHECK_INT("again", revoke("vn", STAFF, "an", NOW)->unchanged_n, 1);
    CHECK_INT("again", update.revoked_n, 0);
    CHECK_INT("renewed", add("an", "vn/08", 20, 8)->status.code,
              REFUSAL_REVOKED);
    CHECK_INT("what to do",
              strstr(update.answer.status.en, "loactl key new") != NULL, 1);
    CHECK_INT("what to do",
              strstr(update.answer.status.vi, "loactl key new") != NULL, 1);
    seen("an", "vn/08", 20, 8);
    CHECK_INT("nor kept when she asks", update.flags, 0);
    CHECK_INT("with a new key", add("an", "vn/08", 21, 9)->status.code,
              REFUSAL_NONE);
}

/* Every certificate that is known has ended, and there may be another: that was
 * refused, and before that called "revoked" though nothing was listed. */
static void test_ended_principal_is_revoked_by_key(void)
{
    int64_t late = NOW + 1001 * DAY;

    world_reset();
    add("an", "vn/08", 20, 7);
    CHECK_INT("ended", revoke("vn", STAFF, "an", late)->status.code,
              REFUSAL_NONE);
    CHECK_INT("no certificate", update.answer.changed_n, 0);
    CHECK_INT("the key", key_listed(20), 1);
    CHECK_INT("shown", registry.principals.principals[0].revoked, 1);
    CHECK_INT("again", revoke("vn", STAFF, "an", late)->revocation_number,
              late);
}

/* The same issuer gave the key another name and a wider area: who has power
 * over the first alone must not cut off the second by way of the key. */
static void test_one_key_with_two_names(void)
{
    world_reset();
    add("an", "vn/08", 20, 7);
    add("an_vn", "vn", 20, 8);
    add("ba", "vn/08", 30, 9);
    add_66("co", "vn", 20, 1);
    CHECK_INT("below", revoke("vn/08", STAFF, "an", NOW)->status.code,
              REFUSAL_NOT_ALLOWED);
    CHECK_INT("below", registry.revoked.entries_n, 0);
    CHECK_INT("below", registry.principals.principals[0].revoked, 0);
    CHECK_INT("above", revoke("vn", STAFF, "an", NOW)->changed_n, 2);
    CHECK_INT("one key", update.revoked_n, 3);
    for (size_t i = 0; i < registry.principals.principals_n; i++)
        CHECK_INT(registry.principals.principals[i].id,
                  registry.principals.principals[i].revoked, i < 2);
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
    /* Known by its certificate of last year alone. */
    registry.principals.principals[0].serial += 100;
    CHECK_INT("its key", revoke("vn", STAFF, "registry_vn", NOW)->status.code,
              REFUSAL_IN_USE);
    CHECK_INT("its key", registry.revoked.entries_n, 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_revoke();
    test_numbers_rise_over_a_backup();
    test_names_are_not_taken();
    test_names_are_not_shared();
    test_revoke_device();
    test_full_list();
    test_a_commune_does_not_fill_the_list_of_the_country();
    test_a_district_does_not_fill_the_certificates();
    test_issuers_have_shares_too();
    test_the_end_of_the_list_is_for_those_above();
    test_too_many_of_a_name();
    test_renewed_principal_is_revoked();
    test_renewed_in_secret_is_revoked();
    test_ended_principal_is_revoked_by_key();
    test_one_key_with_two_names();
    test_own_chain();
    return CHECK_DONE();
}
