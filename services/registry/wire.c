#include "registry/wire.h"

#include <assert.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"

static struct loa_bytes bytes(ProtobufCBinaryData b)
{
    return (struct loa_bytes){b.data, b.len};
}

/* --- requests ------------------------------------------------------------- */

static int take_import(const Loa__V1__AreaImport *m,
                       struct part *p,
                       struct refusal *why)
{
    if (m->import_id.len != LOA_ID_BYTES)
        return refuse(why, REFUSAL_INVALID, "import_id phải có %d byte.",
                      "import_id must have %d bytes.", LOA_ID_BYTES);
    memcpy(p->import_id, m->import_id.data, LOA_ID_BYTES);
    p->part = m->part;
    p->parts_n = m->parts_n;
    p->valid_from_ms = m->valid_from_ms;
    p->csv = bytes(m->csv);
    return LOA_OK;
}

static int take_add(const Loa__V1__PrincipalAdd *m,
                    struct registry_request *q,
                    struct refusal *why)
{
    if (m->n_certificates > LOA_CHAIN_MAX)
        return refuse(
            why, REFUSAL_INVALID, "Chuỗi chứng thư có hơn %d mắt xích.",
            "The chain of certificates has more than %d links.", LOA_CHAIN_MAX);
    for (size_t i = 0; i < m->n_certificates; i++)
        q->add.certificates[i] = bytes(m->certificates[i]);
    q->add.certificates_n = m->n_certificates;
    return LOA_OK;
}

static int take(const Loa__V1__RegistryRequest *m,
                struct registry_request *q,
                struct refusal *why)
{
    switch (m->what_case) {
        case LOA__V1__REGISTRY_REQUEST__WHAT_AREA_IMPORT:
            q->what = REGISTRY_AREA_IMPORT;
            return take_import(m->area_import, &q->part, why);
        case LOA__V1__REGISTRY_REQUEST__WHAT_AREA_FIND:
            q->what = REGISTRY_AREA_FIND;
            q->area_find = (struct area_find){
                m->area_find->text,          m->area_find->under,
                m->area_find->after,         m->area_find->limit,
                m->area_find->children_only, m->area_find->at_ms};
            return LOA_OK;
        case LOA__V1__REGISTRY_REQUEST__WHAT_AREA_SYNC:
            q->what = REGISTRY_AREA_SYNC;
            q->area_sync.since = m->area_sync->since_version;
            q->area_sync.after = m->area_sync->after;
            return LOA_OK;
        case LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_CODE:
            q->what = REGISTRY_DEVICE_CODE;
            q->code.id = m->device_code->id;
            q->code.area = m->device_code->area;
            q->code.serial = m->device_code->serial;
            q->code.name = m->device_code->name;
            q->code.valid_s = m->device_code->valid_s;
            return LOA_OK;
        case LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_FIND:
            q->what = REGISTRY_DEVICE_FIND;
            q->find.under = m->device_find->under;
            q->find.id = m->device_find->id;
            q->find.after = m->device_find->after;
            q->find.limit = m->device_find->limit;
            return LOA_OK;
        case LOA__V1__REGISTRY_REQUEST__WHAT_PRINCIPAL_ADD:
            q->what = REGISTRY_PRINCIPAL_ADD;
            return take_add(m->principal_add, q, why);
        case LOA__V1__REGISTRY_REQUEST__WHAT_PRINCIPAL_FIND:
            q->what = REGISTRY_PRINCIPAL_FIND;
            q->find.under = m->principal_find->under;
            q->find.id = m->principal_find->id;
            q->find.after = m->principal_find->after;
            q->find.limit = m->principal_find->limit;
            return LOA_OK;
        case LOA__V1__REGISTRY_REQUEST__WHAT_REVOKE:
            q->what = REGISTRY_REVOKE;
            q->revoke.principal = m->revoke->principal;
            q->revoke.reason = m->revoke->reason;
            return LOA_OK;
        default:
            return refuse(why, REFUSAL_INVALID,
                          "Sổ đăng ký không biết yêu cầu này; hãy kiểm tra "
                          "phiên bản phần mềm.",
                          "The registry does not know this request; check the "
                          "software's version.");
    }
}

