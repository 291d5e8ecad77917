#include "telemetry-collector/wire.h"

#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "proto/text.h"

#define AT_US_MAX 253402300799999999LL /* Year 9999. */

int wire_state(struct loa_arena *a, struct loa_bytes p, struct wire_state *s)
{
    Loa__V1__State *m;

    loa_arena_reset(a);
    m = loa__v1__state__unpack(&a->allocator, p.len, p.data);
    if (m == NULL || m->presence < LOA__V1__PRESENCE__PRESENCE_ONLINE ||
        m->presence > LOA__V1__PRESENCE__PRESENCE_DISCONNECTED ||
        m->session > INT64_MAX)
        return LOA_EINVAL;
    s->presence = (enum presence_kind)m->presence;
    s->session = m->session;
    s->at_ms = m->at_ms > 0 && m->at_ms <= AT_US_MAX / 1000 ? m->at_ms : 0;
    return LOA_OK;
}

/* PostgreSQL's bigint is signed. */
static uint64_t clamp(uint64_t n)
{
    return n <= INT64_MAX ? n : INT64_MAX;
}

static uint32_t clamp32(uint32_t n)
{
    return n <= INT32_MAX ? n : INT32_MAX;
}

int wire_health(struct loa_arena *a, struct loa_bytes p, struct wire_health *h)
{
    Loa__V1__Health *m;

    loa_arena_reset(a);
    m = loa__v1__health__unpack(&a->allocator, p.len, p.data);
    if (m == NULL || m->volume_percent > 100 ||
        (m->playing_bulletin_id.len != 0 &&
         m->playing_bulletin_id.len != LOA_ID_BYTES))
        return LOA_EINVAL;
    *h = (struct wire_health){
        .uptime_s = clamp(m->uptime_s),
        .resident_bytes = clamp(m->resident_bytes),
        .disk_free_bytes = clamp(m->disk_free_bytes),
        .cpu_permille = clamp32(m->cpu_permille),
        .volume_percent = m->volume_percent,
        .receipts_pending = clamp32(m->receipts_pending),
        .contents_missing = clamp32(m->contents_missing),
        .frames_played = clamp(m->frames_played),
        .frames_concealed = clamp(m->frames_concealed),
        .refused_messages = clamp(m->refused_messages),
        .clock_offset_us = m->clock_offset_us,
        .stale = m->stale,
        .playing = m->playing_bulletin_id.len != 0,
    };
    return LOA_OK;
}

/* What is wrong with it, or NULL. */
static const char *judge(const Loa__V1__Receipt *m)
{
    size_t reason_len = strlen(m->reason);

    if (m->sequence == 0 || m->sequence > INT64_MAX)
        return "sequence";
    if (m->bulletin_id.len != LOA_ID_BYTES)
        return "bulletin";
    if (m->event < 1 || m->event > 7)
        return "event";
    if (reason_len >= WIRE_REASON_CAP ||
        !loa_utf8_valid((const uint8_t *)m->reason, reason_len))
        return "reason";
    if (m->content_hash.len != 0 && m->content_hash.len != LOA_HASH_BYTES)
        return "content";
    return NULL;
}

static void fill(const Loa__V1__Receipt *m, struct wire_receipt *r)
{
    memcpy(r->bulletin_id, m->bulletin_id.data, LOA_ID_BYTES);
    r->event = (unsigned)m->event;
    /* A clock that makes no sense must not lose the receipt. */
    if (m->at_us > 0 && m->at_us <= AT_US_MAX)
        r->at_us = m->at_us;
    if (m->start_at_ms > 0 && m->start_at_ms <= AT_US_MAX / 1000)
        r->start_at_ms = m->start_at_ms;
    memcpy(r->reason, m->reason, strlen(m->reason));
    r->first_sample_us = m->first_sample_us;
    r->played_ms = clamp32(m->played_ms);
    r->concealed_ms = clamp32(m->concealed_ms);
    r->has_content = m->content_hash.len != 0;
    if (r->has_content)
        memcpy(r->content_hash, m->content_hash.data, LOA_HASH_BYTES);
}

/* sequence is 0 when it cannot be told from these bytes. */
static void receipt(struct loa_arena *a,
                    ProtobufCBinaryData raw,
                    struct wire_receipt *r)
{
    Loa__V1__Receipt *m =
        loa__v1__receipt__unpack(&a->allocator, raw.len, raw.data);

    memset(r, 0, sizeof *r);
    r->why = m == NULL ? "malformed" : judge(m);
    if (m != NULL && m->sequence <= INT64_MAX)
        r->sequence = m->sequence;
    if (r->why == NULL)
        fill(m, r);
    else
        r->raw = (struct loa_bytes){
            raw.data, raw.len < WIRE_RAW_MAX ? raw.len : WIRE_RAW_MAX};
}

/* The numbers of a batch have no gaps, so that one tells them all: best one of
 * a receipt that is good. A batch begins with the oldest that is still kept. */
static uint64_t first_sequence(const struct wire_batch *b)
{
    for (size_t i = 0; i < b->receipts_n; i++)
        if (b->receipts[i].why == NULL)
            return b->receipts[i].sequence > i ? b->receipts[i].sequence - i
                                               : 0;
    return b->oldest != 0 ? b->oldest : b->receipts[0].sequence;
}

int wire_batch(struct loa_arena *a, struct loa_bytes body, struct wire_batch *b)
{
    Loa__V1__RawReceiptBatch *m;
    uint64_t first;

    loa_arena_reset(a);
    m = loa__v1__raw_receipt_batch__unpack(&a->allocator, body.len, body.data);
    if (m == NULL || m->log_id.len != LOA_ID_BYTES || m->n_receipts == 0 ||
        m->n_receipts > WIRE_RECEIPTS_MAX || m->oldest_sequence > INT64_MAX)
        return LOA_EINVAL;
    memcpy(b->log_id, m->log_id.data, LOA_ID_BYTES);
    b->oldest = m->oldest_sequence;
    b->receipts_n = m->n_receipts;
    for (size_t i = 0; i < b->receipts_n; i++)
        receipt(a, m->receipts[i], &b->receipts[i]);
    if (a->full)
        return LOA_ENOSPC; /* What had no room is not malformed. */
    first = first_sequence(b);
    if (first == 0 || first > INT64_MAX - WIRE_RECEIPTS_MAX ||
        b->oldest > first)
        return LOA_EINVAL;
    for (size_t i = 0; i < b->receipts_n; i++) {
        struct wire_receipt *r = &b->receipts[i];
        if (r->why == NULL && r->sequence != first + i) {
            b->receipts_n = i;
            break;
        }
        r->sequence = first + i;
    }
    return b->receipts_n > 0 ? LOA_OK : LOA_EINVAL;
}
