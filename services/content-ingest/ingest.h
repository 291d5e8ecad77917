/* ingest.h -- the core of uploads and of the jobs that they become.
 *
 * Knows every upload that is not finished: what of it is durable, whether it
 * waits for the encoder or is with it. Decides what is refused, what is stored,
 * which job runs next and what is too old to keep. The database holds the same
 * rows; finished uploads are only there.
 *
 *     BEGINNING -> RECEIVING -> WAITING -> ENCODING -> gone (done, failed)
 *                      |            ^---------'  (not the file's fault) */

#ifndef LOA_CONTENT_INGEST_H
#define LOA_CONTENT_INGEST_H

#include "content-ingest/ranges.h"
#include "content-ingest/refusal.h"
#include "proto/key.h"
#include "proto/topic.h"

#define UPLOADS_MAX 256          /* Unfinished ones. */
#define UPLOAD_TITLE_CAP 201     /* 200 bytes and the 0. */
#define UPLOAD_LANGUAGE_CAP 36   /* RFC 5646: 35 are enough. */
#define UPLOAD_FILE_NAME_CAP 256 /* What file systems allow. */
#define UPLOAD_PART_LEN_MAX                                                   \
    48000                          /* Fits an envelope with room for a chain. \
                                    */
#define UPLOAD_AUDIO_MAX 536870912 /* Bytes. */
#define UPLOAD_TEXT_MAX 65536
#define UPLOAD_WRITES_MAX 32 /* Parts on their way to the database. */
#define UPLOAD_ATTEMPTS_MAX 3
#define UPLOAD_AGAIN_MS 30000 /* Pause before a job is tried once more. */

/* The values are those of loa.v1.Media. */
enum media { MEDIA_AUDIO = 1, MEDIA_TEXT = 2 };

/* What is to be uploaded, as its sender said it; checked by wire.c. */
struct upload_plan {
    uint8_t id[LOA_ID_BYTES];
    char principal[LOA_PRINCIPAL_CAP];
    char area[LOA_AREA_CAP];
    enum media media;
    uint64_t size; /* Bytes. */
    char title[UPLOAD_TITLE_CAP];
    char language[UPLOAD_LANGUAGE_CAP];
    char file_name[UPLOAD_FILE_NAME_CAP];
};

enum upload_state {
    UPLOAD_FREE,
    UPLOAD_BEGINNING, /* Its row is being inserted. */
    UPLOAD_RECEIVING,
    UPLOAD_WAITING,
    UPLOAD_ENCODING,
};

struct upload {
    enum upload_state state;
    struct upload_plan plan;
    struct ranges durable;
    size_t writes_n;      /* Parts on their way to the database. */
    int64_t active_at_ms; /* Wall time of the last part. */
    uint64_t order;       /* Rises: who has waited longest. */
    uint64_t again_ms;    /* WAITING: not before; 0: at once. */
    unsigned attempts_n;  /* Jobs begun, also those of killed services. */
    unsigned permille;    /* ENCODING. */
};

/* Limits; all are at least 1. */
struct ingest_limits {
    unsigned jobs_max;         /* Encoders at once. */
    unsigned uploads_mine_max; /* Unfinished, per principal. */
    uint64_t bytes_mine_max;   /* Their sizes together. */
    uint64_t bytes_all_max;    /* Of all unfinished uploads. */
    uint64_t free_bytes_min;   /* Of the disk; below it nothing is taken. */
    uint64_t receiving_ms_max; /* Without a part: it is given up. */
};

enum ingest_event_type {
    INGEST_BEGIN,        /* plan: a sender wants to upload. */
    INGEST_BEGUN,        /* id: its row is durable. */
    INGEST_BEGIN_FAILED, /* id: it is not. */
    INGEST_PART,         /* id, principal, range. */
    INGEST_PART_STORED,  /* id, range: durable. */
    INGEST_PART_FAILED,  /* id. */
    INGEST_NEXT,         /* Is there a job to start, an upload to drop? */
    INGEST_PROGRESS,     /* id, permille. */
    INGEST_JOB_ENDED,    /* id: done or refused, and that is durable. */
    INGEST_JOB_AGAIN,    /* id: later once more, as if it had not begun. */
    INGEST_JOB_DIED,     /* id: later once more, but it counts. */
    INGEST_SPACE,        /* free_bytes. */
};

struct ingest_event {
    enum ingest_event_type type;
    uint64_t now_ms;
    int64_t now_at_ms;
    const uint8_t *id;
    const struct upload_plan *plan;
    const char *principal;
    struct range range;
    unsigned permille;
    uint64_t free_bytes;
};

/* What the caller must do after a step; at most one of them. */
enum ingest_action {
    INGEST_NOTHING,
    INGEST_REFUSE,   /* Tell the sender update.refusal. */
    INGEST_ANSWER,   /* Tell the sender how far the upload is. */
    INGEST_INSERT,   /* Make the row; then BEGUN or BEGIN_FAILED. */
    INGEST_STORE,    /* Store the piece; then PART_STORED or PART_FAILED. */
    INGEST_COMPLETE, /* Answer; all bytes are durable, so note WAITING. */
    INGEST_START,    /* Note ENCODING and start the job. */
    INGEST_GIVE_UP,  /* Note FAILED with update.refusal; then JOB_ENDED. */
    INGEST_DROP,     /* Delete the row; the upload is forgotten here. */
};

struct ingest_update {
    enum ingest_action action;
    enum refusal refusal;
    const struct upload *upload; /* NULL with REFUSE; lent until next step. */
    struct range piece;          /* STORE: within the part. */
    uint8_t id[LOA_ID_BYTES];    /* DROP: whose row. */
};

struct ingest {
    struct ingest_limits limits;
    struct upload uploads[UPLOADS_MAX];
    uint64_t order;
    uint64_t free_bytes;
    bool free_known;
    unsigned jobs_n;
};

void ingest_init(struct ingest *n, const struct ingest_limits *limits);

/* Put an unfinished upload back, at start. u->state is RECEIVING or WAITING (a
 * job that was cut off waits again). LOA_EBUSY: UPLOADS_MAX. Call in the order
 * in which they began. */
LOA_MUST_CHECK int ingest_restore(struct ingest *n, const struct upload *u);

void ingest_step(struct ingest *n,
                 const struct ingest_event *ev,
                 struct ingest_update *up);

/* The unfinished upload of that id, or NULL. Lent until the next step. */
const struct upload *ingest_find(const struct ingest *n,
                                 const uint8_t id[LOA_ID_BYTES]);

/* How many are in that state, for /metrics. */
size_t ingest_count(const struct ingest *n, enum upload_state state);

#endif /* LOA_CONTENT_INGEST_H */
