/* Revocation lists: what they bind, which one stands, and that a list that is
 * refused changes nothing. */

#include <sodium.h>

#include "check.h"
#include "loa/v1/envelope.pb-c.h"
#include "world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct loa_trust trust, before;
static struct letter letter;
static uint8_t list_bytes[LOA_ENVELOPE_BYTES_MAX];

/* --- building lists ------------------------------------------------------- */

#define ENTRIES_MAX (LOA_REVOCATIONS_MAX + 1)

struct list {
    Loa__V1__TrustList m;
    Loa__V1__Revocation entries[ENTRIES_MAX];
    Loa__V1__Revocation *refs[ENTRIES_MAX];
};

static void list_init(struct list *l, uint64_t number)
{
    loa__v1__trust_list__init(&l->m);
    l->m.number = number;
    l->m.areas_version = 7;
    l->m.revocations = l->refs;
}

static void list_add(struct list *l,
                     const struct loa_key *issuer,
                     uint64_t floor,
                     uint64_t *serials,
                     size_t serials_n)
{
    Loa__V1__Revocation *e = &l->entries[l->m.n_revocations];

    loa__v1__revocation__init(e);
    e->issuer.data = (uint8_t *)(uintptr_t)issuer->public_key;
    e->issuer.len = LOA_KEY_BYTES;
    e->floor_serial = floor;
    e->serials = serials;
    e->n_serials = serials_n;
    l->refs[l->m.n_revocations++] = e;
}

/* The list as the body of a TRUST envelope by `by`. */
static enum loa_verdict update_by(const struct world *w,
                                  const struct list *l,
                                  const struct actor *by,
                                  const char *area)
{
    struct loa_header h = world_header(LOA_TYPE_TRUST, area);
    struct loa_bytes chain[] = {by->cert, w->commune.cert, w->province.cert};

    h.body.data = list_bytes;
    h.body.len = loa__v1__trust_list__pack(&l->m, list_bytes);
    letter_seal(&letter, &h, &by->key, chain, 3);
    return loa_trust_update(&trust, &letter.e, WORLD_NOW_MS, true);
}

/* The world with a registry for vn/08 in place of its second person. */
static void init(struct world *w)
{
    world_init(w);
    actor_init(&w->second, 5, "registry", LOA_ROLE_SERVICE, "vn/08");
    strcpy(w->second.c.service, "registry");
    actor_issue(&w->second, &w->province.key);
    loa_trust_init(&trust, w->root.public_key);
}

static enum loa_verdict update(const struct world *w, const struct list *l)
{
    return update_by(w, l, &w->second, "vn/08");
}

static enum loa_verdict judge_signer(const struct world *w)
{
    struct loa_bytes chain[] = {w->signer.cert, w->commune.cert,
                                w->province.cert};
    struct loa_certificate leaf;

    return loa_trust_chain(&trust, w->signer.key.public_key, chain, 3,
                           WORLD_NOW_MS, true, &leaf);
}

/* --- what a list binds ---------------------------------------------------- */

static struct list list;

