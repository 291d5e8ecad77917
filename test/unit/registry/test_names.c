/* Names: composed, folded, ranked. */

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "registry/names.h"

static void test_compose(void)
{
    static const struct {
        const char *name, *in;
        int rv;
        const char *want;
    } rows[] = {
        {"composed stays", "Tuyên Quang", LOA_OK, "Tuyên Quang"},
        {"decomposed", "Tuye\xcc\x82n Quang", LOA_OK, "Tuyên Quang"},
        {"two marks", "Phu\xcc\x81 Tho\xcc\xa3\xcc\x82", LOA_OK, "Phú Thộ"},
        {"marks in the other order", "o\xcc\x82\xcc\xa3", LOA_OK, "ộ"},
        {"horn and mark", "u\xcc\x9b\xcc\x81", LOA_OK, "ứ"},
        {"blanks", "  Hà \t", LOA_EINVAL, NULL},
        {"spaces", "  Hà   Nội ", LOA_OK, "Hà Nội"},
        {"no-break space", "Hà\xc2\xa0Nội", LOA_OK, "Hà Nội"},
        {"empty", "", LOA_OK, ""},
        {"only spaces", "   ", LOA_OK, ""},
        {"new line", "Hà\nNội", LOA_EINVAL, NULL},
        {"byte order mark", "\xef\xbb\xbfHà", LOA_EINVAL, NULL},
        {"right-to-left override", "\xe2\x80\xaeHà", LOA_EINVAL, NULL},
        {"overlong", "\xc0\xafHà", LOA_EINVAL, NULL},
        {"surrogate", "\xed\xa0\x80", LOA_EINVAL, NULL},
        {"cut letter", "T\xe1\xbb", LOA_EINVAL, NULL},
        {"latin-1", "T\xeang", LOA_EINVAL, NULL},
        {"hyphen and apostrophe", "Xã Ea H'leo - B", LOA_OK, "Xã Ea H'leo - B"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[NAME_CAP] = "unset";
        int rv = name_compose(rows[i].in, strlen(rows[i].in), got, sizeof got);

        CHECK_INT(rows[i].name, rv, rows[i].rv);
        if (rv == LOA_OK && rows[i].want != NULL)
            CHECK_INT(rows[i].name, strcmp(got, rows[i].want), 0);
    }
}

static void test_compose_length(void)
{
    char in[6 * NAME_CAP], got[NAME_CAP];

    memset(in, 'a', sizeof in);
    CHECK_INT("fits", name_compose(in, NAME_CAP - 1, got, NAME_CAP), LOA_OK);
    CHECK_INT("fits", strlen(got), NAME_CAP - 1);
    CHECK_INT("long", name_compose(in, NAME_CAP, got, NAME_CAP), LOA_ENOSPC);
    CHECK_INT("very long", name_compose(in, sizeof in, got, NAME_CAP),
              LOA_ENOSPC);
    for (size_t i = 0; i < 600; i += 3)
        memcpy(in + i, "\xe1\xbe\x82", 3);
    CHECK_INT("four characters each", name_compose(in, 600, got, NAME_CAP),
              LOA_ENOSPC);
    CHECK_INT("NUL", name_compose("a\0b", 3, got, NAME_CAP), LOA_EINVAL);
}

/* Every letter of Vietnamese that is not plain ASCII, behind the letter it
 * folds to. */
static const struct {
    const char *base, *letters;
} alphabet[] = {
    {"a", "à á ả ã ạ ă ằ ắ ẳ ẵ ặ â ầ ấ ẩ ẫ ậ"},
    {"a", "À Á Ả Ã Ạ Ă Ằ Ắ Ẳ Ẵ Ặ Â Ầ Ấ Ẩ Ẫ Ậ"},
    {"e", "è é ẻ ẽ ẹ ê ề ế ể ễ ệ"},
    {"e", "È É Ẻ Ẽ Ẹ Ê Ề Ế Ể Ễ Ệ"},
    {"i", "ì í ỉ ĩ ị"},
    {"i", "Ì Í Ỉ Ĩ Ị"},
    {"o", "ò ó ỏ õ ọ ô ồ ố ổ ỗ ộ ơ ờ ớ ở ỡ ợ"},
    {"o", "Ò Ó Ỏ Õ Ọ Ô Ồ Ố Ổ Ỗ Ộ Ơ Ờ Ớ Ở Ỡ Ợ"},
    {"u", "ù ú ủ ũ ụ ư ừ ứ ử ữ ự"},
    {"u", "Ù Ú Ủ Ũ Ụ Ư Ừ Ứ Ử Ữ Ự"},
    {"y", "ỳ ý ỷ ỹ ỵ"},
    {"y", "Ỳ Ý Ỷ Ỹ Ỵ"},
    {"d", "đ"},
    {"d", "Đ"},
};

static void test_fold_alphabet(void)
{
    int letters_n = 0;

    for (size_t i = 0; i < sizeof alphabet / sizeof alphabet[0]; i++) {
        const char *at = alphabet[i].letters;

        while (*at != '\0') {
            size_t len = strcspn(at, " ");
            char got[NAME_FOLDED_CAP], whole[NAME_CAP];

            CHECK_INT(at, name_fold(at, len, got, sizeof got), LOA_OK);
            CHECK_INT(at, strcmp(got, alphabet[i].base), 0);
            /* The letter is its own composed form: the table is NFC. */
            CHECK_INT(at, name_compose(at, len, whole, sizeof whole), LOA_OK);
            CHECK_INT(at, strncmp(whole, at, len), 0);
            letters_n++;
            at += len + strspn(at + len, " ");
        }
    }
    CHECK_INT("all letters", letters_n, 2 * 67);
}

static void test_fold(void)
{
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"composed", "Tỉnh Tuyên Quang", "tinh tuyen quang"},
        {"decomposed", "Ti\xcc\x89nh Tuye\xcc\x82n Quang", "tinh tuyen quang"},
        {"upper", "ĐẮK LẮK", "dak lak"},
        {"plain", "dak lak", "dak lak"},
        {"hyphen", "Bà Rịa - Vũng Tàu", "ba ria - vung tau"},
        {"apostrophe", "Huyện M'Đrắk", "huyen m'drak"},
        {"spaces", " Hà  Nội ", "ha noi"},
        {"marks alone", "\xcc\x89", ""},
        {"sharp s grows", "ß", "ss"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[NAME_FOLDED_CAP];

        CHECK_INT(rows[i].name,
                  name_fold(rows[i].in, strlen(rows[i].in), got, sizeof got),
                  LOA_OK);
        CHECK_INT(rows[i].name, strcmp(got, rows[i].want), 0);
    }
}

