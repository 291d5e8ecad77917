#include "content-ingest/io_uploads.h"

#include <string.h>

#include "content-ingest/io_batch.h"
#include "content-ingest/io_reply.h"
#include "content-ingest/io_upload_rows.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

int uploads_open(struct uploads *s)
{
    for (size_t i = 0; i < RPC_CALLS_MAX; i++)
        s->slots[i].uploads = s;
    return upload_rows_open(s->pg, s->ingest, s->stopped, s->data);
}

static void step(struct uploads *s,
                 struct ingest_event *ev,
                 struct ingest_update *up)
{
    ev->now_ms = clock_mono_ms();
    ev->now_at_ms = clock_wall_ms();
    ingest_step(s->ingest, ev, up);
}

/* --- beginning -------------------------------------------------------------
 */

static void answer_upload(struct rpc_call *call, const struct upload *u)
{
    struct reply_upload v = reply_view(u);

    reply_upload(call, &v);
}

/* Answer with the row of an upload that the core does not have: an ended one.
 */
static void answer_row(struct rpc_call *call,
                       const uint8_t *id,
                       const PGresult *res)
{
    const char *state = pg_get_text(res, 0, 1, NULL);
    struct reply_upload v = {.id = id, .received = pg_get_u64(res, 0, 2)};
    size_t len;

    if (strcmp(state, "done") == 0) {
        v.stage = STAGE_DONE;
        v.hash = pg_get_bytes(res, 0, 3, &len);
    } else if (strcmp(state, "failed") == 0) {
        v.stage = STAGE_FAILED;
        v.failure_code = (int)pg_get_i64(res, 0, 4);
        v.failure_vi = pg_get_text(res, 0, 5, NULL);
        v.failure_en = pg_get_text(res, 0, 6, NULL);
    } else if (strcmp(state, "dropped") == 0) {
        reply_refusal(call, REFUSE_UPLOAD_UNKNOWN);
        return;
    } else {
        reply_refusal(call, REFUSE_UPLOADS_FULL);
        return;
    }
    reply_upload(call, &v);
}

static struct uploads_slot *slot_of(struct uploads *s,
                                    struct rpc_call *call,
                                    const uint8_t *id)
{
    struct uploads_slot *t = &s->slots[call - call->rpc->calls];

    t->call = call;
    memcpy(t->plan.id, id, LOA_ID_BYTES);
    return t;
}

/* Ask for the row of an upload that the core does not know. */
static void get(struct uploads_slot *t, pg_rows_cb rows)
{
    if (upload_rows_get(t->uploads->pg, t->plan.id, t->call->who.area, rows,
                        t) != LOA_OK)
        reply_refusal(t->call, REFUSE_DATABASE_BUSY);
}

static void on_inserted(void *data, int status)
{
    struct uploads_slot *t = data;
    struct uploads *s = t->uploads;
    struct ingest_event ev = {.id = t->plan.id};
    struct ingest_update up;

    ev.type = status == LOA_OK ? INGEST_BEGUN : INGEST_BEGIN_FAILED;
    step(s, &ev, &up);
    if (status != LOA_OK) {
        reply_refusal(t->call, batch_refusal(s->pg, status));
        return;
    }
    stats_add(s->stats, STATS_UPLOADS_BEGUN, 1);
    log_info("upload.begun", "principal=%s size=%llu media=%d title=%s",
             t->plan.principal, (unsigned long long)t->plan.size,
             (int)t->plan.media, t->plan.title);
    answer_upload(t->call, up.upload);
}

static void insert(struct uploads_slot *t)
{
    int rv = upload_rows_insert(t->uploads->pg, &t->plan, on_inserted, t);

    if (rv != LOA_OK)
        on_inserted(t, rv);
}

/* The database has no such upload, or the core knows it: let the core judge. */
static void judge(struct uploads_slot *t)
{
    struct ingest_event ev = {.type = INGEST_BEGIN, .plan = &t->plan};
    struct ingest_update up;

    step(t->uploads, &ev, &up);
    if (up.action == INGEST_INSERT)
        insert(t);
    else if (up.action == INGEST_ANSWER)
        answer_upload(t->call, up.upload);
    else
        reply_refusal(t->call, up.refusal);
}

static bool is_mine(const struct uploads_slot *t, const PGresult *res)
{
    return strcmp(pg_get_text(res, 0, 0, NULL), t->call->who.principal) == 0;
}

static void on_begin_row(void *data, int status, const PGresult *res)
{
    struct uploads_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, batch_refusal(t->uploads->pg, status));
    else if (PQntuples(res) == 0)
        judge(t);
    else if (!is_mine(t, res))
        reply_refusal(t->call, REFUSE_UPLOAD_OTHER);
    else
        answer_row(t->call, t->plan.id, res);
}

