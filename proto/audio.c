#include "proto/audio.h"

#include <assert.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"

#define CONTENT_PREFIX "loa/1/content"
#define SIGN_NAME "packet"

void loa_content_hash_init(struct loa_content_hash *h)
{
    crypto_generichash_init(&h->state, NULL, 0, LOA_HASH_BYTES);
    crypto_generichash_update(&h->state, (const uint8_t *)CONTENT_PREFIX,
                              sizeof CONTENT_PREFIX - 1);
}

void loa_content_hash_frame(struct loa_content_hash *h,
                            const uint8_t *frame,
                            size_t len)
{
    uint8_t be[2] = {(uint8_t)(len >> 8), (uint8_t)len};

    assert(len >= 1 && len <= LOA_FRAME_BYTES_MAX);
    crypto_generichash_update(&h->state, be, sizeof be);
    crypto_generichash_update(&h->state, frame, len);
}

void loa_content_hash_final(struct loa_content_hash *h,
                            uint8_t out[LOA_HASH_BYTES])
{
    crypto_generichash_final(&h->state, out, LOA_HASH_BYTES);
}

/* --- packets -------------------------------------------------------------- */

static bool frames_valid(const struct loa_packet *k)
{
    for (size_t i = 0; i < k->frames_n; i++) {
        if (k->frames[i].len < 1 || k->frames[i].len > LOA_FRAME_BYTES_MAX)
            return false;
    }
    return true;
}

static bool take_body(struct loa_packet *k, const Loa__V1__AudioPacketBody *b)
{
    if (b->stream_key.len != LOA_KEY_BYTES || b->n_frames < 1 ||
        b->n_frames > LOA_PACKET_FRAMES)
        return false;
    memcpy(k->stream_key, b->stream_key.data, LOA_KEY_BYTES);
    k->sequence = b->sequence;
    k->frames_n = b->n_frames;
    for (size_t i = 0; i < b->n_frames; i++)
        k->frames[i] = (struct loa_bytes){b->frames[i].data, b->frames[i].len};
    return frames_valid(k);
}

int loa_packet_parse(struct loa_arena *arena,
                     struct loa_bytes p,
                     struct loa_packet *k)
{
    Loa__V1__AudioPacket *outer;
    Loa__V1__AudioPacketBody *body;

    memset(k, 0, sizeof *k);
    if (p.len == 0 || p.len > LOA_PACKET_BYTES_MAX)
        return LOA_EINVAL;
    outer = loa__v1__audio_packet__unpack(&arena->allocator, p.len, p.data);
    if (outer == NULL || outer->signed_.len == 0 ||
        outer->signature.len != LOA_SIGNATURE_BYTES)
        return LOA_EINVAL;
    body = loa__v1__audio_packet_body__unpack(
        &arena->allocator, outer->signed_.len, outer->signed_.data);
    if (body == NULL)
        return LOA_EINVAL;
    k->signed_bytes =
        (struct loa_bytes){outer->signed_.data, outer->signed_.len};
    memcpy(k->signature, outer->signature.data, LOA_SIGNATURE_BYTES);
    return take_body(k, body) ? LOA_OK : LOA_EINVAL;
}

bool loa_packet_verify(const struct loa_packet *k)
{
    return loa_sign_verify(k->stream_key, SIGN_NAME, k->signed_bytes,
                           k->signature);
}

/* protobuf-c's structs have no const; packing changes nothing. */
static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static size_t pack_body(const struct loa_packet *k,
                        uint8_t buf[LOA_PACKET_BYTES_MAX])
{
    Loa__V1__AudioPacketBody b = LOA__V1__AUDIO_PACKET_BODY__INIT;
    ProtobufCBinaryData frames[LOA_PACKET_FRAMES];

    for (size_t i = 0; i < k->frames_n; i++)
        frames[i] = binary(k->frames[i].data, k->frames[i].len);
    b.stream_key = binary(k->stream_key, LOA_KEY_BYTES);
    b.sequence = k->sequence;
    b.n_frames = k->frames_n;
    b.frames = frames;
    /* Ten full frames and their tags are 4,074 bytes. */
    return loa__v1__audio_packet_body__pack(&b, buf);
}

int loa_packet_seal(struct loa_packet *k,
                    const struct loa_key *stream,
                    uint8_t *buf,
                    size_t cap,
                    size_t *len)
{
    Loa__V1__AudioPacket outer = LOA__V1__AUDIO_PACKET__INIT;
    uint8_t body[LOA_PACKET_BYTES_MAX];
    size_t body_len;

    if (k->frames_n < 1 || k->frames_n > LOA_PACKET_FRAMES || !frames_valid(k))
        return LOA_EINVAL;
    memcpy(k->stream_key, stream->public_key, LOA_KEY_BYTES);
    body_len = pack_body(k, body);
    loa_sign(stream, SIGN_NAME, (struct loa_bytes){body, body_len},
             k->signature);
    outer.signed_ = binary(body, body_len);
    outer.signature = binary(k->signature, LOA_SIGNATURE_BYTES);
    if (loa__v1__audio_packet__get_packed_size(&outer) > cap)
        return LOA_ENOSPC;
    *len = loa__v1__audio_packet__pack(&outer, buf);
    return LOA_OK;
}
