/* Packets there and back; the content hash against its definition. */

#include <stddef.h>
#include <string.h>

#include "check.h"
#include "loa/v1/content.pb-c.h"
#include "proto/audio.h"

static uint8_t frame[LOA_FRAME_BYTES_MAX + 1];
static _Alignas(max_align_t) uint8_t room[2 * LOA_PACKET_BYTES_MAX + 1024];

static int parse(struct loa_bytes p, struct loa_packet *k)
{
    struct loa_arena arena;

    loa_arena_init(&arena, room, 2 * p.len + 1024);
    return loa_packet_parse(&arena, p, k);
}

static void packet_init(struct loa_packet *k, size_t frames_n, size_t len)
{
    memset(k, 0, sizeof *k);
    k->sequence = UINT32_MAX;
    k->frames_n = frames_n;
    for (size_t i = 0; i < frames_n && i < LOA_PACKET_FRAMES; i++)
        k->frames[i] = (struct loa_bytes){frame, len};
}

static void check_round(const char *name,
                        const struct loa_key *stream,
                        size_t frames_n,
                        size_t frame_len)
{
    uint8_t buf[LOA_PACKET_BYTES_MAX];
    struct loa_packet k, back;
    size_t len;

    packet_init(&k, frames_n, frame_len);
    CHECK_INT(name, loa_packet_seal(&k, stream, buf, sizeof buf, &len), LOA_OK);
    CHECK_INT(name, parse((struct loa_bytes){buf, len}, &back), LOA_OK);
    CHECK_INT(name, loa_packet_verify(&back), 1);
    CHECK_INT(name, memcmp(back.stream_key, stream->public_key, LOA_KEY_BYTES),
              0);
    CHECK_INT(name, back.sequence, UINT32_MAX);
    CHECK_INT(name, back.frames_n, frames_n);
    for (size_t i = 0; i < back.frames_n; i++) {
        CHECK_INT(name, back.frames[i].len, frame_len);
        CHECK_INT(name, memcmp(back.frames[i].data, frame, frame_len), 0);
    }
    CHECK_INT(name, loa_packet_seal(&k, stream, buf, len - 1, &len),
              LOA_ENOSPC);
    back.signature[0] ^= 1;
    CHECK_INT(name, loa_packet_verify(&back), 0);
    back.signature[0] ^= 1;
    back.stream_key[0] ^= 1;
    CHECK_INT(name, loa_packet_verify(&back), 0);
}

static void test_round(const struct loa_key *stream)
{
    check_round("one byte", stream, 1, 1);
    check_round("a usual one", stream, 10, 60);
    check_round("the longest", stream, 10, LOA_FRAME_BYTES_MAX);
}

static void test_not_sealed(const struct loa_key *stream)
{
    uint8_t buf[LOA_PACKET_BYTES_MAX];
    struct loa_packet k;
    size_t len;

    packet_init(&k, 0, 1);
    CHECK_INT("no frames", loa_packet_seal(&k, stream, buf, sizeof buf, &len),
              LOA_EINVAL);
    packet_init(&k, LOA_PACKET_FRAMES + 1, 1);
    CHECK_INT("11 frames", loa_packet_seal(&k, stream, buf, sizeof buf, &len),
              LOA_EINVAL);
    packet_init(&k, 1, 0);
    CHECK_INT("empty frame", loa_packet_seal(&k, stream, buf, sizeof buf, &len),
              LOA_EINVAL);
    packet_init(&k, 1, LOA_FRAME_BYTES_MAX + 1);
    CHECK_INT("long frame", loa_packet_seal(&k, stream, buf, sizeof buf, &len),
              LOA_EINVAL);
}

/* --- what is not parsed --------------------------------------------------- */

struct bent {
    Loa__V1__AudioPacket p;
    Loa__V1__AudioPacketBody b;
    ProtobufCBinaryData frames[LOA_PACKET_FRAMES + 1];
};

