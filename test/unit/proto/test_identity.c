/* Identity files and the login password made from one. */

#include <sodium.h>
#include <stdio.h>

#include "check.h"
#include "loa/v1/envelope.pb-c.h"
#include "world.h"

static struct world world;
static struct loa_identity id, back;
static char text[LOA_IDENTITY_BYTES_MAX];

/* The world's signer as an identity; its seed is what world_key() uses. */
static void init(size_t certificates_n)
{
    const struct actor *chain[] = {&world.signer, &world.commune,
                                   &world.province};
    uint8_t seed[32] = {4, 0x10, 0xa};

    world_init(&world);
    memset(&id, 0, sizeof id);
    memcpy(id.root, world.root.public_key, LOA_KEY_BYTES);
    id.root_known = true;
    memcpy(id.seed, seed, sizeof seed);
    id.key = world.signer.key;
    id.leaf = world.signer.c;
    for (size_t i = 0; i < certificates_n; i++)
        id.certificates[i] = chain[i]->cert;
    id.certificates_n = certificates_n;
}

static int parse(const char *s, size_t *line)
{
    return loa_identity_parse(s, strlen(s), &back, line);
}

static void test_round(void)
{
    size_t line;

    init(3);
    CHECK_INT("format", loa_identity_format(&id, text, sizeof text), LOA_OK);
    CHECK_INT("parse", parse(text, &line), LOA_OK);
    CHECK_INT("root", memcmp(back.root, id.root, LOA_KEY_BYTES), 0);
    CHECK_INT("root", back.root_known, 1);
    CHECK_INT("key", memcmp(&back.key, &id.key, sizeof id.key), 0);
    CHECK_INT("leaf", strcmp(back.leaf.principal, "lan"), 0);
    CHECK_INT("leaf lends nothing", back.leaf.signature == NULL, 1);
    CHECK_INT("chain", back.certificates_n, 3);
    CHECK_INT("chain", back.certificates[2].len, world.province.cert.len);
    CHECK_INT("signer", loa_identity_signer(&back).key == &back.key, 1);
    CHECK_INT("signer", loa_identity_signer(&back).certificates_n, 3);
    for (size_t cap = 0; cap <= strlen(text); cap++)
        CHECK_INT("no room", loa_identity_format(&id, text + 4000, cap),
                  LOA_ENOSPC);

    init(0);
    id.root_known = false;
    CHECK_INT("bare", loa_identity_format(&id, text, sizeof text), LOA_OK);
    CHECK_INT("bare", parse(text, &line), LOA_OK);
    CHECK_INT("bare", back.root_known, 0);
    CHECK_INT("bare", back.certificates_n, 0);
}

/* --- malformed files ------------------------------------------------------ */

#define MAGIC "loa-identity 1\n"
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SECRET "secret " KEY "\n"

static const struct {
    const char *name, *text;
    int rv;
    size_t line;
} rows[] = {
    {"shortest", MAGIC SECRET, LOA_OK, 2},
    {"no last line end", MAGIC "secret " KEY, LOA_OK, 2},
    {"secret before root", MAGIC SECRET "root " KEY "\n", LOA_OK, 3},
    {"empty", "", LOA_EINVAL, 1},
    {"another file", "-----BEGIN\n", LOA_EINVAL, 1},
    {"another version", "loa-identity 2\n" SECRET, LOA_EINVAL, 1},
    {"no secret", MAGIC "root " KEY "\n", LOA_EINVAL, 2},
    {"two secrets", MAGIC SECRET SECRET, LOA_EINVAL, 3},
    {"two roots", MAGIC "root " KEY "\nroot " KEY "\n" SECRET, LOA_EINVAL, 3},
    {"short secret", MAGIC "secret AAAA\n", LOA_EINVAL, 2},
    {"long secret", MAGIC "secret " KEY "AAA\n", LOA_EINVAL, 2},
    {"short root", MAGIC "root AAAA\n" SECRET, LOA_EINVAL, 2},
    {"long root", MAGIC "root " KEY "AAA\n" SECRET, LOA_EINVAL, 2},
    {"padding", MAGIC "secret " KEY "=\n", LOA_EINVAL, 2},
    {"no value", MAGIC "secret \n", LOA_EINVAL, 2},
    {"unknown word", MAGIC SECRET "colour blue\n", LOA_EINVAL, 3},
    {"empty line", MAGIC "\n" SECRET, LOA_EINVAL, 2},
    {"carriage return", MAGIC "secret " KEY "\r\n", LOA_EINVAL, 2},
    {"no certificate", MAGIC "certificate AAAA\n" SECRET, LOA_EINVAL, 2},
    {"no base64", MAGIC "certificate !\n" SECRET, LOA_EINVAL, 2},
};

