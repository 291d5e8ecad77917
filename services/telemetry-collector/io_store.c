#include "telemetry-collector/io_store.h"

#include <stdlib.h>
#include <string.h>

#include "proto/io/log.h"

static const char *const setup[] = {
    "CREATE TEMP TABLE receipt_stage (LIKE receipt EXCLUDING ALL,"
    " acked bigint NOT NULL)",
    "ALTER TABLE receipt_stage ALTER committed_at DROP NOT NULL",
};

static const char copy_receipts[] =
    "COPY receipt_stage (device, log_id, sequence, at, area, bulletin_id,"
    " start_at, event, reason, first_sample_us, at_us, played_ms, concealed_ms,"
    " content_hash, acked) FROM STDIN (FORMAT text)";

static const char *const then_receipts[] = {
    "INSERT INTO receipt (device, log_id, sequence, at, area, bulletin_id,"
    " start_at, event, reason, first_sample_us, at_us, played_ms, concealed_ms,"
    " content_hash)"
    " SELECT device, log_id, sequence, at, area, bulletin_id, start_at, event,"
    " reason, first_sample_us, at_us, played_ms, concealed_ms, content_hash"
    " FROM receipt_stage ON CONFLICT DO NOTHING",
    /* The last row of a device in the stage is of its newest log. */
    "INSERT INTO device (device, area, last_seen, log_id, committed)"
    " SELECT DISTINCT ON (device) device, area, now(), log_id, acked"
    " FROM receipt_stage ORDER BY device, ctid DESC"
    " ON CONFLICT (device) DO UPDATE SET log_id = excluded.log_id,"
    " committed = excluded.committed",
    "TRUNCATE receipt_stage",
};

static const char copy_health[] =
    "COPY health (device, area, received_at, uptime_s, resident_bytes,"
    " disk_free_bytes, cpu_permille, volume_percent, stale, receipts_pending,"
    " contents_missing, frames_played, frames_concealed, clock_offset_us,"
    " refused_messages) FROM STDIN (FORMAT text)";

#define N(a) (sizeof(a) / sizeof(a)[0])

static void flush(struct store *s);

static void failed(struct store *s, const char *what, int status)
{
    log_error("store.failed", "what=%s sqlstate=%s text=%s", what,
              pg_copy_sqlstate(&s->copy), loa_strerror(status));
    s->calls.on_failed(s->calls.data);
}

static void on_receipts(void *data, int status, const uint64_t rows[])
{
    struct store *s = data;

    s->busy = false;
    if (status != LOA_OK) {
        failed(s, "receipts", status);
        return;
    }
    s->batches_n++;
    log_debug("store.receipts", "new=%llu", (unsigned long long)rows[0]);
    s->calls.on_committed(s->calls.data);
    flush(s);
}

static void on_health(void *data, int status, const uint64_t rows[])
{
    struct store *s = data;

    (void)rows;
    s->busy = false;
    if (status != LOA_OK)
        failed(s, "health", status);
    else
        flush(s);
}

/* Send one of the two buffers that have rows, and fill the other copy of it
 * meanwhile. */
static void flush(struct store *s)
{
    bool receipts = s->receipts.filling.rows_n > 0 &&
                    (s->receipts_next || s->health.filling.rows_n == 0);
    struct pg_copy_buf *b =
        receipts ? &s->receipts.filling : &s->health.filling;
    char **text = receipts ? s->receipts.text : s->health.text;
    struct pg_copy_job job = {.copy = receipts ? copy_receipts : copy_health,
                              .data = b->text,
                              .len = b->len,
                              .then = receipts ? then_receipts : NULL,
                              .then_n = receipts ? N(then_receipts) : 0};
    char *other = b->text == text[0] ? text[1] : text[0];
    int rv;

    if (s->busy || s->closed || b->rows_n == 0)
        return;
    s->rows_n += b->rows_n;
    s->receipts_next = !receipts;
    rv = pg_copy_run(&s->copy, &job, receipts ? on_receipts : on_health, s);
    if (rv != LOA_OK) {
        failed(s, "start", rv);
        return;
    }
    s->busy = true;
    if (receipts)
        s->calls.on_began(s->calls.data);
    pg_copy_init(b, other, STORE_BUFFER_BYTES);
}

static void on_timer(uv_timer_t *t)
{
    flush(t->data);
}

static void arm(struct store *s)
{
    if (!uv_is_active((uv_handle_t *)&s->timer))
        uv_timer_start(&s->timer, on_timer, STORE_LINGER_MS, 0);
}

