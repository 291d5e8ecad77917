/* config.h -- settings of the registry. */

#ifndef LOA_REGISTRY_CONFIG_H
#define LOA_REGISTRY_CONFIG_H

#include "common/service.h"

struct config {
    struct service_settings service;
    unsigned device_cert_days;
};

extern const struct config_program config_registry;

#endif /* LOA_REGISTRY_CONFIG_H */
