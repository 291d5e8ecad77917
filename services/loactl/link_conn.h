/* link_conn.h -- the connection below link.c: open, turn, diagnose, close.
 * Private to link.c and link_conn.c. */

#ifndef LOA_LOACTL_LINK_CONN_H
#define LOA_LOACTL_LINK_CONN_H

#include "loactl/link.h"
#include "proto/io/identity_file.h"
#include "proto/trust.h"

/* One request in flight: the sealed envelope, sent until it is answered. */
struct slot {
    bool used;
    enum link_service service;
    uint8_t message_id[LOA_ID_BYTES];
    uint8_t *envelope;
    size_t envelope_len;
    uint64_t sent_ms; /* Monotonic; 0: not yet. */
    uint64_t deadline_ms;
    ProtobufCMessage *answer; /* Once it came. */
};

struct link {
    struct ctl *c;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t sigint;
    struct mqtt mqtt;
    struct identity_login login;
    struct loa_trust trust;
    struct loa_arena arena;
    uint8_t *memory;
    char client_id[LOA_CLIENT_CAP];
    char reply_filter[LOA_TOPIC_CAP];
    struct slot slots[LINK_WINDOW];
    bool connected, interrupted;
    uint64_t connect_deadline_ms;
    bool (*on_message)(void *data, const struct mqtt_msg *m);
    void *listener;
    bool listening;
    bool away;     /* While listening: the broker went, and was told of. */
    int published; /* link_publish: 1 taken, -1 refused. */
};

/* Run the loop until something happens; CTL_UNREACHABLE on Ctrl-C. */
int link_turn(struct link *l);

/* Every message of the connection (in link.c). */
void link_on_message(void *data, const struct mqtt_msg *m);

#endif /* LOA_LOACTL_LINK_CONN_H */
