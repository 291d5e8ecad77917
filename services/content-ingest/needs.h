/* needs.h -- which area needs which content: the tables that push, repair and
 * deletion look into.
 *
 * Filled from the programmes of all areas. A need is one content in one area's
 * programme, however often it is on air there. Fixed tables with chains of
 * indices; nothing is allocated, everything is found in a few steps. */

#ifndef LOA_CONTENT_NEEDS_H
#define LOA_CONTENT_NEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include "content-ingest/signers.h"
#include "proto/key.h"
#include "proto/topic.h"

#define NEED_AREAS_MAX 16384       /* More than the country has communes. */
#define NEED_AREAS_EMPTY_MAX 12288 /* No new one beyond that needs nothing. */
#define NEED_CONTENTS_MAX 65536    /* Different ones in all programmes. */
#define NEEDS_MAX 131072
#define NEED_PROGRAMME_MAX 128 /* Contents in one programme. */
#define NEEDS_NONE UINT32_MAX
#define NEEDS_BUCKETS 32768 /* A power of two, at most 65,536. */

/* One content of a programme, as wire.c reads it. */
struct need_item {
    uint8_t content_hash[LOA_HASH_BYTES];
    int64_t start_at_ms; /* The next start, wall time. */
    int64_t until_at_ms; /* From here on it is needed no more. */
    bool pushed;         /* Only needs_restore(): was sent to the area. */
};

struct need_area {
    char path[LOA_AREA_CAP];
    uint64_t version;      /* Of the newest programme; 0: none yet. */
    int64_t expires_at_ms; /* Of that programme. */
    uint32_t first;        /* Its needs; NEEDS_NONE: none. */
    uint32_t chain;        /* Same bucket; free ones: the next. */
    uint32_t signer;       /* A row of signers.h; SIGNER_NONE: not known. */
    bool used;
    bool dirty; /* Differs from what the database holds. */
    bool heard; /* It came since we started: its signer is known. */
};

struct need_content {
    uint8_t hash[LOA_HASH_BYTES];
    uint8_t stream_key[LOA_KEY_BYTES]; /* Valid if packets_n > 0. */
    uint32_t packets_n;                /* 0: this content is not here (yet). */
    bool used;
    uint32_t first; /* Its needs. */
    uint32_t hash_chain, stream_chain;
};

struct need {
    uint32_t area, content;
    int64_t start_at_ms, until_at_ms;
    bool used, pushed;
    uint32_t next_block;                    /* How far push.c has come. */
    bool stale;                             /* Only within needs_programme(). */
    uint32_t in_area;                       /* Next need of the area. */
    uint32_t in_content, in_content_before; /* Of the content. */
    uint32_t in_todo, in_todo_before;       /* Of those not pushed. */
};

struct needs {
    struct need_area areas[NEED_AREAS_MAX];
    struct need_content contents[NEED_CONTENTS_MAX];
    struct need needs[NEEDS_MAX];
    uint32_t area_buckets[NEEDS_BUCKETS];
    uint32_t hash_buckets[NEEDS_BUCKETS];
    uint32_t stream_buckets[NEEDS_BUCKETS];
    uint32_t areas_n, areas_top;       /* Used; used or free below. */
    uint32_t contents_n, contents_top; /* Used; used or free below. */
    uint32_t needs_n, needs_top;
    uint32_t areas_free, contents_free, needs_free; /* Chains of free ones. */
    uint32_t todo, todo_n; /* Chain of those not pushed. */
    uint32_t dirty_n, dirty_cursor;
};

/* About 17 MB, touched only as they fill. */
void needs_init(struct needs *n);

/* No version is believed that is further ahead of now: as on devices. */
#define NEEDS_AHEAD_MS INT64_C(86400000)

/* No programme is believed for longer, whatever it says: schedulers reach at
 * most 61 days ahead, their programmes are good for a day more, and their clock
 * may be one ahead. */
