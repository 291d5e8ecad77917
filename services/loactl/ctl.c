/* ctl.c -- what commands share: their options, sentences, and who the user is.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loactl/ctl.h"
#include "loactl/when.h"
#include "loactl/words.h"
#include "proto/io/identity_file.h"

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

static bool judge_when(const struct ctl *c,
                       const char *text,
                       enum when_fault fault)
{
    if (fault == WHEN_OK)
        return true;
    ctl_fail(c, 0, "%s: %s%.0s", "%s: %.0s%s", text, when_text(fault, false),
             when_text(fault, true));
    return false;
}

bool when_parse(const struct ctl *c,
                const char *text,
                int64_t now_ms,
                int64_t *at_ms)
{
    return judge_when(c, text, when_read(text, now_ms, at_ms));
}

bool when_parse_end(const struct ctl *c,
                    const char *text,
                    int64_t now_ms,
                    int64_t *at_ms)
{
    return judge_when(c, text, when_read_end(text, now_ms, at_ms));
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
        ctl_fail(c, 0, "%s: không phải tệp danh tính, do loactl key new tạo ra",
                 "%s: not an identity file, as loactl key new makes it", path);
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
