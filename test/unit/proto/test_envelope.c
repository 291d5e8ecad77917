/* Envelopes: there and back, and whatever is not well formed is refused. */

#include <sodium.h>

#include "check.h"
#include "loa/v1/envelope.pb-c.h"
#include "world.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct letter letter, other;
static _Alignas(max_align_t) uint8_t room[4 * LOA_ENVELOPE_BYTES_MAX + 8192];

static int parse(struct loa_bytes p, struct loa_envelope *e)
{
    struct loa_arena arena;

    loa_arena_init(&arena, room, 4 * p.len + 8192);
    return loa_envelope_parse(&arena, p, e);
}

/* --- there and back ------------------------------------------------------- */

static void test_round(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");
    const struct loa_header *g = &letter.e.header;

    world_init(&w);
    h.counter = UINT64_MAX;
    world_seal(&w, &h, &letter);
    CHECK_INT("type", g->type, h.type);
    CHECK_INT("area", strcmp(g->area, h.area), 0);
    CHECK_INT("id", memcmp(g->message_id, h.message_id, LOA_ID_BYTES), 0);
    CHECK_INT("counter", g->counter == UINT64_MAX, 1);
    CHECK_INT("issued", g->issued_at_ms, h.issued_at_ms);
    CHECK_INT("expires", g->expires_at_ms, h.expires_at_ms);
    CHECK_INT("body", g->body.len, 4);
    CHECK_INT("body", memcmp(g->body.data, "body", 4), 0);
    CHECK_INT("signatures", letter.e.signatures_n, 1);
    CHECK_INT("certificates", letter.e.certificates_n, 3);
    CHECK_INT("leaf first",
              memcmp(letter.e.certificates[0].data, w.signer.cert.data,
                     w.signer.cert.len),
              0);
    CHECK_INT("signed",
              loa_sign_verify(w.signer.key.public_key, "command",
                              letter.e.signed_bytes,
                              letter.e.signatures[0].signature),
              1);
}

static void test_strip(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_APPROVAL, "vn/08/070");
    size_t len;

    world_init(&w);
    world_seal(&w, &h, &letter);
    letter_cosign(&letter, &w.second);
    CHECK_INT("strip",
              loa_envelope_strip(&letter.e, other.bytes, sizeof other.bytes,
                                 &other.len),
              LOA_OK);
    letter_parse(&other);
    CHECK_INT("certificates", other.e.certificates_n, 0);
    CHECK_INT("signatures", other.e.signatures_n, 2);
    CHECK_INT("same",
              memcmp(other.e.signatures, letter.e.signatures,
                     sizeof other.e.signatures),
              0);
    CHECK_INT("signed bytes", other.e.signed_bytes.len,
              letter.e.signed_bytes.len);
    CHECK_INT("signed bytes",
              memcmp(other.e.signed_bytes.data, letter.e.signed_bytes.data,
                     other.e.signed_bytes.len),
              0);
    CHECK_INT("no room",
              loa_envelope_strip(&letter.e, letter.bytes, other.len - 1, &len),
              LOA_ENOSPC);
}

static void test_self_signed(void)
{
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_ENROL, LOA_ENROL_AREA);

    world_init(&w);
    letter_seal(&letter, &h, &w.signer.key, NULL, 0);
    CHECK_INT("own key", loa_envelope_self_signed(&letter.e), 1);
    letter.e.signatures[0].key[0] ^= 1;
    CHECK_INT("another key", loa_envelope_self_signed(&letter.e), 0);
    letter_seal(&letter, &h, &w.signer.key, &w.signer.cert, 1);
    CHECK_INT("with a certificate", loa_envelope_self_signed(&letter.e), 0);
    letter_seal(&letter, &h, &w.signer.key, NULL, 0);
    letter_cosign(&letter, &w.second);
    letter.e.certificates_n = 0;
    CHECK_INT("two keys", loa_envelope_self_signed(&letter.e), 0);
}

/* --- what is not sealed --------------------------------------------------- */

static int seal(const struct loa_header *h, size_t certificates_n, size_t cap)
{
    static struct loa_bytes certificates[LOA_CERTIFICATES_MAX + 1];
    struct loa_key k;
    struct loa_signer s = {&k, certificates, certificates_n};

    world_key(&k, 9);
    for (size_t i = 0; i < N(certificates); i++)
        certificates[i] = (struct loa_bytes){(const uint8_t *)"cert", 4};
    return loa_envelope_seal(h, &s, letter.bytes, cap, &letter.len);
}

