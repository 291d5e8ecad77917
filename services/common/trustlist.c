#include "common/trustlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"

#define MEMORY_BYTES (5u * LOA_ENVELOPE_BYTES_MAX)

static const struct pg_stmt stmts[] = {
    {"trust_list_load", "SELECT envelope FROM trust_list", 0, PG_MAYBE, true},
    /* Whatever was believed replaces what lies there: numbers compare only
     * within an area, and a list from above may have a lower one. */
    {"trust_list_store",
     "INSERT INTO trust_list (number, envelope) VALUES ($1::bigint, $2::bytea)"
     " ON CONFLICT (one) DO UPDATE SET number = excluded.number,"
     " envelope = excluded.envelope, at = now()",
     2, PG_NONE, false},
};

static enum loa_verdict believe(struct trustlist *t,
                                struct loa_bytes p,
                                bool time_trusted)
{
    struct loa_envelope e;

    loa_arena_reset(&t->arena);
    if (loa_envelope_parse(&t->arena, p, &e) != LOA_OK)
        return LOA_VERDICT_MALFORMED;
    return loa_trust_update(&t->trust, &e, clock_wall_ms(), time_trusted);
}

static int load(struct trustlist *t)
{
    PGresult *res;
    int rv = pg_query_now(t->pg, &stmts[0], NULL, &res);

    if (rv != LOA_OK)
        return rv;
    if (PQntuples(res) == 1) {
        struct loa_bytes p;
        enum loa_verdict v;

        p.data = pg_get_bytes(res, 0, 0, &p.len);
        /* It was believed in its time; what it revoked stays revoked. */
        v = believe(t, p, false);
        if (v != LOA_VERDICT_OK)
            log_warn("trust.stored", "verdict=%s", loa_verdict_name(v));
    }
    PQclear(res);
    return LOA_OK;
}

int trustlist_open(struct trustlist *t,
                   struct pg *pg,
                   const uint8_t root[LOA_KEY_BYTES],
                   const char *area,
                   trustlist_changed_cb on_changed,
                   void *data)
{
    int rv;

    memset(t, 0, sizeof *t);
    loa_trust_init(&t->trust, root);
    snprintf(t->trust.area, sizeof t->trust.area, "%s", area);
    t->pg = pg;
    t->on_changed = on_changed;
    t->data = data;
    t->memory = malloc(MEMORY_BYTES);
    if (t->memory == NULL)
        return LOA_ENOMEM;
    loa_arena_init(&t->arena, t->memory, MEMORY_BYTES);
    rv = pg_prepare(pg, stmts, sizeof stmts / sizeof stmts[0]);
    if (rv == LOA_OK)
        rv = load(t);
    if (rv != LOA_OK)
        trustlist_close(t);
    return rv;
}

bool trustlist_topic(const char *topic)
{
    struct loa_topic t;

    return loa_topic_parse(topic, &t) == LOA_OK && t.plane == LOA_PLANE_DOWN &&
           strcmp(t.kind, "trust") == 0 && t.principal[0] == '\0';
}

static void on_stored(void *data, int status)
{
    struct trustlist *t = data;

    /* Not stored: it still holds in memory, and comes again, retained, with the
     * next connection. */
    if (status != LOA_OK)
        log_warn("trust.store", "number=%llu text=%s",
                 (unsigned long long)t->trust.revoked.number,
                 loa_strerror(status));
}

void trustlist_message(struct trustlist *t, const struct mqtt_msg *m)
{
    struct loa_bytes p = {m->payload, m->len};
    uint8_t number[8];
    struct pg_value values[2];
    enum loa_verdict v;

    if (m->len == 0)
        return; /* Somebody cleared the retained list: ours stays. */
    v = believe(t, p, true);
    if (v == LOA_VERDICT_REPLAYED)
        return;
    if (v != LOA_VERDICT_OK) {
        log_warn("trust.refused", "topic=%s verdict=%s", m->topic,
                 loa_verdict_name(v));
        return;
    }
    log_info("trust.list", "number=%llu entries=%zu",
             (unsigned long long)t->trust.revoked.number,
             t->trust.revoked.entries_n);
    values[0] = pg_i64((int64_t)t->trust.revoked.number, number);
    values[1] = pg_bytes(p.data, p.len);
    if (pg_query(t->pg, &stmts[1], values, NULL, NULL) != LOA_OK ||
        pg_commit(t->pg, on_stored, t) != LOA_OK) {
        pg_abort(t->pg);
        log_warn("trust.store", "text=the database has no room");
    }
    if (t->on_changed != NULL)
        t->on_changed(t->data);
}

void trustlist_close(struct trustlist *t)
{
    free(t->memory);
    t->memory = NULL;
}
