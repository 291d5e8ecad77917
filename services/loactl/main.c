/* loactl -- the command line for operators and staff: parses, dispatches. */

#include <assert.h>
#include <errno.h>
#include <locale.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loactl/ctl.h"
#include "loactl/link.h"
#include "loactl/when.h"
#include "loactl/words.h"
#include "proto/io/config.h"
#include "proto/io/identity_file.h"
#include "proto/io/log.h"

const struct command *const ctl_tables[] = {
    commands_key,
    commands_area,
    commands_device,
    commands_command,
    commands_handin,
    commands_content,
    commands_schedule,
    commands_report,
    commands_status,
    commands_watch,
    NULL,
};

const struct option_def ctl_globals[] = {
    {"identity", "FILE", "who you are: your identity file (LOA_IDENTITY)"},
    {"host", "HOST", "the broker's address (LOA_HOST; 127.0.0.1)"},
    {"port", "PORT", "the broker's port (LOA_PORT; 1883)"},
    {"broker", "NAME", "the broker's name in logins (LOA_BROKER; loa)"},
    {"ca", "FILE", "TLS: who signs the broker's certificate (LOA_CA)"},
    {"timeout", "SECONDS", "how long to wait for an answer (30)"},
    {"lang", "vi|en", "language of sentences (LOA_LANG; from LANG, else vi)"},
    {"json", NULL, "print JSON for scripts"},
    {"quiet", NULL, "no progress bars"},
    {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

/* --- helpers of ctl.h -------------------------------------------------------
 */

const char *ctl_option(const struct ctl *c, const char *name)
{
    const struct option_def *o = c->command->options;

    for (int i = 0; o != NULL && o[i].name != NULL; i++)
        if (strcmp(o[i].name, name) == 0)
            return c->values[i];
    assert(0 && "the table lacks this option");
    return NULL;
}

bool ctl_number(const struct ctl *c,
                const char *name,
                long long min,
                long long max,
                long long def,
                long long *out)
{
    const char *text = ctl_option(c, name);
    char *end;

    *out = def;
    if (text == NULL)
        return true;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= min && *out <= max)
        return true;
    ctl_fail(c, 0, "--%s %s: cần một số từ %lld đến %lld",
             "--%s %s: want a number from %lld to %lld", name, text, min, max);
    return false;
}

static void say(const struct ctl *c, const char *text)
{
    fprintf(stderr, "loactl");
    if (c->command != NULL)
        fprintf(stderr, " %s%s%s", c->command->group,
                c->command->verb[0] != '\0' ? " " : "", c->command->verb);
    fprintf(stderr, ": %s\n", text);
}

int ctl_fail(const struct ctl *c, int exit, const char *vi, const char *en, ...)
{
    struct ctl_error *e = c->error;
    va_list ap;

    e->code[0] = '\0';
    e->shown = false;
    va_start(ap, en);
    vsnprintf(e->vi, sizeof e->vi, vi, ap);
    va_end(ap);
    va_start(ap, en);
    vsnprintf(e->en, sizeof e->en, en, ap);
    va_end(ap);
    say(c, c->english ? e->en : e->vi);
    return exit;
}

int ctl_fail_errno(const struct ctl *c, int exit, const char *path)
{
    int number = errno;

    /* One list of arguments for both sentences: each leaves out one. */
    return ctl_fail(c, exit, "%s: %s%.0s", "%s: %.0s%s", path,
                    word_errno(false, number), word_errno(true, number));
}

bool when_parse(const struct ctl *c,
                const char *text,
                int64_t now_ms,
                int64_t *at_ms)
{
    enum when_fault fault = when_read(text, now_ms, at_ms);

    if (fault == WHEN_OK)
        return true;
    ctl_fail(c, 0, "%s: %s%.0s", "%s: %.0s%s", text, when_text(fault, false),
             when_text(fault, true));
    return false;
}

void ctl_warn(const struct ctl *c, const char *vi, const char *en, ...)
{
    char text[640];
    va_list ap;

    va_start(ap, en);
    vsnprintf(text, sizeof text, c->english ? en : vi, ap);
    va_end(ap);
    say(c, text);
}

void ctl_empty(const struct ctl *c, const char *vi, const char *en)
{
    if (!c->json)
        say(c, c->english ? en : vi);
}

json_t *ctl_error_json(const struct ctl *c, int exit)
{
    static const char *const names[] = {
        [CTL_OK] = "ok",         [CTL_REFUSED] = "refused",
        [CTL_USAGE] = "usage",   [CTL_UNREACHABLE] = "unreachable",
        [CTL_FAILED] = "failed",
    };
    struct ctl_error *e = c->error;

    e->shown = true;
    return json_pack("{s:s,s:s,s:s}", "code",
                     e->code[0] != '\0' ? e->code : names[exit], "vi", e->vi,
                     "en", e->en);
}

bool ctl_read_identity(const struct ctl *c,
                       const char *path,
                       struct loa_identity *id)
{
    char why[IDENTITY_WHY_CAP];
    struct stat st;
    int rv;

    errno = 0;
    rv = identity_file_read(path, id, why);
    if (rv == LOA_OK)
        return true;
    if (rv == LOA_EINVAL)
        ctl_fail(c, 0, "%s: không phải tệp danh tính",
                 "%s: not an identity file", path);
    else if (errno == 0 && stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        ctl_fail(c, 0,
                 "%s: người khác đọc được khoá bí mật này; hãy chạy: "
                 "chmod 600 %s",
                 "%s: others may read this secret; run: chmod 600 %s", path,
                 path);
    else
        ctl_fail_errno(c, 0, path);
    return false;
}

const struct loa_identity *ctl_identity(struct ctl *c)
{
    if (c->identity_read)
        return &c->identity;
    if (c->identity_path == NULL) {
        ctl_fail(c, 0,
                 "chưa biết bạn là ai: hãy dùng --identity TỆP hoặc đặt "
                 "LOA_IDENTITY",
                 "who are you? use --identity FILE or set LOA_IDENTITY");
        return NULL;
    }
    if (!ctl_read_identity(c, c->identity_path, &c->identity))
        return NULL;
    c->identity_read = true;
    return &c->identity;
}

/* --- help -------------------------------------------------------------------
 */

static void print_options(const struct option_def *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        char head[48];
        snprintf(head, sizeof head, "--%s %s", o->name,
                 o->arg != NULL ? o->arg : "");
        printf("  %-24s %s\n", head, o->help);
    }
}

/* Of one group, or of all (NULL). */
static void list_commands(const struct ctl *c, const char *group)
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++) {
            char head[64];
            if (group != NULL && strcmp(m->group, group) != 0)
                continue;
            snprintf(head, sizeof head, "%s %s %s", m->group, m->verb, m->args);
            printf("  %-38s %s\n", head, help_about(c, m));
        }
}

