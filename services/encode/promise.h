/* promise.h -- does a sound file hold all that its header promises?
 *
 * Decoders silently shorten a WAV, AIFF, AU or Matroska file that was cut off,
 * and an Ogg file has no length at all: a bulletin would stop in mid-sentence
 * and nobody would know. FLAC and most MP3 promise a number of samples, which
 * is compared after reading them (io_sound.c). */

#ifndef LOA_ENCODE_PROMISE_H
#define LOA_ENCODE_PROMISE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

/* A file to look into. at() copies up to n bytes from an offset and returns how
 * many there were. */
struct promise_file {
    size_t (*at)(void *data, uint64_t offset, uint8_t *buf, size_t n);
    void *data;
    uint64_t size; /* Bytes. */
};

/* Chunks looked at before the sound; a file with more of them is unknown. */
#define PROMISE_CHUNKS_MAX 256

/* LOA_OK: whole, or of a kind that promises nothing here.
 * LOA_ESTALE: cut off; *want is the size that the file should have, 0 when only
 * its end is missing. */
LOA_MUST_CHECK int promise_check(const struct promise_file *f, uint64_t *want);

#endif /* LOA_ENCODE_PROMISE_H */
