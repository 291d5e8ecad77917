#include "registry/registry.h"

#include <assert.h>
#include <string.h>

#include "proto/trust.h"

/* A list beyond it is a thief's, and leaves too few numbers above it. Devices
 * that hold it need a list from above, and so does the thief's key. */
#define FOLLOWED_NUMBER_MAX (INT64_MAX / 2)

static const char secret_name[] = "loa/1/registry codes";

/* What makes codes is derived from the identity's seed: whoever reads the
 * tables learns no code from them. */
static void make_secret(struct registry *r)
{
    uint8_t text[sizeof secret_name + sizeof r->conf.identity->seed];

    memcpy(text, secret_name, sizeof secret_name);
    memcpy(text + sizeof secret_name, r->conf.identity->seed,
           sizeof r->conf.identity->seed);
    loa_hash((struct loa_bytes){text, sizeof text}, r->secret);
}

int registry_init(struct registry *r,
                  const struct registry_conf *conf,
                  struct refusal *why)
{
    const struct loa_certificate *me = &conf->identity->leaf;
    const uint32_t needs = LOA_POWER_DELEGATE | LOA_POWER_REVOKE;

    if ((me->powers & needs) != needs || me->max_depth < 1)
        return refuse(why, REFUSAL_NOT_ALLOWED,
                      "Chứng thư của %s cần quyền delegate và revoke, và "
                      "max_depth từ 1 trở lên.",
                      "The certificate of %s needs the powers delegate and "
                      "revoke, and a max_depth of 1 or more.",
                      me->principal);
    r->conf = *conf;
    areas_init(&r->areas);
    make_secret(r);
    return LOA_OK;
}

void registry_remember_code(struct registry *r,
                            const uint8_t message_id[LOA_ID_BYTES])
{
    memcpy(r->codes[r->codes_next].message_id, message_id, LOA_ID_BYTES);
    r->codes_next = (r->codes_next + 1) % REGISTRY_CODES_MAX;
    if (r->codes_n < REGISTRY_CODES_MAX)
        r->codes_n++;
}

bool registry_may(const struct registry_event *ev,
                  uint32_t power,
                  const char *area)
{
    return (ev->who->powers & power) == power &&
           loa_area_within(area, ev->who->area);
}

static void sign(struct registry *r,
                 uint64_t number,
                 int64_t now_ms,
                 struct registry_update *up)
{
    revoked_prune(&r->revoked, now_ms);
    r->trust_number = number;
    r->trust_at_ms = now_ms;
    r->trust_signer = r->conf.identity->leaf.serial;
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_TRUST;
}

/* Rising even if the tables were restored from an older backup: devices hold
 * higher numbers than these know of, and would drop the list in silence. */
void registry_sign_list(struct registry *r,
                        int64_t now_ms,
                        struct registry_update *up)
{
    uint64_t now = (uint64_t)now_ms;

    sign(r, now > r->trust_number ? now : r->trust_number + 1, now_ms, up);
}

static void find_areas(struct registry *r,
                       const struct registry_event *ev,
                       struct registry_update *up)
{
    struct area_find q = ev->request->area_find;

    if (q.at_ms == 0)
        q.at_ms = ev->now_ms;
    if (area_find(&r->areas, &q, &up->answer.areas, &up->answer.status) ==
        LOA_OK) {
        up->answer.version = r->areas.version;
        up->answer.next = up->answer.areas.next;
    }
}

static void sync_areas(struct registry *r,
                       const struct registry_event *ev,
                       struct registry_update *up)
{
    if (area_sync(&r->areas, ev->request->area_sync.since,
                  ev->request->area_sync.after, &up->answer.areas,
                  &up->answer.status) == LOA_OK) {
        up->answer.version = r->areas.version;
        up->answer.next = up->answer.areas.next;
    }
}

