/* UTF-8 as RFC 3629 has it, and lines for people. */

#include <string.h>

#include "check.h"
#include "proto/text.h"

static const struct {
    const char *name, *text;
    bool utf8, line;
} rows[] = {
    {"empty", "", true, true},
    {"Vietnamese", "Loa phường Lê Lợi – giờ phát: 5h", true, true},
    {"decomposed", "Tie\xcc\x82\xcc\x81ng", true, true},
    {"four bytes", "\xf0\x9f\x93\xa2", true, true},
    {"last of all", "\xf4\x8f\xbf\xbf", true, true},
    {"beyond it", "\xf4\x90\x80\x80", false, false},
    {"five bytes", "\xf8\x88\x80\x80\x80", false, false},
    {"a rest", "\x80", false, false},
    {"0xff", "\xff", false, false},
    {"cut", "\xe1\xba", false, false},
    {"cut by a letter",
     "\xe1\xba"
     "a",
     false, false},
    {"overlong 2", "\xc1\xbf", false, false},
    {"shortest 2", "\xc2\xa0", true, true},
    {"overlong 3", "\xe0\x9f\xbf", false, false},
    {"shortest 3", "\xe0\xa0\x80", true, true},
    {"overlong 4", "\xf0\x8f\xbf\xbf", false, false},
    {"before surrogates", "\xed\x9f\xbf", true, true},
    {"surrogate", "\xed\xa0\x80", false, false},
    {"last surrogate", "\xed\xbf\xbf", false, false},
    {"after surrogates", "\xee\x80\x80", true, true},
    {"line end", "a\nb", true, false},
    {"escape", "\x1b[2J", true, false},
    {"delete", "a\x7f", true, false},
    {"C1", "\xc2\x9b", true, false},
    {"line separator", "\xe2\x80\xa8", true, false},
    {"paragraph separator", "\xe2\x80\xa9", true, false},
};

int main(void)
{
    uint32_t code;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *s = rows[i].text;
        CHECK_INT(rows[i].name, loa_utf8_valid((const uint8_t *)s, strlen(s)),
                  rows[i].utf8);
        CHECK_INT(rows[i].name, loa_line_valid(s, 64), rows[i].line);
    }
    CHECK_INT("NUL is a character", loa_utf8_valid((const uint8_t *)"a\0b", 3),
              1);
    CHECK_INT("nothing left", loa_utf8_next((const uint8_t *)"a", 0, &code), 0);
    CHECK_INT("length",
              loa_utf8_next((const uint8_t *)"\xe1\xbb\x9d", 3, &code), 3);
    CHECK_INT("code", code, 0x1edd);
    CHECK_INT("as long as it may be", loa_line_valid("abc", 3), 1);
    CHECK_INT("too long", loa_line_valid("abcd", 3), 0);
    return CHECK_DONE();
}
