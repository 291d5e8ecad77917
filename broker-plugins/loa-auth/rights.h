/* rights.h -- who may read and write which topics: one constant table.
 *
 * A right names a role, a plane, a kind and a scope. Subscriptions and topics
 * are the same question: does a right of the holder cover the filter? A topic
 * is a filter without wildcards. The table is printed in docs/topics.md, and a
 * test keeps the two the same. */

#ifndef LOA_AUTH_RIGHTS_H
#define LOA_AUTH_RIGHTS_H

#include <stdint.h>

#include "proto/certificate.h"
#include "proto/topic.h"

#define RIGHTS_MAX 64 /* Rows; one bit each in a mask. */

/* A device that is not enrolled yet has no certificate and this role. */
#define RIGHTS_ROLE_ENROLLING ((enum loa_role)0)

enum rights_access {
    RIGHTS_READ, /* Subscribing, and each delivery. */
    RIGHTS_WRITE,
};

/* Which areas and principals, seen from the holder's certificate. */
enum rights_scope {
    RIGHTS_OWN,       /* Its area, /@ itself. */
    RIGHTS_HERE,      /* Its area alone. */
    RIGHTS_ABOVE,     /* Its area and each one above, without /@. */
    RIGHTS_BELOW,     /* Its area and each one below, without /@. */
    RIGHTS_BELOW_ONE, /* Its area and each one below, with /@ somebody. */
    RIGHTS_BELOW_ALL, /* Its area and everything below, /@ or not. */
    RIGHTS_ENROL_ONE, /* "enrol", /@ somebody. */
    RIGHTS_ENROL_ALL, /* "enrol" and everything below. */
};

/* Kinds that are not a name; the first character tells them. */
#define RIGHTS_KIND_ANY "+"     /* Any kind of the plane. */
#define RIGHTS_KIND_SERVICE "*" /* Of rpc: any service, not "reply". */
#define RIGHTS_KIND_OWN "="     /* Of rpc: the holder's service. */
#define RIGHTS_KIND_OTHER "!"   /* Of rpc: another service. */

#define RIGHTS_RETAIN 1u  /* May be retained, and cleared. */
#define RIGHTS_WILL 2u    /* May be a will. */
#define RIGHTS_LIMITED 4u /* Also for a device without a clock. */

struct right {
    enum loa_role role;
    const char *service; /* NULL: any. */
    uint32_t power;      /* 0: none is needed. */
    enum rights_access access;
    enum loa_plane plane;
    const char *kind;
    enum rights_scope scope;
    unsigned flags;
};

/* The table; static. */
const struct right *rights_table(size_t *rows_n);

/* Who asks. Fill everything but rows and area_len, then call rights_grant(). */
struct rights_holder {
    uint64_t rows; /* Bits of the rows that are the holder's. */
    size_t area_len;
    enum loa_role role;
    uint32_t powers;
    bool limited; /* A device whose login had no valid time. */
    char area[LOA_AREA_CAP];
    char principal[LOA_PRINCIPAL_CAP];
    char service[LOA_KIND_CAP]; /* "" unless role is SERVICE. */
};

void rights_grant(struct rights_holder *h);

/* Has the holder any topic for a will? */
bool rights_have_will(const struct rights_holder *h);

/* A topic as it was last seen, taken apart once for all its deliveries. */
struct rights_topic {
    char text[LOA_TOPIC_CAP]; /* "": none. */
    bool ours;                /* False: at and the masks mean nothing. */
    struct loa_filter at;
    size_t area_len;
    uint64_t rows[2]; /* By access: rows whose plane and kind it has. */
};

/* Make *t the topic; costs a strcmp() if it is already. */
void rights_topic_set(struct rights_topic *t, const char *topic);

/* The flags of all rows that cover it are put together in *flags (may be NULL);
 * false if there is none. */
bool rights_cover_topic(const struct rights_holder *h,
                        enum rights_access access,
                        const struct rights_topic *t,
                        unsigned *flags);

/* May the holder subscribe? A filter is granted if one row covers everything
 * that it can match. */
bool rights_cover_filter(const struct rights_holder *h,
                         const struct loa_filter *f);

#endif /* LOA_AUTH_RIGHTS_H */
