/* What is due, in which order. */

#include <string.h>

#include "check.h"
#include "speaker/agenda.h"

#define T INT64_C(1790000000000)

static struct programmes ps;
static struct ledger ledger;
static struct occurrence out[AGENDA_DUE_MAX];
static int64_t next_ms;

static void setup(void)
{
    programmes_init(&ps);
    ledger_init(&ledger, 0);
}

static struct programme *programme(const char *area)
{
    struct programme *p = ps.held[ps.held_n++];

    strcpy(p->area, area);
    p->expires_at_ms = T + INT64_C(7) * 86400000;
    p->bulletins_n = p->starts_n = 0;
    return p;
}

static void add(struct programme *p,
                uint8_t id,
                enum bulletin_class class,
                const int64_t *starts,
                uint32_t n)
{
    struct bulletin *b = &p->bulletins[p->bulletins_n++];

    memset(b, 0, sizeof *b);
    b->id[0] = id;
    b->class = class;
    b->starts_at = p->starts_n;
    b->starts_n = n;
    for (uint32_t i = 0; i < n; i++)
        p->starts[p->starts_n++] = T + starts[i];
}

static void add_one(struct programme *p,
                    uint8_t id,
                    enum bulletin_class class,
                    int64_t start)
{
    add(p, id, class, &start, 1);
}

static size_t due(int64_t at)
{
    return agenda_due(&ps, &ledger, T + at, 0, out, &next_ms);
}

static void test_window(void)
{
    static const int64_t starts[] = {10000, 20000};
    static const struct {
        int64_t at;
        size_t n;
        int64_t next;
        bool late;
    } rows[] = {
        {0, 0, 9000, false},
        {8999, 0, 9000, false},
        {9000, 1, 19000, false},
        {12000, 1, 19000, false},
        {12001, 1, 19000, true},
        {19000, 2, INT64_MAX, true},
        {86410000, 2, INT64_MAX, true},
        {86410001, 1, INT64_MAX, true},
        {86420001, 0, INT64_MAX, false},
    };

    setup();
    add(programme("vn/08"), 1, BULLETIN_NORMAL, starts, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT("how many", due(rows[i].at), rows[i].n);
        CHECK_INT("next", next_ms == INT64_MAX ? next_ms : next_ms - T,
                  rows[i].next);
        if (rows[i].n > 0)
            CHECK_INT("late", agenda_late(&out[0], T + rows[i].at),
                      rows[i].late);
    }
}

static void test_order(void)
{
    struct programme *commune, *province;
    static const uint8_t want[] = {9, 5, 6, 4, 3, 1, 2};

    setup();
    province = programme("vn/08");
    commune = programme("vn/08/070");
    add_one(province, 2, BULLETIN_NORMAL, 10000);
    add_one(province, 1, BULLETIN_NORMAL, 10000);
    add_one(commune, 3, BULLETIN_NORMAL, 10000);
    add_one(commune, 4, BULLETIN_NORMAL, 9999);
    add_one(province, 6, BULLETIN_PRIORITY, 10500);
    add_one(commune, 5, BULLETIN_PRIORITY, 10500);
    add_one(province, 9, BULLETIN_NORMAL, 5000); /* Too late: first. */
    CHECK_INT("all", due(10000), 7);
    for (size_t i = 0; i < 7; i++)
        CHECK_INT("order", out[i].id[0], want[i]);
}

static void test_marked(void)
{
    static const int64_t starts[] = {1000, 2000, 3000};
    uint8_t id[LOA_ID_BYTES] = {1};

    setup();
    add(programme("vn"), 1, BULLETIN_NORMAL, starts, 3);
    CHECK_INT("all", due(2000), 3);
    ledger_set(&ledger, id, T + 2000, LEDGER_DONE);
    CHECK_INT("without the second", due(2000), 2);
    ledger_set(&ledger, id, T + 1000, LEDGER_BEGUN);
    CHECK_INT("the third", due(2000), 1);
    CHECK_INT("it", out[0].start_at_ms, T + 3000);
    CHECK_INT("the others are not looked at again",
              ps.held[0]->bulletins[0].past_n, 2);
}

static void test_many(void)
{
    struct programme *p;

    setup();
    p = programme("vn");
    for (uint8_t i = 0; i < 100; i++)
        add_one(p, i, i == 77 ? BULLETIN_PRIORITY : BULLETIN_NORMAL, 10000 + i);
    CHECK_INT("full", due(9500), AGENDA_DUE_MAX);
    CHECK_INT("the strongest is among them", out[0].id[0], 77);
    CHECK_INT("then the earliest", out[1].id[0], 0);
    p->expires_at_ms = T + 9500;
    CHECK_INT("expired", due(9500), 0);
}

int main(void)
{
    test_window();
    test_order();
    test_marked();
    test_many();
    return CHECK_DONE();
}
