/* cmd_device.c -- loudspeakers and people: enrol, list, show, stop, revoke. */

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "loa/v1/registry.pb-c.h"
#include "loactl/link.h"
#include "proto/io/clock.h"

#define COMMAND_LIFE_MS 60000

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

    if (!ctl_number(c, "valid", 60, 2592000, 86400, &valid_s) ||
        !link_area(c, c->positionals[0], area))
        return CTL_USAGE;
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
                     "revoked", (int)d->revoked, "enrolled_at",
                     json_time(d->enrolled_at_ms), "not_after",
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

static int find_devices(struct ctl *c, Loa__V1__DeviceFind *find)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    json_t *list = json_array();
    struct table t;
    char after[256] = "", enrolled[32];
    int rc;

    table_init(
        &t, 5, c->english ? "DEVICE" : "THIẾT BỊ",
        c->english ? "AREA" : "ĐỊA BÀN", c->english ? "STATE" : "TÌNH TRẠNG",
        c->english ? "ENROLLED" : "GHI DANH", c->english ? "NAME" : "TÊN");
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_FIND;
    q.device_find = find;
    do {
        ProtobufCMessage *m;
        find->after = after;
        rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
        if (rc == CTL_OK) {
            Loa__V1__RegistryAnswer *a = (Loa__V1__RegistryAnswer *)m;
            for (size_t i = 0; i < a->n_devices; i++) {
                const Loa__V1__Device *d = a->devices[i];
                json_array_append_new(list, device_json(d));
                table_row(&t, d->id, d->area, device_stage(c, d),
                          out_time(d->enrolled_at_ms, enrolled), d->name);
            }
            snprintf(after, sizeof after, "%s", a->next);
        }
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    } while (rc == CTL_OK && after[0] != '\0');
    if (rc == CTL_OK && c->json)
        out_json(json_incref(list));
    else if (rc == CTL_OK)
        table_print(c, &t);
    json_decref(list);
    return rc;
}

static int run_ls(struct ctl *c)
{
    Loa__V1__DeviceFind find = LOA__V1__DEVICE_FIND__INIT;
    char under[LOA_AREA_CAP];

    if (!link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under))
        return CTL_USAGE;
    find.under = under;
    find.limit = 200;
    return find_devices(c, &find);
}

static int run_show(struct ctl *c)
{
    Loa__V1__DeviceFind find = LOA__V1__DEVICE_FIND__INIT;

    find.id = (char *)c->positionals[0];
    return find_devices(c, &find);
}

