/* report.h -- how a receipt is told to scripts, by `report` and by `watch`. */

#ifndef LOA_LOACTL_REPORT_H
#define LOA_LOACTL_REPORT_H

#include <jansson.h>

#include "loa/v1/device.pb-c.h"

/* An object; times that the receipt has not are null. */
json_t *receipt_json(const char *device,
                     const char *area,
                     const Loa__V1__Receipt *r);

#endif /* LOA_LOACTL_REPORT_H */
