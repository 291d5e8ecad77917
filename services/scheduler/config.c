#include "scheduler/config.h"

#include <stdio.h>

#include "proto/io/config.h"
#include "scheduler/programme.h"

static const struct config_option options[] = {
    SERVICE_OPTIONS(struct config, service, "9103"),
    {"min-lead", CONFIG_DURATION, offsetof(struct config, min_lead_ms), "5s", 0,
     86400000, "a bulletin is scheduled at least so long before its start"},
    {"head-interval", CONFIG_DURATION,
     offsetof(struct config, head_interval_ms), "60s", 100, 600000,
     "heads (signed time, programme version) are sent so often"},
    {"horizon-days", CONFIG_UINT, offsetof(struct config, horizon_days), "8", 1,
     PROGRAMME_HORIZON_DAYS_MAX, "programmes reach so many days ahead"},
    {"keep-days", CONFIG_UINT, offsetof(struct config, keep_days), "35", 1, 366,
     "bulletins can be looked up so long after their end"},
    {"clock-right", CONFIG_TEXT, offsetof(struct config, clock_right), "", 0,
     10,
     "the date (2026-11-21) on which the clock is right although it jumped"},
};

static int check(const void *data, char why[CONFIG_WHY_LEN_MAX])
{
    static const char form[] = "dddd-dd-dd";
    const struct config *conf = data;
    const char *p = conf->clock_right;
    size_t i = 0;

    while (form[i] != '\0' &&
           (form[i] == 'd' ? p[i] >= '0' && p[i] <= '9' : p[i] == '-'))
        i++;
    if (p[0] == '\0' || (form[i] == '\0' && p[i] == '\0'))
        return LOA_OK;
    snprintf(why, CONFIG_WHY_LEN_MAX,
             "clock-right = %s: want today's date like 2026-11-21, or nothing",
             p);
    return LOA_EINVAL;
}

bool scheduler_config(int argc,
                      char *argv[],
                      struct config *conf,
                      int *exit_code)
{
    static const struct config_program program = {
        .name = "loa-scheduler",
        .about =
            "Takes schedules, publishes the programme and the head of "
            "each area",
        .example =
            "loa-scheduler --pg dbname=loa --identity "
            "scheduler.identity",
        .options = options,
        .options_n = sizeof options / sizeof options[0],
        .check = check,
    };

    return config_load(&program, argc, argv, conf, exit_code);
}
