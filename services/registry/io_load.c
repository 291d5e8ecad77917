/* io_load.c -- everything the tables hold, read before the loop runs. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/log.h"
#include "registry/io_pg.h"

static const struct pg_stmt stmts[] = {
    {"load_state",
     "SELECT areas_version, trust_number, trust_at, trust_signer::text,"
     " last_serial FROM state",
     0, PG_ONE, true},
    {"load_areas",
     "SELECT area::text, valid_from, valid_until, code, parent::text, tier,"
     " name, replace(path::text, '.', '/'), version"
     /* In order of time: the last area that took a code has it. */
     " FROM area_state ORDER BY valid_from, area",
     0, PG_ROWS, true},
    {"load_parts",
     "SELECT import_id, part, parts_n, owner::text, valid_from, csv, at"
     " FROM import_part ORDER BY at, import_id, part",
     0, PG_ROWS, true},
    {"load_devices",
     "SELECT id::text, replace(area::text, '.', '/'), serial, model, name,"
     " code_request, code_expires_at, code_used, key, enrolled_at, not_after,"
     " certificate_serial, revoked FROM device",
     0, PG_ROWS, true},
    {"load_codes",
     "SELECT message_id FROM (SELECT message_id, made_at FROM device_code"
     " ORDER BY made_at DESC LIMIT 1024) AS newest ORDER BY made_at",
     0, PG_ROWS, true},
    {"load_principals",
     "SELECT issuer, serial::text, id::text, key, name, role, service,"
     " replace(area::text, '.', '/'), powers, not_after, revoked"
     " FROM principal ORDER BY added_at",
     0, PG_ROWS, true},
    {"load_revocations",
     "SELECT r.issuer, r.serial::text, r.not_after,"
     /* A key's number is no certificate's: its area is its holder's. */
     " replace(coalesce(p.area, d.area, k.area, '')::text, '.', '/')"
     " FROM revocation AS r LEFT JOIN principal AS p"
     " ON p.issuer = r.issuer AND p.serial = r.serial"
     " LEFT JOIN device AS d ON d.id = r.principal"
     " LEFT JOIN LATERAL (SELECT area FROM principal"
     " WHERE id = r.principal AND issuer = r.issuer"
     " ORDER BY added_at LIMIT 1) AS k ON true"
     " WHERE r.not_after > now() - interval '30 days'",
     0, PG_ROWS, true},
};
_Static_assert(REGISTRY_CODES_MAX == 1024, "load_codes");

typedef int (*row_fn)(struct registry *r, const PGresult *res, int row);

static void text(const PGresult *res, int row, int col, char *out, size_t cap)
{
    size_t len;
    const char *s = pg_get_text(res, row, col, &len);

    if (len >= cap)
        len = cap - 1;
    memcpy(out, s, len);
    out[len] = '\0';
}

static uint64_t number(const PGresult *res, int row, int col)
{
    return strtoull(pg_get_text(res, row, col, NULL), NULL, 10);
}

static void bytes(const PGresult *res, int row, int col, void *out, size_t cap)
{
    size_t len;
    const void *p = pg_get_bytes(res, row, col, &len);

    memset(out, 0, cap);
    memcpy(out, p, len < cap ? len : cap);
}

static int take_state(struct registry *r, const PGresult *res, int row)
{
    r->areas_version = pg_get_u64(res, row, 0);
    r->trust_number = pg_get_u64(res, row, 1);
    r->trust_at_ms = pg_get_time_ms(res, row, 2);
    r->trust_signer = number(res, row, 3);
    r->last_serial = pg_get_u64(res, row, 4);
    return LOA_OK;
}

static int take_area(struct registry *r, const PGresult *res, int row)
{
    struct area_state s = {0};
    char id[AREA_ID_CAP];

    text(res, row, 0, id, sizeof id);
    s.valid_from_ms = pg_get_time_ms(res, row, 1);
    s.valid_until_ms = pg_get_time_ms(res, row, 2);
    text(res, row, 3, s.code, sizeof s.code);
    text(res, row, 4, s.parent, sizeof s.parent);
    s.tier = (enum area_tier)pg_get_i64(res, row, 5);
    text(res, row, 6, s.name, sizeof s.name);
    text(res, row, 7, s.path, sizeof s.path);
    s.version = pg_get_u64(res, row, 8);
    if (name_fold(s.name, strlen(s.name), s.folded, sizeof s.folded) != LOA_OK)
        log_warn("registry.name", "area=%s text=its name cannot be searched",
                 id);
    return areas_put(&r->areas, id, &s);
}

