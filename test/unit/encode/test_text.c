/* Text as people paste it becomes text that a voice can read. */

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "encode/text.h"

static const struct {
    const char *name, *text;
    size_t len; /* 0: to its NUL. */
    int rv;
    size_t at;
} utf8[] = {
    {"Vietnamese", "Xã Mỹ Đức", 0, LOA_OK, 0},
    {"lone byte", "a\x80", 0, LOA_EINVAL, 1},
    {"Windows-1258", "X\xe3 M", 0, LOA_EINVAL, 1},
    {"cut off", "Đ\xe1\xbb", 0, LOA_EINVAL, 2},
    {"overlong", "\xc0\xaf", 0, LOA_EINVAL, 0},
    {"surrogate", "ab\xed\xa0\x80", 0, LOA_EINVAL, 2},
    {"beyond Unicode", "\xf4\x90\x80\x80", 0, LOA_EINVAL, 0},
    {"NUL", "a\0b", 3, LOA_EINVAL, 1},
};

static void test_utf8(void)
{
    for (size_t i = 0; i < sizeof utf8 / sizeof utf8[0]; i++) {
        size_t len = utf8[i].len > 0 ? utf8[i].len : strlen(utf8[i].text);
        size_t at = 0;

        CHECK_INT(utf8[i].name, text_check_utf8(utf8[i].text, len, &at),
                  utf8[i].rv);
        CHECK_INT(utf8[i].name, at, utf8[i].at);
    }
}

/* After normalising and laying out; | is a new line. */
static const struct {
    const char *name, *text, *want;
} layouts[] = {
    {"as it is", "Xin chào bà con.", "Xin chào bà con."},
    {"byte order mark", "\xef\xbb\xbfXin chào", "Xin chào"},
    {"decomposed", "U\xcc\x89y ba\xcc\x81n", "\xe1\xbb\xa6y b\xc3\xa1n"},
    {"hard-wrapped", "mời bà con\nđến họp", "mời bà con đến họp"},
    {"a title", "THÔNG BÁO\nVề việc họp dân", "THÔNG BÁO|Về việc họp dân"},
    {"decomposed capital", "THÔNG BÁO\nA\xcc\x81o mưa", "THÔNG BÁO|Áo mưa"},
    {"bullets", "gồm:\n- gạo\n+ mì\n• nước", "gồm:|- gạo|+ mì|• nước"},
    {"numbers", "gồm:\n1. gạo", "gồm:|1. gạo"},
    {"paragraph", "một.\n\nhai.", "một.||hai."},
    {"blank line with spaces", "một.\n \t \n\n\nhai.", "một.||hai."},
    {"Windows", "MỘT\r\nHAI\r\n\r\nBA", "MỘT|HAI||BA"},
    {"old Macintosh", "MỘT\rHAI", "MỘT|HAI"},
    {"line separator", "MỘT\xe2\x80\xa8HAI", "MỘT|HAI"},
    {"spaces around", "  \n một   hai \n\n ", "một hai"},
    {"no-break space", "một\xc2\xa0hai", "một hai"},
    {"control characters", "một\x01\x1b[2Jhai", "một [2Jhai"},
    {"only space", " \n\t\r\n ", ""},
};

static void test_layout(void)
{
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        char *text = NULL;
        size_t len;

        CHECK_INT(layouts[i].name,
                  text_normalise(layouts[i].text, strlen(layouts[i].text),
                                 &text, &len),
                  LOA_OK);
        len = text_lay_out(text, len);
        CHECK_INT(layouts[i].name, len, strlen(text));
        for (size_t k = 0; k < len; k++)
            if (text[k] == '\n')
                text[k] = '|';
        CHECK_INT(text, strcmp(text, layouts[i].want), 0);
        free(text);
    }
}

static void test_speakable(void)
{
    CHECK_INT("letter", text_speakable("...ạ", 6), 1);
    CHECK_INT("digit", text_speakable("- 7 -", 5), 1);
    CHECK_INT("punctuation", text_speakable("... !? —", 9), 0);
    CHECK_INT("nothing", text_speakable("", 0), 0);
}

static void test_pieces(void)
{
    char text[] = "một\nhai\n\nba";
    size_t at = 0, len = strlen(text);
    const char *piece;
    unsigned pause_ms;

    CHECK_INT("1", text_next(text, len, &at, &piece, &pause_ms), 1);
    CHECK_INT("1", strcmp(piece, "một"), 0);
    CHECK_INT("1", pause_ms, TEXT_PAUSE_LINE_MS);
    CHECK_INT("2", text_next(text, len, &at, &piece, &pause_ms), 1);
    CHECK_INT("2", strcmp(piece, "hai"), 0);
    CHECK_INT("2", pause_ms, TEXT_PAUSE_PARAGRAPH_MS);
    CHECK_INT("3", text_next(text, len, &at, &piece, &pause_ms), 1);
    CHECK_INT("3", strcmp(piece, "ba"), 0);
    CHECK_INT("3", pause_ms, 0);
    CHECK_INT("end", text_next(text, len, &at, &piece, &pause_ms), 0);
}

static void test_classes(void)
{
    const char text[] = "aỔ9-";

    CHECK_INT("a", text_class_at(text, 6, 0), TEXT_LETTER);
    CHECK_INT("Ổ", text_class_at(text, 6, 1), TEXT_LETTER);
    CHECK_INT("before 9", text_class_before(text, 4), TEXT_LETTER);
    CHECK_INT("9", text_class_at(text, 6, 4), TEXT_DIGIT);
    CHECK_INT("-", text_class_at(text, 6, 5), TEXT_OTHER);
    CHECK_INT("start", text_class_before(text, 0), TEXT_OTHER);
    CHECK_INT("end", text_class_at(text, 6, 6), TEXT_OTHER);
    CHECK_INT("mark", text_class(0x0301), TEXT_LETTER);
}

int main(void)
{
    test_utf8();
    test_layout();
    test_speakable();
    test_pieces();
    test_classes();
    return CHECK_DONE();
}
