/* programmes.h -- the signed plans that a device holds, one per area.
 *
 * A programme is taken apart into a spare place (stage), made durable by the
 * caller, and only then takes the place of the older one (adopt). Whether an
 * approval covers a bulletin is judged again each time somebody asks: time and
 * revocations move on. */

#ifndef LOA_SPEAKER_PROGRAMMES_H
#define LOA_SPEAKER_PROGRAMMES_H

#include "proto/envelope.h"
#include "proto/trust.h"

#define PROGRAMMES_MAX LOA_AREA_DEPTH_MAX
#define BULLETINS_MAX 128 /* In one programme. */
#define STARTS_MAX 64     /* Of one bulletin. */
#define APPROVALS_MAX 128
#define PROGRAMME_CERTIFICATES_MAX 64
#define PROGRAMME_AHEAD_MS 86400000 /* No version is further ahead of now. */
#define CONTENT_PACKETS_MAX 90000   /* Five hours. */

/* Bigger is stronger; the values are those of loa.v1.BulletinClass. */
enum bulletin_class { BULLETIN_NORMAL = 1, BULLETIN_PRIORITY = 2 };

/* What an approver signed. See ContentManifest. */
struct manifest {
    uint8_t hash[LOA_HASH_BYTES];
    uint8_t stream_key[LOA_KEY_BYTES];
    uint32_t packets_n; /* 1..CONTENT_PACKETS_MAX. */
    uint32_t frames_n;
    uint32_t duration_ms;
    uint32_t pre_skip;
    uint64_t bytes;
    int64_t expires_at_ms; /* Of the approval; set by programme_judge(). */
};

struct bulletin {
    uint8_t id[LOA_ID_BYTES];
    enum bulletin_class class;
    uint8_t hash[LOA_HASH_BYTES];
    uint32_t starts_at, starts_n; /* Into programme.starts; rising. */
    uint32_t past_n; /* Of them, those that agenda.c is done with. */
    uint32_t duration_ms;
    bool received_told; /* Its RECEIVED receipt is written. */
};

struct programme {
    char area[LOA_AREA_CAP];
    uint64_t version;
    int64_t issued_at_ms, expires_at_ms;
    bool unsaved; /* The disk refused it. */
    uint8_t envelope_hash[LOA_HASH_BYTES];
    uint8_t
        signer_key[LOA_KEY_BYTES];  /* Who planned it may not have approved */
    char signer[LOA_PRINCIPAL_CAP]; /* what is in it, ... */
    uint8_t signer_issuer[LOA_KEY_BYTES]; /* ... and is judged again, by the */
    uint64_t signer_serial;               /* certificate that was believed. */
    struct loa_bytes chain[LOA_CERTIFICATES_MAX]; /* Into pool. */
    size_t chain_n;
    uint32_t bulletins_n, starts_n, approvals_n, certificates_n;
    struct bulletin bulletins[BULLETINS_MAX];
    int64_t starts[BULLETINS_MAX * STARTS_MAX];
    struct programme_approval {
        uint8_t hash[LOA_HASH_BYTES];
        struct loa_bytes envelope; /* Into pool. */
    } approvals[APPROVALS_MAX];
    struct loa_bytes certificates[PROGRAMME_CERTIFICATES_MAX]; /* Into pool. */
    size_t pool_len;
    uint8_t pool[LOA_ENVELOPE_BYTES_MAX];
};

struct programmes {
    struct programme *held[PROGRAMMES_MAX]; /* The first held_n are set. */
    size_t held_n;
    struct programme *spare;
    struct programme store[PROGRAMMES_MAX + 1];
};

/* What a judgement of approvals depends on. */
struct judge {
    struct loa_trust *trust;
    const char *area; /* The device's own. */
    int64_t at_ms;
    bool time_trusted;
    void *scratch; /* For an approval; aligned. */
    size_t scratch_len;
};

void programmes_init(struct programmes *ps);

/* The held programme of an area, or NULL. */
struct programme *programmes_find(const struct programmes *ps,
                                  const char *area);

/* Take the body of a PROGRAMME envelope that was verified as said by *who
 * apart, into ps->spare. arena is used during the call. LOA_EINVAL: malformed;
 * then nothing has changed. */
LOA_MUST_CHECK int programmes_stage(struct programmes *ps,
                                    struct loa_arena *arena,
                                    const struct loa_envelope *e,
                                    const struct loa_identity_claim *who,
                                    struct loa_bytes whole);

/* ps->spare takes the place of what was held for its area. Bulletins that
 * were there before with the same content and starts keep received_told.
 * Returns the programme. own: the device's area, for making room. */
struct programme *programmes_adopt(struct programmes *ps, const char *own);

/* Is who signed it still believed? OK, or the reason why not: its certificate
 * was revoked, or has ended. */
enum loa_verdict programme_signer(const struct programme *p,
                                  const struct judge *j);

/* The programme is held no longer; what follows moves up. */
void programmes_drop(struct programmes *ps, size_t i);

/* Time went back, perhaps: nothing is past for good. */
void programmes_rewind(struct programmes *ps);

/* Why the bulletin may not be said here and now: NULL (it may; *m is filled),
 * "unapproved", or the name of a verdict. */
const char *programme_judge(const struct programme *p,
                            const struct bulletin *b,
                            const struct judge *j,
                            struct manifest *m);

/* The bulletin of that id that has that content and start, in any held
 * programme that has not expired; NULL: none. */
const struct bulletin *programmes_holding(const struct programmes *ps,
                                          const uint8_t id[LOA_ID_BYTES],
                                          const uint8_t hash[LOA_HASH_BYTES],
                                          int64_t start_at_ms,
                                          int64_t at_ms,
                                          const struct programme **in);

#endif /* LOA_SPEAKER_PROGRAMMES_H */
