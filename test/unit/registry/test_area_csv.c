/* CSV files, whole and cut anywhere. */

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "registry/area_csv.h"

static struct area_csv_row rows[AREA_CSV_ROWS_MAX];
static struct area_csv csv;

#define HEADER "code,parent,tier,name\n"

/* Feed text in pieces of `piece` bytes. */
static int read_csv(const char *text,
                    size_t len,
                    size_t piece,
                    struct refusal *why)
{
    int rv = LOA_OK;

    area_csv_begin(&csv, rows);
    for (size_t at = 0; rv == LOA_OK && at < len; at += piece)
        rv = area_csv_feed(&csv, text + at, len - at < piece ? len - at : piece,
                           why);
    return rv == LOA_OK ? area_csv_end(&csv, why) : rv;
}

static void test_good(void)
{
    static const struct {
        const char *name, *text;
        size_t rows_n;
        uint32_t last_line;
        const char *code, *parent;
        enum area_tier tier;
        const char *last_name;
    } cases[] = {
        {"one", HEADER "vn,,central,Việt Nam\n", 1, 2, "vn", "", AREA_CENTRAL,
         "Việt Nam"},
        {"no last line end", HEADER "vn,,central,Việt Nam", 1, 2, "vn", "",
         AREA_CENTRAL, "Việt Nam"},
        {"CRLF",
         "code,parent,tier,name\r\nvn,,central,Việt Nam\r\n"
         "08,vn,province,Tỉnh Tuyên Quang\r\n",
         2, 3, "08", "vn", AREA_PROVINCE, "Tỉnh Tuyên Quang"},
        {"byte order mark", "\xef\xbb\xbf" HEADER "vn,,central,Việt Nam\n", 1,
         2, "vn", "", AREA_CENTRAL, "Việt Nam"},
        {"blank lines", HEADER "\n\nvn,,central,Việt Nam\n\n", 1, 4, "vn", "",
         AREA_CENTRAL, "Việt Nam"},
        {"quoted", HEADER "\"vn\",\"\",\"central\",\"Việt, \"\"Nam\"\"\"\n", 1,
         2, "vn", "", AREA_CENTRAL, "Việt, \"Nam\""},
        {"decomposed name", HEADER "vn,,central,Vie\xcc\xa3\xcc\x82t Nam\n", 1,
         2, "vn", "", AREA_CENTRAL, "Việt Nam"},
        {"hamlet", HEADER "1,02215,hamlet,Thôn 1\n", 1, 2, "1", "02215",
         AREA_HAMLET, "Thôn 1"},
        {"closed without a name", HEADER "1,,closed,\n", 1, 2, "1", "",
         AREA_CLOSED, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].text);

        for (size_t piece = 1; piece <= len; piece++) {
            struct refusal why;
            const char *n = cases[i].name;

            CHECK_INT(n, read_csv(cases[i].text, len, piece, &why), LOA_OK);
            CHECK_INT(n, csv.rows_n, cases[i].rows_n);
            if (csv.rows_n == 0)
                continue;
            CHECK_INT(n, rows[csv.rows_n - 1].line, cases[i].last_line);
            CHECK_INT(n, strcmp(rows[csv.rows_n - 1].code, cases[i].code), 0);
            CHECK_INT(n, strcmp(rows[csv.rows_n - 1].parent, cases[i].parent),
                      0);
            CHECK_INT(n, rows[csv.rows_n - 1].tier, cases[i].tier);
            CHECK_INT(n, strcmp(rows[csv.rows_n - 1].name, cases[i].last_name),
                      0);
        }
    }
}

