/* registry_device.c -- one-time codes, devices found. */

#include <string.h>

#include "proto/text.h"
#include "proto/trust.h"
#include "registry/registry.h"

/* --- codes ---------------------------------------------------------------- */

/* What a device keeps of the request for its code. The time is in it, so that
 * an id that is used again, long after everybody has forgotten it, makes
 * another code than the first time. */
static void make_request(const uint8_t message_id[LOA_ID_BYTES],
                         int64_t expires_at_ms,
                         uint8_t request[LOA_ID_BYTES])
{
    uint8_t text[LOA_ID_BYTES + sizeof expires_at_ms];
    uint8_t hash[LOA_HASH_BYTES];

    memcpy(text, message_id, LOA_ID_BYTES);
    for (size_t i = 0; i < sizeof expires_at_ms; i++)
        text[LOA_ID_BYTES + i] = (uint8_t)(expires_at_ms >> 8 * i);
    loa_hash((struct loa_bytes){text, sizeof text}, hash);
    memcpy(request, hash, LOA_ID_BYTES);
}

void registry_make_code(const struct registry *r,
                        const uint8_t request[LOA_ID_BYTES],
                        const char *device,
                        char code[LOA_CODE_CAP])
{
    uint8_t text[LOA_HASH_BYTES + LOA_ID_BYTES + LOA_PRINCIPAL_CAP] = {0};
    uint8_t hash[LOA_HASH_BYTES];

    memcpy(text, r->secret, LOA_HASH_BYTES);
    memcpy(text + LOA_HASH_BYTES, request, LOA_ID_BYTES);
    memcpy(text + LOA_HASH_BYTES + LOA_ID_BYTES, device, strlen(device));
    loa_hash((struct loa_bytes){text, sizeof text}, hash);
    loa_enrol_code(hash, code);
}

/* A name for a device that was given none: "loa_" and 12 of the characters of a
 * code, without its dashes. */
static void make_id(const struct registry *r,
                    const uint8_t message_id[LOA_ID_BYTES],
                    char id[LOA_PRINCIPAL_CAP])
{
    char code[LOA_CODE_CAP];
    size_t at = 4;

    registry_make_code(r, message_id, "", code);
    memcpy(id, "loa_", 4);
    for (const char *c = code; *c != '\0' && at < 16; c++)
        if (*c != '-')
            id[at++] = *c >= 'A' ? (char)(*c - 'A' + 'a') : *c;
    id[at] = '\0';
}

static bool code_remembered(const struct registry *r,
                            const uint8_t message_id[LOA_ID_BYTES])
{
    for (size_t i = 0; i < r->codes_n; i++)
        if (memcmp(r->codes[i].message_id, message_id, LOA_ID_BYTES) == 0)
            return true;
    return false;
}

/* Is the area one where a device can hang, and may this asker say so? */
static int judge_area(const struct registry *r,
                      const struct registry_event *ev,
                      const char *area,
                      struct refusal *why)
{
    if (!loa_area_valid(area) || areas_at(&r->areas, area, ev->now_ms) == NULL)
        return refuse(why, REFUSAL_NOT_FOUND, "Không có khu vực \"%.*s\".",
                      "There is no area \"%.*s\".", LOA_AREA_CAP, area);
    if (!registry_may(ev, LOA_POWER_CONFIG, area))
        return refuse(why, REFUSAL_NOT_ALLOWED,
                      "Tạo mã thiết bị cần quyền config trên khu vực %s.",
                      "Making a device code needs the power config over %s.",
                      area);
    if (!loa_area_within(area, r->conf.identity->leaf.area))
        return refuse(why, REFUSAL_NOT_ALLOWED,
                      "Sổ đăng ký này chỉ cấp chứng thư trong khu vực %s.",
                      "This registry issues certificates inside %s only.",
                      r->conf.identity->leaf.area);
    return LOA_OK;
}

/* The wished name, serial and id, into *new. */
static int judge_texts(const struct registry *r,
                       const struct registry_event *ev,
                       struct device *new,
                       struct refusal *why)
{
    const struct registry_request *q = ev->request;

