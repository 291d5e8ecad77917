#include "report.h"

#include <stddef.h>

bool report_allow(struct report *r, int64_t now_ms)
{
    if (r->second != now_ms / 1000) {
        r->second = now_ms / 1000;
        r->lines_n = 0;
    }
    if (r->lines_n == REPORT_LINES_PER_S) {
        r->dropped_n++;
        return false;
    }
    r->lines_n++;
    return true;
}

unsigned report_dropped(struct report *r, int64_t now_ms)
{
    unsigned n = r->dropped_n;

    if (n == 0 || r->second == now_ms / 1000)
        return 0;
    r->dropped_n = 0;
    return n;
}

const char *report_word(const char *text, char out[REPORT_TEXT_CAP])
{
    size_t n = 0;

    if (text == NULL || text[0] == '\0')
        text = "-";
    for (; text[n] != '\0' && n + 1 < REPORT_TEXT_CAP; n++)
        out[n] = text[n] > ' ' && text[n] < 0x7f ? text[n] : '?';
    out[n] = '\0';
    return out;
}
