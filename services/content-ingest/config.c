#include "content-ingest/config.h"

#include <stddef.h>

#include "content-ingest/cache.h"
#include "content-ingest/io_jobs.h"

#define AT(field) offsetof(struct config, field)
#define MIB (UINT64_C(1) << 20)
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static const struct config_option options[] = {
    SERVICE_OPTIONS(struct config, service, "9102"),
    {"work-dir", CONFIG_PATH, AT(work_dir), "var/content-ingest", 1, 3000,
     "directory for files being encoded or exported"},
    {"encoder", CONFIG_PATH, AT(encoder), "", 0, 4000,
     "the worker program; empty: loa-encode beside this one"},
    {"dictionary", CONFIG_PATH, AT(dictionary), "", 0, 4000,
     "how abbreviations are said; empty: none"},
    {"encoders-max", CONFIG_UINT, AT(encoders_max), "1", 1, JOBS_MAX,
     "files encoded at the same time"},
    {"encode-timeout", CONFIG_DURATION, AT(encode_timeout_ms), "1h", 1000,
     DAY_MS, "an encoder that takes longer is stopped"},
    {"duration-max", CONFIG_DURATION, AT(duration_ms_max), "2h", 1000,
     FRAMES_DURATION_S_MAX *UINT64_C(1000), "longer sound is refused"},
    {"space-dir", CONFIG_PATH, AT(space_dir), "", 0, 4000,
     "a directory on the database's disk; empty: the work directory's"},
    {"free-bytes-min", CONFIG_U64, AT(free_bytes_min), "1073741824", 0,
     UINT64_C(1) << 50, "uploads are refused when the disk has less free"},
    {"uploads-mine-max", CONFIG_UINT, AT(uploads_mine_max), "16", 1,
     UPLOADS_MAX, "unfinished uploads of one sender"},
    {"bytes-mine-max", CONFIG_U64, AT(bytes_mine_max), "2147483648", 65536,
     UINT64_C(1) << 50, "bytes of one sender's unfinished uploads"},
    {"bytes-all-max", CONFIG_U64, AT(bytes_all_max), "17179869184", 65536,
     UINT64_C(1) << 50, "bytes of all unfinished uploads"},
    {"upload-stale", CONFIG_DURATION, AT(upload_ms_max), "24h", 1000,
     30 * DAY_MS, "an upload without a new part for so long is dropped"},
    {"delete-grace", CONFIG_DURATION, AT(delete_grace_ms), "10m", 0,
     30 * DAY_MS,
     "deleted content goes after this, unless a programme needs it by then"},
    {"push-packets-per-s", CONFIG_UINT, AT(push_packets_per_s), "400", 1, 50000,
     "pace of pushes; 5 packets are a second of sound"},
    {"repair-packets-per-s", CONFIG_UINT, AT(repair_packets_per_s), "400", 1,
     50000, "pace of repairs"},
    {"want-window", CONFIG_DURATION, AT(want_window_ms), "300ms", 0, 10000,
     "what devices miss is collected for so long, then sent once"},
    {"cache-bytes", CONFIG_U64, AT(cache_bytes), "16777216",
     2 * CACHE_BLOCK_LEN_MAX, 1024 * MIB, "memory for packets"},
};

const struct config_program config_program = {
    .name = "loa-content-ingest",
    .about =
        "takes in recordings and texts, keeps them as signed packets, and "
        "brings them to the areas that need them",
    .example = "loa-content-ingest --pg dbname=loa --identity content.identity",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
};
