#include "login.h"

#include <string.h>

#define PASSWORD_BYTES_MAX ((LOGIN_PASSWORD_LEN_MAX * 3) / 4)
#define ENROL_KEY_BYTES 12 /* Of the key in the name, as hex. */
#define CERTIFICATE_ARENA_BYTES 2048

/* One login on its way through the checks. */
struct attempt {
    const struct login_request *r;
    struct loa_envelope e;
    struct loa_certificate leaf;
};

static const char *open_password(const struct login_judge *l, struct attempt *a)
{
    struct wire_login body;
    struct loa_bytes p;
    uint8_t *bytes;

    loa_arena_reset(l->arena);
    if (strlen(a->r->password) > LOGIN_PASSWORD_LEN_MAX)
        return "malformed";
    bytes = loa_arena_alloc(l->arena, PASSWORD_BYTES_MAX);
    if (bytes == NULL || loa_unbase64(a->r->password, bytes, PASSWORD_BYTES_MAX,
                                      &p.len) != LOA_OK)
        return "malformed";
    p.data = bytes;
    if (loa_envelope_parse(l->arena, p, &a->e) != LOA_OK ||
        a->e.signatures_n != 1)
        return "malformed";
    if (a->e.header.type != LOA_TYPE_LOGIN)
        return loa_verdict_name(LOA_VERDICT_WRONG_TYPE);
    if (wire_login_parse(l->arena, a->e.header.body, &body) != LOA_OK)
        return "malformed";
    if (strcmp(body.broker, l->rules.broker) != 0)
        return "wrong-broker";
    return strcmp(body.client_id, a->r->client_id) == 0 ? NULL : "client-id";
}

/* The link whose subject is key; returns how many there are. */
static size_t find_link(const struct loa_envelope *e,
                        const uint8_t key[LOA_KEY_BYTES],
                        struct loa_certificate *found)
{
    size_t n = 0;

    for (size_t i = 0; i < e->certificates_n; i++) {
        _Alignas(16) uint8_t room[CERTIFICATE_ARENA_BYTES];
        struct loa_arena arena;
        struct loa_certificate c;

        loa_arena_init(&arena, room, sizeof room);
        if (loa_certificate_parse(&arena, e->certificates[i], &c) == LOA_OK &&
            memcmp(c.subject, key, LOA_KEY_BYTES) == 0) {
            *found = c;
            n++;
        }
    }
    return n;
}

/* The chain was judged good; remember what a later revocation may hit. Two
 * certificates of one key would leave open which of them was meant. */
static const char *keep_links(const struct login_judge *l,
                              const struct attempt *a,
                              struct session *s)
{
    struct loa_certificate c;
    uint8_t key[LOA_KEY_BYTES];

    memcpy(key, a->e.signatures[0].key, sizeof key);
    memcpy(s->key, key, sizeof s->key);
    s->not_after_ms = INT64_MAX;
    while (memcmp(key, l->trust->root, sizeof key) != 0) {
        struct session_link *link = &s->links[s->links_n];

        /* Cannot be, as each link is the only one; but it is cheap to ask. */
        if (s->links_n == LOA_CHAIN_MAX)
            return loa_verdict_name(LOA_VERDICT_CHAIN_LENGTH);
        if (find_link(&a->e, key, &c) != 1)
            return "ambiguous-chain";
        memcpy(link->issuer, c.issuer, sizeof link->issuer);
        link->serial = c.serial;
        link->area_depth = loa_area_depth(c.area);
        if (c.not_after_ms < s->not_after_ms)
            s->not_after_ms = c.not_after_ms;
        memcpy(key, c.issuer, sizeof key);
        s->links_n++;
    }
    return NULL;
}

static const char *check_trust(const struct login_judge *l, struct attempt *a)
{
    /* Whether the envelope's own time fits is for the window to say. */
    struct loa_expect want = {
        .type = LOA_TYPE_LOGIN, .now_ms = a->r->now_ms, .time_trusted = false};
    enum loa_verdict v = loa_trust_verify(l->trust, &a->e, &want, NULL);

    if (v == LOA_VERDICT_OK)
        v = loa_trust_chain(l->trust, a->e.signatures[0].key, a->e.certificates,
                            a->e.certificates_n, a->r->now_ms, true, &a->leaf);
    return v == LOA_VERDICT_OK ? NULL : loa_verdict_name(v);
}