static void test_rank(void)
{
    static const struct {
        const char *query, *name;
        unsigned want;
    } rows[] = {
        {"Tỉnh Tuyên Quang", "Tỉnh Tuyên Quang", NAME_EXACT},
        {"Tuyên Quang", "Tỉnh Tuyên Quang", NAME_EXACT},
        {"Tuye\xcc\x82n Quang", "Tỉnh Tuyên Quang", NAME_EXACT},
        {"tuyen quang", "Tỉnh Tuyên Quang", NAME_EXACT + 1},
        {"TUYEN QUANG", "Thành phố Tuyên Quang", NAME_EXACT + 1},
        {"hà nam", "Tỉnh Hà Nam", NAME_EXACT},
        {"hạ nam", "Tỉnh Hà Nam", NAME_EXACT + 1},
        {"tuyen", "Tỉnh Tuyên Quang", NAME_PREFIX + 1},
        {"tinh tu", "Tỉnh Tuyên Quang", NAME_PREFIX + 1},
        {"quang", "Tỉnh Tuyên Quang", NAME_WORD},
        {"đắk", "Huyện M'Đrắk", NAME_NO_MATCH},
        {"drak", "Huyện M'Đrắk", NAME_WORD + 1},
        {"yen", "Tỉnh Tuyên Quang", NAME_INSIDE + 1},
        {"ang", "Tỉnh Tuyên Quang", NAME_INSIDE},
        {"ha noi", "Tỉnh Tuyên Quang", NAME_NO_MATCH},
        {"xa", "Xã Xa Lung", NAME_PREFIX},
        {"phuong 1", "Phường 1", NAME_EXACT + 1},
        {"1", "Phường 1", NAME_EXACT},
        {"1", "Phường 11", NAME_PREFIX},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct name_query q;
        char folded[NAME_FOLDED_CAP], row[160];
        const char *name = rows[i].name;

        snprintf(row, sizeof row, "%s in %s", rows[i].query, name);
        CHECK_INT(row, name_query(&q, rows[i].query), LOA_OK);
        CHECK_INT(row, name_fold(name, strlen(name), folded, sizeof folded),
                  LOA_OK);
        CHECK_INT(row, name_rank(&q, name, folded), rows[i].want);
    }
}

int main(void)
{
    test_compose();
    test_compose_length();
    test_fold_alphabet();
    test_fold();
    test_rank();
    return CHECK_DONE();
}
