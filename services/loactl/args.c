/* args.c -- the command line and the environment, read into struct ctl. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loactl/args.h"

static const struct command *find(const char *group, const char *verb)
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++)
            if (strcmp(m->group, group) == 0 &&
                (m->verb[0] == '\0' ||
                 (verb != NULL && strcmp(m->verb, verb) == 0)))
                return m;
    return NULL;
}

static int find_option(const struct option_def *o, const char *name, size_t len)
{
    for (int i = 0; o != NULL && o[i].name != NULL; i++)
        if (strlen(o[i].name) == len && memcmp(o[i].name, name, len) == 0)
            return i;
    return -1;
}

static bool set_port(struct ctl *c, const char *text, unsigned *out, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || n < 1 || n > max) {
        ctl_fail(c, 0, "%s: cần một số từ 1 đến %ld",
                 "%s: want a number from 1 to %ld", text, max);
        return false;
    }
    *out = (unsigned)n;
    return true;
}

bool args_language(struct ctl *c, const char *text)
{
    if (strcmp(text, "vi") != 0 && strcmp(text, "en") != 0) {
        ctl_fail(c, 0, "%s: chỉ có tiếng Việt (vi) và tiếng Anh (en)",
                 "%s: there are Vietnamese (vi) and English (en)", text);
        return false;
    }
    c->english = strcmp(text, "en") == 0;
    return true;
}

static bool set_global(struct ctl *c, const char *name, const char *value)
{
    if (strcmp(name, "identity") == 0)
        c->identity_path = value;
    else if (strcmp(name, "host") == 0)
        c->host = value;
    else if (strcmp(name, "broker") == 0)
        c->broker = value;
    else if (strcmp(name, "port") == 0)
        return set_port(c, value, &c->port, 65535);
    else if (strcmp(name, "timeout") == 0)
        return set_port(c, value, &c->timeout_s, 86400);
    else if (strcmp(name, "ca") == 0)
        c->ca_file = value;
    else if (strcmp(name, "lang") == 0)
        return args_language(c, value);
    else if (strcmp(name, "json") == 0)
        c->json = true;
    else if (strcmp(name, "quiet") == 0)
        c->quiet = true;
    return true;
}

bool args_environment(struct ctl *c)
{
    const char *lang = getenv("LANG"), *own = getenv("LOA_LANG");
    const char *port = getenv("LOA_PORT");
    const char *text;

    c->english = lang != NULL && strncmp(lang, "en", 2) == 0;
    c->host = (text = getenv("LOA_HOST")) != NULL ? text : "127.0.0.1";
    c->broker = (text = getenv("LOA_BROKER")) != NULL ? text : "loa";
    c->identity_path = getenv("LOA_IDENTITY");
    c->ca_file = getenv("LOA_CA");
    if (c->ca_file != NULL && c->ca_file[0] == '\0')
        c->ca_file = NULL;
    c->port = 1883;
    c->timeout_s = 30;
    c->color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    return (own == NULL || args_language(c, own)) &&
           (port == NULL || set_port(c, port, &c->port, 65535));
}

/* One "--name", "--name value" or "--name=value" at argv[*i]. */
static bool take_option(struct ctl *c, int argc, char *argv[], int *i)
{
    const char *name = argv[*i] + 2, *value = "";
    size_t len = strcspn(name, "=");
    const struct option_def *own =
        c->command != NULL ? c->command->options : NULL;
    int at = find_option(own, name, len);
    const struct option_def *o = own + (at >= 0 ? at : 0);

    if (at < 0) {
        int g = find_option(ctl_globals, name, len);
        if (g < 0) {
            ctl_fail(c, 0, "không có tuỳ chọn %s; xem --help",
                     "there is no option %s; see --help", argv[*i]);
            return false;
        }
        o = &ctl_globals[g];
    }
    if (o->arg != NULL) {
        if (name[len] == '=') {
            value = name + len + 1;
        } else if (*i + 1 < argc) {
            value = argv[++*i];
        } else {
            ctl_fail(c, 0, "--%s cần %s", "--%s needs %s", o->name, o->arg);
            return false;
        }
    }
    if (at >= 0)
        c->values[at] = value;
    else if (strcmp(o->name, "help") != 0)
        return set_global(c, o->name, value);
    return true;
}

void args_command(struct ctl *c, int argc, char *argv[], const char *words[2])
{
    int n = 0;

    for (int i = 1; i < argc && n < 2; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            words[n++] = argv[i];
            continue;
        }
        int g = find_option(ctl_globals, argv[i] + 2, strlen(argv[i] + 2));
        if (g >= 0 && ctl_globals[g].arg != NULL)
            i++;
    }
    if (n > 0)
        c->command = find(words[0], words[1]);
}

bool args_parse(struct ctl *c, int argc, char *argv[])
{
    int skip = c->command == NULL ? 0 : c->command->verb[0] != '\0' ? 2 : 1;
    bool only_words = false;

    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            if (!take_option(c, argc, argv, &i))
                return false;
        } else if (skip > 0) {
            skip--;
        } else if (c->positionals_n < CTL_POSITIONALS_MAX) {
            c->positionals[c->positionals_n++] = argv[i];
        } else {
            ctl_fail(c, 0, "quá nhiều đối số", "too many arguments");
            return false;
        }
    }
    return true;
}

bool args_want(const char *what, const char *brief, int argc, char *argv[])
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], what) == 0 || strcmp(argv[i], brief) == 0)
            return true;
    return false;
}
