/* Looking at the plan, and requests and answers as they travel. */

#include "check.h"
#include "loa/v1/services.pb-c.h"
#include "scheduler/heads.h"
#include "scheduler/wire.h"
#include "scheduler/world.h"

#define START (WORLD_AT_MS + HOUR_MS)

static void add(struct world *w, uint8_t id, const char *area, int64_t start_ms)
{
    world_add(w, id, area, start_ms);
    CHECK_INT("add", world_ask(w, &w->lan), SAY_OK);
}

/* The first bytes of the ids found, in order, as text: "1 2 3". */
static const char *found(const struct world *w, char buf[1024])
{
    const struct scheduler_answer *a = w->up.answer;
    size_t len = 0;

    buf[0] = '\0';
    for (uint32_t i = 0; i < a->entries_n; i++)
        len += (size_t)snprintf(buf + len, 1024 - len, i == 0 ? "%d" : " %d",
                                w->core.plan.bulletins[a->entries[i]].id[0]);
    return buf;
}

static void look(struct world *w,
                 const char *name,
                 const struct person *who,
                 const char *under,
                 const char *want)
{
    struct scheduler_request *r = world_about(w, SCHEDULER_FIND, 0);
    char buf[1024];

    r->by_id = false;
    strcpy(r->under, under);
    CHECK_INT(name, world_ask(w, who), SAY_OK);
    CHECK_INT(name, w->up.durable, 0);
    if (strcmp(found(w, buf), want) != 0) {
        check_failures++;
        fprintf(stderr, "%s: found %s, want %s\n", name, buf, want);
    }
}

