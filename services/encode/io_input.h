/* io_input.h -- opening IN, and judging it before any decoder sees it. */

#ifndef LOA_ENCODE_IO_INPUT_H
#define LOA_ENCODE_IO_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "encode/verdict.h"

struct input {
    int fd;
    uint64_t size; /* Bytes, at least 1. */
    dev_t dev;
    ino_t ino;
};

/* Open a regular file that is not empty. 0 or the verdict's code. */
int input_open(struct input *in, const char *path, struct verdict *v);
void input_close(struct input *in);

/* Whether its sound was cut off, as far as promise.h can tell. */
bool input_truncated(const struct input *in, uint64_t *want);

/* Read all of it, at most len_max bytes, into memory that the caller frees.
 * ENCODE_TEXT_LONG if there is more. The bytes are followed by a NUL. */
int input_read(const struct input *in,
               size_t len_max,
               char **bytes,
               size_t *len,
               struct verdict *v);

/* Map all of it; input_unmap() gives it back. */
int input_map(const struct input *in, const uint8_t **bytes, struct verdict *v);
void input_unmap(const struct input *in, const uint8_t *bytes);

#endif /* LOA_ENCODE_IO_INPUT_H */
