/* io_child.h -- a child whose standard output is read as a stream of sound.
 *
 * For what should not run inside the worker's own memory: ffmpeg, which is
 * executed, and the speech engine, which is a function run after fork(). The
 * child dies with the worker. */

#ifndef LOA_ENCODE_IO_CHILD_H
#define LOA_ENCODE_IO_CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none. */
    int fd;    /* Its standard output. */
};

/* Start a child that runs run(data) with standard output going to the pipe,
 * input from and errors to /dev/null, and exits with its result. -1: errno. */
int child_start(struct child *c, int (*run)(void *data), void *data);

/* Up to n bytes, fewer only at the end. -1: errno. */
ssize_t child_read(struct child *c, void *buf, size_t n);

/* Wait for the end of a child whose output has ended. Its exit code, or 256
 * and above if a signal ended it. */
int child_wait(struct child *c);

/* End it, whatever it does. Harmless when there is none. */
void child_stop(struct child *c);

#endif /* LOA_ENCODE_IO_CHILD_H */
