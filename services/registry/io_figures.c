#include "registry/io_figures.h"

#include <math.h>
#include <string.h>

#include "proto/io/log.h"

enum {
    M_AREAS,
    M_VERSION,
    M_DEVICES,
    M_PRINCIPALS,
    M_REVOKED,
    M_ENROLLED,
    M_GUESSED,
    M_DROPPED,
    M_MALFORMED,
    M_OWN_LEFT,
    M_PRINCIPAL_LEFT,
    M_DEVICE_LEFT,
    M_N,
};
_Static_assert(M_N == FIGURES_N, "each has its place");

#define LEFT "loa_registry_certificate_expiry_seconds"
#define LEFT_HELP \
    "Seconds until the first certificate ends, +Inf: there is none"

static const struct metric metrics[M_N] = {
    [M_AREAS] =
        METRIC_GAUGE_INIT("loa_registry_areas", "Areas, closed ones too", NULL),
    [M_VERSION] = METRIC_GAUGE_INIT("loa_registry_areas_version",
                                    "Version of the area tree",
                                    NULL),
    [M_DEVICES] = METRIC_GAUGE_INIT("loa_registry_devices",
                                    "Devices, enrolled or waiting",
                                    NULL),
    [M_PRINCIPALS] = METRIC_GAUGE_INIT("loa_registry_principals",
                                       "Certificates made known",
                                       NULL),
    [M_REVOKED] = METRIC_GAUGE_INIT("loa_registry_revocations",
                                    "Certificates on the revocation list",
                                    NULL),
    [M_ENROLLED] = METRIC_COUNTER_INIT("loa_registry_enrolled_total",
                                       "Device certificates issued",
                                       NULL),
    [M_GUESSED] = METRIC_COUNTER_INIT("loa_registry_wrong_codes_total",
                                      "Enrolments with a wrong code",
                                      NULL),
    [M_DROPPED] = METRIC_COUNTER_INIT("loa_registry_dropped_codes_total",
                                      "Wrong codes that were not answered",
                                      NULL),
    [M_MALFORMED] = METRIC_COUNTER_INIT(
        "loa_registry_malformed_enrolments_total",
        "Messages of devices that enrol, which nobody can read",
        NULL),
    [M_OWN_LEFT] = METRIC_GAUGE_INIT(LEFT, LEFT_HELP, "kind=\"registry\""),
    [M_PRINCIPAL_LEFT] =
        METRIC_GAUGE_INIT(LEFT, LEFT_HELP, "kind=\"principal\""),
    [M_DEVICE_LEFT] = METRIC_GAUGE_INIT(LEFT, LEFT_HELP, "kind=\"device\""),
};

int figures_init(struct figures *f, struct registry *r, struct metrics *m)
{
    f->registry = r;
    memcpy(f->metrics, metrics, sizeof metrics);
    return metrics_register(m, f->metrics, M_N);
}

void figures_look(struct figures *f, int64_t now_ms)
{
    alarms_look(f->registry, now_ms, &f->alarms);
    for (size_t i = 0; i < f->alarms.due_n; i++) {
        const struct alarm *a = &f->alarms.due[i];
        log_warn("certificate.ends", "kind=%s id=%s area=%s days=%d", a->kind,
                 a->id, a->area, a->days);
    }
    if (f->alarms.more_n > 0)
        log_warn("certificate.ends", "more=%zu", f->alarms.more_n);
}

static double seconds(int64_t left_ms)
{
    return left_ms == INT64_MAX ? (double)INFINITY : (double)left_ms / 1000;
}

void figures_collect(struct figures *f)
{
    const struct registry *r = f->registry;
    const double values[M_N] = {
        [M_AREAS] = (double)r->areas.areas_n,
        [M_VERSION] = (double)r->areas.version,
        [M_DEVICES] = (double)r->devices.devices_n,
        [M_PRINCIPALS] = (double)r->principals.principals_n,
        [M_REVOKED] = (double)r->revoked.entries_n,
        [M_ENROLLED] = (double)r->enrolled_n,
        [M_GUESSED] = (double)r->guessed_n,
        [M_DROPPED] = (double)r->dropped_n,
        [M_MALFORMED] = (double)r->malformed_n,
        [M_OWN_LEFT] = seconds(f->alarms.own_ms),
        [M_PRINCIPAL_LEFT] = seconds(f->alarms.principal_ms),
        [M_DEVICE_LEFT] = seconds(f->alarms.device_ms),
    };

    for (size_t i = 0; i < M_N; i++)
        metric_set(&f->metrics[i], values[i]);
}
