#include <string.h>

#include "content-ingest/app.h"
#include "content-ingest/io_reply.h"
#include "content-ingest/wire.h"
#include "proto/io/clock.h"
#include "proto/io/log.h"

void messages_request(void *data, struct rpc_call *call, struct loa_bytes body)
{
    struct app *a = data;
    struct wire_request r;
    enum refusal refusal = REFUSE_ROLE;

    loa_arena_reset(&a->arena);
    if (call->who.role == LOA_ROLE_STAFF || call->who.role == LOA_ROLE_SERVICE)
        refusal = wire_request(&a->arena, body, &r);
    if (refusal != REFUSE_NOTHING) {
        reply_refusal(call, refusal);
        return;
    }
    switch (r.type) {
        case WIRE_UPLOAD_BEGIN:
            uploads_begin(&a->uploads, call, &r.plan);
            break;
        case WIRE_UPLOAD_PART:
            uploads_part(&a->uploads, call, &r);
            break;
        case WIRE_FIND:
            if (r.find.by_upload)
                uploads_find(&a->uploads, call, r.find.upload_id);
            else
                contents_find(&a->contents, call, &r.find);
            break;
        case WIRE_APPROVE:
            contents_approve(&a->contents, call, r.data);
            break;
        case WIRE_DELETE:
            contents_delete(&a->contents, call, r.hash);
            break;
        default:
            exports_request(&a->exports, call, r.hash, r.offset);
    }
}

static uint32_t ahead(const void *data, const char *area, uint32_t content)
{
    return push_ahead(data, area, content);
}

static void on_want(struct app *a,
                    const struct loa_topic *t,
                    const struct mqtt_msg *msg)
{
    static struct want_message m;
    struct want_event ev = {.type = WANT_MESSAGE,
                            .now_ms = clock_mono_ms(),
                            .message = &m,
                            .ahead = ahead,
                            .data = &a->push};
    struct loa_bytes p = {msg->payload, msg->len};
    struct want_update up;

    m.device = t->principal;
    m.area = t->area;
    loa_arena_reset(&a->arena);
    if (wire_want(&a->arena, p, &m) != LOA_OK) {
        stats_add(&a->stats, STATS_WANTS_REFUSED, 1);
        log_warn("want.malformed", "topic=%s", msg->topic);
        return;
    }
    want_step(&a->want, &ev, &up);
    stats_add(&a->stats, up.limited ? STATS_WANTS_REFUSED : STATS_WANTS, 1);
    stats_add(&a->stats, STATS_WANT_MARKED, up.marked_n);
    stats_add(&a->stats, STATS_WANT_MERGED, up.merged_n);
    stats_add(&a->stats, STATS_WANT_PROMISED, up.promised_n);
    stats_add(&a->stats, STATS_WANT_UNKNOWN, up.unknown_n);
    stats_add(&a->stats, STATS_WANT_DROPPED, up.dropped_n);
    log_debug("want.taken", "topic=%s marked=%u merged=%u limited=%d",
              msg->topic, up.marked_n, up.merged_n, up.limited);
    sender_wake(&a->sender);
}

void messages_take(void *data, const struct mqtt_msg *msg)
{
    struct app *a = data;
    struct loa_bytes p = {msg->payload, msg->len};
    struct loa_topic t;

    if (loa_topic_parse(msg->topic, &t) != LOA_OK)
        return;
    if (t.plane == LOA_PLANE_DOWN && strcmp(t.kind, "programme") == 0 &&
        t.principal[0] == '\0') {
        retained_heard(&a->retained);
        needs_io_programme(&a->needs_io, t.area, p);
    } else if (t.plane == LOA_PLANE_UP && strcmp(t.kind, "want") == 0 &&
               t.principal[0] != '\0') {
        on_want(a, &t, msg);
    } else if (t.plane == LOA_PLANE_RPC) {
        release_message(&a->release, msg);
    }
}
