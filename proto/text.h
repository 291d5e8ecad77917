/* text.h -- is a text fit for people? UTF-8 as RFC 3629 has it. */

#ifndef LOA_PROTO_TEXT_H
#define LOA_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed UTF-8 sequence at s, of which left bytes are
 * there; 0 if there is none. *code is the character (may be NULL). Overlong
 * forms, surrogates and what is above U+10FFFF are not well formed. */
size_t loa_utf8_next(const uint8_t *s, size_t left, uint32_t *code);

/* Are these len bytes UTF-8? Any character may occur, NUL too. */
bool loa_utf8_valid(const uint8_t *s, size_t len);

/* Is s a line for people: UTF-8, at most len_max bytes, no control characters?
 * Such a text cannot break a log line or a terminal. May be empty. */
bool loa_line_valid(const char *s, size_t len_max);

#endif /* LOA_PROTO_TEXT_H */
