/* io_output.h -- OUT appears whole or not at all.
 *
 * Bytes go to OUT.tmp beside it; output_commit() brings them to the disk and
 * only then to their name. Everything that ends otherwise removes OUT.tmp, a
 * signal included. One output at a time. */

#ifndef LOA_ENCODE_IO_OUTPUT_H
#define LOA_ENCODE_IO_OUTPUT_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "encode/io_input.h"
#include "encode/verdict.h"

struct output {
    const char *path;
    char tmp[PATH_MAX];
    FILE *file;
    uint64_t len; /* Bytes written at the end, since the last begin. */
};

/* Create OUT.tmp. path is lent until commit or abort. Refuses to replace the
 * input itself. */
int output_open(struct output *o,
                const char *path,
                const struct input *in,
                struct verdict *v);

/* Throw away what was written and begin again. */
int output_rewind(struct output *o, struct verdict *v);
int output_append(struct output *o,
                  const void *bytes,
                  size_t len,
                  struct verdict *v);
/* Write over the first bytes. */
int output_head(struct output *o,
                const void *bytes,
                size_t len,
                struct verdict *v);

/* Both end the output, also when commit fails. */
int output_commit(struct output *o, struct verdict *v);
void output_abort(struct output *o);

/* Remove OUT.tmp, if there is one; may be called by a signal handler. */
void output_unlink(void);

#endif /* LOA_ENCODE_IO_OUTPUT_H */
