/* Keys against the vectors of RFC 8032, the hash against another
 * implementation, text forms against RFC 4648. */

#include <sodium.h>
#include <string.h>

#include "check.h"
#include "proto/key.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct loa_bytes bytes(const char *s)
{
    return (struct loa_bytes){(const uint8_t *)s, strlen(s)};
}

/* --- RFC 8032 section 7.1 ----------------------------------------------------
 */

static const struct vector {
    const char *name, *seed, *public_key, *message, *signature;
} vectors[] = {
    {"test 1",
     "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb882159"
     "0"
     "a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"test 2",
     "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43"
     "e"
     "15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"test 3",
     "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538"
     "d"
     "16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void test_rfc8032(void)
{
    for (size_t i = 0; i < N(vectors); i++) {
        const struct vector *v = &vectors[i];
        size_t len = strlen(v->message) / 2;
        uint8_t seed[32], message[8], signature[LOA_SIGNATURE_BYTES];
        char hex[2 * LOA_SIGNATURE_BYTES + 1];
        struct loa_key k;

        CHECK_INT(v->name, loa_unhex(v->seed, seed, sizeof seed), LOA_OK);
        CHECK_INT(v->name, loa_unhex(v->message, message, len), LOA_OK);
        loa_key_from_seed(&k, seed);
        loa_hex(k.public_key, sizeof k.public_key, hex);
        CHECK_INT(v->name, strcmp(hex, v->public_key), 0);
        /* Our keys with no prefix of ours: the algorithm alone. */
        crypto_sign_ed25519_detached(signature, NULL, message, len, k.secret);
        loa_hex(signature, sizeof signature, hex);
        CHECK_INT(v->name, strcmp(hex, v->signature), 0);
    }
}

/* --- our prefix ----------------------------------------------------------- */

static void test_prefix(void)
{
    uint8_t seed[32] = {1}, ours[LOA_SIGNATURE_BYTES],
            plain[LOA_SIGNATURE_BYTES];
    struct loa_key k, other;
    struct loa_bytes data = bytes("data");

    loa_key_from_seed(&k, seed);
    seed[0] = 2;
    loa_key_from_seed(&other, seed);
    loa_sign(&k, "head", data, ours);
    crypto_sign_ed25519_detached(
        plain, NULL, (const uint8_t *)"loa/1/head\0data", 15, k.secret);
    CHECK_INT("what is signed", memcmp(ours, plain, sizeof ours), 0);

    CHECK_INT("holds", loa_sign_verify(k.public_key, "head", data, ours), 1);
    CHECK_INT("other type", loa_sign_verify(k.public_key, "hea", data, ours),
              0);
    CHECK_INT("other data",
              loa_sign_verify(k.public_key, "head", bytes("dataa"), ours), 0);
    CHECK_INT("other key",
              loa_sign_verify(other.public_key, "head", data, ours), 0);
    ours[10] ^= 1;
    CHECK_INT("bent", loa_sign_verify(k.public_key, "head", data, ours), 0);

    data.len = 0;
    loa_sign(&k, "head", data, ours);
    data.data = NULL;
    CHECK_INT("empty", loa_sign_verify(k.public_key, "head", data, ours), 1);
}

static void test_long(void)
{
    static uint8_t data[65537];
    uint8_t seed[32] = {1}, signature[LOA_SIGNATURE_BYTES];
    struct loa_key k;

    loa_key_from_seed(&k, seed);
    loa_sign(&k, "programme", (struct loa_bytes){data, 65536}, signature);
    CHECK_INT("longest",
              loa_sign_verify(k.public_key, "programme",
                              (struct loa_bytes){data, 65536}, signature),
              1);
    CHECK_INT("too long",
              loa_sign_verify(k.public_key, "programme",
                              (struct loa_bytes){data, 65537}, signature),
              0);
}

/* Ed25519's weak keys verify anything; libsodium refuses them. */
static void test_weak_key(void)
{
    uint8_t zero[LOA_KEY_BYTES] = {0}, one[LOA_KEY_BYTES] = {1};
    uint8_t signature[LOA_SIGNATURE_BYTES] = {1};

    CHECK_INT("zero", loa_sign_verify(zero, "head", bytes("x"), signature), 0);
    CHECK_INT("one", loa_sign_verify(one, "head", bytes("x"), signature), 0);
}

static void test_hash(void)
{
    uint8_t out[LOA_HASH_BYTES];
    char hex[2 * LOA_HASH_BYTES + 1];

    loa_hash(bytes("abc"), out);
    loa_hex(out, sizeof out, hex);
    CHECK_INT("BLAKE2b-256",
              strcmp(hex,
                     "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262"
                     "c8c068d52319"),
              0);
}

/* Numbers stand on lists for years: they never change. */
static void test_number(void)
{
    uint8_t key[LOA_KEY_BYTES] = {0};

    CHECK_INT("zeros", loa_key_number(key) == 0x91896b843324324cu, 1);
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = i;
    CHECK_INT("rising", loa_key_number(key) == 0xade35213336a82b8u, 1);
    for (int i = 0; i < 64; i++) {
        key[0] = (uint8_t)i;
        CHECK_INT("no serial of ours", loa_key_number(key) >> 63, 1);
    }
}

/* --- text ----------------------------------------------------------------- */

static const struct {
    const char *text;
    size_t len;
    int rv;
} hex_rows[] = {
    {"", 0, LOA_OK},         {"00ff", 2, LOA_OK},      {"aBCd", 2, LOA_OK},
    {"00f", 2, LOA_EINVAL},  {"00ff0", 2, LOA_EINVAL}, {"00fg", 2, LOA_EINVAL},
    {"0 ff", 2, LOA_EINVAL}, {"", 1, LOA_EINVAL},      {"@0", 1, LOA_EINVAL},
    {"`0", 1, LOA_EINVAL},   {"0G", 1, LOA_EINVAL},    {"0/", 1, LOA_EINVAL},
    {"0:", 1, LOA_EINVAL},
};

static const struct {
    const char *text;
    size_t cap;
    int rv;
    size_t len;
} base64_rows[] = {
    {"", 0, LOA_OK, 0},           {"Zg", 1, LOA_OK, 1},
    {"Zm8", 2, LOA_OK, 2},        {"Zm9v", 3, LOA_OK, 3},
    {"-_-_", 3, LOA_OK, 3},       {"Zm9v", 2, LOA_ENOSPC, 0},
    {"Zg", 0, LOA_ENOSPC, 0},     {"Zg==", 9, LOA_EINVAL, 0},
    {"+/+/", 9, LOA_EINVAL, 0},   {"Zm9", 9, LOA_EINVAL, 0},
    {"Z", 9, LOA_EINVAL, 0},      {"Zm 9v", 9, LOA_EINVAL, 0},
    {"Zm9v\n", 9, LOA_EINVAL, 0}, {"Zh", 9, LOA_EINVAL, 0},
};

static void test_text(void)
{
    uint8_t out[16];
    char text[16];
    size_t len;

    for (size_t i = 0; i < N(hex_rows); i++)
        CHECK_INT(hex_rows[i].text,
                  loa_unhex(hex_rows[i].text, out, hex_rows[i].len),
                  hex_rows[i].rv);
    for (size_t i = 0; i < N(base64_rows); i++) {
        const char *name = base64_rows[i].text;
        int rv = loa_unbase64(name, out, base64_rows[i].cap, &len);

        CHECK_INT(name, rv, base64_rows[i].rv);
        if (rv != LOA_OK)
            continue;
        CHECK_INT(name, len, base64_rows[i].len);
        CHECK_INT(name,
                  loa_base64((struct loa_bytes){out, len}, text, sizeof text),
                  LOA_OK);
        CHECK_INT(name, strcmp(text, name), 0);
        CHECK_INT(name,
                  loa_base64((struct loa_bytes){out, len}, text, strlen(name)),
                  LOA_ENOSPC);
    }
    CHECK_INT("beyond counting",
              loa_base64((struct loa_bytes){out, SIZE_MAX}, text, sizeof text),
              LOA_ENOSPC);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_rfc8032();
    test_prefix();
    test_long();
    test_weak_key();
    test_hash();
    test_number();
    test_text();
    return CHECK_DONE();
}
