#include "proto/text.h"

#include <string.h>

/* The first byte says how many follow and where the range of its length
 * begins; a code below that is an overlong form. */
static size_t lead(uint8_t b, uint32_t *code, uint32_t *least)
{
    if (b < 0x80) {
        *code = b;
        *least = 0;
        return 1;
    }
    if ((b & 0xe0) == 0xc0) {
        *code = b & 0x1f;
        *least = 0x80;
        return 2;
    }
    if ((b & 0xf0) == 0xe0) {
        *code = b & 0x0f;
        *least = 0x800;
        return 3;
    }
    if ((b & 0xf8) == 0xf0) {
        *code = b & 0x07;
        *least = 0x10000;
        return 4;
    }
    return 0;
}

size_t loa_utf8_next(const uint8_t *s, size_t left, uint32_t *code)
{
    uint32_t c, least;
    size_t n;

    if (left == 0)
        return 0;
    n = lead(s[0], &c, &least);
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    if (code != NULL)
        *code = c;
    return n;
}

bool loa_utf8_valid(const uint8_t *s, size_t len)
{
    while (len > 0) {
        size_t n = loa_utf8_next(s, len, NULL);
        if (n == 0)
            return false;
        s += n;
        len -= n;
    }
    return true;
}

/* C0, DEL, C1, and the line and paragraph separators. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

bool loa_line_valid(const char *s, size_t len_max)
{
    size_t len = strnlen(s, len_max + 1);

    if (len > len_max)
        return false;
    while (len > 0) {
        uint32_t c;
        size_t n = loa_utf8_next((const uint8_t *)s, len, &c);
        if (n == 0 || is_control(c))
            return false;
        s += n;
        len -= n;
    }
    return true;
}
