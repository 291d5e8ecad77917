/* io_disk.h -- small files that survive a power cut at any moment.
 *
 * Two kinds: a slot pair (slot.h), overwritten in place, so that it works on a
 * full disk; and a whole file, replaced by renaming. Both are durable when the
 * call returns. All calls block: they are small, and on a device nothing else
 * waits for them but the sound, which the output buffers. */

#ifndef LOA_SPEAKER_IO_DISK_H
#define LOA_SPEAKER_IO_DISK_H

#include <sys/types.h>

#include "proto/key.h"

#define DISK_FILE_BYTES_MAX 65536
#define DISK_SLOTS_MAX 4 /* Names with a pair. */

struct disk {
    int dir;     /* Of the data directory. */
    int content; /* Of content/ in it. */
    int lock;
    struct disk_slot {
        char name[16];
        uint64_t sequence;
        bool b_first; /* .a holds what must not be lost meanwhile. */
        bool named;   /* Both names are durable. */
    } slots[DISK_SLOTS_MAX];
    size_t slots_n;
    uint8_t buf[2 * DISK_FILE_BYTES_MAX];
};

/* Makes the directories if they are missing and takes the lock: one process at
 * a time. All that can be read afterwards is durable, also what a process wrote
 * that was killed before it could see to that. Logs what is wrong. LOA_EBUSY:
 * another process has it; LOA_ESYS. */
LOA_MUST_CHECK int disk_open(struct disk *d, const char *path);
void disk_close(struct disk *d);

/* *body points into *d and is valid until the next call. LOA_ENOENT: missing,
 * or both damaged; LOA_ESYS: unreadable, and perhaps whole. Both are logged. */
LOA_MUST_CHECK int disk_slot_read(struct disk *d,
                                  const char *name,
                                  struct loa_bytes *body);
/* LOA_ENOSPC, LOA_ESYS: not durable. */
LOA_MUST_CHECK int disk_slot_write(struct disk *d,
                                   const char *name,
                                   struct loa_bytes body);

/* As above, of one file. */
LOA_MUST_CHECK int disk_file_read(struct disk *d,
                                  const char *name,
                                  struct loa_bytes *body);
/* The file is the new one, or, if this fails, gone if that is possible: the old
 * one was replaced by somebody who is believed, and is better forgotten. */
LOA_MUST_CHECK int disk_file_write(struct disk *d,
                                   const char *name,
                                   struct loa_bytes body);

uint64_t disk_free_bytes(const struct disk *d);

/* errno, in our words. */
int disk_error(int err);

/* Exactly len bytes from `at`; less: the end of the file, or a disk that
 * refused three times: a bad moment is not a bad sector. -1 with errno. */
ssize_t disk_read(int fd, void *p, size_t len, int64_t at);

/* All of it, or an error. */
LOA_MUST_CHECK int disk_write_all(int fd,
                                  const void *p,
                                  size_t len,
                                  int64_t at);
LOA_MUST_CHECK int disk_sync(int fd);

#endif /* LOA_SPEAKER_IO_DISK_H */
