/* audio.h -- framing of sound: packets, content hash. No codec here. */

#ifndef LOA_PROTO_AUDIO_H
#define LOA_PROTO_AUDIO_H

#include <sodium.h>

#include "proto/arena.h"
#include "proto/key.h"

#define LOA_RATE_HZ 48000
#define LOA_FRAME_MS 20
#define LOA_FRAME_SAMPLES 960
#define LOA_FRAME_BYTES_MAX 400 /* One Opus frame: up to 160 kbit/s. */
#define LOA_PACKET_FRAMES 10    /* 200 ms. */
#define LOA_PACKET_BYTES_MAX 4352

/* The content hash, frame by frame. See ContentManifest.content_hash. */
struct loa_content_hash {
    crypto_generichash_state state;
};
void loa_content_hash_init(struct loa_content_hash *h);
/* len is 1..LOA_FRAME_BYTES_MAX. */
void loa_content_hash_frame(struct loa_content_hash *h,
                            const uint8_t *frame,
                            size_t len);
void loa_content_hash_final(struct loa_content_hash *h,
                            uint8_t out[LOA_HASH_BYTES]);

struct loa_packet {
    uint8_t stream_key[LOA_KEY_BYTES];
    uint32_t sequence;
    size_t frames_n; /* 1..LOA_PACKET_FRAMES. */
    struct loa_bytes frames[LOA_PACKET_FRAMES];
    struct loa_bytes signed_bytes;
    uint8_t signature[LOA_SIGNATURE_BYTES];
};

/* LOA_EINVAL: malformed. Fields lie in the arena (2 * len + 1,024 bytes). The
 * signature is not checked. */
LOA_MUST_CHECK int loa_packet_parse(struct loa_arena *arena,
                                    struct loa_bytes p,
                                    struct loa_packet *k);

/* Is the packet signed by the stream key it names? The caller compares that
 * key with the one in an approved manifest or a grant. */
bool loa_packet_verify(const struct loa_packet *k);

/* Sign and write an encoded AudioPacket. k->stream_key is set from the key. */
LOA_MUST_CHECK int loa_packet_seal(struct loa_packet *k,
                                   const struct loa_key *stream,
                                   uint8_t *buf,
                                   size_t cap,
                                   size_t *len);

#endif /* LOA_PROTO_AUDIO_H */
