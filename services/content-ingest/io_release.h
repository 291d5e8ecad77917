/* io_release.h -- asks the scheduler whether a content may go.
 *
 * Programmes, which is all that the tables of needs know, reach some days
 * ahead; the plan reaches a year. Nothing is deleted without a fresh answer.
 *
 * The question goes to rpc/scheduler/<own area>, so it reaches every scheduler
 * whose area holds the own one. A content is free when one of them says so, all
 * say so whose programmes are good, and none says no. After a start the tables
 * know programmes, but not whose they are, until they have come again. */

#ifndef LOA_CONTENT_IO_RELEASE_H
#define LOA_CONTENT_IO_RELEASE_H

#include "common/service.h"

#define RELEASE_ASKS_MAX 64
#define RELEASE_SIGNERS_MAX 16
#define RELEASE_ANSWER_MS 5000 /* No answer by then: unknown. */
#define RELEASE_SETTLE_MS 300  /* For another scheduler to say no. */

/* What is deleted is deleted so long after it was asked for, at most: half of
 * the time for which the scheduler takes no bulletin for it. */
#define RELEASE_FRESH_MS 10000

enum release_answer {
    RELEASE_FREE,
    RELEASE_IN_USE,  /* The texts say by what. */
    RELEASE_UNKNOWN, /* Not everybody who must answered. */
};

/* Texts are lent for the call. */
typedef void (*release_cb)(void *data,
                           enum release_answer answer,
                           const char *text_vi,
                           const char *text_en);

struct release_ask {
    bool used;
    uint8_t message_id[LOA_ID_BYTES];
    uint64_t asked_ms, free_ms; /* Monotonic; free_ms 0: nobody has said so. */
    uint32_t answered;          /* Bits of signers that said it is free. */
    release_cb cb;
    void *data;
};

/* Whose programmes are known. */
struct release_signer {
    char principal[LOA_PRINCIPAL_CAP];
    int64_t until_at_ms; /* The newest of them expires then. */
};

struct release {
    struct service *service;
    struct loa_arena *arena; /* For one envelope at a time. */
    uv_timer_t timer;
    struct release_ask asks[RELEASE_ASKS_MAX];
    struct release_signer signers[RELEASE_SIGNERS_MAX];
    size_t signers_n;
    int64_t crowded_at_ms; /* Until then, wall time, programmes are good of a
                              signer for whom there was no room: nothing is
                              free. */
    /* Is the signer of every programme known that is good? */
    bool (*known)(void *data);
    void *data;
    bool open;
};

void release_open(struct release *r,
                  struct service *service,
                  struct loa_arena *arena,
                  bool (*known)(void *data),
                  void *data);
void release_close(struct release *r);

/* The topic on which answers come. */
void release_filter(const struct release *r, char out[LOA_TOPIC_CAP]);

/* A programme of this scheduler was believed. */
void release_signer(struct release *r,
                    const char *principal,
                    int64_t expires_at_ms);

/* This scheduler is believed no more: nobody waits for its word. */
void release_revoked(struct release *r, const char *principal);

/* Ask; cb comes once, never within the call. only: nothing is promised; else,
 * when the answer is RELEASE_FREE, the scheduler takes no bulletin for it for
 * 2 * RELEASE_FRESH_MS. LOA_EBUSY: too many questions are open, or the broker
 * has no room. */
LOA_MUST_CHECK int release_ask(struct release *r,
                               const uint8_t hash[LOA_HASH_BYTES],
                               bool only,
                               release_cb cb,
                               void *data);

/* Feed a message that came on release_filter()'s topic. */
void release_message(struct release *r, const struct mqtt_msg *msg);

#endif /* LOA_CONTENT_IO_RELEASE_H */
