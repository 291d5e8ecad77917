/* session.h -- who is connected: one row per login, found by the broker's
 * client pointer or by client id.
 *
 * A row lives from its login until the broker has no more question about the
 * client. A client that is gone leaves its row for SESSION_LINGER_MS, because
 * the broker asks about its will after it has said that the client is gone. */

#ifndef LOA_AUTH_SESSION_H
#define LOA_AUTH_SESSION_H

#include "proto/trust.h"
#include "rights.h"

#define SESSION_LINGER_MS 60000
#define SESSIONS_MAX 65536         /* Rows; a power of two. */
#define SESSIONS_ENROLLING_MAX 256 /* Of them, devices without certificate. */

enum session_state {
    SESSION_FREE,
    SESSION_LIVE,
    SESSION_GONE, /* Only its will may still be asked about. */
};

/* A link of the chain, as far as a revocation needs it. Its area is the first
 * area_depth segments of the session's; its key is the issuer of the link
 * before it. */
struct session_link {
    uint8_t issuer[LOA_KEY_BYTES];
    uint64_t serial;
    size_t area_depth;
};

struct session {
    const void *client; /* The broker's; never followed. */
    enum session_state state;
    bool revoked;
    bool kicked;           /* The broker was told to cut it. */
    uint64_t judged_epoch; /* Of the trust list that decided on revoked. */
    int64_t not_after_ms;  /* Of the link that ends first; wall time. */
    int64_t gone_at_ms;    /* GONE. */
    struct rights_holder who;
    char client_id[LOA_CLIENT_CAP];
    struct session_link links[LOA_CHAIN_MAX];
    uint8_t key[LOA_KEY_BYTES]; /* Of the first link. */
    size_t links_n;             /* 0 for a device that is not enrolled. */
    size_t next_free;
};

/* What a delivery needs of a row, kept apart: three words instead of half a
 * kilobyte. The broker delivers a message to its subscribers in an order that
 * hardly changes, so each mark knows who was asked about after it last time. */
struct session_mark {
    const void *client; /* NULL: the row is free. */
    uint64_t allowed;   /* Number of the topic that it may read; 0: none. */
    uint32_t follower;  /* A row; only a guess. */
};

/* Two hashes of the rows: open addressing, at most half full. */
#define SESSION_SLOTS_N (2 * SESSIONS_MAX)

struct sessions {
    struct session_mark marks[SESSIONS_MAX]; /* By row. */
    uint32_t last;                           /* Row of the last mark asked. */
    uint32_t by_client[SESSION_SLOTS_N];     /* Row + 1; 0 is empty. */
    uint32_t by_id[SESSION_SLOTS_N];
    size_t used_n; /* Rows that were ever used: the end of any walk. */
    size_t live_n, gone_n, enrolling_n;
    size_t free; /* Head of the list of free rows, + 1; 0: none. */
    struct session rows[SESSIONS_MAX];
};

/* All zero is an empty table: allocate it with calloc(), so that rows which are
 * never used cost no memory. */

/* Put *s in (a copy; the state becomes LIVE), in place of whatever its client
 * pointer had. LOA_EBUSY: no room. */
LOA_MUST_CHECK int session_add(struct sessions *t, const struct session *s);

/* The row of this client, LIVE or GONE; NULL if it has none. */
struct session *session_find(struct sessions *t, const void *client);

/* The mark of this client's row, LIVE or GONE; NULL if it has none. `allowed`
 * is the caller's to set; it is 0 again whenever the row changes. */
struct session_mark *session_mark(struct sessions *t, const void *client);

/* The row of a mark. */
struct session *session_of(struct sessions *t, const struct session_mark *m);

/* A LIVE row with this client id, or NULL. */
struct session *session_find_id(struct sessions *t, const char *client_id);

/* LIVE becomes GONE, in place of an earlier GONE one with its client id, or, if
 * it can have no will, is forgotten. Unknown ones are ignored. */
void session_gone(struct sessions *t, const void *client, int64_t now_ms);

/* Forget the row of this client, if it has one. */
void session_remove(struct sessions *t, const void *client);

/* Has a link been revoked, by the list that *trust holds now? Remembered until
 * epoch, which counts the lists, changes. */
bool session_revoked(struct session *s,
                     const struct loa_trust *trust,
                     uint64_t epoch);

#endif /* LOA_AUTH_SESSION_H */
