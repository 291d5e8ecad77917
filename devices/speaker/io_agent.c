#include "speaker/io_agent.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/config.h"
#include "proto/io/log.h"

#define RETRY_MS_MIN 500
#define RETRY_MS_MAX 30000
#define KEEPALIVE_S 20
#define LOGIN_OFF_US_MAX 60000000 /* Half of what the broker takes. */
#define FAREWELL_MS 2000 /* For the broker's answer to our last word. */

static void feed(struct agent *a, struct speaker_event *ev);

static struct speaker_now now(void)
{
    return (struct speaker_now){(int64_t)clock_mono_us(), clock_wall_us()};
}

/* --- events --------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct agent *a = timer->data;
    struct speaker_event ev = {.type = SPEAKER_TICK};

    feed(a, &ev);
}

static void arm(struct agent *a)
{
    int64_t left_us = speaker_deadline_us(&a->core) - (int64_t)clock_mono_us();

    if (a->leaving)
        return;
    uv_update_time(a->loop);
    uv_timer_start(&a->tick, on_tick,
                   left_us > 0 ? (uint64_t)(left_us + 999) / 1000 : 0, 0);
}

/* The broker lets in a device that does not know the time, but to listen and to
 * ask for it only: who has learned the time since logs in with that. */
static void log_in_again(struct agent *a)
{
    int64_t off_us = a->core.time.offset_us - a->login_offset_us;

    if (!a->mqtt.connected || !a->core.time.trusted ||
        (off_us <= LOGIN_OFF_US_MAX && off_us >= -LOGIN_OFF_US_MAX))
        return;
    log_info("mqtt.login_again", "off_s=%" PRId64 " text=the time is known now",
             off_us / 1000000);
    a->login_offset_us = a->core.time.offset_us; /* Said once. */
    mqtt_reconnect(&a->mqtt);
}

static void feed(struct agent *a, struct speaker_event *ev)
{
    /* The disk and the output are closed; only our last word is still out. */
    if (a->leaving)
        return;
    ev->now = now();
    speaker_step(&a->core, ev);
    agent_drain(a);
    sound_update(&a->sound);
    log_in_again(a);
    arm(a);
}

static void feed_type(struct agent *a, enum speaker_event_type type)
{
    struct speaker_event ev = {.type = type};

    feed(a, &ev);
}

static int on_password(void *data, char *buf, size_t cap)
{
    struct agent *a = data;
    struct speaker_now at = now();
    int64_t at_ms = speaker_login_ms(&a->core, &at);
    uint8_t id[LOA_ID_BYTES];
    struct loa_bytes will;

    feed_type(a, SPEAKER_CONNECTING);
    will = speaker_will(&a->core);
    a->will = (struct mqtt_msg){.topic = a->will_topic,
                                .payload = will.data,
                                .len = will.len,
                                .qos = 1,
                                .retain = true};
    randombytes_buf(id, sizeof id);
    a->login_offset_us = at_ms * 1000 - at.now_us;
    return loa_identity_password(a->identity, a->conf->broker_name, a->core.id,
                                 id, at_ms, buf, cap);
}

static void on_connected(void *data)
{
    feed_type(data, SPEAKER_CONNECTED);
}

static void on_lost(void *data)
{
    feed_type(data, SPEAKER_LOST);
}

static void on_message(void *data, const struct mqtt_msg *msg)
{
    struct speaker_event ev = {
        .type = SPEAKER_MESSAGE,
        .topic = msg->topic,
        .body = {msg->payload, msg->len},
        .retained = msg->retain,
    };

    feed(data, &ev);
}

static void on_job(void *data, int status, uint64_t bytes)
{
    struct speaker_event ev = {
        .type = SPEAKER_JOB_DONE, .status = status, .bytes = bytes};

    feed(data, &ev);
}

/* --- the output's calls --------------------------------------------------- */

