/* utf8.h -- is this text? Pure. */

#ifndef LOA_PROTO_IO_UTF8_H
#define LOA_PROTO_IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed UTF-8 sequence at s (1..4), 0 if there is none:
 * overlong forms, surrogates and values over U+10FFFF are malformed. */
size_t utf8_next(const char *s, size_t len);

/* Whether all of s is well-formed UTF-8. NUL bytes count as text. */
bool utf8_valid(const char *s, size_t len);

#endif /* LOA_PROTO_IO_UTF8_H */
