/* town.h -- who signs in the tests of the speaker, and what: contents,
 * approvals, programmes, heads, commands, lists, acks. Keys are from fixed
 * seeds; nothing is random unless the test says so. */

#ifndef LOA_TEST_TOWN_H
#define LOA_TEST_TOWN_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/device.pb-c.h"
#include "loa/v1/envelope.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "proto/audio.h"
#include "proto/identity.h"
#include "speaker/programmes.h"

#define T0 INT64_C(1790000000000) /* Wall time at which tests begin, ms. */
#define SECOND INT64_C(1000)
#define MINUTE INT64_C(60000)
#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define OWN "vn/08/070/02215"
#define OTHER "vn/08/070/02218"

#define UNUSED __attribute__((unused))

#define PERSON_SALT 0x5e
#define PERSON_FROM_MS (T0 - 100 * DAY)
#define PERSON_UNTIL_MS (T0 + 1000 * DAY)
#include "../person.h"

struct town {
    struct person root, province, approver, second, scheduler, registry,
        collector, commander;
    struct loa_identity device;
    uint64_t ids;
};

/* A body with its envelope, in static memory of a few. */
struct letter {
    size_t len;
    uint8_t data[LOA_ENVELOPE_BYTES_MAX];
};

UNUSED static void town_init(struct town *t)
{
    struct person device;

    t->ids = 0;
    person_key(&t->root, 1, PERSON_SALT);
    person_make(&t->province, &t->root, 2, LOA_ROLE_AUTHORITY, "province_08",
                "vn/08", "", LOA_POWERS_ALL);
    person_make(&t->approver, &t->province, 3, LOA_ROLE_STAFF, "mai", "vn/08",
                "", LOA_POWER_CONTENT_APPROVE);
    person_make(&t->second, &t->province, 4, LOA_ROLE_STAFF, "hoa", "vn/08", "",
                LOA_POWER_CONTENT_APPROVE);
    person_make(&t->scheduler, &t->province, 5, LOA_ROLE_SERVICE,
                "scheduler_08", "vn/08", "scheduler",
                LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    person_make(&t->registry, &t->province, 6, LOA_ROLE_SERVICE, "registry_08",
                "vn/08", "registry", LOA_POWER_REVOKE | LOA_POWER_DELEGATE);
    person_make(&t->collector, &t->province, 7, LOA_ROLE_SERVICE,
                "collector_08", "vn/08", "telemetry-collector", 0);
    person_make(&t->commander, &t->province, 8, LOA_ROLE_STAFF, "lan",
                "vn/08/070", "", LOA_POWER_COMMAND);
    person_make(&device, &t->province, 9, LOA_ROLE_DEVICE, "pole_1", OWN, "",
                0);
    memset(&t->device, 0, sizeof t->device);
    t->device.key = device.key;
    t->device.leaf = device.leaf;
    t->device.root_known = true;
    memcpy(t->device.root, t->root.key.public_key, LOA_KEY_BYTES);
    t->device.certificates_n = device.certificates_n;
    for (size_t i = 0; i < device.certificates_n; i++) {
        memcpy(t->device.store[i], device.certificates[i].data,
               device.certificates[i].len);
        t->device.certificates[i] =
            (struct loa_bytes){t->device.store[i], device.certificates[i].len};
    }
}

/* --- envelopes ------------------------------------------------------------ */

/* What differs from an ordinary envelope; 0 and NULL: nothing. */
struct twist {
    const struct person *by;
    const char *area;
    int64_t issued_at_ms, valid_ms;
    bool no_certificates;
    uint64_t counter;
    uint8_t id; /* Message id; 0: a new one. */
};

static void seal(struct town *t,
                 enum loa_type type,
                 const struct person *by,
                 struct loa_bytes body,
                 const struct twist *w,
                 int64_t at_ms,
                 struct letter *out)
{
    static const struct twist none;
    struct loa_header h = {.type = type, .body = body};
    struct loa_signer signer;
    int rv;

    w = w != NULL ? w : &none;
    by = w->by != NULL ? w->by : by;
    signer = (struct loa_signer){&by->key, by->certificates,
                                 w->no_certificates ? 0 : by->certificates_n};
    strcpy(h.area, w->area != NULL ? w->area : by->leaf.area);
    t->ids++;
    memcpy(h.message_id, &t->ids, sizeof t->ids);
    if (w->id != 0)
        memset(h.message_id, w->id, sizeof h.message_id);
    h.counter = w->counter;
    h.issued_at_ms = w->issued_at_ms != 0 ? w->issued_at_ms : at_ms;
    h.expires_at_ms =
        h.issued_at_ms + (w->valid_ms != 0 ? w->valid_ms : 7 * DAY);
    rv = loa_envelope_seal(&h, &signer, out->data, sizeof out->data, &out->len);
    assert(rv == LOA_OK);
}

/* --- contents ------------------------------------------------------------- */

#define TOWN_FRAMES_MAX 1000

/* Frames here are any bytes: the core never decodes them. */
struct town_content {
    struct loa_key stream;
    struct manifest m;
    uint8_t frames[TOWN_FRAMES_MAX][8];
};

UNUSED static void town_content(struct town_content *c,
                                uint8_t seed,
                                uint32_t frames_n)
{
    uint8_t bytes[32] = {seed, 0xc0};
    struct loa_content_hash h;

    assert(frames_n >= 1 && frames_n <= TOWN_FRAMES_MAX);
    memset(c, 0, sizeof *c);
    loa_key_from_seed(&c->stream, bytes);
    loa_content_hash_init(&h);
    for (uint32_t i = 0; i < frames_n; i++) {
        c->frames[i][0] = seed;
        memcpy(c->frames[i] + 1, &i, 4);
        loa_content_hash_frame(&h, c->frames[i], sizeof c->frames[i]);
    }
    loa_content_hash_final(&h, c->m.hash);
    memcpy(c->m.stream_key, c->stream.public_key, LOA_KEY_BYTES);
    c->m.frames_n = frames_n;
    c->m.packets_n = (frames_n + LOA_PACKET_FRAMES - 1) / LOA_PACKET_FRAMES;
    c->m.duration_ms = frames_n * LOA_FRAME_MS;
    c->m.bytes = frames_n * sizeof c->frames[0];
}

/* The content of that stream, among n; NULL: none. */
UNUSED static const struct town_content *town_content_of(
    const struct town_content *all,
    size_t n,
    const uint8_t stream_key[LOA_KEY_BYTES])
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(all[i].m.stream_key, stream_key, LOA_KEY_BYTES) == 0)
            return &all[i];
    return NULL;
}

