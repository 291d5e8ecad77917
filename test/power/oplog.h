/* oplog.h -- the record of what a program did to a folder, and told the world:
 * written by record.c and by drivers, read by images.h.
 *
 * A file of heads, each followed by path, path2 and data. Inodes name files;
 * paths are relative to the watched folder. */

#ifndef LOA_TEST_POWER_OPLOG_H
#define LOA_TEST_POWER_OPLOG_H

#include <stdint.h>

enum op {
    OP_CREATE = 1, /* path, ino */
    OP_WRITE,      /* ino, at, data */
    OP_TRUNC,      /* ino, at: the new length. */
    OP_SYNC,       /* ino: of a file. */
    OP_SYNC_DIR,   /* path */
    OP_SYNC_ALL,
    OP_SYNC_FAILED,     /* ino: what was not written may never be. */
    OP_SYNC_DIR_FAILED, /* path */
    OP_RENAME,          /* path, path2 */
    OP_UNLINK,          /* path */
    OP_MKDIR,           /* path */
    OP_MARK,            /* data: what the driver has to say. */
    OP_WIPED,           /* The power was cut: nothing but what follows. */
    OP_LEFT,            /* path, ino, data: a file that was left by the cut. */
};

struct op_head {
    uint32_t op;
    uint16_t path_len, path2_len;
    uint64_t ino, at;
    uint64_t len;
};

#endif /* LOA_TEST_POWER_OPLOG_H */
