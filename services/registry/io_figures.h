/* io_figures.h -- /metrics of the registry, and the log of ending certificates.
 */

#ifndef LOA_REGISTRY_IO_FIGURES_H
#define LOA_REGISTRY_IO_FIGURES_H

#include "common/metrics.h"
#include "registry/alarm.h"

#define FIGURES_N 12

struct figures {
    struct registry *registry;
    struct alarms alarms; /* Of the last look. */
    struct metric metrics[FIGURES_N];
};

/* *f and *r must outlive *m. LOA_EBUSY: no room in *m. */
LOA_MUST_CHECK int figures_init(struct figures *f,
                                struct registry *r,
                                struct metrics *m);

/* Log which certificates have come closer to their end. */
void figures_look(struct figures *f, int64_t now_ms);

/* Set the gauges. */
void figures_collect(struct figures *f);

#endif /* LOA_REGISTRY_IO_FIGURES_H */
