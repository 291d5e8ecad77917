/* codec.h -- small integers and bytes to and from a buffer, little endian.
 *
 * One function serves both directions, so what is written is what is read: a
 * record is described once. The first thing that does not fit makes the codec
 * bad, and from then on it does nothing. */

#ifndef LOA_SPEAKER_CODEC_H
#define LOA_SPEAKER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec {
    uint8_t *data; /* Not written to when reading. */
    size_t cap;
    size_t at;
    bool writing;
    bool bad;
};

struct codec codec_writer(uint8_t *data, size_t cap);
struct codec codec_reader(const uint8_t *data, size_t len);

void codec_bytes(struct codec *c, void *p, size_t len);
void codec_u8(struct codec *c, uint8_t *v);
void codec_u32(struct codec *c, uint32_t *v);
void codec_u64(struct codec *c, uint64_t *v);
void codec_i64(struct codec *c, int64_t *v);

#endif /* LOA_SPEAKER_CODEC_H */
