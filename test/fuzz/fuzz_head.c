/* link: devices/speaker/wire.c devices/speaker/codec.c */

/* The bodies of the small messages that a loudspeaker reads: head, command,
 * acknowledgement, the answer to an enrolment. The first byte says which.
 * Properties: what is read is within its ranges, and says what another reading
 * of the same bytes says. */

#include <sodium.h>

#include "proto/trust.h"
#include "speaker/wire.h"
#include "test/fuzz/mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &loa__v1__head__descriptor, &loa__v1__command__descriptor,
        &loa__v1__ack__descriptor, &loa__v1__registry_answer__descriptor};

    (void)chance;
    return len > 0 && mutator_whole(len, 1, types[data[0] % 4], part);
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    static uint8_t hash[LOA_HASH_BYTES] = {1};
    Loa__V1__Head m = LOA__V1__HEAD__INIT;

    (void)cap;
    m.time_ms = 1790000000000;
    m.programme_version = chance % 5;
    m.programme_hash = (ProtobufCBinaryData){sizeof hash, hash};
    if (chance & 1)
        m.nonce = (ProtobufCBinaryData){WIRE_NONCE_BYTES, hash};
    out[0] = (uint8_t)(chance >> 8);
    return 1 + (out[0] % 4 == 0 ? loa__v1__head__pack(&m, out + 1) : 0);
}

static const struct mutator mutator = {.find = find, .seed = seed};

static void check_head(struct loa_bytes p, const struct wire_head *h)
{
    Loa__V1__Head *m = loa__v1__head__unpack(NULL, p.len, p.data);

    assert(m != NULL && h->time_ms > 0 && m->time_ms == h->time_ms);
    assert(m->programme_version == h->programme_version);
    assert(m->revocation_number == h->revocation_number);
    assert(m->programme_hash.len == (h->hash_known ? LOA_HASH_BYTES : 0));
    assert(m->nonce.len == (h->nonce_known ? WIRE_NONCE_BYTES : 0));
    loa__v1__head__free_unpacked(m, NULL);
}

static void check_command(struct loa_bytes p, const struct wire_command *c)
{
    Loa__V1__Command *m = loa__v1__command__unpack(NULL, p.len, p.data);

    assert(m != NULL && strcmp(m->device, c->device) == 0);
    assert(c->device[0] == '\0' || loa_principal_valid(c->device));
    if (c->what == WIRE_SET_VOLUME) {
        assert(m->what_case == LOA__V1__COMMAND__WHAT_SET_VOLUME);
        assert(c->percent <= 100 && c->percent == m->set_volume->percent);
    } else {
        assert(m->what_case == LOA__V1__COMMAND__WHAT_STOP);
        assert(m->stop->bulletin_id.len ==
               (c->bulletin_known ? LOA_ID_BYTES : 0));
    }
    loa__v1__command__free_unpacked(m, NULL);
}

static void check_enrolment(const struct wire_enrolment *n)
{
    assert(n->certificates_n <= LOA_CHAIN_MAX);
    assert(memchr(n->why, 0, sizeof n->why) != NULL);
    assert(!n->granted || n->certificates_n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static _Alignas(16) uint8_t room[256 * 1024];
    struct loa_bytes p = {data + 1, len - 1};
    struct loa_arena arena;
    struct wire_head head;
    struct wire_command command;
    struct wire_ack ack;
    struct wire_enrolment enrolment;

    if (len < 1)
        return 0;
    loa_arena_init(&arena, room, sizeof room);
    switch (data[0] % 4) {
        case 0:
            if (wire_head(&arena, p, &head) == LOA_OK)
                check_head(p, &head);
            break;
        case 1:
            if (wire_command(&arena, p, &command) == LOA_OK)
                check_command(p, &command);
            break;
        case 2:
            (void)!wire_ack(&arena, p, &ack);
            break;
        default:
            if (wire_enrolment(&arena, p, &enrolment) == LOA_OK)
                check_enrolment(&enrolment);
    }
    return 0;
}