    if (!loa_line_valid(q->code.serial, LOA_ENROL_SERIAL_MAX) ||
        name_compose(q->code.name, strlen(q->code.name), new->name,
                     sizeof new->name) != LOA_OK)
        return refuse(why, REFUSAL_INVALID,
                      "Số sê-ri (tối đa %d byte) và tên (tối đa %d byte) phải "
                      "là một dòng UTF-8.",
                      "Serial (at most %d bytes) and name (at most %d bytes) "
                      "must be one line of UTF-8.",
                      LOA_ENROL_SERIAL_MAX, NAME_CAP - 1);
    memcpy(new->serial, q->code.serial, strlen(q->code.serial) + 1);
    if (q->code.id[0] == '\0') {
        make_id(r, ev->message_id, new->id);
        return LOA_OK;
    }
    if (!loa_principal_valid(q->code.id) ||
        strncmp(q->code.id, LOA_ENROL_PREFIX, strlen(LOA_ENROL_PREFIX)) == 0)
        return refuse(
            why, REFUSAL_INVALID,
            "Tên thiết bị \"%.32s\" phải gồm 1 đến 32 ký tự A-Z, a-z, "
            "0-9 hoặc _, và không bắt đầu bằng %s.",
            "Device id \"%.32s\" must be 1 to 32 characters of A-Z, "
            "a-z, 0-9 and _, and not begin with %s.",
            loa_line_valid(q->code.id, 32) ? q->code.id : "?",
            LOA_ENROL_PREFIX);
    memcpy(new->id, q->code.id, strlen(q->code.id) + 1);
    if (principals_newest(&r->principals, new->id) != NULL)
        return refuse(
            why, REFUSAL_EXISTS, "%s đã là tên của một người hoặc dịch vụ.",
            "%s is the name of a person or a service already.", new->id);
    return LOA_OK;
}

/* May the device that is there have a new code? */
static int judge_device(const struct registry_event *ev,
                        const struct device *d,
                        struct refusal *why)
{
    const char *area = ev->request->code.area;
    bool holds =
        d->enrolled_at_ms != 0 && !d->revoked && d->not_after_ms > ev->now_ms;

    if (!registry_may(ev, LOA_POWER_CONFIG, d->area))
        return refuse(why, REFUSAL_NOT_ALLOWED,
                      "%s thuộc một khu vực ngoài quyền của bạn.",
                      "%s belongs to an area that is not yours.", d->id);
    if (holds && d->not_after_ms - ev->now_ms > REGISTRY_RENEW_MS)
        return refuse(why, REFUSAL_EXISTS,
                      "%s đã ghi danh; hãy thu hồi trước khi tạo mã mới.",
                      "%s is enrolled; revoke it before you make a new code.",
                      d->id);
    if (holds && strcmp(d->area, area) != 0)
        return refuse(why, REFUSAL_CONFLICT,
                      "%s đang ở khu vực %s; chứng thư mới phải cùng khu vực.",
                      "%s hangs in %s; its new certificate must be for there.",
                      d->id, d->area);
    return LOA_OK;
}

/* A request that was done before, and another came after it; or a device that
 * may not have a new code. d is NULL if it is a new device. */
static int judge_again(const struct registry *r,
                       const struct registry_event *ev,
                       const struct device *d,
                       struct refusal *why)
{
    if (code_remembered(r, ev->message_id))
        return refuse(why, REFUSAL_CONFLICT,
                      "Mã này đã được thay bằng mã mới hơn; hãy tạo mã khác.",
                      "A newer code has taken this one's place; make another "
                      "one.");
    return d != NULL ? judge_device(ev, d, why) : LOA_OK;
}

static int judge_request(const struct registry *r,
                         const struct registry_event *ev,
                         uint32_t valid_s,
                         struct device *new,
                         struct refusal *why)
{
    if (valid_s < REGISTRY_CODE_S_MIN || valid_s > REGISTRY_CODE_S_MAX)
        return refuse(why, REFUSAL_INVALID, "Mã có hiệu lực từ %d đến %d giây.",
                      "A code is valid for %d to %d seconds.",
                      REGISTRY_CODE_S_MIN, REGISTRY_CODE_S_MAX);
    if (judge_area(r, ev, ev->request->code.area, why) != LOA_OK)
        return LOA_EINVAL;
    return judge_texts(r, ev, new, why);
}

/* The request that made the device's code, once more? Others who know its id
 * learn nothing. Codes of older versions hold the id itself. */
static bool is_repeated(const struct registry_event *ev, const struct device *d)
{
    uint8_t request[LOA_ID_BYTES];

    make_request(ev->message_id, d->code_expires_at_ms, request);
    return registry_may(ev, LOA_POWER_CONFIG, d->area) &&
           (memcmp(d->code_request, request, LOA_ID_BYTES) == 0 ||
            memcmp(d->code_request, ev->message_id, LOA_ID_BYTES) == 0);
}

