#include "speaker/wire.h"

#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/device.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "loa/v1/registry.pb-c.h"
#include "proto/audio.h"
#include "proto/envelope.h"

#define APPROVAL_BYTES_MAX 4096
/* Of what any content can hold; overlaps are reckoned with it. */
#define DURATION_MS_MAX (CONTENT_PACKETS_MAX * LOA_PACKET_FRAMES * LOA_FRAME_MS)
#define AT_MS_MAX (INT64_MAX / 1000) /* So that microseconds fit too. */

static bool fixed(ProtobufCBinaryData d, uint8_t *out, size_t len)
{
    if (d.len != len)
        return false;
    memcpy(out, d.data, len);
    return true;
}

static bool time_valid(int64_t at_ms)
{
    return at_ms > 0 && at_ms <= AT_MS_MAX;
}

/* --- programme ------------------------------------------------------------ */

static bool take_starts(struct programme *p,
                        struct bulletin *b,
                        const Loa__V1__Bulletin *m)
{
    if (m->n_starts_at_ms < 1 || m->n_starts_at_ms > STARTS_MAX)
        return false;
    b->starts_at = p->starts_n;
    b->starts_n = (uint32_t)m->n_starts_at_ms;
    b->past_n = 0;
    for (size_t i = 0; i < m->n_starts_at_ms; i++) {
        int64_t start = m->starts_at_ms[i];

        if (!time_valid(start) || (i > 0 && start <= m->starts_at_ms[i - 1]))
            return false;
        p->starts[p->starts_n++] = start;
    }
    return true;
}

static bool take_bulletin(struct programme *p, const Loa__V1__Bulletin *m)
{
    struct bulletin *b = &p->bulletins[p->bulletins_n];

    if (!fixed(m->bulletin_id, b->id, LOA_ID_BYTES) ||
        !fixed(m->content_hash, b->hash, LOA_HASH_BYTES) ||
        (m->class_ != LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_NORMAL &&
         m->class_ != LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_PRIORITY) ||
        m->duration_ms == 0 || m->duration_ms > DURATION_MS_MAX ||
        !take_starts(p, b, m))
        return false;
    b->class = (enum bulletin_class)m->class_;
    b->duration_ms = m->duration_ms;
    b->received_told = false;
    p->bulletins_n++;
    return true;
}

/* False if it is empty, or the pool is full, which an envelope's size does not
 * allow. */
static bool pool_copy(struct programme *p,
                      ProtobufCBinaryData d,
                      struct loa_bytes *out)
{
    if (d.len == 0 || d.len > sizeof p->pool - p->pool_len)
        return false;
    memcpy(p->pool + p->pool_len, d.data, d.len);
    *out = (struct loa_bytes){p->pool + p->pool_len, d.len};
    p->pool_len += d.len;
    return true;
}

/* Files the approval under the hash it claims to be for. One that is malformed
 * is left out: what it was for is then unapproved, the rest stays good. */
static bool take_approval(struct loa_arena *arena,
                          struct programme *p,
                          ProtobufCBinaryData d)
{
    struct programme_approval *a = &p->approvals[p->approvals_n];
    struct loa_envelope e;
    struct manifest m;
    size_t used = arena->used;
    bool good = d.len > 0 && d.len <= APPROVAL_BYTES_MAX &&
                loa_envelope_parse(arena, (struct loa_bytes){d.data, d.len},
                                   &e) == LOA_OK &&
                wire_manifest(arena, e.header.body, &m) == LOA_OK;

    arena->used = used;
    if (!good)
        return true;
    memcpy(a->hash, m.hash, sizeof a->hash);
    if (!pool_copy(p, d, &a->envelope))
        return false;
    p->approvals_n++;
    return true;
}

int wire_programme(struct loa_arena *arena,
                   struct loa_bytes body,
                   struct programme *p)
{
    Loa__V1__Programme *m;