static void test_bad(void)
{
    static const struct {
        const char *name, *text;
        uint32_t line;
    } cases[] = {
        {"empty", "", 0},
        {"header only", HEADER, 0},
        {"no header", "vn,,central,Việt Nam\n", 1},
        {"other header", "code,tier,parent,name\nvn,,central,V\n", 1},
        {"long header", "code,parent,tier,name,x\nvn,,central,V\n", 1},
        {"short header", "code,parent,tier\nvn,,central,V\n", 1},
        {"no code", HEADER ",,central,Việt Nam\n", 2},
        {"code with a slash", HEADER "v/n,,central,Việt Nam\n", 2},
        {"code with a letter beyond ASCII", HEADER "Đ1,,central,V\n", 2},
        {"long code", HEADER "12345678901234567,,central,V\n", 2},
        {"code that is not text", HEADER "\xff\xfe,,central,V\n", 2},
        {"bad parent", HEADER "vn,,central,V\n1,a b,province,T\n", 3},
        {"bad tier", HEADER "vn,,country,Việt Nam\n", 2},
        {"no tier", HEADER "vn,,,Việt Nam\n", 2},
        {"no name", HEADER "vn,,central,\n", 2},
        {"name of spaces", HEADER "vn,,central,\"  \"\n", 2},
        {"long name",
         HEADER "vn,,central,0123456789012345678901234567890123456789012345678"
                "9012345678901234567890123456789012345678901234567890123456789"
                "01234567890123456789\n",
         2},
        {"three columns", HEADER "vn,,central\n", 2},
        {"five columns", HEADER "vn,,central,V,x\n", 2},
        {"latin-1", HEADER "vn,,central,Vi\xeat Nam\n", 2},
        {"UTF-16", "c\0o\0", 1},
        {"quote inside", HEADER "vn,,central,Vi\"et\n", 2},
        {"text after a quote", HEADER "vn,,central,\"Viet\"x\n", 2},
        {"open quote", HEADER "vn,,central,\"Viet\n1,vn,province,T\n", 2},
        {"line break in a name", HEADER "vn,,central,\"Viet\nNam\"\n", 2},
        {"behind a line break", HEADER "\"v\nn\",,central,V\n", 2},
        {"tab in a name", HEADER "vn,,central,\"a\tb\"\n", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].text);

        if (strcmp(cases[i].name, "UTF-16") == 0)
            len = 4;
        for (size_t piece = 1; piece <= len + 1; piece++) {
            struct refusal why = {0};

            CHECK_INT(cases[i].name, read_csv(cases[i].text, len, piece, &why),
                      LOA_EINVAL);
            CHECK_INT(cases[i].name, why.code, REFUSAL_INVALID);
            CHECK_INT(cases[i].name, why.line, cases[i].line);
            CHECK_INT(cases[i].name, why.vi[0] != '\0', 1);
            CHECK_INT(cases[i].name, why.en[strlen(why.en) - 1], '.');
        }
    }
}

static void test_limits(void)
{
    static char text[AREA_CSV_FIELD_MAX + 200];
    struct refusal why;
    char row[40];
    int rv;

    memcpy(text, HEADER, strlen(HEADER));
    memset(text + strlen(HEADER), 'x', AREA_CSV_FIELD_MAX + 1);
    CHECK_INT("long field", read_csv(text, strlen(text), 7, &why), LOA_EINVAL);
    CHECK_INT("long field", why.line, 2);

    area_csv_begin(&csv, rows);
    rv = area_csv_feed(&csv, HEADER, strlen(HEADER), &why);
    for (unsigned i = 0; i < AREA_CSV_ROWS_MAX && rv == LOA_OK; i++) {
        int len = snprintf(row, sizeof row, "%u,vn,hamlet,T\n", i);
        rv = area_csv_feed(&csv, row, (size_t)len, &why);
    }
    CHECK_INT("as many as fit", rv, LOA_OK);
    CHECK_INT("one more", area_csv_feed(&csv, "x,vn,hamlet,T\n", 14, &why),
              LOA_EINVAL);
    CHECK_INT("one more", why.code, REFUSAL_TOO_LARGE);
    CHECK_INT("one more", why.line, AREA_CSV_ROWS_MAX + 2);
}

int main(void)
{
    test_good();
    test_bad();
    test_limits();
    return CHECK_DONE();
}
