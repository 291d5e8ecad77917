#include "encode/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode/frames.h"

#define ENCODES (COMMAND_AUDIO | COMMAND_TEXT)

/* The one list of options: parsing and --help both follow it. */
static const struct option {
    const char *name;
    enum { FLAG, TEXT, UINT, REAL } type;
    unsigned commands; /* Where it is allowed. */
    size_t at;
    const char *def;
    double min, max; /* UINT and REAL only. */
    const char *help;
} options[] = {
    {"--bitrate", UINT, ENCODES, offsetof(struct config, bitrate), "24000",
     6000, 128000, "of the Opus frames, bit/s"},
    {"--lufs", REAL, ENCODES, offsetof(struct config, lufs), "-23", -40, -10,
     "integrated loudness to reach (EBU R 128)"},
    {"--true-peak", REAL, ENCODES, offsetof(struct config, true_peak_dbtp),
     "-1", -12, 0, "dBTP that the decoded sound stays under"},
    {"--duration-max-s", UINT, ENCODES, offsetof(struct config, duration_s_max),
     "7200", 1, FRAMES_DURATION_S_MAX, "longer sound is refused"},
    {"--accept-truncated", FLAG, COMMAND_AUDIO,
     offsetof(struct config, accept_truncated), "no", 0, 0,
     "take what is there of a file that was cut off"},
    {"--language", TEXT, COMMAND_TEXT, offsetof(struct config, language), "", 0,
     0, "vi, vi-central, vi-south or en"},
    {"--dictionary", TEXT, COMMAND_TEXT, offsetof(struct config, dictionary),
     "", 0, 0, "file of abbreviation, tab, how to say it"},
    {"--rate", UINT, COMMAND_TEXT, offsetof(struct config, rate_wpm), "150", 80,
     300, "words a minute"},
    {"--text-max-bytes", UINT, COMMAND_TEXT,
     offsetof(struct config, text_len_max), "65536", 1, 1048576,
     "longer text is refused"},
    {"--title", TEXT, COMMAND_EXPORT, offsetof(struct config, title), "", 0, 0,
     "tag of the Ogg Opus file"},
    {"--artist", TEXT, COMMAND_EXPORT, offsetof(struct config, artist), "", 0,
     0, "tag: who speaks, for instance the commune's station"},
    {"--date", TEXT, COMMAND_EXPORT, offsetof(struct config, date), "", 0, 0,
     "tag: YYYY-MM-DD"},
    {"--json", FLAG, COMMAND_SHOW, offsetof(struct config, json), "no", 0, 0,
     "print one JSON object"},
};
#define OPTIONS_N (sizeof options / sizeof options[0])

static const struct {
    const char *name;
    enum command command;
    int files_n;
    const char *help;
} commands[] = {
    {"audio", COMMAND_AUDIO, 2, "audio IN OUT    a recording to frames"},
    {"text", COMMAND_TEXT, 2, "text IN OUT     UTF-8 text to spoken frames"},
    {"export", COMMAND_EXPORT, 2, "export IN OUT   frames to an Ogg Opus file"},
    {"show", COMMAND_SHOW, 1, "show IN         what is in a frames file"},
};
#define COMMANDS_N (sizeof commands / sizeof commands[0])

static int number_set(const struct option *o,
                      const char *text,
                      struct config *c,
                      struct verdict *v)
{
    char *end;
    double n;

    errno = 0;
    n = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' ||
        !(n >= o->min && n <= o->max) ||
        (o->type == UINT && n != (double)(unsigned)n))
        return refuse(v, ENCODE_USAGE, "%s %s: give a number from %g to %g",
                      o->name, text, o->min, o->max);
    if (o->type == UINT)
        *(unsigned *)((char *)c + o->at) = (unsigned)n;
    else
        *(double *)((char *)c + o->at) = n;
    return ENCODE_OK;
}

