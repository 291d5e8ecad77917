/* Answers a page at a time: areas found and synced, devices, principals; and
 * the pieces of imports. */

#include "check.h"
#include "world.h"

/* Walk all pages of a question and count; every page must fit an answer. */
static size_t walk_find(struct area_find q, const char *name)
{
    static struct area_page page;
    static char after[AREA_CURSOR_CAP];
    char last[LOA_AREA_CAP] = "";
    struct refusal why;
    size_t n = 0, bytes;

    after[0] = '\0';
    do {
        q.after = after;
        CHECK_INT(name, area_find(&registry.areas, &q, &page, &why), LOA_OK);
        bytes = 0;
        for (size_t i = 0; i < page.states_n; i++, n++) {
            bytes += area_bytes(page.states[i]);
            if (q.text[0] == '\0')
                CHECK_INT(name, strcmp(page.states[i]->path, last) > 0, 1);
            memcpy(last, page.states[i]->path, sizeof last);
        }
        CHECK_INT(name, bytes <= AREA_PAGE_BYTES_MAX, 1);
        memcpy(after, page.next, sizeof after);
    } while (after[0] != '\0');
    return n;
}

static char text[3 << 20];

/* vn, ten provinces, and communes with long names in each. */
static void big_tree(void)
{
    size_t at = (size_t)snprintf(text, sizeof text,
                                 "code,parent,tier,name\n"
                                 "vn,,central,Việt Nam\n");

    for (int p = 0; p < 10; p++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "p%d,vn,province,Tỉnh số %d\n", p, p);
    for (int c = 0; c < 3000; c++)
        at += (size_t)snprintf(
            text + at, sizeof text - at,
            "c%d,p%d,commune,Xã có một cái tên dài thật là dài dài đến mức "
            "khó tin số %d\n",
            c, c % 10, c);
    world_reset();
    CHECK_INT("big", world_import(text, NOW)->added_n, 3011);
}

static void test_find(void)
{
    static const struct {
        const char *name, *text, *under;
        uint32_t limit;
        bool children_only;
        size_t want;
    } rows[] = {
        {"all", "", "", 500, false, 3011},
        {"all, default", "", "", 0, false, 3011},
        {"all, one at a time", "", "vn/p3", 1, false, 300},
        {"root", "", "", 0, true, 1},
        {"provinces", "", "vn", 3, true, 10},
        {"below one", "", "vn/p3", 7, true, 300},
        {"one province", "tinh so 7", "", 0, false, 1},
        {"a substring", "kho tin", "", 100, false, 3000},
        {"a substring below", "khó tin", "vn/p9", 500, false, 300},
        {"a code", "c17", "", 0, false, 1},
        {"a path", "vn/p7/c17", "", 0, false, 1},
        {"the path is not its own child", "vn/p7", "vn/p7", 0, false, 0},
        {"nothing", "ở đâu", "", 0, false, 0},
        {"a mark alone", "\xcc\x89", "", 0, false, 0},
    };

    big_tree();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct area_find q = {rows[i].text,  rows[i].under,         "",
                              rows[i].limit, rows[i].children_only, NOW};
        CHECK_INT(rows[i].name, walk_find(q, rows[i].name), rows[i].want);
        q.at_ms = NOW - 1;
        if (rows[i].under[0] == '\0')
            CHECK_INT(rows[i].name, walk_find(q, rows[i].name), 0);
    }
}

/* So many that hash tables have runs. */
static void test_many(void)
{
    size_t at = (size_t)snprintf(
        text, sizeof text, "code,parent,tier,name\nvn,,central,Việt Nam\n");

    for (int c = 0; c < 60000; c++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "a%d,vn,commune,Xã %d\n", c, c);
    world_reset();
    CHECK_INT("many", world_import(text, NOW)->added_n, 60001);
    for (int c = 0; c < 60000; c += 7) {
        char id[16];

        snprintf(id, sizeof id, "a%d", c);
        CHECK_INT(id, areas_by_id(&registry.areas, id),
                  areas_by_code(&registry.areas, id));
        CHECK_INT(id, areas_by_id(&registry.areas, id), c + 1);
    }
    CHECK_INT("again", world_import(text, NOW)->unchanged_n, 60001);
    registry.areas.states_n = AREA_STATES_MAX;
    CHECK_INT("full",
              areas_put(&registry.areas, "b", &registry.areas.states[0]),
              LOA_EBUSY);
}

