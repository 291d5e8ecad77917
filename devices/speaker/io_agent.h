/* io_agent.h -- the core meets the world: disk, broker, output.
 *
 * One struct, in static memory. agent_open() reads what the disk has and
 * begins; everything else happens in the loop. */

#ifndef LOA_SPEAKER_IO_AGENT_H
#define LOA_SPEAKER_IO_AGENT_H

#include "proto/io/mqtt.h"
#include "speaker/config.h"
#include "speaker/io_content.h"
#include "speaker/io_disk.h"
#include "speaker/io_receipts.h"
#include "speaker/io_sound.h"
#include "speaker/speaker.h"

struct agent {
    const struct config *conf;
    uv_loop_t *loop;
    struct loa_identity *identity;
    struct speaker core;
    struct disk *disk;
    struct receipt_log log;
    struct content_store store;
    struct sound sound;
    struct mqtt mqtt;
    struct mqtt_msg will;
    char will_topic[LOA_TOPIC_CAP];
    char filters[2 + LOA_AREA_DEPTH_MAX][LOA_TOPIC_CAP];
    uv_timer_t tick;
    uv_timer_t leave; /* Gives the farewell time to go out. */
    bool leaving;
    int64_t login_offset_us; /* Wall less monotonic time, at the last login. */
    uint64_t health_us, cpu_us; /* At the last health report. */
};

/* identity is enrolled; disk is open. Both lent. Logs what is wrong. */
LOA_MUST_CHECK int agent_open(struct agent *a,
                              uv_loop_t *loop,
                              const struct config *conf,
                              struct loa_identity *identity,
                              struct disk *disk);

/* Say goodbye and close everything; the loop then runs out. */
void agent_close(struct agent *a);

/* --- between io_agent.c (events, life) and io_perform.c (operations) --------
 */

/* Carry out all that the core asks for now. */
void agent_drain(struct agent *a);
/* The last word is out: nothing keeps us any more. */
void agent_leave(uv_timer_t *timer);

#endif /* LOA_SPEAKER_IO_AGENT_H */
