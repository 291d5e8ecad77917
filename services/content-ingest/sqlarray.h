/* sqlarray.h -- PostgreSQL's binary form of one-dimensional arrays, so that a
 * statement can take many rows. Pure. */

#ifndef LOA_CONTENT_SQLARRAY_H
#define LOA_CONTENT_SQLARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define SQLARRAY_BYTEA 17 /* Type oids are fixed since PostgreSQL was. */
#define SQLARRAY_INT8 20

struct sqlarray {
    uint8_t *buf; /* Lent. */
    size_t cap, len;
    uint32_t n;
};

/* cap is at least 20, the header. */
void sqlarray_init(struct sqlarray *a, uint8_t *buf, size_t cap, uint32_t oid);

/* Append an element. LOA_ENOSPC: nothing was appended. */
LOA_MUST_CHECK int sqlarray_bytes(struct sqlarray *a,
                                  const void *data,
                                  size_t len);
LOA_MUST_CHECK int sqlarray_i64(struct sqlarray *a, int64_t value);

#endif /* LOA_CONTENT_SQLARRAY_H */
