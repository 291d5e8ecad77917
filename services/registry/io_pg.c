#include "registry/io_pg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Many rows travel as one text: lines of columns parted by tabs. No column can
 * hold either: names have no control characters, the rest is plain ASCII. */
#define ROWS                                           \
    " FROM (SELECT string_to_array(line, E'\\t') AS c" \
    " FROM unnest(string_to_array($1::text, E'\\n')) AS line) AS rows"

enum {
    STATE_SAVE,
    PART_SAVE,
    PART_DROP,
    AREA_ADD,
    AREA_END,
    AREA_PUT,
    DEVICE_PUT,
    CODE_PUT,
    CODE_PRUNE,
    CERTIFICATE_PUT,
    CERTIFICATE_GET,
    PRINCIPAL_PUT,
    PRINCIPAL_REVOKE,
    REVOCATION_PUT,
};

const struct pg_stmt io_pg_stmts[] = {
    [STATE_SAVE] = {"state_save",
                    "UPDATE state SET areas_version = $1::bigint,"
                    " trust_number = $2::bigint, trust_at = $3::timestamptz,"
                    " trust_signer = $4::numeric, last_serial = $5::bigint",
                    5, PG_NONE, false},
    [PART_SAVE] = {"part_save",
                   "INSERT INTO import_part"
                   " (import_id, part, parts_n, owner, valid_from, csv)"
                   " VALUES ($1::bytea, $2::int, $3::int, $4::text,"
                   " $5::timestamptz, $6::bytea)"
                   " ON CONFLICT (import_id, part) DO NOTHING",
                   6, PG_NONE, false},
    [PART_DROP] = {"part_drop",
                   "DELETE FROM import_part WHERE import_id = $1::bytea", 1,
                   PG_NONE, false},
    [AREA_ADD] = {"area_add", "INSERT INTO area (id) SELECT c[1]" ROWS, 1,
                  PG_NONE, false},
    [AREA_END] = {"area_end",
                  "UPDATE area_state SET valid_until = $2::timestamptz,"
                  " version = $3::bigint" ROWS
                  " WHERE area = rows.c[1] AND valid_until IS NULL"
                  " AND valid_from < $2::timestamptz",
                  3, PG_NONE, false},
    /* One that is announced and not yet in force is corrected. */
    [AREA_PUT] = {"area_put",
                  "INSERT INTO area_state (area, valid_from, code, parent,"
                  " tier, name, name_folded, path, version)"
                  " SELECT c[1], $2::timestamptz, c[2], nullif(c[3], ''),"
                  " c[4]::smallint, c[5], c[6], replace(c[7], '/', '.')::ltree,"
                  " $3::bigint" ROWS
                  " ON CONFLICT (area, valid_from) DO UPDATE SET"
                  " code = excluded.code, parent = excluded.parent,"
                  " tier = excluded.tier, name = excluded.name,"
                  " name_folded = excluded.name_folded, path = excluded.path,"
                  " version = excluded.version",
                  3, PG_NONE, false},
    [DEVICE_PUT] = {"device_put",
                    "INSERT INTO device (id, area, serial, model, name,"
                    " code_request, code_expires_at, code_used, key,"
                    " enrolled_at, not_after, certificate_serial, revoked)"
                    " VALUES ($1::text, replace($2::text, '/', '.')::ltree,"
                    " $3::text, $4::text, $5::text, $6::bytea,"
                    " $7::timestamptz, $8::boolean, $9::bytea,"
                    " $10::timestamptz, $11::timestamptz, $12::bigint,"
                    " $13::boolean)"
                    " ON CONFLICT (id) DO UPDATE SET area = excluded.area,"
                    " serial = excluded.serial, model = excluded.model,"
                    " name = excluded.name,"
                    " code_request = excluded.code_request,"
                    " code_expires_at = excluded.code_expires_at,"
                    " code_used = excluded.code_used, key = excluded.key,"
                    " enrolled_at = excluded.enrolled_at,"
                    " not_after = excluded.not_after,"
                    " certificate_serial = excluded.certificate_serial,"
                    " revoked = excluded.revoked",
                    13, PG_NONE, false},
    /* An id comes again when the core has forgotten it: it is the newest. */
    [CODE_PUT] = {"code_put",
                  "INSERT INTO device_code (message_id, device, made_by,"
                  " expires_at) VALUES ($1::bytea, $2::text, $3::text,"
                  " $4::timestamptz)"
                  " ON CONFLICT (message_id) DO UPDATE SET"
                  " device = excluded.device, made_by = excluded.made_by,"
                  " made_at = now(), expires_at = excluded.expires_at",
                  4, PG_NONE, false},
    /* Longer than any request lives, and no more than a flood may leave. */
    [CODE_PRUNE] = {"code_prune",
                    "DELETE FROM device_code"
                    " WHERE expires_at < now() - interval '7 days'"
                    " OR made_at < (SELECT made_at FROM device_code"
                    " ORDER BY made_at DESC OFFSET 65535 LIMIT 1)",
                    0, PG_NONE, false},
    [CERTIFICATE_PUT] = {"certificate_put",
                         "INSERT INTO device_certificate (serial, device, key,"
                         " certificate, not_after) VALUES ($1::bigint,"
                         " $2::text, $3::bytea, $4::bytea, $5::timestamptz)",
                         5, PG_NONE, false},
    [CERTIFICATE_GET] = {"certificate_get",
                         "SELECT certificate FROM device_certificate"
                         " WHERE serial = $1::bigint",
                         1, PG_ONE, true},
    [PRINCIPAL_PUT] = {"principal_put",
                       "INSERT INTO principal (issuer, serial, id, key, name,"
                       " role, service, area, powers, not_after, added_by)"
                       " VALUES ($1::bytea, $2::numeric, $3::text, $4::bytea,"
                       " $5::text, $6::int, $7::text,"
                       " replace($8::text, '/', '.')::ltree, $9::int,"
                       " $10::timestamptz, $11::text)",
                       11, PG_NONE, false},
    [PRINCIPAL_REVOKE] = {"principal_revoke",
                          "UPDATE principal SET revoked = true"
                          " WHERE NOT revoked AND (issuer, key) IN"
                          " (SELECT issuer, key FROM principal"
                          " WHERE id = $1::text)",
                          1, PG_NONE, false},
    [REVOCATION_PUT] = {"revocation_put",
                        "INSERT INTO revocation (issuer, serial, not_after,"
                        " principal, reason, revoked_by)"
                        " SELECT decode(c[1], 'hex'), c[2]::numeric,"
                        " to_timestamp(c[3]::bigint / 1000.0), $2::text,"
                        " $3::text, $4::text" ROWS
                        " ON CONFLICT (issuer, serial) DO NOTHING",
                        4, PG_NONE, false},
};
const size_t io_pg_stmts_n = sizeof io_pg_stmts / sizeof io_pg_stmts[0];

