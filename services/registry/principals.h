/* principals.h -- certificates that were made known, in memory.
 *
 * One entry per certificate (issuer and serial); a principal that was certified
 * again has several. Everything is in registry.principal. Pure. */

#ifndef LOA_REGISTRY_PRINCIPALS_H
#define LOA_REGISTRY_PRINCIPALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/certificate.h"

#define PRINCIPALS_MAX 16384
#define PRINCIPAL_PAGE_MAX 500
#define PRINCIPAL_PAGE_DEFAULT 100
#define PRINCIPAL_PAGE_BYTES_MAX 52000
#define PRINCIPAL_CURSOR_CAP 128

struct principal {
    uint8_t issuer[LOA_KEY_BYTES];
    uint64_t serial;
    uint8_t key[LOA_KEY_BYTES];
    char id[LOA_PRINCIPAL_CAP];
    char name[LOA_NAME_CAP];
    enum loa_role role;
    char service[LOA_KIND_CAP];
    char area[LOA_AREA_CAP];
    uint32_t powers;
    int64_t not_after_ms;
    bool revoked;
    uint8_t alarm; /* See alarm.h; not stored. */
};

struct principals {
    size_t principals_n;
    struct principal principals[PRINCIPALS_MAX];
};

/* The entry of a certificate, or NULL. */
struct principal *principals_find(struct principals *p,
                                  const uint8_t issuer[LOA_KEY_BYTES],
                                  uint64_t serial);

/* The certificate of an id that ends last, or NULL. */
const struct principal *principals_newest(const struct principals *p,
                                          const char *id);

/* Whose certificates fall with that of an id: its own first, then those of
 * other ids that an issuer gave the same key. Returns how many. */
size_t principals_falling(struct principals *p,
                          const char *id,
                          struct principal *hits[PRINCIPALS_MAX]);

/* Add a copy. NULL: PRINCIPALS_MAX. */
struct principal *principals_add(struct principals *p,
                                 const struct principal *new);

/* How many there are in an area and below. */
size_t principals_below(const struct principals *p, const char *area);

struct principal_page {
    const struct principal *principals[PRINCIPAL_PAGE_MAX]; /* Lent. */
    size_t principals_n;
    char next[PRINCIPAL_CURSOR_CAP]; /* "": there is no more. */
};

/* Certificates in an area and below, of one id if it is not "", in order of id,
 * then serial, then issuer. after: principal_page.next or "". limit 0:
 * PRINCIPAL_PAGE_DEFAULT; at most PRINCIPAL_PAGE_MAX. LOA_EINVAL: after is none
 * of ours. */
LOA_MUST_CHECK int principals_page(const struct principals *p,
                                   const char *under,
                                   const char *id,
                                   const char *after,
                                   uint32_t limit,
                                   struct principal_page *page);

#endif /* LOA_REGISTRY_PRINCIPALS_H */
