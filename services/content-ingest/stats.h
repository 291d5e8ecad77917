/* stats.h -- what /metrics tells of this service. */

#ifndef LOA_CONTENT_STATS_H
#define LOA_CONTENT_STATS_H

#include "common/metrics.h"

enum stats_id {
    STATS_UPLOADS_BEGUN,
    STATS_REFUSED,
    STATS_PARTS,
    STATS_UPLOAD_BYTES,
    STATS_UPLOADS_RECEIVING,
    STATS_UPLOADS_WAITING,
    STATS_UPLOADS_ENCODING,
    STATS_JOBS_DONE,
    STATS_JOBS_REFUSED,
    STATS_JOBS_AGAIN,
    STATS_ENCODE_SECONDS,
    STATS_SOUND_SECONDS,
    STATS_APPROVALS,
    STATS_PROGRAMMES,
    STATS_PROGRAMMES_REFUSED,
    STATS_NEEDS,
    STATS_NEEDS_UNPUSHED,
    STATS_PUSHES,
    STATS_PACKETS_PUSHED,
    STATS_PACKETS_REPAIRED,
    STATS_WANTS,
    STATS_WANTS_REFUSED,
    STATS_WANT_MARKED,
    STATS_WANT_MERGED,
    STATS_WANT_PROMISED,
    STATS_WANT_UNKNOWN,
    STATS_WANT_DROPPED,
    STATS_WANT_PENDING,
    STATS_CACHE_HITS,
    STATS_CACHE_MISSES,
    STATS_EXPORTS,
    STATS_DELETED,
    STATS_DELETE_IN_USE,
    STATS_DELETE_UNANSWERED,
    STATS_FREE_BYTES,
    STATS_N,
};

struct stats {
    struct metric m[STATS_N];
};

void stats_init(struct stats *s);

static inline void stats_add(struct stats *s, enum stats_id id, double by)
{
    metric_add(&s->m[id], by);
}

#endif /* LOA_CONTENT_STATS_H */
