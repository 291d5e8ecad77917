#include "registry/names.h"

#include <assert.h>
#include <string.h>
#include <utf8proc.h>

/* Characters that a name may have before it is written as bytes; decomposed
 * Vietnamese letters take up to three. */
#define POINTS_MAX (3 * NAME_FOLDED_CAP)

#define D_STROKE 0x111

static bool unseen(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CS:
        case UTF8PROC_CATEGORY_CO:
        case UTF8PROC_CATEGORY_CN:
        case UTF8PROC_CATEGORY_ZL:
        case UTF8PROC_CATEGORY_ZP:
            return true;
        default:
            return false;
    }
}

/* Blanks at the ends go, runs of blanks become one space. */
static size_t squeeze(utf8proc_int32_t *points, size_t n)
{
    size_t to = 0;
    bool gap = false;

    for (size_t i = 0; i < n; i++) {
        if (utf8proc_category(points[i]) == UTF8PROC_CATEGORY_ZS) {
            gap = to > 0;
            continue;
        }
        if (gap)
            points[to++] = ' ';
        gap = false;
        points[to++] = points[i];
    }
    return to;
}

/* Decompose s by the options, look at each character, and write it again.
 * UTF8PROC_COMPOSE decides whether the letters come out whole. */
static int rewrite(const char *s,
                   size_t len,
                   utf8proc_option_t options,
                   char *out,
                   size_t cap)
{
    utf8proc_int32_t points[POINTS_MAX + 1];
    utf8proc_ssize_t n;

    if (len > POINTS_MAX)
        return LOA_ENOSPC;
    n = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len,
                           points, POINTS_MAX, options);
    if (n < 0)
        return LOA_EINVAL;
    if (n > POINTS_MAX)
        return LOA_ENOSPC;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        if (unseen(points[i]))
            return LOA_EINVAL;
        if (points[i] == D_STROKE && (options & UTF8PROC_STRIPMARK) != 0)
            points[i] = 'd';
    }
    n = (utf8proc_ssize_t)squeeze(points, (size_t)n);
    n = utf8proc_reencode(points, n, options);
    assert(n >= 0); /* What was decomposed is made of characters. */
    if ((size_t)n >= cap)
        return LOA_ENOSPC;
    memcpy(out, points, (size_t)n);
    out[n] = '\0';
    return LOA_OK;
}

int name_compose(const char *s, size_t len, char *out, size_t cap)
{
    return rewrite(s, len, UTF8PROC_STABLE | UTF8PROC_COMPOSE, out, cap);
}

int name_fold(const char *s, size_t len, char *out, size_t cap)
{
    /* Composed again, so that what is no diacritic (Hangul) stays short. */
    return rewrite(s, len,
                   UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD |
                       UTF8PROC_STRIPMARK,
                   out, cap);
}

/* Lower case, diacritics kept, composed: what tells "Hà" from "Hạ". */
static int mark(const char *s, size_t len, char *out, size_t cap)
{
    return rewrite(s, len,
                   UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD, out,
                   cap);
}

const char *name_proper(const char *folded)
{
    static const char *const kinds[] = {
        "tinh ",     "thanh pho ", "quan ", "huyen ",   "thi xa ",
        "thi tran ", "phuong ",    "xa ",   "dac khu ",
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(folded, kinds[i], len) == 0 && folded[len] != '\0')
            return folded + len;
    }
    return folded;
}

int name_query(struct name_query *q, const char *text)
{
    size_t len = strlen(text);
    int rv = name_fold(text, len, q->folded, sizeof q->folded);

    if (rv != LOA_OK)
        return rv;
    return mark(text, len, q->marked, sizeof q->marked);
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* The part after "" or after a blank, hyphen or apostrophe. */
static bool begins_word(const char *s, const char *query)
{
    for (const char *at = s; (at = strstr(at, query)) != NULL; at++)
        if (at == s || strchr(" -'", at[-1]) != NULL)
            return true;
    return false;
}

static enum name_rank rank_folded(const char *folded, const char *query)
{
    const char *proper = name_proper(folded);

    if (strcmp(folded, query) == 0 || strcmp(proper, query) == 0)
        return NAME_EXACT;
    if (starts(folded, query) || starts(proper, query))
        return NAME_PREFIX;
    if (begins_word(folded, query))
        return NAME_WORD;
    return strstr(folded, query) != NULL ? NAME_INSIDE : NAME_NO_MATCH;
}

unsigned name_rank(const struct name_query *q,
                   const char *name,
                   const char *folded)
{
    enum name_rank rank = rank_folded(folded, q->folded);
    char marked[NAME_FOLDED_CAP];

    if (rank == NAME_NO_MATCH)
        return NAME_NO_MATCH;
    /* Who typed diacritics meant them, but may have them wrong: such names
     * come behind those that have the same ones. */
    if (mark(name, strlen(name), marked, sizeof marked) != LOA_OK ||
        strstr(marked, q->marked) == NULL)
        return rank + 1;
    return rank;
}
