/* cmd_command.c -- commands to loudspeakers: stop, volume. */

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/device.pb-c.h"
#include "loactl/link.h"
#include "proto/io/clock.h"

#define COMMAND_LIFE_MS 60000

/* Devices would refuse it, one by one and out of sight. */
static bool may_command(const struct ctl *c, const char *area)
{
    const struct loa_certificate *me = &c->identity.leaf;

    if ((me->powers & LOA_POWER_COMMAND) != 0 &&
        loa_area_within(area, me->area))
        return true;
    ctl_fail(c, 0, "chứng thư của bạn không có quyền ra lệnh (command) trên %s",
             "your certificate lacks the power command over %s", area);
    return false;
}

/* Whoever typed no area sees here whom it reached; of an area that nobody
 * vouches for, no loudspeaker is told of. */
static void print_sent(const struct ctl *c,
                       const char *area,
                       const Loa__V1__Command *command,
                       const char *id,
                       enum link_known known)
{
    bool stop = command->what_case == LOA__V1__COMMAND__WHAT_STOP &&
                known == LINK_KNOWN,
         en = c->english;

    if (c->json) {
        out_json(json_pack("{s:s,s:s}", "command", id, "area", area));
        return;
    }
    if (command->device[0] != '\0')
        printf(en ? "sent to %s, to device %s alone"
                  : "đã gửi tới %s, riêng loa %s",
               area, command->device);
    else if (stop && command->stop->bulletin_id.len != 0)
        printf(en ? "sent to %s: every loudspeaker stops this bulletin"
                  : "đã gửi tới %s: mọi loa ở đó dừng bản tin này",
               area);
    else if (stop)
        printf(en ? "sent to %s: every loudspeaker there falls silent"
                  : "đã gửi tới %s: mọi loa ở đó dừng phát",
               area);
    else
        printf(en ? "sent to %s" : "đã gửi tới %s", area);
    printf(en ? "; who obeyed: loactl report %s\n"
              : "; ai đã làm: loactl report %s\n",
           id);
}

/* hex gets its id, by which `report` finds who obeyed. */
static int send_command(struct ctl *c,
                        const char *to_area,
                        Loa__V1__Command *command,
                        char hex[2 * LOA_ID_BYTES + 1])
{
    static uint8_t envelope[LOA_ENVELOPE_BYTES_MAX];
    uint8_t body[256];
    char topic[LOA_TOPIC_CAP];
    const char *device = ctl_option(c, "device");
    struct loa_signer signer = loa_identity_signer(&c->identity);
    struct loa_header h = {.type = LOA_TYPE_COMMAND};
    size_t len;

    if (!may_command(c, to_area))
        return CTL_REFUSED;
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
    out_hex(h.message_id, LOA_ID_BYTES, hex);
    return link_publish(c, topic, envelope, len);
}

/* A name, which may be of a loudspeaker by mistake: nothing is silenced then,
 * so the right words must come at once. */
static int named_area(struct ctl *c, const char *text, char area[LOA_AREA_CAP])
{
    int rc = link_area(c, text, area);
    char own[LOA_AREA_CAP];

    memcpy(own, c->identity.leaf.area, sizeof own);
    if (rc == CTL_REFUSED && loa_principal_valid(text) &&
        link_device_known(c, text, own) == LINK_KNOWN)
        ctl_fail(c, CTL_REFUSED,
                 "%s là một loa; để dừng một loa: loactl device stop --device "
                 "%s",
                 "%s is a loudspeaker; to stop one: loactl device stop "
                 "--device %s",
                 text, text);
    return rc;
}

/* The area of `stop`: a path goes as it is, since silence must not wait for
 * the registry; only a name must be looked up. */
static int stop_area(struct ctl *c, char area[LOA_AREA_CAP])
{
    const char *text = c->positionals_n > 0 ? c->positionals[0] : NULL;

    if (text == NULL)
        return link_area(c, text, area);
    if (strchr(text, '/') == NULL)
        return named_area(c, text, area);
    if (ctl_identity(c) == NULL)
        return CTL_USAGE;
    if (!loa_area_valid(text))
        return ctl_fail(c, CTL_USAGE,
                        "%s: không phải đường dẫn địa bàn, ví dụ "
                        "vn/08/070",
                        "%s: not an area path such as vn/08/070", text);
    snprintf(area, LOA_AREA_CAP, "%s", text);
    return CTL_OK;
}

static void warn_silent(const struct ctl *c)
{
    ctl_warn(c, "sổ đăng ký không trả lời: chưa kiểm tra được nơi nhận",
             "the registry does not answer: the target was not checked");
}

