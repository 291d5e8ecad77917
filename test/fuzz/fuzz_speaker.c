/* link: devices/speaker/agenda.c devices/speaker/chance.c
 * devices/speaker/codec.c devices/speaker/contents.c
 * devices/speaker/contents_wire.c devices/speaker/ledger.c
 * devices/speaker/memo.c devices/speaker/player.c devices/speaker/programmes.c
 * devices/speaker/receipt.c devices/speaker/receipts.c devices/speaker/slot.c
 * devices/speaker/speaker.c devices/speaker/speaker_hear.c
 * devices/speaker/speaker_ops.c devices/speaker/speaker_tell.c
 * devices/speaker/speaker_turns.c devices/speaker/walltime.c
 * devices/speaker/wire.c */

/* Every key but the approvers' is the attacker's: the bytes are bodies that are
 * signed as the type says, a packet, an envelope as it stands, a kill, or time
 * that passes. The core must stay sane, and silent: nobody has approved
 * anything. */

#include "../unit/speaker/world.h"

static struct town town;
static struct world w;
static struct letter l;

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t body[8192];
    static bool ready;

    if (!ready) {
        ready = sodium_init() >= 0;
        town_init(&town);
        world_init(&w, &town);
        world_boot(&w, NULL);
    }
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
    /* The disk of the world is finite. */
    if (w.all_n > WORLD_RECEIPTS_MAX / 2) {
        world_kill(&w);
        world_init(&w, &town);
    }
    return 0;
}