static void test_rows(void)
{
    size_t line;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(rows[i].name, parse(rows[i].text, &line), rows[i].rv);
        CHECK_INT(rows[i].name, line, rows[i].line);
    }
    CHECK_INT("NUL", loa_identity_parse("loa\0identity 1", 14, &back, &line),
              LOA_EINVAL);
    memset(text, 'x', sizeof text);
    memcpy(text, MAGIC, sizeof MAGIC - 1);
    CHECK_INT("long line",
              loa_identity_parse(text, sizeof text - 1, &back, &line),
              LOA_EINVAL);
    CHECK_INT("long line", line, 2);
    CHECK_INT(
        "long file",
        loa_identity_parse(text, LOA_IDENTITY_BYTES_MAX + 1, &back, &line),
        LOA_EINVAL);
}

static void test_chain(void)
{
    size_t line;

    init(3);
    id.seed[0] = 9;
    CHECK_INT("format", loa_identity_format(&id, text, sizeof text), LOA_OK);
    CHECK_INT("not the key's", parse(text, &line), LOA_EINVAL);

    init(3);
    for (size_t i = 1; i < LOA_CHAIN_MAX; i++)
        id.certificates[i] = world.commune.cert;
    id.certificates_n = LOA_CHAIN_MAX;
    CHECK_INT("six", loa_identity_format(&id, text, sizeof text), LOA_OK);
    CHECK_INT("six", parse(text, &line), LOA_OK);
    /* The first line of certificates once more, at the end. */
    char *from = strstr(text, "certificate "), *end = text + strlen(text);
    size_t len = (size_t)(strstr(from, "\n") + 1 - from);
    memcpy(end, from, len);
    end[len] = '\0';
    CHECK_INT("seven", parse(text, &line), LOA_EINVAL);
    CHECK_INT("seven", line, 10);
}

/* --- the password --------------------------------------------------------- */

static struct letter letter;
static const uint8_t message_id[LOA_ID_BYTES] = {5};

static void unpack_password(const char *password)
{
    CHECK_INT(
        "base64",
        loa_unbase64(password, letter.bytes, sizeof letter.bytes, &letter.len),
        LOA_OK);
    letter_parse(&letter);
}

static void test_password(void)
{
    static struct loa_trust trust;
    char password[LOA_PASSWORD_CAP];
    struct loa_expect want = {
        .type = LOA_TYPE_LOGIN, .now_ms = WORLD_NOW_MS, .time_trusted = true};
    struct loa_identity_claim who;
    Loa__V1__Login *m;

    init(3);
    loa_trust_init(&trust, world.root.public_key);
    CHECK_INT("make",
              loa_identity_password(&id, "broker_08", "lan-pc", message_id,
                                    WORLD_NOW_MS, password, sizeof password),
              LOA_OK);
    unpack_password(password);
    CHECK_INT("believed", loa_trust_verify(&trust, &letter.e, &want, &who),
              LOA_VERDICT_OK);
    CHECK_INT("who", strcmp(who.certificate.principal, "lan"), 0);
    CHECK_INT("area", strcmp(letter.e.header.area, "vn/08/070"), 0);
    m = loa__v1__login__unpack(&letter.arena.allocator,
                               letter.e.header.body.len,
                               letter.e.header.body.data);
    CHECK_INT("body", m != NULL, 1);
    CHECK_INT("broker", strcmp(m->broker, "broker_08"), 0);
    CHECK_INT("client", strcmp(m->client_id, "lan-pc"), 0);
    want.now_ms += LOA_LOGIN_MS;
    CHECK_INT("a minute later",
              loa_trust_verify(&trust, &letter.e, &want, NULL),
              LOA_VERDICT_EXPIRED);

    CHECK_INT("no room",
              loa_identity_password(&id, "b", "lan", message_id, WORLD_NOW_MS,
                                    password, 100),
              LOA_ENOSPC);
    CHECK_INT("before 1970",
              loa_identity_password(&id, "b", "lan", message_id, -1, password,
                                    sizeof password),
              LOA_EINVAL);
    memset(text, 'b', 300);
    text[300] = '\0';
    CHECK_INT("a broker's life story",
              loa_identity_password(&id, text, "lan", message_id, WORLD_NOW_MS,
                                    password, sizeof password),
              LOA_ENOSPC);

    init(0);
    CHECK_INT("enrolling",
              loa_identity_password(&id, "b", "enrol_1", message_id,
                                    WORLD_NOW_MS, password, sizeof password),
              LOA_OK);
    unpack_password(password);
    CHECK_INT("enrolling", strcmp(letter.e.header.area, LOA_ENROL_AREA), 0);
    CHECK_INT("enrolling", loa_envelope_self_signed(&letter.e), 1);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_round();
    test_rows();
    test_chain();
    test_password();
    return CHECK_DONE();
}
