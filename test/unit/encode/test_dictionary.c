/* Abbreviations are replaced where they are words, and nowhere else. */

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "encode/dictionary.h"
#include "encode/text.h"

static const char file[] =
    "# comment\n"
    "\n"
    "UBND\tUỷ ban nhân dân\n"
    "UB\tUỷ ban\n"
    "TP\tthành phố\n"
    "TP.\tthành phố\n"
    "TP.HCM\tthành phố Hồ Chí Minh\n"
    " ĐT \t điện thoại \n"
    "đ\tđồng\n"
    "h\tgiờ\n"
    "km\tki lô mét\n"
    "m2\tmét vuông\n"
    "đ/c\tđồng chí\n"
    "QĐ\tquyết định\n"
    "°C\tđộ xê\n"
    "X\tUBND\n";

static const struct {
    const char *name, *text, *want;
} rows[] = {
    {"alone", "UBND", "Uỷ ban nhân dân"},
    {"in a sentence", "tại UBND xã.", "tại Uỷ ban nhân dân xã."},
    {"in brackets", "(UBND)", "(Uỷ ban nhân dân)"},
    {"twice", "UBND, UBND", "Uỷ ban nhân dân, Uỷ ban nhân dân"},
    {"letter before", "XUBND", "XUBND"},
    {"letter behind", "UBNDX", "UBNDX"},
    {"other case", "ubnd Ubnd", "ubnd Ubnd"},
    {"longest first", "UB và UBND", "Uỷ ban và Uỷ ban nhân dân"},
    {"dot belongs to it", "TP. Huế", "thành phố Huế"},
    {"letter behind the dot", "TP.Huế", "thành phố Huế"},
    {"longest with dot", "TP.HCM", "thành phố Hồ Chí Minh"},
    {"not the longest", "TP.HCMC", "thành phố HCMC"},
    {"letter with marks behind", "ĐTỔ", "ĐTỔ"},
    {"letter with marks before", "ỒĐT", "ỒĐT"},
    {"first letter of a word", "đồng đ", "đồng đồng"},
    {"behind a number", "50.000đ", "50.000 đồng"},
    {"between numbers", "8h30", "8 giờ 30"},
    {"unit", "5km", "5 ki lô mét"},
    {"digit in it", "20m2 đất", "20 mét vuông đất"},
    {"another digit behind", "m25", "m25"},
    {"slash in it", "đ/c Lan", "đồng chí Lan"},
    {"hyphen beside", "15/QĐ-UBND", "15/quyết định-Uỷ ban nhân dân"},
    {"symbol", "35°C", "35 độ xê"},
    {"not looked at again", "X", "UBND"},
    {"lines stay", "UB\n\nUB", "Uỷ ban\n\nUỷ ban"},
    {"nothing", "", ""},
    {"decomposed", "D\xcc\x88\x41 \xc4\x90T, Q\xc4\x90",
     "D\xcc\x88\x41 điện thoại, quyết định"},
    {"decomposed letter behind", "\xc4\x90TO\xcc\x82\xcc\x89", "ĐTỔ"},
    {"mark on its last letter", "\xc4\x90T\xcc\xa3", "ĐṬ"},
};

static char *normal(const char *text, size_t *len)
{
    char *out = NULL;

    CHECK_INT(text, text_normalise(text, strlen(text), &out, len), LOA_OK);
    return out;
}

static void test_replacing(struct dictionary *d)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[256];
        size_t len, want_len, out_len = 0;
        char *text = normal(rows[i].text, &len);
        char *want = normal(rows[i].want, &want_len);

        CHECK_INT(rows[i].name,
                  dictionary_apply(d, text, len, out, sizeof out, &out_len),
                  LOA_OK);
        CHECK_INT(out, strcmp(out, want), 0);
        CHECK_INT(rows[i].name, out_len, want_len);
        free(text);
        free(want);
    }
}

static void test_room(struct dictionary *d)
{
    char out[64];
    size_t len, want = strlen("Uỷ ban nhân dân");

    CHECK_INT("fits", dictionary_apply(d, "UBND", 4, out, want + 1, &len),
              LOA_OK);
    CHECK_INT("does not fit", dictionary_apply(d, "UBND", 4, out, want, &len),
              LOA_ENOSPC);
    CHECK_INT("no room at all", dictionary_apply(d, "", 0, out, 0, &len),
              LOA_ENOSPC);
}

static const struct {
    const char *name, *text;
    int rv;
    unsigned line;
} files[] = {
    {"empty", "", LOA_OK, 1},
    {"last line without end", "A\tb", LOA_OK, 2},
    {"comment and blanks", "#\n \t \nA\tb\n", LOA_OK, 4},
    {"no tab", "A\tb\nUBND Uỷ ban\n", LOA_EINVAL, 2},
    {"no abbreviation", "\tb\n", LOA_EINVAL, 1},
    {"nothing to say", "A\tb\nB\t \n", LOA_EINVAL, 2},
    {"two tabs", "A\tb\tc\n", LOA_EINVAL, 1},
    {"the same again", "A\tb\nB\tc\nA\td\n", LOA_EINVAL, 3},
};

static void test_files(struct dictionary *d)
{
    static char many[(DICTIONARY_ENTRIES_MAX + 1) * 16];
    unsigned line;
    size_t at = 0;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        CHECK_INT(
            files[i].name,
            dictionary_parse(d, files[i].text, strlen(files[i].text), &line),
            files[i].rv);
        CHECK_INT(files[i].name, line, files[i].line);
    }
    for (unsigned i = 0; i <= DICTIONARY_ENTRIES_MAX; i++)
        at += (size_t)snprintf(many + at, sizeof many - at, "A%u\tb\n", i);
    CHECK_INT("full", dictionary_parse(d, many, at, &line), LOA_ENOSPC);
    CHECK_INT("full", line, DICTIONARY_ENTRIES_MAX + 1);
}

int main(void)
{
    static struct dictionary d;
    unsigned line;
    size_t len;
    char *text = normal(file, &len);

    CHECK_INT("file", dictionary_parse(&d, text, len, &line), LOA_OK);
    CHECK_INT("file", d.n, 14);
    test_replacing(&d);
    test_room(&d);
    free(text);
    test_files(&d);
    return CHECK_DONE();
}
