#include "proto/certificate.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "loa/v1/envelope.pb-c.h"
#include "proto/text.h"

#define CERTIFICATE_VERSION 1
#define ALGORITHM_ED25519 1
#define CERTIFICATE_BODY_LEN_MAX 512
#define DEPTH_MAX 7
#define SIGN_NAME "certificate"

/* What holds for every certificate, whether it was read or is to be written;
 * what holds between two of them is trust.c's. */
static bool is_sane(const struct loa_certificate *c)
{
    if (c->role < LOA_ROLE_AUTHORITY || c->role > LOA_ROLE_BRIDGE)
        return false;
    if (c->role == LOA_ROLE_SERVICE ? !loa_kind_valid(c->service)
                                    : c->service[0] != '\0')
        return false;
    return loa_principal_valid(c->principal) &&
           loa_line_valid(c->name, sizeof c->name - 1) &&
           loa_area_valid(c->area) &&
           (c->powers | LOA_POWERS_ALL) == LOA_POWERS_ALL &&
           c->max_depth <= DEPTH_MAX && c->not_before_ms >= 0 &&
           c->not_before_ms < c->not_after_ms;
}

/* False if text and its NUL do not fit. */
static bool take_text(char *to, size_t cap, const char *text)
{
    size_t len = strlen(text);

    if (len >= cap)
        return false;
    memcpy(to, text, len + 1);
    return true;
}

static bool take_key(uint8_t to[LOA_KEY_BYTES], ProtobufCBinaryData from)
{
    if (from.len != LOA_KEY_BYTES)
        return false;
    memcpy(to, from.data, LOA_KEY_BYTES);
    return true;
}

static bool take_body(struct loa_certificate *c,
                      const Loa__V1__CertificateBody *b)
{
    if (b->version != CERTIFICATE_VERSION || b->algorithm != ALGORITHM_ED25519)
        return false;
    c->serial = b->serial;
    c->role = (enum loa_role)b->role;
    c->powers = b->powers;
    c->max_depth = b->max_depth;
    c->not_before_ms = b->not_before_ms;
    c->not_after_ms = b->not_after_ms;
    return take_key(c->issuer, b->issuer) && take_key(c->subject, b->subject) &&
           take_text(c->principal, sizeof c->principal, b->principal) &&
           take_text(c->name, sizeof c->name, b->name) &&
           take_text(c->service, sizeof c->service, b->service) &&
           take_text(c->area, sizeof c->area, b->area) && is_sane(c);
}

int loa_certificate_parse(struct loa_arena *arena,
                          struct loa_bytes p,
                          struct loa_certificate *c)
{
    Loa__V1__Certificate *outer;
    Loa__V1__CertificateBody *body;

    memset(c, 0, sizeof *c);
    if (p.len == 0 || p.len > LOA_CERTIFICATE_BYTES_MAX)
        return LOA_EINVAL;
    outer = loa__v1__certificate__unpack(&arena->allocator, p.len, p.data);
    if (outer == NULL)
        return arena->full ? LOA_ENOSPC : LOA_EINVAL;
    if (outer->body.len == 0 || outer->body.len > CERTIFICATE_BODY_LEN_MAX ||
        outer->signature.len != LOA_SIGNATURE_BYTES)
        return LOA_EINVAL;
    body = loa__v1__certificate_body__unpack(&arena->allocator, outer->body.len,
                                             outer->body.data);
    if (body == NULL)
        return arena->full ? LOA_ENOSPC : LOA_EINVAL;
    c->body = (struct loa_bytes){outer->body.data, outer->body.len};
    c->signature = outer->signature.data;
    return take_body(c, body) ? LOA_OK : LOA_EINVAL;
}

/* protobuf-c's structs have no const; packing changes nothing. */
static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* The bounds of the fields keep a body below 450 bytes. */
static size_t pack_body(const struct loa_certificate *c,
                        uint8_t buf[CERTIFICATE_BODY_LEN_MAX])
{
    Loa__V1__CertificateBody b = LOA__V1__CERTIFICATE_BODY__INIT;

    b.version = CERTIFICATE_VERSION;
    b.algorithm = ALGORITHM_ED25519;
    b.serial = c->serial;
    b.issuer = binary(c->issuer, LOA_KEY_BYTES);
    b.subject = binary(c->subject, LOA_KEY_BYTES);
    b.principal = text(c->principal);
    b.name = text(c->name);
    b.role = (Loa__V1__Role)c->role;
    b.service = text(c->service);
    b.area = text(c->area);
    b.powers = c->powers;
    b.max_depth = c->max_depth;
    b.not_before_ms = c->not_before_ms;
    b.not_after_ms = c->not_after_ms;
    assert(loa__v1__certificate_body__get_packed_size(&b) <=
           CERTIFICATE_BODY_LEN_MAX);
    return loa__v1__certificate_body__pack(&b, buf);
}

