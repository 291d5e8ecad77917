/* trust.h -- the one place that decides whether a message may be believed.
 *
 * loa_trust_verify() is a function of the store, the envelope, what the caller
 * expects and the time it passes in; it does no I/O and reads no clock. The
 * same code runs on the pole, in the services, in the broker and in loactl. */

#ifndef LOA_PROTO_TRUST_H
#define LOA_PROTO_TRUST_H

#include "proto/envelope.h"

#define LOA_CHAIN_MAX 6          /* Links, the root key not counted. */
#define LOA_REVOCATIONS_MAX 1024 /* Issuers with an entry. */
#define LOA_REVOKED_SERIALS_MAX 4096
#define LOA_CERTIFICATES_EXTRA_MAX 64 /* In loa_expect. */
#define LOA_CHAIN_CACHE_N 64
#define LOA_SKEW_MS 120000 /* Clocks may differ by this much. */

/* Every reason for which a message is refused. The name is what logs, receipts
 * and tests say. */
#define LOA_VERDICT_MAP(X)                                                  \
    X(MALFORMED, "malformed")             /* Not what it should be. */      \
    X(WRONG_TYPE, "wrong-type")           /* Another type was expected. */  \
    X(NO_ROOT, "no-root")                 /* The store has no root. */      \
    X(NO_CERTIFICATE, "no-certificate")   /* A link is missing. */          \
    X(BAD_CERTIFICATE, "bad-certificate") /* A link is malformed. */        \
    X(CHAIN_LENGTH, "chain-length")       /* Over LOA_CHAIN_MAX, a loop. */ \
    X(CHAIN_SIGNATURE, "chain-signature") /* Issuer did not sign it. */     \
    X(CHAIN_AREA, "chain-area")           /* Area outside the issuer's. */  \
    X(CHAIN_POWERS, "chain-powers")       /* More than the issuer has. */   \
    X(CHAIN_VALIDITY, "chain-validity")   /* Longer than the issuer's. */   \
    X(CHAIN_DEPTH, "chain-depth")         /* The issuer may not issue. */   \
    X(NOT_YET_VALID, "not-yet-valid")                                       \
    X(EXPIRED_CERTIFICATE, "expired-certificate")                           \
    X(REVOKED, "revoked")                                                   \
    X(BAD_SIGNATURE, "bad-signature")                                       \
    X(QUORUM, "quorum") /* Too few, or the same person. */                  \
    X(ROLE, "role")                                                         \
    X(POWER, "power")           /* Lacks what it needs, or is barred. */    \
    X(AREA, "area")             /* Speaks outside the signer's area. */     \
    X(NOT_FOR_US, "not-for-us") /* The receiver is outside its area. */     \
    X(FUTURE, "future")         /* Issued later than now + LOA_SKEW_MS. */  \
    X(EXPIRED, "expired")                                                   \
    X(NO_TIME, "no-time")   /* The caller's time is not trusted. */         \
    X(REPLAYED, "replayed") /* Counter or id was seen. */

enum loa_verdict {
    LOA_VERDICT_OK = 0,
#define X(code, text) LOA_VERDICT_##code,
    LOA_VERDICT_MAP(X)
#undef X
};

/* "ok", "expired", ...; never NULL, static. */
const char *loa_verdict_name(enum loa_verdict v);

/* The newest list that was believed. An entry binds only certificates within
 * `area`, that of the list's signer. */
struct loa_revocations {
    uint64_t number; /* 0: none yet. */
    uint64_t areas_version;
    char area[LOA_AREA_CAP];
    size_t entries_n, serials_n;
    struct loa_revocation {
        uint8_t issuer[LOA_KEY_BYTES];
        uint64_t floor_serial;
        size_t serials_at, serials_n; /* Into serials[]. */
    } entries[LOA_REVOCATIONS_MAX];
    uint64_t serials[LOA_REVOKED_SERIALS_MAX]; /* Or loa_key_number(). */
};

/* Signatures of certificates that were checked already, by hash. Only the
 * signature check is saved: validity, area, powers and revocation are judged
 * every time. */
struct loa_chain_cache {
    uint8_t hashes[LOA_CHAIN_CACHE_N][LOA_HASH_BYTES];
    size_t next, n;
};

/* What a verifier knows. About 90 KB; embed or allocate once. */
struct loa_trust {
    bool root_known;
    uint8_t root[LOA_KEY_BYTES]; /* Pinned. */
    char area[LOA_AREA_CAP]; /* The holder's own: a list for neither a part of
                                it nor all of it is not taken. "": any is. */
    struct loa_revocations revoked;
    struct loa_chain_cache cache;
};

