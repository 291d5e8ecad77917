/* config.h -- the settings of content-ingest. */

#ifndef LOA_CONTENT_CONFIG_H
#define LOA_CONTENT_CONFIG_H

#include "common/service.h"

struct config {
    struct service_settings service;
    const char *work_dir;
    const char *encoder; /* "": loa-encode beside this program. */
    const char *dictionary;
    const char *space_dir; /* "": the work directory. */
    unsigned encoders_max;
    uint64_t encode_timeout_ms;
    uint64_t duration_ms_max;
    uint64_t free_bytes_min;
    unsigned uploads_mine_max;
    uint64_t bytes_mine_max;
    uint64_t bytes_all_max;
    uint64_t upload_ms_max;
    uint64_t delete_grace_ms;
    unsigned push_packets_per_s;
    unsigned repair_packets_per_s;
    uint64_t want_window_ms;
    uint64_t cache_bytes;
};

extern const struct config_program config_program;

#endif /* LOA_CONTENT_CONFIG_H */
