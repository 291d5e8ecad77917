/* envelope.h -- Envelope to plain structs and back.
 *
 * Parsing believes nothing: trust.h says whether an envelope may be believed.
 * No generated type travels further than this module. */

#ifndef LOA_PROTO_ENVELOPE_H
#define LOA_PROTO_ENVELOPE_H

#include "proto/arena.h"
#include "proto/certificate.h"
#include "proto/key.h"
#include "proto/topic.h"

#define LOA_ENVELOPE_BYTES_MAX 60000
#define LOA_SIGNATURES_MAX 2
#define LOA_CERTIFICATES_MAX 8 /* In one envelope. */

/* The values are those of loa.v1.Type. */
enum loa_type {
    LOA_TYPE_CERTIFICATE = 1,
    LOA_TYPE_LOGIN = 2,
    LOA_TYPE_APPROVAL = 3,
    LOA_TYPE_PROGRAMME = 4,
    LOA_TYPE_HEAD = 5,
    LOA_TYPE_COMMAND = 6,
    LOA_TYPE_TRUST = 7,
    LOA_TYPE_RECEIPTS = 8,
    LOA_TYPE_ACK = 9,
    LOA_TYPE_PACKET = 10,
    LOA_TYPE_ENROL = 11,
    LOA_TYPE_REGISTRY_REQUEST = 20,
    LOA_TYPE_REGISTRY_ANSWER = 21,
    LOA_TYPE_CONTENT_REQUEST = 22,
    LOA_TYPE_CONTENT_ANSWER = 23,
    LOA_TYPE_SCHEDULER_REQUEST = 24,
    LOA_TYPE_SCHEDULER_ANSWER = 25,
    LOA_TYPE_TELEMETRY_REQUEST = 26,
    LOA_TYPE_TELEMETRY_ANSWER = 27,
};

/* "programme", "registry_request", ...; NULL for a number that is no type. */
const char *loa_type_name(int type);

/* What is signed. */
struct loa_header {
    enum loa_type type;
    char area[LOA_AREA_CAP];
    uint8_t message_id[LOA_ID_BYTES];
    uint64_t counter;
    int64_t issued_at_ms;
    int64_t expires_at_ms;
    struct loa_bytes body;
};

struct loa_signature {
    uint8_t key[LOA_KEY_BYTES];
    uint8_t signature[LOA_SIGNATURE_BYTES];
};

struct loa_envelope {
    struct loa_header header;
    struct loa_bytes signed_bytes; /* As received; signatures are over these. */
    struct loa_signature signatures[LOA_SIGNATURES_MAX];
    size_t signatures_n; /* 1.. */
    struct loa_bytes certificates[LOA_CERTIFICATES_MAX];
    size_t certificates_n; /* 0.. */
};

/* Take p apart; byte fields of *e lie in the arena, which needs at most
 * 4 * len + 8,192 bytes. LOA_EINVAL: not a well-formed Envelope with a
 * well-formed Signed inside (unknown type, malformed area, id not 16 bytes,
 * expiry missing or before issue, ...). LOA_ENOSPC: the arena is full. */
LOA_MUST_CHECK int loa_envelope_parse(struct loa_arena *arena,
                                      struct loa_bytes p,
                                      struct loa_envelope *e);

/* Is the envelope signed by the one key that it names, and brings no
 * certificates? Nobody vouches for that key. For ENROL, where the body's proof
 * says whose it is, and for the LOGIN of a device that is not enrolled yet. */
bool loa_envelope_self_signed(const struct loa_envelope *e);

/* Who signs, and the chain that proves it, leaf first. */
struct loa_signer {
    const struct loa_key *key;
    const struct loa_bytes *certificates;
    size_t certificates_n;
};

/* Sign *h and write the Envelope into buf[cap]; *len is its length. With
 * signer->certificates_n 0 the chain is left out. LOA_ENOSPC: cap, or
 * LOA_ENVELOPE_BYTES_MAX, is too small. LOA_EINVAL: *h is malformed. */
LOA_MUST_CHECK int loa_envelope_seal(const struct loa_header *h,
                                     const struct loa_signer *signer,
                                     uint8_t *buf,
                                     size_t cap,
                                     size_t *len);

/* Write *e again without its certificates (and, for an approval inside a
 * programme, nothing else changed); the signed bytes stay as they are. */
LOA_MUST_CHECK int loa_envelope_strip(const struct loa_envelope *e,
                                      uint8_t *buf,
                                      size_t cap,
                                      size_t *len);

#endif /* LOA_PROTO_ENVELOPE_H */
