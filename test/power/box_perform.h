/* box_perform.h -- the operations of box.h's loudspeaker, carried out on a real
 * disk. What it does to the world is told to box_says(), which the program
 * defines. */

#ifndef LOA_TEST_POWER_BOX_PERFORM_H
#define LOA_TEST_POWER_BOX_PERFORM_H

#include "proto/io/log.h"
#include "speaker/io_content.h"
#include "speaker/io_disk.h"
#include "speaker/io_receipts.h"
#include "speaker/speaker.h"
#include "town.h"

#define BOX_CONTENTS 4
#define BOX_PERIOD_US 20000

struct box {
    struct speaker s;
    struct disk disk;
    struct receipt_log log;
    struct content_store store;
    uv_loop_t loop;
    struct box_voice {
        bool open, ended;
        struct frame_reader frames;
        const struct town_content *content;
        uint32_t at;
    } voices[PLAYER_VOICES];
    bool connected;
    int64_t now_us, offset_us, period_us;
    uint64_t batch_last;
    struct wire_want want; /* The last one that was sent. */
};

static struct town town;
static struct town_content contents[BOX_CONTENTS];
static struct box box;

/* What the device does, in order. */
enum says {
    SAYS_SAVE = 'b',    /* text: name, body */
    SAYS_SAVED = 'd',   /* text: name, status */
    SAYS_SESSION = 'u', /* number: the world was told */
    SAYS_STORED = 'r',  /* rows, n, status */
    SAYS_SENT = 's',    /* rows, n: the world was told */
    SAYS_TRIMMED = 'k', /* number: the first that is left */
    SAYS_PLAYS = 'p',   /* occ: the first sample leaves */
    SAYS_DELETE = 'x',  /* hash */
    SAYS_NOTE = 'l',    /* text: event */
    SAYS_WRONG = 'w',   /* text: sounds what it should not */
    SAYS_LOG = 'L',     /* log id, next number: the receipts that there are */
    SAYS_READ = 'o',    /* text: name, body: what was there at a start */
    SAYS_COMMAND = 'C', /* body: a command's envelope that is given to it */
    SAYS_ACKED = 'a',   /* number: the collector has them up to here */
};
static void box_says(enum says what,
                     const char *text,
                     struct loa_bytes body,
                     uint64_t number);

static int64_t box_at_ms(void)
{
    return (box.now_us + box.offset_us) / 1000;
}

static void programme_name(const char *area, char out[LOA_AREA_CAP + 16])
{
    snprintf(out, LOA_AREA_CAP + 16, "programme-%s", area);
    for (char *p = out; *p != '\0'; p++)
        if (*p == '/')
            *p = '.';
}

/* --- operations, as io_perform.c carries them out ------------------------- */

static int box_save(const struct speaker_op *op)
{
    char name[LOA_AREA_CAP + 16] = "trust";
    bool slot = op->file <= SPEAKER_FILE_LEDGER;
    int rv;

    if (slot)
        snprintf(name, sizeof name, "%s", op->name);
    else if (op->file == SPEAKER_FILE_PROGRAMME)
        programme_name(op->name, name);
    box_says(SAYS_SAVE, name, op->body, 0);
    rv = slot ? disk_slot_write(&box.disk, name, op->body)
              : disk_file_write(&box.disk, name, op->body);
    box_says(SAYS_SAVED, name, (struct loa_bytes){NULL, 0}, (uint64_t)rv);
    return rv;
}

static int box_load(const char *area)
{
    char name[LOA_AREA_CAP + 16];
    struct loa_bytes body;

    programme_name(area, name);
    if (disk_file_read(&box.disk, name, &body) == LOA_OK)
        speaker_from_disk(&box.s, body);
    return LOA_OK;
}

static int box_store(const struct speaker_op *op)
{
    int rv = receipt_log_append(&box.log, op->receipts, (size_t)op->n);

    if (rv == LOA_OK)
        box_says(SAYS_STORED, "",
                 (struct loa_bytes){(const uint8_t *)op->receipts,
                                    op->n * sizeof op->receipts[0]},
                 op->n);
    return rv;
}

