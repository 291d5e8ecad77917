/* retained.h -- all retained messages of one kind, however many there are.
 *
 * A broker keeps no more than max_queued_messages for a client: of ten thousand
 * retained messages that a new subscription brings, it drops all but the first
 * thousand. So, when many are known to exist, they are asked for a second time
 * piece by piece. That a message comes twice must be harmless. */

#ifndef LOA_COMMON_RETAINED_H
#define LOA_COMMON_RETAINED_H

#include <uv.h>

#include "common/retained_plan.h"
#include "proto/io/mqtt.h"

struct retained_conf {
    uv_loop_t *loop;
    struct mqtt *mqtt;
    /* Filters are loa/1/<plane>/<kind>/<piece>/#. */
    enum loa_plane plane;
    const char *kind;
    const char *own_area;
    size_t messages_max; /* That are noted. */
    /* Note with retained_plan_add() where messages are known to be. */
    void (*list)(void *data, struct retained_plan *plan);
    void *data;
};

struct retained {
    struct retained_conf conf;
    uv_timer_t timer;
    struct retained_plan plan;
    struct retained_area *areas;
    bool open, whole, listed;
    char filter[MQTT_FILTER_LEN_MAX]; /* Of the piece that is asked for; "". */
    uint64_t heard_ms, asked_ms;
    size_t pieces_n;
};

/* LOA_ENOMEM. Strings must outlive *r. */
LOA_MUST_CHECK int retained_open(struct retained *r,
                                 const struct retained_conf *conf);

/* Ask for what is listed. whole: the broker is there, and the own area has just
 * been subscribed; else in pieces however few there are. A round that is under
 * way begins again. */
void retained_ask(struct retained *r, bool whole);

/* Pieces are still being asked for. */
bool retained_busy(const struct retained *r);

/* A message came. */
void retained_heard(struct retained *r);

/* Harmless when it was not opened. */
void retained_close(struct retained *r);

#endif /* LOA_COMMON_RETAINED_H */
