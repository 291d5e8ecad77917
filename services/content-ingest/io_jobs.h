/* io_jobs.h -- from a complete upload to a content, one job at a time or a few.
 *
 *     parts -> source file -> loa-encode -> frames file -> packets -> content
 *
 * Each step gives the loop back after a slice of a few milliseconds. Packets
 * are stored under a stream key that no content has yet; one last transaction
 * makes the content, so that there is all of it or nothing. The stream key's
 * secret lives in this process until the last packet is signed, and nowhere
 * else. */

#ifndef LOA_CONTENT_IO_JOBS_H
#define LOA_CONTENT_IO_JOBS_H

#include <limits.h>
#include <uv.h>

#include "content-ingest/ingest.h"
#include "content-ingest/io_upload_rows.h"
#include "content-ingest/io_worker.h"
#include "content-ingest/packets.h"
#include "content-ingest/stats.h"

#define JOBS_MAX 8
#define JOB_SLICE_PACKETS 128 /* About 4 ms of signing. */

struct jobs;

struct job {
    struct jobs *jobs;
    bool used;
    bool begun; /* Its row says so, or will: an attempt is counted. */
    struct upload_plan plan;
    uint64_t started_ms;
    char source_path[PATH_MAX], frames_path[PATH_MAX];
    /* Writing the source: */
    int fd; /* -1: not open. */
    uv_fs_t fs;
    bool writing;
    uint8_t *page; /* UPLOAD_PAGE_PARTS * UPLOAD_PART_LEN_MAX */
    size_t page_len;
    uint64_t at;       /* Bytes written. */
    int64_t last_part; /* Where the last part read began. */
    crypto_generichash_state hashing;
    uint8_t source_hash[LOA_HASH_BYTES];
    char *text; /* TEXT: the source, UPLOAD_TEXT_MAX + 1. */
    /* Encoding: */
    struct worker worker;
    struct worker_line done;
    /* Signing and storing: */
    uint8_t *map; /* The frames file; NULL: not mapped. */
    size_t map_len;
    struct packets packets;
    bool announced, stored; /* The stream is in the trash; out of it. */
    uint8_t *slice;         /* An array of JOB_SLICE_PACKETS packets. */
    uint8_t content_hash[LOA_HASH_BYTES];
    uint8_t stream_key[LOA_KEY_BYTES]; /* Of the content as it is stored. */
    uint32_t packets_n;
};

struct jobs_conf {
    const char *encoder; /* Path of loa-encode. */
    const char *work_dir;
    const char *dictionary; /* "": none. */
    unsigned duration_s_max;
    uint64_t timeout_ms;
};

struct jobs {
    uv_loop_t *loop;
    struct pg *pg;
    struct stats *stats;
    struct jobs_conf conf;
    /* A job is over: event is INGEST_JOB_ENDED, _AGAIN or _DIED. */
    void (*ended)(void *data,
                  const uint8_t id[LOA_ID_BYTES],
                  enum ingest_event_type event);
    void (*progress)(void *data,
                     const uint8_t id[LOA_ID_BYTES],
                     unsigned permille);
    /* A content is durable. */
    void (*made)(void *data, const struct job *job);
    void *data;
    struct job jobs[JOBS_MAX];
    bool closed;
};

/* Prepare statements, check encoder and work directory, remove what a killed
 * service left there: blocking, before the loop runs. LOA_EINVAL: encoder or
 * directory are not usable, a log line says how. */
LOA_MUST_CHECK int jobs_open(struct jobs *s);

/* Start the job of an upload. There is room: the core counts jobs. */
void jobs_start(struct jobs *s, const struct upload *u);

/* An upload that is given up: note it, then ended(). */
void jobs_give_up(struct jobs *s, const struct upload *u, enum refusal r);

/* Did the last job of this upload end without any fault of the file: stopped
 * with the service, or by a full disk? Its row counts that attempt. */
bool jobs_stopped(const struct jobs *s, const uint8_t id[LOA_ID_BYTES]);

/* Kill the workers, and note that it was not their files' fault. The memory is
 * free to reuse after the loop has run out. */
void jobs_close(struct jobs *s);

#endif /* LOA_CONTENT_IO_JOBS_H */