static const struct player_plan *on_period(void *data,
                                           const struct player_period *p)
{
    struct agent *a = data;
    struct speaker_event ev = {
        .type = SPEAKER_PERIOD, .now = now(), .period = *p};

    /* Its operations wait until the period is filled: they may close a voice
     * that the plan still needs. */
    ev.period.now_us = ev.now.now_us;
    speaker_step(&a->core, &ev);
    return speaker_plan(&a->core);
}

static void on_played(void *data, const uint64_t concealed_n[PLAYER_VOICES])
{
    struct speaker_event ev = {.type = SPEAKER_PLAYED};

    memcpy(ev.concealed_n, concealed_n, sizeof ev.concealed_n);
    feed(data, &ev);
}

static bool on_sounding(void *data)
{
    return speaker_sounding(&((struct agent *)data)->core);
}

static uint32_t on_volume(void *data)
{
    return speaker_volume(&((struct agent *)data)->core);
}

static void on_sound_state(void *data, int status)
{
    struct agent *a = data;
    struct speaker_event ev = {
        .type = SPEAKER_SOUND, .now = now(), .status = status};

    /* Comes from within the sound, also while a period is handed over: the
     * operations wait for the next turn. */
    speaker_step(&a->core, &ev);
    uv_timer_start(&a->tick, on_tick, 0, 0);
}

/* --- life ----------------------------------------------------------------- */

/* Without a memory that is there but cannot be read now, nothing may begin: it
 * would be written over. */
static int load_slot(struct agent *a, enum speaker_file file, const char *name)
{
    struct loa_bytes body;
    int rv = disk_slot_read(a->disk, name, &body);

    if (rv == LOA_OK && speaker_load(&a->core, file, body) != LOA_OK)
        log_warn("data.damaged", "file=%s text=not what it should be", name);
    return rv == LOA_ENOENT ? LOA_OK : rv;
}

static int load_slots(struct agent *a)
{
    int rv = load_slot(a, SPEAKER_FILE_MEMO, "memo");

    if (rv == LOA_OK)
        rv = load_slot(a, SPEAKER_FILE_REPLAY, "replay");
    return rv == LOA_OK ? load_slot(a, SPEAKER_FILE_LEDGER, "ledger") : rv;
}

static void load_trust(struct agent *a)
{
    struct loa_bytes body;

    if (disk_file_read(a->disk, "trust", &body) == LOA_OK &&
        speaker_load(&a->core, SPEAKER_FILE_TRUST, body) != LOA_OK)
        log_warn("data.damaged", "file=trust text=not believed");
}

static void on_recall(void *data, const struct receipt *r)
{
    speaker_recall(&((struct agent *)data)->core, r);
}

static void on_found(void *data,
                     const uint8_t hash[LOA_HASH_BYTES],
                     bool complete,
                     uint64_t bytes)
{
    speaker_found(&((struct agent *)data)->core, hash, complete, bytes);
}

static int load(struct agent *a)
{
    static const uint8_t none[LOA_ID_BYTES];
    uint8_t fresh_id[LOA_ID_BYTES];
    struct receipt_log_ids ids = {.fresh = fresh_id};
    int rv;

    rv = load_slots(a);
    if (rv != LOA_OK)
        return rv;
    load_trust(a);
    randombytes_buf(fresh_id, sizeof fresh_id);
    if (memcmp(a->core.memo.log_id, none, sizeof none) != 0)
        ids.known = a->core.memo.log_id;
    rv = receipt_log_open(&a->log, a->disk, &ids, on_recall, a);
    if (rv != LOA_OK)
        return rv;
    speaker_load_log(&a->core, a->log.log_id, a->log.first, a->log.next);
    content_store_open(&a->store, a->disk, a->loop, on_found, on_job, a);
    return LOA_OK;
}

