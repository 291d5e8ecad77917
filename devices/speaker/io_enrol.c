#include "speaker/io_enrol.h"

#include <sodium.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"

#define PAUSE_MS_MIN 5000   /* An answer comes within this, or never. */
#define PAUSE_MS_MAX 120000 /* The registry is away; it will come back. */
/* A wrong code: asking again makes it no better, and a fleet of them is a
 * load. Somebody must come and see; who corrects it starts the agent again. */
#define REFUSED_MS_MIN 15000
#define REFUSED_MS_MAX 960000
#define RETRY_MS_MIN 500
#define RETRY_MS_MAX 30000

static void on_retry(uv_timer_t *timer);

static int on_password(void *data, char *buf, size_t cap)
{
    struct enroller *e = data;
    uint8_t id[LOA_ID_BYTES];

    randombytes_buf(id, sizeof id);
    return loa_identity_password(e->identity, e->conf->broker_name,
                                 e->enrol.principal, id, clock_wall_ms(), buf,
                                 cap);
}

static void ask(struct enroller *e)
{
    uint8_t id[LOA_ID_BYTES], buf[2048];
    struct mqtt_msg msg = {
        .topic = e->enrol.request_topic,
        .payload = buf,
        .qos = 1,
        .response_topic = e->enrol.answer_topic,
        .correlation = id,
        .correlation_len = sizeof id,
    };
    int rv;

    e->asked = true;
    randombytes_buf(id, sizeof id);
    rv = enrol_request(&e->enrol, e->identity, id, clock_wall_ms(), buf,
                       sizeof buf, &msg.len);
    if (rv == LOA_OK)
        rv = mqtt_publish(&e->mqtt, &msg, NULL, NULL);
    if (rv != LOA_OK)
        log_warn("enrol.unsent", "text=%s", loa_strerror(rv));
    uv_timer_start(&e->retry, on_retry, e->pause_ms, 0);
}

/* A connection that comes and goes does not make it ask more often. */
static void on_connected(void *data)
{
    struct enroller *e = data;

    if (e->refused_n == 0 || !uv_is_active((uv_handle_t *)&e->retry))
        ask(e);
}

static void on_retry(uv_timer_t *timer)
{
    struct enroller *e = timer->data;

    if (e->refused_n == 0 && e->pause_ms < PAUSE_MS_MAX)
        e->pause_ms *= 2;
    if (e->mqtt.connected)
        ask(e);
}

/* Once for each question, with what follows from it: nobody can make it wait
 * longer by answering more often. */
static void on_refused(struct enroller *e, const char *why)
{
    if (!e->asked)
        return;
    e->asked = false;
    if (e->refused_n++ == 0)
        e->pause_ms = REFUSED_MS_MIN;
    else if (e->pause_ms < REFUSED_MS_MAX)
        e->pause_ms *= 2;
    log_warn("enrol.refused", "device=%s refused_n=%u again_in_s=%u text=%s",
             e->conf->device, e->refused_n, (unsigned)(e->pause_ms / 1000),
             why);
    uv_timer_start(&e->retry, on_retry, e->pause_ms, 0);
}

static void on_granted(uv_timer_t *timer)
{
    struct enroller *e = timer->data;

    e->done(e->data);
}

static void on_message(void *data, const struct mqtt_msg *msg)
{
    struct enroller *e = data;
    char why[ENROL_WHY_CAP], why_file[IDENTITY_WHY_CAP];
    struct loa_arena arena;
    int rv;

    if (strcmp(msg->topic, e->enrol.answer_topic) != 0 ||
        e->identity->certificates_n > 0)
        return;
    loa_arena_init(&arena, e->scratch, sizeof e->scratch);
    rv = enrol_answer(&e->enrol, e->identity, &arena, &e->trust,
                      (struct loa_bytes){msg->payload, msg->len},
                      clock_wall_ms(), e->conf->clock == WALLTIME_SYSTEM, why);
    if (rv != LOA_OK) {
        on_refused(e, why);
        return;
    }
    rv = identity_file_write(e->identity_path, e->identity, why_file);
    if (rv != LOA_OK) {
        log_error("enrol.unsaved", "text=%s", why_file);
        e->identity->certificates_n = 0; /* Asked for again. */
        return;
    }
    log_info("enrol.done", "device=%s area=%s", e->identity->leaf.principal,
             e->identity->leaf.area);
    uv_timer_start(&e->retry, on_granted, 0, 0);
}

int enroller_open(struct enroller *e,
                  uv_loop_t *loop,
                  const struct config *conf,
                  struct loa_identity *identity,
                  const char *identity_path,
                  void (*done)(void *data),
                  void *data)
{
    char why[ENROL_WHY_CAP];
    struct mqtt_conf mqtt = {
        .host = conf->mqtt_host,
        .port = conf->mqtt_port,
        .password = on_password,
        .filters = &e->filter,
        .filters_n = 1,
        .ca_file = conf->mqtt_ca[0] != '\0' ? conf->mqtt_ca : NULL,
        .policy = MQTT_RETRY,
        .retry_ms_min = RETRY_MS_MIN,
        .retry_ms_max = RETRY_MS_MAX,
        .on_connected = on_connected,
        .on_message = on_message,
        .data = e,
    };

    e->conf = conf;
    e->identity = identity;
    e->identity_path = identity_path;
    e->pause_ms = PAUSE_MS_MIN;
    e->done = done;
    e->data = data;
    if (conf->device[0] == '\0' || conf->code[0] == '\0') {
        log_error("enrol.settings",
                  "text=this device is not enrolled: give it --device, "
                  "--serial and --code as the registry made them");
        return LOA_EINVAL;
    }
    if (enrol_init(&e->enrol, identity, conf->code, conf->device, conf->serial,
                   conf->model, why) != LOA_OK) {
        log_error("enrol.settings", "text=%s", why);
        return LOA_EINVAL;
    }
    e->filter = (struct mqtt_filter){e->enrol.answer_topic, 1};
    mqtt.client_id = mqtt.username = e->enrol.principal;
    uv_timer_init(loop, &e->retry);
    e->retry.data = e;
    log_info("enrol.begin", "device=%s principal=%s", conf->device,
             e->enrol.principal);
    return mqtt_open(&e->mqtt, loop, &mqtt);
}

void enroller_close(struct enroller *e)
{
    if (e->closed)
        return;
    e->closed = true;
    mqtt_close(&e->mqtt);
    uv_close((uv_handle_t *)&e->retry, NULL);
}
