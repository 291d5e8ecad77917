/* tables.h -- a scheduler that lives for days, and starts again from what its
 * shell wrote. */

#ifndef LOA_TEST_SCHEDULER_TABLES_H
#define LOA_TEST_SCHEDULER_TABLES_H

#include "check.h"
#include "scheduler/world.h"

#define START (WORLD_AT_MS + HOUR_MS)
#define MIDNIGHT (WORLD_AT_MS - 8 * HOUR_MS)

static inline void add(struct world *w,
                       uint8_t id,
                       const char *area,
                       int64_t start_ms)
{
    world_add(w, id, area, start_ms);
    CHECK_INT("add", world_ask(w, &w->lan), SAY_OK);
}

/* Roll to a moment; how many programmes that makes. */
static inline uint32_t roll(struct world *w, int64_t at_ms)
{
    w->at_ms = at_ms;
    return world_settle(w);
}

/* What the shell's tables would hold. */
struct tables {
    struct bulletin bulletins[64];
    char areas[64][BULLETIN_AREAS_MAX][LOA_AREA_CAP];
    uint32_t areas_n[64];
    uint8_t approvals[64][APPROVAL_ENVELOPE_MAX];
    size_t approval_len[64];
    uint8_t chains[64][APPROVALS_CHAIN_BYTES_MAX];
    size_t chain_len[64];
    uint32_t n;
    char paths[64][LOA_AREA_CAP];
    struct area_programme programmes[64];
    uint32_t programmes_n;
};

static inline void write_bulletins(struct tables *t, const struct world *w)
{
    const struct plan *p = &w->core.plan;

    for (uint32_t i = 0; i < w->up.bulletins_n; i++) {
        uint32_t row = w->up.bulletins[i], at = 0, rows[BULLETIN_AREAS_MAX];

        while (at < t->n && memcmp(t->bulletins[at].id, p->bulletins[row].id,
                                   LOA_ID_BYTES) != 0)
            at++;
        t->bulletins[at] = p->bulletins[row];
        t->areas_n[at] = plan_areas(p, row, rows);
        for (uint32_t k = 0; k < t->areas_n[at]; k++)
            strcpy(t->areas[at][k], p->areas.rows[rows[k]].path);
        t->chain_len[at] = approvals_pack_chain(
            &p->approvals, &p->bulletins[row].requester_chain, t->chains[at]);
        if (w->up.approval.len > 0) {
            memcpy(t->approvals[at], w->up.approval.data, w->up.approval.len);
            t->approval_len[at] = w->up.approval.len;
        }
        if (at == t->n)
            t->n++;
    }
}

static inline void write_programmes(struct tables *t, const struct world *w)
{
    for (uint32_t i = 0; i < w->up.programmes_n; i++) {
        const struct area *a =
            &w->core.plan.areas.rows[w->up.programmes[i].area];
        uint32_t at = 0;

        while (at < t->programmes_n && strcmp(t->paths[at], a->path) != 0)
            at++;
        strcpy(t->paths[at], a->path);
        t->programmes[at] = a->programme;
        if (at == t->programmes_n)
            t->programmes_n++;
    }
}

static inline void start_again(struct world *w, const struct tables *t)
{
    scheduler_close(&w->core);
    world_open_core(w);
    world_send_areas(w);
    for (uint32_t i = 0; i < t->programmes_n; i++)
        CHECK_INT(
            "programme",
            scheduler_load_programme(&w->core, t->paths[i], &t->programmes[i]),
            LOA_OK);
    for (uint32_t i = 0; i < t->n; i++) {
        struct loa_bytes approval = {t->approvals[i], t->approval_len[i]};
        struct loa_bytes chain = {t->chains[i], t->chain_len[i]};

        CHECK_INT(
            "bulletin",
            scheduler_load_bulletin(&w->core, &t->bulletins[i],
                                    (const char(*)[LOA_AREA_CAP])t->areas[i],
                                    t->areas_n[i], approval, chain),
            LOA_OK);
    }
}

#endif /* LOA_TEST_SCHEDULER_TABLES_H */
