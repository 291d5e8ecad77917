/* bend.h -- a tree of fields bent at random: one field changed, taken away,
 * doubled, renamed, or put in its place from another genuine message.
 *
 * Chance is a number that the caller seeds, so that a run can be repeated. The
 * attacker (mutate.c) and the fuzzers (test/fuzz/mutator.h) share it. */

#ifndef LOA_TEST_ATTACK_BEND_H
#define LOA_TEST_ATTACK_BEND_H

#include "test/attack/tree.h"

struct bender {
    uint64_t state; /* Of chance. */
    struct tree tree, donor;
    struct node *all[2 * TREE_NODES_MAX];
    /* Change len bytes in place, there is room for cap; returns the new length.
     * NULL: bits are flipped, cut, lengthened and redrawn. */
    size_t (*bytes)(uint8_t *data, size_t len, size_t cap);
    /* Also put fields in that are not there. */
    bool grows;
};

static uint64_t bend_draw(struct bender *b)
{
    uint64_t z = b->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t bend_below(struct bender *b, size_t n)
{
    return n == 0 ? 0 : (size_t)(bend_draw(b) % n);
}

/* All nodes of a list and below it, behind the first `count` of b->all; as many
 * as there is room for, because what was doubled is met twice. */
static size_t bend_collect(struct bender *b, struct node *n, size_t count)
{
    for (; n != NULL && count < 2 * TREE_NODES_MAX; n = n->next) {
        b->all[count++] = n;
        count = bend_collect(b, n->child, count);
    }
    return count;
}

static uint8_t *bend_room(struct tree *t, size_t len)
{
    if (len > TREE_ROOM - t->room_n)
        return NULL;
    t->room_n += len;
    return t->room + t->room_n - len;
}

static void bend_number(struct bender *b, struct node *n)
{
    static const uint64_t odd[] = {
        0,          1,          2,          3,          0x7f,
        0xffffffff, 1ull << 31, 1ull << 62, 1ull << 63, UINT64_MAX};

    switch (bend_below(b, 5)) {
        case 0:
            n->value = odd[bend_below(b, sizeof odd / sizeof odd[0])];
            break;
        case 1:
            n->value += bend_below(b, 2) ? 1 : UINT64_MAX;
            break;
        case 2:
            n->value ^= 1ull << bend_below(b, 64);
            break;
        case 3: {
            uint64_t by = (uint64_t)((int64_t)bend_below(b, 2000) - 1000);

            n->value += by * (bend_below(b, 2) ? 1 : 86400000);
            break;
        }
        default: {
            uint64_t any = bend_draw(b);

            n->value = any >> bend_below(b, 64);
        }
    }
}

static bool bend_bytes_elsewhere(struct bender *b, struct node *n)
{
    size_t cap = n->len + 64;
    uint8_t *p;

    if (b->bytes == NULL || bend_below(b, 2) == 0)
        return false;
    p = bend_room(&b->tree, cap);
    if (p == NULL)
        return false;
    if (n->len > 0)
        memcpy(p, n->data, n->len);
    n->len = b->bytes(p, n->len, cap);
    n->data = p;
    n->type = NULL;
    return true;
}

static void bend_bytes(struct bender *b, struct node *n)
{
    size_t len = n->len, change;
    uint8_t *p;

    if (bend_bytes_elsewhere(b, n))
        return;
    change = bend_below(b, 4);
    if (change == 1 && len > 0)
        len -= 1 + bend_below(b, len);
    if (change == 2)
        len += 1 + bend_below(b, 40);
    p = bend_room(&b->tree, len);
    if (p == NULL)
        return;
    for (size_t i = 0; i < len; i++)
        p[i] = i < n->len ? n->data[i] : (uint8_t)bend_draw(b);
    if (change == 0 && len > 0) {
        size_t at = bend_below(b, len);

        p[at] ^= (uint8_t)(1u << bend_below(b, 8));
    }
    if (change == 3)
        for (size_t i = 0; i < len; i++)
            p[i] = (uint8_t)bend_draw(b);
    n->data = p;
    n->len = len;
    n->type = NULL;
}

/* A part of another genuine message in the place of one of this. */
static void bend_splice(struct bender *b,
                        struct node *n,
                        size_t own_n,
                        size_t n_all)
{
    size_t from = bend_below(b, n_all - own_n), k;

    for (k = 0; k < n_all - own_n; k++) {
        const struct node *d = b->all[own_n + (from + k) % (n_all - own_n)];

        if (d->in == n->in && d->number == n->number && d->wire == n->wire) {
            struct node *next = n->next;

            *n = *d;
            n->next = next;
            return;
        }
    }
}

static struct node *bend_node(struct bender *b)
{
    struct node *n;

    if (b->tree.nodes_n == TREE_NODES_MAX)
        return NULL;
    n = &b->tree.nodes[b->tree.nodes_n++];
    memset(n, 0, sizeof *n);
    return n;
}

/* A field that the message may have, small, at the head of *list. */
static void bend_grow(struct bender *b,
                      struct node **list,
                      const ProtobufCMessageDescriptor *in)
{
    static const uint8_t some[64] = "vn/08/070/02215";
    const ProtobufCFieldDescriptor *f;
    struct node *n;

    if (in->n_fields == 0 || (n = bend_node(b)) == NULL)
        return;
    f = &in->fields[bend_below(b, in->n_fields)];
    n->in = in;
    n->number = f->id;
    n->next = *list;
    *list = n;
    if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES) {
        static const uint8_t lens[] = {0, 2, 5, 9, 15, 16, 32, 64};

        n->wire = 2;
        n->data = some;
        n->len = lens[bend_below(b, sizeof lens)];
    } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        n->wire = 2;
        n->type = f->descriptor;
    } else {
        n->value = bend_below(b, 8);
        if (bend_below(b, 2) == 0)
            bend_number(b, n);
    }
}

