/* push.h -- the core of pushing: which block goes out next.
 *
 * Every content that an area needs is sent to that area once. An area above
 * that needs it too goes first, and what it is sent counts for all below. Among
 * the PUSH_WINDOW needs that are on air soonest, the first gets every other
 * block and the rest take turns, so a long bulletin neither waits for ever nor
 * delays the next one. */

#ifndef LOA_CONTENT_PUSH_H
#define LOA_CONTENT_PUSH_H

#include "content-ingest/needs.h"
#include "content-ingest/order.h"

#define PUSH_WINDOW 8

struct push {
    struct needs *needs;
    unsigned turn;
    uint32_t ending; /* Need whose last block is out; NEEDS_NONE. */
    uint32_t ending_area;
    uint8_t ending_hash[LOA_HASH_BYTES];
};

struct push_update {
    bool send; /* Carry out order, then step again. */
    struct order order;
    bool ended;              /* A push has ended, areas below are dirty. */
    char area[LOA_AREA_CAP]; /* ENDED: whose. */
    uint32_t packets_n;      /* ENDED: how many it were. */
};

/* needs is lent for the life of *p. */
void push_init(struct push *p, struct needs *needs);

/* The sender has room: what it was given before is out. */
void push_step(struct push *p, struct push_update *up);

/* The first sequence of the content that a push will still send so that the
 * area at `path` hears it; UINT32_MAX: none will. */
uint32_t push_ahead(const struct push *p, const char *path, uint32_t content);

/* How many needs wait for a push, for /metrics. */
size_t push_waiting(const struct push *p);

#endif /* LOA_CONTENT_PUSH_H */