static int box_read(const struct speaker_op *op)
{
    static struct receipt rows[RECEIPTS_BATCH_MAX];
    size_t n = receipt_log_read(&box.log, op->first, rows, (size_t)op->n);

    speaker_batch(&box.s, rows, n);
    if (n > 0) {
        box.batch_last = rows[n - 1].sequence;
        box_says(SAYS_SENT, "",
                 (struct loa_bytes){(uint8_t *)rows, n * sizeof rows[0]}, n);
    }
    return LOA_OK;
}

static int box_trim(const struct speaker_op *op)
{
    int rv = receipt_log_trim(&box.log, op->n);

    box_says(SAYS_TRIMMED, "", (struct loa_bytes){NULL, 0}, box.log.first);
    return rv;
}

static int box_content(const struct speaker_op *op)
{
    const struct contents_op *c = &op->content;

    switch (c->type) {
        case CONTENTS_PUT:
            return content_store_put(&box.store, c->fetch, c->packet);
        case CONTENTS_CLOSE:
            content_store_part_close(&box.store, c->fetch);
            break;
        case CONTENTS_SEAL:
            content_store_seal(&box.store, c->fetch);
            break;
        case CONTENTS_CHECK:
            content_store_check(&box.store, c->hash);
            break;
        case CONTENTS_DELETE:
            box_says(SAYS_DELETE, "",
                     (struct loa_bytes){c->hash, LOA_HASH_BYTES}, 0);
            return content_store_delete(&box.store, c->hash);
        case CONTENTS_OPEN:
            break;
    }
    return LOA_OK;
}

static void box_open_part(const struct speaker_op *op)
{
    const struct contents_op *c = &op->content;
    const uint32_t *have;
    int rv = content_store_part_open(&box.store, c->fetch, c->hash,
                                     c->packets_n, &have);

    if (rv == LOA_OK)
        speaker_opened(&box.s, op, have);
    else
        speaker_done(&box.s, op, rv);
}

static const struct town_content *content_of(const uint8_t *hash)
{
    for (int i = 0; i < BOX_CONTENTS; i++)
        if (memcmp(contents[i].m.hash, hash, LOA_HASH_BYTES) == 0)
            return &contents[i];
    return NULL;
}

static int box_voice_open(const struct speaker_op *op)
{
    struct box_voice *v = &box.voices[op->voice];
    int rv = frame_reader_open(&v->frames, &box.disk, op->hash);

    v->open = rv == LOA_OK;
    v->ended = false;
    v->content = content_of(op->hash);
    v->at = 0;
    return rv;
}

static int box_send(const struct speaker_op *op)
{
    struct loa_topic t;

    if (loa_topic_parse(op->topic, &t) != LOA_OK)
        return LOA_EINVAL;
    if (strcmp(t.kind, "state") == 0)
        box_says(SAYS_SESSION, "", (struct loa_bytes){NULL, 0}, box.s.session);
    if (strcmp(t.kind, "want") == 0)
        box.want = box.s.want;
    return LOA_OK;
}

static int box_perform(const struct speaker_op *op)
{
    switch (op->type) {
        case SPEAKER_NOTE:
            box_says(
                SAYS_NOTE, op->event,
                (struct loa_bytes){(const uint8_t *)op->text, strlen(op->text)},
                op->level);
            return LOA_OK;
        case SPEAKER_SAVE:
            return box_save(op);
        case SPEAKER_LOAD:
            return box_load(op->name);
        case SPEAKER_STORE:
            return box_store(op);
        case SPEAKER_READ:
            return box_read(op);
        case SPEAKER_TRIM:
            return box_trim(op);
        case SPEAKER_CONTENT:
            return box_content(op);
        case SPEAKER_VOICE_OPEN:
            return box_voice_open(op);
        case SPEAKER_VOICE_CLOSE:
            if (box.voices[op->voice].open)
                frame_reader_close(&box.voices[op->voice].frames);
            box.voices[op->voice].open = false;
            return LOA_OK;
        case SPEAKER_SEND:
            return box_send(op);
        case SPEAKER_SILENCE:
        case SPEAKER_HEALTH:
        case SPEAKER_ASK_RETAINED:
            return LOA_OK;
    }
    return LOA_EINVAL;
}

#endif /* LOA_TEST_POWER_BOX_PERFORM_H */
