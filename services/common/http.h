/* http.h -- /metrics, /healthz and /readyz over HTTP, on a libuv loop.
 *
 * GET and HEAD only, nothing is ever read from a body; libmicrohttpd is driven
 * by the loop, without threads. Process figures (memory, CPU, open files) are
 * added to the registered metrics. */

#ifndef LOA_COMMON_HTTP_H
#define LOA_COMMON_HTTP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/metrics.h"
#include "proto/err.h"

#define HTTP_CONNECTIONS_MAX 16
#define HTTP_MEMORY_LEN_MAX 16384 /* Per connection. */
#define HTTP_TIMEOUT_S 10
#define HTTP_BODY_LEN_MAX (1 << 20)

struct http_conf {
    const char *host; /* Numeric; NULL: 127.0.0.1. */
    unsigned port;    /* 0: the system chooses, see http_port(). */
    const struct metrics *metrics;
    /* Called before the text is made, to set gauges. May be NULL. */
    void (*collect)(void *data);
    /* Whether to answer /readyz with 200; else 503 and *why (a constant). */
    bool (*ready)(void *data, const char **why);
    void *data;
};

struct http {
    struct MHD_Daemon *daemon;
    struct http_conf conf;
    uv_poll_t poll;   /* On libmicrohttpd's epoll descriptor. */
    uv_timer_t timer; /* Its timeouts. */
    char *body;       /* HTTP_BODY_LEN_MAX. */
    struct metric process[3];
    struct metrics process_metrics;
    unsigned port;
};

/* Listen. LOA_EBUSY: the port is taken (the log line says so); LOA_EINVAL: host
 * is not an address; LOA_ESYS, LOA_ENOMEM. On error no http_close() is needed.
 */
LOA_MUST_CHECK int http_open(struct http *h,
                             uv_loop_t *loop,
                             const struct http_conf *conf);

unsigned http_port(const struct http *h);

/* The memory is free to reuse after the loop has run out. */
void http_close(struct http *h);

#endif /* LOA_COMMON_HTTP_H */
