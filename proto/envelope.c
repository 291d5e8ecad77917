#include "proto/envelope.h"

#include <string.h>

#include "loa/v1/envelope.pb-c.h"

static const char *const type_names[] = {
    [LOA_TYPE_CERTIFICATE] = "certificate",
    [LOA_TYPE_LOGIN] = "login",
    [LOA_TYPE_APPROVAL] = "approval",
    [LOA_TYPE_PROGRAMME] = "programme",
    [LOA_TYPE_HEAD] = "head",
    [LOA_TYPE_COMMAND] = "command",
    [LOA_TYPE_TRUST] = "trust",
    [LOA_TYPE_RECEIPTS] = "receipts",
    [LOA_TYPE_ACK] = "ack",
    [LOA_TYPE_PACKET] = "packet",
    [LOA_TYPE_ENROL] = "enrol",
    [LOA_TYPE_REGISTRY_REQUEST] = "registry_request",
    [LOA_TYPE_REGISTRY_ANSWER] = "registry_answer",
    [LOA_TYPE_CONTENT_REQUEST] = "content_request",
    [LOA_TYPE_CONTENT_ANSWER] = "content_answer",
    [LOA_TYPE_SCHEDULER_REQUEST] = "scheduler_request",
    [LOA_TYPE_SCHEDULER_ANSWER] = "scheduler_answer",
    [LOA_TYPE_TELEMETRY_REQUEST] = "telemetry_request",
    [LOA_TYPE_TELEMETRY_ANSWER] = "telemetry_answer",
};
#define TYPES_N ((int)(sizeof type_names / sizeof type_names[0]))

const char *loa_type_name(int type)
{
    return type >= 0 && type < TYPES_N ? type_names[type] : NULL;
}

/* Certificates and packets are signed on their own, never in an envelope. */
static bool is_envelope_type(int type)
{
    return loa_type_name(type) != NULL && type != LOA_TYPE_CERTIFICATE &&
           type != LOA_TYPE_PACKET;
}

/* What holds for every header, whether it was read or is to be signed. */
static bool is_sane(const struct loa_header *h)
{
    return is_envelope_type((int)h->type) && loa_area_valid(h->area) &&
           h->issued_at_ms >= 0 && h->expires_at_ms > h->issued_at_ms;
}

static bool take_header(struct loa_header *h, const Loa__V1__Signed *s)
{
    size_t area_len = strlen(s->area);

    if (area_len >= sizeof h->area || s->message_id.len != LOA_ID_BYTES)
        return false;
    h->type = (enum loa_type)s->type;
    memcpy(h->area, s->area, area_len + 1);
    memcpy(h->message_id, s->message_id.data, LOA_ID_BYTES);
    h->counter = s->counter;
    h->issued_at_ms = s->issued_at_ms;
    h->expires_at_ms = s->expires_at_ms;
    h->body = (struct loa_bytes){s->body.data, s->body.len};
    return is_sane(h);
}

static bool take_signatures(struct loa_envelope *e, const Loa__V1__Envelope *m)
{
    if (m->n_signatures < 1 || m->n_signatures > LOA_SIGNATURES_MAX)
        return false;
    for (size_t i = 0; i < m->n_signatures; i++) {
        const Loa__V1__Signature *s = m->signatures[i];
        if (s->key.len != LOA_KEY_BYTES ||
            s->signature.len != LOA_SIGNATURE_BYTES)
            return false;
        memcpy(e->signatures[i].key, s->key.data, LOA_KEY_BYTES);
        memcpy(e->signatures[i].signature, s->signature.data,
               LOA_SIGNATURE_BYTES);
    }
    e->signatures_n = m->n_signatures;
    return true;
}

static bool take_certificates(struct loa_envelope *e,
                              const Loa__V1__Envelope *m)
{
    if (m->n_certificates > LOA_CERTIFICATES_MAX)
        return false;
    for (size_t i = 0; i < m->n_certificates; i++) {
        ProtobufCBinaryData c = m->certificates[i];
        if (c.len == 0 || c.len > LOA_CERTIFICATE_BYTES_MAX)
            return false;
        e->certificates[i] = (struct loa_bytes){c.data, c.len};
    }
    e->certificates_n = m->n_certificates;
    return true;
}

int loa_envelope_parse(struct loa_arena *arena,
                       struct loa_bytes p,
                       struct loa_envelope *e)
{
    Loa__V1__Envelope *m;
    Loa__V1__Signed *s;

