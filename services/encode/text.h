/* text.h -- staff's text made fit for a voice.
 *
 * People paste from web pages and word processors: decomposed letters, Windows
 * line ends, hard-wrapped lines, a byte order mark. What a listener would hear
 * as a pause is told apart from what is only the width of a page. */

#ifndef LOA_ENCODE_TEXT_H
#define LOA_ENCODE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define TEXT_PAUSE_LINE_MS 350
#define TEXT_PAUSE_PARAGRAPH_MS 800

/* What matters of a character for words and their ends. */
enum text_class {
    TEXT_OTHER,
    TEXT_LETTER, /* Or a mark on one. */
    TEXT_DIGIT,
};

enum text_class text_class(int32_t codepoint);

/* Class of the character that begins at, or ends before, text[at]; TEXT_OTHER
 * at either end of the text, which is valid UTF-8. */
enum text_class text_class_at(const char *text, size_t len, size_t at);
enum text_class text_class_before(const char *text, size_t at);

/* LOA_EINVAL: not UTF-8, or a NUL; *at is the offset of the first such byte. */
LOA_MUST_CHECK int text_check_utf8(const char *bytes, size_t len, size_t *at);

/* Valid UTF-8 to NFC without byte order mark, without control characters but
 * tab and newline. The caller frees *out, which ends in NUL. LOA_ENOMEM. */
LOA_MUST_CHECK int text_normalise(const char *bytes,
                                  size_t len,
                                  char **out,
                                  size_t *out_len);

/* In place: white space to single spaces, a paragraph's end to two newlines, a
 * line's end to one if the next line begins like something new (capital, digit,
 * bullet), else to a space. Returns the new length; NUL is put behind. */
size_t text_lay_out(char *text, size_t len);

/* Whether there is anything in it to say: a letter or a digit. */
bool text_speakable(const char *text, size_t len);

/* The next piece of a laid-out text from *at on, ended by NUL in place, and the
 * pause after it; false at the end. */
bool text_next(char *text,
               size_t len,
               size_t *at,
               const char **piece,
               unsigned *pause_ms);

#endif /* LOA_ENCODE_TEXT_H */
