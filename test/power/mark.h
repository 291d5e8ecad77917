/* mark.h -- what a device said (box.h), as the data of an OP_MARK. */

#ifndef LOA_TEST_POWER_MARK_H
#define LOA_TEST_POWER_MARK_H

#include <stdint.h>
#include <string.h>

#include "proto/key.h"

struct mark {
    uint8_t what; /* enum says */
    char text[63];
    int64_t at_ms;
    uint64_t number;
};

#define MARK_BYTES_MAX 262144

static inline size_t mark_put(uint8_t *buf,
                              const struct mark *m,
                              struct loa_bytes body)
{
    memcpy(buf, m, sizeof *m);
    if (body.len > 0)
        memcpy(buf + sizeof *m, body.data, body.len);
    return sizeof *m + body.len;
}

static inline struct loa_bytes mark_get(const uint8_t *data,
                                        size_t len,
                                        struct mark *m)
{
    memcpy(m, data, sizeof *m);
    return (struct loa_bytes){data + sizeof *m, len - sizeof *m};
}

#endif /* LOA_TEST_POWER_MARK_H */
