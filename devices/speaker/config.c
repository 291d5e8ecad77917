#include "speaker/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/enrol.h"
#include "proto/io/config.h"
#include "proto/key.h"
#include "proto/topic.h"

#define OFFSET_MS_MAX 60000

#define AT(field) offsetof(struct config, field)

static const struct config_option options[] = {
    {"mqtt-host", CONFIG_TEXT, AT(mqtt_host), "127.0.0.1", 1, 255,
     "broker to connect to"},
    {"mqtt-port", CONFIG_UINT, AT(mqtt_port), "1883", 1, 65535, "its TCP port"},
    {"mqtt-ca", CONFIG_PATH, AT(mqtt_ca), "", 0, 0,
     "certificates that its TLS certificate must lead to; empty: no TLS"},
    {"broker-name", CONFIG_TEXT, AT(broker_name), "loa", 1, 64,
     "name of the broker that the login is meant for"},
    {"data-dir", CONFIG_PATH, AT(data_dir), "/var/lib/loa-speaker", 1, 3900,
     "where programme, contents and receipts are kept"},
    {"identity", CONFIG_PATH, AT(identity), "", 0, 0,
     "file of the key and certificates; empty: identity in data-dir"},
    {"device", CONFIG_TEXT, AT(device), "", 0, LOA_PRINCIPAL_CAP - 1,
     "id that the registry knows the device by; needed to enrol"},
    {"serial", CONFIG_TEXT, AT(serial), "", 0, LOA_ENROL_SERIAL_MAX,
     "serial number that the code was made for"},
    {"model", CONFIG_TEXT, AT(model), "loa-speaker", 0, LOA_ENROL_SERIAL_MAX,
     "what kind of device it is"},
    {"code", CONFIG_TEXT, AT(code), "", 0, 64,
     "one-time code of the registry; used until the device is enrolled"},
    {"root", CONFIG_TEXT, AT(root), "", 0, 43,
     "root key (base64url) that an enrolment must name; empty: the code's"},
    {"output", CONFIG_TEXT, AT(output), "alsa:default", 5, 3900,
     "wav:PATH or alsa:DEVICE"},
    {"volume", CONFIG_UINT, AT(volume), "100", 0, 100,
     "percent, until a command sets another"},
    {"place-offset-ms", CONFIG_TEXT, AT(place_offset_ms_text), "0", 1, 8,
     "added to every start against echo from neighbours: -60000 to 60000"},
    {"clock", CONFIG_TEXT, AT(clock_text), "system", 1, 8,
     "system: believe the system's clock; none: ask for signed time"},
    {"content-bytes-max", CONFIG_U64, AT(content_bytes_max), "1073741824",
     1048576, 1ull << 50, "disk space for contents"},
};

static int parse_offset(struct config *c, char why[CONFIG_WHY_LEN_MAX])
{
    char *end;
    long ms;

    errno = 0;
    ms = strtol(c->place_offset_ms_text, &end, 10);
    if (errno != 0 || *end != '\0' || end == c->place_offset_ms_text ||
        ms < -OFFSET_MS_MAX || ms > OFFSET_MS_MAX) {
        snprintf(why, CONFIG_WHY_LEN_MAX,
                 "place-offset-ms = %s: want a number from -60000 to 60000",
                 c->place_offset_ms_text);
        return LOA_EINVAL;
    }
    c->place_offset_ms = ms;
    return LOA_OK;
}

static int parse_clock(struct config *c, char why[CONFIG_WHY_LEN_MAX])
{
    bool none = strcmp(c->clock_text, "none") == 0;

    if (!none && strcmp(c->clock_text, "system") != 0) {
        snprintf(why, CONFIG_WHY_LEN_MAX, "clock = %s: want system or none",
                 c->clock_text);
        return LOA_EINVAL;
    }
    c->clock = none ? WALLTIME_NONE : WALLTIME_SYSTEM;
    return LOA_OK;
}

/* The texts that no option type knows. */
static int read_texts(struct config *c, char why[CONFIG_WHY_LEN_MAX])
{
    uint8_t root[LOA_KEY_BYTES];
    size_t len;

    if (c->root[0] != '\0' &&
        (loa_unbase64(c->root, root, sizeof root, &len) != LOA_OK ||
         len != sizeof root)) {
        snprintf(why, CONFIG_WHY_LEN_MAX,
                 "root = %s: want 43 characters of base64url", c->root);
        return LOA_EINVAL;
    }
    if (c->device[0] != '\0' && !loa_principal_valid(c->device)) {
        snprintf(why, CONFIG_WHY_LEN_MAX,
                 "device = %s: want 1 to 32 letters, digits, underscores",
                 c->device);
        return LOA_EINVAL;
    }
    if (strncmp(c->output, "wav:", 4) != 0 &&
        strncmp(c->output, "alsa:", 5) != 0) {
        snprintf(why, CONFIG_WHY_LEN_MAX,
                 "output = %s: want wav:PATH or alsa:DEVICE", c->output);
        return LOA_EINVAL;
    }
    if (parse_offset(c, why) != LOA_OK)
        return LOA_EINVAL;
    return parse_clock(c, why);
}

static int check(const void *conf, char why[CONFIG_WHY_LEN_MAX])
{
    struct config copy = *(const struct config *)conf;

    return read_texts(&copy, why);
}

bool speaker_config(struct config *c, int argc, char *argv[], int *exit_code)
{
    static const struct config_program program = {
        .name = "loa-speaker",
        .about =
            "the agent on a loudspeaker's pole: says what is signed, "
            "when it is due, and nothing else",
        .example =
            "loa-speaker --mqtt-host broker.tq.example --device pole_17 "
            "--serial SN-17 --code 8GKP-3VHB-0ZN4-QYTM",
        .options = options,
        .options_n = sizeof options / sizeof options[0],
        .check = check,
    };
    char why[CONFIG_WHY_LEN_MAX];

    if (!config_load(&program, argc, argv, c, exit_code))
        return false;
    /* check() has found nothing, so this finds nothing either. */
    return read_texts(c, why) == LOA_OK;
}