int wire_request(struct loa_arena *arena,
                 struct loa_bytes p,
                 struct registry_request *q,
                 struct refusal *why)
{
    const Loa__V1__RegistryRequest *m =
        loa__v1__registry_request__unpack(&arena->allocator, p.len, p.data);

    memset(q, 0, sizeof *q);
    if (m == NULL)
        return refuse(
            why, REFUSAL_INVALID,
            "Không đọc được yêu cầu; hãy kiểm tra phiên bản phần mềm.",
            "The request cannot be read; check the software's "
            "version.");
    /* *m stays in the arena, and q points into it. */
    return take(m, q, why);
}

int wire_enrol(struct loa_arena *arena,
               struct loa_bytes p,
               struct registry_enrol *e)
{
    const Loa__V1__EnrolRequest *m =
        loa__v1__enrol_request__unpack(&arena->allocator, p.len, p.data);

    if (m == NULL || m->key.len != LOA_KEY_BYTES ||
        m->proof.len != LOA_HASH_BYTES)
        return LOA_EINVAL;
    e->device = m->device;
    e->serial = m->serial;
    e->model = m->model;
    memcpy(e->key, m->key.data, LOA_KEY_BYTES);
    memcpy(e->proof, m->proof.data, LOA_HASH_BYTES);
    return LOA_OK;
}

/* --- answers -------------------------------------------------------------- */

#define ROWS_MAX 500
_Static_assert(ROWS_MAX >= AREA_PAGE_MAX && ROWS_MAX >= DEVICE_PAGE_MAX &&
                   ROWS_MAX >= PRINCIPAL_PAGE_MAX,
               "a page fits");

/* The answer that was made last. */
static struct {
    Loa__V1__RegistryAnswer message;
    Loa__V1__Status status;
    Loa__V1__Area areas[ROWS_MAX], *area_list[ROWS_MAX];
    Loa__V1__Device devices[ROWS_MAX], *device_list[ROWS_MAX];
    Loa__V1__Principal principals[ROWS_MAX], *principal_list[ROWS_MAX];
    uint8_t enrolment[LOA_CHAIN_MAX * LOA_CERTIFICATE_BYTES_MAX + 1024];
} out;

static ProtobufCBinaryData lent(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)data};
}

static void put_area(const struct area_state *s)
{
    size_t i = out.message.n_areas++;
    Loa__V1__Area *a = &out.areas[i];

    *a = (Loa__V1__Area)LOA__V1__AREA__INIT;
    a->path = (char *)s->path;
    a->code = (char *)s->code;
    a->name = (char *)s->name;
    a->tier = (Loa__V1__Tier)s->tier;
    a->valid_from_ms = s->valid_from_ms;
    a->valid_until_ms = s->valid_until_ms;
    a->version = s->version;
    out.area_list[i] = a;
}

static void put_device(const struct device *d)
{
    size_t i = out.message.n_devices++;
    Loa__V1__Device *m = &out.devices[i];

    *m = (Loa__V1__Device)LOA__V1__DEVICE__INIT;
    m->id = (char *)d->id;
    m->area = (char *)d->area;
    m->serial = (char *)d->serial;
    m->model = (char *)d->model;
    m->name = (char *)d->name;
    m->revoked = d->revoked;
    m->enrolled_at_ms = d->enrolled_at_ms;
    m->not_after_ms = d->not_after_ms;
    m->certificate_serial = d->certificate_serial;
    if (d->enrolled_at_ms != 0)
        m->key = lent(d->key, LOA_KEY_BYTES);
    out.device_list[i] = m;
}

static void put_principal(const struct principal *p)
{
    size_t i = out.message.n_principals++;
    Loa__V1__Principal *m = &out.principals[i];

    *m = (Loa__V1__Principal)LOA__V1__PRINCIPAL__INIT;
    m->id = (char *)p->id;
    m->name = (char *)p->name;
    m->role = (Loa__V1__Role)p->role;
    m->area = (char *)p->area;
    m->powers = p->powers;
    m->not_after_ms = p->not_after_ms;
    m->revoked = p->revoked;
    m->key = lent(p->key, LOA_KEY_BYTES);
    m->issuer = lent(p->issuer, LOA_KEY_BYTES);
    m->certificate_serial = p->serial;
    m->service = (char *)p->service;
    out.principal_list[i] = m;
}

