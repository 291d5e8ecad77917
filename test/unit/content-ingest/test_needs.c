/* Programmes come, go and are full; what is kept is what the newest say. */

#include <stdio.h>

#include "world.h"

static bool pushed(const char *area, int c)
{
    return needs.needs[need_at(area, c)].pushed;
}

static void test_versions(void)
{
    struct need_item t[3] = {item_of(1, 100, 200), item_of(2, 300, 400),
                             item_of(1, 50, 900)};

    needs_init(&needs);
    CHECK_INT("first", needs_programme(&needs, "vn/08", 5, 1000, t, 3, NOW_MS),
              LOA_OK);
    CHECK_INT("a content once", needs.needs_n, 2);
    CHECK_INT("earliest start", needs.needs[need_at("vn/08", 1)].start_at_ms,
              50);
    CHECK_INT("latest end", needs.needs[need_at("vn/08", 1)].until_at_ms, 900);
    CHECK_INT("same version",
              needs_programme(&needs, "vn/08", 5, 1000, t, 0, NOW_MS),
              LOA_ESTALE);
    CHECK_INT("older", needs_programme(&needs, "vn/08", 4, 1000, t, 0, NOW_MS),
              LOA_ESTALE);
    CHECK_INT("nothing changed", needs.needs_n, 2);
    CHECK_INT("newer replaces",
              needs_programme(&needs, "vn/08", 6, 1000, t, 1, NOW_MS), LOA_OK);
    CHECK_INT("one left", needs.needs_n, 1);
    CHECK_INT("start as it is now",
              needs.needs[need_at("vn/08", 1)].start_at_ms, 100);
    CHECK_INT("content forgotten", needs.contents_n, 1);
    CHECK_INT("empty", needs_programme(&needs, "vn/08", 7, 1000, t, 0, NOW_MS),
              LOA_OK);
    CHECK_INT("none", needs.needs_n + needs.contents_n, 0);
    CHECK_INT("older than the empty one",
              needs_programme(&needs, "vn/08", 6, 1000, t, 1, NOW_MS),
              LOA_ESTALE);
}

/* One version of a clock that ran ahead kept out all that came after it. */
static void test_clock_ahead_for_a_while(void)
{
    const int64_t day = NEEDS_AHEAD_MS, now = 1000 * NEEDS_AHEAD_MS;
    struct need_item t = item_of(1, now, now + day);

    needs_init(&needs);
    CHECK_INT("a day ahead",
              needs_programme(&needs, "vn/08", 1001 * (uint64_t)day, now + day,
                              &t, 1, now),
              LOA_OK);
    CHECK_INT("more is refused",
              needs_programme(&needs, "vn/08", 1001 * (uint64_t)day + 1,
                              now + day, &t, 0, now),
              LOA_EINVAL);
    CHECK_INT("nothing changed", needs.needs_n, 1);
    CHECK_INT(
        "no area is made for it",
        needs_programme(&needs, "vn/09", 2000 * (uint64_t)day, now, &t, 1, now),
        LOA_EINVAL);
    CHECK_INT("none", needs_find_area(&needs, "vn/09"), NEEDS_NONE);
    CHECK_INT("taken when our clock was ahead too",
              needs_programme(&needs, "vn/08", 1030 * (uint64_t)day, now + day,
                              &t, 1, now + 30 * day),
              LOA_OK);
    CHECK_INT("ours is put right",
              needs_programme(&needs, "vn/08", 1000 * (uint64_t)day, now + day,
                              &t, 0, now),
              LOA_OK);
    CHECK_INT("and counts", needs.needs_n, 0);
    CHECK_INT("and bounds again",
              needs_programme(&needs, "vn/08", 999 * (uint64_t)day, now + day,
                              &t, 1, now),
              LOA_ESTALE);
}

