/* lookup.c -- what people type (a name, a code, a short hash) to what is meant.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/registry.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "loactl/link.h"

#define HASH_DIGITS (2 * LOA_HASH_BYTES)
#define PREFIX_MIN 8

static void list_candidates(const struct ctl *c,
                            const char *text,
                            const Loa__V1__RegistryAnswer *a)
{
    ctl_fail(c, 0, "%s: có nhiều địa bàn; hãy chọn một đường dẫn:",
             "%s: several areas; use the path of one:", text);
    for (size_t i = 0; i < a->n_areas && i < 10; i++)
        fprintf(stderr, "  %-24s %s\n", a->areas[i]->path, a->areas[i]->name);
    if (a->n_areas > 10)
        fprintf(stderr, "  ...\n");
}

bool link_area(struct ctl *c, const char *text, char out[LOA_AREA_CAP])
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__AreaFind find = LOA__V1__AREA_FIND__INIT;
    const struct loa_identity *id = ctl_identity(c);
    ProtobufCMessage *m;
    Loa__V1__RegistryAnswer *a;
    bool found = false;

    if (id == NULL)
        return false;
    if (text == NULL || strchr(text, '/') != NULL ||
        strcmp(text, id->leaf.area) == 0) {
        if (text != NULL && !loa_area_valid(text)) {
            ctl_fail(c, 0, "%s: không phải đường dẫn địa bàn",
                     "%s: not an area path", text);
            return false;
        }
        snprintf(out, LOA_AREA_CAP, "%s", text != NULL ? text : id->leaf.area);
        return true;
    }
    find.text = (char *)text;
    find.limit = 20;
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_AREA_FIND;
    q.area_find = &find;
    if (link_ask(c, LINK_REGISTRY, &q.base, &m) != CTL_OK) {
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
        return false;
    }
    a = (Loa__V1__RegistryAnswer *)m;
    if (a->n_areas == 0) {
        ctl_fail(c, 0, "%s: không có địa bàn này", "%s: there is no such area",
                 text);
    } else if (a->n_areas > 1 && strcmp(a->areas[0]->code, text) != 0) {
        list_candidates(c, text, a);
    } else {
        snprintf(out, LOA_AREA_CAP, "%s", a->areas[0]->path);
        found = true;
    }
    protobuf_c_message_free_unpacked(m, NULL);
    return found;
}

static bool is_hash(ProtobufCBinaryData h, const uint8_t hash[LOA_HASH_BYTES])
{
    return h.len == LOA_HASH_BYTES && memcmp(h.data, hash, h.len) == 0;
}

/* Is it what was asked for? The manifest is what an approver signs: a service
 * that is not our friend must not put another sound's in its place. */
static bool is_of(const Loa__V1__Content *k, const uint8_t hash[LOA_HASH_BYTES])
{
    Loa__V1__ContentManifest *m = loa__v1__content_manifest__unpack(
        NULL, k->manifest.len, k->manifest.data);
    bool same = m != NULL && is_hash(k->content_hash, hash) &&
                is_hash(m->content_hash, hash);

    if (m != NULL)
        loa__v1__content_manifest__free_unpacked(m, NULL);
    return same;
}

static int find_hash(struct ctl *c,
                     const uint8_t hash[LOA_HASH_BYTES],
                     Loa__V1__ContentAnswer **found)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind find = LOA__V1__CONTENT_FIND__INIT;
    ProtobufCMessage *m;
    int rc;

    find.content_hash.data = (uint8_t *)hash;
    find.content_hash.len = LOA_HASH_BYTES;
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &find;
    rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    *found = (Loa__V1__ContentAnswer *)m;
    if (rc == CTL_OK && (*found)->n_contents != 1)
        rc = ctl_fail(c, CTL_REFUSED, "không có nội dung này",
                      "there is no such content");
    else if (rc == CTL_OK && !is_of((*found)->contents[0], hash))
        rc = ctl_fail(c, CTL_FAILED,
                      "máy chủ trả lời bằng một nội dung khác: đừng tin nó, "
                      "hãy báo quản trị",
                      "the server answered with another content: do not trust "
                      "it, tell the administrator");
    return rc;
}

/* The one content of ours whose hash begins with these digits. */
static int find_prefix(struct ctl *c,
                       const char *text,
                       uint8_t hash[LOA_HASH_BYTES])
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind find = LOA__V1__CONTENT_FIND__INIT;
    char digits[HASH_DIGITS + 1], after[256] = "";
    int n = 0;

    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &find;
    find.limit = 50;
    do {
        ProtobufCMessage *m;
        find.after = after;
        int rc = link_ask(c, LINK_CONTENT, &q.base, &m);
        if (rc != CTL_OK)
            return rc;
        Loa__V1__ContentAnswer *a = (Loa__V1__ContentAnswer *)m;
        for (size_t i = 0; i < a->n_contents; i++) {
            ProtobufCBinaryData h = a->contents[i]->content_hash;
            if (h.len != LOA_HASH_BYTES)
                continue;
            loa_hex(h.data, h.len, digits);
            if (strncmp(digits, text, strlen(text)) == 0) {
                memcpy(hash, h.data, LOA_HASH_BYTES);
                n++;
            }
        }
        snprintf(after, sizeof after, "%s", a->next);
        protobuf_c_message_free_unpacked(m, NULL);
    } while (after[0] != '\0');
    if (n == 1)
        return CTL_OK;
    return ctl_fail(c, CTL_REFUSED,
                    n == 0 ? "%s: không có nội dung này"
                           : "%s: có nhiều nội dung, hãy viết dài hơn",
                    n == 0 ? "%s: there is no such content"
                           : "%s: several contents: give more digits",
                    text);
}

int link_content(struct ctl *c,
                 const char *text,
                 Loa__V1__ContentAnswer **found)
{
    uint8_t hash[LOA_HASH_BYTES];
    size_t len = strlen(text);
    int rc = CTL_OK;

    *found = NULL;
    if (len < PREFIX_MIN || len > HASH_DIGITS ||
        strspn(text, "0123456789abcdef") != len)
        return ctl_fail(
            c, CTL_USAGE, "%s: cần ít nhất %d chữ số của mã nội dung",
            "%s: want %d or more digits of a content's id", text, PREFIX_MIN);
    if (len < HASH_DIGITS)
        rc = find_prefix(c, text, hash);
    else if (loa_unhex(text, hash, LOA_HASH_BYTES) != LOA_OK)
        rc = CTL_USAGE;
    return rc == CTL_OK ? find_hash(c, hash, found) : rc;
}