static void test_binds(void)
{
    struct world w;
    uint64_t serials[] = {100, 4, 101};

    init(&w);
    CHECK_INT("no list", judge_signer(&w), LOA_VERDICT_OK);

    list_init(&list, 1);
    CHECK_INT("empty", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("empty", judge_signer(&w), LOA_VERDICT_OK);
    CHECK_INT("areas", trust.revoked.areas_version, 7);

    list_init(&list, 2);
    list_add(&list, &w.commune.key, 0, serials, 3);
    CHECK_INT("serial", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("serial", judge_signer(&w), LOA_VERDICT_REVOKED);
    CHECK_INT("serial", loa_trust_revoked(&trust, &w.signer.c), 1);
    CHECK_INT("not the issuer", loa_trust_revoked(&trust, &w.commune.c), 0);

    list_init(&list, 3);
    list_add(&list, &w.province.key, 0, serials, 3);
    CHECK_INT("other issuer", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("other issuer", judge_signer(&w), LOA_VERDICT_OK);

    list_init(&list, 4);
    list_add(&list, &w.commune.key, 4, NULL, 0);
    CHECK_INT("at the floor", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("at the floor", judge_signer(&w), LOA_VERDICT_OK);

    list_init(&list, 5);
    list_add(&list, &w.second.key, 0, serials, 3);
    list_add(&list, &w.commune.key, 5, NULL, 0);
    CHECK_INT("below the floor", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("below the floor", judge_signer(&w), LOA_VERDICT_REVOKED);

    list_init(&list, 6);
    list_add(&list, &w.province.key, 0, &w.commune.c.serial, 1);
    CHECK_INT("the middle link", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("the middle link", judge_signer(&w), LOA_VERDICT_REVOKED);
}

/* A key's number revokes what its issuer ever gave the key, and nothing else:
 * the registry cannot name the serial of a renewal that it never saw. */
static void test_binds_by_key(void)
{
    struct world w;
    struct loa_certificate renewed, other;
    uint64_t numbers[] = {7, 0};

    init(&w);
    numbers[1] = loa_key_number(w.signer.c.subject);
    list_init(&list, 1);
    list_add(&list, &w.commune.key, 0, numbers, 2);
    CHECK_INT("taken", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("her certificate", judge_signer(&w), LOA_VERDICT_REVOKED);
    renewed = w.signer.c;
    renewed.serial = 1000;
    CHECK_INT("renewed", loa_trust_revoked(&trust, &renewed), 1);
    other = renewed;
    other.subject[0] ^= 1;
    CHECK_INT("another key", loa_trust_revoked(&trust, &other), 0);
    other = renewed;
    memcpy(other.issuer, w.province.key.public_key, LOA_KEY_BYTES);
    CHECK_INT("another issuer", loa_trust_revoked(&trust, &other), 0);
    other = renewed;
    strcpy(other.area, "vn/09");
    CHECK_INT("outside", loa_trust_revoked(&trust, &other), 0);

    list_init(&list, 2);
    numbers[1] = loa_key_number(w.commune.c.subject);
    list_add(&list, &w.province.key, 0, numbers, 2);
    CHECK_INT("taken", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("the middle link", judge_signer(&w), LOA_VERDICT_REVOKED);
}

/* A list of a commune's key says nothing about certificates elsewhere, even of
 * the same issuer. */
static void test_binds_only_inside(void)
{
    struct world w;
    uint64_t serials[] = {3, 6};
    struct loa_certificate inside, outside;

    init(&w);
    list_init(&list, 1);
    list_add(&list, &w.province.key, 0, serials, 2);
    CHECK_INT("by staff", update_by(&w, &list, &w.signer, "vn/08/070"),
              LOA_VERDICT_OK);
    inside = w.commune.c;
    inside.serial = 6;
    outside = inside;
    strcpy(outside.area, "vn/08/071");
    CHECK_INT("inside", loa_trust_revoked(&trust, &inside), 1);
    CHECK_INT("outside", loa_trust_revoked(&trust, &outside), 0);
    strcpy(outside.area, "vn/08");
    CHECK_INT("above", loa_trust_revoked(&trust, &outside), 0);
}

/* --- which list stands ---------------------------------------------------- */

static void test_order(void)
{
    struct world w;

    init(&w);
    list_init(&list, 5);
    CHECK_INT("first", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("again", update(&w, &list), LOA_VERDICT_REPLAYED);
    list_init(&list, 4);
    CHECK_INT("older", update(&w, &list), LOA_VERDICT_REPLAYED);
    CHECK_INT("still", trust.revoked.number, 5);
    list_init(&list, 6);
    CHECK_INT("newer", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("newer", trust.revoked.number, 6);
    list_init(&list, 0);
    CHECK_INT("none", update(&w, &list), LOA_VERDICT_MALFORMED);
}

/* A key for less can neither replace the list of a key for more nor keep its
 * place before one. */
static void test_order_of_areas(void)
{
    struct world w;

    init(&w);
    list_init(&list, UINT64_MAX);
    CHECK_INT("commune", update_by(&w, &list, &w.signer, "vn/08/070"),
              LOA_VERDICT_OK);
    list_init(&list, 1);
    CHECK_INT("province", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("province", strcmp(trust.revoked.area, "vn/08"), 0);
    CHECK_INT("province", trust.revoked.number, 1);
    list_init(&list, UINT64_MAX);
    CHECK_INT("commune again", update_by(&w, &list, &w.signer, "vn/08/070"),
              LOA_VERDICT_AREA);
    CHECK_INT("province still", trust.revoked.number, 1);
}

/* The next list of a registry that the list held revokes is not believed. */
static void test_revoked_registry(void)
{
    struct world w;

    init(&w);
    list_init(&list, 1);
    list_add(&list, &w.province.key, 0, &w.second.c.serial, 1);
    CHECK_INT("its own end", update(&w, &list), LOA_VERDICT_OK);
    list_init(&list, 2);
    CHECK_INT("no more", update(&w, &list), LOA_VERDICT_REVOKED);
    CHECK_INT("no more", trust.revoked.number, 1);
}

/* --- bounds --------------------------------------------------------------- */

static void check_refused(const char *name, const struct world *w)
{
    before = trust;
    CHECK_INT(name, update(w, &list), LOA_VERDICT_MALFORMED);
    CHECK_INT(name,
              memcmp(&before.revoked, &trust.revoked, sizeof trust.revoked), 0);
}

static void test_bounds(void)
{
    static uint64_t serials[LOA_REVOKED_SERIALS_MAX + 1];
    struct world w;

    init(&w);
    for (size_t i = 0; i < N(serials); i++)
        serials[i] = i;

    list_init(&list, 1);
    for (size_t i = 0; i < LOA_REVOCATIONS_MAX; i++)
        list_add(&list, &w.commune.key, 1 + i, serials + 4 * i, 4);
    CHECK_INT("full", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("full", trust.revoked.entries_n, LOA_REVOCATIONS_MAX);
    CHECK_INT("full", trust.revoked.serials_n, LOA_REVOKED_SERIALS_MAX);
    CHECK_INT("full", trust.revoked.entries[1023].serials_at, 4092);
    CHECK_INT("full", trust.revoked.serials[4095], 4095);

    list.m.number = 2;
    list_add(&list, &w.commune.key, 0, NULL, 0);
    check_refused("an entry too many", &w);

    list_init(&list, 2);
    list_add(&list, &w.commune.key, 0, serials, N(serials));
    check_refused("a serial too many", &w);

    list_init(&list, 2);
    list_add(&list, &w.commune.key, 0, serials, N(serials) - 1);
    list_add(&list, &w.province.key, 0, serials, 1);
    check_refused("a serial too many in all", &w);

    list_init(&list, 2);
    list_add(&list, &w.commune.key, 9, NULL, 0);
    list_add(&list, &w.commune.key, 9, NULL, 0);
    list.entries[1].issuer.len = 31;
    check_refused("half an issuer", &w);

    list_init(&list, 2);
    list_add(&list, &w.commune.key, 0, serials, N(serials) - 1);
    CHECK_INT("one long entry", update(&w, &list), LOA_VERDICT_OK);
    CHECK_INT("one long entry", trust.revoked.entries_n, 1);
}

static void test_refused(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_TRUST, "vn/08");
    struct loa_bytes chain[3];

    init(&w);
    chain[0] = w.second.cert;
    chain[1] = w.commune.cert;
    chain[2] = w.province.cert;
    h.body = (struct loa_bytes){(const uint8_t *)"\x0a\xff", 2};
    letter_seal(&letter, &h, &w.second.key, chain, 3);
    CHECK_INT("no list at all",
              loa_trust_update(&trust, &letter.e, WORLD_NOW_MS, true),
              LOA_VERDICT_MALFORMED);
    letter.e.signatures[0].signature[0] ^= 1;
    CHECK_INT("forged", loa_trust_update(&trust, &letter.e, WORLD_NOW_MS, true),
              LOA_VERDICT_BAD_SIGNATURE);

    list_init(&list, 1);
    CHECK_INT("in time", update(&w, &list), LOA_VERDICT_OK);
    loa_trust_init(&trust, w.root.public_key);
    CHECK_INT(
        "late",
        loa_trust_update(&trust, &letter.e, WORLD_NOW_MS + WORLD_DAY_MS, true),
        LOA_VERDICT_EXPIRED);
    CHECK_INT("no clock", loa_trust_update(&trust, &letter.e, 0, false),
              LOA_VERDICT_OK);
}

/* The genuine list of another province, first to come: it would have kept the
 * own one out ever after. */
static void test_foreign_list_shuts_out_our_own(void)
{
    struct world w;

    init(&w);
    strcpy(trust.area, "vn/09/001");
    list_init(&list, 9);
    CHECK_INT("of another province", update(&w, &list), LOA_VERDICT_NOT_FOR_US);
    CHECK_INT("nothing is held", trust.revoked.number, 0);
    strcpy(trust.area, "vn/08/070/02215");
    CHECK_INT("of our own", update(&w, &list), LOA_VERDICT_OK);
    loa_trust_init(&trust, w.root.public_key);
    strcpy(trust.area, "vn");
    CHECK_INT("of a part of us", update(&w, &list), LOA_VERDICT_OK);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_binds();
    test_binds_by_key();
    test_binds_only_inside();
    test_order();
    test_order_of_areas();
    test_foreign_list_shuts_out_our_own();
    test_revoked_registry();
    test_bounds();
    test_refused();
    return CHECK_DONE();
}
