/* config_parse.h -- the text side of configuration: pure, and fuzzed.
 *
 * A file is lines `name = value`. Blanks around both are dropped, `#` at the
 * start of a line or after a blank begins a comment, and a value in double
 * quotes is taken as it stands (to keep blanks or a `#`). */

#ifndef LOA_PROTO_IO_CONFIG_PARSE_H
#define LOA_PROTO_IO_CONFIG_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define CONFIG_WHY_LEN_MAX 256
#define CONFIG_ENV_LEN_MAX 64

/* The C type of the field follows the option's type. */
enum config_type {
    CONFIG_TEXT,     /* const char *; min, max: length in bytes, max 0: any */
    CONFIG_PATH,     /* const char *; as TEXT, --help says FILE */
    CONFIG_UINT,     /* unsigned; min..max */
    CONFIG_U64,      /* uint64_t; min..max */
    CONFIG_BOOL,     /* bool; yes/no, true/false, on/off, 1/0 */
    CONFIG_DURATION, /* uint64_t ms; "250ms" "10s" "5m" "2h" "7d"; min..max ms
                      */
};

struct config_option {
    const char *name; /* "mqtt-port": also --mqtt-port and LOA_MQTT_PORT. */
    enum config_type type;
    size_t at;       /* offsetof() the field. */
    const char *def; /* Read like any other text; NULL: must be given. */
    uint64_t min, max;
    const char *help; /* One line, without a full stop. */
};

/* One line of a file. line counts from 1. why is NULL, or says what is wrong
 * with the line; then name and value are NULL. All lent for the call. */
typedef void (*config_line_cb)(unsigned line,
                               const char *name,
                               const char *value,
                               const char *why,
                               void *data);

/* Cut text (text[len] must be writable and is set to 0) into its lines, and
 * call back for each that is not blank or a comment. name and value point into
 * text and stay valid as long as it does. */
void config_parse(char *text, size_t len, config_line_cb cb, void *data);

/* Read text as o's type and store it in *conf; a TEXT or PATH field then points
 * to text itself. LOA_EINVAL: *conf is untouched and why says what was wanted,
 * e.g. "want a number from 1 to 65535". */
LOA_MUST_CHECK int config_set(const struct config_option *o,
                              void *conf,
                              const char *text,
                              char why[CONFIG_WHY_LEN_MAX]);

/* The option of that name, or NULL. */
const struct config_option *config_find(const struct config_option *options,
                                        size_t options_n,
                                        const char *name,
                                        size_t name_len);

/* "mqtt-port" -> "LOA_MQTT_PORT"; names are cut at CONFIG_ENV_LEN_MAX - 1. */
void config_env_name(const char *name, char env[CONFIG_ENV_LEN_MAX]);

#endif /* LOA_PROTO_IO_CONFIG_PARSE_H */
