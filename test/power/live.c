/* live DIR LIFE SEED, live identity PATH -- one life of a loudspeaker on a real
 * folder, to be recorded by record.so: programmes, lists, commands, contents,
 * sounds, receipts; what it promises the world is marked in the record. It ends
 * where the recorder stops it, or in good order. */

#include "proto/io/identity_file.h"
#include "test/power/box.h"
#include "test/power/dice.h"
#include "test/power/mark.h"

#define STEPS 45
#define PREFILL                                                  \
    960 /* Receipts of the first life, so that some are trimmed. \
         */

void power_mark(const void *data, size_t len) __attribute__((weak));

static uint64_t version_of[2], trust_number;
static int life;

static void box_says(enum says what,
                     const char *text,
                     struct loa_bytes body,
                     uint64_t number)
{
    static uint8_t buf[MARK_BYTES_MAX];
    struct mark m = {
        .what = (uint8_t)what, .at_ms = box_at_ms(), .number = number};

    if (what == SAYS_WRONG) {
        fprintf(stderr, "wrong: %s\n", text);
        _exit(1);
    }
    if (power_mark == NULL || what == SAYS_NOTE)
        return;
    snprintf(m.text, sizeof m.text, "%s", text);
    power_mark(buf, mark_put(buf, &m, body));
}

/* What the disk has, before anybody acts on it. */
static void say_read(void)
{
    static const char *const slots[] = {"memo", "replay", "ledger"};
    static const char *const files[] = {"trust", "programme-vn.08.070.02215",
                                        "programme-vn.08"};
    struct loa_bytes body;

    for (size_t i = 0; i < 3; i++) {
        if (disk_slot_read(&box.disk, slots[i], &body) != LOA_OK)
            body.len = 0;
        box_says(SAYS_READ, slots[i], body, 0);
    }
    for (size_t i = 0; i < 3; i++) {
        if (disk_file_read(&box.disk, files[i], &body) != LOA_OK)
            body.len = 0;
        box_says(SAYS_READ, files[i], body, 0);
    }
}

static void prefill(void)
{
    static struct receipt rows[PREFILL];
    static const uint8_t id[LOA_ID_BYTES] = {0xf1};
    struct receipt_log log;

    if (receipt_log_open(&log, &box.disk,
                         &(struct receipt_log_ids){.fresh = id}, box_recall,
                         NULL) != LOA_OK)
        exit(1);
    box_says(SAYS_LOG, "", (struct loa_bytes){log.log_id, LOA_ID_BYTES}, 1);
    for (size_t i = 0; i < PREFILL; i++) {
        rows[i].sequence = i + 1;
        rows[i].event = RECEIPT_COMMAND;
        memcpy(rows[i].bulletin_id, &i, sizeof i);
        rows[i].at_us = T0 * 1000;
    }
    if (receipt_log_append(&log, rows, PREFILL) != LOA_OK)
        exit(1);
    box_says(SAYS_STORED, "", (struct loa_bytes){(uint8_t *)rows, sizeof rows},
             PREFILL);
    receipt_log_close(&log);
}

static void give_programme(int which)
{
    static struct letter l;
    struct town_bulletin rows[4];
    size_t n = 1 + chance_of(4);
    int64_t at_ms = box_at_ms();

    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < n; i++) {
        rows[i].id = (uint8_t)(1 + chance_of(250));
        rows[i].content = &contents[chance_of(BOX_CONTENTS)];
        for (size_t k = 0; k < 4; k++) {
            at_ms += 2500 + (int64_t)chance_of(9000);
            rows[i].starts[k] = at_ms;
        }
    }
    version_of[which] = (uint64_t)box_at_ms();
    town_programme(&town, which == 0 ? OWN : "vn/08", version_of[which], rows,
                   n, NULL, box_at_ms(), &l);
    box_give("programme", which == 0 ? OWN : "vn/08", false, l.data, l.len);
}

static void give_trust(void)
{
    static struct letter l;

    trust_number = (uint64_t)box_at_ms();
    town_trust(&town, trust_number, chance_of(2) == 0 ? &town.second : NULL,
               box_at_ms(), &l);
    box_give("trust", "vn/08", false, l.data, l.len);
}

static void give_command(void)
{
    static struct letter l;

    town_command(&town, chance_of(3) == 0 ? -1 : (int)chance_of(101), 0, NULL,
                 NULL, box_at_ms(), &l);
    box_says(SAYS_COMMAND, "", (struct loa_bytes){l.data, l.len}, 0);
    box_give("command", OWN, true, l.data, l.len);
}

static void one_step(void)
{
    switch (chance_of(10)) {
        case 0:
        case 1:
            give_programme(chance_of(3) == 0 ? 1 : 0);
            break;
        case 2:
            give_trust();
            break;
        case 3:
        case 4:
            give_command();
            break;
        case 5:
            if (box.connected)
                box_lose();
            else
                box_connect();
            break;
        default:
            if (!box.connected)
                box_connect();
            break;
    }
    box_run(box_at_ms() + 500 + (int64_t)chance_of(5000), chance_of(4) != 0);
}

static int write_identity(const char *path)
{
    char why[IDENTITY_WHY_CAP];

    static const uint8_t seed[32] = {9, 0x5e}; /* See town_init(). */

    town_init(&town);
    memcpy(town.device.seed, seed, sizeof seed);
    return identity_file_write(path, &town.device, why) == LOA_OK ? 0 : 1;
}

int main(int argc, char *argv[])
{
    if (argc == 3 && strcmp(argv[1], "identity") == 0)
        return write_identity(argv[2]);
    if (argc != 4)
        return 2;
    life = atoi(argv[2]);
    seed_with(strtoul(argv[3], NULL, 10));
    log_level = LOG_WARN;
    town_init(&town);
    town.ids = (uint64_t)life << 32;
    for (int i = 0; i < BOX_CONTENTS; i++)
        town_content(&contents[i], (uint8_t)(i + 1),
                     i == 3 ? 640 : 60 + 20 * (uint32_t)i);
    box.now_us = 1000000;
    box.offset_us = (T0 + (life + 1) * HOUR) * 1000 - box.now_us;
    if (disk_open(&box.disk, argv[1]) != LOA_OK)
        return 1;
    say_read();
    if (life == 0)
        prefill();
    if (box_boot(chance_of(UINT64_MAX)) != LOA_OK)
        return 1;
    box_connect();
    give_programme(0);
    for (int i = 0; i < STEPS; i++)
        one_step();
    if (chance_of(2) == 0)
        box_event(SPEAKER_STOPPING);
    box_kill();
    return 0;
}
