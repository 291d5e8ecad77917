/* world_disk.h -- the simulated world around the speaker's core, and its disk.
 * Included by world.h. */

#ifndef LOA_TEST_WORLD_DISK_H
#define LOA_TEST_WORLD_DISK_H

#include "speaker/speaker.h"
#include "town.h"

#define WORLD_CONTENTS_MAX 64
#define WORLD_RECEIPTS_MAX 20000
#define WORLD_PLAYS_MAX 4096
#define WORLD_PERIOD_US 20000
#define BOOT_US INT64_C(1000000) /* Monotonic time at the first boot. */

struct world_file {
    bool there;
    size_t len;
    uint8_t data[LOA_ENVELOPE_BYTES_MAX];
};

/* What one turn sounded like. */
struct world_play {
    uint8_t id; /* First byte of the bulletin's id. */
    uint8_t hash[LOA_HASH_BYTES];
    int64_t start_at_ms;
    int64_t first_at_us; /* Wall time of the first sample. */
    uint64_t samples_n;
};

struct world {
    struct town *town;
    struct speaker s;
    bool running, connected;
    int64_t now_us;    /* Monotonic; goes on over reboots here. */
    int64_t offset_us; /* Wall minus monotonic. */
    bool print;

    /* The disk. It survives a reboot. */
    bool disk_fails;    /* Every write. */
    bool content_fails; /* Writes of contents. */
    struct world_file slots[3], trust, programmes[LOA_AREA_DEPTH_MAX];
    struct receipt rows[WORLD_RECEIPTS_MAX];
    struct receipt all[WORLD_RECEIPTS_MAX]; /* Also those that were trimmed. */
    size_t all_n;
    uint64_t first;
    size_t rows_n;
    bool log_there;
    uint8_t log_id[LOA_ID_BYTES];
    struct world_content {
        bool used, complete;
        uint8_t hash[LOA_HASH_BYTES];
        uint8_t packets[TOWN_FRAMES_MAX / LOA_PACKET_FRAMES];
        uint32_t packets_n;
        bool bad; /* Its hash will be found wrong. */
    } contents[WORLD_CONTENTS_MAX];
    struct world_content *parts[FETCHES_MAX];

    /* The job of hashing. */
    bool job;
    struct world_content *job_content;
    bool job_seal;
    int64_t job_us;

    /* The output. */
    bool sink_fails;
    const struct world_content *voices[PLAYER_VOICES];
    int64_t period_us;    /* When the next period is due; 0: idle. */
    uint64_t concealed_n; /* Samples of each period, reported as such. */
    int64_t lead_us;      /* What the output buffers. */
    bool send_fails;
    struct world_play plays[WORLD_PLAYS_MAX];
    size_t plays_n;

    /* What was sent since it was last looked at. */
    size_t batches_n, states_n, wants_n, time_requests_n, healths_n;
    struct wire_health health;
    uint8_t nonce[16];
    uint64_t batch_last;
    Loa__V1__Presence presence;
    uint64_t session;
    struct wire_want want;
    size_t asked_n;
    bool acking;

    /* Who looks on; NULL: nobody. */
    void (*on_batch)(struct world *w, const Loa__V1__ReceiptBatch *b);
    void (*on_op)(struct world *w, const struct speaker_op *op);
    unsigned kill_in; /* The power fails before this operation; 0: not. */
};

static void world_feed(struct world *w, struct speaker_event *ev);

static int64_t world_at_ms(const struct world *w)
{
    return (w->now_us + w->offset_us) / 1000;
}

/* --- disk ----------------------------------------------------------------- */

