/* want.h -- the core of repair: what devices miss, asked for by many, sent
 * once.
 *
 * A device names packets of a stream. They are marked in a bitmap for (area,
 * content); when the first mark is window_ms old, the marked packets go out to
 * the area, and every device below hears them. So each packet that is wanted
 * is sent after it was asked for, and at most once in window_ms, however many
 * ask. What a push is still going to send is left to it. */

#ifndef LOA_CONTENT_WANT_H
#define LOA_CONTENT_WANT_H

#include "content-ingest/needs.h"
#include "content-ingest/order.h"

#define WANT_REPAIRS_MAX 64 /* (area, content) in repair at a time. */
/* 5 h of sound and the codec's delay. */
#define WANT_BLOCKS_MAX ((5 * 3600 * 5 + 1 + BLOCK_PACKETS) / BLOCK_PACKETS)
#define WANT_STREAMS_MAX 8 /* In one message. */
#define WANT_RANGES_MAX 64 /* Of one stream. */
#define WANT_DEVICES 4096  /* Buckets of the rate limit; a power of two. */
#define WANT_BURST 20      /* Messages of one device at once; ... */
#define WANT_REFILL_MS 500 /* ... then one in this time. */

struct want_range {
    uint32_t first, count;
};

struct want_stream {
    uint8_t stream_key[LOA_KEY_BYTES];
    size_t ranges_n;
    struct want_range ranges[WANT_RANGES_MAX];
};

/* A message of a device, as wire.c reads it. */
struct want_message {
    const char *device, *area; /* From its topic. */
    size_t streams_n;
    struct want_stream streams[WANT_STREAMS_MAX];
};

struct want_repair {
    bool used;
    uint32_t need; /* Who it is for; its place may have become another's: */
    uint32_t area; /* then area or hash differ. */
    uint8_t hash[LOA_HASH_BYTES];
    uint64_t due_ms;   /* When the pass begins, or began. */
    uint32_t cursor;   /* Next block of the pass. */
    uint32_t wanted_n; /* Marks. */
    uint64_t blocks[WANT_BLOCKS_MAX];
};

struct want {
    const struct needs *needs;
    uint64_t window_ms;
    uint32_t seed; /* Spreads devices over buckets. */
    unsigned turn;
    struct want_repair repairs[WANT_REPAIRS_MAX];
    struct want_bucket {
        uint32_t tag;     /* Whose, by another hash. */
        uint64_t full_ms; /* When it is full again. */
    } buckets[WANT_DEVICES];
};

enum want_event_type {
    WANT_MESSAGE, /* A device asks. */
    WANT_ROOM,    /* The sender has room. */
};

struct want_event {
    enum want_event_type type;
    uint64_t now_ms;
    const struct want_message *message;
    /* The content's first sequence that a push will still send to that area;
     * see push_ahead(). */
    uint32_t (*ahead)(const void *data, const char *area, uint32_t content);
    const void *data;
};

struct want_update {
    /* MESSAGE: packets, by what became of them. */
    uint32_t marked_n, merged_n; /* Newly; those that were already. */
    uint32_t promised_n;         /* A push will send them. */
    uint32_t unknown_n;          /* Not a stream that the area needs. */
    uint32_t dropped_n;          /* WANT_REPAIRS_MAX; ranges that overlap. */
    bool limited;                /* The whole message: too many of them. */
    /* ROOM: */
    bool send;
    struct order order;
    uint64_t deadline_ms; /* Nothing to send before; UINT64_MAX: at all. */
};

void want_init(struct want *w,
               const struct needs *needs,
               uint64_t window_ms,
               uint32_t seed);

void want_step(struct want *w,
               const struct want_event *ev,
               struct want_update *up);

/* Packets marked, for /metrics. */
uint64_t want_pending(const struct want *w);

#endif /* LOA_CONTENT_WANT_H */
