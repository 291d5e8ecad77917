#include "proto/io/config_parse.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

#define BLANKS " \t\r"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-."

static char *skip_blanks(char *s)
{
    return s + strspn(s, BLANKS);
}

static void trim_end(char *s)
{
    size_t len = strlen(s);

    while (len > 0 && strchr(BLANKS, s[len - 1]) != NULL)
        len--;
    s[len] = '\0';
}

/* Drop a comment: `#` first, or after a blank. */
static void drop_comment(char *s)
{
    for (char *p = s; *p != '\0'; p++)
        if (*p == '#' && (p == s || strchr(BLANKS, p[-1]) != NULL)) {
            *p = '\0';
            return;
        }
}

/* Find the value in what follows `=`: NULL, or what is wrong with it. */
static const char *take_value(char *s, char **value)
{
    char *end;

    s = skip_blanks(s);
    if (*s != '"') {
        /* `name = # why` is an empty value, since a blank comes before it. */
        drop_comment(s);
        trim_end(s);
        *value = s;
        return NULL;
    }
    end = strchr(++s, '"');
    if (end == NULL)
        return "the quote is not closed";
    *end = '\0';
    *value = s;
    end = skip_blanks(end + 1);
    if (*end != '\0' && *end != '#')
        return "there is text behind the closing quote";
    return NULL;
}

/* s is a line that is neither blank nor a comment. */
static const char *split_line(char *s, char **name, char **value)
{
    char *equals = strchr(s, '=');

    if (equals == NULL)
        return "want `name = value`";
    *equals = '\0';
    trim_end(s);
    if (*s == '\0' || s[strspn(s, NAME_CHARS)] != '\0')
        return "want a name of a-z, 0-9, '-' and '.' before the `=`";
    *name = s;
    return take_value(equals + 1, value);
}

static void parse_line(char *s,
                       size_t len,
                       unsigned line,
                       config_line_cb cb,
                       void *data)
{
    char *name = NULL, *value = NULL;
    const char *why;

    s[len] = '\0';
    if (memchr(s, '\0', len) != NULL ||
        !loa_utf8_valid((const uint8_t *)s, len)) {
        cb(line, NULL, NULL, "this is not UTF-8 text", data);
        return;
    }
    s = skip_blanks(s);
    if (*s == '\0' || *s == '#')
        return;
    why = split_line(s, &name, &value);
    if (why != NULL)
        cb(line, NULL, NULL, why, data);
    else
        cb(line, name, value, NULL, data);
}

void config_parse(char *text, size_t len, config_line_cb cb, void *data)
{
    unsigned line = 1;
    size_t at = 0;

    while (at < len) {
        char *end = memchr(text + at, '\n', len - at);
        size_t n = end == NULL ? len - at : (size_t)(end - (text + at));
        parse_line(text + at, n, line++, cb, data);
        at += n + 1;
    }
}

/* Digits alone, no sign, no blank; *rest is what follows them. */
static int read_u64(const char *text, uint64_t *v, const char **rest)
{
    uint64_t n = 0;

    if (*text < '0' || *text > '9')
        return LOA_EINVAL;
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return LOA_EINVAL;
        n = n * 10 + digit;
    }
    *v = n;
    *rest = text;
    return LOA_OK;
}

static int read_number(const struct config_option *o,
                       const char *text,
                       uint64_t *v,
                       char *why)
{
    const char *rest;

    if (read_u64(text, v, &rest) == LOA_OK && *rest == '\0' && *v >= o->min &&
        *v <= o->max)
        return LOA_OK;
    snprintf(why, CONFIG_WHY_LEN_MAX,
             "want a number from %" PRIu64 " to %" PRIu64, o->min, o->max);
    return LOA_EINVAL;
}

static const struct {
    const char *name;
    uint64_t ms;
} units[] = {{"d", 86400000},
             {"h", 3600000},
             {"m", 60000},
             {"s", 1000},
             {"ms", 1}};