static struct world_content *world_content(struct world *w,
                                           const uint8_t *hash,
                                           bool make)
{
    struct world_content *gap = NULL;

    for (size_t i = 0; i < WORLD_CONTENTS_MAX; i++) {
        struct world_content *c = &w->contents[i];

        if (c->used && memcmp(c->hash, hash, LOA_HASH_BYTES) == 0)
            return c;
        if (!c->used && gap == NULL)
            gap = c;
    }
    if (!make)
        return NULL;
    assert(gap != NULL);
    memset(gap, 0, sizeof *gap);
    gap->used = true;
    memcpy(gap->hash, hash, LOA_HASH_BYTES);
    return gap;
}

static struct world_file *world_programme(struct world *w, const char *area)
{
    return &w->programmes[loa_area_depth(area) - 1];
}

static int world_save(struct world *w, const struct speaker_op *op)
{
    struct world_file *f = &w->trust;

    if (op->file <= SPEAKER_FILE_LEDGER)
        f = &w->slots[op->file];
    else if (op->file == SPEAKER_FILE_PROGRAMME)
        f = world_programme(w, op->name);
    if (w->disk_fails) {
        /* What could not be replaced is gone: see disk_file_write(). */
        if (op->file > SPEAKER_FILE_LEDGER)
            f->there = false;
        return LOA_ENOSPC;
    }
    assert(op->body.len <= sizeof f->data);
    f->there = true;
    f->len = op->body.len;
    memcpy(f->data, op->body.data, op->body.len);
    return LOA_OK;
}

static int world_store(struct world *w, const struct speaker_op *op)
{
    if (w->disk_fails)
        return LOA_ENOSPC;
    for (size_t i = 0; i < op->n; i++) {
        assert(w->all_n < WORLD_RECEIPTS_MAX);
        assert(op->receipts[i].sequence == w->first + w->rows_n);
        w->rows[w->rows_n++] = op->receipts[i];
        w->all[w->all_n++] = op->receipts[i];
    }
    return LOA_OK;
}

static int world_content_op(struct world *w, const struct contents_op *op)
{
    switch (op->type) {
        case CONTENTS_PUT:
            if (w->content_fails || w->disk_fails)
                return LOA_ENOSPC;
            w->parts[op->fetch]->packets[op->packet->sequence] = 1;
            return LOA_OK;
        case CONTENTS_CLOSE:
            w->parts[op->fetch] = NULL;
            return LOA_OK;
        case CONTENTS_SEAL:
        case CONTENTS_CHECK:
            assert(!w->job);
            w->job = true;
            w->job_seal = op->type == CONTENTS_SEAL;
            w->job_content = world_content(w, op->hash, false);
            w->job_us = w->now_us + 5000;
            return LOA_OK;
        case CONTENTS_DELETE:
            if (world_content(w, op->hash, false) != NULL)
                world_content(w, op->hash, false)->used = false;
            return LOA_OK;
        case CONTENTS_OPEN:
            break;
    }
    return LOA_EINVAL;
}

static void world_open_part(struct world *w, const struct speaker_op *op)
{
    static uint32_t have[CONTENT_PACKETS_MAX];
    struct world_content *c = world_content(w, op->content.hash, true);

    c->packets_n = op->content.packets_n;
    w->parts[op->content.fetch] = c;
    for (uint32_t i = 0; i < op->content.packets_n; i++)
        have[i] = c->packets[i];
    speaker_opened(&w->s, op, have);
}

static void world_job(struct world *w)
{
    struct world_content *c = w->job_content;
    struct speaker_event ev = {.type = SPEAKER_JOB_DONE, .bytes = 1000};

    w->job = false;
    ev.status = c == NULL || !c->used ? LOA_ENOENT
                : c->bad              ? LOA_EINVAL
                                      : LOA_OK;
    if (ev.status == LOA_OK && w->job_seal)
        for (uint32_t i = 0; i < c->packets_n; i++)
            assert(c->packets[i]);
    if (ev.status == LOA_OK)
        c->complete = true;
    else if (c != NULL)
        c->used = false;
    world_feed(w, &ev);
}

#endif /* LOA_TEST_WORLD_DISK_H */
