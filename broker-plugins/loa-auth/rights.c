#include "rights.h"

#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define ENROLLING RIGHTS_ROLE_ENROLLING
#define DEVICE LOA_ROLE_DEVICE
#define STAFF LOA_ROLE_STAFF
#define SERVICE LOA_ROLE_SERVICE
#define READ RIGHTS_READ
#define WRITE RIGHTS_WRITE
#define DOWN LOA_PLANE_DOWN
#define UP LOA_PLANE_UP
#define RPC LOA_PLANE_RPC
#define PUB LOA_PLANE_PUB
#define ANY RIGHTS_KIND_ANY
#define RETAIN RIGHTS_RETAIN
#define WILL RIGHTS_WILL
#define LIMITED RIGHTS_LIMITED
#define POWER_COMMAND LOA_POWER_COMMAND

/* clang-format off */
static const struct right table[] = {
    /* A pole hears its own area and every area above it, speaks as itself. */
    {DEVICE, NULL, 0, READ,  DOWN, ANY,         RIGHTS_ABOVE, LIMITED},
    {DEVICE, NULL, 0, READ,  DOWN, ANY,         RIGHTS_OWN,   LIMITED},
    {DEVICE, NULL, 0, READ,  RPC,  "reply",     RIGHTS_OWN,   LIMITED},
    {DEVICE, NULL, 0, WRITE, UP,   "state",     RIGHTS_OWN,   RETAIN | WILL},
    {DEVICE, NULL, 0, WRITE, UP,   "health",    RIGHTS_OWN,   0},
    {DEVICE, NULL, 0, WRITE, UP,   "receipt",   RIGHTS_OWN,   0},
    {DEVICE, NULL, 0, WRITE, UP,   "want",      RIGHTS_OWN,   0},
    {DEVICE, NULL, 0, WRITE, RPC,  "scheduler", RIGHTS_OWN,   LIMITED},

    /* A device that has a key and a one-time code, and nothing else. */
    {ENROLLING, NULL, 0, WRITE, RPC, "registry", RIGHTS_OWN, 0},
    {ENROLLING, NULL, 0, READ,  RPC, "reply",    RIGHTS_OWN, 0},

    /* Staff see everything of their area and below, and ask. */
    {STAFF, NULL, 0, READ,  UP,   ANY,                 RIGHTS_BELOW_ALL, 0},
    {STAFF, NULL, 0, READ,  DOWN, ANY,                 RIGHTS_BELOW_ALL, 0},
    {STAFF, NULL, 0, READ,  PUB,  ANY,                 RIGHTS_BELOW_ALL, 0},
    {STAFF, NULL, 0, READ,  DOWN, "trust",             RIGHTS_ABOVE,     0},
    {STAFF, NULL, 0, READ,  RPC,  "reply",             RIGHTS_OWN,       0},
    {STAFF, NULL, 0, WRITE, RPC,  RIGHTS_KIND_SERVICE, RIGHTS_OWN,       0},
    {STAFF, NULL, POWER_COMMAND, WRITE, DOWN, "command", RIGHTS_BELOW,     0},
    {STAFF, NULL, POWER_COMMAND, WRITE, DOWN, "command", RIGHTS_BELOW_ONE, 0},

    /* Every service: requests of its name, and requests to the others. */
    {SERVICE, NULL, 0, READ,  RPC,  RIGHTS_KIND_OWN,   RIGHTS_BELOW_ALL, 0},
    {SERVICE, NULL, 0, WRITE, RPC,  "reply",           RIGHTS_BELOW_ONE, 0},
    {SERVICE, NULL, 0, WRITE, RPC,  RIGHTS_KIND_OTHER, RIGHTS_OWN,       0},
    {SERVICE, NULL, 0, READ,  RPC,  "reply",           RIGHTS_OWN,       0},
    {SERVICE, NULL, 0, READ,  DOWN, "trust",           RIGHTS_ABOVE,     0},

    {SERVICE, "registry", 0, READ,  RPC,  "registry", RIGHTS_ENROL_ALL, 0},
    {SERVICE, "registry", 0, WRITE, RPC,  "reply",    RIGHTS_ENROL_ONE, 0},
    {SERVICE, "registry", 0, WRITE, DOWN, "trust",    RIGHTS_HERE,      RETAIN},

    /* Its own retained ones are read to find strays. */
    {SERVICE, "scheduler", 0, READ,  DOWN, "programme", RIGHTS_BELOW_ALL, 0},
    {SERVICE, "scheduler", 0, READ,  DOWN, "head",      RIGHTS_BELOW_ALL, 0},
    {SERVICE, "scheduler", 0, WRITE, DOWN, "programme", RIGHTS_BELOW,     RETAIN},
    {SERVICE, "scheduler", 0, WRITE, DOWN, "head",      RIGHTS_BELOW,     RETAIN},
    {SERVICE, "scheduler", 0, WRITE, DOWN, "head",      RIGHTS_BELOW_ONE, 0},

    {SERVICE, "content-ingest", 0, READ,  DOWN, "programme", RIGHTS_BELOW_ALL, 0},
    {SERVICE, "content-ingest", 0, READ,  UP,   "want",      RIGHTS_BELOW_ALL, 0},
    {SERVICE, "content-ingest", 0, WRITE, DOWN, "content",   RIGHTS_BELOW,     0},

    {SERVICE, "telemetry-collector", 0, READ,  UP,   "state",   RIGHTS_BELOW_ALL, 0},
    {SERVICE, "telemetry-collector", 0, READ,  UP,   "health",  RIGHTS_BELOW_ALL, 0},
    {SERVICE, "telemetry-collector", 0, READ,  UP,   "receipt", RIGHTS_BELOW_ALL, 0},
    {SERVICE, "telemetry-collector", 0, WRITE, DOWN, "ack",     RIGHTS_BELOW_ONE, 0},
    {SERVICE, "telemetry-collector", 0, WRITE, PUB,  "summary", RIGHTS_BELOW,     RETAIN},
};
/* clang-format on */

