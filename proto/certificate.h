/* certificate.h -- certificates: parse and issue. trust.h judges them. */

#ifndef LOA_PROTO_CERTIFICATE_H
#define LOA_PROTO_CERTIFICATE_H

#include "proto/arena.h"
#include "proto/key.h"
#include "proto/topic.h"

#define LOA_CERTIFICATE_BYTES_MAX 640
#define LOA_NAME_CAP 129

/* The values are those of loa.v1.Role. */
enum loa_role {
    LOA_ROLE_AUTHORITY = 1,
    LOA_ROLE_STAFF = 2,
    LOA_ROLE_SERVICE = 3,
    LOA_ROLE_DEVICE = 4,
    LOA_ROLE_BRIDGE = 5,
};

/* Bits; the values are those of loa.v1.Power. */
enum loa_power {
    LOA_POWER_EMERGENCY_ORIGINATE = 1,
    LOA_POWER_EMERGENCY_APPROVE = 2,
    LOA_POWER_LIVE = 4,
    LOA_POWER_SCHEDULE = 8,
    LOA_POWER_CONTENT_APPROVE = 16,
    LOA_POWER_COMMAND = 32,
    LOA_POWER_CONFIG = 64,
    LOA_POWER_DELEGATE = 128,
    LOA_POWER_REVOKE = 256,
    LOA_POWER_TIME = 512,
    LOA_POWER_DRILL = 1024,
    LOA_POWERS_ALL = 2047,
};

struct loa_certificate {
    uint64_t serial;
    uint8_t issuer[LOA_KEY_BYTES];
    uint8_t subject[LOA_KEY_BYTES];
    char principal[LOA_PRINCIPAL_CAP];
    char name[LOA_NAME_CAP];
    enum loa_role role;
    char service[LOA_KIND_CAP]; /* "" unless role is SERVICE. */
    char area[LOA_AREA_CAP];
    uint32_t powers;
    uint32_t max_depth; /* 0..7. */
    int64_t not_before_ms;
    int64_t not_after_ms;
    /* Of a parsed one, lent from the arena: */
    struct loa_bytes body;
    const uint8_t *signature; /* LOA_SIGNATURE_BYTES. */
};

/* LOA_EINVAL: malformed, or an unknown version or algorithm; LOA_ENOSPC: the
 * arena is full (2,048 bytes are enough). The signature is not checked. */
LOA_MUST_CHECK int loa_certificate_parse(struct loa_arena *arena,
                                         struct loa_bytes p,
                                         struct loa_certificate *c);

/* Fill c->issuer from the issuer's key, sign, and write an encoded Certificate.
 * Says nothing about whether the issuer may: see loa_trust_may_issue(). */
LOA_MUST_CHECK int loa_certificate_issue(struct loa_certificate *c,
                                         const struct loa_key *issuer,
                                         uint8_t *buf,
                                         size_t cap,
                                         size_t *len);

/* "schedule,content-approve" to bits and back. LOA_EINVAL: an unknown word.
 * Words: emergency-originate emergency-approve live schedule content-approve
 * command config delegate revoke time drill, "all", "none". */
LOA_MUST_CHECK int loa_powers_parse(const char *text, uint32_t *powers);
void loa_powers_format(uint32_t powers, char *buf, size_t cap);
LOA_MUST_CHECK int loa_role_parse(const char *text, enum loa_role *role);
const char *loa_role_name(enum loa_role role);

#endif /* LOA_PROTO_CERTIFICATE_H */
