/* io_state.h -- the newest trust list on disk, written by a thread of its own.
 *
 * The broker's only thread hands the bytes over and goes on: it waits for no
 * disk. A newer list takes the place of one that is not written yet. The thread
 * lives only while there is something to write: a second thread, even one that
 * sleeps, makes every system call of the broker dearer (the kernel then counts
 * references to files). */

#ifndef LOA_AUTH_IO_STATE_H
#define LOA_AUTH_IO_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define IO_STATE_BYTES_MAX 60000
#define IO_STATE_RETRY_S 5 /* After a write that failed. */

struct io_state;

/* The whole of a file, not more than cap bytes. LOA_ENOENT: there is none;
 * LOA_ENOSPC: longer; LOA_ESYS: errno says why. */
LOA_MUST_CHECK int io_file_read(const char *path,
                                uint8_t *buf,
                                size_t cap,
                                size_t *len);

/* A writer of path, which writes <path>.part first. LOA_ESYS: errno says why
 * that cannot be written; LOA_ENOMEM. *out is NULL on error. */
LOA_MUST_CHECK int io_state_open(struct io_state **out, const char *path);

/* Have these bytes in the file soon. len is at most IO_STATE_BYTES_MAX. */
void io_state_put(struct io_state *s, const uint8_t *data, size_t len);

/* To be called now and then. errno of what failed since the last call, or 0;
 * it is tried again. */
int io_state_poll(struct io_state *s);

/* Write what waits (one attempt), end the thread. s may be NULL. */
void io_state_close(struct io_state *s);

#endif /* LOA_AUTH_IO_STATE_H */