_Static_assert(ARRAY_LEN(table) <= RIGHTS_MAX, "one bit a row");

const struct right *rights_table(size_t *rows_n)
{
    *rows_n = ARRAY_LEN(table);
    return table;
}

static bool granted(const struct rights_holder *h, const struct right *r)
{
    return r->role == h->role &&
           (r->service == NULL || strcmp(r->service, h->service) == 0) &&
           (h->powers & r->power) == r->power &&
           (!h->limited || (r->flags & RIGHTS_LIMITED));
}

void rights_grant(struct rights_holder *h)
{
    h->rows = 0;
    h->area_len = strlen(h->area);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (granted(h, &table[i]))
            h->rows |= UINT64_C(1) << i;
}

bool rights_have_will(const struct rights_holder *h)
{
    for (uint64_t rows = h->rows; rows != 0; rows &= rows - 1)
        if (table[__builtin_ctzll(rows)].flags & RIGHTS_WILL)
            return true;
    return false;
}

/* As far as the filter alone can tell; which service the holder is comes with
 * the scope. A filter's kind "" is "+": only a row for any kind covers it. */
static bool kind_fits(const struct right *r, const struct loa_filter *f)
{
    if (f->kind[0] == '\0')
        return r->kind[0] == '+';
    switch (r->kind[0]) {
        case '+':
            return true;
        case '*':
        case '=':
        case '!':
            return strcmp(f->kind, "reply") != 0;
    }
    return strcmp(r->kind, f->kind) == 0;
}

static uint64_t rows_like(enum rights_access access, const struct loa_filter *f)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].access == access && table[i].plane == f->plane &&
            kind_fits(&table[i], f))
            rows |= UINT64_C(1) << i;
    return rows;
}

