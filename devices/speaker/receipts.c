#include "speaker/receipts.h"

#include <assert.h>
#include <string.h>

#define TRIM_ACKED 1024 /* Acknowledged records per trim. */
#define TRIM_KEPT \
    (RECEIPTS_KEPT_MAX / 10) /* Others, when there are too many. */

static bool sane(const struct receipts *r)
{
    return r->first <= r->stored + 1 && r->stored + r->fresh_n + 1 == r->next &&
           r->acked <= r->stored;
}

static void received_key(const uint8_t id[LOA_ID_BYTES],
                         const uint8_t hash[LOA_HASH_BYTES],
                         uint8_t out[LOA_ID_BYTES])
{
    for (size_t i = 0; i < LOA_ID_BYTES; i++)
        out[i] = id[i] ^ hash[i];
}

void receipts_recall(struct receipts *r, const struct receipt *receipt)
{
    struct receipts_received *to = &r->received[r->received_next];

    if (receipt->event != RECEIPT_RECEIVED)
        return;
    to->sequence = receipt->sequence;
    received_key(receipt->bulletin_id, receipt->hash, to->key);
    r->received_next = (r->received_next + 1) % RECEIPTS_RECEIVED_MAX;
    if (r->received_n < RECEIPTS_RECEIVED_MAX)
        r->received_n++;
}

bool receipts_received(const struct receipts *r,
                       const uint8_t id[LOA_ID_BYTES],
                       const uint8_t hash[LOA_HASH_BYTES],
                       uint64_t after)
{
    uint8_t key[LOA_ID_BYTES];

    received_key(id, hash, key);
    for (size_t i = 0; i < r->received_n; i++)
        if (r->received[i].sequence > after &&
            memcmp(r->received[i].key, key, sizeof key) == 0)
            return true;
    return false;
}

void receipts_init(struct receipts *r,
                   const uint8_t log_id[LOA_ID_BYTES],
                   uint64_t first,
                   uint64_t next,
                   uint64_t acked)
{
    memcpy(r->log_id, log_id, LOA_ID_BYTES);
    r->first = first;
    r->next = next;
    r->stored = next - 1;
    /* What is not in the file any more was acknowledged, or was dropped. */
    r->acked = acked < first - 1 ? first - 1 : acked;
    if (r->acked > r->stored)
        r->acked = r->stored;
    r->lost_n = 0;
    r->fresh_n = 0;
    receipts_connected(r, false);
    assert(sane(r));
}

bool receipts_room(const struct receipts *r)
{
    return r->fresh_n < RECEIPTS_FRESH_MAX;
}

void receipts_add(struct receipts *r, const struct receipt *receipt)
{
    struct receipt *to;

    if (!receipts_room(r)) {
        r->lost_n++;
        return;
    }
    to = &r->fresh[r->fresh_n++];
    *to = *receipt;
    to->sequence = r->next++;
    receipts_recall(r, to);
    assert(sane(r));
}

void receipts_stored(struct receipts *r, size_t n)
{
    assert(n <= r->fresh_n);
    memmove(r->fresh, r->fresh + n, (r->fresh_n - n) * sizeof r->fresh[0]);
    r->fresh_n -= n;
    r->stored += n;
    assert(sane(r));
}

void receipts_connected(struct receipts *r, bool connected)
{
    r->connected = connected;
    r->sent = 0;
    r->resend_us = 0;
    r->pause_us = RECEIPTS_RESEND_US_MIN;
}

bool receipts_due(const struct receipts *r,
                  int64_t now_us,
                  uint64_t *first,
                  size_t *n)
{
    uint64_t waiting = r->stored - r->acked;

    if (!r->connected || waiting == 0 ||
        (r->sent > r->acked && now_us < r->resend_us))
        return false;
    *first = r->acked + 1;
    *n = waiting < RECEIPTS_BATCH_MAX ? (size_t)waiting : RECEIPTS_BATCH_MAX;
    return true;
}

void receipts_sent(struct receipts *r, uint64_t last, int64_t now_us)
{
    if (r->sent > r->acked && r->pause_us < RECEIPTS_RESEND_US_MAX)
        r->pause_us *= 2; /* It went out before and nobody answered. */
    r->sent = last;
    r->resend_us = now_us + r->pause_us;
}

bool receipts_ack(struct receipts *r,
                  const uint8_t log_id[LOA_ID_BYTES],
                  uint64_t committed)
{
    if (memcmp(log_id, r->log_id, LOA_ID_BYTES) != 0 || committed <= r->acked)
        return false;
    /* Nobody can have committed what is not written yet. */
    r->acked = committed < r->stored ? committed : r->stored;
    r->pause_us = RECEIPTS_RESEND_US_MIN;
    assert(sane(r));
    return true;
}

uint64_t receipts_excess(const struct receipts *r)
{
    uint64_t old = r->acked + 1 - r->first;

    if (r->stored - r->acked > RECEIPTS_KEPT_MAX)
        return old + TRIM_KEPT;
    /* Half of the file at least, so that trimming costs little. */
    return old >= TRIM_ACKED && old >= r->stored - r->acked ? old : 0;
}

void receipts_trimmed(struct receipts *r, uint64_t n)
{
    r->first += n;
    if (r->acked + 1 < r->first) {
        r->lost_n += r->first - 1 - r->acked;
        r->acked = r->first - 1;
    }
    assert(sane(r));
}

uint64_t receipts_pending(const struct receipts *r)
{
    return r->next - 1 - r->acked;
}

int64_t receipts_deadline_us(const struct receipts *r)
{
    if (!r->connected || r->stored == r->acked)
        return INT64_MAX;
    return r->sent > r->acked ? r->resend_us : 0;
}
