/* link: devices/speaker/programmes.c devices/speaker/wire.c
 * devices/speaker/codec.c */

/* The body of a programme that the scheduler really signed. The attacker has
 * the scheduler's key, that of an approver of another district, and every
 * approval that was ever given; the mutator signs inner envelopes with what it
 * has.
 *
 * Properties: what is taken apart is within its ranges and lies in its pool; a
 * bulletin that may be said is of a content that an honest approver signed, and
 * until then. */

#include "test/fuzz/mutator.h"
#include "test/unit/speaker/town.h"

#define HONEST_N 3

static struct town town;
static struct person thief;
static struct town_content contents[HONEST_N], evil;
static struct loa_trust trust;
static struct programmes ps;
static unsigned said_n; /* Bulletins that could be said. */

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    (void)data;
    (void)chance;
    return mutator_whole(len, 0, &loa__v1__programme__descriptor, part);
}

/* Bulletins of honest contents, of one that expires, and of a stranger's that
 * the thief has approved. */
static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    static struct letter sealed, own;
    static _Alignas(16) uint8_t room[4 * LOA_ENVELOPE_BYTES_MAX];
    struct town_bulletin b[4];
    struct loa_arena arena;
    struct loa_envelope e;
    int rv;

    town.ids = 0;
    town_approval(&town, &evil, &(struct twist){.by = &thief}, T0, &own);
    for (size_t i = 0; i < 4; i++)
        b[i] = (struct town_bulletin){
            (uint8_t)(i + 1),
            (enum bulletin_class)(1 + (chance >> i) % 2),
            i < HONEST_N ? &contents[i] : &evil,
            {T0 + (int64_t)(i + 1) * MINUTE, T0 + (int64_t)(i + 1) * HOUR},
            i < HONEST_N ? NULL : &own,
            false};
    town_programme(&town, NULL, 1 + chance % 9, b, 1 + chance / 16 % 4, NULL,
                   T0, &sealed);
    loa_arena_init(&arena, room, sizeof room);
    rv = loa_envelope_parse(&arena, (struct loa_bytes){sealed.data, sealed.len},
                            &e);
    assert(rv == LOA_OK && e.header.body.len <= cap);
    memcpy(out, e.header.body.data, e.header.body.len);
    return e.header.body.len;
}

static struct mutator_key keys[2];
static const struct mutator mutator = {find, seed, keys, 2};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is genuine can be said: else this harness would look at nothing. */
static void check_sees(void)
{
    static uint8_t genuine[LOA_ENVELOPE_BYTES_MAX];

    LLVMFuzzerTestOneInput(genuine, seed(0, genuine, sizeof genuine));
    assert(said_n > 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    town_init(&town);
    person_make(&thief, &town.province, 77, LOA_ROLE_STAFF, "thief",
                "vn/08/071", "", LOA_POWER_CONTENT_APPROVE);
    for (uint8_t i = 0; i < HONEST_N; i++)
        town_content(&contents[i], (uint8_t)(i + 1), 40);
    town_content(&evil, 66, 40);
    keys[0] = (struct mutator_key){&town.scheduler.key, NULL, 0};
    keys[1] = (struct mutator_key){&thief.key, NULL, 0};
    loa_trust_init(&trust, town.root.key.public_key);
    check_sees();
    return 0;
}

static void check_bulletins(const struct programme *p)
{
    assert(p->bulletins_n <= BULLETINS_MAX);
    assert(p->starts_n <= sizeof p->starts / sizeof p->starts[0]);
    for (uint32_t i = 0; i < p->bulletins_n; i++) {
        const struct bulletin *b = &p->bulletins[i];

        assert(b->starts_n >= 1 && b->starts_n <= STARTS_MAX);
        assert(b->starts_at + b->starts_n <= p->starts_n);
        for (uint32_t k = 1; k < b->starts_n; k++)
            assert(p->starts[b->starts_at + k] >
                   p->starts[b->starts_at + k - 1]);
    }
}

static void check_inside(const struct programme *p, struct loa_bytes b)
{
    assert(b.data >= p->pool && b.data + b.len <= p->pool + p->pool_len);
}

static void check_pool(const struct programme *p)
{
    assert(p->pool_len <= sizeof p->pool);
    assert(p->approvals_n <= APPROVALS_MAX);
    assert(p->certificates_n <= PROGRAMME_CERTIFICATES_MAX);
    for (uint32_t i = 0; i < p->approvals_n; i++)
        check_inside(p, p->approvals[i].envelope);
    for (uint32_t i = 0; i < p->certificates_n; i++)
        check_inside(p, p->certificates[i]);
}

/* An honest approver signed these bytes, so the manifest is what it was. */
static void check_approved(const struct bulletin *b, const struct manifest *m)
{
    size_t i = 0;

    while (i < HONEST_N &&
           memcmp(b->hash, contents[i].m.hash, LOA_HASH_BYTES) != 0)
        i++;
    assert(i < HONEST_N);
    assert(memcmp(m->hash, b->hash, LOA_HASH_BYTES) == 0);
    assert(memcmp(m->stream_key, contents[i].m.stream_key, LOA_KEY_BYTES) == 0);
    assert(m->packets_n == contents[i].m.packets_n);
    assert(m->frames_n == contents[i].m.frames_n);
    assert(m->expires_at_ms == T0 + 7 * DAY);
}

static void judge_all(const struct programme *p, int64_t at_ms)
{
    static _Alignas(16) uint8_t scratch[4 * LOA_ENVELOPE_BYTES_MAX];
    struct judge j = {&trust, OWN, at_ms, true, scratch, sizeof scratch};
    struct manifest m;

    for (uint32_t i = 0; i < p->bulletins_n && i < 8; i++) {
        if (programme_judge(p, &p->bulletins[i], &j, &m) != NULL)
            continue;
        assert(at_ms < T0 + 7 * DAY);
        check_approved(&p->bulletins[i], &m);
        said_n++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static _Alignas(16) uint8_t room[512 * 1024];
    struct loa_envelope e = {.header = {.type = LOA_TYPE_PROGRAMME,
                                        .area = OWN,
                                        .expires_at_ms = T0 + DAY,
                                        .body = {data, len}}};
    struct loa_identity_claim who = {.certificate = town.scheduler.leaf};
    struct loa_arena arena;
    const struct programme *p;

    if (len > LOA_ENVELOPE_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < town.scheduler.certificates_n; i++)
        e.certificates[e.certificates_n++] = town.scheduler.certificates[i];
    programmes_init(&ps);
    loa_arena_init(&arena, room, sizeof room);
    if (programmes_stage(&ps, &arena, &e, &who, e.header.body) != LOA_OK)
        return 0;
    p = programmes_adopt(&ps, OWN);
    assert(programmes_find(&ps, OWN) == p);
    check_bulletins(p);
    check_pool(p);
    judge_all(p, T0 + MINUTE);
    judge_all(p, T0 + 8 * DAY);
    return 0;
}