static bool service_fits(const struct rights_holder *h,
                         const struct right *r,
                         const struct loa_filter *f)
{
    switch (r->kind[0]) {
        case '=':
            return strcmp(f->kind, h->service) == 0;
        case '!':
            return strcmp(f->kind, h->service) != 0;
    }
    return true;
}

/* loa_area_within() with lengths that are known. */
static bool within(const char *inner,
                   size_t inner_len,
                   const char *outer,
                   size_t outer_len)
{
    return outer_len <= inner_len && memcmp(inner, outer, outer_len) == 0 &&
           (inner[outer_len] == '\0' || inner[outer_len] == '/');
}

static bool scope_fits(const struct rights_holder *h,
                       enum rights_scope scope,
                       const struct loa_filter *f,
                       size_t area_len)
{
    bool one = f->principal[0] != '\0';
    bool plain = !one && !f->subtree;

    switch (scope) {
        case RIGHTS_OWN:
            return one && strcmp(f->principal, h->principal) == 0 &&
                   strcmp(f->area, h->area) == 0;
        case RIGHTS_HERE:
            return plain && strcmp(f->area, h->area) == 0;
        case RIGHTS_ABOVE:
            return plain && within(h->area, h->area_len, f->area, area_len);
        case RIGHTS_BELOW:
            return plain && within(f->area, area_len, h->area, h->area_len);
        case RIGHTS_BELOW_ONE:
            return one && within(f->area, area_len, h->area, h->area_len);
        case RIGHTS_BELOW_ALL:
            return within(f->area, area_len, h->area, h->area_len);
        case RIGHTS_ENROL_ONE:
            return one && strcmp(f->area, LOA_ENROL_AREA) == 0;
        case RIGHTS_ENROL_ALL:
            return loa_area_within(f->area, LOA_ENROL_AREA);
    }
    return false; /* Not reached: the compiler knows every scope. */
}

static bool cover(const struct rights_holder *h,
                  uint64_t rows,
                  const struct loa_filter *f,
                  size_t area_len,
                  unsigned *flags)
{
    bool found = false;

    for (rows &= h->rows; rows != 0; rows &= rows - 1) {
        const struct right *r = &table[__builtin_ctzll(rows)];

        if (!scope_fits(h, r->scope, f, area_len) || !service_fits(h, r, f))
            continue;
        if (flags == NULL)
            return true;
        *flags |= r->flags;
        found = true;
    }
    return found;
}

void rights_topic_set(struct rights_topic *t, const char *topic)
{
    struct loa_topic parsed;
    size_t len;

    if (t->text[0] != '\0' && strcmp(t->text, topic) == 0)
        return;
    len = strlen(topic);
    t->text[0] = '\0';
    t->ours = len < sizeof t->text && loa_topic_parse(topic, &parsed) == LOA_OK;
    if (!t->ours)
        return;
    memcpy(t->text, topic, len + 1);
    t->at.plane = parsed.plane;
    memcpy(t->at.kind, parsed.kind, sizeof t->at.kind);
    memcpy(t->at.area, parsed.area, sizeof t->at.area);
    memcpy(t->at.principal, parsed.principal, sizeof t->at.principal);
    t->at.subtree = false;
    t->area_len = strlen(t->at.area);
    t->rows[RIGHTS_READ] = rows_like(RIGHTS_READ, &t->at);
    t->rows[RIGHTS_WRITE] = rows_like(RIGHTS_WRITE, &t->at);
}

bool rights_cover_topic(const struct rights_holder *h,
                        enum rights_access access,
                        const struct rights_topic *t,
                        unsigned *flags)
{
    if (flags != NULL)
        *flags = 0;
    return t->ours && cover(h, t->rows[access], &t->at, t->area_len, flags);
}

bool rights_cover_filter(const struct rights_holder *h,
                         const struct loa_filter *f)
{
    return cover(h, rows_like(RIGHTS_READ, f), f, strlen(f->area), NULL);
}
