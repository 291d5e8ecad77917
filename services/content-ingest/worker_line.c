#include "content-ingest/worker_line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The text behind " key=", or NULL. */
static const char *value_of(const char *line, const char *key)
{
    size_t len = strlen(key);

    for (const char *at = strchr(line, ' '); at != NULL;
         at = strchr(at + 1, ' '))
        if (strncmp(at + 1, key, len) == 0 && at[1 + len] == '=')
            return at + len + 2;
    return NULL;
}

static uint32_t number(const char *line, const char *key)
{
    const char *text = value_of(line, key);
    unsigned long long n = text == NULL ? 0 : strtoull(text, NULL, 10);

    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int32_t hundredths(const char *line, const char *key)
{
    const char *text = value_of(line, key);
    double v = text == NULL ? -HUGE_VAL : strtod(text, NULL);

    if (!(v > WORKER_SILENCE_X100 / 100.0)) /* Also what is no number. */
        return WORKER_SILENCE_X100;
    return v > 100 ? 10000 : (int32_t)lrint(v * 100);
}

void worker_line_parse(const char *line, struct worker_line *out)
{
    memset(out, 0, sizeof *out);
    if (strncmp(line, "progress ", 9) == 0) {
        unsigned long n = strtoul(line + 9, NULL, 10);

        out->type = WORKER_LINE_PROGRESS;
        out->permille = n > 1000 ? 1000 : (unsigned)n;
    } else if (strncmp(line, "done ", 5) == 0) {
        out->type = WORKER_LINE_DONE;
        out->duration_ms = number(line, "duration_ms");
        out->lufs_x100 = hundredths(line, "lufs");
        out->true_peak_dbtp_x100 = hundredths(line, "peak_dbtp");
    }
}
