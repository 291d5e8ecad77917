/* link: */
/* Properties: a certificate that parses can be issued again, and parses to the
 * same fields; nothing in it lies outside of what was given; whatever does not
 * parse says so without touching anything else. */

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "proto/certificate.h"
#include "proto/text.h"
#include "test/fuzz/mutator.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct loa_key key;

static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    (void)data;
    (void)chance;
    return mutator_whole(len, 0, &loa__v1__certificate__descriptor, part);
}

static size_t seed(uint64_t chance, uint8_t *out, size_t cap)
{
    struct loa_certificate c = {.serial = 1,
                                .subject = {1},
                                .principal = "lan",
                                .name = "Nguyễn Thị Lan",
                                .role = (enum loa_role)(1 + chance % 5),
                                .area = "vn/08/070",
                                .powers = LOA_POWER_COMMAND,
                                .not_after_ms = 1};
    size_t len = 0;
    int rv;

    if (c.role == LOA_ROLE_SERVICE)
        strcpy(c.service, "scheduler");
    rv = loa_certificate_issue(&c, &key, out, cap, &len);
    assert(rv == LOA_OK);
    return len;
}

static const struct mutator_key keys[] = {{&key, NULL, 0}};
static const struct mutator mutator = {find, seed, keys, 1};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t seed[32] = {1};

    (void)argc;
    (void)argv;
    assert(sodium_init() >= 0);
    loa_key_from_seed(&key, seed);
    return 0;
}

static int parse(struct loa_bytes p, struct loa_certificate *c)
{
    static _Alignas(16) uint8_t room[2048];
    struct loa_arena arena;

    loa_arena_init(&arena, room, sizeof room);
    return loa_certificate_parse(&arena, p, c);
}

static void check_fields(const struct loa_certificate *c)
{
    assert(loa_principal_valid(c->principal) && loa_area_valid(c->area));
    assert(loa_line_valid(c->name, LOA_NAME_CAP - 1));
    assert(c->role >= LOA_ROLE_AUTHORITY && c->role <= LOA_ROLE_BRIDGE);
    assert((c->role == LOA_ROLE_SERVICE) == (c->service[0] != '\0'));
    assert(c->powers <= LOA_POWERS_ALL && c->max_depth <= 7);
    assert(c->not_before_ms >= 0 && c->not_before_ms < c->not_after_ms);
    assert(c->body.len > 0 && c->signature != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct loa_certificate c, back;
    uint8_t buf[LOA_CERTIFICATE_BYTES_MAX];
    size_t buf_len;

    if (parse((struct loa_bytes){data, len}, &c) != LOA_OK)
        return 0;
    check_fields(&c);
    c.body = (struct loa_bytes){NULL, 0};
    c.signature = NULL;
    assert(loa_certificate_issue(&c, &key, buf, sizeof buf, &buf_len) ==
           LOA_OK);
    assert(parse((struct loa_bytes){buf, buf_len}, &back) == LOA_OK);
    assert(loa_sign_verify(key.public_key, "certificate", back.body,
                           back.signature));
    back.body = c.body;
    back.signature = c.signature;
    assert(memcmp(&back, &c, sizeof c) == 0);
    return 0;
}
