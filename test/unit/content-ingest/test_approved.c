/* Of a programme only that gets a place which an approver has signed for. */

#include <stdio.h>

#include "content-ingest/approved.h"
#include "loa/v1/content.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "world.h"

#define NOW INT64_C(1790000000000)
#define HOUR INT64_C(3600000)

#define PERSON_SALT 0x20
#define PERSON_FROM_MS (NOW - 1000 * HOUR)
#define PERSON_UNTIL_MS (NOW + 1000 * HOUR)
#include "../person.h"

static struct person root, other_root, province, minh, far, lan, stranger,
    scheduler;
static struct loa_trust trust;
static _Alignas(16) uint8_t memory[6 * LOA_ENVELOPE_BYTES_MAX];
static struct loa_arena arena;
static struct wire_programme programme;

static void people(void)
{
    person_key(&root, 1, 0);
    person_key(&other_root, 2, 0);
    person_make(&province, &root, 3, LOA_ROLE_AUTHORITY, "province_08", "vn/08",
                "", LOA_POWERS_ALL & ~(uint32_t)LOA_POWER_DRILL);
    person_make(&minh, &province, 4, LOA_ROLE_STAFF, "minh", "vn/08", "",
                LOA_POWER_CONTENT_APPROVE);
    person_make(&far, &province, 5, LOA_ROLE_STAFF, "far", "vn/08/071", "",
                LOA_POWER_CONTENT_APPROVE);
    person_make(&lan, &province, 6, LOA_ROLE_STAFF, "lan", "vn/08", "",
                LOA_POWER_SCHEDULE);
    person_make(&scheduler, &province, 7, LOA_ROLE_SERVICE, "scheduler_08",
                "vn/08", "scheduler", LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    person_make(&stranger, &other_root, 8, LOA_ROLE_STAFF, "stranger", "vn/08",
                "", LOA_POWER_CONTENT_APPROVE);
    loa_trust_init(&trust, root.key.public_key);
}

/* An approval as a programme carries it: without certificates. */
static struct loa_bytes approval_of(const struct person *who,
                                    const char *area,
                                    int c,
                                    int64_t issued_at_ms,
                                    int64_t until_at_ms)
{
    static uint8_t bytes[WIRE_PROGRAMME_APPROVALS_MAX][512];
    static size_t next;
    struct need_item item = item_of(c, 0, 0);
    Loa__V1__ContentManifest m = LOA__V1__CONTENT_MANIFEST__INIT;
    struct loa_header h = {.type = LOA_TYPE_APPROVAL,
                           .issued_at_ms = issued_at_ms,
                           .expires_at_ms = until_at_ms};
    struct loa_signer by = {.key = &who->key};
    uint8_t body[128];
    uint8_t *at = bytes[next++ % WIRE_PROGRAMME_APPROVALS_MAX];
    size_t len;
    int rv;

    m.content_hash = (ProtobufCBinaryData){LOA_HASH_BYTES, item.content_hash};
    h.body =
        (struct loa_bytes){body, loa__v1__content_manifest__pack(&m, body)};
    strcpy(h.area, area);
    rv = loa_envelope_seal(&h, &by, at, sizeof bytes[0], &len);
    assert(rv == LOA_OK);
    return (struct loa_bytes){at, len};
}

static struct loa_bytes approval(const struct person *who,
                                 const char *area,
                                 int c,
                                 int64_t until_at_ms)
{
    return approval_of(who, area, c, NOW - 10 * HOUR, until_at_ms);
}

static void add_certificates(const struct person *p)
{
    for (size_t i = 0; i < p->certificates_n; i++)
        programme.certificates[programme.certificates_n++] = p->certificates[i];
}

/* A programme of these contents, and everybody's certificates. */
static void begin(const char *contents)
{
    memset(&programme, 0, sizeof programme);
    programme.version = 1;
    for (; *contents != '\0'; contents++)
        programme.items[programme.items_n++] =
            item_of(*contents, NOW + HOUR, NOW + 2 * HOUR);
    add_certificates(&minh);
    add_certificates(&far);
    add_certificates(&lan);
    add_certificates(&scheduler);
    add_certificates(&stranger);
}

static void add(struct loa_bytes a)
{
    programme.approvals[programme.approvals_n++] = a;
}

static size_t keep_of(const char *area, int64_t issued_at_ms)
{
    loa_arena_init(&arena, memory, sizeof memory);
    return approved_keep(&needs, area, &trust, &arena, NOW, issued_at_ms,
                         &programme);
}

static size_t keep(const char *area)
{
    return keep_of(area, NOW);
}

/* The contents that are left, as letters. */
static const char *left(void)
{
    static char out[NEED_PROGRAMME_MAX + 1];

    for (size_t i = 0; i < programme.items_n; i++)
        out[i] = (char)programme.items[i].content_hash[0];
    out[programme.items_n] = '\0';
    return out;
}

static void test_approvers(void)
{
    const struct {
        const char *name;
        const struct person *who;
        const char *area; /* That the approval is for. */
        int64_t until_at_ms;
        bool good;
    } rows[] = {
        {"for the province", &minh, "vn/08", NOW + HOUR, true},
        {"for the area", &minh, "vn/08/070", NOW + HOUR, true},
        {"for a part of it", &minh, "vn/08/070/1", NOW + HOUR, false},
        {"for another area", &minh, "vn/08/071", NOW + HOUR, false},
        {"another area's", &far, "vn/08/071", NOW + HOUR, false},
        {"beyond his own", &far, "vn/08", NOW + HOUR, false},
        {"over", &minh, "vn/08", NOW, false},
        {"no power", &lan, "vn/08", NOW + HOUR, false},
        {"by the scheduler itself", &scheduler, "vn/08", NOW + HOUR, false},
        {"another root", &stranger, "vn/08", NOW + HOUR, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        needs_init(&needs);
        begin("a");
        add(approval(rows[i].who, rows[i].area, 'a', rows[i].until_at_ms));
        CHECK_INT(rows[i].name, keep("vn/08/070"), !rows[i].good);
        CHECK_INT(rows[i].name, strcmp(left(), rows[i].good ? "a" : ""), 0);
        CHECK_INT(rows[i].name, arena.used, 0);
    }
}

static void test_each_for_itself(void)
{
    struct loa_bytes a = approval(&minh, "vn/08", 'c', NOW + HOUR);
    uint8_t bent[512];

    needs_init(&needs);
    begin("abcabd");
    CHECK_INT("nothing is approved", keep("vn/08/070"), 6);
    begin("abcabd");
    memcpy(bent, a.data, a.len);
    bent[a.len - 1] ^= 1;
    add((struct loa_bytes){bent, a.len});
    add((struct loa_bytes){bent, 7});
    add((struct loa_bytes){NULL, 0});
    add(approval(&minh, "vn/08", 'x', NOW + HOUR));
    add(approval(&lan, "vn/08", 'b', NOW + HOUR));
    add(approval(&minh, "vn/08", 'b', NOW + HOUR));
    add(approval(&minh, "vn/08", 'd', NOW + HOUR));
    CHECK_INT("three", keep("vn/08/070"), 3);
    CHECK_INT("in their order", strcmp(left(), "bbd"), 0);
    begin("c");
    programme.certificates_n = 0;
    add(a);
    CHECK_INT("no certificates", keep("vn/08/070"), 1);
    begin("");
    add(a);
    CHECK_INT("nothing is needed", keep("vn/08/070"), 0);
}

/* What the area needs already was judged when it came; another area's was not
 * judged for this one. */
static void test_known(void)
{
    needs_init(&needs);
    need_one("vn/08/070", 'a', 10);
    need_one("vn/08", 'b', 10);
    begin("abc");
    CHECK_INT("two go", keep("vn/08/070"), 2);
    CHECK_INT("known here", strcmp(left(), "a"), 0);
}

/* The approver's clock was ahead of the scheduler's, and that one's of ours, by
 * less than is allowed: the programme was taken without the content, and
 * nothing looked again. */
static void test_two_clocks_ahead_lost_a_content(void)
{
    const int64_t third = LOA_SKEW_MS * 2 / 3;

    needs_init(&needs);
    for (int i = 1; i <= 3; i++) {
        begin("a");
        add(approval_of(&minh, "vn/08", 'a', NOW + i * third, NOW + HOUR));
        CHECK_INT("as the scheduler saw it", keep_of("vn/08/070", NOW + third),
                  i == 3 ? 1 : 0);
    }
    begin("a");
    add(approval(&minh, "vn/08", 'a', NOW));
    CHECK_INT("ours, if that is later", keep_of("vn/08/070", NOW - HOUR), 1);
}

/* 65,536 invented contents kept all others out until their key was revoked. */
static void test_invented_contents_take_no_room(void)
{
    char area[32];

    needs_init(&needs);
    for (unsigned i = 0; i < 2 * NEED_CONTENTS_MAX / NEED_PROGRAMME_MAX; i++) {
        begin("");
        for (unsigned k = 0; k < NEED_PROGRAMME_MAX; k++) {
            struct need_item *t = &programme.items[programme.items_n++];

            *t = item_of(0, NOW, NOW + HOUR);
            memcpy(t->content_hash, &i, sizeof i);
            memcpy(t->content_hash + 4, &k, sizeof k);
        }
        snprintf(area, sizeof area, "vn/08/x%u", i);
        keep(area);
        CHECK_INT("taken",
                  needs_programme(&needs, area, 1, NOW + HOUR, programme.items,
                                  programme.items_n, NOW),
                  LOA_OK);
    }
    CHECK_INT("no content", needs.contents_n, 0);
    begin("a");
    add(approval(&minh, "vn/08", 'a', NOW + HOUR));
    keep("vn/08/070");
    CHECK_INT("room",
              needs_programme(&needs, "vn/08/070", 1, NOW + HOUR,
                              programme.items, programme.items_n, NOW),
              LOA_OK);
    CHECK_INT("needed", needs.needs_n, 1);
}

int main(void)
{
    people();
    test_approvers();
    test_each_for_itself();
    test_known();
    test_two_clocks_ahead_lost_a_content();
    test_invented_contents_take_no_room();
    return CHECK_DONE();
}
