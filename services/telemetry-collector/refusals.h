/* refusals.h -- the core: receipts that were set aside, until their devices are
 * told. It takes the way of the batch that they are in: filled, on its way,
 * durable. */

#ifndef LOA_TELEMETRY_COLLECTOR_REFUSALS_H
#define LOA_TELEMETRY_COLLECTOR_REFUSALS_H

#include "telemetry-collector/presence.h"

#define REFUSALS_MAX 4096

enum refusal_stage { REFUSAL_FILLING, REFUSAL_FLYING, REFUSAL_DURABLE };

struct refusal {
    const struct device *device;
    uint64_t sequence;
    enum refusal_stage stage;
};

struct refusals {
    struct refusal list[REFUSALS_MAX];
    size_t n;
};

/* n more would fit. */
bool refusals_room(const struct refusals *r, size_t n);

/* There is room. One that is known is not added again. */
void refusals_add(struct refusals *r,
                  const struct device *d,
                  uint64_t sequence,
                  enum refusal_stage stage);

/* All of one stage go on to the next. */
void refusals_advance(struct refusals *r, enum refusal_stage from);

/* Those of d that are durable, at most cap; they are forgotten by drop. */
size_t refusals_of(const struct refusals *r,
                   const struct device *d,
                   uint64_t out[],
                   size_t cap);
void refusals_drop(struct refusals *r,
                   const struct device *d,
                   const uint64_t told[],
                   size_t told_n);

#endif /* LOA_TELEMETRY_COLLECTOR_REFUSALS_H */
