#include "proto/io/utf8.h"

#include <stdint.h>

/* Lead byte -> length, and the range the second byte must be in: it alone rules
 * out overlong forms, surrogates and what is beyond U+10FFFF. */
static size_t lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
    *lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    *hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef)
        return 3;
    if (c >= 0xf0 && c <= 0xf4)
        return 4;
    return 0;
}

size_t utf8_next(const char *s, size_t len)
{
    unsigned char lo, hi;
    size_t n;

    if (len == 0)
        return 0;
    n = lead((unsigned char)s[0], &lo, &hi);
    if (n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < lo || c > hi)
            return 0;
        lo = 0x80;
        hi = 0xbf;
    }
    return n;
}

bool utf8_valid(const char *s, size_t len)
{
    while (len > 0) {
        size_t n = utf8_next(s, len);
        if (n == 0)
            return false;
        s += n;
        len -= n;
    }
    return true;
}
