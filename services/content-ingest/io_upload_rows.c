#include "content-ingest/io_upload_rows.h"

#include <assert.h>
#include <string.h>

#include "content-ingest/io_batch.h"
#include "proto/io/log.h"

enum {
    STMT_LOAD,
    STMT_RANGES,
    STMT_GET,
    STMT_INSERT,
    STMT_PART,
    STMT_WAITING,
    STMT_ENCODING,
    STMT_FAILED,
    STMT_DROPPED,
    STMT_DONE,
    STMT_READ,
};

static const struct pg_stmt stmts[] = {
    [STMT_LOAD] =
        {"upload_load",
         "SELECT upload_id, replace(area::text, '.', '/'), submitted_by,"
         " media, title, language, file_name, size, state, attempts_n,"
         " coalesce((SELECT max(at) FROM upload_part p"
         " WHERE p.upload_id = u.upload_id), begun_at)"
         " FROM upload u WHERE state IN ('receiving', 'waiting', 'encoding')"
         " ORDER BY begun_at",
         0, PG_ROWS, true},
    /* Islands of the parts: an island begins where no earlier part reaches. */
    [STMT_RANGES] =
        {"upload_ranges",
         "SELECT min(from_byte), max(to_byte) FROM ("
         "  SELECT from_byte, to_byte, count(*) FILTER (WHERE from_byte >"
         "    coalesce(reached, -1)) OVER (ORDER BY from_byte) AS island"
         "  FROM (SELECT at_byte AS from_byte,"
         "    at_byte + octet_length(data) AS to_byte,"
         "    max(at_byte + octet_length(data)) OVER (ORDER BY at_byte"
         "      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached"
         "    FROM upload_part WHERE upload_id = $1) AS part) AS placed"
         " GROUP BY island ORDER BY 1",
         1, PG_ROWS, true},
    [STMT_GET] =
        {"upload_get",
         "SELECT submitted_by, state, size, content_hash, failure_code,"
         " failure_vi, failure_en, area <@ replace($2, '/', '.')::ltree"
         " FROM upload WHERE upload_id = $1",
         2, PG_MAYBE, true},
    [STMT_INSERT] =
        {"upload_insert",
         "INSERT INTO upload (upload_id, area, submitted_by, media, title,"
         " language, file_name, size) VALUES ($1, replace($2, '/', '.')::ltree,"
         " $3, $4::int, $5, $6, $7, $8::bigint)",
         8, PG_NONE, false},
    /* The longer of two parts at the same place holds the shorter one. */
    [STMT_PART] =
        {"upload_part",
         "INSERT INTO upload_part (upload_id, at_byte, data)"
         " VALUES ($1, $2::bigint, $3)"
         " ON CONFLICT (upload_id, at_byte) DO UPDATE"
         " SET data = excluded.data, at = now()"
         " WHERE octet_length(upload_part.data) < octet_length(excluded.data)",
         3, PG_NONE, false},
    [STMT_WAITING] = {"upload_waiting",
                      "UPDATE upload SET state = 'waiting'"
                      " WHERE upload_id = $1 AND state = 'receiving'",
                      1, PG_NONE, false},
    [STMT_ENCODING] =
        {"upload_encoding",
         "UPDATE upload SET state = 'encoding', attempts_n = $2::int"
         " WHERE upload_id = $1",
         2, PG_NONE, false},
    [STMT_FAILED] = {"upload_failed",
                     "UPDATE upload SET state = 'failed', ended_at = now(),"
                     " failure_code = $2::int, failure_vi = $3, failure_en = $4"
                     " WHERE upload_id = $1",
                     4, PG_NONE, false},
    [STMT_DROPPED] = {"upload_dropped",
                      "UPDATE upload SET state = 'dropped', ended_at = now()"
                      " WHERE upload_id = $1",
                      1, PG_NONE, false},
    [STMT_DONE] = {"upload_done",
                   "UPDATE upload SET state = 'done', ended_at = now(),"
                   " content_hash = $2 WHERE upload_id = $1",
                   2, PG_NONE, false},
    [STMT_READ] = {"upload_read",
                   "SELECT at_byte, data FROM upload_part"
                   " WHERE upload_id = $1 AND at_byte > $2::bigint"
                   " ORDER BY at_byte LIMIT $3::int",
                   3, PG_ROWS, true},
};

/* --- at start -------------------------------------------------------------
 */

static int load_ranges(struct pg *pg, struct upload *u)
{
    struct pg_value value = pg_bytes(u->plan.id, LOA_ID_BYTES);
    PGresult *res;
    int rv = pg_query_now(pg, &stmts[STMT_RANGES], &value, &res);

    if (rv != LOA_OK)
        return rv;
    /* More islands than the core keeps are sent again. */
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++)
        rv = ranges_add(&u->durable, pg_get_u64(res, i, 0),
                        pg_get_u64(res, i, 1));
    PQclear(res);
    return LOA_OK;
}

static void copy_text(char *to, size_t cap, const PGresult *res, int i, int col)
{
    size_t len;
    const char *text = pg_get_text(res, i, col, &len);

    assert(len < cap); /* Checked by wire.c before it was stored. */
    memcpy(to, text, len + 1);
}

