/* io_export.h -- contents as Ogg Opus files, made once and handed out in
 * pieces.
 *
 *     packets -> frames file -> loa-encode export -> file in the work directory
 *
 * One is made at a time; the last EXPORTS_MAX are kept as long as we run. */

#ifndef LOA_CONTENT_IO_EXPORT_H
#define LOA_CONTENT_IO_EXPORT_H

#include <limits.h>
#include <uv.h>

#include "common/pg.h"
#include "common/rpc.h"
#include "content-ingest/io_worker.h"
#include "content-ingest/packets.h"
#include "content-ingest/stats.h"

#define EXPORTS_MAX 16
#define EXPORT_WAITERS_MAX 16 /* Askers of one file while it is made. */
#define EXPORT_READS_MAX 16   /* Pieces being read. */
#define EXPORT_PIECE_LEN 48000
#define EXPORT_PAGE_PACKETS 256
#define EXPORT_TIMEOUT_MS 600000

struct exports;

struct export
{
    enum { EXPORT_FREE, EXPORT_QUEUED, EXPORT_MAKING, EXPORT_READY } state;
    uint8_t hash[LOA_HASH_BYTES];
    uint64_t used; /* Rises: which was asked for last. */
    uint8_t stream_key[LOA_KEY_BYTES];
    uint32_t packets_n;
    struct frames_header header;
    char title[256], date[16];
    char path[PATH_MAX];
    uint64_t size; /* READY */
    struct {
        struct rpc_call *call;
        uint64_t offset;
    } waiters[EXPORT_WAITERS_MAX];
    size_t waiters_n;
    bool forget; /* The content was deleted meanwhile. */
};

struct exports {
    uv_loop_t *loop;
    struct pg *pg;
    struct stats *stats;
    const char *encoder, *work_dir;
    struct export exports[EXPORTS_MAX];
    uint64_t used;
    /* The one being made: */
    struct export *making; /* NULL: none. */
    char frames_path[PATH_MAX];
    int fd; /* -1: not open. */
    uv_fs_t fs;
    bool writing;
    uint8_t *page;
    size_t page_len;
    uint64_t at;   /* Bytes written. */
    uint32_t next; /* Next packet to read. */
    struct worker worker;
    struct loa_arena arena;
    _Alignas(16) uint8_t memory[16384];
    struct exports_read {
        struct exports *exports;
        struct rpc_call *call; /* NULL: free. */
        uv_fs_t fs;
        int fd;
        uint64_t offset, size;
        uint8_t data[EXPORT_PIECE_LEN];
    } reads[EXPORT_READS_MAX];
    struct exports_slot {
        struct exports *exports;
        struct rpc_call *call;
        uint8_t hash[LOA_HASH_BYTES];
        uint64_t offset;
    } slots[RPC_CALLS_MAX];
    bool closed;
};

/* Prepare statements, remove what is left of an earlier run: blocking. The work
 * directory is there. */
LOA_MUST_CHECK int exports_open(struct exports *s);

/* Answer with a piece; it may take as long as making the file does. */
void exports_request(struct exports *s,
                     struct rpc_call *call,
                     const uint8_t hash[LOA_HASH_BYTES],
                     uint64_t offset);

/* The content was deleted: so is its file. */
void exports_forget(struct exports *s, const uint8_t hash[LOA_HASH_BYTES]);

void exports_close(struct exports *s);

#endif /* LOA_CONTENT_IO_EXPORT_H */