static void test_who_sees_what(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r;

    add(w, 1, "vn", START);
    add(w, 2, "vn/08", START + HOUR_MS);
    add(w, 3, "vn/08/070", START + 2 * HOUR_MS);
    add(w, 4, "vn/08/071", START + 3 * HOUR_MS);
    add(w, 5, "vn/08/070/07002", START + 4 * HOUR_MS);
    r = world_add(w, 6, "vn/08/070/07001", START + 5 * HOUR_MS);
    strcpy(r->areas[r->areas_n++], "vn/08/071/07101");
    CHECK_INT("two communes", world_ask(w, &w->lan), SAY_OK);
    add(w, 7, "vn/30", START + 10 * MINUTE_MS);
    add(w, 8, "vn/08/070", START + 9 * LOA_DAY_MS);

    look(w, "everything", &w->lan, "", "1 7 2 3 4 5 6");
    look(w, "a district's staff", &w->district, "", "1 2 3 5 6");
    look(w, "under a commune", &w->district, "vn/08/070/07001", "1 2 3 6");
    look(w, "under the province", &w->district, "vn/08", "1 2 3 5 6");
    look(w, "central, under a commune", &w->lan, "vn/08/071/07103", "1 2 4");

    r = world_about(w, SCHEDULER_FIND, 0);
    r->by_id = false;
    strcpy(r->under, "vn/08/071");
    CHECK_INT("another district", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_about(w, SCHEDULER_FIND, 4);
    CHECK_INT("another district's", world_ask(w, &w->district), SAY_NOT_FOUND);
    world_about(w, SCHEDULER_FIND, 2);
    CHECK_INT("the province's", world_ask(w, &w->district), SAY_OK);
    world_about(w, SCHEDULER_FIND, 99);
    CHECK_INT("nobody's", world_ask(w, &w->lan), SAY_NOT_FOUND);
    w->district.certificate.role = LOA_ROLE_DEVICE;
    CHECK_INT("a device", world_ask(w, &w->district), SAY_NOT_ALLOWED);
    world_free(w);
}

static void test_times(void)
{
    struct world *w = world_new("vn");
    struct scheduler_request *r = world_add(w, 1, "vn", START);
    char buf[1024];

    r->frequency = SLOTS_DAILY;
    r->until_ms = START + 20 * LOA_DAY_MS;
    CHECK_INT("daily", world_ask(w, &w->lan), SAY_OK);
    add(w, 2, "vn", START + HOUR_MS);
    add(w, 3, "vn", START + 10 * LOA_DAY_MS + HOUR_MS);
    look(w, "a week", &w->lan, "", "1 2");
    w->at_ms = START + 5 * MINUTE_MS;
    look(w, "while it sounds", &w->lan, "", "1 2");
    w->at_ms = START + 10 * MINUTE_MS;
    look(w, "the next one is tomorrow", &w->lan, "", "2 1");
    r = world_about(w, SCHEDULER_FIND, 0);
    r->by_id = false;
    r->from_ms = START + 10 * LOA_DAY_MS;
    r->until_ms = START + 11 * LOA_DAY_MS;
    CHECK_INT("one day", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("one day", strcmp(found(w, buf), "1 3"), 0);
    r->from_ms = WORLD_AT_MS - LOA_DAY_MS;
    r->until_ms = START;
    CHECK_INT("before", world_ask(w, &w->lan), SAY_OK);
    CHECK_INT("before", w->up.answer->entries_n, 0);
    world_about(w, SCHEDULER_CANCEL, 2);
    CHECK_INT("cancel", world_ask(w, &w->lan), SAY_OK);
    look(w, "cancelled ones are shown", &w->lan, "", "2 1");
    world_free(w);
}

/* --- as it travels -------------------------------------------------------- */

static Loa__V1__SchedulerAnswer *travel(struct world *w, struct wire *wire)
{
    static uint8_t packed[65536];
    const ProtobufCMessage *m = wire_answer(wire, &w->core, w->up.answer);
    size_t len = protobuf_c_message_get_packed_size(m);

    CHECK_INT("fits into an answer", len <= 57344, 1);
    protobuf_c_message_pack(m, packed);
    loa_arena_reset(&w->arena);
    return loa__v1__scheduler_answer__unpack(&w->arena.allocator, len, packed);
}

static void test_pages(void)
{
    struct world *w = world_new("vn");
    struct wire wire;
    char after[128] = "";
    uint32_t seen_n = 0, pages_n = 0;

    CHECK_INT("wire", wire_init(&wire), LOA_OK);
    /* The longest entries: 9 communes, long titles, daily. */
    for (uint8_t i = 1; i <= 120; i++) {
        struct scheduler_request *r =
            world_add(w, i, "vn/08/070/07001", START + i * 10 * MINUTE_MS);

        for (uint8_t c = 1; c < 9; c++)
            snprintf(r->areas[r->areas_n++], LOA_AREA_CAP, "vn/08/07%d/07%d0%d",
                     c / 3, c / 3, c % 3 + 1);
        memset(r->title, 'x', 200);
        r->frequency = SLOTS_DAILY;
        r->until_ms = r->start_at_ms + 90 * LOA_DAY_MS;
        CHECK_INT("add", world_ask(w, &w->lan), SAY_OK);
        CHECK_INT("nine programmes", w->up.programmes_n, 9);
    }
    do {
        Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
        Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
        Loa__V1__SchedulerAnswer *m;
        uint8_t body[512];
        struct say why;

        find.after = after;
        find.limit = 200;
        find.until_ms = START + 80 * LOA_DAY_MS;
        q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
        q.find = &find;
        CHECK_INT(
            "request",
            wire_request(&wire,
                         (struct loa_bytes){
                             body, loa__v1__scheduler_request__pack(&q, body)},
                         &w->request, &why),
            LOA_OK);
        CHECK_INT("find", world_ask(w, &w->lan), SAY_OK);
        m = travel(w, &wire);
        for (size_t i = 0; i < m->n_entries; i++) {
            CHECK_INT("in order", m->entries[i]->bulletin_id.data[0], ++seen_n);
            CHECK_INT("areas", m->entries[i]->n_areas, 9);
            CHECK_INT("programmes", m->entries[i]->n_programmes, 9);
            CHECK_INT("starts", m->entries[i]->n_starts_at_ms, 64);
        }
        strcpy(after, m->next);
        pages_n++;
    } while (after[0] != '\0' && pages_n < 100);
    CHECK_INT("all", seen_n, 120);
    CHECK_INT("several pages", pages_n > 1, 1);
    wire_close(&wire);
    world_free(w);
}

static void test_entry(void)
{
    struct world *w = world_new("vn");
    Loa__V1__SchedulerAnswer *m;
    struct wire wire;

    CHECK_INT("wire", wire_init(&wire), LOA_OK);
    strcpy(world_add(w, 1, "vn/08/070", START)->title, "Riêng");
    strcpy(w->request.areas[w->request.areas_n++], "vn/08/071");
    CHECK_INT("add", world_ask(w, &w->lan), SAY_OK);
    m = travel(w, &wire);
    CHECK_INT("code", m->status->code, SAY_OK);
    CHECK_INT("vi", strcmp(m->status->text_vi, "Đã xếp lịch."), 0);
    CHECK_INT("title", strcmp(m->entries[0]->title, "Riêng"), 0);
    CHECK_INT("areas", m->entries[0]->n_areas, 2);
    CHECK_INT("version", m->entries[0]->programmes[1]->version, WORLD_AT_MS);
    CHECK_INT("by", strcmp(m->entries[0]->requested_by, "lan"), 0);
    CHECK_INT("at", m->entries[0]->requested_at_ms, WORLD_AT_MS);
    CHECK_INT("once", m->entries[0]->recurrence == NULL, 1);
    CHECK_INT("not cancelled", m->entries[0]->cancelled, 0);
    world_about(w, SCHEDULER_FIND, 1);
    CHECK_INT("found", world_ask(w, &w->district), SAY_OK);
    m = travel(w, &wire);
    CHECK_INT("another district is not shown", m->entries[0]->n_areas, 1);
    CHECK_INT("nor its programme", m->entries[0]->n_programmes, 1);

    world_add(w, 2, "vn/08", START)->dry_run = true;
    w->request.frequency = SLOTS_WEEKLY;
    w->request.until_ms = START + 30 * LOA_DAY_MS;
    w->request.class = BULLETIN_PRIORITY;
    CHECK_INT("dry run", world_ask(w, &w->lan), SAY_OK);
    m = travel(w, &wire);
    CHECK_INT("interrupts", m->n_interrupts, 1);
    CHECK_INT("interrupts", m->interrupts[0]->bulletin_id.data[0], 1);
    CHECK_INT("what would be", m->entries[0]->bulletin_id.data[0], 2);
    CHECK_INT("starts", m->entries[0]->n_starts_at_ms, 5);
    CHECK_INT("recurrence", m->entries[0]->recurrence->weekdays, 1);
    CHECK_INT("no programme", m->entries[0]->n_programmes, 0);
    wire_close(&wire);
    world_free(w);
}

static void test_wrong_requests(void)
{
    /* clang-format off */
    static const struct row {
        const char *name;
        const char *area, *title;
        size_t id_len, approval_len;
        int64_t start_ms, until_ms;
        int rv;
    } rows[] = {
        {"right",             "vn/08", "Tin",   16, 100,  START,     0,         LOA_OK},
        {"no title",          "vn/08", "",      16, 100,  START,     0,         LOA_OK},
        {"short id",          "vn/08", "Tin",   15, 100,  START,     0,         LOA_EINVAL},
        {"no id",             "vn/08", "Tin",   0,  100,  START,     0,         LOA_EINVAL},
        {"long id",           "vn/08", "Tin",   17, 100,  START,     0,         LOA_EINVAL},
        {"malformed area",    "vn/+",  "Tin",   16, 100,  START,     0,         LOA_EINVAL},
        {"empty area",        "",      "Tin",   16, 100,  START,     0,         LOA_EINVAL},
        {"two lines",         "vn/08", "a\nb",  16, 100,  START,     0,         LOA_EINVAL},
        {"not UTF-8",         "vn/08", "\xff",  16, 100,  START,     0,         LOA_EINVAL},
        {"long approval",     "vn/08", "Tin",   16, 8193, START,     0,         LOA_EINVAL},
        {"before 1970",       "vn/08", "Tin",   16, 100,  -1,        0,         LOA_EINVAL},
        {"end of time",       "vn/08", "Tin",   16, 100,  INT64_MAX, 0,         LOA_EINVAL},
        {"begin of time",     "vn/08", "Tin",   16, 100,  INT64_MIN, 0,         LOA_EINVAL},
        {"until end of time", "vn/08", "Tin",   16, 100,  START,     INT64_MAX, LOA_EINVAL},
    };
    /* clang-format on */
    static uint8_t bytes[9000], packed[20000];
    struct scheduler_request r;
    struct wire wire;
    struct say why;

    CHECK_INT("wire", wire_init(&wire), LOA_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loa__V1__ScheduleAdd add_m = LOA__V1__SCHEDULE_ADD__INIT;
        Loa__V1__Recurrence recurrence = LOA__V1__RECURRENCE__INIT;
        Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
        char *areas[] = {(char *)(uintptr_t)rows[i].area};
        struct loa_bytes p = {packed, 0};

        add_m.bulletin_id = (ProtobufCBinaryData){rows[i].id_len, bytes};
        add_m.approval = (ProtobufCBinaryData){rows[i].approval_len, bytes};
        add_m.areas = areas;
        add_m.n_areas = 1;
        add_m.title = (char *)(uintptr_t)rows[i].title;
        add_m.start_at_ms = rows[i].start_ms;
        recurrence.until_ms = rows[i].until_ms;
        add_m.recurrence = &recurrence;
        q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_ADD;
        q.add = &add_m;
        p.len = loa__v1__scheduler_request__pack(&q, packed);
        CHECK_INT(rows[i].name, wire_request(&wire, p, &r, &why), rows[i].rv);
        if (rows[i].rv != LOA_OK)
            CHECK_INT(rows[i].name, why.vi[0] != '\0' && why.en[0] != '\0', 1);
    }
    CHECK_INT("nothing",
              wire_request(&wire, (struct loa_bytes){bytes, 0}, &r, &why),
              LOA_EINVAL);
    memset(bytes, 0xff, 100);
    CHECK_INT("garbage",
              wire_request(&wire, (struct loa_bytes){bytes, 100}, &r, &why),
              LOA_EINVAL);
    wire_close(&wire);
}

/* --- heads ---------------------------------------------------------------- */

static void test_heads(void)
{
    static struct heads h;
    struct world *w = world_new("vn");
    struct areas *areas = &w->core.plan.areas;
    uint32_t own = areas_find(areas, "vn"),
             district = areas_find(areas, "vn/08/070");
    struct loa_expect want = {.type = LOA_TYPE_HEAD,
                              .area = "vn/08/070/07001",
                              .now_ms = WORLD_AT_MS,
                              .time_trusted = true};
    struct loa_signer signer = world_signer(&w->scheduler);
    uint8_t nonce[LOA_ID_BYTES] = {7}, hash[LOA_HASH_BYTES] = {8};
    struct head head = {"vn/08/070", WORLD_AT_MS, 5, hash, 9, nonce, nonce};
    uint8_t buf[HEAD_BYTES_MAX];
    Loa__V1__Head *m;
    struct loa_envelope e;
    size_t len;

    heads_init(&h, own, 60000);
    CHECK_INT("own area first", heads_next(&h, areas, 1000), own);
    CHECK_INT("no other", heads_next(&h, areas, 1000), AREA_NONE);
    areas->rows[district].head_version = 1;
    CHECK_INT("a new programme at once", heads_next(&h, areas, 2000), district);
    CHECK_INT("none due", heads_next(&h, areas, 60999), AREA_NONE);
    CHECK_INT("own again", heads_next(&h, areas, 61000), own);
    CHECK_INT("not yet", heads_next(&h, areas, 61000), AREA_NONE);
    CHECK_INT("district again", heads_next(&h, areas, 62000), district);

    CHECK_INT("asked", heads_asked(&h, "pole", 5000), 1);
    CHECK_INT("again at once", heads_asked(&h, "pole", 5999), 0);
    CHECK_INT("later", heads_asked(&h, "pole", 6000), 1);
    for (int i = 0; i < 2000; i++) {
        char name[16];

        snprintf(name, sizeof name, "d%d", i);
        len = heads_asked(&h, name, 9000);
    }
    CHECK_INT("too many at once", heads_asked(&h, "last_of_them", 9000), 0);
    CHECK_INT("a second later", heads_asked(&h, "last_of_them", 10000), 1);

    CHECK_INT("seal", head_seal(&head, &signer, buf, &len), LOA_OK);
    loa_arena_reset(&w->arena);
    CHECK_INT("parse",
              loa_envelope_parse(&w->arena, (struct loa_bytes){buf, len}, &e),
              LOA_OK);
    CHECK_INT("believed", loa_trust_verify(&w->trust, &e, &want, NULL),
              LOA_VERDICT_OK);
    m = loa__v1__head__unpack(&w->arena.allocator, e.header.body.len,
                              e.header.body.data);
    CHECK_INT("time", m->time_ms, WORLD_AT_MS);
    CHECK_INT("version", m->programme_version, 5);
    CHECK_INT("hash", memcmp(m->programme_hash.data, hash, 32), 0);
    CHECK_INT("revocations", m->revocation_number, 9);
    CHECK_INT("nonce", memcmp(m->nonce.data, nonce, 16), 0);
    world_free(w);
}

static void test_time_request(void)
{
    uint8_t p[WIRE_TIME_REQUEST_LEN + 1] = {0x0a, 16, 1, 2, 3},
                                      nonce[LOA_ID_BYTES];

    CHECK_INT("right", wire_time_request((struct loa_bytes){p, 18}, nonce),
              LOA_OK);
    CHECK_INT("nonce", nonce[2], 3);
    CHECK_INT("short", wire_time_request((struct loa_bytes){p, 17}, nonce),
              LOA_EINVAL);
    CHECK_INT("long", wire_time_request((struct loa_bytes){p, 19}, nonce),
              LOA_EINVAL);
    p[0] = 0x12;
    CHECK_INT("another field",
              wire_time_request((struct loa_bytes){p, 18}, nonce), LOA_EINVAL);
}

int main(void)
{
    test_who_sees_what();
    test_times();
    test_pages();
    test_entry();
    test_wrong_requests();
    test_heads();
    test_time_request();
    return CHECK_DONE();
}
