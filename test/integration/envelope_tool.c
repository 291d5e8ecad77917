/* envelope_tool -- the C side of test_envelope_cross.py: one command a line,
 * one line of answer. Bytes are hexadecimal, "-" is none.
 *
 *   root KEY                                  a new store with this root
 *   verify TYPE NOW TIME AREA SIGNER_AREA ENVELOPE CERTIFICATE...
 *                                             verdict principal
 *   update NOW TIME ENVELOPE                  verdict number
 *   self ENVELOPE                             self-signed or not: 0, 1
 *   identity TEXT                             takes an identity; error, line
 *   format                                    the same text again
 *   password BROKER CLIENT ID NOW             base64url
 *   seal TYPE AREA ID COUNTER ISSUED EXPIRES BODY     envelope by the identity
 *   issue PRINCIPAL ROLE SERVICE AREA POWERS DEPTH SERIAL FROM UNTIL KEY NAME
 *                                             certificate by the identity
 *   packet PACKET                             sequence frames signed-or-not
 *   frames SEQUENCE FRAME...                  packet by the identity's key
 *   content FRAME...                          content hash */

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/audio.h"
#include "proto/identity.h"

#define LINE_LEN_MAX (4 * LOA_ENVELOPE_BYTES_MAX)
#define ARGS_MAX (12 + LOA_CERTIFICATES_EXTRA_MAX)

static struct loa_trust trust;
static struct loa_identity identity;
static char text[LOA_IDENTITY_BYTES_MAX];
static uint8_t memory[LINE_LEN_MAX], out[LOA_ENVELOPE_BYTES_MAX];
static size_t memory_used;
static _Alignas(max_align_t) uint8_t room[8 * LOA_ENVELOPE_BYTES_MAX];
static struct loa_arena arena;

static void die(const char *why)
{
    fprintf(stderr, "envelope_tool: %s\n", why);
    exit(2);
}

/* Lives until the next command. */
static struct loa_bytes bytes(const char *hex)
{
    struct loa_bytes b = {memory + memory_used, strlen(hex) / 2};

    if (strcmp(hex, "-") == 0)
        return (struct loa_bytes){b.data, 0};
    if (loa_unhex(hex, memory + memory_used, b.len) != LOA_OK)
        die("not hexadecimal");
    memory_used += b.len;
    return b;
}

static const char *or_null(const char *arg)
{
    return strcmp(arg, "-") == 0 ? NULL : arg;
}

static const char *or_empty(const char *arg)
{
    return strcmp(arg, "-") == 0 ? "" : arg;
}

static void copy(char *to, size_t cap, const char *from)
{
    if (strlen(from) >= cap)
        die("too long");
    strcpy(to, from);
}

static void print_hex(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", data[i]);
    putchar('\n');
}

static void print_made(int rv, size_t len)
{
    if (rv != LOA_OK)
        printf("error %s\n", loa_strerror(rv));
    else
        print_hex(out, len);
}

static bool parse(const char *hex, struct loa_envelope *e)
{
    return loa_envelope_parse(&arena, bytes(hex), e) == LOA_OK;
}

/* --- commands ------------------------------------------------------------- */

static void cmd_root(char **arg, int n)
{
    (void)n;
    loa_trust_init(&trust, bytes(arg[0]).data);
    puts("ok");
}

static void cmd_verify(char **arg, int n)
{
    struct loa_bytes extra[LOA_CERTIFICATES_EXTRA_MAX];
    struct loa_identity_claim who = {0};
    struct loa_envelope e;
    struct loa_expect want = {
        .type = (enum loa_type)atoi(arg[0]),
        .now_ms = atoll(arg[1]),
        .time_trusted = atoi(arg[2]) != 0,
        .area = or_null(arg[3]),
        .signer_area = or_null(arg[4]),
        .certificates = extra,
        .certificates_n = (size_t)(n - 6),
    };
    enum loa_verdict v = LOA_VERDICT_MALFORMED;

    for (int i = 6; i < n; i++)
        extra[i - 6] = bytes(arg[i]);
    if (parse(arg[5], &e))
        v = loa_trust_verify(&trust, &e, &want, &who);
    printf("%s %s\n", loa_verdict_name(v), who.certificate.principal);
}

static void cmd_update(char **arg, int n)
{
    enum loa_verdict v = LOA_VERDICT_MALFORMED;
    struct loa_envelope e;

    (void)n;
    if (parse(arg[2], &e))
        v = loa_trust_update(&trust, &e, atoll(arg[0]), atoi(arg[1]) != 0);
    printf("%s %" PRIu64 "\n", loa_verdict_name(v), trust.revoked.number);
}

static void cmd_self(char **arg, int n)
{
    struct loa_envelope e;

    (void)n;
    printf("%d\n", parse(arg[0], &e) && loa_envelope_self_signed(&e));
}

static void cmd_identity(char **arg, int n)
{
    struct loa_bytes b = bytes(arg[0]);
    size_t line;
    int rv = loa_identity_parse((const char *)b.data, b.len, &identity, &line);

    (void)n;
    printf("%d %zu\n", rv, line);
}