/* From the database alone it is not known whose programmes they are. */
static void test_signers_are_unknown_after_a_start(void)
{
    static const struct {
        const char *what;
        uint64_t version;
        int rv;
        bool unheard;
    } rows[] = {
        {"an older one says nothing", 6, LOA_ESTALE, true},
        {"too far ahead", (uint64_t)NEEDS_AHEAD_MS + 1, LOA_EINVAL, true},
        {"the same again", 7, LOA_ESTALE, false},
        {"a newer one", 8, LOA_OK, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        needs_init(&needs);
        CHECK_INT("none", needs_unheard(&needs, NOW_MS), false);
        CHECK_INT(
            "loaded",
            needs_restore_area(&needs, "vn/08", 7, NOW_MS + 1000, NEEDS_NONE),
            LOA_OK);
        CHECK_INT("unheard", needs_unheard(&needs, NOW_MS + 999), true);
        CHECK_INT("over", needs_unheard(&needs, NOW_MS + 1000), false);
        CHECK_INT(rows[i].what,
                  needs_programme(&needs, "vn/08", rows[i].version,
                                  NOW_MS + 1000, NULL, 0, NOW_MS),
                  rows[i].rv);
        CHECK_INT(rows[i].what, needs_unheard(&needs, NOW_MS), rows[i].unheard);
    }
}

static void test_pushed(void)
{
    needs_init(&needs);
    need_one("vn/08", 1, 10);
    need_one("vn/08/070", 1, 10);
    need_one("vn/08/071/07101", 1, 10);
    need_one("vn/09", 1, 10);
    needs_pushed(&needs, need_at("vn/08", 1));
    CHECK_INT("there", pushed("vn/08", 1), true);
    CHECK_INT("below", pushed("vn/08/070", 1), true);
    CHECK_INT("far below", pushed("vn/08/071/07101", 1), true);
    CHECK_INT("not beside", pushed("vn/09", 1), false);
    need_one("vn/08/072", 1, 10);
    CHECK_INT("who comes later", pushed("vn/08/072", 1), true);
    need_one("vn/08", 2, 10);
    CHECK_INT("mark stays below", pushed("vn/08/070", 1), true);
    need_one("vn/08", 1, 10);
    CHECK_INT("gone and back: anew", pushed("vn/08", 1), false);
    need_one("vn/08/070", 1, 20);
    CHECK_INT("newer version keeps it", pushed("vn/08/070", 1), true);
}

static void test_expiry(void)
{
    needs_init(&needs);
    need_one("vn/08", 1, 1000); /* Until 2000. */
    need_one("vn/09", 2, 5000);
    while (needs_take_dirty(&needs) != NULL)
        ;
    CHECK_INT("not yet", needs_expire(&needs, 1999), 0);
    CHECK_INT("past", needs_expire(&needs, 2000), 1);
    CHECK_INT("it is that", need_at("vn/08", 1), NEEDS_NONE);
    CHECK_INT("dirty", strcmp(needs_take_dirty(&needs)->path, "vn/08"), 0);
    CHECK_INT("no other", needs_take_dirty(&needs) == NULL, true);
}

static void test_covering(void)
{
    uint32_t k;

    needs_init(&needs);
    need_one("vn", 1, 10);
    need_one("vn/08/070", 1, 10);
    content_is(1, 7);
    k = needs_find_stream(&needs, key_of(1));
    CHECK_INT("nearest", needs_covering(&needs, "vn/08/070/1", k, false),
              need_at("vn/08/070", 1));
    CHECK_INT("itself", needs_covering(&needs, "vn/08/070", k, false),
              need_at("vn/08/070", 1));
    CHECK_INT("above it", needs_covering(&needs, "vn/08/070", k, true),
              need_at("vn", 1));
    CHECK_INT("only far above", needs_covering(&needs, "vn/08/071", k, false),
              need_at("vn", 1));
    CHECK_INT("elsewhere", needs_covering(&needs, "la/08", k, false),
              NEEDS_NONE);
    content_is(1, 0);
    CHECK_INT("content gone", needs_find_stream(&needs, key_of(1)), NEEDS_NONE);
}

static void test_full(void)
{
    struct need_item known;
    struct need_item t[NEED_PROGRAMME_MAX];
    char area[32];
    uint64_t fit = 0;
    int rv = LOA_OK;

    needs_init(&needs);
    /* Every area needs contents of its own: contents run out first. */
    for (unsigned i = 0; rv == LOA_OK; i++) {
        for (unsigned k = 0; k < NEED_PROGRAMME_MAX; k++) {
            t[k] = item_of(0, 0, 10);
            memcpy(t[k].content_hash, &i, sizeof i);
            memcpy(t[k].content_hash + 4, &k, sizeof k);
        }
        snprintf(area, sizeof area, "vn/%u", i);
        rv =
            needs_programme(&needs, area, 1, 10, t, NEED_PROGRAMME_MAX, NOW_MS);
        fit += rv == LOA_OK;
    }
    CHECK_INT("contents are full", fit, NEED_CONTENTS_MAX / NEED_PROGRAMME_MAX);
    CHECK_INT("says so", rv, LOA_EBUSY);
    CHECK_INT("version not taken",
              needs.areas[needs_find_area(&needs, area)].version, 0);
    /* One goes; then there is room for it. */
    CHECK_INT("goes", needs_programme(&needs, "vn/0", 2, 10, t, 0, NOW_MS),
              LOA_OK);
    CHECK_INT(
        "fits now",
        needs_programme(&needs, area, 1, 10, t, NEED_PROGRAMME_MAX, NOW_MS),
        LOA_OK);
    known = t[0];
    for (unsigned i = 0; i < NEED_AREAS_MAX; i++) {
        snprintf(area, sizeof area, "la/%u", i);
        rv = needs_programme(&needs, area, 1, 10, &known, 1, NOW_MS);
    }
    CHECK_INT("areas are full", rv, LOA_EBUSY);
}

/* Invented areas took all places although they need nothing. */
static void test_areas_that_need_nothing_leave_room(void)
{
    struct need_item t = item_of(1, 0, 10);
    char area[32];
    int rv = LOA_OK;

    needs_init(&needs);
    need_one("vn/07", 1, 10);
    for (unsigned i = 0; i < NEED_AREAS_MAX; i++) {
        snprintf(area, sizeof area, "la/%u", i);
        rv = needs_programme(&needs, area, 1, 10, NULL, 0, NOW_MS);
    }
    CHECK_INT("no more", rv, LOA_EBUSY);
    CHECK_INT("so many", needs.areas_n, NEED_AREAS_EMPTY_MAX);
    CHECK_INT("what needs something",
              needs_programme(&needs, "vn/08", 1, 10, &t, 1, NOW_MS), LOA_OK);
    need_one("vn/07", 0, 0);
    CHECK_INT("what is known", need_at("vn/07", 1), NEEDS_NONE);
}

/* It says the same as needs_programme() does. */
static void test_newer(void)
{
    static const struct {
        const char *name, *area;
        uint64_t version;
        int64_t now_at_ms;
        bool want;
    } rows[] = {
        {"new area", "vn/2", 1, 0, true},
        {"newer", "vn/1", 11, 0, true},
        {"the same", "vn/1", 10, 0, false},
        {"older", "vn/1", 9, 0, false},
        {"a day ahead", "vn/1", NEEDS_AHEAD_MS, 0, true},
        {"further ahead", "vn/1", NEEDS_AHEAD_MS + 1, 0, false},
        {"new area, further", "vn/2", NEEDS_AHEAD_MS + 1, 0, false},
        {"held one too far ahead", "vn/1", 5, 9 - NEEDS_AHEAD_MS, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        needs_init(&needs);
        CHECK_INT("held",
                  needs_programme(&needs, "vn/1", 10, 1000, NULL, 0, NOW_MS),
                  LOA_OK);
        CHECK_INT(rows[i].name,
                  needs_newer(&needs, rows[i].area, rows[i].version,
                              rows[i].now_at_ms),
                  rows[i].want);
        CHECK_INT(rows[i].name,
                  needs_programme(&needs, rows[i].area, rows[i].version, 1000,
                                  NULL, 0, rows[i].now_at_ms) == LOA_OK,
                  rows[i].want);
    }
}

/* Random programmes against a plain table. */
static void test_against_table(unsigned seed)
{
    enum { AREAS = 5, CONTENTS = 6 };
    static const char *const paths[AREAS] = {"vn", "vn/1", "vn/1/1", "vn/2",
                                             "vn/2/1"};
    bool table[AREAS][CONTENTS] = {{false}};
    unsigned count;

    needs_init(&needs);
    for (int round = 0; round < 30; round++) {
        struct need_item t[CONTENTS];
        size_t t_n = 0;
        unsigned a;

        seed = seed * 1103515245u + 12345u;
        a = seed / 65536 % AREAS;
        for (int c = 0; c < CONTENTS; c++) {
            table[a][c] = seed >> (10 + c) & 1;
            if (table[a][c])
                t[t_n++] = item_of(c + 1, 0, 10);
        }
        CHECK_INT("take",
                  needs_programme(&needs, paths[a], ++next_version, 10, t, t_n,
                                  NOW_MS),
                  LOA_OK);
        count = 0;
        for (int i = 0; i < AREAS; i++)
            for (int c = 0; c < CONTENTS; c++) {
                CHECK_INT("as in the table",
                          need_at(paths[i], c + 1) != NEEDS_NONE, table[i][c]);
                count += table[i][c];
            }
        CHECK_INT("no other", needs.needs_n, count);
    }
}

int main(void)
{
    test_versions();
    test_clock_ahead_for_a_while();
    test_signers_are_unknown_after_a_start();
    test_pushed();
    test_expiry();
    test_covering();
    test_full();
    test_areas_that_need_nothing_leave_room();
    test_newer();
    for (unsigned seed = 1; seed < 300; seed++)
        test_against_table(seed);
    return CHECK_DONE();
}
