/* ctl.h -- loactl: what its commands share.
 *
 * Every command is a row of a table (struct command): name, arguments, options,
 * one example, function. Dispatch, --help and the shell completion come from
 * that table alone. */

#ifndef LOA_LOACTL_CTL_H
#define LOA_LOACTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/identity.h"

#define CTL_POSITIONALS_MAX 64
#define CTL_OPTIONS_MAX 16

/* Exit codes: for scripts. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_REFUSED = 1, /* A service said no, and why. */
    CTL_USAGE = 2,   /* The command line, or a file named there, is wrong. */
    CTL_UNREACHABLE = 3, /* No broker or no answer: nothing is known. */
    CTL_FAILED = 4,      /* This machine failed: disk, memory. */
};

struct option_def {
    const char *name; /* Without "--". */
    const char *arg;  /* What it takes, for --help; NULL: a flag. */
    const char *help;
};

struct ctl;

struct command {
    const char *group; /* "content" */
    const char *verb;  /* "add"; "" if the group is the command. */
    const char *args;  /* "FILE", "[AREA...]" */
    const char *about; /* One line. */
    const char *example;
    const struct option_def *options; /* Ends with a row of NULLs, or NULL. */
    int args_min, args_max;
    int (*run)(struct ctl *c);
};

/* Tables of the command files, each ended by a row of NULLs. */
extern const struct command commands_key[], commands_area[], commands_device[],
    commands_command[], commands_handin[], commands_content[],
    commands_schedule[], commands_report[], commands_status[], commands_watch[];

struct link; /* The connection to the broker; see link_conn.c. */

/* The last refusal, for --json. */
struct ctl_error {
    char code[32]; /* "conflict", "not_found", ...; "": by the exit code. */
    char vi[640], en[640];
    bool shown; /* It stands in what was printed already. */
};

/* One run of loactl. */
struct ctl {
    const struct command *command;
    const char *positionals[CTL_POSITIONALS_MAX];
    int positionals_n;
    const char *values[CTL_OPTIONS_MAX]; /* Parallel to command->options. */
    const char *host, *broker, *identity_path, *ca_file;
    unsigned port;
    unsigned timeout_s;
    bool json, english, color, quiet;
    struct loa_identity identity; /* Read on first use. */
    bool identity_read;
    struct link *link;
    bool registry_silent;    /* It did not answer once: it is not asked again
                              * about what we can do without. */
    struct ctl_error *error; /* A sentence of ctl_fail() is noted in it. */
};

/* The value of an option of the command; NULL if it was not given. A flag that
 * was given is "". The name must be in the table (asserted). */
const char *ctl_option(const struct ctl *c, const char *name);

/* A number option. False after a sentence on stderr: not a number, or outside
 * min..max. Not given: *out = def. */
bool ctl_number(const struct ctl *c,
                const char *name,
                long long min,
                long long max,
                long long def,
                long long *out);

/* The identity of --identity or LOA_IDENTITY; NULL after a sentence. */
const struct loa_identity *ctl_identity(struct ctl *c);

/* A sentence on stderr, with the name of the command before it. vi or en by the
 * user's language. Returns exit, so that a command can `return ctl_fail(...)`.
 */
int ctl_fail(const struct ctl *c, int exit, const char *vi, const char *en, ...)
    __attribute__((format(printf, 3, 5), format(printf, 4, 5)));

/* The same: what errno says about a file, in the user's language. */
int ctl_fail_errno(const struct ctl *c, int exit, const char *path);

/* Read the identity in a file, or say why not. */
bool ctl_read_identity(const struct ctl *c,
                       const char *path,
                       struct loa_identity *id);

/* A sentence that stops nothing: stderr only. */
void ctl_warn(const struct ctl *c, const char *vi, const char *en, ...)
    __attribute__((format(printf, 2, 4), format(printf, 3, 4)));

/* A list is empty: a sentence on stderr, which scripts (--json) do not need. */
void ctl_empty(const struct ctl *c, const char *vi, const char *en);

/* {"code": ..., "vi": ..., "en": ...} of the last refusal; marks it shown. */
json_t *ctl_error_json(const struct ctl *c, int exit);

/* What c->command does, or else the group's commands, or (NULL) everything, on
 * stdout; in help.c. */
void help_print(const struct ctl *c, const char *group);

/* --- completion.c --------------------------------------------------------- */

/* Every table of commands, and the options that all of them take; both end with
 * a row of NULLs. In main.c. */
extern const struct command *const ctl_tables[];
extern const struct option_def ctl_globals[];

/* A bash script on stdout. */
int completion_print(void);

/* --- out.c: what a person or a script reads on stdout --------------------- */

/* Print (with --json: the object or array, one line) and free it. */
void out_json(json_t *value);

/* A table for people: columns as wide as needed, heads bold on a terminal.
 * UTF-8 widths are counted in characters. */
struct table {
    size_t columns_n, rows_n, cap;
    char **cells; /* rows_n * columns_n; row 0 are the heads. */
};
void table_init(struct table *t, size_t columns_n, ...);
void table_row(struct table *t, ...); /* columns_n strings; copied. */
void table_print(const struct ctl *c, const struct table *t);
void table_free(struct table *t);

/* "2026-12-01 17:00:05" in Asia/Ho_Chi_Minh; 0 is "-". */
const char *out_time(int64_t at_ms, char buf[32]);
/* The same with what --at needs to hit it exactly: "2026-12-01T17:00:05+07:00".
 */
const char *out_time_exact(int64_t at_ms, char buf[32]);
json_t *json_time(int64_t at_ms);  /* Unix ms, or null for 0. */
json_t *json_tenths(double value); /* Rounded to one decimal. */
json_t *json_hex(const void *data, size_t len);
const char *out_hex(const void *data, size_t len, char *buf);

/* A bar on stderr, only on a terminal and not with --quiet. permille 1000 ends
 * it. */
void out_progress(const struct ctl *c, const char *label, unsigned permille);

/* A time that a person typed (see when.h) -> Unix ms. False after a sentence.
 */
bool when_parse(const struct ctl *c,
                const char *text,
                int64_t now_ms,
                int64_t *at_ms);

/* The same of an end: a date alone is the last second of that day. */
bool when_parse_end(const struct ctl *c,
                    const char *text,
                    int64_t now_ms,
                    int64_t *at_ms);

#endif /* LOA_LOACTL_CTL_H */
