#include "scheduler/config.h"

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
};

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
    };

    return config_load(&program, argc, argv, conf, exit_code);
}