static int option_set(const struct option *o,
                      const char *text,
                      struct config *c,
                      struct verdict *v)
{
    switch (o->type) {
        case FLAG:
            *(bool *)((char *)c + o->at) = strcmp(text, "no") != 0;
            return ENCODE_OK;
        case TEXT:
            *(const char **)((char *)c + o->at) = text;
            return ENCODE_OK;
        default:
            return number_set(o, text, c, v);
    }
}

/* --name VALUE, --name=VALUE or --flag; *i moves on over a value. */
static int option_parse(struct config *c,
                        int argc,
                        char **argv,
                        int *i,
                        struct verdict *v)
{
    const char *arg = argv[*i], *equals = strchr(arg, '=');
    size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);

    for (size_t k = 0; k < OPTIONS_N; k++) {
        const struct option *o = &options[k];

        if (strlen(o->name) != len || strncmp(o->name, arg, len) != 0 ||
            !(o->commands & c->command))
            continue;
        if (o->type == FLAG && equals == NULL)
            return option_set(o, "yes", c, v);
        if (equals != NULL)
            return option_set(o, equals + 1, c, v);
        if (*i + 1 >= argc)
            return refuse(v, ENCODE_USAGE, "%s: its value is missing", arg);
        return option_set(o, argv[++*i], c, v);
    }
    return refuse(v, ENCODE_USAGE, "%s: no such option here; see --help", arg);
}

static int files_parse(struct config *c,
                       int argc,
                       char **argv,
                       int files_n,
                       struct verdict *v)
{
    const char **files[] = {&c->in, &c->out};
    bool options_end = false;
    int n = 0;

    for (int i = 2; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            int code = option_parse(c, argc, argv, &i, v);

            if (code != ENCODE_OK)
                return code;
        } else if (n < files_n) {
            *files[n++] = argv[i];
        } else {
            return refuse(v, ENCODE_USAGE, "%s: one file too many", argv[i]);
        }
    }
    if (n < files_n)
        return refuse(v, ENCODE_USAGE, "%s: the name of %s is missing", argv[1],
                      n == 0 ? "IN" : "OUT");
    return ENCODE_OK;
}

static int check(const struct config *c, struct verdict *v)
{
    if (c->command == COMMAND_TEXT && c->language[0] == '\0')
        return refuse(v, ENCODE_USAGE,
                      "text: --language is missing: vi, vi-central, vi-south "
                      "or en");
    return ENCODE_OK;
}

int config_load(struct config *c, int argc, char **argv, struct verdict *v)
{
    memset(c, 0, sizeof *c);
    for (size_t k = 0; k < OPTIONS_N; k++)
        if (option_set(&options[k], options[k].def, c, v) != ENCODE_OK)
            abort();
    if (argc < 2)
        return refuse(v, ENCODE_USAGE, "no command; see --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        c->command = COMMAND_HELP;
        return ENCODE_OK;
    }
    for (size_t k = 0; k < COMMANDS_N; k++) {
        int code;

        if (strcmp(argv[1], commands[k].name) != 0)
            continue;
        c->command = commands[k].command;
        code = files_parse(c, argc, argv, commands[k].files_n, v);
        return code != ENCODE_OK ? code : check(c, v);
    }
    return refuse(v, ENCODE_USAGE, "%s: no such command; see --help", argv[1]);
}

void config_help(void)
{
    printf(
        "loa-encode -- a recording or a text becomes frames to broadcast\n\n");
    for (size_t k = 0; k < COMMANDS_N; k++) {
        printf("  loa-encode %s\n", commands[k].help);
        for (size_t i = 0; i < OPTIONS_N; i++)
            if (options[i].commands & commands[k].command)
                printf("      %-18s %-6s  %s\n", options[i].name,
                       options[i].def, options[i].help);
    }
    printf(
        "\nExample: loa-encode audio tin-sang.mp3 tin-sang.loaframes\n"
        "Prints progress 0..1000, then one line `done ...`. A refusal is one\n"
        "sentence and an exit code of its own (services/encode/verdict.h).\n");
}
