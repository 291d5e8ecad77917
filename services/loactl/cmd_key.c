/* cmd_key.c -- keys and certificates: works without any service or network. */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loactl/ctl.h"
#include "proto/io/clock.h"
#include "proto/io/identity_file.h"

#define DAY_MS 86400000LL
/* Trust begins a little before now, so that a device whose clock is behind
 * believes a certificate that is new. */
#define BACKDATE_MS 300000LL

static int write_identity(const struct ctl *c,
                          const char *path,
                          const struct loa_identity *id)
{
    char why[IDENTITY_WHY_CAP];

    int rv;

    errno = 0;
    rv = identity_file_write(path, id, why);
    if (rv != LOA_OK && errno != 0)
        return ctl_fail_errno(c, CTL_FAILED, path);
    return rv == LOA_OK ? CTL_OK : ctl_fail(c, CTL_FAILED, "%s", "%s", why);
}

static int print_key(const struct ctl *c,
                     const char *path,
                     const uint8_t key[LOA_KEY_BYTES])
{
    char text[64];
    struct loa_bytes b = {key, LOA_KEY_BYTES};

    if (loa_base64(b, text, sizeof text) != LOA_OK)
        return CTL_FAILED;
    if (c->json)
        out_json(json_pack("{s:s,s:s}", "file", path, "key", text));
    else
        printf("%s\n", text);
    return CTL_OK;
}

static int run_new(struct ctl *c)
{
    static struct loa_identity id;
    const char *path = c->positionals[0];
    bool root = ctl_option(c, "root") != NULL;
    int rc;

    if (access(path, F_OK) == 0)
        return ctl_fail(
            c, CTL_USAGE, "%s: đã có tệp này; khoá cũ không bị ghi đè",
            "%s: the file exists; a key is never overwritten", path);
    randombytes_buf(id.seed, sizeof id.seed);
    loa_key_from_seed(&id.key, id.seed);
    if (root) {
        memcpy(id.root, id.key.public_key, LOA_KEY_BYTES);
        id.root_known = true;
    }
    rc = write_identity(c, path, &id);
    if (rc == CTL_OK)
        rc = print_key(c, path, id.key.public_key);
    sodium_memzero(&id, sizeof id);
    return rc;
}

/* --- issue ------------------------------------------------------------------
 */

static bool parse_body(const struct ctl *c, struct loa_certificate *body)
{
    const char *principal = ctl_option(c, "principal");
    const char *area = ctl_option(c, "area");
    const char *role = ctl_option(c, "role");
    const char *powers = ctl_option(c, "powers");
    const char *service = ctl_option(c, "service");
    const char *name = ctl_option(c, "name");
    long long days, depth;

    if (principal == NULL || area == NULL || role == NULL)
        return ctl_fail(c, 0, "cần --principal, --area và --role",
                        "--principal, --area and --role are needed");
    if (!loa_principal_valid(principal))
        return ctl_fail(c, 0, "%s: tên chỉ gồm A-Z a-z 0-9 _, dài 1-32",
                        "%s: a principal is 1-32 of A-Z a-z 0-9 _", principal);
    if (!loa_area_valid(area))
        return ctl_fail(c, 0, "%s: không phải đường dẫn địa bàn, ví dụ vn/08",
                        "%s: not an area path such as vn/08", area);
    if (loa_role_parse(role, &body->role) != LOA_OK)
        return ctl_fail(
            c, 0, "%s: vai trò là authority, staff, service, device",
            "%s: a role is authority, staff, service, device", role);
    if (loa_powers_parse(powers != NULL ? powers : "none", &body->powers) !=
        LOA_OK)
        return ctl_fail(c, 0, "%s: không phải danh sách quyền; ví dụ schedule",
                        "%s: not a list of powers such as schedule,live",
                        powers);
    if ((body->role == LOA_ROLE_SERVICE) != (service != NULL) ||
        (service != NULL && !loa_kind_valid(service)))
        return ctl_fail(c, 0, "vai trò service cần --service TÊN, và chỉ nó",
                        "role service, and only it, needs --service NAME");
    if (!ctl_number(c, "days", 1, 36500, 365, &days) ||
        !ctl_number(c, "depth", 0, 5, 0, &depth))
        return false;
    snprintf(body->principal, sizeof body->principal, "%s", principal);
    snprintf(body->area, sizeof body->area, "%s", area);
    snprintf(body->service, sizeof body->service, "%s",
             service != NULL ? service : "");
    snprintf(body->name, sizeof body->name, "%s", name != NULL ? name : "");
    body->max_depth = (uint32_t)depth;
    body->serial = (uint64_t)clock_wall_us();
    body->not_before_ms = clock_wall_ms() - BACKDATE_MS;
    body->not_after_ms = body->not_before_ms + days * DAY_MS;
    return true;
}