/* root may be NULL: nothing is believed. */
void loa_trust_init(struct loa_trust *t, const uint8_t root[LOA_KEY_BYTES]);

/* What the caller is about to act on. */
struct loa_expect {
    enum loa_type type;
    const char *area; /* The receiver's own area: must lie within the message's
                         area. NULL: not a receiver of broadcasts. */
    const char *signer_area; /* NULL, or: the signer's area must hold this. */
    int64_t now_ms;          /* Wall time. */
    bool time_trusted; /* False: whatever depends on now is refused NO_TIME,
                          but for the types TRUST and HEAD, whose signatures
                          hold without time, and LOGIN. */
    /* Further certificates that may complete the chain, or NULL. */
    const struct loa_bytes *certificates;
    size_t certificates_n;
};

/* Who was believed. */
struct loa_identity_claim {
    struct loa_certificate certificate; /* Of the first signer; body and
                                           signature are not set. */
};

/* The decision. In this order: type, chain of every signer up to the root
 * (signatures, area, powers, validity, depth, revocation), signatures over the
 * received bytes, quorum, role and powers that the type needs, message area
 * inside the signer's, receiver inside the message's area, time. *who may be
 * NULL. arena holds the parsed certificates during the call only.
 *
 * A verdict other than OK is final for this message: drop it, count it, and
 * where there is somebody to tell, say its name. */
LOA_MUST_CHECK enum loa_verdict loa_trust_verify(
    struct loa_trust *t,
    const struct loa_envelope *e,
    const struct loa_expect *want,
    struct loa_identity_claim *who);

/* Judge a chain alone: leaf first or in any order, up to the root. For a login
 * and for PrincipalAdd. leaf->subject must be `key`. */
LOA_MUST_CHECK enum loa_verdict loa_trust_chain(
    struct loa_trust *t,
    const uint8_t key[LOA_KEY_BYTES],
    const struct loa_bytes *certificates,
    size_t certificates_n,
    int64_t now_ms,
    bool time_trusted,
    struct loa_certificate *leaf);

/* May the holder of `issuer` issue *child? OK, or the verdict that every
 * verifier would give. */
LOA_MUST_CHECK enum loa_verdict loa_trust_may_issue(
    const struct loa_certificate *issuer,
    const struct loa_certificate *child);

/* Is the certificate revoked by the list that the store holds? Asks for its
 * issuer, area, serial and subject. */
bool loa_trust_revoked(const struct loa_trust *t,
                       const struct loa_certificate *c);

/* Take a TRUST envelope into the store: verified, newer than what is there.
 * REPLAYED: the same number or older; harmless. NOT_FOR_US: it is of
 * somewhere else than the holder's own area. AREA: signed for less than the
 * area of the list that is held, which only a list for the same or a wider area
 * replaces. The store is changed only when the verdict is OK. Needs 350 KB of
 * stack.
 *
 * A list that was believed once and kept is read back with time_trusted false:
 * what was revoked stays revoked when the list has expired meanwhile. */
LOA_MUST_CHECK enum loa_verdict loa_trust_update(struct loa_trust *t,
                                                 const struct loa_envelope *e,
                                                 int64_t now_ms,
                                                 bool time_trusted);

/* --- freshness of commands ------------------------------------------------ */

#define LOA_REPLAY_KEYS_MAX 64
#define LOA_REPLAY_IDS_N 1024

/* Counters per key and the ids seen lately. Plain data: a device writes it to
 * its disk before it acts. */
struct loa_replay {
    uint32_t keys_n;
    struct {
        uint8_t key[LOA_KEY_BYTES];
        uint64_t counter;
    } keys[LOA_REPLAY_KEYS_MAX];
    uint32_t ids_n, ids_next;
    uint8_t ids[LOA_REPLAY_IDS_N][LOA_ID_BYTES];
};

/* OK and remembered, REPLAYED, or FUTURE for a counter further ahead of now
 * than a day (in microseconds): a stolen key cannot run away with it. A new key
 * takes the place of the one with the lowest counter when the table is full. */
LOA_MUST_CHECK enum loa_verdict loa_replay_accept(
    struct loa_replay *r,
    const uint8_t key[LOA_KEY_BYTES],
    uint64_t counter,
    const uint8_t message_id[LOA_ID_BYTES],
    int64_t now_ms);

#endif /* LOA_PROTO_TRUST_H */