static void test_seal(void)
{
    static uint8_t body[LOA_ENVELOPE_BYTES_MAX + 1];
    const struct loa_header good = world_header(LOA_TYPE_PROGRAMME, "vn");
    struct loa_header h = good;
    size_t cap = sizeof letter.bytes;

    CHECK_INT("good", seal(&h, LOA_CERTIFICATES_MAX, cap), LOA_OK);
    CHECK_INT("exact", seal(&h, 8, letter.len), LOA_OK);
    CHECK_INT("one less", seal(&h, 8, letter.len - 1), LOA_ENOSPC);
    CHECK_INT("certificates", seal(&h, LOA_CERTIFICATES_MAX + 1, cap),
              LOA_EINVAL);
    h.type = LOA_TYPE_CERTIFICATE;
    CHECK_INT("certificate", seal(&h, 0, cap), LOA_EINVAL);
    h.type = LOA_TYPE_PACKET;
    CHECK_INT("packet", seal(&h, 0, cap), LOA_EINVAL);
    h.type = (enum loa_type)12;
    CHECK_INT("no type", seal(&h, 0, cap), LOA_EINVAL);
    h = good;
    strcpy(h.area, "vn/");
    CHECK_INT("area", seal(&h, 0, cap), LOA_EINVAL);
    h = good;
    h.issued_at_ms = -1;
    CHECK_INT("before 1970", seal(&h, 0, cap), LOA_EINVAL);
    h = good;
    h.expires_at_ms = 0;
    CHECK_INT("no end", seal(&h, 0, cap), LOA_EINVAL);
    h = good;
    h.expires_at_ms = h.issued_at_ms;
    CHECK_INT("no time", seal(&h, 0, cap), LOA_EINVAL);

    h = good;
    h.body = (struct loa_bytes){body, LOA_ENVELOPE_BYTES_MAX + 1};
    CHECK_INT("body alone is too long", seal(&h, 0, cap), LOA_ENOSPC);
    h.body.len = LOA_ENVELOPE_BYTES_MAX;
    CHECK_INT("signed is too long", seal(&h, 0, cap), LOA_ENOSPC);
    h.body.len = LOA_ENVELOPE_BYTES_MAX - 100;
    CHECK_INT("all is too long", seal(&h, 0, cap), LOA_ENOSPC);
    h.body.len = LOA_ENVELOPE_BYTES_MAX - 200;
    CHECK_INT("long", seal(&h, 0, cap), LOA_OK);
    letter_parse(&letter);
    CHECK_INT("long", letter.e.header.body.len, LOA_ENVELOPE_BYTES_MAX - 200);
    CHECK_INT("long",
              parse((struct loa_bytes){letter.bytes, letter.len}, &other.e),
              LOA_OK);
}

/* --- what is not parsed --------------------------------------------------- */

/* An Envelope and a Signed as protobuf-c has them, to be bent in one place. */
struct bent {
    Loa__V1__Envelope e;
    Loa__V1__Signed s;
    Loa__V1__Signature signature[3];
    Loa__V1__Signature *refs[3];
    ProtobufCBinaryData certificates[LOA_CERTIFICATES_MAX + 1];
};

static void bent_init(struct bent *b)
{
    static uint8_t bytes[LOA_CERTIFICATE_BYTES_MAX + 1] = {1};

    loa__v1__envelope__init(&b->e);
    loa__v1__signed__init(&b->s);
    b->s.type = LOA__V1__TYPE__TYPE_COMMAND;
    b->s.area = "vn";
    b->s.message_id = (ProtobufCBinaryData){LOA_ID_BYTES, bytes};
    b->s.issued_at_ms = 1;
    b->s.expires_at_ms = 2;
    for (size_t i = 0; i < N(b->signature); i++) {
        loa__v1__signature__init(&b->signature[i]);
        b->signature[i].key = (ProtobufCBinaryData){LOA_KEY_BYTES, bytes};
        b->signature[i].signature =
            (ProtobufCBinaryData){LOA_SIGNATURE_BYTES, bytes};
        b->refs[i] = &b->signature[i];
    }
    for (size_t i = 0; i < N(b->certificates); i++)
        b->certificates[i] = (ProtobufCBinaryData){4, bytes};
    b->e.signatures = b->refs;
    b->e.n_signatures = 1;
    b->e.certificates = b->certificates;
}

static int bent_parse(struct bent *b)
{
    uint8_t inside[1024], out[4096];
    struct loa_envelope e;

    b->e.signed_.data = inside;
    b->e.signed_.len = loa__v1__signed__pack(&b->s, inside);
    return parse((struct loa_bytes){out, loa__v1__envelope__pack(&b->e, out)},
                 &e);
}