/* A certificate never outlives its issuer's: cut instead of refused, since that
 * is what is meant by "for a year" two days before the issuer's ends. */
static enum loa_verdict fit(const struct loa_identity *issuer,
                            struct loa_certificate *body)
{
    if (issuer->certificates_n == 0)
        return LOA_VERDICT_OK; /* The root. */
    if (body->not_after_ms > issuer->leaf.not_after_ms)
        body->not_after_ms = issuer->leaf.not_after_ms;
    if (body->not_before_ms < issuer->leaf.not_before_ms)
        body->not_before_ms = issuer->leaf.not_before_ms;
    return loa_trust_may_issue(&issuer->leaf, body);
}

/* The chain of the new identity: the new certificate, then the issuer's. */
static int chain(const struct loa_identity *issuer,
                 const uint8_t *certificate,
                 size_t len,
                 struct loa_identity *to)
{
    if (issuer->certificates_n + 1 > LOA_CHAIN_MAX ||
        len > LOA_CERTIFICATE_BYTES_MAX)
        return LOA_ENOSPC;
    memcpy(to->store[0], certificate, len);
    to->certificates[0] = (struct loa_bytes){to->store[0], len};
    for (size_t i = 0; i < issuer->certificates_n; i++) {
        memcpy(to->store[i + 1], issuer->certificates[i].data,
               issuer->certificates[i].len);
        to->certificates[i + 1] =
            (struct loa_bytes){to->store[i + 1], issuer->certificates[i].len};
    }
    to->certificates_n = issuer->certificates_n + 1;
    memcpy(to->root, issuer->root, LOA_KEY_BYTES);
    to->root_known = true;
    return LOA_OK;
}

static json_t *certificate_json(const struct loa_certificate *b)
{
    char powers[160];

    loa_powers_format(b->powers, powers, sizeof powers);
    return json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:i,s:o,s:o,s:o}", "principal",
        b->principal, "name", b->name, "role", loa_role_name(b->role),
        "service", b->service, "area", b->area, "powers", powers, "serial",
        (json_int_t)b->serial, "depth", (int)b->max_depth, "not_before_ms",
        json_time(b->not_before_ms), "not_after_ms", json_time(b->not_after_ms),
        "issuer", json_hex(b->issuer, LOA_KEY_BYTES));
}

/* A slip in an option shows here, before the file is handed over. */
static void print_issued(const struct ctl *c, const struct loa_certificate *b)
{
    char powers[160], until[32];

    loa_powers_format(b->powers, powers, sizeof powers);
    printf(c->english ? "issued to %s%s%s%s, %s, powers %s, in %s, until %s\n"
                      : "đã cấp cho %s%s%s%s, %s, quyền %s, tại %s, đến %s\n",
           b->principal, b->name[0] != '\0' ? " (" : "", b->name,
           b->name[0] != '\0' ? ")" : "", loa_role_name(b->role), powers,
           b->area, out_time(b->not_after_ms, until));
}

/* What the issuer's own certificate lacks, and what to do. */
static int refuse_issue(const struct ctl *c,
                        const struct loa_certificate *issuer,
                        const struct loa_certificate *body,
                        enum loa_verdict v)
{
    char powers[160];

