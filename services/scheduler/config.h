/* config.h -- what the operator may choose. */

#ifndef LOA_SCHEDULER_CONFIG_H
#define LOA_SCHEDULER_CONFIG_H

#include "common/service.h"

struct config {
    struct service_settings service;
    uint64_t min_lead_ms;
    uint64_t head_interval_ms;
    unsigned horizon_days;
    unsigned keep_days;
    const char *clock_right; /* "2026-11-21", or "". */
};

/* As config_load(). */
LOA_MUST_CHECK bool scheduler_config(int argc,
                                     char *argv[],
                                     struct config *conf,
                                     int *exit_code);

#endif /* LOA_SCHEDULER_CONFIG_H */
