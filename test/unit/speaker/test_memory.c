/* memo, replay table, ledger, receipt records: what is written is what is
 * read, and what was not written by us is refused. */

#include <string.h>

#include "check.h"
#include "speaker/ledger.h"
#include "speaker/memo.h"
#include "speaker/receipt.h"

static uint8_t buf[MEMO_REPLAY_BYTES_MAX + LEDGER_BYTES_MAX];

/* decode() of every shorter piece must fail, and no length may crash. */
#define CHECK_CUTS(name, len, decode)           \
    for (size_t cut_ = 0; cut_ < (len); cut_++) \
    CHECK_INT(name, (decode)((struct loa_bytes){buf, cut_}) != 0, 1)

static const uint8_t planner[LOA_KEY_BYTES] = {1};
static struct memo memo;

static int decode_memo(struct loa_bytes b)
{
    return memo_decode(&memo, b);
}

static void test_memo(void)
{
    struct memo m;
    size_t len;

    memo_init(&m, 80);
    m.session = 7;
    m.floor_ms = -3;
    m.revocations = UINT64_MAX;
    strcpy(m.revocations_area, "vn/08");
    m.acked = 9;
    memo_set_version(&m, "vn/08/070", "vn/08", 5, planner);
    memo_set_version(&m, "vn/08/070", "vn/08", 4,
                     planner); /* Does not go back. */
    memo_set_version(&m, "vn/08/070", "vn/08/070", 6, planner);
    CHECK_INT("told", memo_set_told(&m, "vn/08", 5, 17), 1);
    CHECK_INT("known", memo_set_told(&m, "vn/08", 5, 18), 0);
    CHECK_INT("nothing is known of it", memo_set_told(&m, "vn", 5, 17), 0);
    len = memo_encode(&m, buf);
    CHECK_CUTS("memo cut", len, decode_memo);
    CHECK_INT("memo", decode_memo((struct loa_bytes){buf, len}), LOA_OK);
    CHECK_INT("same", memcmp(&m, &memo, sizeof m), 0);
    CHECK_INT("version", memo_version(&memo, "vn/08"), 5);
    CHECK_INT("unknown", memo_version(&memo, "vn"), 0);
    CHECK_INT("too long", decode_memo((struct loa_bytes){buf, len + 1}) != 0,
              1);
    m.volume_percent = 101;
    len = memo_encode(&m, buf);
    CHECK_INT("range", decode_memo((struct loa_bytes){buf, len}) != 0, 1);
}

/* A memo of before RECEIVED was remembered, on a disk in the field: what it has
 * was told. */
static void test_memo_of_version_3(void)
{
    static uint8_t old[MEMO_BYTES_MAX];
    uint64_t up_to;
    struct memo m;
    size_t len, at, n;

    memo_init(&m, 80);
    at = memo_encode(&m, buf);
    memo_set_version(&m, "vn/08/070", "vn/08", 5, planner);
    memo_set_version(&m, "vn/08/070", "vn/08/070", 6, planner);
    len = memo_encode(&m, buf);
    n = (len - at) / 2; /* Of one version, two numbers of which are new. */
    memcpy(old, buf, at);
    memcpy(old + at, buf + at, n - 16);
    memcpy(old + at + n - 16, buf + at + n, n - 16);
    old[0] = 3;
    CHECK_INT("memo", decode_memo((struct loa_bytes){old, len - 32}), LOA_OK);
    CHECK_INT("version", memo_version(&memo, "vn/08/070"), 6);
    CHECK_INT("told", memo_told(&memo, "vn/08", 5, &up_to), 1);
    CHECK_INT("told", memo_told(&memo, "vn/08/070", 6, &up_to), 1);
    CHECK_INT("from the first", up_to, 0);
    CHECK_INT("no other", memo_told(&memo, "vn/08", 6, &up_to), 0);
    len = memo_encode(&memo, buf);
    CHECK_INT("written anew", buf[0], 4);
    CHECK_INT("memo", decode_memo((struct loa_bytes){buf, len}), LOA_OK);
}