/* After it was sent: was there anybody to hear it? */
static int check_stop(struct ctl *c,
                      const char *area,
                      enum link_known known,
                      enum link_known device_known)
{
    const char *device = ctl_option(c, "device");

    if (known == LINK_NO_SUCH)
        return ctl_fail(c, CTL_REFUSED,
                        "đã gửi, nhưng sổ đăng ký không có địa bàn %s",
                        "sent, but the registry knows no area %s", area);
    if (known == LINK_KNOWN && device != NULL)
        known = device_known;
    if (known == LINK_NO_SUCH)
        return ctl_fail(c, CTL_REFUSED, "đã gửi, nhưng %s không có thiết bị %s",
                        "sent, but in %s there is no device %s", area, device);
    if (known == LINK_SILENT)
        warn_silent(c);
    return CTL_OK;
}

static int run_stop(struct ctl *c)
{
    Loa__V1__Command command = LOA__V1__COMMAND__INIT;
    Loa__V1__Stop stop = LOA__V1__STOP__INIT;
    const char *bulletin = ctl_option(c, "bulletin");
    const char *device = ctl_option(c, "device");
    enum link_known known, device_known = LINK_KNOWN;
    uint8_t id[LOA_ID_BYTES];
    char area[LOA_AREA_CAP], hex[2 * LOA_ID_BYTES + 1];
    int rc = stop_area(c, area);

    /* One loudspeaker hears only what is sent to where it hangs. */
    if (rc == CTL_OK && device != NULL)
        device_known = link_device_known(c, device, area);

    if (rc == CTL_OK && bulletin != NULL) {
        rc = link_bulletin(c, bulletin, id);
        stop.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    }
    command.what_case = LOA__V1__COMMAND__WHAT_STOP;
    command.stop = &stop;
    if (rc == CTL_OK)
        rc = send_command(c, area, &command, hex);
    if (rc != CTL_OK)
        return rc;
    known = link_area_known(c, area, NULL);
    print_sent(c, area, &command, hex, known);
    return check_stop(c, area, known, device_known);
}

static int check_device(struct ctl *c,
                        const char *device,
                        char area[LOA_AREA_CAP])
{
    switch (link_device_known(c, device, area)) {
        case LINK_NO_SUCH:
            return ctl_fail(c, CTL_REFUSED, "%s không có thiết bị %s",
                            "in %s there is no device %s", area, device);
        case LINK_SILENT:
            warn_silent(c);
            return CTL_OK;
        default:
            return CTL_OK;
    }
}

static int run_volume(struct ctl *c)
{
    Loa__V1__Command command = LOA__V1__COMMAND__INIT;
    Loa__V1__SetVolume volume = LOA__V1__SET_VOLUME__INIT;
    const char *device = ctl_option(c, "device");
    char area[LOA_AREA_CAP], hex[2 * LOA_ID_BYTES + 1], *end;
    unsigned long percent = strtoul(c->positionals[1], &end, 10);
    int rc;

    if (*c->positionals[1] < '0' || *c->positionals[1] > '9' ||
        strcmp(end + (*end == '%'), "") != 0 || percent > 100)
        return ctl_fail(c, CTL_USAGE, "%s: âm lượng từ 0 đến 100",
                        "%s: a volume is 0 to 100", c->positionals[1]);
    rc = link_area(c, c->positionals[0], area);
    if (rc == CTL_OK && device != NULL)
        rc = check_device(c, device, area);
    volume.percent = (uint32_t)percent;
    command.what_case = LOA__V1__COMMAND__WHAT_SET_VOLUME;
    command.set_volume = &volume;
    if (rc == CTL_OK)
        rc = send_command(c, area, &command, hex);
    if (rc == CTL_OK)
        print_sent(c, area, &command, hex, LINK_KNOWN);
    return rc;
}

static const struct option_def stop_options[] = {
    {"bulletin", "ID", "only this bulletin; else whatever is playing"},
    {"device", "ID", "only this device of the area"},
    {NULL, NULL, NULL},
};

static const struct option_def volume_options[] = {
    {"device", "ID", "only this device of the area"},
    {NULL, NULL, NULL},
};

const struct command commands_command[] = {
    {"device", "stop", "[AREA]",
     "silence, now; without AREA in all of your own area",
     "loactl device stop vn/08/070/02215", stop_options, 0, 1, run_stop},
    {"device", "volume", "AREA PERCENT", "set how loud",
     "loactl device volume vn/08/070/02215 60", volume_options, 2, 2,
     run_volume},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
