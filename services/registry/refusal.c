#include "registry/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

/* What was asked may stand in a sentence: whatever is no text for people there,
 * and a letter that was cut at the end, becomes a question mark. */
static void clean(char *text)
{
    size_t len = strlen(text), n;
    uint32_t c;

    for (size_t i = 0; i < len; i += n) {
        n = loa_utf8_next((const uint8_t *)text + i, len - i, &c);
        if (n == 0 || c < ' ' || c == 0x7f) {
            n = 1;
            text[i] = '?';
        }
    }
}

static void fill(struct refusal *r,
                 const char *vi,
                 const char *en,
                 va_list ap,
                 va_list again)
{
    vsnprintf(r->vi, sizeof r->vi, vi, ap);
    vsnprintf(r->en, sizeof r->en, en, again);
    clean(r->vi);
    clean(r->en);
}

int refuse(struct refusal *r,
           enum refusal_code code,
           const char *vi,
           const char *en,
           ...)
{
    va_list ap, again;

    r->code = code;
    r->line = 0;
    va_start(ap, en);
    va_copy(again, ap);
    fill(r, vi, en, ap, again);
    va_end(again);
    va_end(ap);
    return LOA_EINVAL;
}

int refuse_line(struct refusal *r,
                enum refusal_code code,
                uint32_t line,
                const char *vi,
                const char *en,
                ...)
{
    va_list ap, again;

    r->code = code;
    r->line = line;
    va_start(ap, en);
    va_copy(again, ap);
    fill(r, vi, en, ap, again);
    va_end(again);
    va_end(ap);
    return LOA_EINVAL;
}
