#include "encode/io_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NO_PIPE 126

static void default_signals(void)
{
    /* The worker's handlers would remove the output that it still writes. */
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        signal(all[i], SIG_DFL);
}

static void be_child(int out, pid_t parent, int (*run)(void *), void *data)
{
    int nothing = open("/dev/null", O_RDWR);

    default_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(nothing, STDERR_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(EXIT_NO_PIPE);
    close(nothing);
    close(out);
    _exit(run(data));
}

int child_start(struct child *c, int (*run)(void *data), void *data)
{
    pid_t parent = getpid();
    int ends[2], err;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL); /* Nothing buffered may be written twice. */
    c->pid = fork();
    if (c->pid == 0)
        be_child(ends[1], parent, run, data);
    err = errno;
    close(ends[1]);
    if (c->pid < 0) {
        close(ends[0]);
        c->pid = 0;
        errno = err;
        return -1;
    }
    c->fd = ends[0];
    return 0;
}

ssize_t child_read(struct child *c, void *buf, size_t n)
{
    size_t at = 0;

    while (at < n) {
        ssize_t got = read(c->fd, (char *)buf + at, n - at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        at += (size_t)got;
    }
    return (ssize_t)at;
}

int child_wait(struct child *c)
{
    int status = 0;

    close(c->fd);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    c->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void child_stop(struct child *c)
{
    if (c->pid == 0)
        return;
    kill(c->pid, SIGKILL);
    child_wait(c);
}
