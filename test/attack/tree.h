/* tree.h -- a protobuf message as a tree that can be bent and written again.
 *
 * It knows the fields by their descriptors, and looks into the bytes that hold
 * signed messages, so that a mutation is one of a field and not of a length. */

#ifndef LOA_TEST_ATTACK_TREE_H
#define LOA_TEST_ATTACK_TREE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/device.pb-c.h"
#include "loa/v1/envelope.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "loa/v1/registry.pb-c.h"
#include "loa/v1/services.pb-c.h"

#define TREE_NODES_MAX 2048
#define TREE_ROOM (256 * 1024)

struct node {
    uint32_t number;
    unsigned wire; /* 0 varint, 1 and 5 fixed, 2 bytes. */
    uint64_t value;
    const uint8_t *data;
    size_t len;
    const ProtobufCMessageDescriptor *in, *type; /* type NULL: a leaf. */
    struct node *child, *next;
};

struct tree {
    struct node nodes[TREE_NODES_MAX];
    size_t nodes_n;
    uint8_t room[TREE_ROOM]; /* For bytes that are new. */
    size_t room_n;
};

static const struct {
    const ProtobufCMessageDescriptor *in;
    const char *field;
    const ProtobufCMessageDescriptor *type;
} tree_inside[] = {
    {&loa__v1__envelope__descriptor, "signed", &loa__v1__signed__descriptor},
    {&loa__v1__envelope__descriptor, "certificates",
     &loa__v1__certificate__descriptor},
    {&loa__v1__certificate__descriptor, "body",
     &loa__v1__certificate_body__descriptor},
    {&loa__v1__programme__descriptor, "approvals",
     &loa__v1__envelope__descriptor},
    {&loa__v1__programme__descriptor, "certificates",
     &loa__v1__certificate__descriptor},
    {&loa__v1__audio_packet__descriptor, "signed",
     &loa__v1__audio_packet_body__descriptor},
    {&loa__v1__principal_add__descriptor, "certificates",
     &loa__v1__certificate__descriptor},
    {&loa__v1__enrolment__descriptor, "certificates",
     &loa__v1__certificate__descriptor},
    {&loa__v1__registry_answer__descriptor, "enrolment",
     &loa__v1__enrolment__descriptor},
    {&loa__v1__content_approve__descriptor, "approval",
     &loa__v1__envelope__descriptor},
    {&loa__v1__schedule_add__descriptor, "approval",
     &loa__v1__envelope__descriptor},
    {&loa__v1__schedule_change__descriptor, "approval",
     &loa__v1__envelope__descriptor},
};

static const ProtobufCMessageDescriptor *tree_body(uint64_t type)
{
    switch (type) {
        case LOA__V1__TYPE__TYPE_APPROVAL:
            return &loa__v1__content_manifest__descriptor;
        case LOA__V1__TYPE__TYPE_PROGRAMME:
            return &loa__v1__programme__descriptor;
        case LOA__V1__TYPE__TYPE_HEAD:
            return &loa__v1__head__descriptor;
        case LOA__V1__TYPE__TYPE_COMMAND:
            return &loa__v1__command__descriptor;
        case LOA__V1__TYPE__TYPE_TRUST:
            return &loa__v1__trust_list__descriptor;
        case LOA__V1__TYPE__TYPE_ACK:
            return &loa__v1__ack__descriptor;
        case LOA__V1__TYPE__TYPE_LOGIN:
            return &loa__v1__login__descriptor;
        case LOA__V1__TYPE__TYPE_RECEIPTS:
            return &loa__v1__receipt_batch__descriptor;
        case LOA__V1__TYPE__TYPE_ENROL:
            return &loa__v1__enrol_request__descriptor;
        case LOA__V1__TYPE__TYPE_REGISTRY_REQUEST:
            return &loa__v1__registry_request__descriptor;
        case LOA__V1__TYPE__TYPE_REGISTRY_ANSWER:
            return &loa__v1__registry_answer__descriptor;
        case LOA__V1__TYPE__TYPE_CONTENT_REQUEST:
            return &loa__v1__content_request__descriptor;
        case LOA__V1__TYPE__TYPE_SCHEDULER_REQUEST:
            return &loa__v1__scheduler_request__descriptor;
        case LOA__V1__TYPE__TYPE_TELEMETRY_REQUEST:
            return &loa__v1__telemetry_request__descriptor;
        default:
            return NULL;
    }
}