/* A stolen key that ran ahead does not outlive its revocation. */
static void test_disowned_version(void)
{
    static const uint8_t thief[LOA_KEY_BYTES] = {2};
    struct memo m;

    memo_init(&m, 80);
    memo_set_version(&m, "vn/08", "vn/08", 5, planner);
    memo_set_version(&m, "vn/08", "vn/08", 6, planner);
    memo_set_version(&m, "vn/08", "vn/08", 90, thief);
    memo_set_version(&m, "vn/08", "vn/08", 91, thief);
    memo_set_told(&m, "vn/08", 91, 4);
    CHECK_INT("ahead", memo_version(&m, "vn/08"), 91);
    CHECK_INT("not the newest's", memo_disown(&m, "vn/08", planner), 0);
    CHECK_INT("not there", memo_disown(&m, "vn", thief), 0);
    CHECK_INT("disowned", memo_disown(&m, "vn/08", thief), 1);
    CHECK_INT("as before", memo_version(&m, "vn/08"), 6);
    CHECK_INT("once", memo_disown(&m, "vn/08", thief), 0);
    CHECK_INT("nobody is before", m.versions[0].before, 0);
    CHECK_INT("another 91 is not told", m.versions[0].told, 0);
}

/* Numbers of lists compare within an area; a wider list follows any number, so
 * that a stolen key cannot make the device wait for a higher one for ever. */
static void test_fast_forwarded_revocations(void)
{
    static struct loa_revocations held, none;
    struct memo m;

    memo_init(&m, 80);
    CHECK_INT("never any", memo_revocations_lost(&m, &none), 0);
    held.number = UINT64_MAX;
    strcpy(held.area, "vn/08");
    memo_set_revocations(&m, &held);
    CHECK_INT("held", memo_revocations_lost(&m, &held), 0);
    CHECK_INT("lost", memo_revocations_lost(&m, &none), 1);
    held.number = 9;
    CHECK_INT("older", memo_revocations_lost(&m, &held), 1);
    strcpy(held.area, "vn/08/070");
    CHECK_INT("narrower", memo_revocations_lost(&m, &held), 1);
    strcpy(held.area, "vn");
    held.number = 1;
    CHECK_INT("wider", memo_revocations_lost(&m, &held), 0);
}

/* After a move to another area, places of the old one are taken. */
static void test_memo_move(void)
{
    static const char *const old[] = {
        "a",         "a/b",         "a/b/c",         "a/b/c/d",
        "a/b/c/d/e", "a/b/c/d/e/f", "a/b/c/d/e/f/g", "a/b/c/d/e/f/g/h"};
    struct memo m;

    memo_init(&m, 80);
    for (size_t i = 0; i < 8; i++)
        memo_set_version(&m, old[7], old[i], i + 1, planner);
    memo_set_version(&m, "a/x", "a/x", 40, planner);
    CHECK_INT("new", memo_version(&m, "a/x"), 40);
    CHECK_INT("kept", memo_version(&m, "a"), 1);
    CHECK_INT("places", m.versions_n, 8);
}

static struct loa_replay replay;

static int decode_replay(struct loa_bytes b)
{
    return memo_replay_decode(&replay, b);
}

static void test_replay(void)
{
    static struct loa_replay r;
    size_t len;

    for (int i = 0; i < 2000; i++) {
        uint8_t key[LOA_KEY_BYTES] = {(uint8_t)(i % 100)};
        uint8_t id[LOA_ID_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};

        CHECK_INT("accept",
                  loa_replay_accept(&r, key, (uint64_t)i + 1, id, 1000),
                  LOA_VERDICT_OK);
    }
    len = memo_replay_encode(&r, buf);
    CHECK_INT("fits", len <= MEMO_REPLAY_BYTES_MAX, 1);
    CHECK_INT("read", decode_replay((struct loa_bytes){buf, len}), LOA_OK);
    CHECK_INT("same", memcmp(&r, &replay, sizeof r), 0);
    CHECK_INT("cut", decode_replay((struct loa_bytes){buf, len - 1}) != 0, 1);
    memset(buf + 1, 0xff, 4); /* Keys: four thousand million. */
    CHECK_INT("too many", decode_replay((struct loa_bytes){buf, len}) != 0, 1);
}

static struct ledger ledger;

static int decode_ledger(struct loa_bytes b)
{
    return ledger_decode(&ledger, b);
}

