/* cmd_device.c -- loudspeakers and people: enrol, list, show, revoke. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "loactl/pages.h"

static int run_enrol(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__DeviceCode code = LOA__V1__DEVICE_CODE__INIT;
    char area[LOA_AREA_CAP];
    const char *id = ctl_option(c, "id"), *serial = ctl_option(c, "serial");
    const char *name = ctl_option(c, "name");
    ProtobufCMessage *m;
    long long valid_s;
    int rc;

    if (!ctl_number(c, "valid", 60, 2592000, 86400, &valid_s))
        return CTL_USAGE;
    rc = link_area(c, c->positionals[0], area);
    if (rc != CTL_OK)
        return rc;
    code.area = area;
    code.id = (char *)(id != NULL ? id : "");
    code.serial = (char *)(serial != NULL ? serial : "");
    code.name = (char *)(name != NULL ? name : "");
    code.valid_s = (uint32_t)valid_s;
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_CODE;
    q.device_code = &code;
    rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
    if (rc == CTL_OK) {
        Loa__V1__RegistryAnswer *a = (Loa__V1__RegistryAnswer *)m;
        const char *device = a->n_devices > 0 ? a->devices[0]->id : code.id;
        if (c->json)
            out_json(json_pack("{s:s,s:s,s:s}", "device", device, "area", area,
                               "code", a->code));
        else
            printf(c->english ? "device %s in %s, one-time code %s\n"
                              : "thiết bị %s tại %s, mã dùng một lần %s\n",
                   device, area, a->code);
    }
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

static json_t *device_json(const Loa__V1__Device *d)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:b,s:o,s:o}", "id", d->id,
                     "area", d->area, "serial", d->serial, "model", d->model,
                     "name", d->name, "key", json_hex(d->key.data, d->key.len),
                     "revoked", (int)d->revoked, "enrolled_at_ms",
                     json_time(d->enrolled_at_ms), "not_after_ms",
                     json_time(d->not_after_ms));
}

static const char *device_stage(const struct ctl *c, const Loa__V1__Device *d)
{
    if (d->revoked)
        return c->english ? "revoked" : "thu hồi";
    if (d->enrolled_at_ms == 0)
        return c->english ? "waiting" : "chờ ghi danh";
    return c->english ? "enrolled" : "đã ghi danh";
}

static void add_devices(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__RegistryAnswer *a = (const Loa__V1__RegistryAnswer *)m;
    struct pages_list *l = data;
    char enrolled[32];

    for (size_t i = 0; i < a->n_devices; i++) {
        const Loa__V1__Device *d = a->devices[i];

        json_array_append_new(l->rows, device_json(d));
        table_row(&l->table, d->id, d->area, device_stage(l->c, d),
                  out_time(d->enrolled_at_ms, enrolled), d->name);
    }
}

static int find_devices(struct ctl *c, Loa__V1__DeviceFind *find)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    struct pages_list l = {.c = c, .rows = json_array()};
    struct pages p = {.service = LINK_REGISTRY,
                      .request = &q.base,
                      .each = add_devices,
                      .data = &l};

    table_init(
        &l.table, 5, c->english ? "DEVICE" : "THIẾT BỊ",
        c->english ? "AREA" : "ĐỊA BÀN", c->english ? "STATE" : "TÌNH TRẠNG",
        c->english ? "ENROLLED" : "GHI DANH", c->english ? "NAME" : "TÊN");
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_FIND;
    q.device_find = find;
    find->after = p.after;
    return pages_print(&l, pages_ask(c, &p), "chưa có thiết bị nào ở đây",
                       "there is no device here");
}

static int run_ls(struct ctl *c)
{
    Loa__V1__DeviceFind find = LOA__V1__DEVICE_FIND__INIT;
    char under[LOA_AREA_CAP];
    int rc;

    rc = link_area_given(c, under);
    if (rc != CTL_OK)
        return rc;
    find.under = under;
    find.limit = 200;
    return find_devices(c, &find);
}

static void print_device(const struct ctl *c, const Loa__V1__Device *d)
{
    char key[2 * LOA_KEY_BYTES + 1] = "-", at[32];

    if (d->key.len == LOA_KEY_BYTES)
        loa_hex(d->key.data, LOA_KEY_BYTES, key);
    printf(c->english ? "device       %s\narea         %s\nstate        %s\n"
                      : "thiết bị     %s\nđịa bàn      %s\ntình trạng   %s\n",
           d->id, d->area, device_stage(c, d));
    printf(c->english ? "name         %s\nserial       %s\nmodel        %s\n"
                      : "tên          %s\nsố máy       %s\nkiểu         %s\n",
           d->name, d->serial, d->model);
    printf(c->english ? "key          %s\nenrolled     %s\n"
                      : "khoá         %s\nghi danh     %s\n",
           key, out_time(d->enrolled_at_ms, at));
    printf(c->english ? "certificate  until %s\n" : "chứng thư    đến %s\n",
           out_time(d->not_after_ms, at));
}

static int run_show(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__DeviceFind find = LOA__V1__DEVICE_FIND__INIT;
    ProtobufCMessage *m;
    int rc;

    find.id = (char *)c->positionals[0];
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_FIND;
    q.device_find = &find;
    rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
    Loa__V1__RegistryAnswer *a = (Loa__V1__RegistryAnswer *)m;
    if (rc == CTL_OK && a->n_devices == 0)
        rc = ctl_fail(c, CTL_REFUSED, "%s: không có thiết bị này",
                      "%s: there is no such device", find.id);
    else if (rc == CTL_OK && c->json)
        out_json(json_pack("[o]", device_json(a->devices[0])));
    else if (rc == CTL_OK)
        print_device(c, a->devices[0]);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

/* Registries before this one counted no certificates. */
static void show_revoked(const struct ctl *c,
                         const char *id,
                         const Loa__V1__RegistryAnswer *a)
{
    unsigned n = a->changed_n + a->unchanged_n;
    unsigned long long list = a->revocation_number;

    if (c->json)
        out_json(json_pack("{s:s,s:o,s:i}", "revoked", id, "number",
                           json_time((int64_t)list), "certificates", (int)n));
    else if (list == 0)
        printf(c->english ? "%s is revoked; its one-time code is void (it "
                            "was never enrolled)\n"
                          : "%s đã bị thu hồi, mã dùng một lần đã huỷ (chưa "
                            "từng ghi danh)\n",
               id);
    else if (n == 0)
        printf(c->english ? "%s is revoked (list %llu)\n"
                          : "%s đã bị thu hồi (danh sách số %llu)\n",
               id, list);
    else
        printf(c->english
                   ? "%s is revoked (list %llu, certificates: %u)\n"
                   : "%s đã bị thu hồi (danh sách số %llu, chứng thư: %u)\n",
               id, list, n);
    /* Of a person; the scheduler does it when it has the list. */
    if (!c->json && list != 0 && strcmp(c->command->group, "principal") == 0)
        printf(c->english
                   ? "bulletins to come that %s approved or asked for are "
                     "cancelled; see them: loactl schedule ls --all\n"
                   : "các bản tin sắp tới do %s duyệt hoặc đặt lịch bị huỷ; "
                     "xem: loactl schedule ls --all\n",
               id);
}

