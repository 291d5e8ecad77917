#include "telemetry-collector/wire.h"

#include <string.h>

#include "loa/v1/device.pb-c.h"

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

static int receipt(const Loa__V1__Receipt *m, struct wire_receipt *r)
{
    if (m->sequence == 0 || m->sequence > INT64_MAX ||
        m->bulletin_id.len != LOA_ID_BYTES || m->event < 1 || m->event > 7 ||
        strlen(m->reason) >= WIRE_REASON_CAP ||
        (m->content_hash.len != 0 && m->content_hash.len != LOA_HASH_BYTES))
        return LOA_EINVAL;
    memset(r, 0, sizeof *r);
    r->sequence = m->sequence;
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
    return LOA_OK;
}

int wire_batch(struct loa_arena *a, struct loa_bytes body, struct wire_batch *b)
{
    Loa__V1__ReceiptBatch *m;

    loa_arena_reset(a);
    m = loa__v1__receipt_batch__unpack(&a->allocator, body.len, body.data);
    if (m == NULL || m->log_id.len != LOA_ID_BYTES || m->n_receipts == 0 ||
        m->n_receipts > WIRE_RECEIPTS_MAX || m->oldest_sequence > INT64_MAX)
        return LOA_EINVAL;
    memcpy(b->log_id, m->log_id.data, LOA_ID_BYTES);
    b->oldest = m->oldest_sequence;
    b->receipts_n = m->n_receipts;
    for (size_t i = 0; i < b->receipts_n; i++) {
        if (receipt(m->receipts[i], &b->receipts[i]) != LOA_OK)
            return LOA_EINVAL;
        /* Without gaps, or the acknowledgement of the last would cover what
         * never came. */
        if (i > 0 && b->receipts[i].sequence != b->receipts[i - 1].sequence + 1)
            return LOA_EINVAL;
    }
    if (b->oldest > b->receipts[0].sequence)
        return LOA_EINVAL;
    return LOA_OK;
}
