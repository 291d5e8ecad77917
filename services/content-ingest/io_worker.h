/* io_worker.h -- one run of loa-encode: spawned, listened to, killed in time.
 *
 * Decoders of strangers' files run there and not here. The worker leads a
 * process group of its own, so that what it starts dies with it. */

#ifndef LOA_CONTENT_IO_WORKER_H
#define LOA_CONTENT_IO_WORKER_H

#include <stdbool.h>
#include <uv.h>

#include "content-ingest/refusal.h"
#include "content-ingest/worker_line.h"
#include "proto/err.h"

#define WORKER_LINE_LEN_MAX 512
#define WORKER_ARGS_MAX 16

struct worker_result {
    bool spawned;   /* False: the program could not be run. */
    bool timed_out; /* It was killed. */
    bool signalled; /* It died of a signal that was not ours. */
    int exit_code;
    struct worker_line done; /* If it said so and exit_code is 0. */
    const char *said;        /* Its standard error, cut; lent for the call. */
};

struct worker {
    uv_process_t process;
    uv_pipe_t out, err;
    uv_timer_t timer;
    bool running; /* From worker_start() to on_end. */
    bool exited, killed;
    unsigned open_n; /* Handles that are not closed yet. */
    unsigned eofs_n;
    int64_t exit_status;
    int term_signal;
    bool done_seen;
    struct worker_line done;
    char line[WORKER_LINE_LEN_MAX];
    size_t line_len;
    char said[REFUSAL_WORKER_LEN_MAX];
    size_t said_len;
    char buf[4096];
    void (*on_progress)(void *data, unsigned permille); /* May be NULL. */
    void (*on_end)(void *data, const struct worker_result *result);
    void *data;
    bool closed;
};

struct worker_conf {
    const char *program;
    const char *const *args; /* args_n, without the program's own name. */
    size_t args_n;
    uint64_t timeout_ms;
    void (*on_progress)(void *data, unsigned permille);
    void (*on_end)(void *data, const struct worker_result *result);
    void *data;
};

/* Run it; *w is zero or has ended. on_end is called exactly once, never from
 * within this call, when all handles are closed: *w may be used again in it. */
void worker_start(struct worker *w,
                  uv_loop_t *loop,
                  const struct worker_conf *conf);

/* Kill it if it runs; on_end does not come. The memory is free to reuse after
 * the loop has run out. */
void worker_close(struct worker *w);

/* Remove what it made at path, and what it had begun to make there when it was
 * killed: it writes PATH.tmp and renames. */
void worker_unlink(const char *path);

#endif /* LOA_CONTENT_IO_WORKER_H */
