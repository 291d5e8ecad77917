/* sync.h -- the registry's AreaSync, from and to protobuf. Pure; io_sync.h asks
 * and stores. */

#ifndef LOA_SCHEDULER_SYNC_H
#define LOA_SCHEDULER_SYNC_H

#include "proto/arena.h"
#include "scheduler/scheduler.h"

#define SYNC_ROWS_MAX 1024
#define SYNC_CURSOR_CAP 256
#define SYNC_TEXT_CAP 256
#define SYNC_REQUEST_MAX 512

struct sync_area {
    struct scheduler_area area;
    char code[SYNC_TEXT_CAP];
    char name[SYNC_TEXT_CAP];
    int tier;
    uint64_t version;
};

struct sync_page {
    struct sync_area rows[SYNC_ROWS_MAX];
    uint32_t rows_n;
    uint64_t version;           /* Of the tree. */
    char next[SYNC_CURSOR_CAP]; /* "": this was the last page. */
};

/* An encoded RegistryRequest; returns its length. */
size_t sync_request(uint64_t since,
                    const char *after,
                    uint8_t buf[SYNC_REQUEST_MAX]);

/* Read an encoded RegistryAnswer. LOA_EACCES: the registry refuses, why is its
 * sentence; LOA_EINVAL: malformed, or more rows than a page may have. */
LOA_MUST_CHECK int sync_answer(struct loa_arena *arena,
                               struct loa_bytes body,
                               struct sync_page *page,
                               char why[SAY_CAP]);

#endif /* LOA_SCHEDULER_SYNC_H */
