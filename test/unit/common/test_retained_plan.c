/* The pieces in which retained messages are asked for: together they cover what
 * is known, and none is larger than a broker delivers. */

#include <stdio.h>

#include "check.h"
#include "common/retained_plan.h"

#define MANY 20000

static struct retained_area areas[MANY];
static struct retained_plan plan;

static void begin(const char *own)
{
    retained_plan_init(&plan, areas, MANY, own);
}

static void add(const char *path, int n)
{
    for (int i = 0; i < n; i++)
        CHECK_INT(path, retained_plan_add(&plan, path), LOA_OK);
}

/* All pieces, with a blank after each. */
static const char *pieces_of(bool whole)
{
    static char all[4096];
    char piece[LOA_AREA_CAP];
    size_t len = 0;

    all[0] = '\0';
    retained_plan_begin(&plan, whole);
    while (retained_plan_next(&plan, piece) && len < sizeof all - 200)
        len += (size_t)snprintf(all + len, sizeof all - len, "%s ", piece);
    return all;
}

static const char *pieces(void)
{
    return pieces_of(true);
}

static void test_pieces(void)
{
    begin("vn");
    CHECK_STR("nothing is known", pieces(), "");
    begin("vn");
    add("vn/08/070", RETAINED_PIECE_MAX);
    CHECK_STR("few came with the whole", pieces(), "");
    begin("vn");
    add("vn/08/070", 1);
    CHECK_STR("nothing else was asked", pieces_of(false), "vn/08 ");
    begin("vn");
    add("vn/08/070", 300);
    add("vn/01", 1);
    add("vn/08/071", 200);
    CHECK_STR("one below the own", pieces(), "vn/01 vn/08 ");
    begin("vn");
    add("vn/08/070/2", 300);
    add("vn/08/070/1", 300);
    add("vn/08/071/1", 10);
    add("vn/08/071/2", 10);
    CHECK_STR("as deep as it must be", pieces(),
              "vn/08/070/1 vn/08/070/2 vn/08/071 ");
    begin("vn/08/070");
    add("vn/08/070/1", 2 * RETAINED_PIECE_MAX);
    CHECK_STR("an area cannot be cut", pieces(), "vn/08/070/1 ");
    begin("vn/08");
    add("vn/08", 5);
    add("vn/08/070", 600);
    add("vn/08/070/1", 10);
    add("vn/08/070/1/5", 10);
    CHECK_STR("full itself, with some below", pieces(),
              "vn/08/070 vn/08/070/1 ");
    begin("vn");
    add("vn/08", 250);
    add("vn/080", 250);
    add("vn/08/1", 250);
    CHECK_STR("no prefix but of whole names", pieces(), "vn/08 vn/080 ");
}

/* A province: every device lies in some piece, and in one only. */
static void test_province(void)
{
    char path[64], piece[LOA_AREA_CAP];
    size_t pieces_n = 0, covered_n = 0;

    begin("vn/08");
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "vn/08/%03d/%d", i % 160, i % 7);
        add(path, 1);
    }
    CHECK_INT("no room", retained_plan_add(&plan, "vn/08"), LOA_EBUSY);
    retained_plan_begin(&plan, true);
    while (retained_plan_next(&plan, piece)) {
        uint32_t n = 0;
        for (size_t i = 0; i < plan.n; i++)
            if (loa_area_within(areas[i].path, piece))
                n += areas[i].messages_n;
        CHECK_INT(piece, n <= RETAINED_PIECE_MAX, 1);
        covered_n += n;
        pieces_n++;
    }
    CHECK_INT("pieces", pieces_n, 160);
    CHECK_INT("covered", covered_n, MANY);
}

int main(void)
{
    test_pieces();
    test_province();
    return CHECK_DONE();
}
