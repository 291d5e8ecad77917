/* link: */
/* Properties: an envelope that parses is well formed throughout; stripped of
 * its certificates it parses to the same signed bytes and signatures; its
 * header sealed anew parses to the same header. */

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "test/fuzz/mutator.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ROOM (4 * LOA_ENVELOPE_BYTES_MAX + 8192)

static struct loa_key key;

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    (void)data;
    (void)chance;
    return mutator_whole(len, 0, &loa__v1__envelope__descriptor, part);
}

/* With any message that an envelope may hold, empty: the mutator fills it. */
static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    struct loa_header h = {.type = (enum loa_type)(chance % 28),
                           .area = "vn/08",
                           .expires_at_ms = 1};
    struct loa_signer signer = {&key, NULL, 0};
    size_t len = 0;

    return loa_envelope_seal(&h, &signer, out, cap, &len) == LOA_OK ? len : 0;
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

/* In room for exactly what the header promises to be enough. */
static int parse(struct loa_bytes p, uint8_t *room, struct loa_envelope *e)
{
    struct loa_arena arena;

    loa_arena_init(&arena, room, 4 * p.len + 8192);
    return loa_envelope_parse(&arena, p, e);
}

static bool bytes_equal(struct loa_bytes a, struct loa_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void check_header(const struct loa_header *h)
{
    assert(loa_type_name((int)h->type) != NULL);
    assert(h->type != LOA_TYPE_CERTIFICATE && h->type != LOA_TYPE_PACKET);
    assert(loa_area_valid(h->area));
    assert(h->issued_at_ms >= 0 && h->expires_at_ms > h->issued_at_ms);
}

static void check_same_header(const struct loa_header *a,
                              const struct loa_header *b)
{
    assert(a->type == b->type && strcmp(a->area, b->area) == 0);
    assert(memcmp(a->message_id, b->message_id, LOA_ID_BYTES) == 0);
    assert(a->counter == b->counter && a->issued_at_ms == b->issued_at_ms);
    assert(a->expires_at_ms == b->expires_at_ms);
    assert(bytes_equal(a->body, b->body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static _Alignas(max_align_t) uint8_t room[ROOM], room_back[ROOM];
    static uint8_t buf[LOA_ENVELOPE_BYTES_MAX];
    struct loa_envelope e, back;
    struct loa_signer signer = {&key, e.certificates, 0};
    size_t buf_len;

    if (parse((struct loa_bytes){data, len}, room, &e) != LOA_OK)
        return 0;
    check_header(&e.header);
    assert(e.signatures_n >= 1 && e.signatures_n <= LOA_SIGNATURES_MAX);
    assert(e.certificates_n <= LOA_CERTIFICATES_MAX);

    assert(loa_envelope_strip(&e, buf, sizeof buf, &buf_len) == LOA_OK);
    assert(parse((struct loa_bytes){buf, buf_len}, room_back, &back) == LOA_OK);
    assert(bytes_equal(back.signed_bytes, e.signed_bytes));
    assert(back.signatures_n == e.signatures_n && back.certificates_n == 0);
    assert(memcmp(back.signatures, e.signatures, sizeof e.signatures) == 0);

    signer.certificates_n = e.certificates_n;
    assert(loa_envelope_seal(&e.header, &signer, buf, sizeof buf, &buf_len) ==
           LOA_OK);
    assert(parse((struct loa_bytes){buf, buf_len}, room_back, &back) == LOA_OK);
    check_same_header(&back.header, &e.header);
    assert(back.certificates_n == e.certificates_n);
    for (size_t i = 0; i < e.certificates_n; i++)
        assert(bytes_equal(back.certificates[i], e.certificates[i]));
    assert(!loa_envelope_self_signed(&back) || back.certificates_n == 0);
    return 0;
}
