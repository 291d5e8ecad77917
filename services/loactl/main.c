/* main.c -- loactl, the command line for operators and staff: dispatches. */

#include <locale.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "loactl/args.h"
#include "loactl/link.h"
#include "proto/io/config.h"
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

static bool is_group(const char *word)
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++)
            if (word != NULL && strcmp(m->group, word) == 0)
                return true;
    return false;
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

/* "loactl --nix", "loactl --json": options alone. */
static int refuse_no_command(struct ctl *c, int argc, char *argv[])
{
    if (!args_parse(c, argc, argv))
        return CTL_USAGE;
    return ctl_fail(c, CTL_USAGE, "thiếu lệnh; xem loactl --help",
                    "a command is missing; see loactl --help");
}

/* Everything about the command line that needs no command to run; -1: go on. */
static int before(struct ctl *c, int argc, char *argv[])
{
    const char *words[2] = {NULL, NULL};

    if (args_want("--version", "-V", argc, argv)) {
        printf("loactl %s\n", LOA_VERSION);
        return CTL_OK;
    }
    args_command(c, argc, argv, words);
    /* Help comes before the options are read. */
    for (int i = 1; i + 1 < argc && args_want("--help", "-h", argc, argv); i++)
        if (strcmp(argv[i], "--lang") == 0 && !args_language(c, argv[i + 1]))
            return CTL_USAGE;
    if (args_want("--help", "-h", argc, argv) || argc == 1) {
        help_print(c, is_group(words[0]) ? words[0] : NULL);
        return argc == 1 ? CTL_USAGE : CTL_OK;
    }
    if (words[0] != NULL && strcmp(words[0], "completion") == 0) {
        if (words[1] != NULL && strcmp(words[1], "bash") == 0)
            return completion_print();
        return ctl_fail(c, CTL_USAGE, "chỉ có cho bash: loactl completion bash",
                        "there is one for bash only: loactl completion bash");
    }
    if (c->command == NULL && is_group(words[0]))
        return refuse_verb(c, words[0], words[1]);
    if (words[0] == NULL)
        return refuse_no_command(c, argc, argv);
    if (c->command == NULL)
        return ctl_fail(c, CTL_USAGE, "không có lệnh \"%s\"; xem loactl --help",
                        "there is no command \"%s\"; see loactl --help",
                        words[0]);
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

    if (!args_environment(c))
        return CTL_USAGE;
    rc = before(c, argc, argv);
    if (rc >= 0)
        return rc;
    if (!args_parse(c, argc, argv))
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
    c.json = args_want("--json", "--json", argc, argv);
    rc = run(&c, argc, argv);
    link_close(&c);
    if (rc != CTL_OK && c.json && !error.shown && error.en[0] != '\0')
        out_json(json_pack("{s:o}", "error", ctl_error_json(&c, rc)));
    sodium_memzero(&c.identity, sizeof c.identity);
    return rc;
}