static void help_group(const struct ctl *c, const char *group)
{
    printf("usage: loactl [OPTIONS] %s COMMAND [ARGUMENTS]\n\n", group);
    list_commands(c, group);
    printf("\nloactl %s COMMAND --help says more about one.\n", group);
}

static void help_all(const struct ctl *c)
{
    printf(
        "loactl -- what is on air, and how it gets there\n\n"
        "usage: loactl [OPTIONS] COMMAND [ARGUMENTS]\n\n");
    list_commands(c, NULL);
    printf("  %-38s %s\n\n", "completion bash", "a script for the shell");
    print_options(ctl_globals);
    printf(
        "\nexample: loactl --identity editor.id content add news.wav\n"
        "exit: 0 done, 1 refused, 2 wrong usage, 3 no answer, 4 failed\n");
}

static void help_command(const struct ctl *c, const struct command *m)
{
    printf("loactl %s %s %s\n  %s\n\n", m->group, m->verb, m->args,
           help_about(c, m));
    if (m->options != NULL)
        print_options(m->options);
    printf("\nexample: %s\n", m->example);
}

/* --- the command line -------------------------------------------------------
 */

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

static bool set_language(struct ctl *c, const char *text)
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
        return set_language(c, value);
    else if (strcmp(name, "json") == 0)
        c->json = true;
    else if (strcmp(name, "quiet") == 0)
        c->quiet = true;
    return true;
}

static bool from_environment(struct ctl *c)
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
    return (own == NULL || set_language(c, own)) &&
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

/* The command's words come first among the words that are no options. */
static void find_command(struct ctl *c,
                         int argc,
                         char *argv[],
                         const char *words[2])
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

static bool parse(struct ctl *c, int argc, char *argv[])
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

static bool wants(const char *what, const char *brief, int argc, char *argv[])
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], what) == 0 || strcmp(argv[i], brief) == 0)
            return true;
    return false;
}

static bool is_group(const char *word)
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++)
            if (word != NULL && strcmp(m->group, word) == 0)
                return true;
    return false;
}