static ProtobufCBinaryData bin(const void *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

/* An encoded AudioPacket, signed by `by` or, if NULL, the content's stream. */
UNUSED static void town_packet(const struct town_content *c,
                               uint32_t sequence,
                               const struct loa_key *by,
                               struct letter *out)
{
    struct loa_packet k = {.sequence = sequence};
    int rv;

    for (uint32_t i = sequence * LOA_PACKET_FRAMES;
         i < c->m.frames_n && k.frames_n < LOA_PACKET_FRAMES; i++)
        k.frames[k.frames_n++] =
            (struct loa_bytes){c->frames[i], sizeof c->frames[i]};
    rv = loa_packet_seal(&k, by != NULL ? by : &c->stream, out->data,
                         sizeof out->data, &out->len);
    assert(rv == LOA_OK);
}

UNUSED static void town_approval(struct town *t,
                                 const struct town_content *c,
                                 const struct twist *w,
                                 int64_t at_ms,
                                 struct letter *out)
{
    Loa__V1__ContentManifest m = LOA__V1__CONTENT_MANIFEST__INIT;
    struct twist inside = w != NULL ? *w : (struct twist){0};
    uint8_t body[1024];

    m.content_hash = bin(c->m.hash, LOA_HASH_BYTES);
    m.stream_key = bin(c->m.stream_key, LOA_KEY_BYTES);
    m.packets_n = c->m.packets_n;
    m.frames_n = c->m.frames_n;
    m.duration_ms = c->m.duration_ms;
    m.pre_skip = c->m.pre_skip;
    m.bytes = c->m.bytes;
    inside.no_certificates = true;
    seal(t, LOA_TYPE_APPROVAL, &t->approver,
         (struct loa_bytes){body, loa__v1__content_manifest__pack(&m, body)},
         &inside, at_ms, out);
}

/* --- programmes ----------------------------------------------------------- */

struct town_bulletin {
    uint8_t id;                /* All 16 bytes of it. */
    enum bulletin_class class; /* 0: normal. */
    const struct town_content *content;
    int64_t starts[8];             /* Until the first 0. */
    const struct letter *approval; /* NULL: a good one is made. */
    bool unapproved;
};

/* area NULL: the device's own. */
UNUSED static void town_programme(struct town *t,
                                  const char *area,
                                  uint64_t version,
                                  const struct town_bulletin *rows,
                                  size_t rows_n,
                                  const struct twist *w,
                                  int64_t at_ms,
                                  struct letter *out)
{
    static struct letter approvals[32];
    static uint8_t body[LOA_ENVELOPE_BYTES_MAX];
    Loa__V1__Programme m = LOA__V1__PROGRAMME__INIT;
    Loa__V1__Bulletin b[32], *list[32];
    ProtobufCBinaryData a[32], certificates[4];
    uint8_t ids[32][LOA_ID_BYTES];
    struct twist inside = w != NULL ? *w : (struct twist){0};

    assert(rows_n <= 32);
    for (size_t i = 0; i < rows_n; i++) {
        loa__v1__bulletin__init(&b[i]);
        memset(ids[i], rows[i].id, LOA_ID_BYTES);
        b[i].bulletin_id = bin(ids[i], LOA_ID_BYTES);
        b[i].class_ =
            (Loa__V1__BulletinClass)(rows[i].class != 0 ? rows[i].class
                                                        : BULLETIN_NORMAL);
        b[i].content_hash = bin(rows[i].content->m.hash, LOA_HASH_BYTES);
        b[i].duration_ms = rows[i].content->m.duration_ms;
        b[i].starts_at_ms = (int64_t *)(uintptr_t)rows[i].starts;
        while (b[i].n_starts_at_ms < 8 &&
               rows[i].starts[b[i].n_starts_at_ms] != 0)
            b[i].n_starts_at_ms++;
        list[i] = &b[i];
        if (rows[i].unapproved)
            continue;
        if (rows[i].approval != NULL)
            approvals[i] = *rows[i].approval;
        else
            town_approval(t, rows[i].content, NULL, at_ms, &approvals[i]);
        a[m.n_approvals++] = bin(approvals[i].data, approvals[i].len);
    }
    m.version = version;
    m.bulletins = list;
    m.n_bulletins = rows_n;
    m.approvals = a;
    certificates[0] =
        bin(t->approver.certificates[0].data, t->approver.certificates[0].len);
    certificates[1] =
        bin(t->province.certificates[0].data, t->province.certificates[0].len);
    certificates[2] =
        bin(t->second.certificates[0].data, t->second.certificates[0].len);
    m.certificates = certificates;
    m.n_certificates = 3;
    if (inside.area == NULL)
        inside.area = area != NULL ? area : OWN;
    seal(t, LOA_TYPE_PROGRAMME, &t->scheduler,
         (struct loa_bytes){body, loa__v1__programme__pack(&m, body)}, &inside,
         at_ms, out);
}

/* --- the rest ------------------------------------------------------------- */

UNUSED static void town_head(struct town *t,
                             const char *area,
                             int64_t time_ms,
                             uint64_t version,
                             const uint8_t *nonce,
                             const struct twist *w,
                             struct letter *out)
{
    Loa__V1__Head m = LOA__V1__HEAD__INIT;
    struct twist inside = w != NULL ? *w : (struct twist){0};
    uint8_t body[256];

    m.time_ms = time_ms;
    m.programme_version = version;
    if (nonce != NULL)
        m.nonce = bin(nonce, 16);
    if (inside.area == NULL)
        inside.area = area != NULL ? area : OWN;
    if (inside.valid_ms == 0)
        inside.valid_ms = 15 * MINUTE;
    seal(t, LOA_TYPE_HEAD, &t->scheduler,
         (struct loa_bytes){body, loa__v1__head__pack(&m, body)}, &inside,
         time_ms, out);
}

/* Revokes the certificates of `gone` (NULL: of nobody). */
UNUSED static void town_trust(struct town *t,
                              uint64_t number,
                              const struct person *gone,
                              int64_t at_ms,
                              struct letter *out)
{
    Loa__V1__TrustList m = LOA__V1__TRUST_LIST__INIT;
    Loa__V1__Revocation entry = LOA__V1__REVOCATION__INIT, *entries = &entry;
    uint64_t serial;
    uint8_t body[256];

    m.number = number;
    if (gone != NULL) {
        serial = gone->leaf.serial;
        entry.issuer = bin(t->province.key.public_key, LOA_KEY_BYTES);
        entry.serials = &serial;
        entry.n_serials = 1;
        m.revocations = &entries;
        m.n_revocations = 1;
    }
    seal(t, LOA_TYPE_TRUST, &t->registry,
         (struct loa_bytes){body, loa__v1__trust_list__pack(&m, body)}, NULL,
         at_ms, out);
}

/* percent < 0: a Stop, of the bulletin (0: of whatever plays). */
UNUSED static void town_command(struct town *t,
                                int percent,
                                uint8_t bulletin,
                                const char *device,
                                const struct twist *w,
                                int64_t at_ms,
                                struct letter *out)
{
    Loa__V1__Command m = LOA__V1__COMMAND__INIT;
    Loa__V1__Stop stop = LOA__V1__STOP__INIT;
    Loa__V1__SetVolume volume = LOA__V1__SET_VOLUME__INIT;
    struct twist inside = w != NULL ? *w : (struct twist){0};
    uint8_t body[128], id[LOA_ID_BYTES];

    memset(id, bulletin, sizeof id);
    m.device = (char *)(uintptr_t)(device != NULL ? device : "");
    if (percent < 0) {
        m.what_case = LOA__V1__COMMAND__WHAT_STOP;
        m.stop = &stop;
        if (bulletin != 0)
            stop.bulletin_id = bin(id, sizeof id);
    } else {
        m.what_case = LOA__V1__COMMAND__WHAT_SET_VOLUME;
        m.set_volume = &volume;
        volume.percent = (uint32_t)percent;
    }
    if (inside.area == NULL)
        inside.area = OWN;
    if (inside.counter == 0)
        inside.counter = (uint64_t)at_ms * 1000;
    if (inside.valid_ms == 0)
        inside.valid_ms = MINUTE;
    seal(t, LOA_TYPE_COMMAND, &t->commander,
         (struct loa_bytes){body, loa__v1__command__pack(&m, body)}, &inside,
         at_ms, out);
}

UNUSED static void town_ack(struct town *t,
                            const uint8_t log_id[LOA_ID_BYTES],
                            uint64_t committed,
                            const struct twist *w,
                            int64_t at_ms,
                            struct letter *out)
{
    Loa__V1__Ack m = LOA__V1__ACK__INIT;
    struct twist inside = w != NULL ? *w : (struct twist){0};
    uint8_t body[64];

    m.log_id = bin(log_id, LOA_ID_BYTES);
    m.committed_sequence = committed;
    if (inside.area == NULL)
        inside.area = OWN;
    seal(t, LOA_TYPE_ACK, &t->collector,
         (struct loa_bytes){body, loa__v1__ack__pack(&m, body)}, &inside, at_ms,
         out);
}

#endif /* LOA_TEST_TOWN_H */