static void bent_init(struct bent *k)
{
    loa__v1__audio_packet__init(&k->p);
    loa__v1__audio_packet_body__init(&k->b);
    k->b.stream_key = (ProtobufCBinaryData){LOA_KEY_BYTES, frame};
    k->b.n_frames = 1;
    k->b.frames = k->frames;
    for (size_t i = 0; i <= LOA_PACKET_FRAMES; i++)
        k->frames[i] = (ProtobufCBinaryData){9, frame};
    k->p.signature = (ProtobufCBinaryData){LOA_SIGNATURE_BYTES, frame};
}

static int bent_parse(struct bent *k)
{
    uint8_t body[LOA_PACKET_BYTES_MAX], out[LOA_PACKET_BYTES_MAX];
    struct loa_packet packet;

    k->p.signed_.data = body;
    k->p.signed_.len = loa__v1__audio_packet_body__pack(&k->b, body);
    return parse(
        (struct loa_bytes){out, loa__v1__audio_packet__pack(&k->p, out)},
        &packet);
}

#define WITH(field, value, rv)                               \
    do {                                                     \
        struct bent bent;                                    \
        bent_init(&bent);                                    \
        bent.field = value;                                  \
        CHECK_INT(#field " " #value, bent_parse(&bent), rv); \
    } while (0)

static void test_fields(void)
{
    static uint8_t long_packet[LOA_PACKET_BYTES_MAX + 1];
    static const uint8_t no_body[] = {0x0a, 1, 0xff, 0x12, LOA_SIGNATURE_BYTES};
    uint8_t buf[sizeof no_body + LOA_SIGNATURE_BYTES] = {0};
    struct loa_packet k;

    WITH(b.n_frames, 1, LOA_OK);
    WITH(b.n_frames, 0, LOA_EINVAL);
    WITH(b.n_frames, LOA_PACKET_FRAMES, LOA_OK);
    WITH(b.n_frames, LOA_PACKET_FRAMES + 1, LOA_EINVAL);
    WITH(b.stream_key.len, 31, LOA_EINVAL);
    WITH(frames[0].len, 0, LOA_EINVAL);
    WITH(frames[0].len, LOA_FRAME_BYTES_MAX, LOA_OK);
    WITH(frames[0].len, LOA_FRAME_BYTES_MAX + 1, LOA_EINVAL);
    WITH(p.signature.len, 63, LOA_EINVAL);
    CHECK_INT("empty", parse((struct loa_bytes){frame, 0}, &k), LOA_EINVAL);
    CHECK_INT("too long",
              parse((struct loa_bytes){long_packet, sizeof long_packet}, &k),
              LOA_EINVAL);
    CHECK_INT("no packet", parse((struct loa_bytes){frame, 3}, &k), LOA_EINVAL);
    memcpy(buf, no_body, sizeof no_body);
    CHECK_INT("no body", parse((struct loa_bytes){buf, sizeof buf}, &k),
              LOA_EINVAL);
    CHECK_INT("nothing signed",
              parse((struct loa_bytes){buf + 3, sizeof buf - 3}, &k),
              LOA_EINVAL);
}

static void test_hash(void)
{
    static const char text[] = "loa/1/content\0\001a\001\004";
    uint8_t all[sizeof text - 1 + 260], ours[LOA_HASH_BYTES],
        want[LOA_HASH_BYTES];
    struct loa_content_hash h;

    memcpy(all, text, sizeof text - 1);
    memset(all + sizeof text - 1, 'b', 260);
    loa_hash((struct loa_bytes){all, sizeof all}, want);
    loa_content_hash_init(&h);
    loa_content_hash_frame(&h, (const uint8_t *)"a", 1);
    loa_content_hash_frame(&h, all + sizeof text - 1, 260);
    loa_content_hash_final(&h, ours);
    CHECK_INT("as written", memcmp(ours, want, sizeof ours), 0);
}

int main(void)
{
    uint8_t seed[32] = {3};
    struct loa_key stream;

    if (sodium_init() < 0)
        return 1;
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 7 + 1);
    loa_key_from_seed(&stream, seed);
    test_round(&stream);
    test_not_sealed(&stream);
    test_fields();
    test_hash();
    return CHECK_DONE();
}
