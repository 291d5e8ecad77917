#include "content-ingest/io_worker.h"

#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/io/log.h"

/* What a killed worker's children may still take to let go of the pipes. */
#define GRACE_MS 2000
#define NICENESS 10

static void kill_group(struct worker *w)
{
    if (!w->exited && w->process.pid > 0)
        uv_kill(-w->process.pid, SIGKILL);
}

static void end(struct worker *w)
{
    struct worker_result r = {
        .spawned = w->process.pid > 0, .timed_out = w->killed, .said = w->said};

    w->running = false;
    if (w->closed)
        return;
    r.signalled = !w->killed && w->term_signal != 0;
    r.exit_code = (int)w->exit_status;
    if (r.exit_code == 0 && w->term_signal == 0 && w->done_seen)
        r.done = w->done;
    w->on_end(w->data, &r);
}

static void on_close(uv_handle_t *handle)
{
    struct worker *w = handle->data;

    if (--w->open_n == 0)
        end(w);
}

static void close_one(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_close);
}

static void close_all(struct worker *w)
{
    close_one((uv_handle_t *)&w->process);
    close_one((uv_handle_t *)&w->out);
    close_one((uv_handle_t *)&w->err);
    close_one((uv_handle_t *)&w->timer);
}

/* The end is when it has exited and nothing more can come from it. */
static void settle(struct worker *w)
{
    if (w->exited && w->eofs_n == 2)
        close_all(w);
}

static void on_grace(uv_timer_t *timer)
{
    close_all(timer->data);
}

static void on_exit(uv_process_t *process, int64_t status, int term_signal)
{
    struct worker *w = process->data;

    w->exited = true;
    w->exit_status = status;
    w->term_signal = term_signal;
    uv_timer_start(&w->timer, on_grace, GRACE_MS, 0);
    settle(w);
}

static void on_timeout(uv_timer_t *timer)
{
    struct worker *w = timer->data;

    log_warn("worker.timeout", "pid=%d", w->process.pid);
    w->killed = true;
    kill_group(w);
}

/* --- what it says ----------------------------------------------------------
 */

static void on_line(struct worker *w)
{
    struct worker_line line;

    worker_line_parse(w->line, &line);
    if (line.type == WORKER_LINE_PROGRESS && w->on_progress != NULL &&
        !w->closed)
        w->on_progress(w->data, line.permille);
    if (line.type == WORKER_LINE_DONE) {
        w->done = line;
        w->done_seen = true;
    }
}

static void take_out(struct worker *w, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            w->line[w->line_len] = '\0';
            w->line_len = 0;
            on_line(w);
        } else if (bytes[i] != '\0' && w->line_len < sizeof w->line - 1) {
            w->line[w->line_len++] = bytes[i];
        }
    }
}

/* Of standard error the last part is kept: the refusal stands at its end. */
static void take_err(struct worker *w, const char *bytes, size_t len)
{
    const size_t cap = sizeof w->said - 1;
    size_t drop;

    if (len > cap) {
        bytes += len - cap;
        len = cap;
    }
    drop = w->said_len + len > cap ? w->said_len + len - cap : 0;
    memmove(w->said, w->said + drop, w->said_len - drop);
    w->said_len -= drop;
    for (size_t i = 0; i < len; i++)
        w->said[w->said_len++] = bytes[i] == '\0' ? ' ' : bytes[i];
    w->said[w->said_len] = '\0';
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct worker *w = handle->data;

    (void)hint;
    *buf = uv_buf_init(w->buf, sizeof w->buf);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct worker *w = stream->data;

    if (n > 0 && stream == (uv_stream_t *)&w->out) {
        take_out(w, buf->base, (size_t)n);
    } else if (n > 0) {
        take_err(w, buf->base, (size_t)n);
    } else if (n < 0) {
        uv_read_stop(stream);
        w->eofs_n++;
        settle(w);
    }
}

/* --- start and stop --------------------------------------------------------
 */

static void init(struct worker *w, uv_loop_t *loop, const struct worker_conf *c)
{
    memset(w, 0, sizeof *w);
    w->on_progress = c->on_progress;
    w->on_end = c->on_end;
    w->data = c->data;
    w->process.data = w->out.data = w->err.data = w->timer.data = w;
    uv_timer_init(loop, &w->timer);
    uv_pipe_init(loop, &w->out, 0);
    uv_pipe_init(loop, &w->err, 0);
    w->timer.data = w->out.data = w->err.data = w;
    w->running = true;
    w->open_n = 4;
}

void worker_start(struct worker *w,
                  uv_loop_t *loop,
                  const struct worker_conf *conf)
{
    char *argv[WORKER_ARGS_MAX + 2] = {(char *)(uintptr_t)conf->program};
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}};
    uv_process_options_t o = {.file = conf->program,
                              .args = argv,
                              .exit_cb = on_exit,
                              .flags = UV_PROCESS_DETACHED,
                              .stdio_count = 3,
                              .stdio = stdio};
    int rv;

    assert(!w->running && conf->args_n <= WORKER_ARGS_MAX);
    init(w, loop, conf);
    for (size_t i = 0; i < conf->args_n; i++)
        argv[i + 1] = (char *)(uintptr_t)conf->args[i];
    stdio[1].flags = stdio[2].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[1].data.stream = (uv_stream_t *)&w->out;
    stdio[2].data.stream = (uv_stream_t *)&w->err;
    rv = uv_spawn(loop, &w->process, &o);
    w->process.data = w;
    if (rv != 0) {
        log_error("worker.spawn", "file=%s text=%s", conf->program,
                  uv_strerror(rv));
        w->process.pid = 0;
        w->exited = true;
        close_all(w);
        return;
    }
    /* Encoding may take what is left over; requests and packets come first. */
    if (setpriority(PRIO_PROCESS, (id_t)w->process.pid, NICENESS) != 0)
        log_warn("worker.nice", "text=it runs at our own priority");
    uv_timer_start(&w->timer, on_timeout, conf->timeout_ms, 0);
    uv_read_start((uv_stream_t *)&w->out, on_alloc, on_read);
    uv_read_start((uv_stream_t *)&w->err, on_alloc, on_read);
}

void worker_close(struct worker *w)
{
    if (!w->running || w->closed)
        return;
    w->closed = true;
    kill_group(w);
    close_all(w);
}

void worker_unlink(const char *path)
{
    char begun[PATH_MAX];
    int n = snprintf(begun, sizeof begun, "%s.tmp", path);

    unlink(path);
    if (n > 0 && (size_t)n < sizeof begun)
        unlink(begun);
}