static void test_ledger(void)
{
    static struct ledger l;
    uint8_t id[LOA_ID_BYTES] = {1}, other[LOA_ID_BYTES] = {2};
    uint8_t hash[LOA_HASH_BYTES] = {3}, hash2[LOA_HASH_BYTES] = {4};
    size_t len;

    ledger_init(&l, 100);
    CHECK_INT("closed", ledger_find(&l, id, 100), LEDGER_DONE);
    CHECK_INT("open", ledger_find(&l, id, 101), LEDGER_NONE);
    ledger_set(&l, id, 200, LEDGER_BEGUN);
    CHECK_INT("begun", ledger_find(&l, id, 200), LEDGER_BEGUN);
    CHECK_INT("another", ledger_find(&l, other, 200), LEDGER_NONE);
    CHECK_INT("listed", ledger_begun(&l)->start_at_ms, 200);
    ledger_set_verified(&l, id, hash);
    ledger_set_verified(&l, id, hash);
    CHECK_INT("once", l.verified_n, 1);
    CHECK_INT("verified", ledger_verified(&l, id, hash), 1);
    CHECK_INT("another content", ledger_verified(&l, id, hash2), 0);
    len = ledger_encode(&l, buf);
    CHECK_CUTS("ledger cut", len, decode_ledger);
    CHECK_INT("ledger", decode_ledger((struct loa_bytes){buf, len}), LOA_OK);
    CHECK_INT("begun", ledger_find(&ledger, id, 200), LEDGER_BEGUN);
    CHECK_INT("verified", ledger_verified(&ledger, id, hash), 1);
    ledger_set(&l, id, 200, LEDGER_DONE);
    CHECK_INT("none begun", ledger_begun(&l) == NULL, 1);
}

/* What falls out of the table stays closed. */
static void test_ledger_full(void)
{
    static struct ledger l;
    uint8_t id[LOA_ID_BYTES] = {1};
    size_t len;

    ledger_init(&l, 0);
    for (int64_t i = 1; i <= 3 * LEDGER_MARKS_MAX; i++)
        ledger_set(&l, id, i * 10, LEDGER_DONE);
    for (int64_t i = 1; i <= 3 * LEDGER_MARKS_MAX; i++)
        CHECK_INT("over", ledger_find(&l, id, i * 10), LEDGER_DONE);
    CHECK_INT("next", ledger_find(&l, id, 3 * LEDGER_MARKS_MAX * 10 + 10),
              LEDGER_NONE);
    for (int i = 0; i < 2 * LEDGER_VERIFIED_MAX; i++) {
        uint8_t hash[LOA_HASH_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};

        ledger_set_verified(&l, id, hash);
    }
    len = ledger_encode(&l, buf);
    CHECK_INT("fits", len <= LEDGER_BYTES_MAX, 1);
    CHECK_INT("read", decode_ledger((struct loa_bytes){buf, len}), LOA_OK);
}

static void test_receipt(void)
{
    struct receipt r = {
        .sequence = 5,
        .bulletin_id = {1, 2},
        .start_at_ms = -1,
        .event = RECEIPT_INTERRUPTED,
        .at_us = 99,
        .reason = "preempted",
        .first_sample_us = 98,
        .played_ms = 1,
        .concealed_ms = 2,
        .hash_known = true,
        .hash = {7},
    };
    uint8_t record[RECEIPT_RECORD_BYTES], copy[RECEIPT_RECORD_BYTES];
    uint8_t log_id[LOA_ID_BYTES] = {4}, id[LOA_ID_BYTES];
    struct receipt got;
    uint64_t first;

    receipt_encode(&r, record);
    CHECK_INT("read", receipt_decode(record, &got), LOA_OK);
    receipt_encode(&got, copy);
    CHECK_INT("same", memcmp(record, copy, sizeof copy), 0);
    CHECK_INT("reason", strcmp(got.reason, "preempted"), 0);
    CHECK_INT("start", got.start_at_ms, -1);
    for (size_t i = 0; i < sizeof record; i++) {
        memcpy(copy, record, sizeof copy);
        copy[i] ^= 0x10;
        CHECK_INT("flip", receipt_decode(copy, &got), LOA_EINVAL);
    }
    CHECK_INT("not a head", receipt_head_decode(record, id, &first),
              LOA_EINVAL);
    receipt_head_encode(log_id, 77, record);
    CHECK_INT("head", receipt_head_decode(record, id, &first), LOA_OK);
    CHECK_INT("id", memcmp(id, log_id, sizeof id), 0);
    CHECK_INT("first", first, 77);
    CHECK_INT("not a receipt", receipt_decode(record, &got), LOA_EINVAL);
    receipt_head_encode(log_id, 0, record);
    CHECK_INT("numbers begin with 1", receipt_head_decode(record, id, &first),
              LOA_EINVAL);
}

int main(void)
{
    test_memo();
    test_memo_of_version_3();
    test_disowned_version();
    test_fast_forwarded_revocations();
    test_memo_move();
    test_replay();
    test_ledger();
    test_ledger_full();
    test_receipt();
    return CHECK_DONE();
}
