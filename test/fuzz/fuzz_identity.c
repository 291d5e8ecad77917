/* link: */
/* Properties: a file that parses is written again to a file that parses to the
 * same identity; one that does not names a line that it has, or the next. */

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "proto/identity.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    return 0;
}

static size_t lines(const uint8_t *data, size_t len)
{
    size_t n = 1;

    for (size_t i = 0; i < len; i++)
        n += data[i] == '\n';
    return n;
}

static void check_same(const struct loa_identity *a,
                       const struct loa_identity *b)
{
    assert(a->root_known == b->root_known);
    assert(memcmp(a->root, b->root, LOA_KEY_BYTES) == 0);
    assert(memcmp(&a->key, &b->key, sizeof a->key) == 0);
    assert(memcmp(a->seed, b->seed, sizeof a->seed) == 0);
    assert(memcmp(&a->leaf, &b->leaf, sizeof a->leaf) == 0);
    assert(a->certificates_n == b->certificates_n);
    for (size_t i = 0; i < a->certificates_n; i++) {
        assert(a->certificates[i].len == b->certificates[i].len);
        assert(memcmp(a->certificates[i].data, b->certificates[i].data,
                      a->certificates[i].len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct loa_identity id, back;
    static const uint8_t message_id[LOA_ID_BYTES] = {1};
    char text[LOA_IDENTITY_BYTES_MAX], password[LOA_PASSWORD_CAP];
    size_t line = 0;

    if (loa_identity_parse((const char *)data, len, &id, &line) != LOA_OK) {
        assert(line >= 1 && line <= lines(data, len));
        return 0;
    }
    assert(id.certificates_n <= LOA_CHAIN_MAX);
    assert(loa_identity_format(&id, text, sizeof text) == LOA_OK);
    assert(loa_identity_parse(text, strlen(text), &back, &line) == LOA_OK);
    check_same(&id, &back);
    (void)!loa_identity_password(&id, "broker", "client", message_id, 1,
                                 password, sizeof password);
    return 0;
}