    m = loa__v1__programme__unpack(&arena->allocator, body.len, body.data);
    if (m == NULL || m->version == 0 || m->version > INT64_MAX ||
        m->n_bulletins > BULLETINS_MAX || m->n_approvals > APPROVALS_MAX ||
        m->n_certificates > PROGRAMME_CERTIFICATES_MAX)
        return LOA_EINVAL;
    p->version = m->version;
    p->bulletins_n = p->starts_n = p->approvals_n = p->certificates_n = 0;
    p->pool_len = 0;
    for (size_t i = 0; i < m->n_bulletins; i++)
        if (!take_bulletin(p, m->bulletins[i]))
            return LOA_EINVAL;
    for (size_t i = 0; i < m->n_approvals; i++)
        if (!take_approval(arena, p, m->approvals[i]))
            return LOA_EINVAL;
    for (size_t i = 0; i < m->n_certificates; i++)
        if (!pool_copy(p, m->certificates[i],
                       &p->certificates[p->certificates_n++]))
            return LOA_EINVAL;
    return LOA_OK;
}

int wire_manifest(struct loa_arena *arena,
                  struct loa_bytes body,
                  struct manifest *out)
{
    Loa__V1__ContentManifest *m;

    m = loa__v1__content_manifest__unpack(&arena->allocator, body.len,
                                          body.data);
    if (m == NULL || !fixed(m->content_hash, out->hash, LOA_HASH_BYTES) ||
        !fixed(m->stream_key, out->stream_key, LOA_KEY_BYTES))
        return LOA_EINVAL;
    if (m->packets_n < 1 || m->packets_n > CONTENT_PACKETS_MAX ||
        m->frames_n <= (m->packets_n - 1) * LOA_PACKET_FRAMES ||
        m->frames_n > m->packets_n * LOA_PACKET_FRAMES || m->duration_ms == 0 ||
        m->duration_ms > m->frames_n * LOA_FRAME_MS ||
        m->pre_skip >= LOA_RATE_HZ ||
        m->pre_skip >= m->frames_n * LOA_FRAME_SAMPLES ||
        m->bytes > (uint64_t)m->frames_n * LOA_FRAME_BYTES_MAX)
        return LOA_EINVAL;
    out->packets_n = m->packets_n;
    out->frames_n = m->frames_n;
    out->duration_ms = m->duration_ms;
    out->pre_skip = m->pre_skip;
    out->bytes = m->bytes;
    return LOA_OK;
}

/* --- head, command, ack --------------------------------------------------- */

int wire_head(struct loa_arena *arena,
              struct loa_bytes body,
              struct wire_head *h)
{
    Loa__V1__Head *m;

    m = loa__v1__head__unpack(&arena->allocator, body.len, body.data);
    if (m == NULL || !time_valid(m->time_ms))
        return LOA_EINVAL;
    memset(h, 0, sizeof *h);
    h->time_ms = m->time_ms;
    h->programme_version = m->programme_version;
    h->revocation_number = m->revocation_number;
    h->hash_known = m->programme_hash.len > 0;
    h->nonce_known = m->nonce.len > 0;
    if ((h->hash_known &&
         !fixed(m->programme_hash, h->programme_hash, LOA_HASH_BYTES)) ||
        (h->nonce_known && !fixed(m->nonce, h->nonce, WIRE_NONCE_BYTES)))
        return LOA_EINVAL;
    return LOA_OK;
}

static bool take_stop(struct wire_command *c, const Loa__V1__Stop *m)
{
    c->what = WIRE_STOP;
    c->bulletin_known = m->bulletin_id.len > 0;
    return !c->bulletin_known ||
           fixed(m->bulletin_id, c->bulletin_id, LOA_ID_BYTES);
}

static bool take_volume(struct wire_command *c, const Loa__V1__SetVolume *m)
{
    c->what = WIRE_SET_VOLUME;
    c->percent = m->percent;
    return m->percent <= 100;
}

int wire_command(struct loa_arena *arena,
                 struct loa_bytes body,
                 struct wire_command *c)
{
    Loa__V1__Command *m;
    bool good = false;

    m = loa__v1__command__unpack(&arena->allocator, body.len, body.data);
    memset(c, 0, sizeof *c);
    if (m == NULL || (m->device[0] != '\0' && !loa_principal_valid(m->device)))
        return LOA_EINVAL;
    strcpy(c->device, m->device); /* At most 32 bytes, as just checked. */
    if (m->what_case == LOA__V1__COMMAND__WHAT_STOP)
        good = take_stop(c, m->stop);
    else if (m->what_case == LOA__V1__COMMAND__WHAT_SET_VOLUME)
        good = take_volume(c, m->set_volume);
    return good ? LOA_OK : LOA_EINVAL;
}

