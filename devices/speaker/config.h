/* config.h -- settings of loa-speaker; the table is in config.c. */

#ifndef LOA_SPEAKER_CONFIG_H
#define LOA_SPEAKER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "speaker/walltime.h"

struct config {
    const char *mqtt_host;
    unsigned mqtt_port;
    const char *mqtt_ca;
    const char *broker_name;
    const char *data_dir;
    const char *identity; /* "": identity in data_dir. */
    const char *device, *serial, *model;
    const char *code, *root; /* "": none. */
    const char *output;
    unsigned volume;
    const char *place_offset_ms_text;
    const char *clock_text;
    uint64_t content_bytes_max;
    /* Taken from the texts. */
    int64_t place_offset_ms;
    enum walltime_source clock;
};

/* See config_load() in proto/io/config.h. */
LOA_MUST_CHECK bool speaker_config(struct config *c,
                                   int argc,
                                   char *argv[],
                                   int *exit_code);

#endif /* LOA_SPEAKER_CONFIG_H */
