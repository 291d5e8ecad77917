/* world.h -- a province for the tests of the scheduler's core: keys, people, an
 * area tree of 3 districts with 3 communes each, and requests in one line.
 *
 * Everything follows from fixed seeds and from the time that a test sets. */

#ifndef LOA_TEST_SCHEDULER_WORLD_H
#define LOA_TEST_SCHEDULER_WORLD_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/envelope.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "scheduler/scheduler.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

/* 2025-12-01T08:00:00+07:00, a Monday. */
#define WORLD_AT_MS INT64_C(1764550800000)
#define WORLD_LEAD_MS 5000

struct person {
    struct loa_key key;
    struct loa_certificate certificate;
    uint8_t store[3][LOA_CERTIFICATE_BYTES_MAX];
    struct loa_bytes chain[3];
    size_t chain_n;
};

struct world {
    struct loa_trust trust;
    struct loa_key root;
    struct person province, scheduler;
    struct person lan, minh, hoa; /* lan schedules, the others approve. */
    struct person registry;       /* Revokes. */
    struct person district;       /* Schedules in vn/08/070 alone. */
    struct person office;         /* Certifies nga and duy, alone. */
    struct person nga, duy;       /* nga schedules, duy approves. */
    struct scheduler core;
    struct scheduler_update up;
    struct scheduler_conf conf;
    int64_t at_ms;
    uint8_t ids_n;
    struct scheduler_request request;
    uint8_t approval[APPROVAL_ENVELOPE_MAX];
    uint8_t arena_memory[8 * LOA_ENVELOPE_BYTES_MAX];
    struct loa_arena arena;
    /* The newest programme of each area, as a broker would retain it. */
    struct {
        uint8_t bytes[LOA_ENVELOPE_BYTES_MAX];
        size_t len;
    } retained[64];
};

static const char *const world_areas[] = {
    "vn",
    "vn/08",
    "vn/08/070",
    "vn/08/071",
    "vn/08/072",
    "vn/08/070/07001",
    "vn/08/070/07002",
    "vn/08/070/07003",
    "vn/08/071/07101",
    "vn/08/071/07102",
    "vn/08/071/07103",
    "vn/08/072/07201",
    "vn/08/072/07202",
    "vn/08/072/07203",
    "vn/30",
    "vn/30/300",
};
#define WORLD_AREAS_N (sizeof world_areas / sizeof world_areas[0])

static inline void world_issue(struct person *p,
                               const struct loa_key *issuer,
                               const struct person *above,
                               const char *principal,
                               enum loa_role role,
                               const char *area,
                               uint32_t powers,
                               uint64_t serial)
{
    uint8_t seed[32] = {0};
    struct loa_certificate *c = &p->certificate;
    size_t len;
    int rv;

    memset(p, 0, sizeof *p);
    memcpy(seed, principal, strlen(principal));
    loa_key_from_seed(&p->key, seed);
    c->serial = serial;
    memcpy(c->subject, p->key.public_key, LOA_KEY_BYTES);
    strcpy(c->principal, principal);
    strcpy(c->name, principal);
    strcpy(c->area, area);
    if (role == LOA_ROLE_SERVICE)
        strcpy(c->service, "scheduler");
    c->role = role;
    c->powers = powers;
    c->max_depth = role != LOA_ROLE_AUTHORITY ? 0 : above == NULL ? 3 : 2;
    c->not_before_ms = WORLD_AT_MS - 400 * LOA_DAY_MS;
    c->not_after_ms = WORLD_AT_MS + 2000 * LOA_DAY_MS;
    rv =
        loa_certificate_issue(c, issuer, p->store[0], sizeof p->store[0], &len);
    assert(rv == LOA_OK);
    p->chain[0] = (struct loa_bytes){p->store[0], len};
    p->chain_n = 1;
    for (size_t i = 0; above != NULL && i < above->chain_n; i++) {
        memcpy(p->store[p->chain_n], above->chain[i].data, above->chain[i].len);
        p->chain[p->chain_n] =
            (struct loa_bytes){p->store[p->chain_n], above->chain[i].len};
        p->chain_n++;
    }
}

static inline struct loa_signer world_signer(const struct person *p)
{
    return (struct loa_signer){&p->key, p->chain, p->chain_n};
}

static inline struct scheduler_update *world_step(struct world *w,
                                                  struct scheduler_event *ev)
{
    int rv;

    ev->at_ms = w->at_ms;
    rv = scheduler_step(&w->core, ev, &w->up);
    assert(rv == LOA_OK);
    for (uint32_t i = 0; i < w->up.programmes_n; i++) {
        const struct scheduler_programme *p = &w->up.programmes[i];

        memcpy(w->retained[p->area].bytes, p->envelope.data, p->envelope.len);
        w->retained[p->area].len = p->envelope.len;
    }
    return &w->up;
}

static inline void world_open_core(struct world *w)
{
    int rv = scheduler_open(&w->core, &w->conf);

    assert(rv == LOA_OK);
}

