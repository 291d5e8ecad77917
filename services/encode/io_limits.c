#include "encode/io_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "encode/io_output.h"

/* The sentence has to be ready: a handler may only write(). */
static char cpu_text[VERDICT_TEXT_MAX];
static int cpu_fd = STDERR_FILENO; /* Decoders may be muted; this is not. */
static pid_t worker;               /* Who set the limits; 0: nobody yet. */

static void on_cpu(int signum)
{
    (void)signum;
    output_unlink();
    if (write(cpu_fd, cpu_text, strlen(cpu_text)) < 0)
        _exit(ENCODE_CPU_LIMIT);
    _exit(ENCODE_CPU_LIMIT);
}

/* Nothing here may allocate. In a child the output is the parent's. */
void limits_no_memory(void)
{
    static const char text[] =
        "loa-encode: out of memory, or over its limit; hand in a shorter or "
        "simpler file\n";

    if (worker == 0 || getpid() == worker) {
        output_unlink();
        if (write(cpu_fd, text, sizeof text - 1) < 0)
            _exit(ENCODE_NO_MEMORY);
    }
    _exit(ENCODE_NO_MEMORY);
}

static void on_end(int signum)
{
    output_unlink();
    signal(signum, SIG_DFL);
    raise(signum);
}

static void signals_set(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction act = {.sa_handler = on_end};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        sigaction(ends[i], &act, NULL);
    act.sa_handler = on_cpu;
    sigaction(SIGXCPU, &act, NULL);
    /* Over the file size limit: write() says EFBIG instead. */
    act.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &act, NULL);
}

/* hard_more: room for the soft limit's handler. */
static int lower(__rlimit_resource_t resource, rlim_t soft, rlim_t hard_more)
{
    struct rlimit now, want;

    if (getrlimit(resource, &now) != 0)
        return -1;
    want.rlim_max =
        soft + hard_more < now.rlim_max ? soft + hard_more : now.rlim_max;
    want.rlim_cur = soft < now.rlim_cur ? soft : now.rlim_cur;
    if (want.rlim_cur > want.rlim_max)
        want.rlim_cur = want.rlim_max;
    return setrlimit(resource, &want);
}

int limits_set(const char *in_path, struct limits more, struct verdict *v)
{
    rlim_t file = more.file_len + LIMITS_FILE_LEN_MIN;
    rlim_t cpu = more.cpu_s + LIMITS_CPU_S_MIN;

    snprintf(cpu_text, sizeof cpu_text,
             "loa-encode: %.300s: it took over %llu s of CPU time; "
             "no honest file of the allowed length does\n",
             in_path, (unsigned long long)cpu);
    worker = getpid();
    cpu_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    signals_set();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        lower(RLIMIT_CORE, 0, 0) != 0 || lower(RLIMIT_CPU, cpu, 5) != 0 ||
        lower(RLIMIT_FSIZE, file, 0) != 0)
        return refuse(v, ENCODE_FAILED, "the worker cannot limit itself: %s",
                      strerror(errno));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* A sanitizer reserves terabytes that it never touches. */
    if (lower(RLIMIT_AS, LIMITS_MEMORY_MAX, 0) != 0)
        return refuse(v, ENCODE_FAILED, "the worker cannot limit itself: %s",
                      strerror(errno));
#endif
    return ENCODE_OK;
}