#define NEEDS_LIFE_MS (63 * INT64_C(86400000))

/* A programme that was believed takes the place of the area's older one. One
 * that was taken and is too far ahead now, as the clock was, counts as none.
 * LOA_EINVAL: its version is too far ahead. LOA_ESTALE: not newer. In both
 * cases nothing was changed. LOA_EBUSY: a table is full, for an area that is
 * new and needs nothing as soon as it has NEED_AREAS_EMPTY_MAX; what
 * fits was taken, the version was not, so that the programme may come again.
 * items_n is at most NEED_PROGRAMME_MAX; the same content may be in it more
 * than once. */
LOA_MUST_CHECK int needs_programme(struct needs *n,
                                   const char *area,
                                   uint64_t version,
                                   int64_t expires_at_ms,
                                   const struct need_item *items,
                                   size_t items_n,
                                   int64_t now_at_ms);

/* Would needs_programme() take this version? */
bool needs_newer(const struct needs *n,
                 const char *area,
                 uint64_t version,
                 int64_t now_at_ms);

/* Who signed the programme that was just given to needs_programme(), unless it
 * was an old one. */
void needs_sign(struct needs *n,
                const char *area,
                uint64_t version,
                uint32_t signer);

/* Forget all programmes of this signer, as if they had never come: the areas
 * become dirty and are over. Returns how many. */
size_t needs_forget_signer(struct needs *n, uint32_t signer);

/* Which signers have programmes: a bit for each index below 64. */
uint64_t needs_signers(const struct needs *n);

/* Nothing is known of the area any more: its programme is over or forgotten.
 * Its rows may go, and when they have, needs_free_area(). */
bool needs_area_over(const struct need_area *area);

/* Give up the place of an area that is over and not dirty. */
void needs_free_area(struct needs *n, struct need_area *area);

/* Is there an area whose newest programme is still good, and which we know from
 * the database alone? */
bool needs_unheard(const struct needs *n, int64_t now_at_ms);

/* The same from the database, at start; nothing becomes dirty. */
LOA_MUST_CHECK int needs_restore_area(struct needs *n,
                                      const char *area,
                                      uint64_t version,
                                      int64_t expires_at_ms,
                                      uint32_t signer);
LOA_MUST_CHECK int needs_restore(struct needs *n,
                                 const char *area,
                                 const struct need_item *item);

/* The content has come into the store (packets_n > 0), or has left it (0). */
void needs_content(struct needs *n,
                   const uint8_t hash[LOA_HASH_BYTES],
                   const uint8_t stream_key[LOA_KEY_BYTES],
                   uint32_t packets_n);

/* Forget what is past, and programmes that have expired; their areas become
 * dirty. Returns how many needs went. */
size_t needs_expire(struct needs *n, int64_t now_at_ms);

/* The content was sent to the whole area of `need`: mark it there and below. */
void needs_pushed(struct needs *n, uint32_t need);

/* Index of an area, a content, or NEEDS_NONE. */
uint32_t needs_find_area(const struct needs *n, const char *path);
uint32_t needs_find_content(const struct needs *n,
                            const uint8_t hash[LOA_HASH_BYTES]);
uint32_t needs_find_stream(const struct needs *n,
                           const uint8_t stream_key[LOA_KEY_BYTES]);

/* The need of exactly this area and content, or NEEDS_NONE. */
uint32_t needs_of(const struct needs *n, uint32_t area, uint32_t content);

/* The need of `content` in the area at `path` or in the nearest one above it,
 * or NEEDS_NONE. With above, `path` itself does not count. */
uint32_t needs_covering(const struct needs *n,
                        const char *path,
                        uint32_t content,
                        bool above);

/* The next area whose rows are to be written, now counted as written: NULL if
 * there is none. */
struct need_area *needs_take_dirty(struct needs *n);
void needs_mark_dirty(struct needs *n, struct need_area *area);

#endif /* LOA_CONTENT_NEEDS_H */
