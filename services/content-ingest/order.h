/* order.h -- what push and want ask the sender for: packets of one block. */

#ifndef LOA_CONTENT_ORDER_H
#define LOA_CONTENT_ORDER_H

#include <stdint.h>

#include "proto/key.h"
#include "proto/topic.h"

/* Packets are read, kept and sent in blocks; block b holds the sequences from
 * b * BLOCK_PACKETS. */
#define BLOCK_PACKETS 64

struct order {
    char area[LOA_AREA_CAP]; /* Published to down/content/<area>. */
    uint8_t stream_key[LOA_KEY_BYTES];
    uint32_t block;
    uint64_t mask; /* Bit i: packet block * BLOCK_PACKETS + i. Not 0. */
};

#endif /* LOA_CONTENT_ORDER_H */
