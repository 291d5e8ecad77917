/* link: services/common/http.c services/common/metrics.c proto/io/log.c
 * -luv -lmicrohttpd */

/* What a stranger may send to /metrics, over a real connection to the real
 * server. The input is cut at each byte 0xfe: a piece is one write, and the
 * loop runs between them; a piece that is empty closes the connection in the
 * middle and opens another.
 *
 * Properties: whatever comes back begins as an answer of HTTP with a status
 * that the service gives; a request that makes sense is answered afterwards, on
 * a connection of its own; nothing stays open. */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http.h"
#include "proto/io/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define TURNS_MAX 3000
#define CUT 0xfe
#define PROBE_EVERY 16

static uv_loop_t loop;
static struct http http;

static struct metric rows[] = {
    METRIC_COUNTER_INIT("loa_x_total", "Things done", "kind=\"a\""),
    METRIC_COUNTER_INIT("loa_x_total", "Things done", "kind=\"b\""),
    METRIC_HISTOGRAM_INIT("loa_s", "Seconds", NULL, metric_seconds),
};
static struct metrics metrics;

static bool ready(void *data, const char **why)
{
    unsigned *n = data;

    *why = "thinking";
    return ++*n % 2 == 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static unsigned asked;
    struct http_conf conf = {
        .metrics = &metrics, .ready = ready, .data = &asked};
    int rv;

    (void)argc;
    (void)argv;
    log_level = LOG_ERROR;
    rv = uv_loop_init(&loop);
    assert(rv == 0);
    rv = metrics_register(&metrics, rows, sizeof rows / sizeof rows[0]);
    assert(rv == LOA_OK);
    rv = http_open(&http, &loop, &conf);
    assert(rv == LOA_OK);
    uv_run(&loop, UV_RUN_NOWAIT);
    return 0;
}

/* The end of a connect() that a signal interrupted: libFuzzer's alarm, or the
 * one that asks it to stop. */
static bool connected(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof errno;

    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &errno, &len) == 0 &&
           errno == 0;
}

static int dial(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)http_port(&http)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct linger at_once = {1, 0}; /* No port is left waiting. */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0 &&
        (errno != EINTR || !connected(fd))) {
        perror("fuzz_http: connect");
        abort();
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* A little of the server's life. */
static void turn(void)
{
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void check_answer(const char *text, size_t len)
{
    static const int known[] = {100, 200, 400, 404, 405, 408, 411, 413,
                                414, 417, 431, 500, 501, 503, 505};
    int status;
    size_t i = 0;

    if (len < 13)
        return;
    assert(memcmp(text, "HTTP/1.", 7) == 0);
    status = atoi(text + 9);
    while (i < sizeof known / sizeof known[0] && known[i] != status)
        i++;
    if (i == sizeof known / sizeof known[0]) {
        dprintf(2, "status %d\n", status);
        abort();
    }
}

/* What there is to read; the first of it goes to `head`. */
static size_t hear(int fd, char *head, size_t cap, size_t len)
{
    static char rest[65536];
    ssize_t n;

    for (;;) {
        bool kept = len < cap;

        n = recv(fd, kept ? head + len : rest, kept ? cap - len : sizeof rest,
                 MSG_DONTWAIT);
        if (n <= 0)
            return len;
        if (kept)
            len += (size_t)n;
    }
}

static unsigned connections(void)
{
    return MHD_get_daemon_info(http.daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
        ->num_connections;
}

/* Until the server has let go of what was closed here. It may first wait a
 * moment for the rest of a request. */
static void settle(void)
{
    for (int i = 0; i < TURNS_MAX && connections() > 0; i++) {
        if (i > 5)
            usleep(1000);
        turn();
    }
    assert(connections() == 0);
}

static void probe(void)
{
    static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    char head[4096];
    size_t len = 0;
    int fd = dial();

    if (send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) != sizeof ask - 1)
        abort();
    for (int i = 0; i < TURNS_MAX && len < 64; i++) {
        if (i > 5)
            usleep(1000);
        turn();
        len = hear(fd, head, sizeof head, len);
    }
    assert(len > 64 && memcmp(head, "HTTP/1.1 200", 12) == 0);
    close(fd);
    settle();
}

static void talk(const uint8_t *data, size_t len)
{
    char head[256];
    size_t heard = 0;
    int fd = dial();

    while (len > 0) {
        const uint8_t *cut = memchr(data, CUT, len);
        size_t piece = cut != NULL ? (size_t)(cut - data) : len;

        if (piece == 0) {
            close(fd);
            turn();
            check_answer(head, heard);
            heard = 0;
            fd = dial();
        } else if (send(fd, data, piece, MSG_NOSIGNAL) < 0) {
            break; /* It has hung up. */
        }
        turn();
        heard = hear(fd, head, sizeof head, heard);
        data += piece + (cut != NULL);
        len -= piece + (cut != NULL);
    }
    turn();
    heard = hear(fd, head, sizeof head, heard);
    check_answer(head, heard);
    close(fd);
    settle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static unsigned runs_n;

    talk(data, len);
    if (++runs_n % PROBE_EVERY == 0)
        probe();
    return 0;
}
