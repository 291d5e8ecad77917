/* link: */
/* The attacker owns the wire, every envelope and certificate ever sent, and
 * four stolen keys: a loudspeaker's, that of a member of staff of another
 * province, a service's, and a small authority's. The input is a program that
 * takes genuine envelopes apart, bends, splices and re-signs them with the
 * stolen keys, issues certificates, and chooses when and by whom it all is
 * read.
 *
 * Properties: whatever is believed was signed, byte for byte and as that type,
 * by every key that it names; each of these keys may say this, here, now; the
 * stolen keys get nothing beyond their own rights, nor does whom they certify.
 * What nobody touched is believed. */

#include <sodium.h>

#include "loa/v1/envelope.pb-c.h"
#include "test/fuzz/network.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define STEPS_MAX 24

/* --- the attacker's workshop ---------------------------------------------- */

/* An envelope taken apart: the attacker writes each part as it likes. */
struct parts {
    uint8_t signed_bytes[SIGNED_LEN_MAX];
    size_t signed_len;
    struct loa_signature signatures[LOA_SIGNATURES_MAX + 1];
    size_t signatures_n;
    uint8_t certificates[LOA_CERTIFICATES_MAX + 1][LOA_CERTIFICATE_BYTES_MAX];
    size_t certificate_lens[LOA_CERTIFICATES_MAX + 1];
    size_t certificates_n;
};

/* The program: bytes that run out as zeros. */
struct input {
    const uint8_t *data;
    size_t len;
};

