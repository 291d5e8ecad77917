#include "speaker/io_agent.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/io/clock.h"
#include "proto/io/config.h"
#include "proto/io/log.h"

#define RETRY_MS_MIN 500
#define RETRY_MS_MAX 30000
#define KEEPALIVE_S 20
#define FAREWELL_MS 2000 /* For the broker's answer to our last word. */

static void feed(struct agent *a, struct speaker_event *ev);

static struct speaker_now now(void)
{
    return (struct speaker_now){(int64_t)clock_mono_us(), clock_wall_us()};
}

/* --- operations: disk ----------------------------------------------------- */

static void programme_file(const char *area, char *out, size_t cap)
{
    snprintf(out, cap, "programme-%s", area);
    for (char *p = out; *p != '\0'; p++)
        if (*p == '/')
            *p = '.';
}

static int save(struct agent *a, const struct speaker_op *op)
{
    char name[LOA_AREA_CAP + 16];

    switch (op->file) {
        case SPEAKER_FILE_MEMO:
        case SPEAKER_FILE_REPLAY:
        case SPEAKER_FILE_LEDGER:
            return disk_slot_write(a->disk, op->name, op->body);
        case SPEAKER_FILE_PROGRAMME:
            programme_file(op->name, name, sizeof name);
            return disk_file_write(a->disk, name, op->body);
        case SPEAKER_FILE_TRUST:
            break;
    }
    return disk_file_write(a->disk, "trust", op->body);
}

static int load_programme(struct agent *a, const char *area)
{
    char name[LOA_AREA_CAP + 16];
    struct loa_bytes body;

    programme_file(area, name, sizeof name);
    if (disk_file_read(a->disk, name, &body) == LOA_OK)
        speaker_from_disk(&a->core, body);
    return LOA_OK;
}

static int read_receipts(struct agent *a, const struct speaker_op *op)
{
    static struct receipt rows[RECEIPTS_BATCH_MAX];
    size_t n = receipt_log_read(&a->log, op->first, rows, (size_t)op->n);

    speaker_batch(&a->core, rows, n);
    return LOA_OK;
}

static int content(struct agent *a, const struct speaker_op *op)
{
    const struct contents_op *c = &op->content;

    switch (c->type) {
        case CONTENTS_PUT:
            return content_store_put(&a->store, c->fetch, c->packet);
        case CONTENTS_CLOSE:
            content_store_part_close(&a->store, c->fetch);
            break;
        case CONTENTS_SEAL:
            content_store_seal(&a->store, c->fetch);
            break;
        case CONTENTS_CHECK:
            content_store_check(&a->store, c->hash);
            break;
        case CONTENTS_DELETE:
            return content_store_delete(&a->store, c->hash);
        case CONTENTS_OPEN: /* open_part() */
            break;
    }
    return LOA_OK;
}

/* The one operation whose success has more to say. */
static void open_part(struct agent *a, const struct speaker_op *op)
{
    const struct contents_op *c = &op->content;
    const uint32_t *have;
    int rv = content_store_part_open(&a->store, c->fetch, c->hash, c->packets_n,
                                     &have);

    if (rv == LOA_OK)
        speaker_opened(&a->core, op, have);
    else
        speaker_done(&a->core, op, rv);
}

/* --- operations: broker --------------------------------------------------- */

/* The last word is out: nothing keeps us any more. */
static void on_leave(uv_timer_t *timer)
{
    struct agent *a = timer->data;

    if (uv_is_closing((uv_handle_t *)&a->leave))
        return;
    mqtt_close(&a->mqtt);
    uv_close((uv_handle_t *)&a->leave, NULL);
}

static void on_acked(void *data, int status, unsigned reason)
{
    struct agent *a = data;

    if (status == LOA_EACCES)
        log_warn("mqtt.refused", "reason=%u", reason);
    if (a->leaving)
        on_leave(&a->leave);
}

static int publish(struct agent *a,
                   const char *topic,
                   struct loa_bytes body,
                   int qos,
                   bool retain)
{
    struct mqtt_msg msg = {.topic = topic,
                           .payload = body.data,
                           .len = body.len,
                           .qos = qos,
                           .retain = retain};
    int rv = mqtt_publish(&a->mqtt, &msg, qos > 0 ? on_acked : NULL, a);

    if (rv != LOA_OK)
        log_debug("mqtt.unsent", "topic=%s text=%s", topic, loa_strerror(rv));
    return rv;
}

