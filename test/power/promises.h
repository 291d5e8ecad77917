/* promises.h -- what a device has promised so far, from the marks of its
 * record: to the world, and to itself by going on. */

#ifndef LOA_TEST_POWER_PROMISES_H
#define LOA_TEST_POWER_PROMISES_H

#include "test/power/box.h"
#include "test/power/mark.h"

#define PROMISED_ROWS 16384
#define PROMISED_PLAYS 4096
#define PROMISED_FLIGHTS 512

struct promised_file {
    char name[63];
    bool may_be_missing, in_flight;
    struct loa_bytes bodies[PROMISED_FLIGHTS]; /* Any of these. */
    size_t bodies_n;
};

static struct {
    int64_t at_ms;
    uint64_t session;
    struct promised_file files[8];
    size_t files_n;
    bool log_known;
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t stored, acked;
    uint8_t rows[PROMISED_ROWS][8]; /* Checks of the records, by number. */
    struct {
        uint8_t id[LOA_ID_BYTES];
        uint64_t start;
    } plays[PROMISED_PLAYS];
    size_t plays_n;
    bool verified[BOX_CONTENTS];
    const uint8_t *command, *last_command;
    size_t command_len, last_command_len;
} promised;

static struct promised_file *promise_file(const char *name)
{
    struct promised_file *f = promised.files;

    for (; f < promised.files + promised.files_n; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    assert(promised.files_n < 8);
    promised.files_n++;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->may_be_missing = true;
    return f;
}

/* May the file be this after a power cut now? */
static bool promise_allows(const struct promised_file *f, struct loa_bytes body)
{
    if (body.len == 0)
        return f->may_be_missing;
    for (size_t i = 0; i < f->bodies_n; i++)
        if (f->bodies[i].len == body.len &&
            memcmp(f->bodies[i].data, body.data, body.len) == 0)
            return true;
    return false;
}

static bool promise_in_flight(const struct promised_file *f)
{
    return f->in_flight;
}

static void file_save(struct promised_file *f, struct loa_bytes body)
{
    assert(f->bodies_n < PROMISED_FLIGHTS);
    f->bodies[f->bodies_n++] = body;
    f->in_flight = true;
}

static void file_saved(struct promised_file *f, int status)
{
    bool slot = strchr("mrl", f->name[0]) != NULL;

    if (status == LOA_OK) {
        f->bodies[0] = f->bodies[f->bodies_n - 1];
        f->bodies_n = 1;
        f->may_be_missing = f->in_flight = false;
        /* Saved before it is acted on: now it may be. */
        if (strcmp(f->name, "replay") == 0) {
            promised.command = promised.last_command;
            promised.command_len = promised.last_command_len;
        }
    } else if (!slot) {
        f->may_be_missing = true; /* Better forgotten: see io_disk.h. */
        f->in_flight = false;
    }
}

static void file_read(struct promised_file *f, struct loa_bytes body)
{
    f->may_be_missing = body.len == 0;
    f->in_flight = false;
    f->bodies_n = body.len != 0;
    f->bodies[0] = body;
}

static void row_check(const struct receipt *r, uint8_t out[8])
{
    uint8_t record[RECEIPT_RECORD_BYTES];

    receipt_encode(r, record);
    memcpy(out, record + RECEIPT_RECORD_BYTES - 8, 8);
}

static void rows_stored(const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct receipt r;

        memcpy(&r, data + i * sizeof r, sizeof r);
        assert(r.sequence < PROMISED_ROWS);
        row_check(&r, promised.rows[r.sequence]);
        if (r.sequence > promised.stored)
            promised.stored = r.sequence;
    }
}

/* Told: what it says of a content holds from now on. */
static void rows_sent(const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct receipt r;

        memcpy(&r, data + i * sizeof r, sizeof r);
        for (int c = 0; c < BOX_CONTENTS; c++)
            if (r.event == RECEIPT_VERIFIED &&
                memcmp(r.hash, contents[c].m.hash, LOA_HASH_BYTES) == 0)
                promised.verified[c] = true;
    }
}

/* Rows that must be there: those that nobody else has. */
static uint64_t promise_rows(void)
{
    return promised.stored - promised.acked;
}

static bool promise_has(const struct receipt *r)
{
    uint8_t check[8];

    row_check(r, check);
    return r->sequence > promised.acked && r->sequence <= promised.stored &&
           memcmp(promised.rows[r->sequence], check, 8) == 0;
}

static bool promise_played(const uint8_t *id, uint64_t start)
{
    for (size_t i = 0; i < promised.plays_n; i++)
        if (promised.plays[i].start == start &&
            memcmp(promised.plays[i].id, id, LOA_ID_BYTES) == 0)
            return true;
    return false;
}

static void promise_log(const uint8_t *id, uint64_t next)
{
    bool same = promised.log_known && memcmp(id, promised.log_id, 16) == 0;

    promised.log_known = next > 1;
    memcpy(promised.log_id, id, LOA_ID_BYTES);
    if (!same)
        promised.stored = promised.acked = next - 1;
}

static void promise(const uint8_t *data, size_t len)
{
    struct mark m;
    struct loa_bytes body = mark_get(data, len, &m);

    promised.at_ms = m.at_ms;
    switch ((enum says)m.what) {
        case SAYS_SAVE:
            file_save(promise_file(m.text), body);
            break;
        case SAYS_SAVED:
            file_saved(promise_file(m.text), (int)m.number);
            break;
        case SAYS_READ:
            file_read(promise_file(m.text), body);
            break;
        case SAYS_SESSION:
            promised.session = m.number;
            break;
        case SAYS_LOG:
            promise_log(body.data, m.number);
            break;
        case SAYS_STORED:
            promised.log_known = true;
            rows_stored(body.data, (size_t)m.number);
            break;
        case SAYS_SENT:
            rows_sent(body.data, (size_t)m.number);
            break;
        case SAYS_ACKED:
            promised.acked = m.number;
            break;
        case SAYS_PLAYS:
            assert(promised.plays_n < PROMISED_PLAYS);
            memcpy(promised.plays[promised.plays_n].id, body.data, 16);
            promised.plays[promised.plays_n++].start = m.number;
            break;
        case SAYS_COMMAND:
            promised.last_command = body.data;
            promised.last_command_len = body.len;
            break;
        case SAYS_DELETE:
            for (int c = 0; c < BOX_CONTENTS; c++)
                if (memcmp(body.data, contents[c].m.hash, 32) == 0)
                    promised.verified[c] = false;
            break;
        case SAYS_TRIMMED:
        case SAYS_NOTE:
        case SAYS_WRONG:
            break;
    }
}

#endif /* LOA_TEST_POWER_PROMISES_H */
