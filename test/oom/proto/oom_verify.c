/* Memory runs out while a message is read and judged: nothing is believed that
 * would not have been, a list of revocations is taken whole or not at all, and
 * with memory back everything is as if nothing had been. */

#include <sodium.h>

#include "loa/v1/envelope.pb-c.h"
#include "proto/audio.h"
#include "test/oom/oom.h"
#include "world.h"

static struct world world;
static struct loa_trust trust, before;
static struct letter command, two, list, forged;
static uint8_t packet[LOA_PACKET_BYTES_MAX];
static size_t packet_len;

/* --- what is read --------------------------------------------------------- */

static void prepare_letters(void)
{
    static uint8_t body[4096];
    Loa__V1__TrustList m = LOA__V1__TRUST_LIST__INIT;
    Loa__V1__Revocation r = LOA__V1__REVOCATION__INIT, *refs[] = {&r, &r};
    uint64_t serials[] = {4, 5, 6};
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");

    world_seal(&world, &h, &command);
    world_seal(&world, &h, &two);
    letter_cosign(&two, &world.second);
    forged = command;
    letter_parse(&forged);
    forged.bytes[forged.len / 3] ^= 1;
    r.issuer.data = world.province.key.public_key;
    r.issuer.len = LOA_KEY_BYTES;
    r.floor_serial = 2;
    r.serials = serials;
    r.n_serials = 3;
    m.number = 5;
    m.revocations = refs;
    m.n_revocations = 1;
    h = world_header(LOA_TYPE_TRUST, "vn/08/070");
    h.body = (struct loa_bytes){body, loa__v1__trust_list__pack(&m, body)};
    world_seal(&world, &h, &list);
}

static void prepare_packet(void)
{
    static const uint8_t frame[60] = {0x78};
    struct loa_packet k = {.sequence = 3, .frames_n = LOA_PACKET_FRAMES};
    int rv;

    for (size_t i = 0; i < k.frames_n; i++)
        k.frames[i] = (struct loa_bytes){frame, sizeof frame};
    rv = loa_packet_seal(&k, &world.signer.key, packet, sizeof packet,
                         &packet_len);
    assert(rv == LOA_OK);
}

/* --- the cases ------------------------------------------------------------ */

static int parse(struct letter *l)
{
    loa_arena_init(&l->arena, l->room, sizeof l->room);
    return loa_envelope_parse(&l->arena, (struct loa_bytes){l->bytes, l->len},
                              &l->e);
}

static enum loa_verdict judge(struct letter *l)
{
    struct loa_expect want = {.type = LOA_TYPE_COMMAND,
                              .area = "vn/08/070/02215",
                              .now_ms = WORLD_NOW_MS,
                              .time_trusted = true};
    struct loa_identity_claim who;

    if (parse(l) != LOA_OK)
        return LOA_VERDICT_MALFORMED;
    return loa_trust_verify(&trust, &l->e, &want, &who);
}

static void run_verify(bool may_fail)
{
    enum loa_verdict v;
    bool was;

    trust.cache.n = 0;
    v = judge(&command);
    assert(v == LOA_VERDICT_OK || may_fail);
    was = oom_pause();
    assert(judge(&command) == LOA_VERDICT_OK);
    oom_resume(was);
}

/* The second signature is put under the parsed envelope: judge() would lose
 * it. */
static void run_two_signers(bool may_fail)
{
    struct loa_expect want = {
        .type = LOA_TYPE_COMMAND, .now_ms = WORLD_NOW_MS, .time_trusted = true};
    enum loa_verdict v;

    trust.cache.n = 0;
    v = loa_trust_verify(&trust, &two.e, &want, NULL);
    assert(v == LOA_VERDICT_OK || may_fail);
}

static void run_forged(bool may_fail)
{
    (void)may_fail;
    trust.cache.n = 0;
    assert(judge(&forged) != LOA_VERDICT_OK);
}

static void run_chain(bool may_fail)
{
    struct loa_bytes chain[] = {world.province.cert, world.signer.cert,
                                world.commune.cert};
    struct loa_certificate leaf;
    enum loa_verdict v;

    trust.cache.n = 0;
    v = loa_trust_chain(&trust, world.signer.key.public_key, chain, 3,
                        WORLD_NOW_MS, true, &leaf);
    assert(v == LOA_VERDICT_OK || may_fail);
}

static void run_revocations(bool may_fail)
{
    enum loa_verdict v = LOA_VERDICT_MALFORMED;

    trust.revoked.number = 0;
    trust.revoked.entries_n = 0;
    before.revoked = trust.revoked;
    if (parse(&list) == LOA_OK)
        v = loa_trust_update(&trust, &list.e, WORLD_NOW_MS, true);
    assert(v == LOA_VERDICT_OK || may_fail);
    if (v == LOA_VERDICT_OK)
        assert(trust.revoked.number == 5 && trust.revoked.serials_n == 3);
    else
        assert(memcmp(&before.revoked, &trust.revoked, sizeof trust.revoked) ==
               0);
    trust.revoked.number = 0;
    trust.revoked.entries_n = 0;
}

static void run_packet(bool may_fail)
{
    static _Alignas(16) uint8_t room[2 * LOA_PACKET_BYTES_MAX + 1024];
    struct loa_arena arena;
    struct loa_packet k;
    int rv;

    loa_arena_init(&arena, room, sizeof room);
    rv = loa_packet_parse(&arena, (struct loa_bytes){packet, packet_len}, &k);
    assert(rv == LOA_OK || may_fail);
    if (rv == LOA_OK)
        assert(loa_packet_verify(&k) && k.frames_n == LOA_PACKET_FRAMES);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    if (sodium_init() < 0)
        return 1;
    world_init(&world);
    actor_init(&world.second, 5, "hoa", LOA_ROLE_STAFF, "vn/08/070");
    actor_issue(&world.second, &world.commune.key);
    world.signer.c.powers |= LOA_POWER_REVOKE;
    world.signer.c.role = LOA_ROLE_SERVICE;
    strcpy(world.signer.c.service, "registry");
    actor_issue(&world.signer, &world.commune.key);
    loa_trust_init(&trust, world.root.public_key);
    prepare_letters();
    prepare_packet();
    oom_case("verify a command", run_verify);
    oom_case("verify two signatures", run_two_signers);
    oom_case("refuse a forgery", run_forged);
    oom_case("judge a chain", run_chain);
    oom_case("take a list of revocations", run_revocations);
    oom_case("read a packet", run_packet);
    return oom_report("verify");
}
