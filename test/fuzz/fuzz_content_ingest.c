/* link: services/content-ingest/ingest.c services/content-ingest/ranges.c */
/* Property: whatever the order of parts, repeats, failures and jobs, "received"
 * never counts a byte that was not stored, an upload becomes a job only when
 * all of it was, and no more jobs run than allowed. */

#include <assert.h>
#include <string.h>

#include "content-ingest/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define UPLOADS 4
#define SIZE 64

static struct model {
    bool known, running, stored[SIZE];
    struct range out[UPLOAD_WRITES_MAX];
    size_t out_n;
} models[UPLOADS];

static struct ingest n;
static struct ingest_update up;

static void check(const struct model *m)
{
    uint64_t prefix;

    if (up.upload == NULL || up.action == INGEST_DROP)
        return;
    prefix = ranges_prefix(&up.upload->durable);
    for (uint64_t i = 0; i < prefix; i++)
        assert(m->stored[i]);
}

static void part(struct model *m,
                 struct ingest_event *ev,
                 unsigned a,
                 unsigned b)
{
    ev->type = INGEST_PART;
    ev->principal = "lan";
    ev->range.from = a % SIZE;
    ev->range.to = ev->range.from + 1 + b % 16;
    ingest_step(&n, ev, &up);
    if (up.action == INGEST_STORE) {
        assert(up.piece.from >= ev->range.from && up.piece.to <= ev->range.to);
        assert(m->out_n < UPLOAD_WRITES_MAX);
        m->out[m->out_n++] = up.piece;
    }
    check(m);
}

static void stored(struct model *m, struct ingest_event *ev, bool ok)
{
    if (m->out_n == 0)
        return;
    ev->range = m->out[--m->out_n];
    ev->type = ok ? INGEST_PART_STORED : INGEST_PART_FAILED;
    for (uint64_t i = ev->range.from; ok && i < ev->range.to; i++)
        m->stored[i] = true;
    ingest_step(&n, ev, &up);
    check(m);
}

static void next(struct ingest_event *ev)
{
    struct model *m;

    ev->type = INGEST_NEXT;
    ingest_step(&n, ev, &up);
    if (up.action == INGEST_NOTHING)
        return;
    m = &models[(up.action == INGEST_DROP ? up.id : up.upload->plan.id)[0]];
    assert(m->known && !m->running && m->out_n == 0);
    if (up.action == INGEST_DROP) {
        memset(m, 0, sizeof *m);
        return;
    }
    for (int i = 0; i < SIZE; i++)
        assert(m->stored[i]);
    m->running = true;
}

static void job(struct model *m, struct ingest_event *ev, unsigned how)
{
    static const enum ingest_event_type ends[] = {
        INGEST_JOB_ENDED, INGEST_JOB_AGAIN, INGEST_JOB_DIED, INGEST_PROGRESS};

    if (!m->running)
        return;
    ev->type = ends[how % 4];
    ev->permille = how;
    ingest_step(&n, ev, &up);
    if (ev->type == INGEST_JOB_ENDED)
        memset(m, 0, sizeof *m);
    else if (ev->type != INGEST_PROGRESS)
        m->running = false;
}

static void begin(struct model *m, struct ingest_event *ev, bool ok)
{
    ev->type = INGEST_BEGIN;
    ingest_step(&n, ev, &up);
    assert(up.action != INGEST_INSERT || !m->known);
    if (up.action != INGEST_INSERT)
        return;
    ev->type = ok ? INGEST_BEGUN : INGEST_BEGIN_FAILED;
    ingest_step(&n, ev, &up);
    m->known = ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct ingest_limits limits = {2, UPLOADS, 1000, 1000, 10, 50000};
    uint64_t now = 0;

    memset(models, 0, sizeof models);
    ingest_init(&n, &limits);
    for (size_t i = 0; i + 3 <= len; i += 3) {
        struct model *m = &models[data[i] >> 6];
        struct upload_plan plan = {.id = {data[i] >> 6},
                                   .size = SIZE,
                                   .principal = "lan",
                                   .media = MEDIA_TEXT};
        struct ingest_event ev = {
            .now_ms = now += data[i + 1], .id = plan.id, .plan = &plan};

        ev.now_at_ms = (int64_t)ev.now_ms;
        switch (data[i] & 7) {
            case 0:
                begin(m, &ev, data[i + 1] % 8 != 0);
                break;
            case 1:
            case 2:
                part(m, &ev, data[i + 1], data[i + 2]);
                break;
            case 3:
            case 4:
                stored(m, &ev, data[i + 1] % 8 != 0);
                break;
            case 5:
                next(&ev);
                break;
            case 6:
                job(m, &ev, data[i + 2]);
                break;
            default:
                ev.type = INGEST_SPACE;
                ev.free_bytes = data[i + 2];
                now += 1000u * data[i + 1];
                ingest_step(&n, &ev, &up);
        }
    }
    return 0;
}