static int take_part(struct registry *r, const PGresult *res, int row)
{
    struct part p = {.part = (uint32_t)pg_get_i64(res, row, 1),
                     .parts_n = (uint32_t)pg_get_i64(res, row, 2),
                     .valid_from_ms = pg_get_time_ms(res, row, 4)};
    struct parts_import *import;
    const uint8_t *dropped;
    struct refusal why;

    bytes(res, row, 0, p.import_id, sizeof p.import_id);
    p.csv.data = pg_get_bytes(res, row, 5, &p.csv.len);
    /* More than fit at once: the idle ones among them are forgotten. */
    if (parts_take(&r->parts, &p, pg_get_text(res, row, 3, NULL),
                   pg_get_time_ms(res, row, 6), &import, &dropped,
                   &why) != LOA_OK)
        log_warn("registry.part", "text=%s", why.en);
    return LOA_OK;
}

static int take_device(struct registry *r, const PGresult *res, int row)
{
    struct device d = {0};

    text(res, row, 0, d.id, sizeof d.id);
    text(res, row, 1, d.area, sizeof d.area);
    text(res, row, 2, d.serial, sizeof d.serial);
    text(res, row, 3, d.model, sizeof d.model);
    text(res, row, 4, d.name, sizeof d.name);
    bytes(res, row, 5, d.code_request, sizeof d.code_request);
    d.code_expires_at_ms = pg_get_time_ms(res, row, 6);
    d.code_used = pg_get_bool(res, row, 7);
    bytes(res, row, 8, d.key, sizeof d.key);
    d.enrolled_at_ms = pg_get_time_ms(res, row, 9);
    d.not_after_ms = pg_get_time_ms(res, row, 10);
    d.certificate_serial = pg_get_u64(res, row, 11);
    d.revoked = pg_get_bool(res, row, 12);
    return devices_put(&r->devices, &d) != NULL ? LOA_OK : LOA_EBUSY;
}

static int take_code(struct registry *r, const PGresult *res, int row)
{
    uint8_t id[LOA_ID_BYTES];

    bytes(res, row, 0, id, sizeof id);
    registry_remember_code(r, id);
    return LOA_OK;
}

static int take_principal(struct registry *r, const PGresult *res, int row)
{
    struct principal p = {0};

    bytes(res, row, 0, p.issuer, sizeof p.issuer);
    p.serial = number(res, row, 1);
    text(res, row, 2, p.id, sizeof p.id);
    bytes(res, row, 3, p.key, sizeof p.key);
    text(res, row, 4, p.name, sizeof p.name);
    p.role = (enum loa_role)pg_get_i64(res, row, 5);
    text(res, row, 6, p.service, sizeof p.service);
    text(res, row, 7, p.area, sizeof p.area);
    p.powers = (uint32_t)pg_get_i64(res, row, 8);
    p.not_after_ms = pg_get_time_ms(res, row, 9);
    p.revoked = pg_get_bool(res, row, 10);
    return principals_add(&r->principals, &p) != NULL ? LOA_OK : LOA_EBUSY;
}

static int take_revocation(struct registry *r, const PGresult *res, int row)
{
    struct revoked_entry e = {.serial = number(res, row, 1),
                              .not_after_ms = pg_get_time_ms(res, row, 2)};

    bytes(res, row, 0, e.issuer, sizeof e.issuer);
    text(res, row, 3, e.area, sizeof e.area);
    return revoked_add(&r->revoked, &e);
}

/* By the index of stmts[]. */
static const row_fn takers[] = {
    take_state, take_area,      take_part,       take_device,
    take_code,  take_principal, take_revocation,
};

static int load(struct pg *pg, struct registry *r, size_t i)
{
    PGresult *res;
    int rv = pg_query_now(pg, &stmts[i], NULL, &res);

    if (rv != LOA_OK)
        return rv;
    for (int row = 0; rv == LOA_OK && row < PQntuples(res); row++)
        rv = takers[i](r, res, row);
    PQclear(res);
    if (rv != LOA_OK)
        log_error("registry.load", "stmt=%s text=more rows than fit",
                  stmts[i].name);
    return rv;
}

int io_pg_load(struct pg *pg, struct registry *r)
{
    size_t n = sizeof stmts / sizeof stmts[0];
    int rv = pg_prepare(pg, stmts, n);

    for (size_t i = 0; rv == LOA_OK && i < n; i++)
        rv = load(pg, r, i);
    if (rv != LOA_OK)
        return rv;
    areas_settle(&r->areas, r->areas_version);
    log_info("registry.load",
             "areas=%zu states=%zu devices=%zu principals=%zu revoked=%zu"
             " version=%" PRIu64 " list=%" PRIu64,
             r->areas.areas_n, r->areas.states_n, r->devices.devices_n,
             r->principals.principals_n, r->revoked.entries_n, r->areas.version,
             r->trust_number);
    return LOA_OK;
}
