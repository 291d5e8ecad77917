/* packets.h -- Opus frames become signed packets and a content hash.
 *
 * The stream key is made for one content, signs its packets and is wiped: what
 * was not signed then can never be signed as part of it. Pure: frames lie in
 * memory, so do the packets. */

#ifndef LOA_CONTENT_PACKETS_H
#define LOA_CONTENT_PACKETS_H

#include "encode/frames.h"
#include "proto/audio.h"

struct packets {
    struct frames_reader reader;
    struct loa_key stream; /* The secret is zero after packets_close(). */
    struct loa_content_hash hash;
    uint32_t packets_n; /* Sealed so far; the next one's sequence. */
    uint32_t frames_n;
    uint64_t bytes; /* Of all frames so far. */
    bool ended;
};

/* Start on a whole .loaframes file, lent until packets_close(). seed: 32 random
 * bytes, wiped by the caller. LOA_EINVAL: not such a file. */
LOA_MUST_CHECK int packets_open(struct packets *k,
                                const uint8_t *file,
                                size_t len,
                                const uint8_t seed[32]);

/* Seal the next packet into buf[LOA_PACKET_BYTES_MAX]. LOA_ENOENT: that was
 * all, the file ended as it should. LOA_EINVAL: the file is malformed, or a
 * frame is longer than devices take. */
LOA_MUST_CHECK int packets_next(struct packets *k, uint8_t *buf, size_t *len);

/* The content hash, once packets_next() has said LOA_ENOENT. */
void packets_hash(struct packets *k, uint8_t out[LOA_HASH_BYTES]);

/* Wipe the key. Harmless when repeated. */
void packets_close(struct packets *k);

/* The way back: append the frames of an encoded AudioPacket to out[cap] as a
 * .loaframes file has them. LOA_EINVAL: not a packet; LOA_ENOSPC. */
LOA_MUST_CHECK int packets_unpack(struct loa_arena *arena,
                                  struct loa_bytes packet,
                                  uint8_t *out,
                                  size_t cap,
                                  size_t *len);

/* The header of that file. The manifest knows the length in whole ms; this
 * finds a number of samples that goes with it and with the frames. False: none
 * does. */
bool packets_header(uint32_t frames_n,
                    uint32_t duration_ms,
                    uint32_t pre_skip,
                    struct frames_header *h);

#endif /* LOA_CONTENT_PACKETS_H */
