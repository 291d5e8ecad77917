/* config.h -- a program's settings from one table of options.
 *
 * Sources, the later one wins: the option's default, the file of --config FILE
 * (or LOA_CONFIG), the environment (LOA_MQTT_PORT), the command line
 * (--mqtt-port 1883 or --mqtt-port=1883; a BOOL needs no value). Read once,
 * constant afterwards. Built in beside the table: --config, --log-level,
 * --check (-n), --help (-h), --version. */

#ifndef LOA_PROTO_IO_CONFIG_H
#define LOA_PROTO_IO_CONFIG_H

#include "proto/io/config_parse.h"

#define CONFIG_FILE_LEN_MAX 65536
#define CONFIG_OPTIONS_MAX 64

#define LOA_VERSION "0.1.0"

struct config_program {
    const char *name;    /* "loa-scheduler" */
    const char *about;   /* One line: what it does. */
    const char *example; /* "loa-scheduler --mqtt-port 1883 --pg dbname=loa" */
    const struct config_option *options;
    size_t options_n;
    /* What no single option can tell (two that exclude each other): LOA_OK, or
     * LOA_EINVAL with a sentence in why. NULL: nothing to check. */
    int (*check)(const void *conf, char why[CONFIG_WHY_LEN_MAX]);
};

/* Fill *conf. True: run. False: exit with *exit_code -- 0 after --help,
 * --version or a --check that found nothing wrong; 2 when something is wrong,
 * and then every bad value has had its own sentence on stderr:
 *   loa-scheduler: /etc/loa/scheduler.conf:12: mqtt-port = 99999: want a number
 *   from 1 to 65535
 * Strings point into the environment, argv or a static copy of the file: they
 * live as long as the process. Call once per process. Sets log_level. */
LOA_MUST_CHECK bool config_load(const struct config_program *p,
                                int argc,
                                char *argv[],
                                void *conf,
                                int *exit_code);

#endif /* LOA_PROTO_IO_CONFIG_H */