static bool bend_grows(struct bender *b,
                       struct node **top,
                       const ProtobufCMessageDescriptor *in,
                       size_t own_n)
{
    struct node *n;

    if (!b->grows || (own_n > 0 && bend_below(b, 4) != 0))
        return false;
    n = own_n > 0 ? b->all[bend_below(b, own_n)] : NULL;
    /* Not below what another message lent: it could come to hold itself. */
    if (n != NULL && n->wire == 2 && n->type != NULL && n >= b->tree.nodes &&
        n < b->tree.nodes + TREE_NODES_MAX &&
        (n->child == NULL || (n->child >= b->tree.nodes &&
                              n->child < b->tree.nodes + TREE_NODES_MAX)))
        bend_grow(b, &n->child, n->type);
    else
        bend_grow(b, top, in);
    return true;
}

/* One step. b->all has the own_n nodes of *top, a message of type `in`, and
 * behind them, up to n_all, those of the donor. */
static void bend(struct bender *b,
                 struct node **top,
                 const ProtobufCMessageDescriptor *in,
                 size_t own_n,
                 size_t n_all)
{
    struct node *n, *copy;
    bool own;

    if (bend_grows(b, top, in, own_n) || own_n == 0)
        return;
    n = b->all[bend_below(b, own_n)];
    /* A part that was lent by the other message keeps its shape: bent further,
     * it could come to hold itself. */
    own = n >= b->tree.nodes && n < b->tree.nodes + TREE_NODES_MAX;
    switch (own ? bend_below(b, 8) : 7) {
        case 0: /* Gone. */
            if (n->next != NULL)
                *n = *n->next;
            else if (*top == n)
                *top = NULL;
            else
                n->wire = 0;
            break;
        case 1: /* Twice. */
            copy = bend_node(b);
            if (copy == NULL)
                break;
            *copy = *n;
            n->next = copy;
            break;
        case 2: /* A field of another number. */
            n->number = 1 + (uint32_t)bend_below(b, 20);
            break;
        case 3:
        case 4:
            if (n_all > own_n)
                bend_splice(b, n, own_n, n_all);
            break;
        default:
            if (n->wire == 0)
                bend_number(b, n);
            else
                bend_bytes(b, n);
    }
}

#endif /* LOA_TEST_ATTACK_BEND_H */