/* The largest unit that gives a whole number, as people would write it. */
static void print_duration(char *buf, size_t cap, uint64_t ms)
{
    size_t i = 0;

    while (i < 4 && (ms == 0 || ms % units[i].ms != 0))
        i++;
    snprintf(buf, cap, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
}

static int read_duration(const struct config_option *o,
                         const char *text,
                         uint64_t *v,
                         char *why)
{
    const char *unit;
    char min[32], max[32];
    uint64_t n;

    if (read_u64(text, &n, &unit) == LOA_OK)
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (strcmp(unit, units[i].name) == 0 &&
                n <= UINT64_MAX / units[i].ms && n * units[i].ms >= o->min &&
                n * units[i].ms <= o->max) {
                *v = n * units[i].ms;
                return LOA_OK;
            }
    print_duration(min, sizeof min, o->min);
    print_duration(max, sizeof max, o->max);
    snprintf(why, CONFIG_WHY_LEN_MAX,
             "want a time from %s to %s, as 250ms, 10s, 5m, 2h or 7d", min,
             max);
    return LOA_EINVAL;
}

static int read_bool(const char *text, bool *v, char *why)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(text, words[i][k]) == 0) {
                *v = k == 1;
                return LOA_OK;
            }
    snprintf(why, CONFIG_WHY_LEN_MAX, "want yes or no");
    return LOA_EINVAL;
}

static int read_text(const struct config_option *o, const char *text, char *why)
{
    size_t len = strlen(text);

    if (!loa_utf8_valid((const uint8_t *)text, len)) {
        snprintf(why, CONFIG_WHY_LEN_MAX, "want UTF-8 text");
        return LOA_EINVAL;
    }
    if (len >= o->min && (o->max == 0 || len <= o->max))
        return LOA_OK;
    if (len < o->min && o->min == 1)
        snprintf(why, CONFIG_WHY_LEN_MAX, "must not be empty");
    else if (o->max == 0)
        snprintf(why, CONFIG_WHY_LEN_MAX, "want %" PRIu64 " bytes or more",
                 o->min);
    else
        snprintf(why, CONFIG_WHY_LEN_MAX,
                 "want %" PRIu64 " to %" PRIu64 " bytes", o->min, o->max);
    return LOA_EINVAL;
}

int config_set(const struct config_option *o,
               void *conf,
               const char *text,
               char why[CONFIG_WHY_LEN_MAX])
{
    char *field = (char *)conf + o->at;
    uint64_t number = 0;
    bool yes = false;
    int rv = LOA_EINVAL;

    switch (o->type) {
        case CONFIG_TEXT:
        case CONFIG_PATH:
            rv = read_text(o, text, why);
            if (rv == LOA_OK)
                memcpy(field, &text, sizeof text);
            break;
        case CONFIG_UINT:
            assert(o->max <= UINT_MAX);
            rv = read_number(o, text, &number, why);
            if (rv == LOA_OK)
                memcpy(field, &(unsigned){(unsigned)number}, sizeof(unsigned));
            break;
        case CONFIG_U64:
            rv = read_number(o, text, &number, why);
            if (rv == LOA_OK)
                memcpy(field, &number, sizeof number);
            break;
        case CONFIG_DURATION:
            rv = read_duration(o, text, &number, why);
            if (rv == LOA_OK)
                memcpy(field, &number, sizeof number);
            break;
        case CONFIG_BOOL:
            rv = read_bool(text, &yes, why);
            if (rv == LOA_OK)
                memcpy(field, &yes, sizeof yes);
            break;
    }
    return rv;
}

const struct config_option *config_find(const struct config_option *options,
                                        size_t options_n,
                                        const char *name,
                                        size_t name_len)
{
    for (size_t i = 0; i < options_n; i++)
        if (strlen(options[i].name) == name_len &&
            memcmp(options[i].name, name, name_len) == 0)
            return &options[i];
    return NULL;
}

void config_env_name(const char *name, char env[CONFIG_ENV_LEN_MAX])
{
    size_t len = 4;

    memcpy(env, "LOA_", len);
    for (; *name != '\0' && len < CONFIG_ENV_LEN_MAX - 1; name++) {
        char c = *name;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (c == '-' || c == '.')
            c = '_';
        env[len++] = c;
    }
    env[len] = '\0';
}
