/* The core of uploads and jobs: a script, limits, resuming in any order. */

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "content-ingest/ingest.h"

static const struct ingest_limits limits = {.jobs_max = 1,
                                            .uploads_mine_max = 3,
                                            .bytes_mine_max = 1000,
                                            .bytes_all_max = 1500,
                                            .free_bytes_min = 100,
                                            .receiving_ms_max = 1000};
static struct ingest n;
static struct ingest_update up;

static struct upload_plan plan_of(const char *id,
                                  const char *principal,
                                  uint64_t size)
{
    struct upload_plan p = {.media = MEDIA_AUDIO, .size = size};

    memset(p.id, 0, sizeof p.id);
    memcpy(p.id, id, strlen(id));
    snprintf(p.principal, sizeof p.principal, "%s", principal);
    snprintf(p.area, sizeof p.area, "vn/08");
    snprintf(p.title, sizeof p.title, "Bản tin");
    return p;
}

static int step(struct ingest_event ev)
{
    ingest_step(&n, &ev, &up);
    return (int)up.action;
}

static int begin(const char *id, const char *who, uint64_t size, uint64_t now)
{
    struct upload_plan p = plan_of(id, who, size);

    return step((struct ingest_event){.type = INGEST_BEGIN,
                                      .now_ms = now,
                                      .now_at_ms = (int64_t)now,
                                      .plan = &p});
}

static int event(enum ingest_event_type type, const char *id, uint64_t now)
{
    struct upload_plan p = plan_of(id, "", 1);

    return step((struct ingest_event){
        .type = type, .now_ms = now, .now_at_ms = (int64_t)now, .id = p.id});
}

static int part(enum ingest_event_type type,
                const char *id,
                const char *who,
                uint64_t from,
                uint64_t to,
                uint64_t now)
{
    struct upload_plan p = plan_of(id, who, 1);

    return step((struct ingest_event){.type = type,
                                      .now_ms = now,
                                      .now_at_ms = (int64_t)now,
                                      .id = p.id,
                                      .principal = who,
                                      .range = {from, to}});
}

static uint64_t received(void)
{
    return up.upload == NULL ? UINT64_MAX : ranges_prefix(&up.upload->durable);
}

/* clang-format off */
static void test_script(void)
{
    ingest_init(&n, &limits);
    CHECK_INT("new",               begin("a", "lan", 300, 0), INGEST_INSERT);
    CHECK_INT("not yet durable",   begin("a", "lan", 300, 1), INGEST_REFUSE);
    CHECK_INT("says so",           up.refusal, REFUSE_UPLOAD_BEGINNING);
    CHECK_INT("no part before",    part(INGEST_PART, "a", "lan", 0, 100, 1), INGEST_REFUSE);
    CHECK_INT("durable",           event(INGEST_BEGUN, "a", 2), INGEST_ANSWER);
    CHECK_INT("again finds it",    begin("a", "lan", 300, 3), INGEST_ANSWER);
    CHECK_INT("other size",        begin("a", "lan", 301, 3), INGEST_REFUSE);
    CHECK_INT("says so",           up.refusal, REFUSE_UPLOAD_DIFFERENT);
    CHECK_INT("somebody else",     begin("a", "hoa", 300, 3), INGEST_REFUSE);
    CHECK_INT("says so",           up.refusal, REFUSE_UPLOAD_OTHER);
    CHECK_INT("second part first", part(INGEST_PART, "a", "lan", 100, 200, 4), INGEST_STORE);
    CHECK_INT("stored",            part(INGEST_PART_STORED, "a", "lan", 100, 200, 5), INGEST_ANSWER);
    CHECK_INT("prefix is nothing", received(), 0);
    CHECK_INT("other's part",      part(INGEST_PART, "a", "hoa", 0, 100, 5), INGEST_REFUSE);
    CHECK_INT("says so",           up.refusal, REFUSE_UPLOAD_OTHER);
    CHECK_INT("beyond the end",    part(INGEST_PART, "a", "lan", 250, 301, 5), INGEST_REFUSE);
    CHECK_INT("says so",           up.refusal, REFUSE_PART_BEYOND);
    CHECK_INT("overlap: new only", part(INGEST_PART, "a", "lan", 50, 150, 6), INGEST_STORE);
    CHECK_INT("from",              up.piece.from, 50);
    CHECK_INT("to",                up.piece.to, 100);
    CHECK_INT("not stored",        part(INGEST_PART_FAILED, "a", "lan", 50, 100, 7), INGEST_NOTHING);
    CHECK_INT("first part",        part(INGEST_PART, "a", "lan", 0, 100, 8), INGEST_STORE);
    CHECK_INT("stored",            part(INGEST_PART_STORED, "a", "lan", 0, 100, 9), INGEST_ANSWER);
    CHECK_INT("two are there",     received(), 200);
    CHECK_INT("repeat is harmless",part(INGEST_PART, "a", "lan", 100, 200, 9), INGEST_ANSWER);
    CHECK_INT("nothing to run",    event(INGEST_NEXT, "", 9), INGEST_NOTHING);
    CHECK_INT("last part",         part(INGEST_PART, "a", "lan", 200, 300, 10), INGEST_STORE);
    CHECK_INT("and the same again",part(INGEST_PART, "a", "lan", 200, 300, 10), INGEST_STORE);
    CHECK_INT("complete",          part(INGEST_PART_STORED, "a", "lan", 200, 300, 11), INGEST_COMPLETE);
    CHECK_INT("a write is out",    event(INGEST_NEXT, "", 11), INGEST_NOTHING);
    CHECK_INT("told once",         part(INGEST_PART_STORED, "a", "lan", 200, 300, 12), INGEST_ANSWER);
    CHECK_INT("job",               event(INGEST_NEXT, "", 12), INGEST_START);
    CHECK_INT("first attempt",     up.upload->attempts_n, 1);
    CHECK_INT("one at a time",     event(INGEST_NEXT, "", 12), INGEST_NOTHING);
    CHECK_INT("disk full",         event(INGEST_JOB_AGAIN, "a", 20), INGEST_NOTHING);
    CHECK_INT("not at once",       event(INGEST_NEXT, "", 20), INGEST_NOTHING);
    CHECK_INT("later",             event(INGEST_NEXT, "", 20 + UPLOAD_AGAIN_MS), INGEST_START);
    CHECK_INT("does not count",    up.upload->attempts_n, 1);
    CHECK_INT("late part",         part(INGEST_PART, "a", "lan", 0, 100, 40000), INGEST_ANSWER);
    CHECK_INT("died",              event(INGEST_JOB_DIED, "a", 40000), INGEST_NOTHING);
    CHECK_INT("counts",            event(INGEST_NEXT, "", 80000), INGEST_START);
    CHECK_INT("second",            up.upload->attempts_n, 2);
    CHECK_INT("died",              event(INGEST_JOB_DIED, "a", 80000), INGEST_NOTHING);
    CHECK_INT("third",             event(INGEST_NEXT, "", 120000), INGEST_START);
    CHECK_INT("died",              event(INGEST_JOB_DIED, "a", 120000), INGEST_NOTHING);
    CHECK_INT("given up",          event(INGEST_NEXT, "", 160000), INGEST_GIVE_UP);
    CHECK_INT("noted",             event(INGEST_JOB_ENDED, "a", 160001), INGEST_NOTHING);
    CHECK_INT("gone",              part(INGEST_PART, "a", "lan", 0, 1, 160002), INGEST_REFUSE);
    CHECK_INT("says so",           up.refusal, REFUSE_UPLOAD_UNKNOWN);
}

