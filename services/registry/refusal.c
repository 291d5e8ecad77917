#include "registry/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text that was too long is cut; not within a letter. */
static void trim(char *text, int len)
{
    size_t at = REFUSAL_TEXT_CAP - 1;

    if (len < REFUSAL_TEXT_CAP)
        return;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
        at--;
    if (at > 0 && ((unsigned char)text[at - 1] & 0x80) != 0)
        at--;
    text[at] = '\0';
}

static void fill(struct refusal *r,
                 const char *vi,
                 const char *en,
                 va_list ap,
                 va_list again)
{
    trim(r->vi, vsnprintf(r->vi, sizeof r->vi, vi, ap));
    trim(r->en, vsnprintf(r->en, sizeof r->en, en, again));
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
