/* lookup.c -- what people type (a name, a code, a short hash) to what is meant.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/registry.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "loactl/pages.h"

#define HASH_DIGITS (2 * LOA_HASH_BYTES)
#define PREFIX_MIN 8
#define NO_AREA_VI "%s: không có địa bàn này; tìm: loactl area find TÊN"
#define NO_AREA_EN "%s: there is no such area; find it: loactl area find NAME"

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

/* Areas of that path, code or name. within_ms 0: as link_ask(). */
static int find_area(struct ctl *c,
                     const char *text,
                     uint32_t limit,
                     uint64_t within_ms,
                     ProtobufCMessage **m)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__AreaFind find = LOA__V1__AREA_FIND__INIT;

    find.text = (char *)text;
    find.limit = limit;
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_AREA_FIND;
    q.area_find = &find;
    return within_ms == 0 ? link_ask(c, LINK_REGISTRY, &q.base, m)
                          : link_try(c, LINK_REGISTRY, &q.base, within_ms, m);
}

/* A code or a name: the registry alone knows. */
static int area_by_name(struct ctl *c, const char *text, char out[LOA_AREA_CAP])
{
    ProtobufCMessage *m;
    Loa__V1__RegistryAnswer *a;
    int rc = find_area(c, text, 20, 0, &m);

    a = (Loa__V1__RegistryAnswer *)m;
    if (rc == CTL_OK && a->n_areas == 0) {
        rc = ctl_fail(c, CTL_REFUSED, NO_AREA_VI, NO_AREA_EN, text);
    } else if (rc == CTL_OK && a->n_areas > 1 &&
               strcmp(a->areas[0]->code, text) != 0) {
        list_candidates(c, text, a);
        rc = CTL_REFUSED;
    } else if (rc == CTL_OK) {
        snprintf(out, LOA_AREA_CAP, "%s", a->areas[0]->path);
    }
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

enum link_known link_area_known(struct ctl *c,
                                const char *path,
                                char name[LINK_NAME_CAP])
{
    enum link_known known = LINK_NO_SUCH;
    ProtobufCMessage *m;

    if (name != NULL)
        name[0] = '\0';
    if (find_area(c, path, 1, LINK_TRY_MS, &m) != CTL_OK) {
        known = LINK_SILENT;
    } else {
        Loa__V1__RegistryAnswer *a = (Loa__V1__RegistryAnswer *)m;
        if (a->n_areas > 0 && strcmp(a->areas[0]->path, path) == 0)
            known = LINK_KNOWN;
        if (known == LINK_KNOWN && name != NULL)
            snprintf(name, LINK_NAME_CAP, "%s", a->areas[0]->name);
    }
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return known;
}

int link_area(struct ctl *c, const char *text, char out[LOA_AREA_CAP])
{
    const struct loa_identity *id = ctl_identity(c);
    int rc;

    if (id == NULL)
        return CTL_USAGE;
    if (text == NULL) {
        snprintf(out, LOA_AREA_CAP, "%s", id->leaf.area);
        return CTL_OK;
    }
    if (strchr(text, '/') == NULL && strcmp(text, id->leaf.area) != 0)
        return area_by_name(c, text, out);
    if (!loa_area_valid(text))
        return ctl_fail(c, CTL_USAGE,
                        "%s: không phải đường dẫn địa bàn, ví dụ "
                        "vn/08/070",
                        "%s: not an area path such as vn/08/070", text);
    snprintf(out, LOA_AREA_CAP, "%s", text);
    rc = link_open(c);
    if (rc != CTL_OK)
        return rc;
    switch (link_area_known(c, text, NULL)) {
        case LINK_NO_SUCH:
            return ctl_fail(c, CTL_REFUSED, NO_AREA_VI, NO_AREA_EN, text);
        case LINK_SILENT:
            ctl_warn(c, "sổ đăng ký không trả lời: chưa kiểm tra được %s",
                     "the registry does not answer: %s was not checked", text);
            return CTL_OK;
        default:
            return CTL_OK;
    }
}

int link_area_given(struct ctl *c, char out[LOA_AREA_CAP])
{
    return link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, out);
}