/* Each parameter's own storage. */
union room {
    uint8_t binary[8];
    char text[24];
};

static struct pg_value pg_u64_text(uint64_t v, union room *room)
{
    snprintf(room->text, sizeof room->text, "%" PRIu64, v);
    return pg_text(room->text);
}

static struct pg_value pg_time_or_null(int64_t at_ms, union room *room)
{
    return at_ms != 0 ? pg_time_ms(at_ms, room->binary) : PG_NULL;
}

static int save_state(struct pg *pg, const struct registry *r)
{
    union room room[5];
    struct pg_value v[5] = {
        pg_i64((int64_t)r->areas_version, room[0].binary),
        pg_i64((int64_t)r->trust_number, room[1].binary),
        pg_time_or_null(r->trust_at_ms, &room[2]),
        pg_u64_text(r->trust_signer, &room[3]),
        pg_i64((int64_t)r->last_serial, room[4].binary),
    };

    return pg_query(pg, &io_pg_stmts[STATE_SAVE], v, NULL, NULL);
}

/* --- imports -------------------------------------------------------------- */

static int save_part(struct pg *pg, const struct registry_event *ev)
{
    const struct part *p = &ev->request->part;
    union room room[3];
    struct pg_value v[6] = {
        pg_bytes(p->import_id, LOA_ID_BYTES),
        pg_i32((int32_t)p->part, room[0].binary),
        pg_i32((int32_t)p->parts_n, room[1].binary),
        pg_text(ev->who->principal),
        pg_time_or_null(p->valid_from_ms, &room[2]),
        pg_bytes(p->csv.data, p->csv.len),
    };

    return pg_query(pg, &io_pg_stmts[PART_SAVE], v, NULL, NULL);
}