static void test_limits(void)
{
    ingest_init(&n, &limits);
    CHECK_INT("one",            begin("a", "lan", 400, 0), INGEST_INSERT);
    CHECK_INT("two",            begin("b", "lan", 400, 0), INGEST_INSERT);
    CHECK_INT("mine too much",  begin("c", "lan", 201, 0), INGEST_REFUSE);
    CHECK_INT("says so",        up.refusal, REFUSE_QUOTA_MINE);
    CHECK_INT("three",          begin("c", "lan", 1, 0), INGEST_INSERT);
    CHECK_INT("four",           begin("d", "lan", 1, 0), INGEST_REFUSE);
    CHECK_INT("says so",        up.refusal, REFUSE_UPLOADS_MINE);
    CHECK_INT("all too much",   begin("d", "hoa", 700, 0), INGEST_REFUSE);
    CHECK_INT("says so",        up.refusal, REFUSE_QUOTA_ALL);
    CHECK_INT("other's",        begin("d", "hoa", 699, 0), INGEST_INSERT);
    CHECK_INT("not inserted",   event(INGEST_BEGIN_FAILED, "d", 1), INGEST_NOTHING);
    CHECK_INT("room again",     begin("d", "hoa", 699, 1), INGEST_INSERT);
}

static void test_space(void)
{
    ingest_init(&n, &limits);
    step((struct ingest_event){.type = INGEST_SPACE, .free_bytes = 150});
    CHECK_INT("too large",   begin("a", "lan", 51, 0), INGEST_REFUSE);
    CHECK_INT("says so",     up.refusal, REFUSE_SPACE);
    CHECK_INT("just fits",   begin("a", "lan", 50, 0), INGEST_INSERT);
    CHECK_INT("durable",     event(INGEST_BEGUN, "a", 0), INGEST_ANSWER);
    step((struct ingest_event){.type = INGEST_SPACE, .free_bytes = 99});
    CHECK_INT("parts too",   part(INGEST_PART, "a", "lan", 0, 50, 0), INGEST_REFUSE);
    CHECK_INT("says so",     up.refusal, REFUSE_SPACE);
    CHECK_INT("found still", begin("a", "lan", 50, 0), INGEST_ANSWER);
    step((struct ingest_event){.type = INGEST_SPACE, .free_bytes = 100});
    CHECK_INT("goes on",     part(INGEST_PART, "a", "lan", 0, 50, 0), INGEST_STORE);
}