static void load_row(const PGresult *res, int i, struct upload *u)
{
    struct upload_plan *p = &u->plan;
    size_t len;
    const void *id = pg_get_bytes(res, i, 0, &len);

    memset(u, 0, sizeof *u);
    memcpy(p->id, id, LOA_ID_BYTES);
    copy_text(p->area, sizeof p->area, res, i, 1);
    copy_text(p->principal, sizeof p->principal, res, i, 2);
    p->media = (enum media)pg_get_i64(res, i, 3);
    copy_text(p->title, sizeof p->title, res, i, 4);
    copy_text(p->language, sizeof p->language, res, i, 5);
    copy_text(p->file_name, sizeof p->file_name, res, i, 6);
    p->size = pg_get_u64(res, i, 7);
    u->state = strcmp(pg_get_text(res, i, 8, NULL), "receiving") == 0
                   ? UPLOAD_RECEIVING
                   : UPLOAD_WAITING;
    u->attempts_n = (unsigned)pg_get_u64(res, i, 9);
    u->active_at_ms = pg_get_time_ms(res, i, 10);
}

int upload_rows_open(struct pg *pg,
                     struct ingest *n,
                     bool (*stopped)(void *data,
                                     const uint8_t id[LOA_ID_BYTES]),
                     void *data)
{
    int rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);
    struct upload u;
    PGresult *res;

    if (rv == LOA_OK)
        rv = pg_query_now(pg, &stmts[STMT_LOAD], NULL, &res);
    if (rv != LOA_OK)
        return rv;
    for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++) {
        load_row(res, i, &u);
        if (strcmp(pg_get_text(res, i, 8, NULL), "encoding") == 0 &&
            u.attempts_n > 0 && stopped(data, u.plan.id))
            u.attempts_n--;
        rv = load_ranges(pg, &u);
        if (rv == LOA_OK && ingest_restore(n, &u) != LOA_OK) {
            log_warn("upload.restore", "left=%d text=too many unfinished",
                     PQntuples(res) - i);
            break;
        }
    }
    log_info("upload.restore", "unfinished=%d", PQntuples(res));
    PQclear(res);
    return rv;
}

/* --- while it runs ---------------------------------------------------------
 */

int upload_rows_get(struct pg *pg,
                    const uint8_t id[LOA_ID_BYTES],
                    const char *area,
                    pg_rows_cb rows,
                    void *data)
{
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES), pg_text(area)};

    return batch_ask(pg, &stmts[STMT_GET], values, rows, data);
}

int upload_rows_insert(struct pg *pg,
                       const struct upload_plan *p,
                       pg_done_cb done,
                       void *data)
{
    uint8_t media[4], size[8];
    struct pg_value values[] = {pg_bytes(p->id, LOA_ID_BYTES),
                                pg_text(p->area),
                                pg_text(p->principal),
                                pg_i32((int32_t)p->media, media),
                                pg_text(p->title),
                                pg_text(p->language),
                                pg_text(p->file_name),
                                pg_i64((int64_t)p->size, size)};

    return batch_change(pg, &stmts[STMT_INSERT], values, done, data);
}

int upload_rows_part(struct pg *pg,
                     const uint8_t id[LOA_ID_BYTES],
                     uint64_t at_byte,
                     struct loa_bytes part,
                     pg_done_cb done,
                     void *data)
{
    uint8_t at[8];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i64((int64_t)at_byte, at),
                                pg_bytes(part.data, part.len)};

    return batch_change(pg, &stmts[STMT_PART], values, done, data);
}

int upload_rows_waiting(struct pg *pg, const uint8_t id[LOA_ID_BYTES])
{
    struct pg_value value = pg_bytes(id, LOA_ID_BYTES);

    return batch_change(pg, &stmts[STMT_WAITING], &value, NULL, NULL);
}

int upload_rows_encoding(struct pg *pg,
                         const uint8_t id[LOA_ID_BYTES],
                         unsigned attempts_n,
                         pg_done_cb done,
                         void *data)
{
    uint8_t attempts[4];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i32((int32_t)attempts_n, attempts)};

    return batch_change(pg, &stmts[STMT_ENCODING], values, done, data);
}

int upload_rows_failed(struct pg *pg,
                       const uint8_t id[LOA_ID_BYTES],
                       const struct refusal_text *why,
                       pg_done_cb done,
                       void *data)
{
    uint8_t code[4];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i32((int32_t)why->code, code),
                                pg_text(why->vi), pg_text(why->en)};

    return batch_change(pg, &stmts[STMT_FAILED], values, done, data);
}

int upload_rows_dropped(struct pg *pg, const uint8_t id[LOA_ID_BYTES])
{
    struct pg_value value = pg_bytes(id, LOA_ID_BYTES);

    return batch_change(pg, &stmts[STMT_DROPPED], &value, NULL, NULL);
}

int upload_rows_done(struct pg *pg,
                     const uint8_t id[LOA_ID_BYTES],
                     const uint8_t hash[LOA_HASH_BYTES])
{
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_bytes(hash, LOA_HASH_BYTES)};

    return pg_query(pg, &stmts[STMT_DONE], values, NULL, NULL);
}

int upload_rows_read(struct pg *pg,
                     const uint8_t id[LOA_ID_BYTES],
                     int64_t after_byte,
                     pg_rows_cb rows,
                     void *data)
{
    uint8_t after[8], limit[4];
    struct pg_value values[] = {pg_bytes(id, LOA_ID_BYTES),
                                pg_i64(after_byte, after),
                                pg_i32(UPLOAD_PAGE_PARTS, limit)};

    return batch_ask(pg, &stmts[STMT_READ], values, rows, data);
}