static int help(const struct ctl *c, int argc, const char *group)
{
    if (c->command != NULL)
        help_command(c, c->command);
    else if (is_group(group))
        help_group(c, group);
    else
        help_all(c);
    return argc == 1 ? CTL_USAGE : CTL_OK;
}

/* "schedule them": name the wrong word, and what there is. */
static int refuse_verb(const struct ctl *c, const char *group, const char *word)
{
    char verbs[200] = "";
    size_t len = 0;

    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++)
            if (strcmp(m->group, group) == 0 && len < sizeof verbs)
                len += (size_t)snprintf(verbs + len, sizeof verbs - len, "%s%s",
                                        len > 0 ? ", " : "", m->verb);
    if (word == NULL)
        return ctl_fail(c, CTL_USAGE, "%s cần một lệnh con: %s",
                        "%s needs a command: %s", group, verbs);
    return ctl_fail(c, CTL_USAGE, "%s không có lệnh \"%s\"; chỉ có: %s",
                    "%s has no command \"%s\"; there are: %s", group, word,
                    verbs);
}

/* Everything about the command line that needs no command to run; -1: go on. */
static int before(struct ctl *c, int argc, char *argv[])
{
    const char *words[2] = {NULL, NULL};

    if (wants("--version", "-V", argc, argv)) {
        printf("loactl %s\n", LOA_VERSION);
        return CTL_OK;
    }
    find_command(c, argc, argv, words);
    /* Help comes before the options are read. */
    for (int i = 1; i + 1 < argc && wants("--help", "-h", argc, argv); i++)
        if (strcmp(argv[i], "--lang") == 0 && !set_language(c, argv[i + 1]))
            return CTL_USAGE;
    if (wants("--help", "-h", argc, argv) || argc == 1)
        return help(c, argc, words[0]);
    if (words[0] != NULL && strcmp(words[0], "completion") == 0) {
        if (words[1] != NULL && strcmp(words[1], "bash") == 0)
            return completion_print();
        return ctl_fail(c, CTL_USAGE, "chỉ có cho bash: loactl completion bash",
                        "there is one for bash only: loactl completion bash");
    }
    if (c->command == NULL && is_group(words[0]))
        return refuse_verb(c, words[0], words[1]);
    if (c->command == NULL)
        return ctl_fail(c, CTL_USAGE, "không có lệnh \"%s\"; xem loactl --help",
                        "there is no command \"%s\"; see loactl --help",
                        words[0] != NULL ? words[0] : "");
    return -1;
}

/* Too few words or too many. Many are often one: a text without quotes. */
static int refuse_count(const struct ctl *c)
{
    const struct command *m = c->command;
    bool many = c->positionals_n > m->args_max && m->args_max > 0;

    return ctl_fail(
        c, CTL_USAGE,
        many ? "cách dùng: loactl %s%s%s %s; văn bản hay tên có dấu cách phải "
               "đặt trong dấu nháy: '...'"
             : "cách dùng: loactl %s%s%s %s",
        many ? "usage: loactl %s%s%s %s; a text or a name with spaces needs "
               "quotes: '...'"
             : "usage: loactl %s%s%s %s",
        m->group, m->verb[0] != '\0' ? " " : "", m->verb, m->args);
}

/* Parse, run, and 0..4. */
static int run(struct ctl *c, int argc, char *argv[])
{
    int rc;

    if (!from_environment(c))
        return CTL_USAGE;
    rc = before(c, argc, argv);
    if (rc >= 0)
        return rc;
    if (!parse(c, argc, argv))
        return CTL_USAGE;
    if (c->positionals_n < c->command->args_min ||
        c->positionals_n > c->command->args_max)
        return refuse_count(c);
    return c->command->run(c);
}

int main(int argc, char *argv[])
{
    static struct ctl_error error;
    static struct ctl c = {.error = &error};
    int rc;

    setlocale(LC_CTYPE, "C.UTF-8");
    log_level = LOG_ERROR; /* A person reads; sentences come from ctl_fail(). */
    if (sodium_init() < 0)
        return CTL_FAILED;
    /* Even a wrong command line is answered in the form that was asked for. */
    c.json = wants("--json", "--json", argc, argv);
    rc = run(&c, argc, argv);
    link_close(&c);
    if (rc != CTL_OK && c.json && !error.shown && error.en[0] != '\0')
        out_json(json_pack("{s:o}", "error", ctl_error_json(&c, rc)));
    sodium_memzero(&c.identity, sizeof c.identity);
    return rc;
}
