/* registry.h -- the core: what is asked, decided, and must be durable.
 *
 * registry_step() takes one event with its time and says in an update what must
 * be written in one transaction, and what is answered after it. Memory is ahead
 * of the tables between step and commit; a commit that fails ends the service.
 * Only an import waits: the tree changes when REGISTRY_IMPORTED comes, since
 * other services copy it. No I/O, no clock, no chance: random bytes are derived
 * from the requests' ids and the registry's own secret. */

#ifndef LOA_REGISTRY_REGISTRY_H
#define LOA_REGISTRY_REGISTRY_H

#include "proto/identity.h"
#include "registry/area_find.h"
#include "registry/area_plan.h"
#include "registry/devices.h"
#include "registry/parts.h"
#include "registry/principals.h"
#include "registry/revoked.h"

#define REGISTRY_CODES_MAX 1024 /* Requests for codes that are remembered. */
#define REGISTRY_CODE_S_MIN 60
#define REGISTRY_CODE_S_MAX 2592000
#define REGISTRY_CODE_S_DEFAULT 86400
#define REGISTRY_RENEW_MS (30 * 86400000ll) /* Before a certificate ends. */
#define REGISTRY_SIGN_MS 86400000ll         /* The list is signed again. */
#define REGISTRY_GUESSES_MAX 50   /* Wrong enrolments that are answered... */
#define REGISTRY_GUESSES_MS 10000 /* ... in this time; more are dropped. */

enum registry_what {
    REGISTRY_AREA_IMPORT,
    REGISTRY_AREA_FIND,
    REGISTRY_AREA_SYNC,
    REGISTRY_DEVICE_CODE,
    REGISTRY_DEVICE_FIND,
    REGISTRY_PRINCIPAL_ADD,
    REGISTRY_PRINCIPAL_FIND,
    REGISTRY_REVOKE,
};

/* A request, checked only as far as one field can be. Strings are never NULL.
 * What each field means stands in loa/v1/registry.proto. */
struct registry_request {
    enum registry_what what;
    struct part part;
    struct area_find area_find;
    struct {
        uint64_t since;
        const char *after;
    } area_sync;
    struct {
        const char *id, *area, *serial, *name;
        uint32_t valid_s;
    } code;
    struct {
        const char *under, *id, *after;
        uint32_t limit;
    } find; /* Devices and principals. */
    struct {
        struct loa_bytes certificates[LOA_CHAIN_MAX];
        size_t certificates_n;
    } add;
    struct {
        const char *principal, *reason;
    } revoke;
};

struct registry_enrol {
    const char *device, *serial, *model;
    uint8_t key[LOA_KEY_BYTES];
    uint8_t proof[LOA_HASH_BYTES];
    /* The envelope's only signature is that key's; asked for a right proof. */
    bool signed_by_key;
};

enum registry_event_type {
    REGISTRY_SEEN,     /* who: somebody is about to ask. No answer. */
    REGISTRY_REQUEST,  /* who, message_id, request. */
    REGISTRY_ENROL,    /* enrol. */
    REGISTRY_IMPORTED, /* The update with a plan is committed. */
    REGISTRY_TICK,     /* From time to time, and once before all others. */
    REGISTRY_LIST,     /* list: one is published that is newer than ours. */
};

struct registry_event {
    enum registry_event_type type;
    int64_t now_ms; /* Wall time. */
    const struct loa_certificate *who;
    const uint8_t *message_id; /* LOA_ID_BYTES. */
    const struct registry_request *request;
    const struct registry_enrol *enrol;
    const struct loa_revocations *list;
};

struct registry_answer {
    struct refusal status; /* REFUSAL_NONE: texts may say what was done. */
    struct area_page areas;
    struct device_page devices;
    struct principal_page principals;
    const struct device *device; /* Instead of a page; or NULL. */
    const struct principal *principal;
    const char *next;
    char code[LOA_CODE_CAP];
    uint64_t version, revocation_number;
    /* Areas of an import; certificates newly on the list, or there before. */
    uint32_t added_n, changed_n, unchanged_n;
};

/* What the caller carries out. */
enum registry_flag {
    REGISTRY_ANSWER = 1 << 0,     /* Answer; after the commit, if any. */
    REGISTRY_WRITE = 1 << 1,      /* There is something to be written. */
    REGISTRY_SECRET = 1 << 2,     /* The answer must not be stored. */
    REGISTRY_SAVE_PART = 1 << 3,  /* request->part */
    REGISTRY_DROP_PARTS = 1 << 4, /* drop[] */
    REGISTRY_SAVE_PLAN = 1 << 5,  /* plan; then REGISTRY_IMPORTED. */
    REGISTRY_SAVE_DEVICE = 1 << 6,
    REGISTRY_SAVE_CODE = 1 << 7,        /* device, and message_id made it. */
    REGISTRY_SAVE_CERTIFICATE = 1 << 8, /* Of device. */
    REGISTRY_SAVE_PRINCIPAL = 1 << 9,
    REGISTRY_SAVE_REVOKED = 1 << 10, /* revoked[] */
    REGISTRY_SAVE_TRUST = 1 << 11,   /* Sign and publish the list. */
    REGISTRY_ENROLLED = 1 << 12,     /* Answer with the certificate... */
    REGISTRY_LOOK_UP = 1 << 13,      /* ... which is in the table. */
};