static void on_request(struct registry *r,
                       const struct registry_event *ev,
                       struct registry_update *up)
{
    static void (*const handlers[])(struct registry *,
                                    const struct registry_event *,
                                    struct registry_update *) = {
        [REGISTRY_AREA_IMPORT] = registry_area_import,
        [REGISTRY_AREA_FIND] = find_areas,
        [REGISTRY_AREA_SYNC] = sync_areas,
        [REGISTRY_DEVICE_CODE] = registry_device_code,
        [REGISTRY_DEVICE_FIND] = registry_device_find,
        [REGISTRY_PRINCIPAL_ADD] = registry_principal_add,
        [REGISTRY_PRINCIPAL_FIND] = registry_principal_find,
        [REGISTRY_REVOKE] = registry_revoke,
    };

    up->flags = REGISTRY_ANSWER;
    handlers[ev->request->what](r, ev, up);
}

static void on_imported(struct registry *r)
{
    assert(r->importing);
    r->importing = false;
    area_plan_apply(&r->plan, &r->areas);
    assert(r->areas.version == r->areas_version);
}

/* The list must never run out, and must be signed by the certificate that is
 * valid now. It says nothing new, and its number is just the next one: above a
 * backup, a time would be newer than the list with more on it that the broker
 * may still have for us; see on_list(). */
static void on_tick(struct registry *r,
                    const struct registry_event *ev,
                    struct registry_update *up)
{
    if (r->trust_number == 0 ||
        ev->now_ms - r->trust_at_ms >= REGISTRY_SIGN_MS ||
        ev->now_ms < r->trust_at_ms ||
        r->trust_signer != r->conf.identity->leaf.serial)
        sign(r, r->trust_number + 1, ev->now_ms, up);
}

/* Somebody published a list of ours that our tables do not know: they were
 * restored from a backup. What was revoked stays revoked, and the next number
 * is above all that devices have seen. */
static void on_list(struct registry *r,
                    const struct registry_event *ev,
                    struct registry_update *up)
{
    const struct loa_revocations *list = ev->list;

    if (strcmp(list->area, r->conf.identity->leaf.area) != 0 ||
        list->number <= r->trust_number || list->number > FOLLOWED_NUMBER_MAX)
        return;
    for (size_t i = 0; i < list->entries_n; i++)
        for (size_t k = 0; k < list->entries[i].serials_n; k++) {
            struct revoked_entry e = {
                .serial = list->serials[list->entries[i].serials_at + k],
                .not_after_ms = ev->now_ms + REVOKED_UNKNOWN_END_MS};

            memcpy(e.issuer, list->entries[i].issuer, LOA_KEY_BYTES);
            if (!revoked_has(&r->revoked, e.issuer, e.serial) &&
                revoked_add(&r->revoked, &e) == LOA_OK)
                up->revoked[up->revoked_n++] = e;
        }
    r->trust_number = list->number;
    up->revoked_id = "unknown";
    up->reason = "known from the published list only";
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_REVOKED;
    registry_sign_list(r, ev->now_ms, up);
}

void registry_step(struct registry *r,
                   const struct registry_event *ev,
                   struct registry_update *up)
{
    up->flags = 0;
    memset(&up->answer, 0, sizeof up->answer);
    up->answer.next = "";
    up->drop_n = up->revoked_n = up->certificate_len = 0;
    switch (ev->type) {
        case REGISTRY_SEEN:
            registry_principal_seen(r, ev, up);
            break;
        case REGISTRY_REQUEST:
            on_request(r, ev, up);
            break;
        case REGISTRY_ENROL:
            registry_enrol(r, ev, up);
            break;
        case REGISTRY_IMPORTED:
            on_imported(r);
            break;
        case REGISTRY_TICK:
            on_tick(r, ev, up);
            break;
        case REGISTRY_LIST:
            on_list(r, ev, up);
            break;
    }
    assert(up->answer.status.code == REFUSAL_NONE ||
           !(up->flags & REGISTRY_SAVE_PLAN));
}
