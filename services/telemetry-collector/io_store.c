#include "telemetry-collector/io_store.h"

#include <stdlib.h>
#include <string.h>

#include "proto/io/log.h"

static const char *const setup[] = {
    "CREATE TEMP TABLE receipt_stage (LIKE receipt EXCLUDING ALL,"
    " acked bigint NOT NULL, why text, raw bytea)",
    "ALTER TABLE receipt_stage ALTER committed_at DROP NOT NULL",
};

static const char copy_receipts[] =
    "COPY receipt_stage (device, log_id, sequence, at, area, bulletin_id,"
    " start_at, event, reason, first_sample_us, at_us, played_ms, concealed_ms,"
    " content_hash, acked, why, raw) FROM STDIN (FORMAT text)";

static const char *const then_receipts[] = {
    "INSERT INTO receipt (device, log_id, sequence, at, area, bulletin_id,"
    " start_at, event, reason, first_sample_us, at_us, played_ms, concealed_ms,"
    " content_hash)"
    " SELECT device, log_id, sequence, at, area, bulletin_id, start_at, event,"
    " reason, first_sample_us, at_us, played_ms, concealed_ms, content_hash"
    " FROM receipt_stage WHERE why IS NULL ON CONFLICT DO NOTHING",
    "INSERT INTO receipt_refused (device, log_id, sequence, area, why, raw)"
    " SELECT device, log_id, sequence, area, why, raw"
    " FROM receipt_stage WHERE why IS NOT NULL ON CONFLICT DO NOTHING",
    /* The last row of a device in the stage is of its newest log. A part of a
     * batch that was cut notes no more than it holds: the rest may never be
     * stored. What is sent again notes no less than what is known. The rows are
     * taken in the order of save.c, so that it and we cannot wait for each
     * other. */
    "INSERT INTO device (device, area, last_seen, log_id, committed)"
    " SELECT DISTINCT ON (device COLLATE \"C\") device, area, now(), log_id,"
    " max(least(acked, sequence)) OVER (PARTITION BY device, log_id)"
    " FROM receipt_stage ORDER BY device COLLATE \"C\", ctid DESC"
    " ON CONFLICT (device) DO UPDATE SET log_id = excluded.log_id,"
    " committed = CASE WHEN device.log_id = excluded.log_id"
    " THEN greatest(device.committed, excluded.committed)"
    " ELSE excluded.committed END",
    "TRUNCATE receipt_stage",
};

static const char copy_health[] =
    "COPY health (device, area, received_at, uptime_s, resident_bytes,"
    " disk_free_bytes, cpu_permille, volume_percent, stale, receipts_pending,"
    " contents_missing, frames_played, frames_concealed, clock_offset_us,"
    " refused_messages) FROM STDIN (FORMAT text)";

#define N(a) (sizeof(a) / sizeof(a)[0])

static void flush(struct store *s);
static void send_part(struct store *s);

static void failed(struct store *s, const char *what, int status)
{
    log_error("store.failed", "what=%s sqlstate=%s text=%s", what,
              pg_copy_sqlstate(&s->copy), loa_strerror(status));
    s->calls.on_failed(s->calls.data);
}

static void end_batch(struct store *s)
{
    bool receipts = s->flight.receipts;

    s->flight.text = NULL;
    s->batches_n++;
    if (receipts)
        s->calls.on_committed(s->calls.data);
    flush(s);
}

/* Class 22 is bad data, 23 a broken constraint: it is a row's fault, and the
 * same batch would be refused for ever. */
static bool row_is_bad(const struct store *s, int status)
{
    const char *state = pg_copy_sqlstate(&s->copy);

    return status == LOA_EDB && state[0] == '2' &&
           (state[1] == '2' || state[1] == '3');
}

static int replace_row(struct store *s)
{
    const char *row = s->flight.text + s->flight.from;
    int rv = s->flight.replaced
                 ? LOA_EINVAL
                 : rows_refuse(row, s->flight.to - s->flight.from,
                               pg_copy_sqlstate(&s->copy), &s->refused);

    s->flight.replaced = rv == LOA_OK;
    return rv;
}

