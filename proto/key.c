#include "proto/key.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define SIGN_PREFIX "loa/1/"
#define SIGN_NAME_LEN_MAX 32
#define SIGN_DATA_LEN_MAX 65536

/* Plain Ed25519 wants its message in one piece, so that piece is put together
 * here, on the stack: no allocation, and any thread may sign or verify. */
struct sign_input {
    uint8_t bytes[sizeof SIGN_PREFIX + SIGN_NAME_LEN_MAX + SIGN_DATA_LEN_MAX];
    size_t len;
};

static void sign_input_init(struct sign_input *in,
                            const char *name,
                            struct loa_bytes data)
{
    size_t prefix_len = sizeof SIGN_PREFIX - 1;
    size_t name_len = strlen(name);

    assert(name_len <= SIGN_NAME_LEN_MAX && data.len <= SIGN_DATA_LEN_MAX);
    memcpy(in->bytes, SIGN_PREFIX, prefix_len);
    memcpy(in->bytes + prefix_len, name, name_len + 1);
    in->len = prefix_len + name_len + 1;
    if (data.len > 0)
        memcpy(in->bytes + in->len, data.data, data.len);
    in->len += data.len;
}

void loa_key_from_seed(struct loa_key *k, const uint8_t seed[32])
{
    crypto_sign_ed25519_seed_keypair(k->public_key, k->secret, seed);
}

void loa_sign(const struct loa_key *k,
              const char *name,
              struct loa_bytes data,
              uint8_t signature[LOA_SIGNATURE_BYTES])
{
    struct sign_input in;

    sign_input_init(&in, name, data);
    crypto_sign_ed25519_detached(signature, NULL, in.bytes, in.len, k->secret);
}

bool loa_sign_verify(const uint8_t key[LOA_KEY_BYTES],
                     const char *name,
                     struct loa_bytes data,
                     const uint8_t signature[LOA_SIGNATURE_BYTES])
{
    struct sign_input in;

    if (data.len > SIGN_DATA_LEN_MAX)
        return false;
    sign_input_init(&in, name, data);
    return crypto_sign_ed25519_verify_detached(signature, in.bytes, in.len,
                                               key) == 0;
}

void loa_hash(struct loa_bytes data, uint8_t out[LOA_HASH_BYTES])
{
    crypto_generichash(out, LOA_HASH_BYTES, data.data, data.len, NULL, 0);
}

uint64_t loa_key_number(const uint8_t key[LOA_KEY_BYTES])
{
    static const char prefix[] = "loa/1/key";
    uint8_t text[sizeof prefix + LOA_KEY_BYTES], hash[LOA_HASH_BYTES];
    uint64_t number = 0;

    memcpy(text, prefix, sizeof prefix);
    memcpy(text + sizeof prefix, key, LOA_KEY_BYTES);
    loa_hash((struct loa_bytes){text, sizeof text}, hash);
    for (size_t i = 0; i < sizeof number; i++)
        number = number << 8 | hash[i];
    return number | (uint64_t)1 << 63;
}

void loa_hex(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int loa_unhex(const char *text, uint8_t *out, size_t len)
{
    /* A text that is too short ends at its NUL, which is no digit. */
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return LOA_EINVAL;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * len] == '\0' ? LOA_OK : LOA_EINVAL;
}

#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

int loa_base64(struct loa_bytes data, char *out, size_t cap)
{
    if (data.len > SIZE_MAX / 2 ||
        sodium_base64_encoded_len(data.len, BASE64_VARIANT) > cap)
        return LOA_ENOSPC;
    sodium_bin2base64(out, cap, data.data, data.len, BASE64_VARIANT);
    return LOA_OK;
}

int loa_unbase64(const char *text, uint8_t *out, size_t cap, size_t *len)
{
    size_t text_len = strlen(text);

    /* Four digits are three bytes; libsodium does not say which of the two
     * errors it met, so the room is compared first. */
    if (text_len / 4 * 3 + text_len % 4 * 3 / 4 > cap)
        return LOA_ENOSPC;
    if (sodium_base642bin(out, cap, text, text_len, NULL, len, NULL,
                          BASE64_VARIANT) != 0)
        return LOA_EINVAL;
    return LOA_OK;
}
