#include "proto/enrol.h"

#include <sodium.h>
#include <string.h>

#define CODE_LEN 16

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void loa_enrol_code(const uint8_t random[LOA_CODE_RANDOM_BYTES],
                    char out[LOA_CODE_CAP])
{
    size_t at = 0;

    for (size_t i = 0; i < CODE_LEN; i++) {
        unsigned bits = 0;

        for (size_t k = 0; k < 5; k++) {
            size_t bit = 5 * i + k;
            bits =
                bits << 1 | ((unsigned)random[bit / 8] >> (7 - bit % 8) & 1u);
        }
        if (i != 0 && i % 4 == 0)
            out[at++] = '-';
        out[at++] = alphabet[bits];
    }
    out[at] = '\0';
}

/* The character of Crockford's alphabet that c means, or 0. */
static char canonical(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        return '0';
    if (c == 'I' || c == 'L')
        return '1';
    return c != '\0' && strchr(alphabet, c) != NULL ? c : '\0';
}

int loa_enrol_key(const char *text, uint8_t key[LOA_HASH_BYTES])
{
    uint8_t code[CODE_LEN];
    size_t n = 0;

    for (; *text != '\0'; text++) {
        char c = canonical(*text);

        if (*text == '-' || *text == ' ')
            continue;
        if (c == '\0' || n == CODE_LEN)
            return LOA_EINVAL;
        code[n++] = (uint8_t)c;
    }
    if (n != CODE_LEN)
        return LOA_EINVAL;
    loa_hash((struct loa_bytes){code, sizeof code}, key);
    return LOA_OK;
}

static void add(crypto_generichash_state *st, const void *data, size_t len)
{
    crypto_generichash_update(st, data, len);
}

/* With their final 0, which parts one text from the next. */
static void add_text(crypto_generichash_state *st, const char *text)
{
    add(st, text, strlen(text) + 1);
}

int loa_enrol_proof(const uint8_t key[LOA_HASH_BYTES],
                    const char *device,
                    const char *serial,
                    const uint8_t device_key[LOA_KEY_BYTES],
                    uint8_t out[LOA_HASH_BYTES])
{
    crypto_generichash_state st;

    if (strnlen(device, LOA_ENROL_SERIAL_MAX + 1) > LOA_ENROL_SERIAL_MAX ||
        strnlen(serial, LOA_ENROL_SERIAL_MAX + 1) > LOA_ENROL_SERIAL_MAX)
        return LOA_EINVAL;
    crypto_generichash_init(&st, key, LOA_HASH_BYTES, LOA_HASH_BYTES);
    add_text(&st, "loa/1/enrol");
    add_text(&st, device);
    add_text(&st, serial);
    add(&st, device_key, LOA_KEY_BYTES);
    crypto_generichash_final(&st, out, LOA_HASH_BYTES);
    return LOA_OK;
}

void loa_enrolled_proof(const uint8_t key[LOA_HASH_BYTES],
                        const uint8_t device_key[LOA_KEY_BYTES],
                        const uint8_t root[LOA_KEY_BYTES],
                        uint8_t out[LOA_HASH_BYTES])
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, key, LOA_HASH_BYTES, LOA_HASH_BYTES);
    add_text(&st, "loa/1/enrolled");
    add(&st, device_key, LOA_KEY_BYTES);
    add(&st, root, LOA_KEY_BYTES);
    crypto_generichash_final(&st, out, LOA_HASH_BYTES);
}

bool loa_proof_equal(const uint8_t a[LOA_HASH_BYTES],
                     const uint8_t b[LOA_HASH_BYTES])
{
    return sodium_memcmp(a, b, LOA_HASH_BYTES) == 0;
}