/* Nobody cuts off themselves by a slip: it cannot be taken back. */
static int judge_own(struct ctl *c, const char *id)
{
    const struct loa_identity *me = ctl_identity(c);

    if (me == NULL)
        return CTL_USAGE;
    if (ctl_option(c, "yes") != NULL || me->certificates_n == 0 ||
        strcmp(me->leaf.principal, id) != 0)
        return CTL_OK;
    return ctl_fail(c, CTL_REFUSED,
                    "%s là chính bạn, người đang ra lệnh này: thu hồi rồi "
                    "không lấy lại được; nếu vẫn muốn, hãy thêm --yes",
                    "%s is you, the identity that asks: what is revoked does "
                    "not come back; if it must be, add --yes",
                    id);
}

static int run_revoke(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__Revoke revoke = LOA__V1__REVOKE__INIT;
    const char *reason = ctl_option(c, "reason");
    ProtobufCMessage *m;
    int rc = judge_own(c, c->positionals[0]);

    if (rc != CTL_OK)
        return rc;
    revoke.principal = (char *)c->positionals[0];
    revoke.reason = (char *)(reason != NULL ? reason : "");
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_REVOKE;
    q.revoke = &revoke;
    rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
    if (rc == CTL_OK)
        show_revoked(c, revoke.principal, (Loa__V1__RegistryAnswer *)m);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

/* Make a certificate known, so that it can be found and revoked: that of a file
 * if there is one, else our own. Only its certificates leave this machine. */
static int run_add_key(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__PrincipalAdd add = LOA__V1__PRINCIPAL_ADD__INIT;
    ProtobufCBinaryData chain[LOA_CHAIN_MAX];
    const struct loa_identity *id = ctl_identity(c);
    struct loa_identity other;
    ProtobufCMessage *m;
    int rc;

    if (id == NULL)
        return CTL_USAGE;
    if (c->positionals_n == 1) {
        if (!ctl_read_identity(c, c->positionals[0], &other))
            return CTL_USAGE;
        if (other.certificates_n == 0)
            return ctl_fail(c, CTL_USAGE,
                            "%s chưa có chứng thư; hãy cấp trước: key issue",
                            "%s has no certificate yet; first: key issue",
                            c->positionals[0]);
        id = &other;
    }
    for (size_t i = 0; i < id->certificates_n; i++)
        chain[i] = (ProtobufCBinaryData){id->certificates[i].len,
                                         (uint8_t *)id->certificates[i].data};
    add.n_certificates = id->certificates_n;
    add.certificates = chain;
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_PRINCIPAL_ADD;
    q.principal_add = &add;
    rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
    if (rc == CTL_OK && !c->json)
        printf(c->english ? "%s is known to the registry\n"
                          : "sổ đăng ký đã biết %s\n",
               id->leaf.principal);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

static const struct option_def enrol_options[] = {
    {"id", "ID", "name for topics, A-Z a-z 0-9 _ (the registry chooses)"},
    {"serial", "TEXT", "the maker's serial number"},
    {"name", "TEXT", "where it hangs, for people"},
    {"valid", "SECONDS", "how long the code works (86400)"},
    {NULL, NULL, NULL},
};

static const struct option_def revoke_options[] = {
    {"reason", "TEXT", "kept with the revocation"},
    {"yes", NULL, "even the identity that asks"},
    {NULL, NULL, NULL},
};

const struct command commands_device[] = {
    {"device", "enrol", "AREA", "a one-time code for a new device",
     "loactl device enrol vn/08/070/02215 --name 'Nhà văn hoá thôn 3'",
     enrol_options, 1, 1, run_enrol},
    {"device", "ls", "[AREA]", "the devices of an area",
     "loactl device ls vn/08/070", NULL, 0, 1, run_ls},
    {"device", "show", "ID", "one device", "loactl device show pole_17", NULL,
     1, 1, run_show},
    {"device", "revoke", "ID", "cut off a device or a person, at once",
     "loactl device revoke pole_17 --reason stolen", revoke_options, 1, 1,
     run_revoke},
    {"principal", "add", "[FILE]", "make a certificate known, to revoke it by",
     "loactl --identity admin.id principal add lan.id", NULL, 0, 1,
     run_add_key},
    {"principal", "revoke", "ID", "cut off a person or a service, at once",
     "loactl principal revoke lan --reason left", revoke_options, 1, 1,
     run_revoke},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
