#include "common/http.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/io/log.h"

#define RUN_MS_MAX 1000

enum { PROCESS_MEMORY, PROCESS_CPU, PROCESS_FDS };

static const struct metric process[] = {
    METRIC_GAUGE_INIT("process_resident_memory_bytes",
                      "Resident memory size in bytes",
                      NULL),
    METRIC_COUNTER_INIT("process_cpu_seconds_total",
                        "User and system CPU time spent in seconds",
                        NULL),
    METRIC_GAUGE_INIT("process_open_fds", "Open file descriptors", NULL),
};

static double resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -3; /* ".", ".." and the directory itself. */

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static enum MHD_Result reply(struct MHD_Connection *conn,
                             unsigned status,
                             const char *type,
                             const char *body,
                             size_t len)
{
    /* Copied: the next request writes into the same buffer. */
    struct MHD_Response *res = MHD_create_response_from_buffer(
        len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rv;

    if (res == NULL)
        return MHD_NO;
    MHD_add_response_header(res, "Content-Type", type);
    MHD_add_response_header(res, "Cache-Control", "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(res, "Allow", "GET, HEAD");
    rv = MHD_queue_response(conn, status, res);
    MHD_destroy_response(res);
    return rv;
}

static enum MHD_Result reply_text(struct MHD_Connection *conn,
                                  unsigned status,
                                  const char *text)
{
    return reply(conn, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result reply_metrics(struct http *h,
                                     struct MHD_Connection *conn)
{
    size_t len = 0, own_len = 0;
    int rv;

    if (h->conf.collect != NULL)
        h->conf.collect(h->conf.data);
    metric_set(&h->process[PROCESS_MEMORY], resident_bytes());
    metric_set(&h->process[PROCESS_CPU], cpu_seconds());
    metric_set(&h->process[PROCESS_FDS], open_fds());
    rv =
        metrics_text(&h->process_metrics, h->body, HTTP_BODY_LEN_MAX, &own_len);
    if (rv == LOA_OK && h->conf.metrics != NULL)
        rv = metrics_text(h->conf.metrics, h->body + own_len,
                          HTTP_BODY_LEN_MAX - own_len, &len);
    if (rv != LOA_OK)
        return reply_text(conn, MHD_HTTP_INTERNAL_SERVER_ERROR,
                          "too many metrics\n");
    return reply(conn, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                 h->body, own_len + len);
}

static enum MHD_Result reply_ready(struct http *h, struct MHD_Connection *conn)
{
    const char *why = "not ready";
    char text[256];

    if (h->conf.ready == NULL || h->conf.ready(h->conf.data, &why))
        return reply_text(conn, MHD_HTTP_OK, "ready\n");
    snprintf(text, sizeof text, "%s\n", why);
    return reply_text(conn, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static enum MHD_Result on_request(void *data,
                                  struct MHD_Connection *conn,
                                  const char *url,
                                  const char *method,
                                  const char *version,
                                  const char *upload,
                                  size_t *upload_len,
                                  void **state)
{
    struct http *h = data;

    (void)version;
    (void)upload;
    (void)upload_len;
    (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return reply_text(conn, MHD_HTTP_METHOD_NOT_ALLOWED,
                          "only GET and HEAD\n");
    if (strcmp(url, "/metrics") == 0)
        return reply_metrics(h, conn);
    if (strcmp(url, "/healthz") == 0)
        return reply_text(conn, MHD_HTTP_OK, "alive\n");
    if (strcmp(url, "/readyz") == 0)
        return reply_ready(h, conn);
    return reply_text(conn, MHD_HTTP_NOT_FOUND,
                      "there is /metrics, /healthz and /readyz\n");
}

static void on_timer(uv_timer_t *timer);

static void run(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = RUN_MS_MAX;

    MHD_run(h->daemon);
    if (MHD_get_timeout(h->daemon, &wait_ms) != MHD_YES || wait_ms > RUN_MS_MAX)
        wait_ms = RUN_MS_MAX;
    /* Also when it names no time: after its limit of connections it listens
     * again only in the run that follows the last close. */
    uv_timer_start(&h->timer, on_timer, wait_ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void on_log(void *data, const char *fmt, va_list ap)
{
    char text[512];

    (void)data;
    vsnprintf(text, sizeof text, fmt, ap);
    log_debug("http.library", "text=%.*s", (int)strcspn(text, "\n"), text);
}

/* Our own socket: the library's cannot say which port the system chose, nor why
 * it could not listen. */
static int listen_on(const struct http_conf *conf, int *fd, unsigned *port)
{
    const char *host = conf->host == NULL ? "127.0.0.1" : conf->host;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)conf->port)};
    socklen_t len = sizeof addr;
    int error;

    if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
        log_error("http.listen", "host=%s text=this is no IPv4 address", host);
        return LOA_EINVAL;
    }
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return LOA_ESYS;
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(*fd, (struct sockaddr *)&addr, len) == 0 &&
        listen(*fd, SOMAXCONN) == 0 &&
        getsockname(*fd, (struct sockaddr *)&addr, &len) == 0) {
        *port = ntohs(addr.sin_port);
        return LOA_OK;
    }
    error = errno;
    log_error("http.listen", "host=%s port=%u text=%s", host, conf->port,
              error == EADDRINUSE
                  ? "the port is taken: choose another with --http-port"
                  : strerror(error));
    close(*fd);
    return error == EADDRINUSE ? LOA_EBUSY : LOA_ESYS;
}

static struct MHD_Daemon *start(struct http *h, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, h,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, /* First: it logs others. */
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_MEMORY_LEN_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_TIMEOUT_S, MHD_OPTION_END);
}

int http_open(struct http *h, uv_loop_t *loop, const struct http_conf *conf)
{
    const union MHD_DaemonInfo *info;
    int fd, rv;

    memset(h, 0, sizeof *h);
    h->conf = *conf;
    memcpy(h->process, process, sizeof process);
    rv = metrics_register(&h->process_metrics, h->process,
                          sizeof process / sizeof process[0]);
    if (rv == LOA_OK)
        rv = listen_on(conf, &fd, &h->port);
    if (rv != LOA_OK)
        return rv;
    rv = LOA_ENOMEM;
    h->body = malloc(HTTP_BODY_LEN_MAX);
    if (h->body == NULL)
        goto err_after_listen;
    rv = LOA_ESYS;
    h->daemon = start(h, fd);
    if (h->daemon == NULL)
        goto err_after_body;
    info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(loop, &h->poll, info->epoll_fd) != 0)
        goto err_after_daemon;
    uv_timer_init(loop, &h->timer);
    h->poll.data = h->timer.data = h;
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
    log_info("http.listening", "port=%u", h->port);
    return LOA_OK;

err_after_daemon:
    MHD_stop_daemon(h->daemon);
    free(h->body);
    return rv; /* The daemon owned the socket. */
err_after_body:
    free(h->body);
err_after_listen:
    close(fd);
    return rv;
}

unsigned http_port(const struct http *h)
{
    return h->port;
}

void http_close(struct http *h)
{
    if (h->daemon == NULL)
        return;
    uv_poll_stop(&h->poll);
    uv_close((uv_handle_t *)&h->poll, NULL);
    uv_close((uv_handle_t *)&h->timer, NULL);
    MHD_stop_daemon(h->daemon);
    h->daemon = NULL;
    free(h->body);
    h->body = NULL;
}