int wire_ack(struct loa_arena *arena, struct loa_bytes body, struct wire_ack *a)
{
    Loa__V1__Ack *m;

    m = loa__v1__ack__unpack(&arena->allocator, body.len, body.data);
    if (m == NULL || !fixed(m->log_id, a->log_id, LOA_ID_BYTES))
        return LOA_EINVAL;
    a->committed_sequence = m->committed_sequence;
    a->refused_n = m->n_refused_sequences;
    a->refused_first = a->refused_n > 0 ? m->refused_sequences[0] : 0;
    return LOA_OK;
}

/* --- enrolment ------------------------------------------------------------ */

static int take_enrolment(struct loa_arena *arena,
                          ProtobufCBinaryData d,
                          struct wire_enrolment *w)
{
    Loa__V1__Enrolment *m;

    m = loa__v1__enrolment__unpack(&arena->allocator, d.len, d.data);
    if (m == NULL || m->n_certificates < 1 ||
        m->n_certificates > LOA_CHAIN_MAX ||
        !fixed(m->root, w->root, LOA_KEY_BYTES) ||
        !fixed(m->proof, w->proof, LOA_HASH_BYTES))
        return LOA_EINVAL;
    w->certificates_n = m->n_certificates;
    for (size_t i = 0; i < m->n_certificates; i++) {
        if (m->certificates[i].len < 1 ||
            m->certificates[i].len > LOA_CERTIFICATE_BYTES_MAX)
            return LOA_EINVAL;
        w->certificates[i] =
            (struct loa_bytes){m->certificates[i].data, m->certificates[i].len};
    }
    return LOA_OK;
}

int wire_enrolment(struct loa_arena *arena,
                   struct loa_bytes body,
                   struct wire_enrolment *w)
{
    Loa__V1__RegistryAnswer *m;

    memset(w, 0, sizeof *w);
    m = loa__v1__registry_answer__unpack(&arena->allocator, body.len,
                                         body.data);
    if (m == NULL)
        return LOA_EINVAL;
    if (m->status != NULL &&
        m->status->code != LOA__V1__STATUS__CODE__CODE_OK) {
        strncpy(w->why, m->status->text_en, sizeof w->why - 1);
        return LOA_OK;
    }
    w->granted = true;
    return take_enrolment(arena, m->enrolment, w);
}

/* --- written -------------------------------------------------------------- */

/* protobuf-c's structs have no const; packing changes nothing. */
static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static int pack(const ProtobufCMessage *m, struct wire_out *out)
{
    if (protobuf_c_message_get_packed_size(m) > out->cap)
        return LOA_ENOSPC;
    out->len = protobuf_c_message_pack(m, out->buf);
    return LOA_OK;
}

int wire_state(const struct wire_state *s, struct wire_out *out)
{
    static char audio[] = "audio";
    char *capabilities[] = {audio};
    Loa__V1__State m = LOA__V1__STATE__INIT;
    Loa__V1__AreaVersion versions[PROGRAMMES_MAX];
    Loa__V1__AreaVersion *list[PROGRAMMES_MAX];

    m.presence = (Loa__V1__Presence)s->presence;
    m.session = s->session;
    m.at_ms = s->at_ms;
    m.software = text(s->software);
    m.model = text(s->model);
    m.revocation_number = s->revocation_number;
    m.n_capabilities = 1;
    m.capabilities = capabilities;
    m.n_programmes = s->programmes->held_n;
    m.programmes = list;
    for (size_t i = 0; i < s->programmes->held_n; i++) {
        loa__v1__area_version__init(&versions[i]);
        versions[i].area = text(s->programmes->held[i]->area);
        versions[i].version = s->programmes->held[i]->version;
        list[i] = &versions[i];
    }
    return pack(&m.base, out);
}

