/* planner.h -- the scheduler's own core, as the source of programmes in the
 * simulated days. Its headers and the loudspeaker's use the same names, so it
 * is met only through this. */

#ifndef LOA_SIM_PLANNER_H
#define LOA_SIM_PLANNER_H

#include "proto/certificate.h"
#include "proto/envelope.h"

#define PLANNER_LEAD_MS 5000

struct planner_conf {
    const uint8_t *root;
    struct loa_signer signer; /* Lent. */
    const char *area;
    const char *const *areas; /* The tree. */
    size_t areas_n;
    unsigned horizon_days;
    /* A new programme of an area; may be called inside every call below. */
    void (*made)(const char *area, struct loa_bytes envelope);
};

struct planner_ask {
    uint8_t id;
    struct loa_bytes approval;
    const char *area;
    int class;
    int64_t start_at_ms, until_ms;
    unsigned frequency, weekdays;
};

void planner_open(const struct planner_conf *conf, int64_t at_ms);
void planner_close(void);
/* True: accepted. `who` asks. */
bool planner_add(const struct planner_ask *a,
                 const struct loa_certificate *who,
                 int64_t at_ms);
bool planner_move(uint8_t id,
                  int64_t start_at_ms,
                  const struct loa_certificate *who,
                  int64_t at_ms);
bool planner_cancel(uint8_t id,
                    const struct loa_certificate *who,
                    int64_t at_ms);
/* A list of revocations. */
void planner_trust(struct loa_bytes envelope, int64_t at_ms);
/* Time has passed. */
void planner_tick(int64_t at_ms);

#endif /* LOA_SIM_PLANNER_H */