    memset(e, 0, sizeof *e);
    if (p.len == 0 || p.len > LOA_ENVELOPE_BYTES_MAX)
        return LOA_EINVAL;
    m = loa__v1__envelope__unpack(&arena->allocator, p.len, p.data);
    if (m == NULL)
        return arena->full ? LOA_ENOSPC : LOA_EINVAL;
    if (m->signed_.len == 0 || !take_signatures(e, m) ||
        !take_certificates(e, m))
        return LOA_EINVAL;
    s = loa__v1__signed__unpack(&arena->allocator, m->signed_.len,
                                m->signed_.data);
    if (s == NULL)
        return arena->full ? LOA_ENOSPC : LOA_EINVAL;
    e->signed_bytes = (struct loa_bytes){m->signed_.data, m->signed_.len};
    return take_header(&e->header, s) ? LOA_OK : LOA_EINVAL;
}

bool loa_envelope_self_signed(const struct loa_envelope *e)
{
    return e->signatures_n == 1 && e->certificates_n == 0 &&
           loa_sign_verify(e->signatures[0].key,
                           loa_type_name((int)e->header.type), e->signed_bytes,
                           e->signatures[0].signature);
}

/* --- writing -------------------------------------------------------------- */

/* protobuf-c's structs have no const; packing changes nothing. */
static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static int pack_header(const struct loa_header *h,
                       uint8_t buf[LOA_ENVELOPE_BYTES_MAX],
                       size_t *len)
{
    Loa__V1__Signed s = LOA__V1__SIGNED__INIT;

    s.type = (Loa__V1__Type)h->type;
    s.area = (char *)(uintptr_t)h->area;
    s.message_id = binary(h->message_id, LOA_ID_BYTES);
    s.counter = h->counter;
    s.issued_at_ms = h->issued_at_ms;
    s.expires_at_ms = h->expires_at_ms;
    s.body = binary(h->body.data, h->body.len);
    if (h->body.len > LOA_ENVELOPE_BYTES_MAX ||
        loa__v1__signed__get_packed_size(&s) > LOA_ENVELOPE_BYTES_MAX)
        return LOA_ENOSPC;
    *len = loa__v1__signed__pack(&s, buf);
    return LOA_OK;
}

/* Everything that an Envelope is made of, as protobuf-c wants it. */
struct parts {
    Loa__V1__Envelope envelope;
    Loa__V1__Signature signatures[LOA_SIGNATURES_MAX];
    Loa__V1__Signature *signature_refs[LOA_SIGNATURES_MAX];
    ProtobufCBinaryData certificates[LOA_CERTIFICATES_MAX];
};

static void parts_init(struct parts *p, struct loa_bytes signed_bytes)
{
    loa__v1__envelope__init(&p->envelope);
    p->envelope.signed_ = binary(signed_bytes.data, signed_bytes.len);
    p->envelope.signatures = p->signature_refs;
    p->envelope.certificates = p->certificates;
}

static void parts_add_signature(struct parts *p, const struct loa_signature *s)
{
    Loa__V1__Signature *m = &p->signatures[p->envelope.n_signatures];

    loa__v1__signature__init(m);
    m->key = binary(s->key, LOA_KEY_BYTES);
    m->signature = binary(s->signature, LOA_SIGNATURE_BYTES);
    p->signature_refs[p->envelope.n_signatures++] = m;
}

static int parts_pack(const struct parts *p,
                      uint8_t *buf,
                      size_t cap,
                      size_t *len)
{
    size_t need = loa__v1__envelope__get_packed_size(&p->envelope);

    if (need > cap || need > LOA_ENVELOPE_BYTES_MAX)
        return LOA_ENOSPC;
    *len = loa__v1__envelope__pack(&p->envelope, buf);
    return LOA_OK;
}

int loa_envelope_seal(const struct loa_header *h,
                      const struct loa_signer *signer,
                      uint8_t *buf,
                      size_t cap,
                      size_t *len)
{
    uint8_t room[LOA_ENVELOPE_BYTES_MAX];
    struct loa_bytes signed_bytes = {room, 0};
    struct loa_signature signature;
    struct parts p;

    if (!is_sane(h) || signer->certificates_n > LOA_CERTIFICATES_MAX)
        return LOA_EINVAL;
    if (pack_header(h, room, &signed_bytes.len) != LOA_OK)
        return LOA_ENOSPC;
    memcpy(signature.key, signer->key->public_key, LOA_KEY_BYTES);
    loa_sign(signer->key, loa_type_name((int)h->type), signed_bytes,
             signature.signature);

    parts_init(&p, signed_bytes);
    parts_add_signature(&p, &signature);
    for (size_t i = 0; i < signer->certificates_n; i++)
        p.certificates[i] =
            binary(signer->certificates[i].data, signer->certificates[i].len);
    p.envelope.n_certificates = signer->certificates_n;
    return parts_pack(&p, buf, cap, len);
}

int loa_envelope_strip(const struct loa_envelope *e,
                       uint8_t *buf,
                       size_t cap,
                       size_t *len)
{
    struct parts p;

    parts_init(&p, e->signed_bytes);
    for (size_t i = 0; i < e->signatures_n; i++)
        parts_add_signature(&p, &e->signatures[i]);
    return parts_pack(&p, buf, cap, len);
}
