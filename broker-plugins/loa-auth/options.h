/* options.h -- the plugin_opt_ lines of mosquitto.conf.
 *
 *     plugin_opt_root           the pinned root key, base64url
 *     plugin_opt_root_file      or the file that holds it, one line
 *     plugin_opt_broker         name that logins must mean ("loa")
 *     plugin_opt_state          file for the newest trust list; without it a
 *                               broker that restarts knows no revocation until
 *                               the registry has told it again
 *     plugin_opt_login_window_s how far a login's time may be off (120)
 *
 * Pure: reading root_file is the caller's. */

#ifndef LOA_AUTH_OPTIONS_H
#define LOA_AUTH_OPTIONS_H

#include "login.h"

#define OPTIONS_PATH_CAP 4096
#define OPTIONS_ERROR_CAP 256

struct options {
    struct login_rules rules;
    bool root_known;
    uint8_t root[LOA_KEY_BYTES];
    char root_file[OPTIONS_PATH_CAP]; /* "": none. */
    char state[OPTIONS_PATH_CAP];     /* "": none. */
    char error[OPTIONS_ERROR_CAP];    /* One sentence after LOA_EINVAL. */
};

void options_init(struct options *o);

/* Take one option. LOA_EINVAL: unknown or wrong. */
LOA_MUST_CHECK int options_set(struct options *o,
                               const char *key,
                               const char *value);

/* The text of root_file: the key, blanks around it allowed. LOA_EINVAL. */
LOA_MUST_CHECK int options_root_text(struct options *o, char *text);

/* After the last option, root_file not read yet: LOA_EINVAL unless the root
 * comes from exactly one place. */
LOA_MUST_CHECK int options_check(struct options *o);

#endif /* LOA_AUTH_OPTIONS_H */
