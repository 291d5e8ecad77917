/* What content-ingest may delete: nothing that a bulletin still needs, however
 * far ahead, and nothing is planned with what it was told to delete. */

#include "add.h"

static struct person ingest_of(struct world *w, const char *area)
{
    struct person p;

    world_issue(&p, &w->province.key, &w->province, "ingest", LOA_ROLE_SERVICE,
                area, 0, 20);
    strcpy(p.certificate.service, "content-ingest");
    return p;
}

static enum say_code release(struct world *w,
                             const struct person *who,
                             uint8_t content,
                             bool only)
{
    struct scheduler_request *r = world_about(w, SCHEDULER_RELEASE, 0);

    memset(r->content_hash, content, sizeof r->content_hash);
    r->dry_run = only;
    return world_ask(w, who);
}

static void test_deleted_what_was_planned_beyond_the_horizon(void)
{
    struct world *w = world_new("vn");
    struct person ingest = ingest_of(w, "vn/08");
    int64_t start_ms = START + 10 * LOA_DAY_MS;

    add(w, "in ten days", 1, "vn/08/070", start_ms, SAY_OK);
    CHECK_INT("no programme lists it", world_programme(w, "vn/08/070") == NULL,
              true);
    for (int only = 0; only < 2; only++) {
        CHECK_INT("needed", release(w, &ingest, 1, only), SAY_IN_USE);
        CHECK_INT("nothing to write", w->up.durable, false);
        CHECK_INT("the bulletin", strstr(at_text(w), "Bản tin sáng") != NULL,
                  true);
        CHECK_INT("the area", strstr(at_text(w), "vn/08/070") != NULL, true);
        CHECK_INT("when", strstr(at_text(w), "11/12/2025") != NULL, true);
    }
    CHECK_INT("another content", release(w, &ingest, 2, true), SAY_OK);
    world_about(w, SCHEDULER_CANCEL, 1);
    CHECK_INT("cancelled", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("free", release(w, &ingest, 1, true), SAY_OK);
    CHECK_INT("a question changes nothing", w->up.durable, false);
    CHECK_INT("let go", release(w, &ingest, 1, false), SAY_OK);
    CHECK_INT("to be written", w->up.durable && w->up.released != NULL, true);
    world_free(w);
}

static void test_until_it_is_over(void)
{
    struct world *w = world_new("vn");
    struct person ingest = ingest_of(w, "vn/08");
    struct scheduler_request *r = world_add(w, 1, "vn/08/070", START);

    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 30 * LOA_DAY_MS;
    CHECK_INT("daily", world_ask(w, &w->lan), SAY_OK);
    w->at_ms = START + 30 * LOA_DAY_MS + 10 * MINUTE_MS - 1;
    CHECK_INT("on air", release(w, &ingest, 1, false), SAY_IN_USE);
    w->at_ms++;
    CHECK_INT("over", release(w, &ingest, 1, false), SAY_OK);
    world_free(w);
}

static void test_revoked_needs_nothing(void)
{
    struct world *w = world_new("vn");
    struct person ingest = ingest_of(w, "vn/08");

    add(w, "in ten days", 1, "vn/08/070", START + 10 * LOA_DAY_MS, SAY_OK);
    world_revoke(w, &w->minh, 1);
    CHECK_INT("free", release(w, &ingest, 1, false), SAY_OK);
    world_free(w);
}

/* What was let go is not planned on the strength of what was approved before:
 * the sound may be gone when the answer has arrived. */
static void test_nothing_is_planned_in_between(void)
{
    struct world *w = world_new("vn");
    struct person ingest = ingest_of(w, "vn/08");
    int64_t start_ms = START + 10 * LOA_DAY_MS;

    CHECK_INT("let go", release(w, &ingest, 1, false), SAY_OK);
    add(w, "at once", 1, "vn/08/070", start_ms, SAY_NOT_APPROVED);
    add(w, "above", 1, "vn", start_ms, SAY_NOT_APPROVED);
    add(w, "another province", 2, "vn/30", start_ms, SAY_OK);
    w->at_ms += RELEASED_CLOSED_MS;
    add(w, "later", 1, "vn/08/070", start_ms, SAY_NOT_APPROVED);
    world_free(w);
}

/* As at a restart, and with an approval that is newer. */
static void test_approved_again(void)
{
    static const struct row {
        const char *name;
        int64_t closed_ms, at_ms; /* Against the time of the approval. */
        enum say_code want;
    } rows[] = {
        {"approved before", 1, 2, SAY_NOT_APPROVED},
        {"approved since", 0, 2, SAY_OK},
        {"still closed", 2 * HOUR_MS, HOUR_MS, SAY_NOT_APPROVED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new("vn");
        struct released_row r = {.area = "vn/08"};

        memset(r.content_hash, 1, sizeof r.content_hash);
        r.closed_until_ms = WORLD_AT_MS - HOUR_MS + rows[i].closed_ms;
        CHECK_INT("loaded", scheduler_load_released(&w->core, &r), LOA_OK);
        w->at_ms = WORLD_AT_MS - HOUR_MS + rows[i].at_ms;
        add(w, rows[i].name, 1, "vn/08/070", START, rows[i].want);
        world_free(w);
    }
}

static void test_who_may_ask(void)
{
    struct world *w = world_new("vn");
    struct person elsewhere = ingest_of(w, "vn/30");

    add(w, "in ten days", 1, "vn/08/070", START + 10 * LOA_DAY_MS, SAY_OK);
    CHECK_INT("staff", release(w, &w->lan, 1, true), SAY_NOT_ALLOWED);
    CHECK_INT("another service", release(w, &w->scheduler, 1, true),
              SAY_NOT_ALLOWED);
    CHECK_INT("another province's", release(w, &elsewhere, 1, true), SAY_OK);
    world_free(w);
}

static void test_doubtful_clock_lets_nothing_go(void)
{
    struct world *w = world_new("vn");
    struct person ingest = ingest_of(w, "vn/08");
    struct scheduler_event ev = {.type = SCHEDULER_REQUEST,
                                 .request = &w->request,
                                 .who = &ingest.certificate,
                                 .doubted = true};

    world_about(w, SCHEDULER_RELEASE, 0);
    CHECK_INT("busy", world_step(w, &ev)->answer->say.code, SAY_BUSY);
    world_free(w);
}

static void test_the_earliest_are_forgotten(void)
{
    static struct released r;
    uint8_t hash[LOA_HASH_BYTES] = {0};

    for (uint32_t i = 0; i <= RELEASED_MAX; i++) {
        memcpy(hash, &i, sizeof i);
        released_put(&r, hash, "vn/08", i);
        released_put(&r, hash, "vn/08", i + 1);
    }
    CHECK_INT("rows", r.rows_n, RELEASED_MAX);
    CHECK_INT("the last", released_until(&r, hash, "vn"), RELEASED_MAX + 1);
    memset(hash, 0, sizeof hash);
    CHECK_INT("the first", released_until(&r, hash, "vn") == INT64_MIN, true);
    hash[0] = 1;
    CHECK_INT("the second", released_until(&r, hash, "vn"), 2);
}

/* The oldest place in the ring went, though its row had been renewed since. */
static void test_renewed_is_not_the_earliest(void)
{
    static struct released r;
    uint8_t hash[LOA_HASH_BYTES] = {0};

    for (uint32_t i = 0; i < RELEASED_MAX; i++) {
        memcpy(hash, &i, sizeof i);
        released_put(&r, hash, "vn/08", i);
    }
    memset(hash, 0, sizeof hash);
    released_put(&r, hash, "vn/08", RELEASED_MAX);
    hash[3] = 1;
    released_put(&r, hash, "vn/08", RELEASED_MAX + 1);
    hash[3] = 0;
    CHECK_INT("renewed", released_until(&r, hash, "vn"), RELEASED_MAX);
    hash[0] = 1;
    CHECK_INT("the earliest", released_until(&r, hash, "vn") == INT64_MIN,
              true);
    CHECK_INT("what is kept", released_earliest(&r), 2);
}

int main(void)
{
    test_deleted_what_was_planned_beyond_the_horizon();
    test_until_it_is_over();
    test_revoked_needs_nothing();
    test_nothing_is_planned_in_between();
    test_approved_again();
    test_who_may_ask();
    test_doubtful_clock_lets_nothing_go();
    test_the_earliest_are_forgotten();
    test_renewed_is_not_the_earliest();
    return CHECK_DONE();
}
