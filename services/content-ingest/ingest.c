#include "content-ingest/ingest.h"

#include <assert.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct upload *find(struct ingest *n, const uint8_t *id)
{
    for (size_t i = 0; i < UPLOADS_MAX; i++)
        if (n->uploads[i].state != UPLOAD_FREE &&
            memcmp(n->uploads[i].plan.id, id, LOA_ID_BYTES) == 0)
            return &n->uploads[i];
    return NULL;
}

const struct upload *ingest_find(const struct ingest *n,
                                 const uint8_t id[LOA_ID_BYTES])
{
    return find((struct ingest *)n, id);
}

size_t ingest_count(const struct ingest *n, enum upload_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < UPLOADS_MAX; i++)
        count += n->uploads[i].state == state;
    return count;
}

static bool sane(const struct ingest *n)
{
    return ingest_count(n, UPLOAD_ENCODING) == n->jobs_n &&
           n->jobs_n <= n->limits.jobs_max;
}

static struct upload *room(struct ingest *n)
{
    for (size_t i = 0; i < UPLOADS_MAX; i++)
        if (n->uploads[i].state == UPLOAD_FREE)
            return &n->uploads[i];
    return NULL;
}

static void refuse(struct ingest_update *up, enum refusal r)
{
    up->action = INGEST_REFUSE;
    up->refusal = r;
    up->upload = NULL;
}

static void answer(struct ingest_update *up, const struct upload *u)
{
    up->action = INGEST_ANSWER;
    up->upload = u;
}

/* --- beginning ------------------------------------------------------------ */

static bool same_plan(const struct upload_plan *a, const struct upload_plan *b)
{
    return strcmp(a->area, b->area) == 0 && a->media == b->media &&
           a->size == b->size && strcmp(a->title, b->title) == 0 &&
           strcmp(a->language, b->language) == 0 &&
           strcmp(a->file_name, b->file_name) == 0;
}

static bool space(const struct ingest *n, uint64_t bytes)
{
    return !n->free_known ||
           (n->free_bytes >= n->limits.free_bytes_min &&
            n->free_bytes - n->limits.free_bytes_min >= bytes);
}

/* What speaks against one more upload. Sizes are at most UPLOAD_AUDIO_MAX, so
 * that sums over UPLOADS_MAX of them do not overflow. */
static enum refusal judge(const struct ingest *n, const struct upload_plan *p)
{
    uint64_t mine = p->size, all = p->size;
    unsigned mine_n = 1;

    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        const struct upload *u = &n->uploads[i];
        if (u->state == UPLOAD_FREE)
            continue;
        all += u->plan.size;
        if (strcmp(u->plan.principal, p->principal) == 0) {
            mine += u->plan.size;
            mine_n++;
        }
    }
    if (mine_n > n->limits.uploads_mine_max)
        return REFUSE_UPLOADS_MINE;
    if (mine > n->limits.bytes_mine_max)
        return REFUSE_QUOTA_MINE;
    if (all > n->limits.bytes_all_max)
        return REFUSE_QUOTA_ALL;
    if (!space(n, p->size))
        return REFUSE_SPACE;
    return REFUSE_NOTHING;
}

static void begin_again(const struct upload *u,
                        const struct upload_plan *p,
                        struct ingest_update *up)
{
    if (strcmp(u->plan.principal, p->principal) != 0)
        refuse(up, REFUSE_UPLOAD_OTHER);
    else if (!same_plan(&u->plan, p))
        refuse(up, REFUSE_UPLOAD_DIFFERENT);
    else if (u->state == UPLOAD_BEGINNING)
        refuse(up, REFUSE_UPLOAD_BEGINNING);
    else
        answer(up, u);
}

static void on_begin(struct ingest *n,
                     const struct ingest_event *ev,
                     struct ingest_update *up)
{
    struct upload *u = find(n, ev->plan->id);
    enum refusal r;

