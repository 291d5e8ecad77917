/* dictionary.h -- abbreviations as people say them.
 *
 * A file of lines `abbreviation<TAB>spoken` in UTF-8; blank lines and lines
 * that begin with # are skipped. UBND is replaced where it stands as a word:
 * not next to another letter, so neither in "UBNDX" nor as "ĐT" in "ĐTỔ".
 * Digits are no letters: "5km" is "5 ki lô mét". The longest match wins, what
 * has been replaced is not looked at again, and capitals count. */

#ifndef LOA_ENCODE_DICTIONARY_H
#define LOA_ENCODE_DICTIONARY_H

#include <stddef.h>

#include "proto/err.h"

#define DICTIONARY_ENTRIES_MAX 4096
#define DICTIONARY_FILE_LEN_MAX (1u << 20)
#define DICTIONARY_KEY_LEN_MAX 64
#define DICTIONARY_SPOKEN_LEN_MAX 256

struct dictionary {
    size_t n;
    struct dictionary_entry {
        const char *key, *spoken;
        size_t key_len, spoken_len;
        unsigned line;
    } entries[DICTIONARY_ENTRIES_MAX]; /* By first byte, longest key first. */
};

/* Read a file's text, which is NFC (text_normalise) and lent for as long as the
 * dictionary is used. LOA_EINVAL: malformed or doubled at *line. LOA_ENOSPC:
 * too many entries. */
LOA_MUST_CHECK int dictionary_parse(struct dictionary *d,
                                    const char *text,
                                    size_t len,
                                    unsigned *line);

/* Copy NFC text to out with all replacements made, NUL behind. LOA_ENOSPC: it
 * does not fit into out_size bytes. */
LOA_MUST_CHECK int dictionary_apply(const struct dictionary *d,
                                    const char *text,
                                    size_t len,
                                    char *out,
                                    size_t out_size,
                                    size_t *out_len);

#endif /* LOA_ENCODE_DICTIONARY_H */
