/* mutator.h -- for harnesses whose input is protobuf, or holds some: it is
 * changed field by field, what was signed is signed again, and an empty input
 * becomes a genuine message.
 *
 * The harness defines `mutator` (see below) and includes this first. A quarter
 * of the changes stays with libFuzzer's own, which also break the framing. */

#ifndef LOA_FUZZ_MUTATOR_H
#define LOA_FUZZ_MUTATOR_H

#include <assert.h>
#include <stdlib.h>

#include "proto/envelope.h"
#include "test/attack/bend.h"

#define MUTATOR_LEN_MAX 65536

/* The message in an input, and the field in front of it that has its length. */
struct mutator_part {
    const ProtobufCMessageDescriptor *type;
    size_t at, len;
    enum { LEN_NONE, LEN_BIG, LEN_LITTLE } prefix; /* 2 bytes before `at`. */
};

struct mutator_key {
    const struct loa_key *key;
    const struct loa_bytes *certificates; /* What leads it to the root. */
    size_t certificates_n;
};

struct mutator {
    /* Where a message is; `chance` chooses if there are several. */
    bool (*find)(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part);
    /* Write a whole genuine input; its length. NULL: there is none. */
    size_t (*seed)(uint64_t chance, uint8_t *out, size_t cap);
    const struct mutator_key *keys;
    size_t keys_n;
};
static const struct mutator mutator;

size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t cap);
size_t LLVMFuzzerCustomMutator(uint8_t *data,
                               size_t len,
                               size_t cap,
                               unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a,
                                 size_t a_len,
                                 const uint8_t *b,
                                 size_t b_len,
                                 uint8_t *out,
                                 size_t cap,
                                 unsigned seed);

static struct bender mutator_bender;

/* --- signing again -------------------------------------------------------- */

static const struct mutator_key *mutator_key_of(const struct node *n)
{
    for (size_t i = 0; n != NULL && i < mutator.keys_n; i++)
        if (n->len == LOA_KEY_BYTES &&
            memcmp(mutator.keys[i].key->public_key, n->data, n->len) == 0)
            return &mutator.keys[i];
    return NULL;
}

static struct node *mutator_field(struct node *n, const char *name)
{
    for (; n != NULL; n = n->next) {
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field(n->in, n->number);

        if (f != NULL && strcmp(f->name, name) == 0)
            return n;
    }
    return NULL;
}

/* The bytes of a node as they will be written; in the tree's room. */
static struct loa_bytes mutator_bytes(struct node *n)
{
    size_t len = n->type != NULL ? tree_len(n->child) : n->len;
    uint8_t *p = bend_room(&mutator_bender.tree, len);

    if (p == NULL || len > MUTATOR_LEN_MAX)
        return (struct loa_bytes){NULL, 0};
    if (n->type != NULL)
        tree_write(n->child, p);
    else if (len > 0)
        memcpy(p, n->data, len);
    return (struct loa_bytes){p, len};
}

static void mutator_sign(struct node *signed_node,
                         struct node *signature,
                         const struct mutator_key *by,
                         const char *type)
{
    struct loa_bytes bytes;
    uint8_t *p = bend_room(&mutator_bender.tree, LOA_SIGNATURE_BYTES);

    if (signed_node == NULL || signature == NULL || p == NULL || type == NULL)
        return;
    bytes = mutator_bytes(signed_node);
    if (bytes.data == NULL)
        return;
    loa_sign(by->key, type, bytes, p);
    signature->data = p;
    signature->len = LOA_SIGNATURE_BYTES;
    signature->type = NULL;
}

static const char *mutator_type_name(struct node *inside)
{
    struct node *type = mutator_field(inside, "type");

    return type == NULL || type->value > 64 ? NULL
                                            : loa_type_name((int)type->value);
}

/* By the key that each signature names. Now and then by another of the keys,
 * with what leads that to the root. */
static void mutator_sign_envelope(struct node *list)
{
    struct node *inside = mutator_field(list, "signed"), *n;

    if (inside == NULL || inside->type == NULL)
        return;
    for (n = list; n != NULL; n = n->next) {
        struct node *key = mutator_field(n->child, "key");
        const struct mutator_key *by = mutator_key_of(key);

        if (n->number != 2 || n->type == NULL || key == NULL)
            continue;
        if (bend_below(&mutator_bender, 16) == 0) {
            by = &mutator.keys[bend_below(&mutator_bender, mutator.keys_n)];
            key->data = by->key->public_key;
            key->len = LOA_KEY_BYTES;
        }
        if (by != NULL)
            mutator_sign(inside, mutator_field(n->child, "signature"), by,
                         mutator_type_name(inside->child));
    }
}