static int open_mqtt(struct agent *a)
{
    struct mqtt_filter list[2 + LOA_AREA_DEPTH_MAX];
    struct mqtt_conf conf = {
        .host = a->conf->mqtt_host,
        .port = a->conf->mqtt_port,
        .client_id = a->core.id,
        .username = a->core.id,
        .password = on_password,
        .will = &a->will,
        .filters = list,
        .ca_file = a->conf->mqtt_ca[0] != '\0' ? a->conf->mqtt_ca : NULL,
        .policy = MQTT_RETRY,
        .keepalive_s = KEEPALIVE_S,
        .retry_ms_min = RETRY_MS_MIN,
        .retry_ms_max = RETRY_MS_MAX,
        .start_ms_max = RETRY_MS_MIN,
        .on_connected = on_connected,
        .on_message = on_message,
        .on_lost = on_lost,
        .data = a,
    };
    size_t depth = loa_area_depth(a->core.area), n = 0;
    char area[LOA_AREA_CAP];

    for (size_t i = 1; i <= depth; i++) {
        loa_area_prefix(a->core.area, i, area);
        snprintf(a->filters[n++], LOA_TOPIC_CAP, "loa/1/down/+/%s", area);
    }
    snprintf(a->filters[n++], LOA_TOPIC_CAP, "loa/1/down/+/%s/@%s",
             a->core.area, a->core.id);
    snprintf(a->filters[n++], LOA_TOPIC_CAP, "loa/1/rpc/reply/%s/@%s",
             a->core.area, a->core.id);
    for (size_t i = 0; i < n; i++)
        list[i] = (struct mqtt_filter){a->filters[i], 1};
    conf.filters_n = n;
    return mqtt_open(&a->mqtt, a->loop, &conf);
}

static void init_core(struct agent *a)
{
    struct speaker_conf conf = {
        .identity = a->identity,
        .model = a->conf->model,
        .software = "loa-speaker " LOA_VERSION,
        .clock = a->conf->clock,
        .place_offset_ms = a->conf->place_offset_ms,
        .content_bytes_max = a->conf->content_bytes_max,
        .volume_percent = a->conf->volume,
    };
    struct speaker_now at = now();

    randombytes_buf(conf.seed, sizeof conf.seed);
    speaker_init(&a->core, &conf, &at);
}

int agent_open(struct agent *a,
               uv_loop_t *loop,
               const struct config *conf,
               struct loa_identity *identity,
               struct disk *disk)
{
    static const struct sound_calls calls_template = {
        .period = on_period,
        .played = on_played,
        .sounding = on_sounding,
        .volume = on_volume,
        .state = on_sound_state,
    };
    struct sound_calls calls = calls_template;
    int rv;

    a->conf = conf;
    a->loop = loop;
    a->identity = identity;
    a->disk = disk;
    a->health_us = clock_mono_us();
    uv_timer_init(loop, &a->tick);
    uv_timer_init(loop, &a->leave);
    a->tick.data = a->leave.data = a;
    init_core(a);
    rv = load(a);
    if (rv != LOA_OK)
        return rv;
    calls.data = a;
    rv = sound_open(&a->sound, loop, conf->output, &calls);
    if (rv != LOA_OK)
        return rv;
    rv = loa_topic_build(a->will_topic, sizeof a->will_topic, LOA_PLANE_UP,
                         "state", a->core.area, a->core.id);
    if (rv != LOA_OK)
        return rv;
    rv = open_mqtt(a);
    if (rv != LOA_OK)
        return rv;
    log_info("speaker.ready", "device=%s area=%s output=%s", a->core.id,
             a->core.area, conf->output);
    feed_type(a, SPEAKER_TICK);
    return LOA_OK;
}

void agent_close(struct agent *a)
{
    if (a->leaving)
        return;
    feed_type(a, SPEAKER_STOPPING);
    a->leaving = true;
    log_info("speaker.stop", "device=%s", a->core.id);
    sound_close(&a->sound);
    content_store_close(&a->store);
    receipt_log_close(&a->log);
    uv_close((uv_handle_t *)&a->tick, NULL);
    uv_timer_start(&a->leave, agent_leave, a->mqtt.connected ? FAREWELL_MS : 0,
                   0);
}