static int drop_parts(struct pg *pg, const struct registry_update *up)
{
    int rv = LOA_OK;

    for (size_t i = 0; rv == LOA_OK && i < up->drop_n; i++) {
        struct pg_value v = pg_bytes(up->drop[i], LOA_ID_BYTES);
        rv = pg_query(pg, &io_pg_stmts[PART_DROP], &v, NULL, NULL);
    }
    return rv;
}

/* One statement for all steps that `wants` takes; the lines are made in text,
 * which holds any plan. */
static int save_steps(struct pg *pg,
                      const struct area_plan *p,
                      const struct pg_stmt *stmt,
                      bool (*wants)(const struct area_step *))
{
    static char text[AREA_PLAN_TEXT_MAX + 4096];
    union room room[2];
    size_t at = 0;

    for (size_t i = 0; i < p->steps_n; i++) {
        const struct area_step *s = &p->steps[i];
        const struct area_state *t = &s->state;

        if (!wants(s))
            continue;
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "%s%s\t%s\t%s\t%d\t%s\t%s\t%s",
                               at > 0 ? "\n" : "", s->id, t->code, t->parent,
                               (int)t->tier, t->name, t->folded, t->path);
    }
    if (at == 0)
        return LOA_OK;
    return pg_query(pg, stmt,
                    (struct pg_value[]){
                        pg_text(text),
                        pg_time_ms(p->valid_from_ms, room[0].binary),
                        pg_i64((int64_t)p->version, room[1].binary),
                    },
                    NULL, NULL);
}

static bool adds(const struct area_step *s)
{
    return s->what == AREA_STEP_ADD;
}

static bool ends(const struct area_step *s)
{
    return s->what != AREA_STEP_ADD;
}

static bool puts_state(const struct area_step *s)
{
    return s->what != AREA_STEP_CLOSE;
}

static int save_plan(struct pg *pg, const struct area_plan *p)
{
    int rv = save_steps(pg, p, &io_pg_stmts[AREA_ADD], adds);

    if (rv == LOA_OK)
        rv = save_steps(pg, p, &io_pg_stmts[AREA_END], ends);
    if (rv == LOA_OK)
        rv = save_steps(pg, p, &io_pg_stmts[AREA_PUT], puts_state);
    return rv;
}

/* --- devices -------------------------------------------------------------- */

static int save_device(struct pg *pg, const struct device *d)
{
    bool enrolled = d->enrolled_at_ms != 0;
    union room room[6];
    struct pg_value v[13] = {
        pg_text(d->id),
        pg_text(d->area),
        pg_text(d->serial),
        pg_text(d->model),
        pg_text(d->name),
        pg_bytes(d->code_request, LOA_ID_BYTES),
        pg_time_ms(d->code_expires_at_ms, room[0].binary),
        pg_bool(d->code_used, room[1].binary),
        enrolled ? pg_bytes(d->key, LOA_KEY_BYTES) : PG_NULL,
        pg_time_or_null(d->enrolled_at_ms, &room[2]),
        pg_time_or_null(d->not_after_ms, &room[3]),
        enrolled ? pg_i64((int64_t)d->certificate_serial, room[4].binary)
                 : PG_NULL,
        pg_bool(d->revoked, room[5].binary),
    };

    return pg_query(pg, &io_pg_stmts[DEVICE_PUT], v, NULL, NULL);
}

static int save_code(struct pg *pg,
                     const struct registry_event *ev,
                     const struct device *d)
{
    union room room;
    struct pg_value v[4] = {
        pg_bytes(ev->message_id, LOA_ID_BYTES),
        pg_text(d->id),
        pg_text(ev->who->principal),
        pg_time_ms(d->code_expires_at_ms, room.binary),
    };

    return pg_query(pg, &io_pg_stmts[CODE_PUT], v, NULL, NULL);
}

void io_pg_prune(struct pg *pg)
{
    if (pg_query(pg, &io_pg_stmts[CODE_PRUNE], NULL, NULL, NULL) != LOA_OK ||
        pg_commit(pg, NULL, NULL) != LOA_OK)
        pg_abort(pg);
}