    if (u != NULL) {
        begin_again(u, ev->plan, up);
        return;
    }
    r = judge(n, ev->plan);
    u = room(n);
    if (r == REFUSE_NOTHING && u == NULL)
        r = REFUSE_UPLOADS_FULL;
    if (r != REFUSE_NOTHING) {
        refuse(up, r);
        return;
    }
    memset(u, 0, sizeof *u);
    u->state = UPLOAD_BEGINNING;
    u->plan = *ev->plan;
    u->active_at_ms = ev->now_at_ms;
    u->order = n->order++;
    up->action = INGEST_INSERT;
    up->upload = u;
}

static void on_begun(struct ingest *n,
                     const struct ingest_event *ev,
                     struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    assert(u != NULL && u->state == UPLOAD_BEGINNING);
    u->state = UPLOAD_RECEIVING;
    answer(up, u);
}

static void on_begin_failed(struct ingest *n,
                            const struct ingest_event *ev,
                            struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    (void)up;
    assert(u != NULL && u->state == UPLOAD_BEGINNING);
    u->state = UPLOAD_FREE;
}

/* --- parts ---------------------------------------------------------------- */

static void on_part(struct ingest *n,
                    const struct ingest_event *ev,
                    struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);
    struct ranges probe;

    if (u == NULL)
        refuse(up, REFUSE_UPLOAD_UNKNOWN);
    else if (strcmp(u->plan.principal, ev->principal) != 0)
        refuse(up, REFUSE_UPLOAD_OTHER);
    else if (u->state == UPLOAD_BEGINNING)
        refuse(up, REFUSE_UPLOAD_BEGINNING);
    else if (ev->range.to > u->plan.size)
        refuse(up, REFUSE_PART_BEYOND);
    else if (!ranges_missing(&u->durable, ev->range.from, ev->range.to,
                             &up->piece))
        answer(up, u);
    else if (!space(n, 0))
        refuse(up, REFUSE_SPACE);
    else {
        probe = u->durable;
        if (u->writes_n == UPLOAD_WRITES_MAX) {
            refuse(up, REFUSE_DATABASE_BUSY);
        } else if (ranges_add(&probe, up->piece.from, up->piece.to) != LOA_OK) {
            refuse(up, REFUSE_PART_SCATTERED);
        } else {
            u->writes_n++;
            up->action = INGEST_STORE;
            up->upload = u;
        }
    }
}

static void on_part_stored(struct ingest *n,
                           const struct ingest_event *ev,
                           struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    assert(u != NULL && u->writes_n > 0);
    u->writes_n--;
    u->active_at_ms = ev->now_at_ms;
    answer(up, u);
    /* One interval too many: the bytes are durable and will be sent again,
     * which is harmless; `received` does not count them. */
    if (ranges_add(&u->durable, ev->range.from, ev->range.to) != LOA_OK)
        return;
    if (u->state == UPLOAD_RECEIVING &&
        ranges_prefix(&u->durable) == u->plan.size) {
        u->state = UPLOAD_WAITING;
        u->order = n->order++;
        up->action = INGEST_COMPLETE;
    }
}

static void on_part_failed(struct ingest *n,
                           const struct ingest_event *ev,
                           struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    (void)up;
    assert(u != NULL && u->writes_n > 0);
    u->writes_n--;
}

/* --- jobs ----------------------------------------------------------------- */

/* Texts go first, they take seconds; then who has waited longest. */
static bool sooner(const struct upload *a, const struct upload *b)
{
    if (a->plan.media != b->plan.media)
        return a->plan.media == MEDIA_TEXT;
    return a->order < b->order;
}

static struct upload *next_job(struct ingest *n, uint64_t now_ms)
{
    struct upload *best = NULL;

    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        struct upload *u = &n->uploads[i];
        if (u->state == UPLOAD_WAITING && u->again_ms <= now_ms &&
            u->writes_n == 0 && (best == NULL || sooner(u, best)))
            best = u;
    }
    return best;
}

static struct upload *stale(struct ingest *n, int64_t now_at_ms)
{
    for (size_t i = 0; i < UPLOADS_MAX; i++) {
        struct upload *u = &n->uploads[i];
        if (u->state == UPLOAD_RECEIVING && u->writes_n == 0 &&
            now_at_ms > u->active_at_ms &&
            (uint64_t)(now_at_ms - u->active_at_ms) >
                n->limits.receiving_ms_max)
            return u;
    }
    return NULL;
}

