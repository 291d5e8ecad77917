/* Freshness of commands: each row is one command; the store lives on. */

#include "check.h"
#include "proto/trust.h"

#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define NOW_MS INT64_C(1790000000000)
#define NOW_US (UINT64_C(1000) * 1790000000000)
#define DAY_US UINT64_C(86400000000)

/* clang-format off */
static const struct row {
    const char *name;
    uint8_t key, id;
    uint64_t counter;
    int64_t now_ms;
    enum loa_verdict verdict;
} rows[] = {
    {"counter 0",            1, 1, 0,      NOW_MS, LOA_VERDICT_REPLAYED},
    {"first",                1, 1, 10,     NOW_MS, LOA_VERDICT_OK},
    {"the same",             1, 1, 10,     NOW_MS, LOA_VERDICT_REPLAYED},
    {"same id, new counter", 1, 1, 11,     NOW_MS, LOA_VERDICT_REPLAYED},
    {"same counter, new id", 1, 2, 10,     NOW_MS, LOA_VERDICT_REPLAYED},
    {"back",                 1, 2, 9,      NOW_MS, LOA_VERDICT_REPLAYED},
    {"a gap",                1, 2, 500,    NOW_MS, LOA_VERDICT_OK},
    {"another key",          2, 3, 5,      NOW_MS, LOA_VERDICT_OK},
    {"another key's id",     2, 1, 6,      NOW_MS, LOA_VERDICT_REPLAYED},
    {"now",                  1, 4, NOW_US, NOW_MS, LOA_VERDICT_OK},
    {"a day ahead",          1, 5, NOW_US + DAY_US, NOW_MS, LOA_VERDICT_OK},
    {"more than a day",      1, 6, NOW_US + DAY_US + 1, NOW_MS, LOA_VERDICT_FUTURE},
    {"to the end",           2, 6, UINT64_MAX, NOW_MS, LOA_VERDICT_FUTURE},
    {"refused is forgotten", 2, 6, 7,      NOW_MS, LOA_VERDICT_OK},
    {"before 1970",          3, 7, DAY_US, -5,     LOA_VERDICT_OK},
    {"before 1970, ahead",   3, 8, DAY_US + 1, -5, LOA_VERDICT_FUTURE},
};
/* clang-format on */

static struct loa_replay replay;

static enum loa_verdict accept(uint32_t key,
                               uint64_t counter,
                               uint32_t id,
                               int64_t now_ms)
{
    uint8_t k[LOA_KEY_BYTES] = {0}, i[LOA_ID_BYTES] = {0};

    memcpy(k, &key, sizeof key);
    memcpy(i, &id, sizeof id);
    return loa_replay_accept(&replay, k, counter, i, now_ms);
}

static void test_rows(void)
{
    memset(&replay, 0, sizeof replay);
    for (size_t i = 0; i < N(rows); i++) {
        const struct row *r = &rows[i];
        CHECK_INT(r->name, accept(r->key, r->counter, r->id, r->now_ms),
                  r->verdict);
    }
}

/* One key too many takes the place of the lowest counter, not of another. */
static void test_full_keys(void)
{
    memset(&replay, 0, sizeof replay);
    for (uint32_t k = 0; k < LOA_REPLAY_KEYS_MAX; k++)
        CHECK_INT("fill", accept(k, k == 9 ? 50 : 100 + k, k, NOW_MS),
                  LOA_VERDICT_OK);
    CHECK_INT("full", replay.keys_n, LOA_REPLAY_KEYS_MAX);
    CHECK_INT("one more", accept(1000, 200, 1000, NOW_MS), LOA_VERDICT_OK);
    CHECK_INT("full", replay.keys_n, LOA_REPLAY_KEYS_MAX);
    CHECK_INT("others stay", accept(8, 108, 1001, NOW_MS),
              LOA_VERDICT_REPLAYED);
    CHECK_INT("first stays", accept(0, 100, 1002, NOW_MS),
              LOA_VERDICT_REPLAYED);
    CHECK_INT("the new one", accept(1000, 200, 1003, NOW_MS),
              LOA_VERDICT_REPLAYED);
    /* The forgotten key starts anew; its old ids are still known. */
    CHECK_INT("its id", accept(9, 50, 9, NOW_MS), LOA_VERDICT_REPLAYED);
    CHECK_INT("forgotten", accept(9, 50, 1004, NOW_MS), LOA_VERDICT_OK);
}

/* The oldest id goes when a new one comes to a full table. */
static void test_full_ids(void)
{
    memset(&replay, 0, sizeof replay);
    for (uint32_t i = 0; i <= LOA_REPLAY_IDS_N; i++)
        CHECK_INT("fill", accept(1, 1 + i, i, NOW_MS), LOA_VERDICT_OK);
    CHECK_INT("full", replay.ids_n, LOA_REPLAY_IDS_N);
    CHECK_INT("last", accept(2, 1, LOA_REPLAY_IDS_N, NOW_MS),
              LOA_VERDICT_REPLAYED);
    CHECK_INT("second", accept(2, 1, 1, NOW_MS), LOA_VERDICT_REPLAYED);
    CHECK_INT("first", accept(2, 1, 0, NOW_MS), LOA_VERDICT_OK);
}

int main(void)
{
    test_rows();
    test_full_keys();
    test_full_ids();
    return CHECK_DONE();
}
