/* service.h -- what every service's main.c would repeat: the loop, signals, the
 * database, the broker, /metrics, the outbox and the inbox, opened in order and
 * closed in order.
 *
 * A service that loses its database or its broker stops with exit code 1; its
 * supervisor starts it again. SIGTERM and SIGINT stop it with 0. */

#ifndef LOA_COMMON_SERVICE_H
#define LOA_COMMON_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/http.h"
#include "common/inbox.h"
#include "common/metrics.h"
#include "common/outbox.h"
#include "common/pg.h"
#include "common/rpc.h"
#include "common/trustlist.h"
#include "proto/err.h"
#include "proto/io/config.h"
#include "proto/io/identity_file.h"
#include "proto/io/mqtt.h"

/* Settings every service has; embed it in the service's own struct config. */
struct service_settings {
    const char *pg;
    const char *mqtt_host;
    unsigned mqtt_port;
    const char *mqtt_ca_file; /* "": no TLS. */
    const char *http_host;
    unsigned http_port;        /* 0: no /metrics. */
    const char *identity_path; /* The service's own identity file. */
    const char *broker;        /* The broker's name in logins. */
};

/* Their rows in the table of options: the first of the service's own.
 *   static const struct config_option options[] = {
 *       SERVICE_OPTIONS(struct config, service, "9101"),
 *       {"linger", CONFIG_DURATION, offsetof(struct config, linger_ms), ...},
 *   }; */
#define SERVICE_OPTIONS(type, member, http_port_def)                         \
    {"pg",                                                                   \
     CONFIG_TEXT,                                                            \
     offsetof(type, member.pg),                                              \
     "",                                                                     \
     0,                                                                      \
     0,                                                                      \
     "PostgreSQL connection string (libpq); empty: PGHOST etc."},            \
        {"mqtt-host",                                                        \
         CONFIG_TEXT,                                                        \
         offsetof(type, member.mqtt_host),                                   \
         "127.0.0.1",                                                        \
         1,                                                                  \
         255,                                                                \
         "broker, a name or an address"},                                    \
        {"mqtt-port", CONFIG_UINT, offsetof(type, member.mqtt_port), "1883", \
         1,           65535,       "the broker's TCP port"},                 \
        {"mqtt-ca",                                                          \
         CONFIG_PATH,                                                        \
         offsetof(type, member.mqtt_ca_file),                                \
         "",                                                                 \
         0,                                                                  \
         0,                                                                  \
         "certificate authorities of the broker; empty: no TLS"},            \
        {"http-host",                                                        \
         CONFIG_TEXT,                                                        \
         offsetof(type, member.http_host),                                   \
         "127.0.0.1",                                                        \
         1,                                                                  \
         64,                                                                 \
         "address of /metrics, /healthz and /readyz"},                       \
        {"http-port",                                                        \
         CONFIG_UINT,                                                        \
         offsetof(type, member.http_port),                                   \
         http_port_def,                                                      \
         0,                                                                  \
         65535,                                                              \
         "its TCP port; 0: none"},                                           \
        {"identity",                                                         \
         CONFIG_PATH,                                                        \
         offsetof(type, member.identity_path),                               \
         "",                                                                 \
         0,                                                                  \
         0,                                                                  \
         "identity file with this service's key and certificates"},          \
    {                                                                        \
        "broker", CONFIG_TEXT, offsetof(type, member.broker), "loa", 1, 64,  \
            "the broker's name, as its plugin knows it"                      \
    }

struct service_topic {
    enum loa_plane plane;
    const char *kind;
};

/* What a service is made of. Everything pointed to must outlive the run.
 * Callbacks come from the loop, with data; those not marked required may be
 * NULL. */
struct service_conf {
    const char *name; /* "scheduler": logs, application_name. Required. */
    const struct service_settings *settings; /* Required. */
    const char *schema; /* PostgreSQL schema; NULL: no database. */
    const struct pg_stmt *stmts;
    size_t stmts_n;
    bool outbox, inbox;                /* The schema has these tables. */
    const struct mqtt_filter *filters; /* Beside those of trust and rpc. */
    size_t filters_n;
    /* Filters loa/1/<plane>/<kind>/<own area>/#, QoS 1. */
    const struct service_topic *topics;
    size_t topics_n;

    /* Requests: see rpc.h. Needs inbox. NULL: the service takes none. */
    rpc_request_cb on_request;
    enum loa_type request_type, answer_type;
    /* A newer revocation list is believed; the store is s->trust.trust. */
    void (*trust_changed)(void *data);
    /* Sees every message first; true: it was dealt with. */
    bool (*intercept)(void *data, const struct mqtt_msg *msg);

    /* The database is open and the loop about to run (blocking calls such as
     * pg_query_now() are still allowed): init the core, start own timers. The
     * broker is not yet there. Not LOA_OK: stop with 1. */
    int (*start)(void *data);
    /* True: start() began to load its state asynchronously, and the service
     * itself calls service_connect() when it may receive messages. */
    bool connect_later;
    void (*connected)(void *data); /* outbox_connected() has been called. */
    void (*message)(void *data, const struct mqtt_msg *msg);
    /* Something more is needed before /readyz says 200: set *why. */
    bool (*ready)(void *data, const char **why);
    void (*collect)(void *data); /* As http_conf. */
    /* Close own handles. Comes once if start() was called, first of all. */
    void (*stop)(void *data);
    void *data;
};

struct service {
    uv_loop_t loop;
    uv_signal_t sigint, sigterm;
    struct pg pg;
    struct mqtt mqtt;
    struct http http;
    struct metrics metrics; /* Register own sets in start(). */
    struct outbox outbox;
    struct inbox inbox;
    struct loa_identity identity; /* Read, and fit for this service. */
    struct identity_login login;
    struct trustlist trust; /* With a database only. */
    struct rpc rpc;
    struct service_conf conf;
    struct metric own[12];
    bool pg_open, mqtt_open, http_open, outbox_open, inbox_open;
    bool trust_open, rpc_open;
    bool started, stopping;
    int exit_code;
};

/* Run a service until it stops; returns its exit code. Blocks SIGPIPE. *s is
 * best static: it is big. Asserts that nothing is left open. */
LOA_MUST_CHECK int service_run(struct service *s,
                               const struct service_conf *conf);

/* Begin to connect to the broker; needed only with connect_later. Failure stops
 * the service. */
void service_connect(struct service *s);

/* Stop: everything is closed, then service_run() returns exit_code. The first
 * call counts. May be called in any callback. */
void service_stop(struct service *s, int exit_code);

#endif /* LOA_COMMON_SERVICE_H */
