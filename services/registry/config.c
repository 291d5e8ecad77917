#include "registry/config.h"

static const struct config_option options[] = {
    SERVICE_OPTIONS(struct config, service, "9101"),
    {"device-cert-days", CONFIG_UINT, offsetof(struct config, device_cert_days),
     "365", 1, 3650,
     "days that a device's certificate is valid, but never longer than the "
     "registry's own"},
};

const struct config_program config_registry = {
    .name = "loa-registry",
    .about = "areas, devices, principals and revocations",
    .example = "loa-registry --identity registry.id --pg 'dbname=loa'",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
};
