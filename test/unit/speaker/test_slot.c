/* A record kept twice: whatever happens to one byte, or one file, nothing is
 * taken back. */

#include <string.h>

#include "check.h"
#include "speaker/slot.h"

static uint8_t a[256], b[256], copy[256];
static size_t a_len, b_len;

static struct loa_bytes bytes(const uint8_t *p, size_t len)
{
    return (struct loa_bytes){p, len};
}

static void write_slot(uint8_t *to, size_t *len, uint64_t sequence)
{
    char text[32];
    int n = snprintf(text, sizeof text, "counter=%llu",
                     (unsigned long long)sequence);

    CHECK_INT(
        "encode",
        slot_encode(sequence, bytes((uint8_t *)text, (size_t)n), to, 256, len),
        LOA_OK);
}

/* The sequence that is read, 0 if none is. */
static uint64_t chosen(struct loa_bytes x, struct loa_bytes y)
{
    struct loa_bytes payload;
    uint64_t sequence;

    return slot_choose(x, y, &sequence, &payload) == LOA_OK ? sequence : 0;
}

static void test_every_damage_to_one(void)
{
    write_slot(a, &a_len, 7);
    write_slot(b, &b_len, 7);
    for (size_t i = 0; i < a_len; i++) {
        CHECK_INT("cut a", chosen(bytes(a, i), bytes(b, b_len)), 7);
        CHECK_INT("cut b", chosen(bytes(a, a_len), bytes(b, i)), 7);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, a, a_len);
            copy[i] ^= (uint8_t)(1 << bit);
            CHECK_INT("alone", chosen(bytes(copy, a_len), bytes(b, 0)), 0);
            CHECK_INT("flip a", chosen(bytes(copy, a_len), bytes(b, b_len)), 7);
            CHECK_INT("flip b", chosen(bytes(b, b_len), bytes(copy, a_len)), 7);
        }
    }
}

/* The power goes while 8 is written over 7: a may have any mixture of both. */
static void test_every_torn_write(void)
{
    uint8_t old[256];
    size_t old_len;

    write_slot(old, &old_len, 7);
    write_slot(b, &b_len, 7);
    write_slot(a, &a_len, 8);
    for (size_t i = 0; i <= a_len; i++) {
        memcpy(copy, old, old_len);
        memcpy(copy, a, i);
        CHECK_INT("torn", chosen(bytes(copy, a_len), bytes(b, b_len)),
                  i == a_len ? 8 : 7);
    }
    for (size_t i = 0; i <= b_len; i++) { /* Then b is written over. */
        memcpy(copy, b, b_len);
        memcpy(copy, a, i);
        CHECK_INT("torn later", chosen(bytes(a, a_len), bytes(copy, b_len)), 8);
    }
}

static void test_limits(void)
{
    uint8_t small[SLOT_OVERHEAD + 3];
    size_t len;

    CHECK_INT("fits", slot_encode(1, bytes(a, 3), small, sizeof small, &len),
              LOA_OK);
    CHECK_INT("does not",
              slot_encode(1, bytes(a, 4), small, sizeof small, &len),
              LOA_ENOSPC);
    CHECK_INT("empty payload",
              slot_encode(1, bytes(a, 0), small, sizeof small, &len), LOA_OK);
    CHECK_INT("is read", chosen(bytes(small, len), bytes(small, 0)), 1);
    CHECK_INT("nothing", chosen(bytes(small, 0), bytes(small, 0)), 0);
    write_slot(a, &a_len, 5);
    write_slot(b, &b_len, 6);
    CHECK_INT("the newer", chosen(bytes(a, a_len), bytes(b, b_len)), 6);
    CHECK_INT("the newer", chosen(bytes(b, b_len), bytes(a, a_len)), 6);
}

int main(void)
{
    test_every_damage_to_one();
    test_every_torn_write();
    test_limits();
    return CHECK_DONE();
}
