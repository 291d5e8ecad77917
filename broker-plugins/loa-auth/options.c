#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_S_MIN 1
#define WINDOW_S_MAX 3600
#define BLANKS " \t\r\n"

LOA_PRINTF(2, 3)
static int wrong(struct options *o, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(o->error, sizeof o->error, format, ap);
    va_end(ap);
    return LOA_EINVAL;
}

void options_init(struct options *o)
{
    memset(o, 0, sizeof *o);
    strcpy(o->rules.broker, "loa");
    o->rules.window_ms = 120000;
}

static int set_root(struct options *o, const char *value)
{
    size_t len;

    if (loa_unbase64(value, o->root, sizeof o->root, &len) != LOA_OK ||
        len != sizeof o->root)
        return wrong(o, "the root key is not base64url of 32 bytes");
    o->root_known = true;
    return LOA_OK;
}

static int set_path(struct options *o,
                    const char *key,
                    const char *value,
                    char out[OPTIONS_PATH_CAP])
{
    size_t len = strlen(value);

    if (len == 0 || len >= OPTIONS_PATH_CAP)
        return wrong(o, "plugin_opt_%s is not a path", key);
    memcpy(out, value, len + 1);
    return LOA_OK;
}

static int set_broker(struct options *o, const char *value)
{
    if (!loa_principal_valid(value))
        return wrong(o, "plugin_opt_broker is not 1..32 of [A-Za-z0-9_]");
    strcpy(o->rules.broker, value);
    return LOA_OK;
}

static int set_window(struct options *o, const char *value)
{
    char *end;
    long s = strtol(value, &end, 10);

    if (end == value || *end != '\0' || s < WINDOW_S_MIN || s > WINDOW_S_MAX)
        return wrong(o, "plugin_opt_login_window_s is not %d..%d seconds",
                     WINDOW_S_MIN, WINDOW_S_MAX);
    o->rules.window_ms = s * 1000;
    return LOA_OK;
}

int options_set(struct options *o, const char *key, const char *value)
{
    if (value == NULL)
        return wrong(o, "plugin_opt_%.64s has no value", key);
    if (strcmp(key, "root") == 0)
        return set_root(o, value);
    if (strcmp(key, "root_file") == 0)
        return set_path(o, key, value, o->root_file);
    if (strcmp(key, "state") == 0)
        return set_path(o, key, value, o->state);
    if (strcmp(key, "broker") == 0)
        return set_broker(o, value);
    if (strcmp(key, "login_window_s") == 0)
        return set_window(o, value);
    return wrong(o, "there is no option plugin_opt_%.64s", key);
}

int options_root_text(struct options *o, char *text)
{
    text += strspn(text, BLANKS);
    text[strcspn(text, BLANKS)] = '\0';
    return set_root(o, text);
}

int options_check(struct options *o)
{
    if (o->root_known && o->root_file[0] != '\0')
        return wrong(o,
                     "plugin_opt_root and plugin_opt_root_file exclude "
                     "each other");
    if (!o->root_known && o->root_file[0] == '\0')
        return wrong(o, "plugin_opt_root or plugin_opt_root_file is missing");
    return LOA_OK;
}