static void test_stale(void)
{
    ingest_init(&n, &limits);
    begin("a", "lan", 50, 0);
    event(INGEST_BEGUN, "a", 0);
    CHECK_INT("young",        event(INGEST_NEXT, "", 1000), INGEST_NOTHING);
    part(INGEST_PART, "a", "lan", 0, 10, 900);
    CHECK_INT("a part is out",event(INGEST_NEXT, "", 1001), INGEST_NOTHING);
    part(INGEST_PART_STORED, "a", "lan", 0, 10, 1002);
    CHECK_INT("alive",        event(INGEST_NEXT, "", 2002), INGEST_NOTHING);
    CHECK_INT("stale",        event(INGEST_NEXT, "", 2003), INGEST_DROP);
    CHECK_INT("gone",         event(INGEST_NEXT, "", 2003), INGEST_NOTHING);
    CHECK_INT("clock went back", begin("b", "lan", 50, 5000), INGEST_INSERT);
    event(INGEST_BEGUN, "b", 5000);
    CHECK_INT("not stale",    event(INGEST_NEXT, "", 100), INGEST_NOTHING);
}
/* clang-format on */

static void complete(const char *id, enum media media)
{
    struct upload u = {.state = UPLOAD_RECEIVING, .plan = plan_of(id, id, 10)};

    u.plan.media = media;
    u.attempts_n = 1;
    CHECK_INT("add", ranges_add(&u.durable, 0, 10), LOA_OK);
    CHECK_INT("restore", ingest_restore(&n, &u), LOA_OK);
}

static void test_order_and_restore(void)
{
    static const char *const order[] = {"c", "a", "b"};
    char id[2] = "a";

    ingest_init(&n, &limits);
    complete("a", MEDIA_AUDIO);
    complete("b", MEDIA_AUDIO);
    complete("c", MEDIA_TEXT);
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT("start", event(INGEST_NEXT, "", 0), INGEST_START);
        CHECK_INT("texts first, then the oldest",
                  memcmp(up.upload->plan.id, order[i], 1), 0);
        CHECK_INT("attempts go on", up.upload->attempts_n, 2);
        id[0] = *order[i];
        event(INGEST_JOB_ENDED, id, 0);
    }
}

static void test_scattered(void)
{
    struct ingest_limits wide = limits;

    wide.bytes_mine_max = wide.bytes_all_max = 100000;
    ingest_init(&n, &wide);
    begin("a", "lan", 10000, 0);
    event(INGEST_BEGUN, "a", 0);
    for (uint64_t i = 0; i < RANGES_MAX; i++) {
        CHECK_INT("store",
                  part(INGEST_PART, "a", "lan", 100 * i + 50, 100 * i + 60, 0),
                  INGEST_STORE);
        part(INGEST_PART_STORED, "a", "lan", 100 * i + 50, 100 * i + 60, 0);
    }
    CHECK_INT("scattered", part(INGEST_PART, "a", "lan", 5000, 5010, 0),
              INGEST_REFUSE);
    CHECK_INT("says so", up.refusal, REFUSE_PART_SCATTERED);
    CHECK_INT("from the start it goes on",
              part(INGEST_PART, "a", "lan", 0, 50, 0), INGEST_STORE);
    for (int i = 1; i < UPLOAD_WRITES_MAX; i++)
        part(INGEST_PART, "a", "lan", 0, 50, 0);
    CHECK_INT("too many on their way", part(INGEST_PART, "a", "lan", 0, 50, 0),
              INGEST_REFUSE);
    CHECK_INT("says so", up.refusal, REFUSE_DATABASE_BUSY);
}

/* Whatever the order, repeats and failures: complete exactly when every byte
 * has been stored, told exactly once. */
static void test_any_order(unsigned seed)
{
    enum { PARTS = 8, LEN = 10 };
    bool stored[PARTS] = {false};
    int completes = 0, left = PARTS;

    ingest_init(&n, &limits);
    begin("a", "lan", PARTS * LEN, 0);
    event(INGEST_BEGUN, "a", 0);
    while (left > 0) {
        unsigned i, fails;
        struct range piece;

        seed = seed * 1103515245u + 12345u;
        i = seed / 65536 % PARTS;
        fails = seed / 1024 % 4 == 0;
        if (part(INGEST_PART, "a", "lan", i * LEN, i * LEN + LEN, 0) ==
            INGEST_ANSWER) {
            CHECK_INT("answered because it is there", stored[i], true);
            continue;
        }
        piece = up.piece;
        if (fails) {
            part(INGEST_PART_FAILED, "a", "lan", piece.from, piece.to, 0);
            continue;
        }
        left -= !stored[i];
        stored[i] = true;
        completes += part(INGEST_PART_STORED, "a", "lan", piece.from, piece.to,
                          0) == INGEST_COMPLETE;
        CHECK_INT("complete at the end only", completes, left == 0);
    }
    CHECK_INT("job", event(INGEST_NEXT, "", 0), INGEST_START);
}

int main(void)
{
    test_script();
    test_limits();
    test_space();
    test_stale();
    test_order_and_restore();
    test_scattered();
    for (unsigned seed = 1; seed < 500; seed++)
        test_any_order(seed);
    return CHECK_DONE();
}