static void on_next(struct ingest *n,
                    const struct ingest_event *ev,
                    struct ingest_update *up)
{
    struct upload *u = stale(n, ev->now_at_ms);

    if (u != NULL) {
        up->action = INGEST_DROP;
        memcpy(up->id, u->plan.id, LOA_ID_BYTES);
        u->state = UPLOAD_FREE;
        return;
    }
    if (n->jobs_n == n->limits.jobs_max)
        return;
    u = next_job(n, ev->now_ms);
    if (u == NULL)
        return;
    u->state = UPLOAD_ENCODING;
    u->permille = 0;
    n->jobs_n++;
    up->upload = u;
    if (u->attempts_n >= UPLOAD_ATTEMPTS_MAX) {
        up->action = INGEST_GIVE_UP;
        up->refusal = REFUSE_GAVE_UP;
    } else {
        u->attempts_n++;
        up->action = INGEST_START;
    }
}

static void on_progress(struct ingest *n,
                        const struct ingest_event *ev,
                        struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    (void)up;
    assert(u != NULL && u->state == UPLOAD_ENCODING);
    if (ev->permille <= 1000 && ev->permille > u->permille)
        u->permille = ev->permille;
}

static void on_job_ended(struct ingest *n,
                         const struct ingest_event *ev,
                         struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    (void)up;
    assert(u != NULL && u->state == UPLOAD_ENCODING);
    u->state = UPLOAD_FREE;
    n->jobs_n--;
}

static void on_job_again(struct ingest *n,
                         const struct ingest_event *ev,
                         struct ingest_update *up)
{
    struct upload *u = find(n, ev->id);

    (void)up;
    assert(u != NULL && u->state == UPLOAD_ENCODING);
    u->state = UPLOAD_WAITING;
    u->again_ms = ev->now_ms + UPLOAD_AGAIN_MS;
    /* A full disk is not the file's fault. */
    if (ev->type == INGEST_JOB_AGAIN)
        u->attempts_n -= u->attempts_n > 0;
    n->jobs_n--;
}

static void on_space(struct ingest *n,
                     const struct ingest_event *ev,
                     struct ingest_update *up)
{
    (void)up;
    n->free_bytes = ev->free_bytes;
    n->free_known = true;
}

static void (*const handlers[])(struct ingest *,
                                const struct ingest_event *,
                                struct ingest_update *) = {
    [INGEST_BEGIN] = on_begin,
    [INGEST_BEGUN] = on_begun,
    [INGEST_BEGIN_FAILED] = on_begin_failed,
    [INGEST_PART] = on_part,
    [INGEST_PART_STORED] = on_part_stored,
    [INGEST_PART_FAILED] = on_part_failed,
    [INGEST_NEXT] = on_next,
    [INGEST_PROGRESS] = on_progress,
    [INGEST_JOB_ENDED] = on_job_ended,
    [INGEST_JOB_AGAIN] = on_job_again,
    [INGEST_JOB_DIED] = on_job_again,
    [INGEST_SPACE] = on_space,
};

void ingest_init(struct ingest *n, const struct ingest_limits *limits)
{
    memset(n, 0, sizeof *n);
    n->limits = *limits;
    assert(limits->jobs_max >= 1);
}

int ingest_restore(struct ingest *n, const struct upload *u)
{
    struct upload *slot = room(n);

    assert(u->state == UPLOAD_RECEIVING || u->state == UPLOAD_WAITING);
    if (slot == NULL)
        return LOA_EBUSY;
    *slot = *u;
    slot->order = n->order++;
    slot->writes_n = 0;
    slot->again_ms = 0;
    if (ranges_prefix(&slot->durable) == slot->plan.size)
        slot->state = UPLOAD_WAITING;
    return LOA_OK;
}

void ingest_step(struct ingest *n,
                 const struct ingest_event *ev,
                 struct ingest_update *up)
{
    assert((size_t)ev->type < ARRAY_LEN(handlers));

    memset(up, 0, sizeof *up);
    handlers[ev->type](n, ev, up);
    assert(sane(n));
}