static void test_find_order(void)
{
    static const char *const want[] = {"vn/08", "vn/08/070", "vn/08/070/02216",
                                       "vn/08/070/02217"};
    static struct area_page page;
    struct area_find q = {"tuyên quang", "", "", 0, false, NOW};
    struct refusal why;

    world_reset();
    world_import(WORLD_TREE
                 "02217,070,commune,Xã An Tuyên Quang\n"
                 "02216,070,commune,Xã Tuyên Quang Thượng\n"
                 "02219,070,commune,Xã Tuyền Quảng\n",
                 NOW);
    CHECK_INT("find", area_find(&registry.areas, &q, &page, &why), LOA_OK);
    CHECK_INT("find", page.states_n, 5);
    CHECK_INT("province first", strcmp(page.states[0]->path, want[0]), 0);
    CHECK_INT("then its town", strcmp(page.states[1]->path, want[1]), 0);
    CHECK_INT("then other marks",
              strcmp(page.states[2]->path, "vn/08/070/02219"), 0);
    CHECK_INT("then a beginning", strcmp(page.states[3]->path, want[2]), 0);
    CHECK_INT("then inside", strcmp(page.states[4]->path, want[3]), 0);
}

static void test_find_refused(void)
{
    static const struct {
        const char *name, *text, *under, *after;
        uint32_t limit;
        enum refusal_code want;
    } rows[] = {
        {"limit", "", "", "", 501, REFUSAL_INVALID},
        {"under", "", "vn/99", "", 0, REFUSAL_NOT_FOUND},
        {"malformed under", "", "vn/+/08", "", 0, REFUSAL_NOT_FOUND},
        {"not text", "\xff", "", "", 0, REFUSAL_INVALID},
        {"cursor", "", "", "x", 0, REFUSAL_INVALID},
        {"cursor without path", "", "", "1.1.", 0, REFUSAL_INVALID},
        {"cursor with bad path", "", "", "1.1.vn//", 0, REFUSAL_INVALID},
    };
    static struct area_page page;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct area_find q = {rows[i].text,  rows[i].under, rows[i].after,
                              rows[i].limit, false,         NOW};
        struct refusal why = {0};

        CHECK_INT(rows[i].name, area_find(&registry.areas, &q, &page, &why),
                  LOA_EINVAL);
        CHECK_INT(rows[i].name, why.code, rows[i].want);
    }
}

/* All states after a version, and their number. */
static size_t walk_sync(uint64_t since)
{
    static struct area_page page;
    static char after[AREA_CURSOR_CAP];
    uint64_t version = since;
    struct refusal why;
    size_t n = 0;

    after[0] = '\0';
    do {
        CHECK_INT("sync", area_sync(&registry.areas, since, after, &page, &why),
                  LOA_OK);
        for (size_t i = 0; i < page.states_n; i++, n++) {
            CHECK_INT("version rises", page.states[i]->version >= version, 1);
            version = page.states[i]->version;
        }
        memcpy(after, page.next, sizeof after);
    } while (after[0] != '\0');
    CHECK_INT("nothing of before", n == 0 || version > since, 1);
    return n;
}

static void test_sync(void)
{
    static struct area_page page;
    struct refusal why;

    big_tree();
    CHECK_INT("all", walk_sync(0), 3011);
    CHECK_INT("none", walk_sync(1), 0);
    CHECK_INT("of the future", walk_sync(99), 0);
    world_import(
        "code,parent,tier,name\nc1,p2,commune,Xã Mới\n"
        "c2,,closed,\nc9999,p1,commune,Xã Thêm\n",
        NOW + DAY);
    /* The old state of c1, its new one, the end of c2, and c9999. */
    CHECK_INT("changed", walk_sync(1), 4);
    CHECK_INT("all", walk_sync(0), 3013);
    CHECK_INT("bad cursor", area_sync(&registry.areas, 0, "1.2", &page, &why),
              LOA_EINVAL);
    CHECK_INT("bad cursor",
              area_sync(&registry.areas, 0, "-1..vn", &page, &why), LOA_EINVAL);
}

static void test_devices(void)
{
    static struct device_page page;
    char after[LOA_PRINCIPAL_CAP] = "", last[LOA_PRINCIPAL_CAP] = "";
    size_t n = 0;

    world_reset();
    for (int i = 0; i < 2000; i++) {
        struct device d = {0};

        snprintf(d.id, sizeof d.id, "d%d", i);
        snprintf(d.area, sizeof d.area, "vn/%02d", i % 2);
        CHECK_INT("put", devices_put(&registry.devices, &d) != NULL, 1);
    }
    CHECK_INT("once each", registry.devices.devices_n, 2000);
    do {
        devices_page(&registry.devices, "vn/01", after, 500, &page);
        for (size_t i = 0; i < page.devices_n; i++, n++) {
            CHECK_INT("rising", strcmp(page.devices[i]->id, last) > 0, 1);
            memcpy(last, page.devices[i]->id, sizeof last);
        }
        snprintf(after, sizeof after, "%s", page.next);
    } while (after[0] != '\0');
    CHECK_INT("half of them", n, 1000);
    CHECK_INT("there", devices_find(&registry.devices, "d1999") != NULL, 1);
    CHECK_INT("not there", devices_find(&registry.devices, "d2000") == NULL, 1);
}