enum link_known link_device_known(struct ctl *c,
                                  const char *id,
                                  char area[LOA_AREA_CAP])
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__DeviceFind find = LOA__V1__DEVICE_FIND__INIT;
    enum link_known known = LINK_NO_SUCH;
    ProtobufCMessage *m;
    int rc;

    find.id = (char *)id;
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_FIND;
    q.device_find = &find;
    rc = link_try(c, LINK_REGISTRY, &q.base, LINK_TRY_MS, &m);
    Loa__V1__RegistryAnswer *a = (Loa__V1__RegistryAnswer *)m;
    if (rc != CTL_OK && rc != CTL_REFUSED)
        known = LINK_SILENT;
    else if (rc == CTL_OK && a->n_devices > 0 &&
             loa_area_within(a->devices[0]->area, area))
        known = LINK_KNOWN;
    if (known == LINK_KNOWN)
        snprintf(area, LOA_AREA_CAP, "%s", a->devices[0]->area);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return known;
}

struct devices_each {
    void (*each)(void *data, const Loa__V1__Device *d);
    void *data;
};

static void each_device(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__RegistryAnswer *a = (const Loa__V1__RegistryAnswer *)m;
    const struct devices_each *d = data;

    for (size_t i = 0; i < a->n_devices; i++)
        d->each(d->data, a->devices[i]);
}

enum link_known link_devices(struct ctl *c,
                             const char *under,
                             void (*each)(void *data, const Loa__V1__Device *d),
                             void *data)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__DeviceFind find = LOA__V1__DEVICE_FIND__INIT;
    struct devices_each d = {each, data};
    struct pages p = {.service = LINK_REGISTRY,
                      .request = &q.base,
                      .within_ms = LINK_TRY_MS,
                      .each = each_device,
                      .data = &d};

    find.under = (char *)under;
    find.limit = 500;
    find.after = p.after;
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_FIND;
    q.device_find = &find;
    switch (pages_ask(c, &p)) {
        case CTL_OK:
            return LINK_KNOWN;
        case CTL_REFUSED:
            return LINK_NOT_TOLD;
        default:
            return LINK_SILENT;
    }
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
        rc = ctl_fail(c, CTL_REFUSED,
                      "không có nội dung này; xem: loactl content ls",
                      "there is no such content; see: loactl content ls");
    else if (rc == CTL_OK && !is_of((*found)->contents[0], hash))
        rc = ctl_fail(c, CTL_FAILED,
                      "máy chủ trả lời bằng một nội dung khác: đừng tin nó, "
                      "hãy báo quản trị",
                      "the server answered with another content: do not trust "
                      "it, tell the administrator");
    return rc;
}

/* Contents whose hash begins with these digits. */
struct prefix {
    const char *text;
    uint8_t *hash; /* Of the last one found. */
    int n;
};

static void match(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__ContentAnswer *a = (const Loa__V1__ContentAnswer *)m;
    struct prefix *p = data;
    char digits[HASH_DIGITS + 1];

    for (size_t i = 0; i < a->n_contents; i++) {
        ProtobufCBinaryData h = a->contents[i]->content_hash;

        if (h.len != LOA_HASH_BYTES)
            continue;
        loa_hex(h.data, h.len, digits);
        if (strncmp(digits, p->text, strlen(p->text)) != 0)
            continue;
        memcpy(p->hash, h.data, LOA_HASH_BYTES);
        p->n++;
    }
}

/* The one content of ours whose hash begins with these digits. */
static int find_prefix(struct ctl *c,
                       const char *text,
                       uint8_t hash[LOA_HASH_BYTES])
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind find = LOA__V1__CONTENT_FIND__INIT;
    struct prefix x = {.text = text, .hash = hash};
    struct pages p = {
        .service = LINK_CONTENT, .request = &q.base, .each = match, .data = &x};
    int rc;

    find.limit = 50;
    find.after = p.after;
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &find;
    rc = pages_ask(c, &p);
    if (rc != CTL_OK || x.n == 1)
        return rc;
    return ctl_fail(
        c, CTL_REFUSED,
        x.n == 0 ? "%s: không có nội dung này; xem: loactl content ls"
                 : "%s: có nhiều nội dung, hãy viết dài hơn",
        x.n == 0 ? "%s: there is no such content; see: loactl content ls"
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
