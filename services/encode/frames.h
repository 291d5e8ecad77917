/* frames.h -- the .loaframes container: one content as bare Opus frames.
 *
 * The one reader and writer of the format that loa-encode leaves behind and
 * content-ingest cuts into packets. Works on memory alone; who calls it does
 * the I/O. A reader trusts nothing: the file may come from a worker that a
 * hostile recording has taken over. All integers are big-endian:
 *
 *    0  6  magic "LOAF1\0"
 *    6  2  version, 1
 *    8  4  sample rate in Hz, 48000
 *   12  1  channels, 1
 *   13  1  frame length in ms, 20
 *   14  2  pre_skip: samples a decoder drops from the start (encoder delay)
 *   16  4  frames_n
 *   20  4  duration_samples: real sound, after pre_skip, without the padding
 *          that fills the last frame
 *   24     frames_n times: u16 length, one Opus packet of that many bytes
 *
 * Nothing follows the last frame, and frames_n is exactly what pre_skip and
 * duration_samples need. The content hash is that of the frames alone
 * (loa_content_hash in proto/audio.h). */

#ifndef LOA_ENCODE_FRAMES_H
#define LOA_ENCODE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "proto/audio.h"

#define FRAMES_MAGIC "LOAF1"
#define FRAMES_VERSION 1
#define FRAMES_HEADER_LEN 24
#define FRAMES_LEN_LEN 2 /* The length in front of each frame. */
#define FRAMES_CHANNELS 1
#define FRAMES_PRE_SKIP_MAX (4 * LOA_FRAME_SAMPLES)
#define FRAMES_DURATION_S_MAX 18000 /* 5 h: no bulletin is longer. */
#define FRAMES_N_MAX (FRAMES_DURATION_S_MAX * 1000 / LOA_FRAME_MS + 4)

struct frames_header {
    uint32_t frames_n;         /* 1..FRAMES_N_MAX */
    uint32_t duration_samples; /* At 48 kHz, 1.. */
    uint16_t pre_skip;         /* Samples, 0..FRAMES_PRE_SKIP_MAX. */
};

/* Frames that so many samples need, the encoder's delay included. */
uint32_t frames_needed(uint32_t duration_samples, uint16_t pre_skip);

/* Write the header into out, FRAMES_HEADER_LEN bytes. The header must be one
 * that frames_header_get() accepts. */
void frames_header_put(uint8_t *out, const struct frames_header *h);

/* Write the length that goes in front of a frame, FRAMES_LEN_LEN bytes. */
void frames_len_put(uint8_t *out, size_t frame_len);

/* Read a header from the first len bytes of a file.
 * LOA_EINVAL: not this format, or a value that loa-encode never writes. */
LOA_MUST_CHECK int frames_header_get(struct frames_header *h,
                                     const uint8_t *buf,
                                     size_t len);

/* Whether this is one frame as loa-encode makes them: an Opus packet that holds
 * a single mono frame of 20 ms (RFC 6716, section 3.1). LOA_EINVAL if not. */
LOA_MUST_CHECK int frames_frame_check(const uint8_t *frame, size_t frame_len);

/* Walks over the frames of a whole file in memory, which is lent until the
 * walk is over. */
struct frames_reader {
    struct frames_header header;
    const uint8_t *at; /* Next unread byte. */
    size_t left;       /* Bytes from there. */
    uint32_t frames_left;
};

/* Start a walk. LOA_EINVAL as frames_header_get(). */
LOA_MUST_CHECK int frames_open(struct frames_reader *r,
                               const uint8_t *buf,
                               size_t len);

/* The next frame; it lies in the caller's buffer.
 * LOA_ENOENT: that was all, and the file ends where it should.
 * LOA_EINVAL: cut off, not an Opus frame, or bytes after the last frame. */
LOA_MUST_CHECK int frames_next(struct frames_reader *r,
                               const uint8_t **frame,
                               size_t *frame_len);

#endif /* LOA_ENCODE_FRAMES_H */