static void test_principals(void)
{
    static struct principal_page page;
    char after[PRINCIPAL_CURSOR_CAP] = "";
    size_t n = 0;

    world_reset();
    for (unsigned i = 0; i < 1500; i++) {
        struct principal p = {.serial = i / 3, .not_after_ms = i};

        snprintf(p.id, sizeof p.id, "p%u", i % 100);
        snprintf(p.area, sizeof p.area, "vn");
        p.issuer[0] = (uint8_t)(i % 3);
        CHECK_INT("add", principals_add(&registry.principals, &p) != NULL, 1);
    }
    do {
        CHECK_INT(
            "page",
            principals_page(&registry.principals, "vn", "", after, 64, &page),
            LOA_OK);
        n += page.principals_n;
        memcpy(after, page.next, sizeof after);
    } while (after[0] != '\0');
    CHECK_INT("each once", n, 1500);
    CHECK_INT("one name",
              principals_page(&registry.principals, "vn", "p7", "", 500, &page),
              LOA_OK);
    CHECK_INT("one name", page.principals_n, 15);
    CHECK_INT("newest",
              principals_newest(&registry.principals, "p7")->not_after_ms,
              1407);
    CHECK_INT(
        "cursor",
        principals_page(&registry.principals, "vn", "", "1.zz.p", 0, &page),
        LOA_EINVAL);
}

static int take(uint8_t id,
                uint32_t part,
                uint32_t parts_n,
                const char *owner,
                int64_t now_ms,
                struct parts_import **import,
                const uint8_t **dropped)
{
    struct part p = {
        .part = part, .parts_n = parts_n, .csv = {(const uint8_t *)"text", 4}};
    struct refusal why = {0};

    memset(p.import_id, id, sizeof p.import_id);
    return parts_take(&registry.parts, &p, owner, now_ms, import, dropped,
                      &why) == LOA_OK
               ? REFUSAL_NONE
               : (int)why.code;
}

static void test_parts(void)
{
    static const uint8_t text_49k[49000];
    struct part big = {.parts_n = 1, .csv = {text_49k, sizeof text_49k}};
    struct parts_import *first, *i;
    const uint8_t *dropped;
    struct refusal why;

    world_reset();
    CHECK_INT("one", take(1, 0, 2, "a", NOW, &first, &dropped), REFUSAL_NONE);
    CHECK_INT("not whole", parts_whole(first), 0);
    CHECK_INT("twice", take(1, 0, 2, "a", NOW, &i, &dropped), REFUSAL_NONE);
    CHECK_INT("not whole", parts_whole(i), 0);
    CHECK_INT("not theirs", take(1, 1, 2, "b", NOW, &i, &dropped),
              REFUSAL_CONFLICT);
    CHECK_INT("other number", take(1, 1, 3, "a", NOW, &i, &dropped),
              REFUSAL_CONFLICT);
    CHECK_INT("beyond", take(1, 2, 2, "a", NOW, &i, &dropped), REFUSAL_INVALID);
    CHECK_INT("none", take(1, 0, 0, "a", NOW, &i, &dropped), REFUSAL_INVALID);
    CHECK_INT("too many", take(1, 0, 65, "a", NOW, &i, &dropped),
              REFUSAL_INVALID);
    CHECK_INT("two", take(1, 1, 2, "a", NOW, &i, &dropped), REFUSAL_NONE);
    CHECK_INT("whole", parts_whole(i) && i == first, 1);
    CHECK_INT("text", parts_text(i, 1).len, 4);
    parts_drop(i);
    CHECK_INT("big",
              parts_take(&registry.parts, &big, "a", NOW, &i, &dropped, &why),
              LOA_EINVAL);
    CHECK_INT("big", why.code, REFUSAL_TOO_LARGE);

    CHECK_INT("a", take(1, 0, 2, "a", NOW, &i, &dropped), REFUSAL_NONE);
    CHECK_INT("b", take(2, 0, 2, "b", NOW + 1, &i, &dropped), REFUSAL_NONE);
    CHECK_INT("c", take(3, 0, 2, "c", NOW + 2, &i, &dropped), REFUSAL_NONE);
    CHECK_INT("d", take(4, 0, 2, "d", NOW + 3, &i, &dropped), REFUSAL_NONE);
    CHECK_INT("no room", take(5, 0, 2, "e", NOW + 4, &i, &dropped),
              REFUSAL_BUSY);
    CHECK_INT("d begins again", take(6, 0, 2, "d", NOW + 4, &i, &dropped),
              REFUSAL_NONE);
    CHECK_INT("d begins again", dropped != NULL && dropped[0] == 4, 1);
    CHECK_INT("a was idle",
              take(7, 0, 2, "e", NOW + IMPORT_IDLE_MS, &i, &dropped),
              REFUSAL_NONE);
    CHECK_INT("a was idle", dropped != NULL && dropped[0] == 1, 1);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_find();
    test_many();
    test_find_order();
    test_find_refused();
    test_sync();
    test_devices();
    test_principals();
    test_parts();
    return CHECK_DONE();
}
