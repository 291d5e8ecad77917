/* io_perform.c -- the core's operations, carried out. */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "speaker/io_agent.h"

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
void agent_leave(uv_timer_t *timer)
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
        agent_leave(&a->leave);
}

/* What the connection took with it, the next one says anew. */
static void on_state_acked(void *data, int status, unsigned reason)
{
    struct agent *a = data;

    if (status != LOA_OK && status != LOA_ENOTCONN && !a->leaving)
        speaker_state_refused(&a->core); /* The next TICK comes to it. */
    on_acked(data, status, reason);
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
    int rv = mqtt_publish(&a->mqtt, &msg,
                          retain    ? on_state_acked
                          : qos > 0 ? on_acked
                                    : NULL,
                          a);

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

void agent_drain(struct agent *a)
{
    struct speaker_op op;

    while (speaker_take(&a->core, &op)) {
        if (op.type == SPEAKER_CONTENT && op.content.type == CONTENTS_OPEN)
            open_part(a, &op);
        else
            speaker_done(&a->core, &op, perform(a, &op));
    }
}