void uploads_begin(struct uploads *s,
                   struct rpc_call *call,
                   const struct upload_plan *plan)
{
    struct uploads_slot *t = slot_of(s, call, plan->id);

    t->plan = *plan;
    memcpy(t->plan.principal, call->who.principal, sizeof t->plan.principal);
    if (plan->area[0] == '\0')
        memcpy(t->plan.area, call->who.area, sizeof t->plan.area);
    if (!loa_area_within(t->plan.area, call->who.area))
        reply_refusal(call, REFUSE_AREA_OUTSIDE);
    else if (ingest_find(s->ingest, plan->id) != NULL)
        judge(t);
    else
        get(t, on_begin_row);
}

/* --- parts -----------------------------------------------------------------
 */

static void on_part_stored(void *data, int status)
{
    struct uploads_slot *t = data;
    struct uploads *s = t->uploads;
    struct ingest_event ev = {.id = t->plan.id, .range = t->piece};
    struct ingest_update up;

    ev.type = status == LOA_OK ? INGEST_PART_STORED : INGEST_PART_FAILED;
    step(s, &ev, &up);
    if (status != LOA_OK) {
        reply_refusal(t->call, batch_refusal(s->pg, status));
        return;
    }
    stats_add(s->stats, STATS_PARTS, 1);
    stats_add(s->stats, STATS_UPLOAD_BYTES,
              (double)(t->piece.to - t->piece.from));
    answer_upload(t->call, up.upload);
    if (up.action == INGEST_COMPLETE) {
        log_info("upload.complete", "principal=%s size=%llu",
                 up.upload->plan.principal,
                 (unsigned long long)up.upload->plan.size);
        /* Whether the note gets there does not matter: a service that starts
         * anew sees that all bytes are there. */
        if (upload_rows_waiting(s->pg, t->plan.id) != LOA_OK)
            log_debug("upload.waiting", "text=not noted");
        s->poke(s->data);
    }
}

static void store(struct uploads_slot *t, const uint8_t *data)
{
    struct loa_bytes part = {data, (size_t)(t->piece.to - t->piece.from)};
    int rv = upload_rows_part(t->uploads->pg, t->plan.id, t->piece.from, part,
                              on_part_stored, t);

    if (rv != LOA_OK)
        on_part_stored(t, rv);
}

static void on_part_row(void *data, int status, const PGresult *res)
{
    struct uploads_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, batch_refusal(t->uploads->pg, status));
    else if (PQntuples(res) == 0)
        reply_refusal(t->call, REFUSE_UPLOAD_UNKNOWN);
    else if (!is_mine(t, res))
        reply_refusal(t->call, REFUSE_UPLOAD_OTHER);
    else
        answer_row(t->call, t->plan.id, res);
}

void uploads_part(struct uploads *s,
                  struct rpc_call *call,
                  const struct wire_request *r)
{
    struct uploads_slot *t = slot_of(s, call, r->id);
    struct ingest_event ev = {.type = INGEST_PART,
                              .id = r->id,
                              .principal = call->who.principal,
                              .range = r->range};
    struct ingest_update up;

    if (ingest_find(s->ingest, r->id) == NULL) {
        get(t, on_part_row); /* A late repetition, when it has ended. */
        return;
    }
    step(s, &ev, &up);
    if (up.action == INGEST_STORE) {
        t->piece = up.piece;
        store(t, r->data.data + (up.piece.from - r->range.from));
    } else if (up.action == INGEST_ANSWER) {
        answer_upload(call, up.upload);
    } else {
        reply_refusal(call, up.refusal);
    }
}

/* --- questions ------------------------------------------------------
 */

static void on_find_row(void *data, int status, const PGresult *res)
{
    struct uploads_slot *t = data;

    if (status != LOA_OK)
        reply_refusal(t->call, batch_refusal(t->uploads->pg, status));
    else if (PQntuples(res) == 0 ||
             (!pg_get_bool(res, 0, 7) && !is_mine(t, res)))
        reply_refusal(t->call, REFUSE_UPLOAD_UNKNOWN);
    else
        answer_row(t->call, t->plan.id, res);
}

void uploads_find(struct uploads *s,
                  struct rpc_call *call,
                  const uint8_t id[LOA_ID_BYTES])
{
    const struct upload *u = ingest_find(s->ingest, id);

    if (u == NULL)
        get(slot_of(s, call, id), on_find_row);
    else if (!loa_area_within(u->plan.area, call->who.area) ||
             u->state == UPLOAD_BEGINNING)
        reply_refusal(call, REFUSE_UPLOAD_UNKNOWN);
    else
        answer_upload(call, u);
}
