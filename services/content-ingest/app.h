/* app.h -- everything that content-ingest is made of, in one place. main.c
 * wires it, io_feed.c carries out what the cores decide, io_messages.c takes in
 * what peers send. */

#ifndef LOA_CONTENT_APP_H
#define LOA_CONTENT_APP_H

#include <limits.h>

#include "common/retained.h"
#include "content-ingest/config.h"
#include "content-ingest/io_contents.h"
#include "content-ingest/io_export.h"
#include "content-ingest/io_jobs.h"
#include "content-ingest/io_needs.h"
#include "content-ingest/io_release.h"
#include "content-ingest/io_sender.h"
#include "content-ingest/io_sweep.h"
#include "content-ingest/io_uploads.h"

#define ARENA_LEN (6u * LOA_ENVELOPE_BYTES_MAX)

struct app {
    struct config conf;
    struct service service;
    struct stats stats;
    struct ingest ingest;
    struct needs needs;
    struct push push;
    struct want want;
    struct uploads uploads;
    struct jobs jobs;
    struct contents contents;
    struct needs_io needs_io;
    struct retained retained;
    struct release release;
    struct sender sender;
    struct sweep sweep;
    struct exports exports;
    uv_timer_t tick;
    struct loa_arena arena;
    _Alignas(16) uint8_t memory[ARENA_LEN];
    char encoder[PATH_MAX];
    char filters[3][LOA_TOPIC_CAP];
    bool poking;
};

/* io_feed.c: what the cores ask for. Each takes a struct app. */

/* Start jobs that are due, drop uploads that are stale. */
void feed_poke(void *data);
/* Was its last job stopped without any fault of the file? */
bool feed_stopped(void *data, const uint8_t id[LOA_ID_BYTES]);
void feed_job_ended(void *data,
                    const uint8_t id[LOA_ID_BYTES],
                    enum ingest_event_type type);
void feed_job_progress(void *data,
                       const uint8_t id[LOA_ID_BYTES],
                       unsigned permille);
/* A content came, went; areas need something new; a push has ended. */
void feed_made(void *data, const struct job *j);
void feed_deleted(void *data, const uint8_t hash[LOA_HASH_BYTES]);
void feed_needs_changed(void *data);
void feed_pushed(void *data);
/* A programme was believed: its scheduler is asked before contents go. */
void feed_signer(void *data, const char *principal, int64_t expires_at_ms);
/* A scheduler's certificate was revoked: its word is needed no more. */
void feed_revoked(void *data, const char *principal);
/* A newer list of revocations. */
void feed_trust(void *data);
/* Have all programmes that are good come since we started? */
bool feed_signers_known(void *data);
/* May contents be deleted now? Not while the tables of needs are ahead of the
 * database. */
bool feed_may_delete(void *data);
void feed_tick(uv_timer_t *timer);

/* io_messages.c: requests, programmes, wants. */
void messages_request(void *data, struct rpc_call *call, struct loa_bytes body);
void messages_take(void *data, const struct mqtt_msg *msg);

#endif /* LOA_CONTENT_APP_H */
