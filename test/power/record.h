/* record.h -- what the files of record.so share. Nothing but the drivers' side
 * is seen outside of it: it is loaded into programs that it does not know. */

#ifndef LOA_TEST_POWER_RECORD_H
#define LOA_TEST_POWER_RECORD_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "test/power/oplog.h"

/* The drivers' side; weak there. */
void power_mark(const void *data, size_t len);
void power_fault(const char *text);
unsigned long power_calls(const char *kind);

#pragma GCC visibility push(hidden)

#define RECORD_FDS 1024

enum record_kind {
    RECORD_WRITE,
    RECORD_SYNC,
    RECORD_RENAME,
    RECORD_READ,
    RECORD_OPEN,
    RECORD_CHANGE,
    RECORD_KINDS
};

extern struct record_fd {
    bool watched, directory;
    char path[256]; /* Relative to the folder; "" is itself. */
} record_fds[RECORD_FDS];

/* The C library's own function of that name, as real(). */
#define REAL(ret, name, ...)         \
    static ret (*real)(__VA_ARGS__); \
    if (real == NULL)                \
    *(void **)&real = dlsym(RTLD_NEXT, name)

/* Does this call fail? Sets errno. */
bool record_fails(enum record_kind kind, bool change);

/* How many of n bytes the disk takes; -1: none. Sets errno. */
ssize_t record_room(size_t n);

/* Before each change. */
void record_step(void);

/* Appends to the record. */
void record_put(enum op op,
                const char *path,
                const char *path2,
                uint64_t ino,
                uint64_t at,
                const void *data,
                size_t len);

bool record_watched(int fd);

/* Where dirfd/path is in the watched folder; false: elsewhere. */
bool record_locate(int dirfd, const char *path, char out[256]);

/* openat(), and from then on watched if it is in the folder. */
int record_open(int dirfd, const char *path, int flags, mode_t mode);

/* Is this file's fsync() one of those that only say that they did it? */
bool record_lies(int fd);
bool record_is_honest(void); /* About every file. */

#pragma GCC visibility pop

#endif /* LOA_TEST_POWER_RECORD_H */
