/* Who signed programmes is kept while it matters; what is forgotten leaves its
 * place. */

#include <stdio.h>

#include "content-ingest/signers.h"
#include "world.h"

static struct signers signers;

static const uint8_t *signer_key(uint32_t i)
{
    static uint8_t key[LOA_KEY_BYTES];

    memcpy(key, &i, sizeof i);
    return key;
}

static uint32_t put(uint32_t i, uint64_t kept)
{
    return signers_put(&signers, signer_key(i),
                       (struct loa_bytes){key_of(1), 5}, kept);
}

static void test_table(void)
{
    memset(&signers, 0, sizeof signers);
    CHECK_INT("none", signers_find(&signers, signer_key(7)), SIGNER_NONE);
    for (uint32_t i = 0; i < SIGNERS_MAX; i++)
        CHECK_INT("in turn", put(i, UINT64_MAX), i);
    CHECK_INT("the same again", put(7, UINT64_MAX), 7);
    CHECK_INT("full", put(1000, UINT64_MAX), SIGNER_NONE);
    CHECK_INT("one gives way", put(1000, ~(UINT64_C(1) << 9)), 9);
    CHECK_INT("it is gone", signers_find(&signers, signer_key(9)), SIGNER_NONE);
    signers_drop(&signers, 3);
    CHECK_INT("dropped", signers_find(&signers, signer_key(3)), SIGNER_NONE);
    CHECK_INT("its place", put(2000, UINT64_MAX), 3);
}

static void test_pack(void)
{
    uint8_t out[SIGNER_CHAIN_BYTES_MAX], big[LOA_CERTIFICATE_BYTES_MAX + 1];
    struct loa_bytes c[LOA_CERTIFICATES_MAX + 1];
    size_t len;

    memset(big, 'x', sizeof big);
    for (size_t i = 0; i <= LOA_CERTIFICATES_MAX; i++)
        c[i] = (struct loa_bytes){big, LOA_CERTIFICATE_BYTES_MAX};
    CHECK_INT("most", signers_pack(c, LOA_CERTIFICATES_MAX, out, &len), LOA_OK);
    CHECK_INT("all of it", len, sizeof out);
    CHECK_INT("too many", signers_pack(c, LOA_CERTIFICATES_MAX + 1, out, &len),
              LOA_ENOSPC);
    c[0].len++;
    CHECK_INT("too long", signers_pack(c, 1, out, &len), LOA_ENOSPC);
}

/* What leads nowhere is not believed, whatever its bytes. */
static void test_chain_that_leads_nowhere(void)
{
    static struct loa_trust trust;
    const uint8_t bytes[] = {0, 3, 1, 2, 3, 0, 9, 1};

    loa_trust_init(&trust, key_of(3));
    for (size_t len = 0; len <= sizeof bytes; len++) {
        memset(&signers, 0, sizeof signers);
        signers_put(&signers, signer_key(1), (struct loa_bytes){bytes, len}, 0);
        CHECK_INT("nowhere", signers_hold(&signers, 0, &trust), false);
    }
}

static struct need_area *area_at(const char *path)
{
    uint32_t i = needs_find_area(&needs, path);

    return i == NEEDS_NONE ? NULL : &needs.areas[i];
}

static void signed_by(const char *area, int c, uint32_t signer)
{
    need_one(area, c, 10);
    needs_sign(&needs, area, next_version, signer);
}

static void test_forgotten_with_their_signer(void)
{
    needs_init(&needs);
    signed_by("vn/08", 1, 5);
    signed_by("vn/08/070", 1, 6);
    signed_by("vn/08/071", 2, 5);
    CHECK_INT("both", needs_signers(&needs), 1 << 5 | 1 << 6);
    needs_sign(&needs, "vn/08/070", next_version, 5);
    CHECK_INT("who repeats a version did not sign it",
              area_at("vn/08/070")->signer, 6);
    CHECK_INT("two areas", needs_forget_signer(&needs, 5), 2);
    CHECK_INT("its content too", needs.contents_n, 1);
    CHECK_INT("as if it had never come", needs_area_over(area_at("vn/08")),
              true);
    CHECK_INT("the other's stays", needs_area_over(area_at("vn/08/070")),
              false);
    CHECK_INT("older ones are taken again",
              needs_programme(&needs, "vn/08", 1, 1000, NULL, 0, NOW_MS),
              LOA_OK);
    CHECK_INT("signer open", area_at("vn/08")->signer, NEEDS_NONE);
    needs_sign(&needs, "vn/08", 1, 6);
    needs_forget_signer(&needs, 5);
    CHECK_INT("it is another's now", area_at("vn/08")->version, 1);
}

/* Areas that do not exist kept their places for good. */
static void test_areas_that_are_over_leave_their_places(void)
{
    struct need_item t = item_of(1, 0, 1000);
    char path[32];
    int rv = LOA_OK;

    needs_init(&needs);
    for (unsigned i = 0; i < NEED_AREAS_MAX && rv == LOA_OK; i++) {
        snprintf(path, sizeof path, "vn/x%u", i);
        rv = needs_programme(&needs, path, 1, 1000, &t, 1, NOW_MS);
    }
    CHECK_INT("all are taken", needs.areas_n, NEED_AREAS_MAX);
    CHECK_INT("full", needs_programme(&needs, "vn/08", 1, 9, &t, 1, NOW_MS),
              LOA_EBUSY);
    needs_expire(&needs, 999);
    CHECK_INT("not over", needs_area_over(area_at("vn/x7")), false);
    needs_expire(&needs, 1000);
    for (struct need_area *a; (a = needs_take_dirty(&needs)) != NULL;)
        if (needs_area_over(a))
            needs_free_area(&needs, a);
    CHECK_INT("none is left", needs.areas_n, 0);
    CHECK_INT("nor found", needs_find_area(&needs, "vn/x7"), NEEDS_NONE);
    CHECK_INT("room", needs_programme(&needs, "vn/08", 1, 9, NULL, 0, NOW_MS),
              LOA_OK);
}

int main(void)
{
    test_table();
    test_pack();
    test_chain_that_leads_nowhere();
    test_forgotten_with_their_signer();
    test_areas_that_are_over_leave_their_places();
    return CHECK_DONE();
}
