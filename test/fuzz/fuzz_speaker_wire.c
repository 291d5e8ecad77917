/* link: devices/speaker/wire.c devices/speaker/memo.c devices/speaker/ledger.c
 * devices/speaker/receipt.c devices/speaker/slot.c devices/speaker/codec.c */

/* Whatever bytes arrive or lie on the disk: readers read what is there, refuse
 * the rest, and what they accept is within its ranges. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "speaker/ledger.h"
#include "speaker/memo.h"
#include "speaker/slot.h"
#include "speaker/wire.h"
#include "test/fuzz/mutator.h"

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &loa__v1__programme__descriptor, &loa__v1__content_manifest__descriptor,
        &loa__v1__command__descriptor,   &loa__v1__head__descriptor,
        &loa__v1__ack__descriptor,       &loa__v1__registry_answer__descriptor};
    size_t i = len > 0 ? data[0] % 8 : 8;

    if (i > 4)
        return false; /* A format of the disk's, which is no protobuf. */
    return mutator_whole(len, 1, types[i + (i == 4 && chance % 2)], part);
}

static const struct mutator mutator = {.find = find};

static _Alignas(16) uint8_t scratch[512 * 1024];
static struct programme programme;
static struct ledger ledger;
static struct loa_replay replay;
static struct memo memo;

static struct loa_arena *arena(void)
{
    static struct loa_arena a;

    loa_arena_init(&a, scratch, sizeof scratch);
    return &a;
}

static void check_programme(const struct programme *p)
{
    assert(p->bulletins_n <= BULLETINS_MAX && p->pool_len <= sizeof p->pool);
    for (uint32_t i = 0; i < p->bulletins_n; i++) {
        const struct bulletin *b = &p->bulletins[i];

        assert(b->starts_n >= 1 && b->starts_n <= STARTS_MAX);
        assert(b->starts_at + b->starts_n <= p->starts_n);
        for (uint32_t k = 1; k < b->starts_n; k++)
            assert(p->starts[b->starts_at + k] >
                   p->starts[b->starts_at + k - 1]);
    }
    for (uint32_t i = 0; i < p->approvals_n; i++)
        assert(p->approvals[i].envelope.data >= p->pool &&
               p->approvals[i].envelope.data + p->approvals[i].envelope.len <=
                   p->pool + p->pool_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct loa_bytes body = {data + 1, size - 1}, payload;
    struct wire_enrolment enrolment;
    struct wire_command command;
    struct wire_head head;
    struct wire_ack ack;
    struct manifest m;
    struct receipt r;
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t n;

    if (size < 1)
        return 0;
    switch (data[0] % 8) {
        case 0:
            if (wire_programme(arena(), body, &programme) == LOA_OK)
                check_programme(&programme);
            break;
        case 1:
            if (wire_manifest(arena(), body, &m) == LOA_OK)
                assert(m.packets_n >= 1 && m.packets_n <= CONTENT_PACKETS_MAX &&
                       m.frames_n >= 1 && m.pre_skip < 48000);
            break;
        case 2:
            if (wire_command(arena(), body, &command) == LOA_OK)
                assert(command.percent <= 100 && strlen(command.device) <= 32);
            break;
        case 3:
            if (wire_head(arena(), body, &head) == LOA_OK)
                assert(head.time_ms > 0);
            break;
        case 4:
            if (wire_ack(arena(), body, &ack) != LOA_OK &&
                wire_enrolment(arena(), body, &enrolment) == LOA_OK)
                assert(enrolment.certificates_n <= LOA_CHAIN_MAX);
            break;
        case 5:
            if (slot_decode(body, &n, &payload) == LOA_OK)
                assert(payload.len + SLOT_OVERHEAD == body.len);
            break;
        case 6:
            if (memo_decode(&memo, body) == LOA_OK)
                assert(memo.versions_n <= LOA_AREA_DEPTH_MAX);
            if (memo_replay_decode(&replay, body) == LOA_OK)
                assert(replay.keys_n <= LOA_REPLAY_KEYS_MAX);
            break;
        default:
            if (ledger_decode(&ledger, body) == LOA_OK)
                assert(ledger.marks_n <= LEDGER_MARKS_MAX);
            if (body.len >= RECEIPT_RECORD_BYTES) {
                (void)!receipt_decode(body.data, &r);
                (void)!receipt_head_decode(body.data, log_id, &n);
            }
    }
    return 0;
}