static uint64_t resident_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint32_t cpu_permille(struct agent *a)
{
    uint64_t now_us = clock_mono_us(), cpu_us, passed_us, used_us;
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    cpu_us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
             (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    passed_us = now_us - a->health_us;
    used_us = cpu_us - a->cpu_us;
    a->health_us = now_us;
    a->cpu_us = cpu_us;
    return passed_us > 0 ? (uint32_t)(used_us * 1000 / passed_us) : 0;
}

static int send_health(struct agent *a, const struct speaker_op *op)
{
    uint8_t buf[512];
    struct wire_out out = {buf, sizeof buf, 0};

    op->health->resident_bytes = resident_bytes();
    op->health->disk_free_bytes = disk_free_bytes(a->disk);
    op->health->cpu_permille = cpu_permille(a);
    if (wire_health(op->health, &out) != LOA_OK)
        return LOA_ENOSPC;
    return publish(a, op->topic, (struct loa_bytes){buf, out.len}, 0, false);
}

/* Subscribing again brings what is retained once more. */
static int ask_retained(struct agent *a, const char *area)
{
    char filter[LOA_TOPIC_CAP];

    snprintf(filter, sizeof filter, "loa/1/down/+/%s", area);
    mqtt_unsubscribe(&a->mqtt, filter);
    return mqtt_subscribe(&a->mqtt, filter, 1);
}

/* --- operations: all ------------------------------------------------------ */

static int note(const struct speaker_op *op)
{
    static const enum log_level levels[] = {
        [SPEAKER_WARN] = LOG_WARN,
        [SPEAKER_INFO] = LOG_INFO,
        [SPEAKER_DEBUG] = LOG_DEBUG,
    };

    /* Numbers and fixed words, formatted by the core: there is no % in it. The
     * argument that nothing uses tells the compiler that this is meant. */
    log_line(levels[op->level], op->event, op->text, 0);
    return LOA_OK;
}

static int perform(struct agent *a, const struct speaker_op *op)
{
    switch (op->type) {
        case SPEAKER_NOTE:
            return note(op);
        case SPEAKER_SAVE:
            return save(a, op);
        case SPEAKER_LOAD:
            return load_programme(a, op->name);
        case SPEAKER_STORE:
            return receipt_log_append(&a->log, op->receipts, (size_t)op->n);
        case SPEAKER_READ:
            return read_receipts(a, op);
        case SPEAKER_TRIM:
            return receipt_log_trim(&a->log, op->n);
        case SPEAKER_CONTENT:
            return content(a, op);
        case SPEAKER_VOICE_OPEN:
            return voice_open(&a->sound.voices[op->voice], a->disk, op->hash,
                              op->pre_skip);
        case SPEAKER_VOICE_CLOSE:
            voice_close(&a->sound.voices[op->voice]);
            return LOA_OK;
        case SPEAKER_SILENCE:
            sound_cut(&a->sound);
            return LOA_OK;
        case SPEAKER_SEND:
            return publish(a, op->topic, op->body, op->qos, op->retain);
        case SPEAKER_HEALTH:
            return send_health(a, op);
        case SPEAKER_ASK_RETAINED:
            return ask_retained(a, op->name);
    }
    return LOA_EINVAL;
}

static void drain(struct agent *a)
{
    struct speaker_op op;

    while (speaker_take(&a->core, &op)) {
        if (op.type == SPEAKER_CONTENT && op.content.type == CONTENTS_OPEN)
            open_part(a, &op);
        else
            speaker_done(&a->core, &op, perform(a, &op));
    }
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

static void feed(struct agent *a, struct speaker_event *ev)
{
    /* The disk and the output are closed; only our last word is still out. */
    if (a->leaving)
        return;
    ev->now = now();
    speaker_step(&a->core, ev);
    drain(a);
    sound_update(&a->sound);
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
    return loa_identity_password(a->identity, a->conf->broker_name, a->core.id,
                                 id, clock_wall_ms(), buf, cap);
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

static void load_slot(struct agent *a, enum speaker_file file, const char *name)
{
    struct loa_bytes body;

    if (disk_slot_read(a->disk, name, &body) == LOA_OK &&
        speaker_load(&a->core, file, body) != LOA_OK)
        log_warn("data.damaged", "file=%s text=not what it should be", name);
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
    uint8_t fresh_id[LOA_ID_BYTES];
    int rv;

    load_slot(a, SPEAKER_FILE_MEMO, "memo");
    load_slot(a, SPEAKER_FILE_REPLAY, "replay");
    load_slot(a, SPEAKER_FILE_LEDGER, "ledger");
    load_trust(a);
    randombytes_buf(fresh_id, sizeof fresh_id);
    rv = receipt_log_open(&a->log, a->disk, fresh_id, on_recall, a);
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
    uv_timer_start(&a->leave, on_leave, a->mqtt.connected ? FAREWELL_MS : 0, 0);
}