static bool role_connects(enum loa_role role)
{
    return role == LOA_ROLE_STAFF || role == LOA_ROLE_SERVICE ||
           role == LOA_ROLE_DEVICE;
}

/* Names of devices that are not enrolled are nobody's to certify, and nobody's
 * area is theirs. */
static bool is_enrol_name(const char *name)
{
    return strncmp(name, LOA_ENROL_PREFIX, strlen(LOA_ENROL_PREFIX)) == 0;
}

static const char *check_leaf(const struct attempt *a)
{
    const struct loa_certificate *c = &a->leaf;

    if (!role_connects(c->role) || is_enrol_name(c->principal) ||
        loa_area_within(c->area, LOA_ENROL_AREA))
        return loa_verdict_name(LOA_VERDICT_ROLE);
    if (strcmp(c->principal, a->r->user) != 0)
        return "user-name";
    if (!loa_client_valid(a->r->client_id, c->principal,
                          c->role == LOA_ROLE_DEVICE))
        return "client-id";
    return NULL;
}

/* A device without a clock gets in, to ask for the time and to listen. */
static const char *check_time(const struct login_judge *l,
                              const struct attempt *a,
                              struct session *s)
{
    int64_t at = a->e.header.issued_at_ms, w = l->rules.window_ms;

    if (at >= a->r->now_ms - w && at <= a->r->now_ms + w)
        return seen_add(l->seen, a->leaf.role == LOA_ROLE_DEVICE,
                        a->e.header.message_id, a->r->now_ms, at + w + 1)
                   ? NULL
                   : "repeated";
    if (a->leaf.role != LOA_ROLE_DEVICE)
        return "time";
    s->who.limited = true;
    return NULL;
}

static const char *judge_certified(const struct login_judge *l,
                                   struct attempt *a,
                                   struct session *s)
{
    struct rights_holder *h = &s->who;
    const char *why;

    if ((why = check_trust(l, a)) != NULL || (why = check_leaf(a)) != NULL ||
        (why = keep_links(l, a, s)) != NULL ||
        (why = check_time(l, a, s)) != NULL)
        return why;
    h->role = a->leaf.role;
    h->powers = a->leaf.powers;
    memcpy(h->area, a->leaf.area, sizeof h->area);
    memcpy(h->principal, a->leaf.principal, sizeof h->principal);
    memcpy(h->service, a->leaf.service, sizeof h->service);
    return NULL;
}

/* Anybody may make a key and ask to be enrolled; the name is the key's, so
 * nobody can be in another's place. No clock is asked for. */
static const char *judge_enrolling(const struct attempt *a, struct session *s)
{
    char hex[2 * ENROL_KEY_BYTES + 1];

    loa_hex(a->e.signatures[0].key, ENROL_KEY_BYTES, hex);
    if (strcmp(a->r->user + strlen(LOA_ENROL_PREFIX), hex) != 0)
        return "user-name";
    if (strcmp(a->r->client_id, a->r->user) != 0)
        return "client-id";
    if (!loa_envelope_self_signed(&a->e))
        return loa_verdict_name(LOA_VERDICT_BAD_SIGNATURE);
    s->who.role = RIGHTS_ROLE_ENROLLING;
    s->not_after_ms = a->r->now_ms + LOGIN_ENROL_MS;
    strcpy(s->who.area, LOA_ENROL_AREA);
    strcpy(s->who.principal, a->r->user);
    return NULL;
}

const char *login_judge(const struct login_judge *l,
                        const struct login_request *r,
                        struct session *s)
{
    struct attempt a = {.r = r};
    const char *why;

    memset(s, 0, sizeof *s);
    if (r->user == NULL || r->user[0] == '\0')
        return "anonymous";
    if (r->password == NULL)
        return "no-password";
    if (r->client_id == NULL || strlen(r->client_id) >= sizeof s->client_id)
        return "client-id";
    if ((why = open_password(l, &a)) != NULL)
        return why;
    why = is_enrol_name(r->user) ? judge_enrolling(&a, s)
                                 : judge_certified(l, &a, s);
    if (why != NULL)
        return why;
    s->client = r->client;
    strcpy(s->client_id, r->client_id);
    rights_grant(&s->who);
    return NULL;
}