/* The part has a row that is refused: half of it may do without. */
static void retry(struct store *s)
{
    size_t mid = rows_half(s->flight.text, s->flight.from, s->flight.to);

    if (mid < s->flight.to)
        s->flight.to = mid;
    else if (replace_row(s) != LOA_OK) {
        failed(s, "receipts", LOA_EDB);
        return;
    }
    send_part(s);
}

static void on_part(void *data, int status, const uint64_t rows[])
{
    struct store *s = data;

    (void)rows;
    if (status != LOA_OK && !row_is_bad(s, status)) {
        failed(s, s->flight.receipts ? "receipts" : "health", status);
        return;
    }
    if (status != LOA_OK && s->flight.receipts) {
        retry(s);
        return;
    }
    if (status != LOA_OK) { /* The next reports tell what these did. */
        log_warn("store.health_dropped", "rows=%zu sqlstate=%s",
                 s->flight.rows_n, pg_copy_sqlstate(&s->copy));
        s->health_dropped_n += s->flight.rows_n;
    } else if (s->flight.replaced) {
        s->flight.replaced = false;
        s->refused_n++;
        s->calls.on_refused(s->calls.data, s->refused.device,
                            s->refused.sequence);
    }
    s->flight.from = status == LOA_OK ? s->flight.to : s->flight.len;
    s->flight.to = s->flight.len;
    if (s->flight.from < s->flight.len)
        send_part(s);
    else
        end_batch(s);
}

static void send_part(struct store *s)
{
    bool receipts = s->flight.receipts;
    struct pg_copy_job job = {.copy = receipts ? copy_receipts : copy_health,
                              .data = s->flight.text + s->flight.from,
                              .len = s->flight.to - s->flight.from,
                              .then = receipts ? then_receipts : NULL,
                              .then_n = receipts ? N(then_receipts) : 0};
    int rv;

    if (s->flight.replaced) {
        job.data = s->refused.text;
        job.len = s->refused.len;
    }
    rv = pg_copy_run(&s->copy, &job, on_part, s);
    if (rv != LOA_OK)
        failed(s, "start", rv);
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
    char *other = b->text == text[0] ? text[1] : text[0];

    if (s->flight.text != NULL || s->closed || b->rows_n == 0)
        return;
    s->rows_n += b->rows_n;
    s->receipts_next = !receipts;
    s->flight.text = b->text;
    s->flight.len = s->flight.to = b->len;
    s->flight.from = 0;
    s->flight.rows_n = b->rows_n;
    s->flight.receipts = receipts;
    s->flight.replaced = false;
    pg_copy_init(b, other, STORE_BUFFER_BYTES);
    if (receipts)
        s->calls.on_began(s->calls.data);
    send_part(s);
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

/* What was said, or, of a receipt that cannot be read, what the columns need.
 */
static int said(struct pg_copy_buf *b, const struct wire_receipt *r)
{
    int rv = pg_copy_bytes(b, r->bulletin_id, r->why ? 0 : LOA_ID_BYTES);

    rv |= r->start_at_ms != 0 ? pg_copy_time_ms(b, r->start_at_ms)
                              : pg_copy_null(b);
    rv |= pg_copy_u64(b, r->event);
    rv |= pg_copy_text(b, r->reason, strlen(r->reason));
    rv |= pg_copy_i64(b, r->first_sample_us);
    rv |= pg_copy_i64(b, r->at_us);
    rv |= pg_copy_u64(b, r->played_ms);
    rv |= pg_copy_u64(b, r->concealed_ms);
    return rv |
           (r->has_content ? pg_copy_bytes(b, r->content_hash, LOA_HASH_BYTES)
                           : pg_copy_null(b));
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
    rv |= said(b, r);
    rv |= pg_copy_u64(b, d->pending);
    if (r->why == NULL) {
        rv |= pg_copy_null(b);
        rv |= pg_copy_null(b);
    } else {
        rv |= pg_copy_text(b, r->why, strlen(r->why));
        rv |= pg_copy_bytes(b, r->raw.data, r->raw.len);
    }
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
