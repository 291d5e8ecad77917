/* names.h -- Vietnamese names: one spelling to store, one to search by.
 *
 * The same name comes composed or decomposed, in any case, and people type it
 * without diacritics. Unicode is libutf8proc's business; what is Vietnamese
 * (d with stroke, the words for a kind of area) is here. Pure. */

#ifndef LOA_REGISTRY_NAMES_H
#define LOA_REGISTRY_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

#define NAME_CAP 129        /* 128 bytes of UTF-8 (NFC) and the NUL. */
#define NAME_FOLDED_CAP 200 /* Folding adds half at most. */

/* How well a name fits what somebody typed; lower is better. The odd one of
 * each pair ignored the diacritics that were typed. */
enum name_rank {
    NAME_EXACT = 0,
    NAME_PREFIX = 2,
    NAME_WORD = 4,   /* At the beginning of a word. */
    NAME_INSIDE = 6, /* Anywhere. */
    NAME_NO_MATCH = 8,
};

/* Write s (len bytes) composed (NFC), blanks at both ends dropped and runs of
 * blanks made one space. LOA_EINVAL: not UTF-8, or a character that nobody sees
 * (control, format, line separator); LOA_ENOSPC: longer than cap. */
LOA_MUST_CHECK int name_compose(const char *s,
                                size_t len,
                                char *out,
                                size_t cap);

/* Write s without diacritics and in lower case: "Tuyên Quang" and "TUYEN QUANG"
 * both give "tuyen quang", "Đ" gives "d". Errors as name_compose(). */
LOA_MUST_CHECK int name_fold(const char *s, size_t len, char *out, size_t cap);

/* A folded name behind the words that say what kind of area it is: "tuyen
 * quang" of "tinh tuyen quang". Points into folded; all of it if nothing else
 * would be left. */
const char *name_proper(const char *folded);

/* What was typed, ready to be compared with many names. */
struct name_query {
    char folded[NAME_FOLDED_CAP];
    char marked[NAME_FOLDED_CAP]; /* Lower case, diacritics kept. */
};

/* Errors as name_compose(). */
LOA_MUST_CHECK int name_query(struct name_query *q, const char *text);

/* The rank of a name of which the folded form is known. */
unsigned name_rank(const struct name_query *q,
                   const char *name,
                   const char *folded);

#endif /* LOA_REGISTRY_NAMES_H */