static inline void world_send_areas(struct world *w)
{
    struct scheduler_area areas[WORLD_AREAS_N];
    struct scheduler_event ev = {.type = SCHEDULER_AREAS,
                                 .areas = areas,
                                 .areas_n = WORLD_AREAS_N,
                                 .areas_complete = true};

    memset(areas, 0, sizeof areas);
    for (size_t i = 0; i < WORLD_AREAS_N; i++)
        strcpy(areas[i].path, world_areas[i]);
    world_step(w, &ev);
}

/* area is what the scheduler serves and lan may schedule in: "vn/08" or "vn".
 */
static inline struct world *world_new(const char *area)
{
    struct world *w = calloc(1, sizeof *w);
    uint8_t seed[32] = {1};

    assert(w != NULL);
    loa_key_from_seed(&w->root, seed);
    loa_trust_init(&w->trust, w->root.public_key);
    loa_arena_init(&w->arena, w->arena_memory, sizeof w->arena_memory);
    world_issue(&w->province, &w->root, NULL, "province", LOA_ROLE_AUTHORITY,
                "vn", LOA_POWERS_ALL, 1);
    world_issue(&w->scheduler, &w->province.key, &w->province, "scheduler",
                LOA_ROLE_SERVICE, area, LOA_POWER_SCHEDULE | LOA_POWER_TIME, 1);
    world_issue(&w->lan, &w->province.key, &w->province, "lan", LOA_ROLE_STAFF,
                area, LOA_POWER_SCHEDULE, 2);
    world_issue(&w->minh, &w->province.key, &w->province, "minh",
                LOA_ROLE_STAFF, "vn",
                LOA_POWER_CONTENT_APPROVE | LOA_POWER_SCHEDULE, 3);
    world_issue(&w->registry, &w->province.key, &w->province, "registry",
                LOA_ROLE_STAFF, "vn", LOA_POWER_REVOKE, 6);
    world_issue(&w->hoa, &w->province.key, &w->province, "hoa", LOA_ROLE_STAFF,
                "vn", LOA_POWER_CONTENT_APPROVE, 5);
    world_issue(&w->district, &w->province.key, &w->province, "district",
                LOA_ROLE_STAFF, "vn/08/070", LOA_POWER_SCHEDULE, 4);
    world_issue(&w->office, &w->province.key, &w->province, "office",
                LOA_ROLE_AUTHORITY, "vn/08", LOA_POWERS_ALL, 7);
    world_issue(&w->nga, &w->office.key, &w->office, "nga", LOA_ROLE_STAFF,
                "vn/08", LOA_POWER_SCHEDULE, 8);
    world_issue(&w->duy, &w->office.key, &w->office, "duy", LOA_ROLE_STAFF,
                "vn/08", LOA_POWER_CONTENT_APPROVE, 9);
    w->at_ms = WORLD_AT_MS;
    w->conf = (struct scheduler_conf){
        .limits = {.areas = 64,
                   .bulletins = 512,
                   .placements = 2048,
                   .approvals = 512,
                   .certificates = 64},
        .trust = &w->trust,
        .signer = world_signer(&w->scheduler),
        .min_lead_ms = WORLD_LEAD_MS,
        .horizon_days = 8,
        .keep_days = 35,
    };
    strcpy(w->conf.area, area);
    world_open_core(w);
    world_send_areas(w);
    return w;
}

static inline void world_free(struct world *w)
{
    scheduler_close(&w->core);
    free(w);
}

/* An APPROVAL into w->approval. content makes different contents. */
static inline struct loa_bytes world_approval(struct world *w,
                                              const struct person *who,
                                              const char *area,
                                              uint8_t content,
                                              uint32_t duration_ms,
                                              int64_t expires_at_ms)
{
    Loa__V1__ContentManifest m = LOA__V1__CONTENT_MANIFEST__INIT;
    struct loa_header h = {.type = LOA_TYPE_APPROVAL,
                           .issued_at_ms = WORLD_AT_MS - HOUR_MS,
                           .expires_at_ms = expires_at_ms};
    struct loa_signer signer = world_signer(who);
    uint8_t hash[32], body[APPROVAL_MANIFEST_MAX];
    char title[] = "Bản tin sáng";
    size_t len;
    int rv;

    memset(hash, content, sizeof hash);
    memset(h.message_id, content, sizeof h.message_id);
    m.content_hash = (ProtobufCBinaryData){sizeof hash, hash};
    m.stream_key = (ProtobufCBinaryData){sizeof hash, hash};
    m.duration_ms = duration_ms;
    m.title = title;
    strcpy(h.area, area);
    h.body =
        (struct loa_bytes){body, loa__v1__content_manifest__pack(&m, body)};
    rv = loa_envelope_seal(&h, &signer, w->approval, sizeof w->approval, &len);
    assert(rv == LOA_OK);
    return (struct loa_bytes){w->approval, len};
}

/* Start a request to add: content 1 of 10 minutes, approved by minh for the
 * province and a year, to be said once. Tests change what they want. */
