#include "proto/io/config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/log.h"

#define EXIT_USAGE 2
#define WHERE_LEN_MAX 300

/* One load: the program, the target, and what has been found so far. */
struct load {
    const struct config_program *p;
    void *conf;
    const char *file; /* Path given, or NULL. */
    const char *level;
    bool given[CONFIG_OPTIONS_MAX];
    bool check, bad;
};

static void complain(struct load *l, const char *fmt, ...) LOA_PRINTF(2, 3);

static void complain(struct load *l, const char *fmt, ...)
{
    va_list ap;

    l->bad = true;
    fprintf(stderr, "%s: ", l->p->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static void set_level(struct load *l, const char *where, const char *text)
{
    if (log_level_parse(text, &log_level) != LOA_OK)
        complain(l, "%s: want error, warn, info or debug, not '%s'", where,
                 text);
}

/* name = text, said at where ("FILE:12: name", "LOA_NAME" or "--name"). */
static void set(struct load *l,
                const char *where,
                const struct config_option *o,
                const char *text)
{
    char why[CONFIG_WHY_LEN_MAX];

    l->given[o - l->p->options] = true;
    if (config_set(o, l->conf, text, why) != LOA_OK)
        complain(l, "%s = %s: %s", where, text, why);
}

static const struct config_option *find(const struct load *l,
                                        const char *name,
                                        size_t len)
{
    return config_find(l->p->options, l->p->options_n, name, len);
}

static void on_line(unsigned line,
                    const char *name,
                    const char *value,
                    const char *why,
                    void *data)
{
    struct load *l = data;
    const struct config_option *o;
    char where[WHERE_LEN_MAX];

    if (why != NULL) {
        complain(l, "%s:%u: %s", l->file, line, why);
        return;
    }
    snprintf(where, sizeof where, "%s:%u: %s", l->file, line, name);
    o = find(l, name, strlen(name));
    if (o != NULL)
        set(l, where, o, value);
    else if (strcmp(name, "log-level") == 0)
        set_level(l, where, value);
    else
        complain(l, "%s: there is no such option, see %s --help", where,
                 l->p->name);
}

static void read_file(struct load *l)
{
    /* Text options point into it for the life of the process. */
    static char text[CONFIG_FILE_LEN_MAX + 1];
    FILE *f = fopen(l->file, "r");
    size_t len;

    if (f == NULL) {
        complain(l, "%s: cannot open the file: %s", l->file, strerror(errno));
        return;
    }
    len = fread(text, 1, sizeof text, f);
    if (ferror(f))
        complain(l, "%s: cannot read the file: %s", l->file, strerror(errno));
    else if (len > CONFIG_FILE_LEN_MAX)
        complain(l, "%s: the file is longer than %d bytes", l->file,
                 CONFIG_FILE_LEN_MAX);
    else
        config_parse(text, len, on_line, l);
    fclose(f);
}

static void read_env(struct load *l)
{
    char env[CONFIG_ENV_LEN_MAX];
    const char *text = getenv("LOA_LOG_LEVEL");

    if (text != NULL)
        set_level(l, "LOA_LOG_LEVEL", text);
    for (size_t i = 0; i < l->p->options_n; i++) {
        config_env_name(l->p->options[i].name, env);
        text = getenv(env);
        if (text != NULL)
            set(l, env, &l->p->options[i], text);
    }
}

static void read_defaults(struct load *l)
{
    char why[CONFIG_WHY_LEN_MAX];

    assert(l->p->options_n <= CONFIG_OPTIONS_MAX);
    for (size_t i = 0; i < l->p->options_n; i++) {
        const struct config_option *o = &l->p->options[i];
        int rv = o->def == NULL ? LOA_OK : config_set(o, l->conf, o->def, why);
        assert(rv == LOA_OK); /* A default its own option refuses. */
        (void)rv;
    }
}

/* One argument as name and value; value NULL: none given. Returns how many
 * words it took, 0: it was refused. */
static int take_arg(struct load *l,
                    char **argv,
                    const struct config_option **o,
                    char name[CONFIG_ENV_LEN_MAX],
                    const char **value)
{
    bool dashes = strncmp(argv[0], "--", 2) == 0;
    const char *text = argv[0] + (dashes ? 2 : 0);
    size_t len = strcspn(text, "=");

    if (!dashes || len == 0 || len >= CONFIG_ENV_LEN_MAX) {
        complain(l, "%s: this is not an option, see --help", argv[0]);
        return 0;
    }
    memcpy(name, text, len);
    name[len] = '\0';
    *o = find(l, text, len);
    if (*o == NULL && strcmp(name, "config") != 0 &&
        strcmp(name, "log-level") != 0) {
        complain(l, "--%s: there is no such option, see --help", name);
        return 0;
    }
    if (text[len] == '=') {
        *value = text + len + 1;
        return 1;
    }
    /* A switch needs no value, and takes none from the next word. */
    if (*o != NULL && (*o)->type == CONFIG_BOOL) {
        *value = "yes";
        return 1;
    }
    *value = argv[1];
    if (*value != NULL)
        return 2;
    complain(l, "--%s: a value must follow", name);
    return 0;
}

/* Two passes over the same words: first only what the file's place needs, then
 * the options themselves, which win over file and environment. */
static void read_args(struct load *l, char *argv[], bool first)
{
    char name[CONFIG_ENV_LEN_MAX], where[CONFIG_ENV_LEN_MAX + 2];
    const struct config_option *o;
    const char *value;

    for (int n = 1; *argv != NULL; argv += n) {
        n = 1;
        if (strcmp(*argv, "--check") == 0 || strcmp(*argv, "-n") == 0) {
            l->check = true;
            continue;
        }
        n = take_arg(l, argv, &o, name, &value);
        if (n == 0)
            return; /* What follows cannot be told apart any more. */
        snprintf(where, sizeof where, "--%s", name);
        if (first && o == NULL && strcmp(name, "config") == 0)
            l->file = value;
        else if (!first && o != NULL)
            set(l, where, o, value);
        else if (!first && strcmp(name, "log-level") == 0)
            set_level(l, where, value);
    }
}

static void require(struct load *l)
{
    char env[CONFIG_ENV_LEN_MAX];

    for (size_t i = 0; i < l->p->options_n; i++) {
        const struct config_option *o = &l->p->options[i];
        config_env_name(o->name, env);
        if (o->def == NULL && !l->given[i])
            complain(l, "--%s (or %s) must be given: %s", o->name, env,
                     o->help);
    }
}

static const char *value_name(enum config_type type)
{
    switch (type) {
        case CONFIG_TEXT:
            return " TEXT";
        case CONFIG_PATH:
            return " FILE";
        case CONFIG_UINT:
        case CONFIG_U64:
            return " N";
        case CONFIG_DURATION:
            return " TIME";
        default:
            return "";
    }
}

static void help_line(const char *name,
                      const char *value,
                      const char *def,
                      const char *help)
{
    char left[80];

    snprintf(left, sizeof left, "--%s%s", name, value);
    printf("  %-26s %s", left, help);
    if (def == NULL)
        printf(" (must be given)");
    else if (def[0] != '\0')
        printf(" [%s]", def);
    printf("\n");
}

static void help(const struct config_program *p)
{
    printf("%s -- %s\n\nUsage: %s [--config FILE] [options]\n", p->name,
           p->about, p->name);
    if (p->example != NULL)
        printf("Example: %s\n", p->example);
    printf("\nOptions, with their defaults:\n");
    for (size_t i = 0; i < p->options_n; i++)
        help_line(p->options[i].name, value_name(p->options[i].type),
                  p->options[i].def, p->options[i].help);
    help_line("log-level", " LEVEL", "info", "error, warn, info or debug");
    help_line("config", " FILE", "", "lines `name = value`, # for comments");
    help_line("check", "", "", "check the settings and exit (also -n)");
    help_line("version", "", "", "print the version and exit");
    help_line("help", "", "", "print this and exit (also -h)");
    printf(
        "\nEvery option may also stand in FILE, without the dashes, or in "
        "the environment,\nas --%s does in ",
        p->options_n > 0 ? p->options[0].name : "log-level");
    {
        char env[CONFIG_ENV_LEN_MAX];
        config_env_name(p->options_n > 0 ? p->options[0].name : "log-level",
                        env);
        printf("%s. The command line wins over the environment,\n", env);
    }
    printf("and the environment over FILE.\n");
}

static bool asked_and_done(const struct config_program *p, char *argv[])
{
    for (; *argv != NULL; argv++) {
        if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0) {
            help(p);
            return true;
        }
        if (strcmp(*argv, "--version") == 0) {
            printf("%s %s\n", p->name, LOA_VERSION);
            return true;
        }
    }
    return false;
}

bool config_load(const struct config_program *p,
                 int argc,
                 char *argv[],
                 void *conf,
                 int *exit_code)
{
    struct load l = {.p = p, .conf = conf, .file = getenv("LOA_CONFIG")};
    char why[CONFIG_WHY_LEN_MAX];

    *exit_code = 0;
    (void)argc; /* argv ends with NULL. */
    if (asked_and_done(p, argv + 1))
        return false;
    read_defaults(&l);
    read_args(&l, argv + 1, true);
    if (!l.bad) {
        if (l.file != NULL)
            read_file(&l);
        read_env(&l);
        read_args(&l, argv + 1, false);
        require(&l);
        if (!l.bad && p->check != NULL && p->check(conf, why) != LOA_OK)
            complain(&l, "%s", why);
    }
    if (l.bad)
        *exit_code = EXIT_USAGE;
    else if (l.check)
        printf("%s: the settings are good\n", p->name);
    return !l.bad && !l.check;
}