static uint8_t next(struct input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

static size_t pick(struct input *in, size_t n)
{
    return n == 0 ? 0 : next(in) % n;
}

/* Most often what could pass, so that one thing at a time is wrong. */
static size_t mostly(struct input *in, size_t good, size_t n)
{
    uint8_t b = next(in);

    return (b & 0xe0) != 0 ? good : b % n;
}

static void put_certificate(struct parts *p, size_t at, struct loa_bytes c)
{
    assert(c.len <= LOA_CERTIFICATE_BYTES_MAX);
    memcpy(p->certificates[at], c.data, c.len);
    p->certificate_lens[at] = c.len;
}

static void add_certificate(struct parts *p, struct loa_bytes c)
{
    if (p->certificates_n < N(p->certificates))
        put_certificate(p, p->certificates_n++, c);
}

static void take_apart(const struct genuine *g, struct parts *p)
{
    struct loa_bytes chain[4];
    size_t n = chain_of(g->actor, chain);

    memset(p, 0, sizeof *p);
    p->signed_len = g->signed_len;
    memcpy(p->signed_bytes, g->signed_bytes, g->signed_len);
    memcpy(p->signatures, g->signatures, sizeof g->signatures);
    p->signatures_n = g->second >= 0 ? 2 : 1;
    for (size_t i = 0; i < n; i++)
        add_certificate(p, chain[i]);
    if (g->second >= 0)
        add_certificate(p, actors[g->second].cert);
}

static const char *const areas[] = {
    "vn", "vn/08", "vn/08/070", "vn/08/070/02215", "vn/09", BOSS_AREA,
};
#define BOSS_AREA_AT 5
static const int64_t offsets_ms[] = {
    0,
    60000,
    -60000,
    3600000,
    -3600000,
    30 * WORLD_DAY_MS,
    -WORLD_DAY_MS,
    -30 * WORLD_DAY_MS,
};

/* One in two is a command; the others are every type, and what is none. */
static enum loa_type pick_type(struct input *in)
{
    uint8_t b = next(in);

    return (b & 1) != 0 ? LOA_TYPE_COMMAND : (enum loa_type)(b / 2 % 29);
}

/* Something of the attacker's own, signed by a stolen key. */
static void sign_stolen(struct input *in, struct parts *p, int a)
{
    static struct letter letter;
    struct loa_header h =
        world_header(pick_type(in), areas[mostly(in, BOSS_AREA_AT, N(areas))]);
    struct loa_signer signer = {&actors[a].key, NULL, 0};

    h.message_id[0] = 0xee;
    h.issued_at_ms += offsets_ms[mostly(in, 0, N(offsets_ms))];
    h.expires_at_ms = h.issued_at_ms + 60000 * (int64_t)mostly(in, 1, 20);
    if (loa_envelope_seal(&h, &signer, letter.bytes, sizeof letter.bytes,
                          &letter.len) != LOA_OK)
        return;
    letter_parse(&letter);
    p->signed_len = letter.e.signed_bytes.len;
    memcpy(p->signed_bytes, letter.e.signed_bytes.data, p->signed_len);
    p->signatures[0] = letter.e.signatures[0];
    p->signatures_n = 1;
}

static void add_chain(struct parts *p, int a)
{
    struct loa_bytes chain[4];
    size_t n = chain_of(a, chain);

    for (size_t i = 0; i < n; i++)
        add_certificate(p, chain[i]);
}

/* A certificate of the attacker's own making for the key of `a`: from whom and
 * for what it likes, signed by a stolen key. */
static void issue_stolen(struct input *in, struct parts *p, int a)
{
    static const uint32_t powers[] = {0, LOA_POWER_COMMAND, BOSS_POWERS,
                                      WORLD_POWERS};
    int by = (int)(POLE + mostly(in, BOSS - POLE, STOLEN_N));
    struct actor made = actors[a];

    made.c.role = (enum loa_role)(1 + mostly(in, 1, 5));
    strcpy(made.c.service, made.c.role == LOA_ROLE_SERVICE ? "scheduler" : "");
    made.c.powers = powers[mostly(in, 1, N(powers))];
    made.c.max_depth = (uint32_t)mostly(in, 0, 3);
    made.c.not_after_ms += (int64_t)mostly(in, 0, 2);
    made.c.not_before_ms -= (int64_t)mostly(in, 0, 2);
    strcpy(made.c.area, areas[mostly(in, BOSS_AREA_AT, N(areas))]);
    actor_issue(&made, &actors[by].key);
    add_certificate(p, made.cert);
    add_chain(p, by);
}

/* The fields of a genuine certificate changed under its old signature. */
static void bend_certificate(struct input *in, struct parts *p)
{
    size_t i = pick(in, p->certificates_n);
    size_t at;

    if (p->certificates_n == 0)
        return;
    at = (size_t)(next(in) << 8 | next(in)) % p->certificate_lens[i];
    p->certificates[i][at] ^= (uint8_t)(1u << pick(in, 8));
}

static void step(struct input *in, struct parts *p)
{
    const struct genuine *other = &genuine[pick(in, N(genuine))];
    size_t i, j;
    int a;

    switch (pick(in, 14)) {
        case 0: /* Bend what was signed. */
            i = (size_t)(next(in) << 8 | next(in)) % p->signed_len;
            p->signed_bytes[i] ^= (uint8_t)(1u << pick(in, 8));
            break;
        case 1: /* Cut or lengthen it. */
            i = pick(in, 4);
            if (p->signed_len + i <= SIGNED_LEN_MAX && next(in) & 1)
                p->signed_len += i;
            else if (p->signed_len > i + 1)
                p->signed_len -= i;
            break;
        case 2: /* Other words under these signatures. */
            p->signed_len = other->signed_len;
            memcpy(p->signed_bytes, other->signed_bytes, other->signed_len);
            break;
        case 3: /* Another's signature under these words. */
            p->signatures[pick(in, p->signatures_n)] = other->signatures[0];
            break;
        case 4: /* One more. */
            if (p->signatures_n < N(p->signatures))
                p->signatures[p->signatures_n++] = other->signatures[0];
            break;
        case 5: /* One less. */
            if (p->signatures_n > 0)
                p->signatures_n--;
            break;
        case 6: /* Somebody else's name on it. */
            memcpy(p->signatures[pick(in, p->signatures_n)].key,
                   actors[pick(in, ACTORS_N)].key.public_key, LOA_KEY_BYTES);
            break;
        case 7:
            i = pick(in, LOA_SIGNATURE_BYTES);
            p->signatures[0].signature[i] ^= (uint8_t)(1u << pick(in, 8));
            break;
        case 8:
            add_certificate(p, pool[pick(in, N(pool))]);
            break;
        case 9: /* Drop one; the last takes its place. */
            i = pick(in, p->certificates_n);
            if (p->certificates_n == 0)
                break;
            j = --p->certificates_n;
            if (i != j)
                put_certificate(p, i,
                                (struct loa_bytes){p->certificates[j],
                                                   p->certificate_lens[j]});
            break;
        case 10:
            bend_certificate(in, p);
            break;
        case 11: /* Speak with a stolen key and its own certificate, */
            a = POLE + (int)pick(in, STOLEN_N);
            sign_stolen(in, p, a);
            add_chain(p, a);
            break;
        case 12: /* or with one of the attacker's making and nothing else. */
            a = POLE + (int)pick(in, STOLEN_N);
            sign_stolen(in, p, a);
            p->certificates_n = 0;
            issue_stolen(in, p, a);
            break;
        default:
            issue_stolen(in, p, (int)pick(in, ACTORS_N));
            break;
    }
}

static size_t put_together(const struct parts *p, uint8_t *buf)
{
    Loa__V1__Envelope m = LOA__V1__ENVELOPE__INIT;
    Loa__V1__Signature signatures[N(p->signatures)], *refs[N(p->signatures)];
    ProtobufCBinaryData certificates[N(p->certificates)];

    for (size_t i = 0; i < p->signatures_n; i++) {
        loa__v1__signature__init(&signatures[i]);
        signatures[i].key.data = (uint8_t *)(uintptr_t)p->signatures[i].key;
        signatures[i].key.len = LOA_KEY_BYTES;
        signatures[i].signature.data =
            (uint8_t *)(uintptr_t)p->signatures[i].signature;
        signatures[i].signature.len = LOA_SIGNATURE_BYTES;
        refs[i] = &signatures[i];
    }
    for (size_t i = 0; i < p->certificates_n; i++) {
        certificates[i].data = (uint8_t *)(uintptr_t)p->certificates[i];
        certificates[i].len = p->certificate_lens[i];
    }
    m.signed_.data = (uint8_t *)(uintptr_t)p->signed_bytes;
    m.signed_.len = p->signed_len;
    m.n_signatures = p->signatures_n;
    m.signatures = refs;
    m.n_certificates = p->certificates_n;
    m.certificates = certificates;
    return loa__v1__envelope__pack(&m, buf);
}

/* --- one run -------------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    network_init();
    for (size_t i = 0; i < N(genuine); i++)
        genuine_init(&genuine[i], (uint8_t)(i + 1));
    return 0;
}

static void choose_reader(struct input *in,
                          const struct loa_envelope *e,
                          struct loa_expect *want)
{
    want->type = (enum loa_type)mostly(in, e->header.type, 29);
    want->now_ms = WORLD_NOW_MS + offsets_ms[mostly(in, 0, N(offsets_ms))];
    want->time_trusted = mostly(in, 1, 2) == 1;
    if (mostly(in, 0, 2) != 0)
        want->area = areas[pick(in, N(areas))];
    if (mostly(in, 0, 2) != 0)
        want->signer_area = areas[pick(in, N(areas))];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct letter letter;
    static struct parts parts;
    struct input in = {data, len};
    const struct genuine *g = &genuine[pick(&in, N(genuine))];
    size_t steps_n = mostly(&in, 1, STEPS_MAX), bends_n;
    struct loa_expect want = {0};
    struct loa_identity_claim who;
    enum loa_verdict v;

    take_apart(g, &parts);
    for (size_t i = 0; i < steps_n; i++)
        step(&in, &parts);
    letter.len = put_together(&parts, letter.bytes);
    bends_n = mostly(&in, 0, 4);
    for (size_t i = 0; i < bends_n; i++)
        letter.bytes[(size_t)(next(&in) << 8 | next(&in)) % letter.len] ^=
            (uint8_t)(1u << pick(&in, 8));

    loa_arena_init(&letter.arena, letter.room, sizeof letter.room);
    if (loa_envelope_parse(&letter.arena,
                           (struct loa_bytes){letter.bytes, letter.len},
                           &letter.e) != LOA_OK)
        return 0;
    choose_reader(&in, &letter.e, &want);
    v = loa_trust_verify(&trust, &letter.e, &want, &who);
    if (v == LOA_VERDICT_OK)
        check_believed(&letter.e, &want, &who);

    /* Nobody touched it, and it is read by whom it is for, in time. */
    if (steps_n == 0 && bends_n == 0 && want.type == g->header.type &&
        want.now_ms == WORLD_NOW_MS && want.time_trusted && want.area == NULL &&
        want.signer_area == NULL)
        assert(v == LOA_VERDICT_OK);
    return 0;
}