static inline struct scheduler_request *world_add(struct world *w,
                                                  uint8_t id,
                                                  const char *area,
                                                  int64_t start_ms)
{
    struct scheduler_request *r = &w->request;

    memset(r, 0, sizeof *r);
    r->what = SCHEDULER_ADD;
    r->by_id = true;
    memset(r->bulletin_id, id, sizeof r->bulletin_id);
    r->approval = world_approval(w, &w->minh, "vn", 1, 600000,
                                 WORLD_AT_MS + 800 * LOA_DAY_MS);
    r->areas_n = 1;
    strcpy(r->areas[0], area);
    r->class = BULLETIN_NORMAL;
    r->start_at_ms = start_ms;
    return r;
}

static inline struct scheduler_request *world_about(struct world *w,
                                                    enum scheduler_what what,
                                                    uint8_t id)
{
    struct scheduler_request *r = &w->request;

    memset(r, 0, sizeof *r);
    r->what = what;
    r->by_id = true;
    memset(r->bulletin_id, id, sizeof r->bulletin_id);
    return r;
}

/* Ask what w->request says; the code of the answer. */
static inline enum say_code world_ask(struct world *w, const struct person *who)
{
    struct scheduler_event ev = {.type = SCHEDULER_REQUEST,
                                 .request = &w->request,
                                 .who = &who->certificate,
                                 .certificates = who->chain,
                                 .certificates_n = who->chain_n};

    return world_step(w, &ev)->answer->say.code;
}

/* TICK until no work is left; how many programmes that made. */
static inline uint32_t world_settle(struct world *w)
{
    struct scheduler_event ev = {.type = SCHEDULER_TICK};
    uint32_t made_n = 0;

    do
        made_n += world_step(w, &ev)->programmes_n;
    while (w->up.more);
    return made_n;
}

static inline const struct area *world_area(const struct world *w,
                                            const char *path)
{
    uint32_t row = areas_find(&w->core.plan.areas, path);

    assert(row != AREA_NONE);
    return &w->core.plan.areas.rows[row];
}

/* The newest programme of an area, unpacked; NULL: none was made. With verify,
 * as a device reads it. */
static inline Loa__V1__Programme *world_read(struct world *w,
                                             uint32_t row,
                                             bool verify)
{
    struct loa_expect want = {.type = LOA_TYPE_PROGRAMME,
                              .area = w->core.plan.areas.rows[row].path,
                              .now_ms = w->at_ms,
                              .time_trusted = true};
    struct loa_bytes p = {w->retained[row].bytes, w->retained[row].len};
    struct loa_envelope e;
    int rv;

    if (p.len == 0)
        return NULL;
    loa_arena_reset(&w->arena);
    rv = loa_envelope_parse(&w->arena, p, &e);
    assert(rv == LOA_OK);
    if (verify && loa_trust_verify(&w->trust, &e, &want, NULL) != 0)
        abort();
    return loa__v1__programme__unpack(&w->arena.allocator, e.header.body.len,
                                      e.header.body.data);
}

static inline Loa__V1__Programme *world_programme(struct world *w,
                                                  const char *path)
{
    return world_read(w, areas_find(&w->core.plan.areas, path), true);
}

/* A new trust list, and all that follows from it: it names what the issuer of
 * *p gave that serial, or key. */
static inline uint32_t world_list(struct world *w,
                                  const struct person *p,
                                  uint64_t serial,
                                  uint64_t number)
{
    Loa__V1__TrustList m = LOA__V1__TRUST_LIST__INIT;
    Loa__V1__Revocation entry = LOA__V1__REVOCATION__INIT;
    Loa__V1__Revocation *entries[] = {&entry};
    struct loa_header h = {.type = LOA_TYPE_TRUST,
                           .area = "vn",
                           .issued_at_ms = w->at_ms,
                           .expires_at_ms = w->at_ms + LOA_DAY_MS};
    struct loa_signer signer = world_signer(&w->registry);
    struct scheduler_event ev = {.type = SCHEDULER_TRUST};
    struct loa_envelope e;
    uint8_t body[256], buf[4096];
    uint32_t made_n;
    size_t len;
    int rv;

    entry.issuer = (ProtobufCBinaryData){
        LOA_KEY_BYTES, (uint8_t *)(uintptr_t)p->certificate.issuer};
    entry.serials = &serial;
    entry.n_serials = 1;
    m.number = number;
    m.revocations = entries;
    m.n_revocations = 1;
    memset(h.message_id, (int)number, sizeof h.message_id);
    h.body = (struct loa_bytes){body, loa__v1__trust_list__pack(&m, body)};
    rv = loa_envelope_seal(&h, &signer, buf, sizeof buf, &len);
    assert(rv == LOA_OK);
    loa_arena_reset(&w->arena);
    rv = loa_envelope_parse(&w->arena, (struct loa_bytes){buf, len}, &e);
    assert(rv == LOA_OK);
    if (loa_trust_update(&w->trust, &e, w->at_ms, false) != LOA_VERDICT_OK)
        abort();
    made_n = world_step(w, &ev)->programmes_n;
    return made_n + (w->up.more ? world_settle(w) : 0);
}

static inline uint32_t world_revoke(struct world *w,
                                    const struct person *p,
                                    uint64_t number)
{
    return world_list(w, p, p->certificate.serial, number);
}

#endif /* LOA_TEST_SCHEDULER_WORLD_H */
