/* contents.h -- what must be on disk, what is, and what to ask for.
 *
 * Packets arrive by one push to the whole area; what this device missed it asks
 * for when the stream has gone quiet. A content is complete only when the hash
 * over all its frames is right. Disk work is handed out one operation at a time
 * (contents_take) and its outcome comes back by the function named there. */

#ifndef LOA_SPEAKER_CONTENTS_H
#define LOA_SPEAKER_CONTENTS_H

#include "proto/audio.h"
#include "speaker/chance.h"
#include "speaker/programmes.h"
#include "speaker/wire.h"

#define CONTENTS_MAX 512
#define FETCHES_MAX 16 /* Contents that are fetched at the same time. */

#define CONTENT_QUIET_US 1000000       /* Without a packet: the push is over. */
#define CONTENT_JITTER_US 500000       /* Neighbours missed the same packet. */
#define CONTENT_ASK_US_MIN 2000000     /* Unanswered: ask again, growing ... */
#define CONTENT_ASK_US_MAX 60000000    /* ... up to this. */
#define CONTENT_RETRY_US 10000000      /* After the disk refused, growing ... */
#define CONTENT_RETRY_US_MAX 600000000 /* ... if it must be sent again. */
#define CONTENT_KEEP_US 86400000000    /* Unneeded ones are kept for a day. */
#define CONTENT_CHECK_US 600000000     /* A hash is believed for ten minutes. */

enum content_state {
    CONTENT_ABSENT,    /* Not complete; perhaps some packets are on disk. */
    CONTENT_UNCHECKED, /* A complete file that was not hashed since boot. */
    CONTENT_COMPLETE,  /* Hashed and right. */
};

struct content {
    bool used;
    enum content_state state;
    uint8_t hash[LOA_HASH_BYTES];
    bool needed;     /* By an approved bulletin of a held programme. */
    bool was_needed; /* ... at the last reckoning, for was_nearest. */
    int64_t was_nearest_at_ms;
    struct manifest m; /* Valid once it was needed. */
    bool named; /* Somebody who needs it names the stream key of m, ... */
    struct manifest other;  /* ... or this one, if it is needed at all. */
    int64_t nearest_at_ms;  /* Start that needs it first. */
    int64_t unneeded_us;    /* Monotonic: since when nobody needs it. */
    int64_t retry_us;       /* The disk refused: not before. */
    int64_t retry_pause_us; /* 0: it never did. */
    int64_t checked_us;     /* When the hash was last right. */
    uint64_t disk_bytes;    /* What its files take. */
    int fetch;              /* Index into fetches, or -1. */
    bool part_on_disk;
    bool deleting;
};

struct fetch {
    bool used, opened;
    size_t content; /* Index into contents. */
    uint32_t have_n;
    bool asked;       /* No packet has come since the last want. */
    int64_t ask_us;   /* When to ask (again). */
    int64_t pause_us; /* Between unanswered wants. */
    uint8_t bits[(CONTENT_PACKETS_MAX + 7) / 8];
};

struct contents {
    uint64_t bytes_max;
    bool full; /* Something needed does not fit. */
    int job;   /* Content that is being hashed on disk, or -1. */
    bool put;  /* A packet waits to be written. */
    size_t put_fetch;
    const struct loa_packet *packet; /* Lent during the step. */
    size_t top;                      /* Those from here on were never used. */
    struct content contents[CONTENTS_MAX];
    struct fetch fetches[FETCHES_MAX];
};

void contents_init(struct contents *cs, uint64_t bytes_max);

/* At start: a file that is there. Ignored when the table is full. */
void contents_found(struct contents *cs,
                    const uint8_t hash[LOA_HASH_BYTES],
                    bool complete,
                    uint64_t bytes,
                    int64_t now_us);

struct content *contents_find(const struct contents *cs,
                              const uint8_t hash[LOA_HASH_BYTES]);

/* A new reckoning of who needs what: begin, need for each, end. End decides
 * what is fetched, nearest start first, and what is deleted. */
void contents_need_begin(struct contents *cs);
void contents_need(struct contents *cs,
                   const struct manifest *m,
                   int64_t at_ms);
void contents_need_end(struct contents *cs, struct chance *ch, int64_t now_us);

/* A packet came. What became of it: */
enum contents_packet {
    CONTENTS_UNKNOWN,   /* Not of a content that is being fetched. */
    CONTENTS_DUPLICATE, /* It is there already. */
    CONTENTS_BAD,       /* Signature or shape is wrong. */
    CONTENTS_TAKEN,     /* To be written; it must live until then. */
};
enum contents_packet contents_packet(struct contents *cs,
                                     const struct loa_packet *k,
                                     struct chance *ch,
                                     int64_t now_us);

/* The complete file must be hashed again before this content may sound. */
void contents_distrust(struct contents *cs, struct content *c, int64_t now_us);

enum contents_op_type {
    CONTENTS_OPEN,   /* Open or make the part file -> contents_opened(). */
    CONTENTS_PUT,    /* Write the packet -> contents_put_done(). */
    CONTENTS_CLOSE,  /* Close the part file; no outcome. */
    CONTENTS_SEAL,   /* Hash all and make it complete -> contents_job_done(). */
    CONTENTS_CHECK,  /* Hash the complete file -> contents_job_done(). */
    CONTENTS_DELETE, /* Remove both files -> contents_deleted(). */
};
struct contents_op {
    enum contents_op_type type;
    size_t fetch;        /* OPEN, PUT, CLOSE, SEAL: which part file. */
    const uint8_t *hash; /* All but PUT, CLOSE. */
    uint32_t packets_n;  /* OPEN, SEAL. */
    const struct loa_packet *packet; /* PUT. */
};

/* The next thing to do on disk; false: none now. */
bool contents_take(struct contents *cs, struct contents_op *op, int64_t now_us);

/* have[i] != 0: packet i is on disk. status: LOA_OK, or the disk refused. */
void contents_opened(struct contents *cs,
                     size_t fetch,
                     int status,
                     const uint32_t *have,
                     int64_t now_us);
void contents_put_done(struct contents *cs, int status, int64_t now_us);
/* LOA_EINVAL: the hash is wrong and the files are gone; LOA_ENOENT: the same
 * for a file that could not be read; others: the disk refused, nothing changed.
 * bytes is the size of the complete file. */
void contents_job_done(struct contents *cs,
                       int status,
                       uint64_t bytes,
                       struct chance *ch,
                       int64_t now_us);
void contents_deleted(struct contents *cs,
                      const uint8_t hash[LOA_HASH_BYTES],
                      int status,
                      int64_t now_us);

/* Fill *w with what is due to be asked for, nearest start first. False: nothing
 * is. */
bool contents_want(struct contents *cs,
                   struct chance *ch,
                   struct wire_want *w,
                   int64_t now_us);

/* The connection is new: what was asked may be lost. */
void contents_connected(struct contents *cs, struct chance *ch, int64_t now_us);

/* The next moment at which contents_want() or contents_take() may have
 * something; INT64_MAX: only after a packet. */
int64_t contents_deadline_us(const struct contents *cs);

void contents_count(const struct contents *cs,
                    uint32_t *complete_n,
                    uint32_t *missing_n);

/* --- between contents.c (what is needed, the disk) and contents_wire.c
 * (packets and wants)
 * ---------------------------------------------------------------- */

/* When a stream without a packet since now counts as quiet. */
int64_t contents_quiet_us(struct chance *ch, int64_t now_us);
void contents_ask_anew(struct contents *cs, struct chance *ch, int64_t now_us);

#endif /* LOA_SPEAKER_CONTENTS_H */
