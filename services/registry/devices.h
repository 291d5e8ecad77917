/* devices.h -- the loudspeakers that the registry knows, in memory.
 *
 * A device begins with a one-time code for a place in an area; enrolment gives
 * it a certificate. Everything is in registry.device and loaded at start. Pure.
 */

#ifndef LOA_REGISTRY_DEVICES_H
#define LOA_REGISTRY_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/enrol.h"
#include "proto/topic.h"
#include "registry/names.h"
#include "registry/refusal.h"

#define DEVICES_MAX 65536
#define DEVICE_TEXT_CAP (LOA_ENROL_SERIAL_MAX + 1)
#define DEVICE_PAGE_MAX 500
#define DEVICE_PAGE_DEFAULT 100
#define DEVICE_PAGE_BYTES_MAX 52000

struct device {
    char id[LOA_PRINCIPAL_CAP];
    char area[LOA_AREA_CAP];
    char serial[DEVICE_TEXT_CAP]; /* The maker's; "": not known. */
    char model[DEVICE_TEXT_CAP];  /* "" until it is enrolled. */
    char name[NAME_CAP];          /* Where it hangs. */
    /* The code that is out: made from this, which the request's id and
     * code_expires_at_ms give. */
    uint8_t code_request[LOA_ID_BYTES];
    int64_t code_expires_at_ms;
    bool code_used;
    /* 0 until it is enrolled: */
    uint8_t key[LOA_KEY_BYTES];
    int64_t enrolled_at_ms;
    int64_t not_after_ms; /* Of its certificate. */
    uint64_t certificate_serial;
    bool revoked;
    uint8_t alarm; /* See alarm.h; not stored. */
};

struct devices {
    size_t devices_n;
    struct device devices[DEVICES_MAX];
    uint32_t by_id[2 * DEVICES_MAX]; /* Private. */
};

/* The device of an id, or NULL. */
struct device *devices_find(struct devices *d, const char *id);

/* Add a copy of *new, or put it in the place of the one with its id. NULL:
 * DEVICES_MAX. */
struct device *devices_put(struct devices *d, const struct device *new);

/* How many there are in an area and below. */
size_t devices_below(const struct devices *d, const char *area);

struct device_page {
    const struct device *devices[DEVICE_PAGE_MAX]; /* Lent. */
    size_t devices_n;
    const char *next; /* "": there is no more. */
};

/* Those in an area and below, in order of id, after the id `after` (""). limit
 * 0: DEVICE_PAGE_DEFAULT; at most DEVICE_PAGE_MAX. */
void devices_page(const struct devices *d,
                  const char *under,
                  const char *after,
                  uint32_t limit,
                  struct device_page *page);

#endif /* LOA_REGISTRY_DEVICES_H */