    if (v == LOA_VERDICT_CHAIN_POWERS) {
        loa_powers_format(body->powers & ~issuer->powers, powers,
                          sizeof powers);
        return ctl_fail(c, CTL_REFUSED,
                        "%s không có quyền %s nên không cấp được; hãy bỏ "
                        "quyền đó khỏi --powers, hoặc dùng --identity của "
                        "người có quyền (%s)",
                        "%s has not the powers %s and cannot give them; leave "
                        "them out of --powers, or use an --identity that has "
                        "them (%s)",
                        issuer->principal, powers, loa_verdict_name(v));
    }
    if (v == LOA_VERDICT_CHAIN_DEPTH &&
        (issuer->powers & LOA_POWER_DELEGATE) == 0)
        return ctl_fail(c, CTL_REFUSED,
                        "%s không có quyền delegate nên không cấp được chứng "
                        "thư; hãy dùng --identity của người có quyền đó (%s)",
                        "%s has not the power delegate and issues no "
                        "certificates; use an --identity that has it (%s)",
                        issuer->principal, loa_verdict_name(v));
    if (v == LOA_VERDICT_CHAIN_DEPTH)
        return ctl_fail(c, CTL_REFUSED,
                        "chứng thư của %s có depth %u; --depth phải nhỏ hơn "
                        "(0 thì không cấp được)",
                        "the certificate of %s has depth %u; --depth must be "
                        "less (with 0 it issues none)",
                        issuer->principal, (unsigned)issuer->max_depth);
    if (v == LOA_VERDICT_CHAIN_AREA)
        return ctl_fail(c, CTL_REFUSED,
                        "địa bàn của %s là %s; --area phải nằm trong đó",
                        "the area of %s is %s; --area must lie in it",
                        issuer->principal, issuer->area);
    return ctl_fail(
        c, CTL_REFUSED, "người cấp không được cấp chứng thư này: %s",
        "the issuer may not issue this certificate: %s", loa_verdict_name(v));
}

static int run_issue(struct ctl *c)
{
    static struct loa_identity to;
    static struct loa_certificate body;
    uint8_t certificate[LOA_CERTIFICATE_BYTES_MAX];
    const struct loa_identity *issuer = ctl_identity(c);
    enum loa_verdict v;
    size_t len;

    if (issuer == NULL || !parse_body(c, &body))
        return CTL_USAGE;
    if (!ctl_read_identity(c, c->positionals[0], &to))
        return CTL_USAGE;
    memcpy(body.subject, to.key.public_key, LOA_KEY_BYTES);
    memcpy(body.issuer, issuer->key.public_key, LOA_KEY_BYTES);
    v = fit(issuer, &body);
    if (v != LOA_VERDICT_OK)
        return refuse_issue(c, &issuer->leaf, &body, v);
    if (loa_certificate_issue(&body, &issuer->key, certificate,
                              sizeof certificate, &len) != LOA_OK ||
        chain(issuer, certificate, len, &to) != LOA_OK)
        return ctl_fail(c, CTL_USAGE, "chứng thư quá dài (tên, chuỗi cấp)",
                        "the certificate is too long (name, chain)");
    if (write_identity(c, c->positionals[0], &to) != CTL_OK)
        return CTL_FAILED;
    if (c->json)
        out_json(certificate_json(&body));
    else
        print_issued(c, &body);
    return CTL_OK;
}

/* --- show
 * --------------------------------------------------------------------- */

static void certificate_text(const struct loa_certificate *b)
{
    char powers[160], from[32], until[32];

    loa_powers_format(b->powers, powers, sizeof powers);
    printf("  %s %s%s%s  %s  %s\n    %s -> %s  depth %u  serial %llu\n",
           loa_role_name(b->role), b->principal,
           b->service[0] != '\0' ? " " : "", b->service, b->area, powers,
           out_time(b->not_before_ms, from), out_time(b->not_after_ms, until),
           b->max_depth, (unsigned long long)b->serial);
}