#define WITH(field, value, rv)                            \
    do {                                                  \
        struct bent b;                                    \
        bent_init(&b);                                    \
        b.e.n_certificates = 1;                           \
        b.field = value;                                  \
        CHECK_INT(#field " " #value, bent_parse(&b), rv); \
    } while (0)

#define LONG_AREA                                                      \
    "0123456789012345678901234567890123456789012345678901234567890123" \
    "0123456789012345678901234567890123456789012345678901234567890123456789"

static void test_fields(void)
{
    WITH(s.type, LOA__V1__TYPE__TYPE_COMMAND, LOA_OK);
    WITH(s.type, LOA__V1__TYPE__TYPE_UNSPECIFIED, LOA_EINVAL);
    WITH(s.type, LOA__V1__TYPE__TYPE_CERTIFICATE, LOA_EINVAL);
    WITH(s.type, LOA__V1__TYPE__TYPE_PACKET, LOA_EINVAL);
    WITH(s.type, (Loa__V1__Type)12, LOA_EINVAL);
    WITH(s.type, (Loa__V1__Type)19, LOA_EINVAL);
    WITH(s.type, (Loa__V1__Type)28, LOA_EINVAL);
    WITH(s.type, (Loa__V1__Type)-1, LOA_EINVAL);
    WITH(s.area, "", LOA_EINVAL);
    WITH(s.area, "vn/+", LOA_EINVAL);
    WITH(s.area, LONG_AREA, LOA_EINVAL);
    WITH(s.area, LONG_AREA "89", LOA_EINVAL);
    WITH(s.message_id.len, 0, LOA_EINVAL);
    WITH(s.message_id.len, 15, LOA_EINVAL);
    WITH(s.message_id.len, 17, LOA_EINVAL);
    WITH(s.issued_at_ms, 0, LOA_OK);
    WITH(s.issued_at_ms, -1, LOA_EINVAL);
    WITH(s.issued_at_ms, 2, LOA_EINVAL);
    WITH(s.expires_at_ms, 0, LOA_EINVAL);
    WITH(s.expires_at_ms, -1, LOA_EINVAL);
    WITH(e.n_signatures, 0, LOA_EINVAL);
    WITH(e.n_signatures, 2, LOA_OK);
    WITH(e.n_signatures, 3, LOA_EINVAL);
    WITH(signature[0].key.len, 31, LOA_EINVAL);
    WITH(signature[0].key.len, 33, LOA_EINVAL);
    WITH(signature[0].signature.len, 63, LOA_EINVAL);
    WITH(e.n_certificates, 0, LOA_OK);
    WITH(e.n_certificates, LOA_CERTIFICATES_MAX, LOA_OK);
    WITH(e.n_certificates, LOA_CERTIFICATES_MAX + 1, LOA_EINVAL);
    WITH(certificates[0].len, 0, LOA_EINVAL);
    WITH(certificates[0].len, LOA_CERTIFICATE_BYTES_MAX, LOA_OK);
    WITH(certificates[0].len, LOA_CERTIFICATE_BYTES_MAX + 1, LOA_EINVAL);
}

static void test_bytes(void)
{
    static uint8_t junk[LOA_ENVELOPE_BYTES_MAX + 1];
    static const uint8_t no_signed[] = {0x12, 0};
    struct world w;
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");
    struct loa_envelope e;
    struct loa_arena tiny;
    struct loa_bytes p;
    size_t cap;
    int rv;

    world_init(&w);
    world_seal(&w, &h, &letter);
    p = (struct loa_bytes){letter.bytes, letter.len};
    CHECK_INT("empty", parse((struct loa_bytes){p.data, 0}, &e), LOA_EINVAL);
    CHECK_INT("too long", parse((struct loa_bytes){junk, sizeof junk}, &e),
              LOA_EINVAL);
    CHECK_INT("no signed", parse((struct loa_bytes){no_signed, 2}, &e),
              LOA_EINVAL);
    memset(letter.bytes + 2, 0xff, 8);
    CHECK_INT("signed is none", parse(p, &e), LOA_EINVAL);

    world_seal(&w, &h, &letter);
    /* Each room too small says so, up to the first that is enough. */
    for (cap = 0, rv = LOA_ENOSPC; rv == LOA_ENOSPC; cap += 16) {
        loa_arena_init(&tiny, room, cap);
        rv = loa_envelope_parse(&tiny, p, &e);
    }
    CHECK_INT("enough", rv, LOA_OK);
    CHECK_INT("enough", cap > p.len && cap < 4 * p.len + 8192, 1);
    for (size_t len = 1; len < p.len; len++) {
        struct loa_bytes cut = {letter.bytes, len};
        /* Cut between two certificates it is an envelope with fewer. */
        if (parse(cut, &e) == LOA_OK)
            CHECK_INT("cut", e.certificates_n < 3, 1);
    }
}

static void test_names(void)
{
    CHECK_INT("login", strcmp(loa_type_name(LOA_TYPE_LOGIN), "login"), 0);
    CHECK_INT(
        "answer",
        strcmp(loa_type_name(LOA_TYPE_TELEMETRY_ANSWER), "telemetry_answer"),
        0);
    CHECK_INT("0", loa_type_name(0) == NULL, 1);
    CHECK_INT("-1", loa_type_name(-1) == NULL, 1);
    CHECK_INT("12", loa_type_name(12) == NULL, 1);
    CHECK_INT("28", loa_type_name(28) == NULL, 1);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_round();
    test_strip();
    test_self_signed();
    test_seal();
    test_fields();
    test_bytes();
    test_names();
    return CHECK_DONE();
}