static int row(struct pg_copy_buf *b,
               const struct device *d,
               const struct wire_batch *batch,
               const struct wire_receipt *r)
{
    int rv = pg_copy_text(b, d->id, strlen(d->id));

    rv |= pg_copy_bytes(b, batch->log_id, LOA_ID_BYTES);
    rv |= pg_copy_u64(b, r->sequence);
    rv |= pg_copy_time_ms(b, r->at_us / 1000);
    rv |= pg_copy_text(b, d->area, strlen(d->area));
    rv |= pg_copy_bytes(b, r->bulletin_id, LOA_ID_BYTES);
    rv |= r->start_at_ms != 0 ? pg_copy_time_ms(b, r->start_at_ms)
                              : pg_copy_null(b);
    rv |= pg_copy_u64(b, r->event);
    rv |= pg_copy_text(b, r->reason, strlen(r->reason));
    rv |= pg_copy_i64(b, r->first_sample_us);
    rv |= pg_copy_i64(b, r->at_us);
    rv |= pg_copy_u64(b, r->played_ms);
    rv |= pg_copy_u64(b, r->concealed_ms);
    rv |= r->has_content ? pg_copy_bytes(b, r->content_hash, LOA_HASH_BYTES)
                         : pg_copy_null(b);
    rv |= pg_copy_u64(b, d->pending);
    return rv | pg_copy_row(b);
}

int store_receipts(struct store *s,
                   const struct device *d,
                   const struct wire_batch *b)
{
    struct pg_copy_buf *to = &s->receipts.filling, before = *to;

    for (size_t i = 0; i < b->receipts_n; i++)
        if (row(to, d, b, &b->receipts[i]) != LOA_OK) {
            *to = before; /* All of the batch or nothing of it. */
            return LOA_EBUSY;
        }
    arm(s);
    return LOA_OK;
}

void store_health(struct store *s,
                  const struct device *d,
                  const struct wire_health *h,
                  int64_t now_ms)
{
    struct pg_copy_buf *b = &s->health.filling;
    int rv = pg_copy_text(b, d->id, strlen(d->id));

    rv |= pg_copy_text(b, d->area, strlen(d->area));
    rv |= pg_copy_time_ms(b, now_ms);
    rv |= pg_copy_u64(b, h->uptime_s);
    rv |= pg_copy_u64(b, h->resident_bytes);
    rv |= pg_copy_u64(b, h->disk_free_bytes);
    rv |= pg_copy_u64(b, h->cpu_permille);
    rv |= pg_copy_u64(b, h->volume_percent);
    rv |= pg_copy_bool(b, h->stale);
    rv |= pg_copy_u64(b, h->receipts_pending);
    rv |= pg_copy_u64(b, h->contents_missing);
    rv |= pg_copy_u64(b, h->frames_played);
    rv |= pg_copy_u64(b, h->frames_concealed);
    rv |= pg_copy_i64(b, h->clock_offset_us);
    rv |= pg_copy_u64(b, h->refused_messages);
    if (rv != LOA_OK || pg_copy_row(b) != LOA_OK)
        pg_copy_undo(b);
    else
        arm(s);
}

static void on_lost(void *data)
{
    failed(data, "connection", LOA_ENOTCONN);
}

int store_open(struct store *s,
               uv_loop_t *loop,
               const struct pg_conf *conf,
               const struct store_calls *calls)
{
    int rv;

    memset(s, 0, sizeof *s);
    s->calls = *calls;
    for (int i = 0; i < 2; i++) {
        s->receipts.text[i] = malloc(STORE_BUFFER_BYTES);
        s->health.text[i] = malloc(STORE_BUFFER_BYTES);
        if (s->receipts.text[i] == NULL || s->health.text[i] == NULL) {
            rv = LOA_ENOMEM;
            goto err;
        }
    }
    pg_copy_init(&s->receipts.filling, s->receipts.text[0], STORE_BUFFER_BYTES);
    pg_copy_init(&s->health.filling, s->health.text[0], STORE_BUFFER_BYTES);
    rv = pg_copy_open(&s->copy, loop, conf, setup, N(setup), on_lost, s);
    if (rv != LOA_OK)
        goto err;
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    return LOA_OK;

err:
    for (int i = 0; i < 2; i++) {
        free(s->receipts.text[i]);
        free(s->health.text[i]);
    }
    return rv;
}

void store_close(struct store *s)
{
    s->closed = true;
    pg_copy_close(&s->copy);
    uv_close((uv_handle_t *)&s->timer, NULL);
    for (int i = 0; i < 2; i++) {
        free(s->receipts.text[i]);
        free(s->health.text[i]);
    }
}
