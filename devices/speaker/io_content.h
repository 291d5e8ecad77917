/* io_content.h -- contents on disk.
 *
 *     content/<hash>.part  packets in the order in which they came, each with a
 *                          check; a power cut costs the last ones at most
 *     content/<hash>       the frames in order, each behind its length (u16 big
 *                          endian): exactly what the content hash is over
 *
 * Hashing goes in slices between other work, so that a long content does not
 * keep the sound waiting. One such job at a time. */

#ifndef LOA_SPEAKER_IO_CONTENT_H
#define LOA_SPEAKER_IO_CONTENT_H

#include <stdio.h>
#include <uv.h>

#include "speaker/contents.h"
#include "speaker/io_disk.h"

#define CONTENT_NAME_CAP (2 * LOA_HASH_BYTES + 8)

/* Frames of a complete file, one after the other. */
struct frame_reader {
    int fd;
    int64_t at;
    size_t have, used;
    uint8_t buf[4096];
};
LOA_MUST_CHECK int frame_reader_open(struct frame_reader *r,
                                     const struct disk *d,
                                     const uint8_t hash[LOA_HASH_BYTES]);
void frame_reader_close(struct frame_reader *r);
/* *frame is valid until the next call. LOA_ENOENT: the end; LOA_EINVAL: not a
 * frame; LOA_ESYS: the disk. */
LOA_MUST_CHECK int frame_reader_next(struct frame_reader *r,
                                     struct loa_bytes *frame);

typedef void (*content_job_cb)(void *data, int status, uint64_t bytes);

struct content_store {
    struct disk *disk;
    struct content_part {
        bool open;
        int fd;
        int64_t end;
        uint8_t hash[LOA_HASH_BYTES];
        uint32_t packets_n;
        uint32_t offsets[CONTENT_PACKETS_MAX]; /* Plus one; 0: not there. */
    } parts[FETCHES_MAX];
    struct content_job {
        bool active, seal;
        struct content_part *part; /* SEAL */
        uint32_t next;             /* SEAL: packet. */
        FILE *to;                  /* SEAL */
        int refused;               /* SEAL: why there is no such file. */
        struct frame_reader from;  /* CHECK */
        struct loa_content_hash sum;
        uint8_t hash[LOA_HASH_BYTES];
        uint64_t bytes;
    } job;
    uv_idle_t idle;
    content_job_cb cb;
    void *data;
};

typedef void (*content_found_cb)(void *data,
                                 const uint8_t hash[LOA_HASH_BYTES],
                                 bool complete,
                                 uint64_t bytes);

/* *cs is zeroed static memory. Shows what is there. */
void content_store_open(struct content_store *cs,
                        struct disk *d,
                        uv_loop_t *loop,
                        content_found_cb found,
                        content_job_cb cb,
                        void *data);
void content_store_close(struct content_store *cs);

/* *have is lent: packets_n entries. */
LOA_MUST_CHECK int content_store_part_open(struct content_store *cs,
                                           size_t part,
                                           const uint8_t hash[LOA_HASH_BYTES],
                                           uint32_t packets_n,
                                           const uint32_t **have);
LOA_MUST_CHECK int content_store_put(struct content_store *cs,
                                     size_t part,
                                     const struct loa_packet *k);
void content_store_part_close(struct content_store *cs, size_t part);

/* Begin; cb comes later, from the loop. */
void content_store_seal(struct content_store *cs, size_t part);
void content_store_check(struct content_store *cs,
                         const uint8_t hash[LOA_HASH_BYTES]);

LOA_MUST_CHECK int content_store_delete(struct content_store *cs,
                                        const uint8_t hash[LOA_HASH_BYTES]);

#endif /* LOA_SPEAKER_IO_CONTENT_H */
