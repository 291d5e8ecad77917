/* registry_enrol.c -- the certificate that a device has for its code. */

#include <string.h>

#include "proto/text.h"
#include "proto/trust.h"
#include "registry/registry.h"

/* Right proofs always pass; wrong ones are answered at a bounded rate, and
 * beyond it cost nothing. */
static void wrong_guess(struct registry *r,
                        const struct registry_event *ev,
                        struct registry_update *up)
{
    if (ev->now_ms - r->guesses_since_ms >= REGISTRY_GUESSES_MS ||
        ev->now_ms < r->guesses_since_ms) {
        r->guesses_since_ms = ev->now_ms;
        r->guesses_n = 0;
    }
    r->guessed_n++;
    if (r->guesses_n == REGISTRY_GUESSES_MAX) {
        r->dropped_n++;
        up->flags = 0;
        return;
    }
    r->guesses_n++;
    refuse(
        &up->answer.status, REFUSAL_NOT_ALLOWED,
        "Mã ghi danh không đúng với thiết bị này; hãy kiểm tra mã hoặc tạo "
        "mã mới.",
        "The code does not go with this device; check it or make a new one.");
}

static bool proof_right(const struct registry *r,
                        const struct device *d,
                        const struct registry_enrol *e,
                        uint8_t key[LOA_HASH_BYTES])
{
    char code[LOA_CODE_CAP];
    uint8_t want[LOA_HASH_BYTES];

    registry_make_code(r, d->code_request, d->id, code);
    return loa_enrol_key(code, key) == LOA_OK &&
           loa_enrol_proof(key, e->device, e->serial, e->key, want) == LOA_OK &&
           loa_proof_equal(want, e->proof);
}

bool registry_proves(struct registry *r, const struct registry_enrol *e)
{
    const struct device *d = devices_find(&r->devices, e->device);
    uint8_t key[LOA_HASH_BYTES];

    return d != NULL && proof_right(r, d, e, key);
}

static bool key_taken(const struct registry *r,
                      const struct device *by,
                      const uint8_t key[LOA_KEY_BYTES])
{
    for (size_t i = 0; i < r->devices.devices_n; i++)
        if (&r->devices.devices[i] != by &&
            r->devices.devices[i].enrolled_at_ms != 0 &&
            memcmp(r->devices.devices[i].key, key, LOA_KEY_BYTES) == 0)
            return true;
    for (size_t i = 0; i < r->principals.principals_n; i++)
        if (memcmp(r->principals.principals[i].key, key, LOA_KEY_BYTES) == 0)
            return true;
    return false;
}

static int judge_enrol(const struct registry *r,
                       const struct registry_event *ev,
                       const struct device *d,
                       struct refusal *why)
{
    const struct registry_enrol *e = ev->enrol;

    if (!e->signed_by_key)
        return refuse(why, REFUSAL_INVALID,
                      "Yêu cầu không được ký bằng khóa của thiết bị.",
                      "The request is not signed by the device's key.");
    if (d->code_expires_at_ms <= ev->now_ms)
        return refuse(why, REFUSAL_EXPIRED,
                      "Mã ghi danh đã hết hạn; hãy tạo mã mới.",
                      "The code has expired; make a new one.");
    if (!loa_line_valid(e->serial, LOA_ENROL_SERIAL_MAX) ||
        !loa_line_valid(e->model, LOA_ENROL_SERIAL_MAX) ||
        (d->serial[0] != '\0' && strcmp(d->serial, e->serial) != 0))
        return refuse(why, REFUSAL_CONFLICT,
                      "Số sê-ri của thiết bị không đúng với mã này.",
                      "The device's serial is not the one of this code.");
    if (d->revoked && memcmp(d->key, e->key, LOA_KEY_BYTES) == 0)
        return refuse(why, REFUSAL_REVOKED,
                      "Khóa này đã bị thu hồi; thiết bị phải tạo khóa mới.",
                      "This key was revoked; the device must make a new one.");
    if (key_taken(r, d, e->key))
        return refuse(why, REFUSAL_EXISTS,
                      "Khóa này đang là của thiết bị khác; hãy tạo khóa mới.",
                      "This key is another principal's; make a new one.");
    if (areas_at(&r->areas, d->area, ev->now_ms) == NULL)
        return refuse(why, REFUSAL_NOT_FOUND,
                      "Khu vực %s không còn; hãy tạo mã mới.",
                      "Area %s is no more; make a new code.", d->area);
    return LOA_OK;
}

/* The certificate, never longer than the registry's own. */
static int issue(struct registry *r,
                 const struct registry_event *ev,
                 struct device *d,
                 struct registry_update *up)
{
    const struct loa_certificate *me = &r->conf.identity->leaf;
    struct loa_certificate c = {.role = LOA_ROLE_DEVICE};
    uint64_t serial = (uint64_t)ev->now_ms;