struct registry_update {
    unsigned flags;
    struct registry_answer answer;
    const struct area_plan *plan;
    uint8_t drop[2][LOA_ID_BYTES];
    size_t drop_n;
    const struct device *device;
    const struct principal *principal;
    struct revoked_entry revoked[REVOKED_MAX];
    size_t revoked_n;
    const char *revoked_id, *reason;
    uint8_t certificate[LOA_CERTIFICATE_BYTES_MAX]; /* SAVE_CERTIFICATE */
    size_t certificate_len;
    uint8_t proof[LOA_HASH_BYTES]; /* ENROLLED */
    uint8_t key[LOA_KEY_BYTES];
};

struct registry_conf {
    const struct loa_identity *identity; /* The registry's own. */
    struct loa_trust *trust;             /* For chains in PrincipalAdd. */
    int64_t device_cert_ms;              /* How long theirs are valid. */
};

/* Private but for what io_load.c fills before the first step. */
struct registry {
    struct registry_conf conf;
    struct areas areas;
    struct area_plan plan;
    struct parts parts;
    struct devices devices;
    struct principals principals;
    struct revoked revoked;
    uint64_t trust_number;  /* Of the newest list; 0: none yet. */
    int64_t trust_at_ms;    /* When it was signed... */
    uint64_t trust_signer;  /* ... with the certificate of this serial. */
    uint64_t areas_version; /* Of the tree, or of the import on its way. */
    uint64_t last_serial;   /* Of the certificates that were issued. */
    bool importing;         /* A plan is on its way to the database. */
    struct registry_code {
        uint8_t message_id[LOA_ID_BYTES];
    } codes[REGISTRY_CODES_MAX]; /* A ring. */
    size_t codes_n, codes_next;
    int64_t guesses_since_ms;
    unsigned guesses_n;
    uint64_t enrolled_n, guessed_n, dropped_n, malformed_n; /* For /metrics. */
    uint8_t own_alarm;                                      /* See alarm.h. */
    uint8_t secret[LOA_HASH_BYTES];
};

/* *r must be zeroed memory (static): it is big. LOA_EINVAL: the identity may
 * not issue device certificates and sign lists; *why. */
LOA_MUST_CHECK int registry_init(struct registry *r,
                                 const struct registry_conf *conf,
                                 struct refusal *why);

/* Advance by one event. *up points into *r and *ev, and is valid until the next
 * step. */
void registry_step(struct registry *r,
                   const struct registry_event *ev,
                   struct registry_update *up);

/* Remember the request that made a code, when loading. */
void registry_remember_code(struct registry *r,
                            const uint8_t message_id[LOA_ID_BYTES]);

/* Is the proof one of a code that is or was the device's newest? Of others
 * nobody need check the signature, which costs a hundred times as much. */
bool registry_proves(struct registry *r, const struct registry_enrol *e);

/* --- for registry_*.c ----------------------------------------------------- */

/* The asker holds power over area? */
bool registry_may(const struct registry_event *ev,
                  uint32_t power,
                  const char *area);

void registry_area_import(struct registry *r,
                          const struct registry_event *ev,
                          struct registry_update *up);
void registry_device_code(struct registry *r,
                          const struct registry_event *ev,
                          struct registry_update *up);
void registry_device_find(struct registry *r,
                          const struct registry_event *ev,
                          struct registry_update *up);
void registry_enrol(struct registry *r,
                    const struct registry_event *ev,
                    struct registry_update *up);
void registry_principal_add(struct registry *r,
                            const struct registry_event *ev,
                            struct registry_update *up);
void registry_principal_seen(struct registry *r,
                             const struct registry_event *ev,
                             struct registry_update *up);
void registry_principal_find(struct registry *r,
                             const struct registry_event *ev,
                             struct registry_update *up);
void registry_revoke(struct registry *r,
                     const struct registry_event *ev,
                     struct registry_update *up);

/* A code is made from the secret, the request that asks for it and the device:
 * the same request gives the same code, and no table holds it. */
void registry_make_code(const struct registry *r,
                        const uint8_t request[LOA_ID_BYTES],
                        const char *device,
                        char code[LOA_CODE_CAP]);

/* A new number for the list, to be signed in this update: the time, or the next
 * one if that is higher. */
void registry_sign_list(struct registry *r,
                        int64_t now_ms,
                        struct registry_update *up);

#endif /* LOA_REGISTRY_REGISTRY_H */