/* Inner messages first. What has no key of ours stays as it is. */
static void mutator_sign_all(struct node *list,
                             const ProtobufCMessageDescriptor *in)
{
    for (struct node *n = list; n != NULL; n = n->next)
        if (n->type != NULL && n->child != NULL)
            mutator_sign_all(n->child, n->type);
    if (in == &loa__v1__envelope__descriptor) {
        mutator_sign_envelope(list);
    } else if (in == &loa__v1__certificate__descriptor) {
        struct node *body = mutator_field(list, "body");
        const struct mutator_key *by = mutator_key_of(
            body != NULL ? mutator_field(body->child, "issuer") : NULL);

        if (by != NULL)
            mutator_sign(body, mutator_field(list, "signature"), by,
                         "certificate");
    } else if (in == &loa__v1__audio_packet__descriptor) {
        struct node *body = mutator_field(list, "signed");
        const struct mutator_key *by = mutator_key_of(
            body != NULL ? mutator_field(body->child, "stream_key") : NULL);

        if (by != NULL)
            mutator_sign(body, mutator_field(list, "signature"), by, "packet");
    }
}

/* --- one change ----------------------------------------------------------- */

/* Put the message back into its place. 0: it does not fit. */
static size_t mutator_put(const struct mutator_part *part,
                          const struct node *top,
                          uint8_t *data,
                          size_t len,
                          size_t cap)
{
    static uint8_t out[MUTATOR_LEN_MAX];
    size_t now = tree_len(top), rest = len - part->at - part->len;

    if (now > sizeof out || (part->prefix != LEN_NONE && now > 0xffff) ||
        part->at + now + rest > cap)
        return 0;
    tree_write(top, out);
    memmove(data + part->at + now, data + part->at + part->len, rest);
    memcpy(data + part->at, out, now);
    if (part->prefix != LEN_NONE) {
        bool big = part->prefix == LEN_BIG;

        data[part->at - 2] = (uint8_t)(big ? now >> 8 : now);
        data[part->at - 1] = (uint8_t)(big ? now : now >> 8);
    }
    return part->at + now + rest;
}

/* Bend the message of `data`, with parts of that of `other`. 0: cannot. */
static size_t mutator_change(uint8_t *data,
                             size_t len,
                             size_t cap,
                             const uint8_t *other,
                             size_t other_len)
{
    static uint8_t copy[MUTATOR_LEN_MAX];
    struct bender *b = &mutator_bender;
    struct mutator_part part, from;
    struct node *top = NULL, *donor = NULL;
    size_t steps;

    b->tree.nodes_n = b->tree.room_n = b->donor.nodes_n = 0;
    if (len > sizeof copy || !mutator.find(data, len, bend_draw(b), &part))
        return 0;
    memcpy(copy, data, len);
    if (!tree_parse(&b->tree, part.type, copy + part.at, part.len, &top))
        return 0;
    if (other != NULL && mutator.find(other, other_len, bend_draw(b), &from) &&
        !tree_parse(&b->donor, from.type, other + from.at, from.len, &donor))
        donor = NULL;
    steps = 1 + bend_below(b, 2) * bend_below(b, 4);
    for (size_t i = 0; i < steps; i++) {
        size_t own_n = bend_collect(b, top, 0);

        bend(b, &top, part.type, own_n, bend_collect(b, donor, own_n));
        if (tree_len(top) > cap)
            return 0;
    }
    if (mutator.keys_n > 0 && bend_below(b, 8) != 0)
        mutator_sign_all(top, part.type);
    return mutator_put(&part, top, data, len, cap);
}

/* A genuine input, or NULL. */
static const uint8_t *mutator_genuine(size_t *len)
{
    static uint8_t seed[MUTATOR_LEN_MAX];

    if (mutator.seed == NULL)
        return NULL;
    *len = mutator.seed(bend_draw(&mutator_bender), seed, sizeof seed);
    return seed;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data,
                               size_t len,
                               size_t cap,
                               unsigned seed)
{
    struct bender *b = &mutator_bender;
    const uint8_t *other = NULL;
    size_t other_len = 0, now;

    b->state = seed;
    b->bytes = LLVMFuzzerMutate;
    b->grows = true;
    other = mutator_genuine(&other_len);
    if (other != NULL && other_len <= cap &&
        (len <= 2 || bend_below(b, 64) == 0)) {
        memcpy(data, other, other_len);
        len = other_len;
    }
    if (bend_below(b, 4) == 0)
        return LLVMFuzzerMutate(data, len, cap);
    now = mutator_change(data, len, cap, other, other_len);
    return now != 0 ? now : LLVMFuzzerMutate(data, len, cap);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a,
                                 size_t a_len,
                                 const uint8_t *b,
                                 size_t b_len,
                                 uint8_t *out,
                                 size_t cap,
                                 unsigned seed)
{
    if (a_len > cap)
        return 0;
    mutator_bender.state = seed;
    mutator_bender.bytes = LLVMFuzzerMutate;
    mutator_bender.grows = true;
    memcpy(out, a, a_len);
    return mutator_change(out, a_len, cap, b, b_len);
}

/* --- the simple cases ----------------------------------------------------- */

/* For `find`: the whole input is one message, after `at` bytes. */
__attribute__((unused)) static bool mutator_whole(
    size_t len,
    size_t at,
    const ProtobufCMessageDescriptor *type,
    struct mutator_part *part)
{
    if (len < at)
        return false;
    *part = (struct mutator_part){type, at, len - at, LEN_NONE};
    return true;
}

#endif /* LOA_FUZZ_MUTATOR_H */
