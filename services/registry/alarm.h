/* alarm.h -- which certificates are about to end. Pure.
 *
 * Each is told of once at 90, 30, 7 and 1 days before its end and once when it
 * has ended; after a restart those that are due are told of again. */

#ifndef LOA_REGISTRY_ALARM_H
#define LOA_REGISTRY_ALARM_H

#include "registry/registry.h"

#define ALARM_LINES_MAX 100 /* Told one by one; the rest are counted. */

struct alarm {
    const char *kind; /* "registry", "principal", "device" */
    const char *id, *area;
    int days; /* Whole days that are left; -1: it has ended. */
};

struct alarms {
    struct alarm due[ALARM_LINES_MAX]; /* Lent by the registry. */
    size_t due_n, more_n;
    /* Of those not revoked: ms until the first one ends, below 0 when one has;
     * INT64_MAX: there is none. */
    int64_t own_ms, principal_ms, device_ms;
};

void alarms_look(struct registry *r, int64_t now_ms, struct alarms *a);

#endif /* LOA_REGISTRY_ALARM_H */
