/* Codes and proofs of enrolment. The expected bytes were made with Python's
 * hashlib.blake2b, not with this code. */

#include <string.h>

#include "check.h"
#include "proto/enrol.h"

static void test_code(void)
{
    static const struct {
        const char *name;
        uint8_t random[LOA_CODE_RANDOM_BYTES];
        const char *want;
    } rows[] = {
        {"zeros", {0}, "0000-0000-0000-0000"},
        {"ones",
         {255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
         "ZZZZ-ZZZZ-ZZZZ-ZZZZ"},
        {"rising",
         {0, 68, 50, 20, 199, 66, 84, 182, 53, 207},
         "0123-4567-89AB-CDEF"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[LOA_CODE_CAP];
        loa_enrol_code(rows[i].random, got);
        CHECK_INT(rows[i].name, strcmp(got, rows[i].want), 0);
    }
}

static void test_key(void)
{
    static const struct {
        const char *name, *text;
        int want;
        bool same; /* As "0123-4567-89AB-CDEF". */
    } rows[] = {
        {"as shown", "0123-4567-89AB-CDEF", LOA_OK, true},
        {"no dashes", "0123456789ABCDEF", LOA_OK, true},
        {"lower case", "0123-4567-89ab-cdef", LOA_OK, true},
        {"letters for digits", "OI23 4567 89AB CDEF", LOA_OK, true},
        {"l for 1", "ol23 4567 89AB CDEF", LOA_OK, true},
        {"another", "0123-4567-89AB-CDEG", LOA_OK, false},
        {"short", "0123-4567-89AB-CDE", LOA_EINVAL, false},
        {"long", "0123-4567-89AB-CDEF0", LOA_EINVAL, false},
        {"U is no character", "U123-4567-89AB-CDEF", LOA_EINVAL, false},
        {"other dash", "0123_4567-89AB-CDEF", LOA_EINVAL, false},
        {"Vietnamese", "Đ123-4567-89AB-CDEF", LOA_EINVAL, false},
        {"empty", "", LOA_EINVAL, false},
    };
    uint8_t want[LOA_HASH_BYTES], got[LOA_HASH_BYTES];

    CHECK_INT(
        "key",
        loa_unhex(
            "b683809a1b485c07b19cdd95ed096fe2d9eacb1f0659f5ba8f6e1bd133b27721",
            want, sizeof want),
        LOA_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(got, 0, sizeof got);
        CHECK_INT(rows[i].name, loa_enrol_key(rows[i].text, got), rows[i].want);
        CHECK_INT(rows[i].name, loa_proof_equal(got, want), rows[i].same);
    }
}

static void test_proofs(void)
{
    uint8_t key[32], device_key[32], root[32], want[32], got[32];
    char long_text[LOA_ENROL_SERIAL_MAX + 2];

    CHECK_INT("key", loa_enrol_key("0123-4567-89AB-CDEF", key), LOA_OK);
    for (int i = 0; i < 32; i++) {
        device_key[i] = (uint8_t)i;
        root[i] = (uint8_t)(100 + i);
    }
    CHECK_INT(
        "hex",
        loa_unhex(
            "8126df16840d1b83bf990751249ea9a1b70966857cca2fa828c2eb8c8ab95753",
            want, 32),
        LOA_OK);
    CHECK_INT("proof", loa_enrol_proof(key, "loa_1", "SN-7", device_key, got),
              LOA_OK);
    CHECK_INT("proof", memcmp(got, want, 32), 0);
    CHECK_INT(
        "hex",
        loa_unhex(
            "aad10c3a222151bb375c840621f7de6ae42d3f63228b48fe472f8a9d5aac436f",
            want, 32),
        LOA_OK);
    loa_enrolled_proof(key, device_key, root, got);
    CHECK_INT("enrolled", memcmp(got, want, 32), 0);

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    CHECK_INT("long device",
              loa_enrol_proof(key, long_text, "", device_key, got), LOA_EINVAL);
    CHECK_INT("long serial",
              loa_enrol_proof(key, "", long_text, device_key, got), LOA_EINVAL);
    CHECK_INT("longest",
              loa_enrol_proof(key, long_text + 1, "", device_key, got), LOA_OK);
}

int main(void)
{
    test_code();
    test_key();
    test_proofs();
    return CHECK_DONE();
}
