#include "proto/io/failpoint.h"

#ifdef LOA_FAILPOINTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/io/log.h"

#define POINTS_MAX 16
#define DELAY_MS 100

static struct {
    const char *name, *action;
    size_t name_len;
    unsigned long nth, passed_n;
} points[POINTS_MAX];
static size_t points_n;

/* A misspelt fail point would make its test pass for nothing: so it ends the
 * program. */
_Noreturn static void refuse(const char *text)
{
    log_error("failpoint.bad", "text=%s", text);
    _exit(2);
}

static void load(void)
{
    char *text = getenv("LOA_FAILPOINT"), *save = NULL;

    if (text == NULL)
        return;
    text = strdup(text); /* Kept as long as the process lives. */
    for (char *p = strtok_r(text, ",", &save); p != NULL;
         p = strtok_r(NULL, ",", &save)) {
        char *nth = strchr(p, ':'), *action;
        if (nth == NULL || points_n == POINTS_MAX) {
            refuse(p);
            return; /* It does not come back; cppcheck cannot know. */
        }
        points[points_n].name = p;
        points[points_n].name_len = (size_t)(nth - p);
        points[points_n].nth = strtoul(nth + 1, &action, 10);
        if (*action != ':')
            refuse(p);
        points[points_n++].action = action + 1;
    }
}

static int act(const char *name, const char *action)
{
    log_warn("failpoint.hit", "name=%s action=%s", name, action);
    if (strcmp(action, "abort") == 0) {
        kill(getpid(), SIGKILL);
        _exit(137);
    }
    if (strcmp(action, "eio") == 0)
        return LOA_ESYS;
    if (strncmp(action, "delay", 5) == 0) {
        long ms = action[5] == '=' ? atol(action + 6) : DELAY_MS;
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
        return LOA_OK;
    }
    refuse(action);
}

int failpoint(const char *name)
{
    static int loaded;

    if (!loaded) {
        loaded = 1;
        load();
    }
    for (size_t i = 0; i < points_n; i++)
        if (strlen(name) == points[i].name_len &&
            memcmp(name, points[i].name, points[i].name_len) == 0 &&
            (points[i].nth == 0 || ++points[i].passed_n == points[i].nth))
            return act(name, points[i].action);
    return LOA_OK;
}

#else
typedef int failpoint_none; /* ISO C wants something in the file. */
#endif