static const ProtobufCMessageDescriptor *tree_type(
    const ProtobufCMessageDescriptor *in,
    uint32_t number,
    uint64_t signed_type)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(in, number);

    if (f == NULL)
        return NULL;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return f->descriptor;
    if (in == &loa__v1__signed__descriptor && strcmp(f->name, "body") == 0)
        return tree_body(signed_type);
    for (size_t i = 0; i < sizeof tree_inside / sizeof tree_inside[0]; i++)
        if (tree_inside[i].in == in &&
            strcmp(tree_inside[i].field, f->name) == 0)
            return tree_inside[i].type;
    return NULL;
}

static bool tree_varint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 70 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;

        *v |= shift < 64 ? (uint64_t)(b & 0x7f) << shift : 0;
        if ((b & 0x80) == 0)
            return true;
    }
    return false;
}

/* The fields of one message; *out is their list. False: malformed. */
static bool tree_parse(struct tree *t,
                       const ProtobufCMessageDescriptor *in,
                       const uint8_t *p,
                       size_t len,
                       struct node **out)
{
    const uint8_t *end = p + len;
    struct node **at = out;
    uint64_t key, signed_type = 0;

    *out = NULL;
    while (p < end) {
        struct node *n;

        if (t->nodes_n == TREE_NODES_MAX || !tree_varint(&p, end, &key))
            return false;
        n = &t->nodes[t->nodes_n++];
        memset(n, 0, sizeof *n);
        n->number = (uint32_t)(key >> 3);
        n->wire = (unsigned)key & 7;
        n->in = in;
        if (n->wire == 0) {
            if (!tree_varint(&p, end, &n->value))
                return false;
            if (in == &loa__v1__signed__descriptor && n->number == 1)
                signed_type = n->value;
        } else if (n->wire == 2) {
            if (!tree_varint(&p, end, &n->value) ||
                n->value > (size_t)(end - p))
                return false;
            n->data = p;
            n->len = (size_t)n->value;
            p += n->len;
            n->type = tree_type(in, n->number, signed_type);
            if (n->type != NULL &&
                !tree_parse(t, n->type, n->data, n->len, &n->child))
                n->type = NULL;
        } else {
            return false; /* Loa has no fixed fields. */
        }
        *at = n;
        at = &n->next;
    }
    return true;
}

static size_t tree_put_varint(uint8_t *out, uint64_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)v | 0x80;
    out[n++] = (uint8_t)v;
    return n;
}

static size_t tree_len(const struct node *n)
{
    uint8_t buf[16];
    size_t sum = 0, len;

    for (; n != NULL; n = n->next) {
        sum += tree_put_varint(buf, (uint64_t)n->number << 3 | n->wire);
        if (n->wire == 0) {
            sum += tree_put_varint(buf, n->value);
            continue;
        }
        len = n->type != NULL ? tree_len(n->child) : n->len;
        sum += tree_put_varint(buf, len) + len;
    }
    return sum;
}

/* out has room for tree_len(n). Returns how much was written. */
static size_t tree_write(const struct node *n, uint8_t *out)
{
    uint8_t *p = out;

    for (; n != NULL; n = n->next) {
        p += tree_put_varint(p, (uint64_t)n->number << 3 | n->wire);
        if (n->wire == 0) {
            p += tree_put_varint(p, n->value);
        } else if (n->type != NULL) {
            p += tree_put_varint(p, tree_len(n->child));
            p += tree_write(n->child, p);
        } else {
            p += tree_put_varint(p, n->len);
            if (n->len > 0)
                memcpy(p, n->data, n->len);
            p += n->len;
        }
    }
    return (size_t)(p - out);
}

#endif /* LOA_TEST_ATTACK_TREE_H */