static int run_show(struct ctl *c)
{
    static struct loa_identity id;
    static uint8_t memory[8192];
    char key[64], root[64] = "";
    json_t *certificates;

    if (!ctl_read_identity(c, c->positionals[0], &id))
        return CTL_USAGE;
    if (loa_base64((struct loa_bytes){id.key.public_key, LOA_KEY_BYTES}, key,
                   sizeof key) != LOA_OK ||
        (id.root_known && loa_base64((struct loa_bytes){id.root, LOA_KEY_BYTES},
                                     root, sizeof root) != LOA_OK))
        return CTL_FAILED;
    certificates = json_array();
    if (!c->json)
        printf("key  %s\nroot %s\n", key, root);
    for (size_t i = 0; i < id.certificates_n; i++) {
        struct loa_certificate b;
        struct loa_arena arena;
        loa_arena_init(&arena, memory, sizeof memory);
        if (loa_certificate_parse(&arena, id.certificates[i], &b) != LOA_OK)
            continue;
        if (c->json)
            json_array_append_new(certificates, certificate_json(&b));
        else
            certificate_text(&b);
    }
    if (c->json)
        out_json(json_pack("{s:s,s:s,s:O}", "key", key, "root", root,
                           "certificates", certificates));
    json_decref(certificates);
    sodium_memzero(&id, sizeof id);
    return CTL_OK;
}

/* For other people's MQTT clients: ours sign for themselves. */
static int run_login(struct ctl *c)
{
    const struct loa_identity *id = ctl_identity(c);
    struct identity_login login = {.id = id, .broker = c->broker};
    char password[LOA_PASSWORD_CAP];

    if (id == NULL)
        return CTL_USAGE;
    login.client_id =
        c->positionals_n > 0 ? c->positionals[0] : id->leaf.principal;
    if (id->certificates_n == 0 ||
        !loa_client_valid(login.client_id, id->leaf.principal,
                          id->leaf.role == LOA_ROLE_DEVICE))
        return ctl_fail(c, CTL_USAGE,
                        "tên máy khách phải là tên của bạn, hoặc tên đó rồi "
                        "\"-\" và một hậu tố",
                        "the client id is your principal, or that and \"-\" "
                        "and a suffix");
    if (identity_password(&login, password, sizeof password) != LOA_OK)
        return CTL_FAILED;
    if (c->json)
        out_json(json_pack("{s:s,s:s,s:s}", "user", id->leaf.principal,
                           "client", login.client_id, "password", password));
    else
        puts(password);
    return CTL_OK;
}

static const struct option_def new_options[] = {
    {"root", NULL, "the root of a network: it certifies itself"},
    {NULL, NULL, NULL},
};

static const struct option_def issue_options[] = {
    {"principal", "ID", "who: A-Z a-z 0-9 _, unique in the network"},
    {"name", "TEXT", "for people"},
    {"role", "ROLE", "authority, staff, service or device"},
    {"service", "NAME", "role service: scheduler, content-ingest, ..."},
    {"area", "PATH", "where: an area path such as vn/08/070"},
    {"powers", "LIST", "schedule,content-approve,command,... (none)"},
    {"days", "N", "how long it is valid (365)"},
    {"depth", "N", "how many links may follow below (0)"},
    {NULL, NULL, NULL},
};

const struct command commands_key[] = {
    {"key", "new", "FILE", "make a key pair on this machine",
     "loactl key new editor.id", new_options, 1, 1, run_new},
    {"key", "issue", "FILE", "certify the key in FILE as --identity",
     "loactl --identity province.id key issue editor.id --principal lan "
     "--role staff --area vn/08/070 --powers schedule",
     issue_options, 1, 1, run_issue},
    {"key", "show", "FILE", "what an identity file holds; never its secret",
     "loactl key show editor.id", NULL, 1, 1, run_show},
    {"key", "login", "[CLIENT]", "an MQTT password: good once, for two minutes",
     "loactl --identity lan.id key login lan-watch", NULL, 0, 1, run_login},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