static int save_certificate(struct pg *pg, const struct registry_update *up)
{
    const struct device *d = up->device;
    union room room[2];
    struct pg_value v[5] = {
        pg_i64((int64_t)d->certificate_serial, room[0].binary),
        pg_text(d->id),
        pg_bytes(d->key, LOA_KEY_BYTES),
        pg_bytes(up->certificate, up->certificate_len),
        pg_time_ms(d->not_after_ms, room[1].binary),
    };

    return pg_query(pg, &io_pg_stmts[CERTIFICATE_PUT], v, NULL, NULL);
}

int io_pg_certificate(struct pg *pg,
                      const struct device *d,
                      pg_rows_cb cb,
                      void *data)
{
    union room room;
    struct pg_value v = pg_i64((int64_t)d->certificate_serial, room.binary);

    return pg_query(pg, &io_pg_stmts[CERTIFICATE_GET], &v, cb, data);
}

/* --- principals ----------------------------------------------------------- */

static int save_principal(struct pg *pg,
                          const struct registry_event *ev,
                          const struct principal *p)
{
    union room room[4];
    struct pg_value v[11] = {
        pg_bytes(p->issuer, LOA_KEY_BYTES),
        pg_u64_text(p->serial, &room[0]),
        pg_text(p->id),
        pg_bytes(p->key, LOA_KEY_BYTES),
        pg_text(p->name),
        pg_i32((int32_t)p->role, room[1].binary),
        pg_text(p->service),
        pg_text(p->area),
        pg_i32((int32_t)p->powers, room[2].binary),
        pg_time_ms(p->not_after_ms, room[3].binary),
        pg_text(ev->who->principal),
    };

    return pg_query(pg, &io_pg_stmts[PRINCIPAL_PUT], v, NULL, NULL);
}

/* A line: issuer, serial and time, with tabs and the line end. */
#define REVOKED_LINE_MAX (2 * LOA_KEY_BYTES + 48)

static int save_revoked(struct pg *pg,
                        const struct registry_event *ev,
                        const struct registry_update *up)
{
    static char text[REVOKED_MAX * REVOKED_LINE_MAX + 1];
    struct pg_value id = pg_text(up->revoked_id);
    size_t at = 0;
    int rv = pg_query(pg, &io_pg_stmts[PRINCIPAL_REVOKE], &id, NULL, NULL);

    for (size_t i = 0; i < up->revoked_n; i++) {
        const struct revoked_entry *e = &up->revoked[i];
        char issuer[2 * LOA_KEY_BYTES + 1];

        loa_hex(e->issuer, LOA_KEY_BYTES, issuer);
        at += (size_t)snprintf(
            text + at, sizeof text - at, "%s%s\t%" PRIu64 "\t%" PRId64,
            at > 0 ? "\n" : "", issuer, e->serial, e->not_after_ms);
    }
    if (rv != LOA_OK || at == 0)
        return rv;
    return pg_query(
        pg, &io_pg_stmts[REVOCATION_PUT],
        (struct pg_value[]){
            pg_text(text),
            id,
            pg_text(up->reason),
            ev->type == REGISTRY_REQUEST ? pg_text(ev->who->principal)
                                         : PG_NULL,
        },
        NULL, NULL);
}

int io_pg_save(struct pg *pg,
               const struct registry *r,
               const struct registry_event *ev,
               const struct registry_update *up)
{
    unsigned f = up->flags;
    int rv = LOA_OK;

    if (f &
        (REGISTRY_SAVE_PLAN | REGISTRY_SAVE_CERTIFICATE | REGISTRY_SAVE_TRUST))
        rv = save_state(pg, r);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_PART))
        rv = save_part(pg, ev);
    if (rv == LOA_OK && (f & REGISTRY_DROP_PARTS))
        rv = drop_parts(pg, up);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_PLAN))
        rv = save_plan(pg, up->plan);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_DEVICE))
        rv = save_device(pg, up->device);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_CODE))
        rv = save_code(pg, ev, up->device);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_CERTIFICATE))
        rv = save_certificate(pg, up);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_PRINCIPAL))
        rv = save_principal(pg, ev, up->principal);
    if (rv == LOA_OK && (f & REGISTRY_SAVE_REVOKED))
        rv = save_revoked(pg, ev, up);
    return rv;
}
