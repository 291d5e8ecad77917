/* mqtt.h -- one MQTT 5 client (libmosquitto) on a libuv loop, no threads.
 *
 * Every connection is a new session: nothing that was not acknowledged lives on
 * in the library. When a connection ends, each outstanding mqtt_ack_cb gets
 * LOA_ENOTCONN, then on_lost comes; the owner sends again, after on_connected,
 * what still matters. Subscriptions are made again by themselves. */

#ifndef LOA_PROTO_IO_MQTT_H
#define LOA_PROTO_IO_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "proto/err.h"

#define MQTT_FILTERS_MAX 64
#define MQTT_FILTER_LEN_MAX 256       /* With the terminating 0. */
#define MQTT_ADDRESSES_MAX 4          /* Of one name, tried in turn. */
#define MQTT_UNACKED_MAX 512          /* QoS 1 messages without a PUBACK. */
#define MQTT_UNSENT_LEN_MAX (4 << 20) /* Bytes the socket has not taken. */
#define MQTT_PASSWORD_LEN_MAX 8192    /* With the terminating 0. */

/* A message, sent or received. Zero means absent for all that is optional. */
struct mqtt_msg {
    const char *topic;
    const void *payload;
    size_t len;
    int qos; /* 0 or 1. */
    bool retain;
    const char *response_topic;
    const void *correlation;
    size_t correlation_len;
    const char *content_type;
    uint32_t expiry_s; /* 0: never. */
};

/* Outcome of a QoS 1 message. status: LOA_OK (the broker has it, which promises
 * nothing durable), LOA_EACCES (0x87 not authorized), LOA_EBUSY (0x97 quota),
 * LOA_EINVAL (any other reason), LOA_ENOTCONN (the connection ended first).
 * reason is MQTT 5's code, 0 when none came. */
typedef void (*mqtt_ack_cb)(void *data, int status, unsigned reason);

enum mqtt_policy {
    MQTT_EXIT,  /* Services: on_lost comes once, whatever it was; then only
                 * mqtt_close() may be called. */
    MQTT_RETRY, /* Devices, tools: connects again for ever with jittered
                 * exponential back-off; on_lost comes each time an established
                 * connection ends. */
};

struct mqtt_filter {
    const char *filter;
    int qos;
};

/* Everything pointed to must outlive the mqtt. Fields may be 0/NULL unless
 * said otherwise. */
struct mqtt_conf {
    const char *host; /* Address or name; required. */
    unsigned port;    /* Required. */
    const char *client_id;
    const char *username;
    /* Called before every connect: write the password of now, 0-terminated, to
     * buf. Not LOA_OK: this attempt counts as failed. May also change *will. */
    int (*password)(void *data, char *buf, size_t cap);
    const struct mqtt_msg *will; /* Read at every connect, after password(). */
    const struct mqtt_filter *filters; /* Copied at open. */
    size_t filters_n;
    const char *ca_file; /* Not NULL: TLS. */
    const char *cert_file, *key_file;
    enum mqtt_policy policy;
    unsigned keepalive_s;  /* 0: 30. */
    uint64_t retry_ms_min; /* 0: 1000. */
    uint64_t retry_ms_max; /* 0: 30000. */
    uint64_t start_ms_max; /* The first attempt waits a random time up to it. */

    /* Connected and every filter granted. May be NULL. */
    void (*on_connected)(void *data);
    /* *msg is lent for the call. Retained messages may come before
     * on_connected. */
    void (*on_message)(void *data, const struct mqtt_msg *msg);
    /* Required with MQTT_EXIT. */
    void (*on_lost)(void *data);
    void *data;
};

struct mqtt_conn; /* One connection: library handle, socket, poll handle. */

struct mqtt {
    uv_loop_t *loop;
    struct mqtt_conf conf;
    struct mqtt_conn *conn; /* NULL between connections. */
    bool connected;         /* on_connected has been due. */
    bool closed;
    int lost_rc;         /* Why the connection ended, until it is dealt with. */
    bool lost;           /* It has ended, and on_retry() deals with it. */
    unsigned attempts_n; /* Since the last lasting connection. */
    /* Why the last attempt to connect failed, for tools that tell a person: a
     * reason code of MQTT 5 from 0x80 on (the broker's), or the library's
     * error; mqtt_reason() has the text. fails_n: attempts that failed since
     * the last connection. */
    int fail_rc;
    unsigned fails_n;
    uint64_t connected_ms;
    uint64_t connect_deadline_ms;
    bool connack;                           /* The broker has let us in. */
    bool retry_now;                         /* mqtt_reconnect() asked for it. */
    char addresses[MQTT_ADDRESSES_MAX][46]; /* The host's, numeric. */
    size_t addresses_n, address_i;
    size_t unsent_len;
    uv_timer_t misc;  /* Once a second: keepalive, connect deadline. */
    uv_timer_t retry; /* Back-off, and 0 ms to deal with a loss. */
    uv_getaddrinfo_t *resolving;
    struct {
        char filter[MQTT_FILTER_LEN_MAX];
        int qos;
        int mid; /* Of the SUBSCRIBE in flight; 0: none. */
    } filters[MQTT_FILTERS_MAX];
    size_t filters_n;
    struct {
        int mid; /* 0: free. */
        mqtt_ack_cb cb;
        void *data;
    } unacked[MQTT_UNACKED_MAX];
    size_t unacked_n;
    uint64_t received_n, published_n; /* For metrics. */
};

/* Begin to connect; does not block, callbacks come from the loop only.
 * LOA_EINVAL: conf is wrong (too many or too long filters, unreadable TLS
 * files); LOA_ESYS. On error *m needs no mqtt_close(). */
LOA_MUST_CHECK int mqtt_open(struct mqtt *m,
                             uv_loop_t *loop,
                             const struct mqtt_conf *conf);

/* Queue one message; everything is copied. With QoS 1 and LOA_OK cb (if not
 * NULL) is called exactly once, never from within this call; with QoS 0 it must
 * be NULL. LOA_ENOTCONN: not connected, keep it until on_connected. LOA_EBUSY:
 * MQTT_UNACKED_MAX or MQTT_UNSENT_LEN_MAX reached, keep it until some PUBACK.
 * LOA_EINVAL: the topic, or a text property, is not allowed; LOA_ENOMEM. */
LOA_MUST_CHECK int mqtt_publish(struct mqtt *m,
                                const struct mqtt_msg *msg,
                                mqtt_ack_cb cb,
                                void *data);

/* Add a filter to the list, now and for every later connection. A refused
 * filter is logged as an error and ends the connection. LOA_EBUSY: the list is
 * full; LOA_EINVAL: not a filter. Repeating a filter is harmless. */
LOA_MUST_CHECK int mqtt_subscribe(struct mqtt *m, const char *filter, int qos);

/* Drop a filter; unknown ones are ignored. */
void mqtt_unsubscribe(struct mqtt *m, const char *filter);

/* With MQTT_RETRY: end the connection and connect again at once, with a new
 * password (the certificate or the area has changed). on_lost comes. */
void mqtt_reconnect(struct mqtt *m);

/* Say goodbye and close; no callback comes any more (outstanding
 * mqtt_ack_cb are dropped). May be called in any callback. The memory of *m is
 * free to reuse after the loop has run out. */
void mqtt_close(struct mqtt *m);

#endif /* LOA_PROTO_IO_MQTT_H */