static int run_revoke(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__Revoke revoke = LOA__V1__REVOKE__INIT;
    const char *reason = ctl_option(c, "reason");
    ProtobufCMessage *m;
    int rc;

    revoke.principal = (char *)c->positionals[0];
    revoke.reason = (char *)(reason != NULL ? reason : "");
    q.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_REVOKE;
    q.revoke = &revoke;
    rc = link_ask(c, LINK_REGISTRY, &q.base, &m);
    if (rc == CTL_OK) {
        unsigned long long n =
            ((Loa__V1__RegistryAnswer *)m)->revocation_number;
        if (c->json)
            out_json(json_pack("{s:s,s:I}", "revoked", revoke.principal,
                               "number", (json_int_t)n));
        else
            printf(c->english ? "%s is revoked (list %llu)\n"
                              : "%s đã bị thu hồi (danh sách số %llu)\n",
                   revoke.principal, n);
    }
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

/* Make a certificate known, so that it can be found and revoked. */
static int run_add_key(struct ctl *c)
{
    Loa__V1__RegistryRequest q = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__PrincipalAdd add = LOA__V1__PRINCIPAL_ADD__INIT;
    ProtobufCBinaryData chain[LOA_CHAIN_MAX];
    const struct loa_identity *id = ctl_identity(c);
    ProtobufCMessage *m;
    int rc;

    if (id == NULL)
        return CTL_USAGE;
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

/* --- commands to devices
 * ------------------------------------------------------ */

static int send_command(struct ctl *c,
                        const char *to_area,
                        Loa__V1__Command *command)
{
    static uint8_t envelope[LOA_ENVELOPE_BYTES_MAX];
    uint8_t body[256];
    char topic[LOA_TOPIC_CAP], hex[2 * LOA_ID_BYTES + 1];
    const char *device = ctl_option(c, "device");
    struct loa_signer signer = loa_identity_signer(&c->identity);
    struct loa_header h = {.type = LOA_TYPE_COMMAND};
    size_t len;
    int rc;

    command->device = (char *)(device != NULL ? device : "");
    snprintf(h.area, sizeof h.area, "%s", to_area);
    randombytes_buf(h.message_id, LOA_ID_BYTES);
    h.counter = (uint64_t)clock_wall_us();
    h.issued_at_ms = clock_wall_ms();
    h.expires_at_ms = h.issued_at_ms + COMMAND_LIFE_MS;
    h.body = (struct loa_bytes){body, loa__v1__command__pack(command, body)};
    if (loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, "command", to_area,
                        device) != LOA_OK ||
        loa_envelope_seal(&h, &signer, envelope, sizeof envelope, &len) !=
            LOA_OK)
        return ctl_fail(c, CTL_USAGE, "thiết bị hoặc địa bàn sai",
                        "the device or the area is malformed");
    rc = link_publish(c, topic, envelope, len);
    if (rc == CTL_OK && c->json)
        out_json(json_pack("{s:s,s:s}", "command",
                           out_hex(h.message_id, LOA_ID_BYTES, hex), "area",
                           to_area));
    else if (rc == CTL_OK)
        printf(c->english ? "sent to %s; who obeyed: loactl report %s\n"
                          : "đã gửi tới %s; ai đã làm: loactl report %s\n",
               to_area, out_hex(h.message_id, LOA_ID_BYTES, hex));
    return rc;
}

static int run_stop(struct ctl *c)
{
    Loa__V1__Command command = LOA__V1__COMMAND__INIT;
    Loa__V1__Stop stop = LOA__V1__STOP__INIT;
    const char *bulletin = ctl_option(c, "bulletin");
    uint8_t id[LOA_ID_BYTES];
    char area[LOA_AREA_CAP];

    if (!link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, area))
        return CTL_USAGE;
    if (bulletin != NULL) {
        if (loa_unhex(bulletin, id, sizeof id) != LOA_OK)
            return ctl_fail(c, CTL_USAGE, "%s: cần 32 chữ số mười sáu",
                            "%s: want 32 hexadecimal digits", bulletin);
        stop.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    }
    command.what_case = LOA__V1__COMMAND__WHAT_STOP;
    command.stop = &stop;
    return send_command(c, area, &command);
}

static int run_volume(struct ctl *c)
{
    Loa__V1__Command command = LOA__V1__COMMAND__INIT;
    Loa__V1__SetVolume volume = LOA__V1__SET_VOLUME__INIT;
    char area[LOA_AREA_CAP], *end;
    unsigned long percent = strtoul(c->positionals[1], &end, 10);

    if (*c->positionals[1] < '0' || *end != '\0' || percent > 100)
        return ctl_fail(c, CTL_USAGE, "%s: âm lượng từ 0 đến 100",
                        "%s: a volume is 0 to 100", c->positionals[1]);
    if (!link_area(c, c->positionals[0], area))
        return CTL_USAGE;
    volume.percent = (uint32_t)percent;
    command.what_case = LOA__V1__COMMAND__WHAT_SET_VOLUME;
    command.set_volume = &volume;
    return send_command(c, area, &command);
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
    {NULL, NULL, NULL},
};

static const struct option_def stop_options[] = {
    {"bulletin", "ID", "only this bulletin; else whatever is playing"},
    {"device", "ID", "only this device of the area"},
    {NULL, NULL, NULL},
};

static const struct option_def volume_options[] = {
    {"device", "ID", "only this device of the area"},
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
    {"device", "stop", "[AREA]", "silence, now",
     "loactl device stop vn/08/070/02215", stop_options, 0, 1, run_stop},
    {"device", "volume", "AREA PERCENT", "set how loud",
     "loactl device volume vn/08/070/02215 60", volume_options, 2, 2,
     run_volume},
    {"principal", "add", "", "make --identity's certificate known",
     "loactl --identity editor.id principal add", NULL, 0, 0, run_add_key},
    {"principal", "revoke", "ID", "cut off a person or a service, at once",
     "loactl principal revoke lan --reason left", revoke_options, 1, 1,
     run_revoke},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