int loa_certificate_issue(struct loa_certificate *c,
                          const struct loa_key *issuer,
                          uint8_t *buf,
                          size_t cap,
                          size_t *len)
{
    Loa__V1__Certificate outer = LOA__V1__CERTIFICATE__INIT;
    uint8_t body[CERTIFICATE_BODY_LEN_MAX];
    uint8_t signature[LOA_SIGNATURE_BYTES];
    size_t body_len;

    memcpy(c->issuer, issuer->public_key, LOA_KEY_BYTES);
    if (!is_sane(c))
        return LOA_EINVAL;
    body_len = pack_body(c, body);
    loa_sign(issuer, SIGN_NAME, (struct loa_bytes){body, body_len}, signature);
    outer.body = binary(body, body_len);
    outer.signature = binary(signature, sizeof signature);
    if (loa__v1__certificate__get_packed_size(&outer) > cap)
        return LOA_ENOSPC;
    *len = loa__v1__certificate__pack(&outer, buf);
    return LOA_OK;
}

/* --- words ---------------------------------------------------------------- */

struct word {
    const char *name;
    uint32_t value;
};

static const struct word powers[] = {
    {"emergency-originate", LOA_POWER_EMERGENCY_ORIGINATE},
    {"emergency-approve", LOA_POWER_EMERGENCY_APPROVE},
    {"live", LOA_POWER_LIVE},
    {"schedule", LOA_POWER_SCHEDULE},
    {"content-approve", LOA_POWER_CONTENT_APPROVE},
    {"command", LOA_POWER_COMMAND},
    {"config", LOA_POWER_CONFIG},
    {"delegate", LOA_POWER_DELEGATE},
    {"revoke", LOA_POWER_REVOKE},
    {"time", LOA_POWER_TIME},
    {"drill", LOA_POWER_DRILL},
    {"all", LOA_POWERS_ALL},
    {"none", 0},
};
#define POWERS_N (sizeof powers / sizeof powers[0])
#define SINGLE_POWERS_N (POWERS_N - 2)

static const struct word roles[] = {
    {"authority", LOA_ROLE_AUTHORITY}, {"staff", LOA_ROLE_STAFF},
    {"service", LOA_ROLE_SERVICE},     {"device", LOA_ROLE_DEVICE},
    {"bridge", LOA_ROLE_BRIDGE},
};
#define ROLES_N (sizeof roles / sizeof roles[0])

static const struct word *find_word(const struct word *words,
                                    size_t words_n,
                                    const char *s,
                                    size_t len)
{
    for (size_t i = 0; i < words_n; i++) {
        if (strlen(words[i].name) == len && strncmp(words[i].name, s, len) == 0)
            return &words[i];
    }
    return NULL;
}

int loa_powers_parse(const char *s, uint32_t *out)
{
    uint32_t bits = 0;

    for (;;) {
        size_t len = strcspn(s, ",");
        const struct word *w = find_word(powers, POWERS_N, s, len);

        if (w == NULL)
            return LOA_EINVAL;
        bits |= w->value;
        if (s[len] == '\0')
            break;
        s += len + 1;
    }
    *out = bits;
    return LOA_OK;
}

void loa_powers_format(uint32_t bits, char *buf, size_t cap)
{
    size_t used = 0;

    if (bits == 0)
        (void)snprintf(buf, cap, "none");
    for (size_t i = 0; i < SINGLE_POWERS_N; i++) {
        int n;
        if ((bits & powers[i].value) == 0)
            continue;
        n = snprintf(buf + used, cap - used, "%s%s", used > 0 ? "," : "",
                     powers[i].name);
        if (n < 0 || (size_t)n >= cap - used)
            return;
        used += (size_t)n;
    }
}

int loa_role_parse(const char *s, enum loa_role *role)
{
    const struct word *w = find_word(roles, ROLES_N, s, strlen(s));

    if (w == NULL)
        return LOA_EINVAL;
    *role = (enum loa_role)w->value;
    return LOA_OK;
}

const char *loa_role_name(enum loa_role role)
{
    for (size_t i = 0; i < ROLES_N; i++) {
        if (roles[i].value == role)
            return roles[i].name;
    }
    return "unknown";
}