static void answer_code(const struct registry *r,
                        const struct device *d,
                        struct registry_update *up)
{
    registry_make_code(r, d->code_request, d->id, up->answer.code);
    up->answer.device = d;
    up->flags |= REGISTRY_SECRET;
}

/* What the device will be, with its new code. */
static void renew(const struct registry_event *ev,
                  const struct device *old,
                  uint32_t valid_s,
                  struct device *new)
{
    const struct device asked = *new;

    if (old != NULL)
        *new = *old;
    if (asked.serial[0] != '\0')
        memcpy(new->serial, asked.serial, sizeof new->serial);
    if (asked.name[0] != '\0')
        memcpy(new->name, asked.name, sizeof new->name);
    memcpy(new->area, ev->request->code.area,
           strlen(ev->request->code.area) + 1);
    new->code_expires_at_ms = ev->now_ms + (int64_t)valid_s * 1000;
    make_request(ev->message_id, new->code_expires_at_ms, new->code_request);
    new->code_used = false;
    /* Revoked while it waited: the new code lets it in again. */
    if (new->enrolled_at_ms == 0)
        new->revoked = false;
}

/* A new device, within what the asker's area may have. */
static bool has_room(const struct registry *r, const struct registry_event *ev)
{
    const struct share s = share_of(r->conf.identity->leaf.area, ev->who->area);

    return share_allows(&s, DEVICES_MAX, r->devices.devices_n + 1,
                        devices_below(&r->devices, s.area) + 1);
}

void registry_device_code(struct registry *r,
                          const struct registry_event *ev,
                          struct registry_update *up)
{
    struct refusal *why = &up->answer.status;
    uint32_t valid_s = ev->request->code.valid_s;
    struct device new = {0}, *d;

    if (valid_s == 0)
        valid_s = REGISTRY_CODE_S_DEFAULT;
    if (judge_request(r, ev, valid_s, &new, why) != LOA_OK)
        return;
    d = devices_find(&r->devices, new.id);
    if (d != NULL && is_repeated(ev, d)) {
        answer_code(r, d, up); /* Repeated: the same again. */
        return;
    }
    if (judge_again(r, ev, d, why) != LOA_OK)
        return;
    renew(ev, d, valid_s, &new);
    d = d != NULL || has_room(r, ev) ? devices_put(&r->devices, &new) : NULL;
    if (d == NULL) {
        refuse(why, REFUSAL_TOO_LARGE,
               "Sổ đăng ký đã đầy cho khu vực của bạn (%d thiết bị cho tất "
               "cả); hãy nhờ cấp trên.",
               "The registry is full for your area (%d devices for all); ask "
               "the level above.",
               DEVICES_MAX);
        return;
    }
    registry_remember_code(r, ev->message_id);
    up->device = d;
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_DEVICE | REGISTRY_SAVE_CODE;
    answer_code(r, d, up);
}

/* --- finding -------------------------------------------------------------- */

void registry_device_find(struct registry *r,
                          const struct registry_event *ev,
                          struct registry_update *up)
{
    const struct registry_request *q = ev->request;
    const char *under =
        q->find.under[0] != '\0' ? q->find.under : ev->who->area;
    const struct device *d;

    if (q->find.limit > DEVICE_PAGE_MAX || !loa_area_valid(under)) {
        refuse(&up->answer.status, REFUSAL_INVALID,
               "Khu vực không hợp lệ, hoặc hỏi quá %d thiết bị một lần.",
               "The area is malformed, or more than %d devices are asked for "
               "at once.",
               DEVICE_PAGE_MAX);
    } else if (!loa_area_within(under, ev->who->area)) {
        refuse(&up->answer.status, REFUSAL_NOT_ALLOWED,
               "%s nằm ngoài khu vực %s của bạn.",
               "%s is outside your area %s.", under, ev->who->area);
    } else if (q->find.id[0] == '\0') {
        devices_page(&r->devices, under, q->find.after, q->find.limit,
                     &up->answer.devices);
        up->answer.next = up->answer.devices.next;
    } else {
        d = devices_find(&r->devices, q->find.id);
        if (d != NULL && loa_area_within(d->area, under))
            up->answer.device = d;
        else
            refuse(&up->answer.status, REFUSAL_NOT_FOUND,
                   "Không có thiết bị này trong %s.",
                   "There is no such device in %s.", under);
    }
}
