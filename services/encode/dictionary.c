#include "encode/dictionary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "encode/text.h"

/* --- reading -------------------------------------------------------------- */

static void trim(const char **at, size_t *len)
{
    while (*len > 0 && strchr(" \t", **at) != NULL) {
        ++*at;
        --*len;
    }
    while (*len > 0 && strchr(" \t", (*at)[*len - 1]) != NULL)
        --*len;
}

static int parse_line(struct dictionary *d,
                      const char *text,
                      size_t len,
                      unsigned line)
{
    const char *tab = memchr(text, '\t', len);
    struct dictionary_entry e = {.key = text, .line = line};

    if (tab == NULL)
        return LOA_EINVAL;
    e.key_len = (size_t)(tab - text);
    e.spoken = tab + 1;
    e.spoken_len = len - e.key_len - 1;
    trim(&e.key, &e.key_len);
    trim(&e.spoken, &e.spoken_len);
    if (e.key_len == 0 || e.key_len > DICTIONARY_KEY_LEN_MAX ||
        e.spoken_len == 0 || e.spoken_len > DICTIONARY_SPOKEN_LEN_MAX ||
        memchr(e.spoken, '\t', e.spoken_len) != NULL)
        return LOA_EINVAL;
    if (d->n == DICTIONARY_ENTRIES_MAX)
        return LOA_ENOSPC;
    d->entries[d->n++] = e;
    return LOA_OK;
}

static int compare(const void *a, const void *b)
{
    const struct dictionary_entry *x = a, *y = b;
    unsigned char first_x = (unsigned char)*x->key;
    unsigned char first_y = (unsigned char)*y->key;

    if (first_x != first_y)
        return first_x < first_y ? -1 : 1;
    if (x->key_len != y->key_len)
        return x->key_len > y->key_len ? -1 : 1;
    return memcmp(x->key, y->key, x->key_len);
}

int dictionary_parse(struct dictionary *d,
                     const char *text,
                     size_t len,
                     unsigned *line)
{
    const char *end = text + len;

    d->n = 0;
    for (*line = 1; text < end; ++*line) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end, *at = text;
        size_t line_len = (size_t)(stop - text);
        int rv;

        text = newline != NULL ? newline + 1 : end;
        if (line_len == 0 || *at == '#' || strspn(at, " \t") >= line_len)
            continue;
        rv = parse_line(d, at, line_len, *line);
        if (rv != LOA_OK)
            return rv;
    }
    qsort(d->entries, d->n, sizeof d->entries[0], compare);
    for (size_t i = 1; i < d->n; i++)
        if (compare(&d->entries[i - 1], &d->entries[i]) == 0) {
            unsigned a = d->entries[i - 1].line, b = d->entries[i].line;

            *line = a > b ? a : b;
            return LOA_EINVAL;
        }
    return LOA_OK;
}

/* --- replacing ------------------------------------------------------------ */

/* Letter against letter, or digit against digit, is the inside of a word. */
static bool joined(enum text_class a, enum text_class b)
{
    return a != TEXT_OTHER && a == b;
}

static bool stands_alone(const struct dictionary_entry *e,
                         const char *text,
                         size_t len,
                         size_t at)
{
    enum text_class before = text_class_before(text, at);
    enum text_class after = text_class_at(text, len, at + e->key_len);

    return !joined(before, text_class_at(e->key, e->key_len, 0)) &&
           !joined(text_class_before(e->key, e->key_len), after);
}

/* The first entry whose key begins with this byte, or the end. */
static size_t first_of(const struct dictionary *d, unsigned char byte)
{
    size_t low = 0, high = d->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((unsigned char)*d->entries[middle].key < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct dictionary_entry *find(const struct dictionary *d,
                                           const char *text,
                                           size_t len,
                                           size_t at)
{
    for (size_t i = first_of(d, (unsigned char)text[at]);
         i < d->n && *d->entries[i].key == text[at]; i++) {
        const struct dictionary_entry *e = &d->entries[i];

        if (e->key_len <= len - at &&
            memcmp(text + at, e->key, e->key_len) == 0 &&
            stands_alone(e, text, len, at))
            return e;
    }
    return NULL;
}

struct sink {
    char *out;
    size_t size, len;
};

static bool put(struct sink *s, const char *bytes, size_t n)
{
    if (n >= s->size - s->len)
        return false;
    memcpy(s->out + s->len, bytes, n);
    s->len += n;
    return true;
}

/* A space where a digit would touch what is said for the abbreviation. */
static bool put_spoken(struct sink *s,
                       const struct dictionary_entry *e,
                       enum text_class before,
                       enum text_class after)
{
    if (before == TEXT_DIGIT && !put(s, " ", 1))
        return false;
    if (!put(s, e->spoken, e->spoken_len))
        return false;
    return after == TEXT_OTHER || put(s, " ", 1);
}

int dictionary_apply(const struct dictionary *d,
                     const char *text,
                     size_t len,
                     char *out,
                     size_t out_size,
                     size_t *out_len)
{
    struct sink s = {out, out_size, 0};

    if (out_size == 0)
        return LOA_ENOSPC;
    for (size_t at = 0; at < len;) {
        const struct dictionary_entry *e = find(d, text, len, at);
        size_t next = at + (e != NULL ? e->key_len : 1);
        bool fits = e != NULL ? put_spoken(&s, e, text_class_before(text, at),
                                           text_class_at(text, len, next))
                              : put(&s, text + at, 1);

        if (!fits)
            return LOA_ENOSPC;
        at = next;
    }
    out[s.len] = '\0';
    *out_len = s.len;
    return LOA_OK;
}
