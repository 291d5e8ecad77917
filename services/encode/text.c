#include "encode/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "proto/text.h"

static size_t decode(const char *text, size_t len, int32_t *codepoint)
{
    uint32_t c = 0;
    size_t n = loa_utf8_next((const uint8_t *)text, len, &c);

    *codepoint = (int32_t)c;
    return n;
}

enum text_class text_class(int32_t codepoint)
{
    switch (utf8proc_category(codepoint)) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME:
            return TEXT_LETTER;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO:
            return TEXT_DIGIT;
        default:
            return TEXT_OTHER;
    }
}

enum text_class text_class_at(const char *text, size_t len, size_t at)
{
    int32_t c;

    if (at >= len || decode(text + at, len - at, &c) == 0)
        return TEXT_OTHER;
    return text_class(c);
}

enum text_class text_class_before(const char *text, size_t at)
{
    size_t start = at;

    if (at == 0)
        return TEXT_OTHER;
    do
        start--;
    while (start > 0 && (text[start] & 0xc0) == 0x80);
    return text_class_at(text, at, start);
}

int text_check_utf8(const char *bytes, size_t len, size_t *at)
{
    size_t i = 0;

    while (i < len) {
        int32_t c;
        size_t n = decode(bytes + i, len - i, &c);

        if (n == 0 || c == 0) {
            *at = i;
            return LOA_EINVAL;
        }
        i += n;
    }
    return LOA_OK;
}

/* Controls become spaces, so that words stay apart; line ends of all systems
 * and of Unicode become newlines. */
static utf8proc_int32_t plain(utf8proc_int32_t c, void *data)
{
    (void)data;
    if (c == '\n' || c == '\t')
        return c;
    if (c == 0x85 || c == 0x2028 || c == 0x0b || c == 0x0c)
        return '\n';
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xa0)
        return ' ';
    return c;
}

/* CR LF and CR to LF, before anything else can tear the pair apart. */
static size_t unify_newlines(char *text, size_t len)
{
    size_t to = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r') {
            text[to++] = '\n';
            if (i + 1 < len && text[i + 1] == '\n')
                i++;
        } else {
            text[to++] = text[i];
        }
    }
    return to;
}

int text_normalise(const char *bytes, size_t len, char **out, size_t *out_len)
{
    static const char bom[] = "\xef\xbb\xbf";
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n;
    char *copy;

    if (len >= 3 && memcmp(bytes, bom, 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    copy = malloc(len + 1);
    if (copy == NULL)
        return LOA_ENOMEM;
    memcpy(copy, bytes, len);
    len = unify_newlines(copy, len);
    n = utf8proc_map_custom((utf8proc_uint8_t *)copy, (utf8proc_ssize_t)len,
                            &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE,
                            plain, NULL);
    free(copy);
    if (n < 0)
        return n == UTF8PROC_ERROR_NOMEM ? LOA_ENOMEM : LOA_EINVAL;
    *out = (char *)composed;
    *out_len = (size_t)n;
    return LOA_OK;
}

static bool begins_anew(const char *text, size_t len)
{
    int32_t c;

    if (decode(text, len, &c) == 0)
        return false;
    switch (utf8proc_category(c)) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_PD: /* Dashes as bullets. */
        case UTF8PROC_CATEGORY_PO:
        case UTF8PROC_CATEGORY_SM: /* Plus signs as bullets. */
        case UTF8PROC_CATEGORY_SO:
            return true;
        default:
            return false;
    }
}

size_t text_lay_out(char *text, size_t len)
{
    size_t to = 0, i = 0;

    while (i < len) {
        size_t newlines = 0, from = i;

        while (i < len && strchr(" \t\n", text[i]) != NULL)
            newlines += text[i++] == '\n';
        if (i == len)
            break;
        if (to > 0 && newlines >= 2) {
            text[to++] = '\n';
            text[to++] = '\n';
        } else if (to > 0 && newlines == 1) {
            text[to++] = begins_anew(text + i, len - i) ? '\n' : ' ';
        } else if (to > 0 && i > from) {
            text[to++] = ' ';
        }
        while (i < len && strchr(" \t\n", text[i]) == NULL)
            text[to++] = text[i++];
    }
    text[to] = '\0';
    return to;
}

bool text_speakable(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        int32_t c;
        size_t n = decode(text + i, len - i, &c);

        if (n == 0)
            return false;
        if (text_class(c) != TEXT_OTHER)
            return true;
        i += n;
    }
    return false;
}

bool text_next(char *text,
               size_t len,
               size_t *at,
               const char **piece,
               unsigned *pause_ms)
{
    char *end;

    if (*at >= len)
        return false;
    *piece = text + *at;
    *pause_ms = 0;
    end = memchr(*piece, '\n', len - *at);
    if (end == NULL) {
        *at = len;
        return true;
    }
    *at = (size_t)(end - text) + 1;
    *pause_ms = TEXT_PAUSE_LINE_MS;
    if (*at < len && text[*at] == '\n') {
        ++*at;
        *pause_ms = TEXT_PAUSE_PARAGRAPH_MS;
    }
    *end = '\0';
    return true;
}