    /* Rising even if the tables were restored from an older backup. */
    c.serial = serial > r->last_serial ? serial : r->last_serial + 1;
    memcpy(c.subject, ev->enrol->key, LOA_KEY_BYTES);
    memcpy(c.principal, d->id, sizeof d->id);
    memcpy(c.name, d->name, strlen(d->name) + 1);
    memcpy(c.area, d->area, sizeof d->area);
    c.not_before_ms = ev->now_ms - LOA_SKEW_MS;
    if (c.not_before_ms < me->not_before_ms)
        c.not_before_ms = me->not_before_ms;
    c.not_after_ms = ev->now_ms + r->conf.device_cert_ms;
    if (c.not_after_ms > me->not_after_ms)
        c.not_after_ms = me->not_after_ms;
    if (ev->now_ms >= me->not_after_ms ||
        loa_trust_may_issue(me, &c) != LOA_VERDICT_OK ||
        loa_certificate_issue(&c, &r->conf.identity->key, up->certificate,
                              sizeof up->certificate,
                              &up->certificate_len) != LOA_OK)
        return refuse(&up->answer.status, REFUSAL_FAILED,
                      "Sổ đăng ký không cấp được chứng thư: chứng thư của "
                      "chính nó hết hạn hoặc không đủ quyền.",
                      "The registry cannot issue a certificate: its own has "
                      "ended or is not wide enough.");
    r->last_serial = c.serial;
    d->certificate_serial = c.serial;
    d->not_after_ms = c.not_after_ms;
    return LOA_OK;
}

/* A device that gets a certificate gives up the old one, also where its key is
 * the same: to revoke the device later is to revoke what it still holds. */
static int revoke_old(struct registry *r,
                      const struct registry_event *ev,
                      const struct device *d,
                      struct registry_update *up)
{
    struct revoked_entry e = {.serial = d->certificate_serial,
                              .not_after_ms = d->not_after_ms};
    const struct share share =
        revoked_share(r->conf.identity->leaf.area, d->area, false);

    if (d->enrolled_at_ms == 0 || d->revoked || d->not_after_ms <= ev->now_ms)
        return LOA_OK;
    memcpy(e.issuer, r->conf.identity->key.public_key, LOA_KEY_BYTES);
    memcpy(e.area, d->area, sizeof e.area);
    if (!revoked_may(&r->revoked, &e, &share) ||
        revoked_add(&r->revoked, &e) != LOA_OK)
        return refuse(&up->answer.status, REFUSAL_TOO_LARGE,
                      "Danh sách thu hồi đã đầy cho khu vực %s; hãy nhờ cấp "
                      "trên thu hồi thiết bị trước.",
                      "The revocation list is full for area %s; let the level "
                      "above revoke the device first.",
                      d->area);
    up->revoked[up->revoked_n++] = e;
    up->revoked_id = d->id;
    up->reason = "new certificate";
    up->flags |= REGISTRY_SAVE_REVOKED;
    registry_sign_list(r, ev->now_ms, up);
    return LOA_OK;
}

static void enrol(struct registry *r,
                  const struct registry_event *ev,
                  struct device *d,
                  struct registry_update *up)
{
    struct device new = *d;

    if (judge_enrol(r, ev, d, &up->answer.status) != LOA_OK ||
        issue(r, ev, &new, up) != LOA_OK || revoke_old(r, ev, d, up) != LOA_OK)
        return;
    memcpy(new.key, ev->enrol->key, LOA_KEY_BYTES);
    memcpy(new.serial, ev->enrol->serial, strlen(ev->enrol->serial) + 1);
    memcpy(new.model, ev->enrol->model, strlen(ev->enrol->model) + 1);
    new.enrolled_at_ms = ev->now_ms;
    new.revoked = false;
    new.alarm = 0;
    new.code_used = true;
    *d = new;
    r->enrolled_n++;
    up->device = d;
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_DEVICE |
                 REGISTRY_SAVE_CERTIFICATE | REGISTRY_ENROLLED;
}

/* The code was used: by this key, then its certificate goes out again. */
static void enrol_again(const struct registry_event *ev,
                        const struct device *d,
                        struct registry_update *up)
{
    struct refusal *why = &up->answer.status;

    if (memcmp(d->key, ev->enrol->key, LOA_KEY_BYTES) != 0) {
        refuse(why, REFUSAL_CONFLICT,
               "Mã ghi danh đã được dùng với khóa khác; hãy tạo mã mới.",
               "The code was used with another key; make a new one.");
    } else if (d->revoked) {
        refuse(why, REFUSAL_REVOKED,
               "Thiết bị này đã bị thu hồi; hãy tạo mã mới và khóa mới.",
               "This device was revoked; make a new code and a new key.");
    } else {
        up->device = d;
        up->flags |= REGISTRY_ENROLLED | REGISTRY_LOOK_UP;
    }
}

void registry_enrol(struct registry *r,
                    const struct registry_event *ev,
                    struct registry_update *up)
{
    const struct registry_enrol *e = ev->enrol;
    struct device *d = devices_find(&r->devices, e->device);
    uint8_t key[LOA_HASH_BYTES];

    up->flags = REGISTRY_ANSWER;
    if (d == NULL || !proof_right(r, d, e, key)) {
        wrong_guess(r, ev, up);
        return;
    }
    if (d->code_used)
        enrol_again(ev, d, up);
    else
        enrol(r, ev, d, up);
    memcpy(up->key, e->key, LOA_KEY_BYTES);
    loa_enrolled_proof(key, e->key, r->conf.identity->root, up->proof);
}
