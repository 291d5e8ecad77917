/* link: devices/speaker/agenda.c devices/speaker/chance.c
 * devices/speaker/codec.c devices/speaker/contents.c
 * devices/speaker/contents_wire.c devices/speaker/ledger.c
 * devices/speaker/memo.c devices/speaker/player.c devices/speaker/programmes.c
 * devices/speaker/receipt.c devices/speaker/receipts.c devices/speaker/slot.c
 * devices/speaker/speaker.c devices/speaker/speaker_hear.c
 * devices/speaker/speaker_command.c
 * devices/speaker/speaker_ops.c devices/speaker/speaker_tell.c
 * devices/speaker/speaker_turns.c devices/speaker/walltime.c
 * devices/speaker/wire.c */

/* Every key but the approvers' is the attacker's: the bytes are bodies that are
 * signed as the type says, a packet, an envelope as it stands, a kill, or time
 * that passes. The core must stay sane, and silent: nobody has approved
 * anything. */

#include "../unit/speaker/world.h"
#include "test/fuzz/mutator.h"

static struct town town;
static struct world w;
static struct letter l;

/* What a row of give() speaks of; see there. */
static const ProtobufCMessageDescriptor *body_type(uint8_t what)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &loa__v1__programme__descriptor,  &loa__v1__head__descriptor,
        &loa__v1__head__descriptor,       &loa__v1__command__descriptor,
        &loa__v1__trust_list__descriptor, &loa__v1__ack__descriptor};

    if (what < 0xc0)
        return types[what % 6];
    return what < 0xd0 ? &loa__v1__audio_packet__descriptor
                       : &loa__v1__envelope__descriptor;
}

/* One of the operations that carry a message. */
static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    size_t at = 0, n = 0;

    while (at < len) {
        uint8_t what = data[at++];
        size_t body;

        if (what >= 0xe0)
            continue;
        if (len - at < 2)
            break;
        body = (size_t)(data[at] << 8 | data[at + 1]);
        at += 2;
        if (body > len - at)
            body = len - at;
        n++;
        if (chance % n == 0)
            *part = (struct mutator_part){body_type(what), at, body, LEN_BIG};
        at += body;
    }
    return n > 0;
}

static size_t put(uint8_t *out, uint8_t what, const uint8_t *body, size_t len)
{
    out[0] = what;
    out[1] = (uint8_t)(len >> 8);
    out[2] = (uint8_t)len;
    memcpy(out + 3, body, len);
    return 3 + len;
}

/* A programme without approval, the head that goes with it, time to play it. */
static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    static struct letter sealed;
    static _Alignas(16) uint8_t room[4 * LOA_ENVELOPE_BYTES_MAX];
    static struct town_content content;
    struct loa_arena arena;
    struct loa_envelope e;
    int64_t at_ms = world_at_ms(&w);
    struct town_bulletin b = {1, 0, &content, {at_ms + 3 * SECOND}, NULL, true};
    uint64_t version = (uint64_t)at_ms + chance % 1000;
    size_t len = 0;
    int rv;

    if (content.m.frames_n == 0)
        town_content(&content, 1, 40);
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            town_programme(&town, NULL, version, &b, 1, NULL, at_ms, &sealed);
        else
            town_head(&town, NULL, at_ms, version, NULL, NULL, &sealed);
        loa_arena_init(&arena, room, sizeof room);
        rv = loa_envelope_parse(
            &arena, (struct loa_bytes){sealed.data, sealed.len}, &e);
        assert(rv == LOA_OK && e.header.body.len + 3 + len < cap);
        len +=
            put(out + len, (uint8_t)i, e.header.body.data, e.header.body.len);
    }
    town_packet(&content, (uint32_t)(chance % 4), NULL, &sealed);
    len += put(out + len, 0xc0, sealed.data, sealed.len);
    out[len++] = 0xf7;
    return len;
}

static struct mutator_key keys[5];
static const struct mutator mutator = {find, seed, keys, 5};

static void keys_init(void)
{
    const struct person *who[] = {&town.scheduler, &town.registry,
                                  &town.commander, &town.collector};
    static struct loa_key stream;
    static const uint8_t bytes[32] = {1, 0xc0}; /* As town_content() has it. */

    loa_key_from_seed(&stream, bytes);
    keys[0] = (struct mutator_key){&stream, NULL, 0};
    for (size_t i = 0; i < 4; i++)
        keys[i + 1] = (struct mutator_key){&who[i]->key, who[i]->certificates,
                                           who[i]->certificates_n};
}

static size_t take(const uint8_t **data, size_t *size, uint8_t *out, size_t max)
{
    size_t n = *size >= 2 ? (size_t)((*data)[0] << 8 | (*data)[1]) : 0;

    if (*size < 2)
        return 0;
    *data += 2;
    *size -= 2;
    n = n < *size ? n : *size;
    n = n < max ? n : max;
    memcpy(out, *data, n);
    *data += n;
    *size -= n;
    return n;
}

static void give(uint8_t what, const uint8_t *body, size_t len)
{
    static const struct {
        const char *kind;
        enum loa_type type;
        bool to_me;
    } rows[] = {
        {"programme", LOA_TYPE_PROGRAMME, false},
        {"head", LOA_TYPE_HEAD, false},
        {"head", LOA_TYPE_HEAD, true},
        {"command", LOA_TYPE_COMMAND, false},
        {"trust", LOA_TYPE_TRUST, false},
        {"ack", LOA_TYPE_ACK, true},
    };
    const struct person *by[] = {&town.scheduler, &town.scheduler,
                                 &town.scheduler, &town.commander,
                                 &town.registry,  &town.collector};
    size_t i = what % (sizeof rows / sizeof rows[0]);
    struct twist t = {.area = rows[i].type == LOA_TYPE_TRUST ? "vn/08" : OWN,
                      .valid_ms = MINUTE,
                      .counter = (uint64_t)world_at_ms(&w) * 1000 + what};

    seal(&town, rows[i].type, by[i], (struct loa_bytes){body, len}, &t,
         world_at_ms(&w), &l);
    world_give(&w, rows[i].kind, t.area, rows[i].to_me, &l, what & 0x80);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    town_init(&town);
    keys_init();
    world_init(&w, &town);
    world_boot(&w, NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t body[8192];

    /* One life for all inputs: they may build on each other. */
    if (!w.running)
        world_boot(&w, NULL);
    if (!w.connected)
        world_connect(&w);
    w.acking = false;
    while (size > 1) {
        uint8_t what = *data;
        size_t len;

        data++, size--;
        if (what < 0xc0) {
            len = take(&data, &size, body, sizeof body);
            give(what, body, len);
        } else if (what < 0xd0) {
            l.len = take(&data, &size, l.data, 4000);
            world_give(&w, "content", NULL, false, &l, false);
        } else if (what < 0xe0) {
            l.len = take(&data, &size, l.data, 8000);
            world_give(&w, "programme", NULL, false, &l, true);
        } else if (what < 0xf8) {
            world_run(&w, world_at_ms(&w) + 1 + (what - 0xe0) * 250);
        } else {
            world_kill(&w);
            world_boot(&w, NULL);
            world_connect(&w);
        }
    }
    assert(w.plays_n == 0);
    /* The disk of the world is finite, and so are the certificates. */
    if (w.all_n > WORLD_RECEIPTS_MAX / 2 || world_at_ms(&w) > T0 + 30 * DAY) {
        world_kill(&w);
        world_init(&w, &town);
    }
    return 0;
}
