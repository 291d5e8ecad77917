/* rows.h -- which rows of a fixed table are in use, and a hash to find them.
 *
 * The table itself is its owner's array; rows are numbers in it. Memory is
 * taken once, at start. */

#ifndef LOA_SCHEDULER_ROWS_H
#define LOA_SCHEDULER_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define ROW_NONE UINT32_MAX

struct rows {
    uint32_t *heads; /* By hash: the first row of a chain. */
    uint32_t *next;  /* By row: the next of its chain, or of the free list. */
    uint32_t mask;
    uint32_t rows_max, rows_n;
    uint32_t touched_n; /* Rows from here on were never used. */
    uint32_t free;      /* First of the free list. */
};

/* LOA_ENOMEM. rows_close() is harmless after a failure, and twice. */
LOA_MUST_CHECK int rows_init(struct rows *r, uint32_t rows_max);
void rows_close(struct rows *r);

/* A hash of bytes that peers may choose. */
uint32_t rows_hash(const void *data, size_t len);

/* The rows with that hash (and some others): compare keys yourself. */
uint32_t rows_first(const struct rows *r, uint32_t hash);
uint32_t rows_next(const struct rows *r, uint32_t row);

/* A free row, from now on found under hash; ROW_NONE: the table is full. */
uint32_t rows_add(struct rows *r, uint32_t hash);

/* Give a row back; hash as it was added with. */
void rows_remove(struct rows *r, uint32_t row, uint32_t hash);

#endif /* LOA_SCHEDULER_ROWS_H */