static void put_enrolment(const struct registry *r,
                          const struct registry_update *up,
                          const struct loa_bytes *certificate)
{
    const struct loa_identity *me = r->conf.identity;
    Loa__V1__Enrolment e = LOA__V1__ENROLMENT__INIT;
    ProtobufCBinaryData chain[LOA_CHAIN_MAX + 1];

    chain[0] = lent(certificate->data, certificate->len);
    for (size_t i = 0; i < me->certificates_n; i++)
        chain[i + 1] = lent(me->certificates[i].data, me->certificates[i].len);
    e.n_certificates = me->certificates_n + 1;
    e.certificates = chain;
    e.root = lent(me->root, LOA_KEY_BYTES);
    e.proof = lent(up->proof, LOA_HASH_BYTES);
    assert(loa__v1__enrolment__get_packed_size(&e) <= sizeof out.enrolment);
    out.message.enrolment =
        lent(out.enrolment, loa__v1__enrolment__pack(&e, out.enrolment));
}

const ProtobufCMessage *wire_answer(const struct registry *r,
                                    const struct registry_update *up,
                                    const struct loa_bytes *certificate)
{
    const struct registry_answer *a = &up->answer;
    Loa__V1__RegistryAnswer *m = &out.message;

    *m = (Loa__V1__RegistryAnswer)LOA__V1__REGISTRY_ANSWER__INIT;
    out.status = (Loa__V1__Status)LOA__V1__STATUS__INIT;
    out.status.code = (Loa__V1__Status__Code)a->status.code;
    out.status.text_vi = (char *)a->status.vi;
    out.status.text_en = (char *)a->status.en;
    m->status = &out.status;
    m->areas = out.area_list;
    m->devices = out.device_list;
    m->principals = out.principal_list;
    m->line = a->status.line;
    if (a->status.code != REFUSAL_NONE)
        return &m->base;
    m->code = (char *)a->code;
    m->version = a->version;
    m->added_n = a->added_n;
    m->changed_n = a->changed_n;
    m->unchanged_n = a->unchanged_n;
    m->next = (char *)a->next;
    m->revocation_number = a->revocation_number;
    for (size_t i = 0; i < a->areas.states_n; i++)
        put_area(a->areas.states[i]);
    for (size_t i = 0; i < a->devices.devices_n; i++)
        put_device(a->devices.devices[i]);
    for (size_t i = 0; i < a->principals.principals_n; i++)
        put_principal(a->principals.principals[i]);
    if (a->device != NULL)
        put_device(a->device);
    if (a->principal != NULL)
        put_principal(a->principal);
    if (certificate != NULL)
        put_enrolment(r, up, certificate);
    return &m->base;
}

/* --- the list ------------------------------------------------------------- */

size_t wire_trust_list(const struct registry *r, uint8_t *buf)
{
    static Loa__V1__Revocation groups[LOA_REVOCATIONS_MAX];
    static Loa__V1__Revocation *list[LOA_REVOCATIONS_MAX];
    static uint64_t serials[REVOKED_MAX];
    Loa__V1__TrustList m = LOA__V1__TRUST_LIST__INIT;
    const struct revoked_entry *last = NULL;

    /* Entries are in order of issuer, so each issuer's serials lie together. */
    for (size_t i = 0; i < r->revoked.entries_n; i++) {
        const struct revoked_entry *e = &r->revoked.entries[i];

        serials[i] = e->serial;
        if (last == NULL ||
            memcmp(last->issuer, e->issuer, LOA_KEY_BYTES) != 0) {
            Loa__V1__Revocation *g = &groups[m.n_revocations];
            *g = (Loa__V1__Revocation)LOA__V1__REVOCATION__INIT;
            g->issuer = lent(e->issuer, LOA_KEY_BYTES);
            g->serials = &serials[i];
            list[m.n_revocations++] = g;
        }
        list[m.n_revocations - 1]->n_serials++;
        last = e;
    }
    m.number = r->trust_number;
    m.areas_version = r->areas_version;
    m.revocations = list;
    assert(loa__v1__trust_list__get_packed_size(&m) <= WIRE_TRUST_LIST_MAX);
    return loa__v1__trust_list__pack(&m, buf);
}
