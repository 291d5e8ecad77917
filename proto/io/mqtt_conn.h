/* mqtt_conn.h -- one connection of mqtt.c: the library's handle, its socket and
 * what the library tells. Private to mqtt.c and mqtt_conn.c; the border is that
 * mqtt.c alone decides what follows a loss. */

#ifndef LOA_PROTO_IO_MQTT_CONN_H
#define LOA_PROTO_IO_MQTT_CONN_H

#include <mosquitto.h>

#include "proto/io/mqtt.h"

#define MQTT_HOST_MAX 256

/* Every connection has its own library handle and its own poll handle: closing
 * is asynchronous, and the next socket often gets the same number. */
struct mqtt_conn {
    struct mqtt *m; /* NULL: let go, waiting to be freed. */
    struct mosquitto *mosq;
    uv_work_t connecting;
    char host[MQTT_HOST_MAX]; /* What connecting needs. */
    int port, keepalive_s, rc;
    bool working; /* A worker connects: nobody else touches mosq. */
    uv_poll_t poll;
    bool polled;   /* poll is initialised. */
    bool writable; /* The socket has been writable: TCP is through. */
};

bool mqtt_is_tls(const struct mqtt *m);

/* Begin one connection; host is an address, or with TLS a name, which the
 * library resolves in a worker of the loop. What fails here is lost at once,
 * like any other. LOA_ENOMEM: nothing was begun. */
LOA_MUST_CHECK int mqtt_conn_start(struct mqtt *m, const char *host);

/* Say goodbye, forget the connection, and free it when the loop allows. */
void mqtt_conn_let_go(struct mqtt *m);

/* To be called after every use of the library: it alone knows whether it has
 * something to write. */
void mqtt_conn_watch(struct mqtt *m);

/* Send the SUBSCRIBE of filters[i]. */
void mqtt_conn_subscribe(struct mqtt *m, size_t i);

/* Connected, if the broker let us in and granted every filter. */
void mqtt_conn_check(struct mqtt *m);

/* Note that the connection has ended (in mqtt.c). Dealt with later, from the
 * loop: we may be deep inside the library or in our caller's hands. */
void mqtt_mark_lost(struct mqtt *m, int rc);

#endif /* LOA_PROTO_IO_MQTT_CONN_H */