int wire_health(const struct wire_health *h, struct wire_out *out)
{
    static char storage[] = "storage", sound[] = "sound";
    char *faults[2];
    Loa__V1__Health m = LOA__V1__HEALTH__INIT;

    m.at_ms = h->at_ms;
    m.uptime_s = h->uptime_s;
    m.resident_bytes = h->resident_bytes;
    m.disk_free_bytes = h->disk_free_bytes;
    m.cpu_permille = h->cpu_permille;
    m.volume_percent = h->volume_percent;
    m.time_trusted = h->time_trusted;
    m.stale = h->stale;
    m.receipts_pending = h->receipts_pending;
    m.contents_complete = h->contents_complete;
    m.contents_missing = h->contents_missing;
    m.frames_played = h->frames_played;
    m.frames_concealed = h->frames_concealed;
    m.clock_offset_us = h->clock_offset_us;
    if (h->playing)
        m.playing_bulletin_id = binary(h->playing_bulletin_id, LOA_ID_BYTES);
    m.refused_messages = h->refused_messages;
    if (h->storage_fault)
        faults[m.n_faults++] = storage;
    if (h->sound_fault)
        faults[m.n_faults++] = sound;
    m.faults = faults;
    return pack(&m.base, out);
}

static void fill_receipt(Loa__V1__Receipt *m, const struct receipt *r)
{
    loa__v1__receipt__init(m);
    m->sequence = r->sequence;
    m->bulletin_id = binary(r->bulletin_id, LOA_ID_BYTES);
    m->start_at_ms = r->start_at_ms;
    m->event = (Loa__V1__ReceiptEvent)r->event;
    m->at_us = r->at_us;
    m->reason = text(r->reason);
    m->first_sample_us = r->first_sample_us;
    m->played_ms = r->played_ms;
    m->concealed_ms = r->concealed_ms;
    if (r->hash_known)
        m->content_hash = binary(r->hash, LOA_HASH_BYTES);
}

int wire_receipts(const uint8_t log_id[LOA_ID_BYTES],
                  uint64_t oldest_sequence,
                  const struct receipt *receipts,
                  size_t receipts_n,
                  struct wire_out *out)
{
    Loa__V1__ReceiptBatch m = LOA__V1__RECEIPT_BATCH__INIT;
    Loa__V1__Receipt rows[RECEIPTS_BATCH_MAX];
    Loa__V1__Receipt *list[RECEIPTS_BATCH_MAX];

    if (receipts_n > RECEIPTS_BATCH_MAX)
        return LOA_ENOSPC;
    for (size_t i = 0; i < receipts_n; i++) {
        fill_receipt(&rows[i], &receipts[i]);
        list[i] = &rows[i];
    }
    m.log_id = binary(log_id, LOA_ID_BYTES);
    m.oldest_sequence = oldest_sequence;
    m.n_receipts = receipts_n;
    m.receipts = list;
    return pack(&m.base, out);
}

int wire_want(const struct wire_want *w, struct wire_out *out)
{
    Loa__V1__Want m = LOA__V1__WANT__INIT;
    Loa__V1__WantStream streams[WIRE_WANT_STREAMS_MAX];
    Loa__V1__WantStream *list[WIRE_WANT_STREAMS_MAX];

    for (size_t i = 0; i < w->streams_n; i++) {
        const struct wire_want_stream *s = &w->streams[i];

        loa__v1__want_stream__init(&streams[i]);
        streams[i].stream_key = binary(s->stream_key, LOA_KEY_BYTES);
        streams[i].n_ranges = 2 * s->pairs_n;
        streams[i].ranges = (uint32_t *)(uintptr_t)s->pairs;
        list[i] = &streams[i];
    }
    m.n_streams = w->streams_n;
    m.streams = list;
    return pack(&m.base, out);
}

int wire_time_request(const uint8_t nonce[WIRE_NONCE_BYTES],
                      struct wire_out *out)
{
    Loa__V1__TimeRequest m = LOA__V1__TIME_REQUEST__INIT;

    m.nonce = binary(nonce, WIRE_NONCE_BYTES);
    return pack(&m.base, out);
}

int wire_enrol_request(const struct wire_enrol_request *r, struct wire_out *out)
{
    Loa__V1__EnrolRequest m = LOA__V1__ENROL_REQUEST__INIT;

    m.device = text(r->device);
    m.serial = text(r->serial);
    m.model = text(r->model);
    m.key = binary(r->key, LOA_KEY_BYTES);
    m.proof = binary(r->proof, LOA_HASH_BYTES);
    return pack(&m.base, out);
}
