/* link: */
/* Properties: a packet that parses, in the room promised to be enough, can be
 * sealed by any stream key and parses to the same frames; only the packet that
 * was sealed verifies. */

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "proto/audio.h"
#include "test/fuzz/mutator.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ROOM (2 * LOA_PACKET_BYTES_MAX + 1024)

static struct loa_key key;

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    (void)data;
    (void)chance;
    return mutator_whole(len, 0, &loa__v1__audio_packet__descriptor, part);
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    static const uint8_t frame[LOA_FRAME_BYTES_MAX] = {0x78};
    struct loa_packet k = {.sequence = (uint32_t)chance,
                           .frames_n = 1 + chance % LOA_PACKET_FRAMES};
    size_t len = 0;
    int rv;

    for (size_t i = 0; i < k.frames_n; i++)
        k.frames[i] = (struct loa_bytes){frame, 1 + chance % 60};
    rv = loa_packet_seal(&k, &key, out, cap, &len);
    assert(rv == LOA_OK);
    return len;
}

static const struct mutator_key keys[] = {{&key, NULL, 0}};
static const struct mutator mutator = {find, seed, keys, 1};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t seed[32] = {1};

    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    loa_key_from_seed(&key, seed);
    return 0;
}

static int parse(struct loa_bytes p, uint8_t *room, struct loa_packet *k)
{
    struct loa_arena arena;

    loa_arena_init(&arena, room, 2 * p.len + 1024);
    return loa_packet_parse(&arena, p, k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static _Alignas(max_align_t) uint8_t room[ROOM], room_back[ROOM];
    uint8_t buf[LOA_PACKET_BYTES_MAX];
    struct loa_packet k, back;
    size_t buf_len;

    if (parse((struct loa_bytes){data, len}, room, &k) != LOA_OK)
        return 0;
    assert(k.frames_n >= 1 && k.frames_n <= LOA_PACKET_FRAMES);
    (void)loa_packet_verify(&k);

    assert(loa_packet_seal(&k, &key, buf, sizeof buf, &buf_len) == LOA_OK);
    assert(parse((struct loa_bytes){buf, buf_len}, room_back, &back) == LOA_OK);
    assert(loa_packet_verify(&back));
    assert(back.sequence == k.sequence && back.frames_n == k.frames_n);
    for (size_t i = 0; i < k.frames_n; i++) {
        assert(back.frames[i].len >= 1);
        assert(back.frames[i].len <= LOA_FRAME_BYTES_MAX);
        assert(back.frames[i].len == k.frames[i].len);
        assert(memcmp(back.frames[i].data, k.frames[i].data, k.frames[i].len) ==
               0);
    }

    /* One bit of what was signed, or of the signature, or of the key. */
    buf[data[0] % buf_len] ^= (uint8_t)(1u << (len & 7));
    if (parse((struct loa_bytes){buf, buf_len}, room_back, &back) == LOA_OK)
        assert(!loa_packet_verify(&back));
    return 0;
}