static void cmd_format(char **arg, int n)
{
    (void)arg;
    (void)n;
    if (loa_identity_format(&identity, text, sizeof text) != LOA_OK)
        die("identity too long");
    print_hex((const uint8_t *)text, strlen(text));
}

static void cmd_password(char **arg, int n)
{
    char password[LOA_PASSWORD_CAP];
    int rv =
        loa_identity_password(&identity, arg[0], arg[1], bytes(arg[2]).data,
                              atoll(arg[3]), password, sizeof password);

    (void)n;
    puts(rv == LOA_OK ? password : loa_strerror(rv));
}

static void cmd_seal(char **arg, int n)
{
    struct loa_signer signer = loa_identity_signer(&identity);
    struct loa_header h = {
        .type = (enum loa_type)atoi(arg[0]),
        .counter = strtoull(arg[3], NULL, 10),
        .issued_at_ms = atoll(arg[4]),
        .expires_at_ms = atoll(arg[5]),
        .body = bytes(arg[6]),
    };
    size_t len = 0;
    int rv;

    (void)n;
    copy(h.area, sizeof h.area, arg[1]);
    memcpy(h.message_id, bytes(arg[2]).data, LOA_ID_BYTES);
    rv = loa_envelope_seal(&h, &signer, out, sizeof out, &len);
    print_made(rv, len);
}

static void cmd_issue(char **arg, int n)
{
    struct loa_certificate c = {
        .role = (enum loa_role)atoi(arg[1]),
        .powers = (uint32_t)atoi(arg[4]),
        .max_depth = (uint32_t)atoi(arg[5]),
        .serial = strtoull(arg[6], NULL, 10),
        .not_before_ms = atoll(arg[7]),
        .not_after_ms = atoll(arg[8]),
    };
    struct loa_bytes name = bytes(arg[10]);
    size_t len = 0;
    int rv;

    (void)n;
    copy(c.principal, sizeof c.principal, arg[0]);
    copy(c.service, sizeof c.service, or_empty(arg[2]));
    copy(c.area, sizeof c.area, arg[3]);
    memcpy(c.subject, bytes(arg[9]).data, LOA_KEY_BYTES);
    if (name.len < sizeof c.name)
        memcpy(c.name, name.data, name.len);
    rv = loa_certificate_issue(&c, &identity.key, out, sizeof out, &len);
    print_made(rv, len);
}

static void cmd_packet(char **arg, int n)
{
    struct loa_packet k;

    (void)n;
    if (loa_packet_parse(&arena, bytes(arg[0]), &k) != LOA_OK) {
        puts("malformed");
        return;
    }
    printf("%" PRIu32 " %zu %d\n", k.sequence, k.frames_n,
           loa_packet_verify(&k));
}

static void cmd_frames(char **arg, int n)
{
    struct loa_packet k = {.sequence = (uint32_t)strtoul(arg[0], NULL, 10)};
    size_t len = 0;
    int rv;

    for (int i = 1; i < n && k.frames_n < LOA_PACKET_FRAMES; i++)
        k.frames[k.frames_n++] = bytes(arg[i]);
    rv = loa_packet_seal(&k, &identity.key, out, sizeof out, &len);
    print_made(rv, len);
}

static void cmd_content(char **arg, int n)
{
    struct loa_content_hash h;

    loa_content_hash_init(&h);
    for (int i = 0; i < n; i++) {
        struct loa_bytes b = bytes(arg[i]);
        loa_content_hash_frame(&h, b.data, b.len);
    }
    loa_content_hash_final(&h, out);
    print_hex(out, LOA_HASH_BYTES);
}

static const struct {
    const char *name;
    int args_min;
    void (*run)(char **arg, int n);
} commands[] = {
    {"root", 1, cmd_root},         {"verify", 6, cmd_verify},
    {"update", 3, cmd_update},     {"self", 1, cmd_self},
    {"identity", 1, cmd_identity}, {"format", 0, cmd_format},
    {"password", 4, cmd_password}, {"seal", 7, cmd_seal},
    {"issue", 11, cmd_issue},      {"packet", 1, cmd_packet},
    {"frames", 1, cmd_frames},     {"content", 0, cmd_content},
};

static void run(char *line)
{
    char *arg[ARGS_MAX], *save = NULL;
    int n = 0;

    for (char *s = strtok_r(line, " \n", &save); s != NULL && n < ARGS_MAX;
         s = strtok_r(NULL, " \n", &save))
        arg[n++] = s;
    memory_used = 0;
    loa_arena_init(&arena, room, sizeof room);
    for (size_t i = 0; n > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(arg[0], commands[i].name) == 0 && n > commands[i].args_min) {
            commands[i].run(arg + 1, n - 1);
            fflush(stdout);
            return;
        }
    }
    die("no such command");
}

int main(void)
{
    static char line[LINE_LEN_MAX];

    if (sodium_init() < 0)
        return 1;
    while (fgets(line, sizeof line, stdin) != NULL)
        run(line);
    return 0;
}
