#include "registry/io_jobs.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/registry.pb-c.h"
#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "registry/io_pg.h"
#include "registry/wire.h"

#define LIST_LIFE_MS (30 * 86400000ll)
#define ENROL_ANSWER_LIFE_MS 3600000ll

void jobs_init(struct jobs *j, struct service *s, struct registry *r)
{
    memset(j, 0, sizeof *j);
    j->service = s;
    j->registry = r;
}

static void end(struct job *job)
{
    free(job->answer);
    free(job->list);
    memset(job, 0, sizeof *job);
}

void jobs_close(struct jobs *j)
{
    for (size_t i = 0; i < JOBS_MAX; i++)
        end(&j->jobs[i]);
}

void jobs_list_topic(const struct jobs *j, char topic[LOA_TOPIC_CAP])
{
    int rv = loa_topic_build(topic, LOA_TOPIC_CAP, LOA_PLANE_DOWN, "trust",
                             j->service->identity.leaf.area, NULL);

    assert(rv == LOA_OK); /* An area of a certificate is well formed. */
    (void)rv;
}

/* --- sealing -------------------------------------------------------------- */

static uint8_t *seal(const struct jobs *j,
                     struct loa_header *h,
                     int64_t life_ms,
                     size_t *len)
{
    const struct loa_identity *me = &j->service->identity;
    struct loa_signer signer = loa_identity_signer(me);
    uint8_t *envelope = malloc(LOA_ENVELOPE_BYTES_MAX);
    int rv = LOA_ENOMEM;

    memcpy(h->area, me->leaf.area, sizeof h->area);
    h->issued_at_ms = clock_wall_ms();
    h->expires_at_ms = h->issued_at_ms + life_ms;
    if (envelope != NULL)
        rv = loa_envelope_seal(h, &signer, envelope, LOA_ENVELOPE_BYTES_MAX,
                               len);
    if (rv == LOA_OK)
        return envelope;
    log_error("registry.seal", "type=%s text=%s", loa_type_name((int)h->type),
              loa_strerror(rv));
    free(envelope);
    return NULL;
}

/* The list with its new number, into the outbox in this transaction. */
static int put_list(struct jobs *j, struct job *job)
{
    static uint8_t body[WIRE_TRUST_LIST_MAX];
    struct loa_header h = {.type = LOA_TYPE_TRUST};
    char topic[LOA_TOPIC_CAP];

    h.body = (struct loa_bytes){body, wire_trust_list(j->registry, body)};
    randombytes_buf(h.message_id, LOA_ID_BYTES);
    job->list = seal(j, &h, LIST_LIFE_MS, &job->list_len);
    if (job->list == NULL)
        return LOA_ENOMEM;
    jobs_list_topic(j, topic);
    return outbox_put(&j->service->outbox, topic, job->list, job->list_len);
}

static int keep_answer(struct job *job, const ProtobufCMessage *answer)
{
    size_t len = protobuf_c_message_get_packed_size(answer);

    job->answer = malloc(len + 1);
    if (job->answer == NULL)
        return LOA_ENOMEM;
    job->answer_len = protobuf_c_message_pack(answer, job->answer);
    return LOA_OK;
}

/* An answer on the enrolment lane, signed like all others. */
static int keep_enrol_answer(struct job *job, const ProtobufCMessage *answer)
{
    struct loa_header h = {.type = LOA_TYPE_REGISTRY_ANSWER};
    uint8_t *body;
    int rv = keep_answer(job, answer);

    if (rv != LOA_OK)
        return rv;
    body = job->answer;
    h.body = (struct loa_bytes){body, job->answer_len};
    memcpy(h.message_id, job->message_id, LOA_ID_BYTES);
    job->answer = seal(job->jobs, &h, ENROL_ANSWER_LIFE_MS, &job->answer_len);
    free(body);
    return job->answer != NULL ? LOA_OK : LOA_ENOMEM;
}

/* --- sending -------------------------------------------------------------- */

static void send_enrol_answer(const struct job *job)
{
    struct mqtt_msg m = {.topic = job->topic,
                         .payload = job->answer,
                         .len = job->answer_len,
                         .qos = 1,
                         .correlation = job->correlation,
                         .correlation_len = job->correlation_len};
    int rv = mqtt_publish(&job->jobs->service->mqtt, &m, NULL, NULL);

    if (rv != LOA_OK) /* The device asks again. */
        log_warn("registry.enrol", "topic=%s text=%s", job->topic,
                 loa_strerror(rv));
}

/* What was kept out of the inbox is unpacked again: rpc seals messages. */
static void send_secret(struct job *job)
{
    Loa__V1__RegistryAnswer *m =
        loa__v1__registry_answer__unpack(NULL, job->answer_len, job->answer);

    if (m == NULL) {
        rpc_refuse(job->call, LOA__V1__STATUS__CODE__CODE_FAILED,
                   "Sổ đăng ký hết bộ nhớ; hãy thử lại.",
                   "The registry is out of memory; try again.");
        return;
    }
    rpc_answer(job->call, &m->base);
    loa__v1__registry_answer__free_unpacked(m, NULL);
}

static void send_kept(struct job *job)
{
    if (job->enrol)
        send_enrol_answer(job);
    else if (job->call != NULL && (job->flags & REGISTRY_SECRET))
        send_secret(job);
}

/* Nothing was written: say it at once. */
static void answer_now(struct job *job, const ProtobufCMessage *answer)
{
    if (job->call != NULL)
        rpc_answer(job->call, answer);
    else if (job->enrol && keep_enrol_answer(job, answer) == LOA_OK)
        send_enrol_answer(job);
}

/* --- after the commit ----------------------------------------------------- */

static void believe_list(struct jobs *j, const struct job *job)
{
    char topic[LOA_TOPIC_CAP];
    struct mqtt_msg m = {.payload = job->list, .len = job->list_len};

    jobs_list_topic(j, topic);
    m.topic = topic;
    trustlist_message(&j->service->trust, &m);
}

static void on_committed(void *data, int status)
{
    struct job *job = data;
    struct jobs *j = job->jobs;
    bool stored = job->call != NULL && !(job->flags & REGISTRY_SECRET);

    if (stored)
        rpc_committed(job->call, status);
    if (status != LOA_OK) {
        log_error("registry.commit", "sqlstate=%s text=%s",
                  pg_sqlstate(&j->service->pg), loa_strerror(status));
        service_stop(j->service, EXIT_FAILURE);
        return;
    }
    send_kept(job);
    if (job->list != NULL)
        believe_list(j, job);
    if (job->flags & REGISTRY_SAVE_PLAN) {
        struct registry_event ev = {.type = REGISTRY_IMPORTED,
                                    .now_ms = clock_wall_ms()};
        registry_step(j->registry, &ev, &j->update);
        log_info("registry.imported", "areas=%zu version=%llu",
                 j->registry->areas.areas_n,
                 (unsigned long long)j->registry->areas.version);
    }
    end(job);
}

/* --- carrying out --------------------------------------------------------- */

static struct job *job_new(struct jobs *j)
{
    for (size_t i = 0; i < JOBS_MAX; i++)
        if (!j->jobs[i].used) {
            j->jobs[i].used = true;
            j->jobs[i].jobs = j;
            return &j->jobs[i];
        }
    return NULL;
}

/* The answer of an update that is written: rpc stores it in the inbox, unless
 * it is a secret. */
static int put_answer(struct job *job, const struct registry_update *up)
{
    struct loa_bytes certificate = {up->certificate, up->certificate_len};
    const ProtobufCMessage *m =
        wire_answer(job->jobs->registry, up,
                    up->flags & REGISTRY_ENROLLED ? &certificate : NULL);

    if (job->enrol)
        return keep_enrol_answer(job, m);
    if (job->call == NULL)
        return LOA_OK;
    if (up->flags & REGISTRY_SECRET)
        return keep_answer(job, m);
    return rpc_store(job->call, m);
}

static int write_update(struct jobs *j,
                        struct job *job,
                        const struct registry_event *ev,
                        const struct registry_update *up)
{
    int rv = FAILPOINT("registry.write");

    if (rv == LOA_OK) /* What it was decided on may not be durable yet. */
        rv = pg_follow(&j->service->pg);
    if (rv == LOA_OK)
        rv = io_pg_save(&j->service->pg, j->registry, ev, up);
    if (rv == LOA_OK && (up->flags & REGISTRY_SAVE_TRUST))
        rv = put_list(j, job);
    if (rv == LOA_OK)
        rv = put_answer(job, up);
    if (rv == LOA_OK)
        rv = pg_commit(&j->service->pg, on_committed, job);
    return rv;
}

/* A device asks again: its certificate comes from the table. */
static void on_certificate(void *data, int status, const PGresult *res)
{
    struct job *job = data;
    struct registry_update *up = &job->jobs->update;
    struct loa_bytes certificate;

    if (status == LOA_OK) {
        memset(&up->answer, 0, sizeof up->answer);
        up->answer.next = "";
        memcpy(up->proof, job->proof, sizeof up->proof);
        certificate.data = pg_get_bytes(res, 0, 0, &certificate.len);
        answer_now(job, wire_answer(job->jobs->registry, up, &certificate));
    } else { /* The device asks again. */
        log_error("registry.certificate", "topic=%s text=%s", job->topic,
                  loa_strerror(status));
    }
    end(job);
}

static void look_up(struct jobs *j, struct job *job)
{
    const struct device *d = j->update.device;

    memcpy(job->proof, j->update.proof, sizeof job->proof);
    if (io_pg_certificate(&j->service->pg, d, on_certificate, job) != LOA_OK ||
        pg_commit(&j->service->pg, NULL, NULL) != LOA_OK)
        service_stop(j->service, EXIT_FAILURE); /* The connection is gone. */
}

static void carry_out(struct jobs *j,
                      struct job *job,
                      const struct registry_event *ev)
{
    struct registry_update *up = &j->update;
    int rv;

    job->flags = up->flags;
    if (up->flags & REGISTRY_LOOK_UP) {
        look_up(j, job);
    } else if (up->flags & REGISTRY_WRITE) {
        rv = write_update(j, job, ev, up);
        if (rv == LOA_OK)
            return;
        log_error("registry.write", "text=%s", loa_strerror(rv));
        pg_abort(&j->service->pg);
        service_stop(j->service, EXIT_FAILURE);
    } else {
        if (up->flags & REGISTRY_ANSWER)
            answer_now(job, wire_answer(j->registry, up, NULL));
        end(job);
    }
}

static void refuse_busy(struct rpc_call *call)
{
    log_warn("registry.busy", "jobs=%d", JOBS_MAX);
    if (call != NULL)
        rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_BUSY,
                   "Sổ đăng ký đang bận; hãy thử lại sau giây lát.",
                   "The registry is busy; try again in a moment.");
}

void jobs_feed(struct jobs *j,
               const struct registry_event *ev,
               struct rpc_call *call,
               const struct enrol_lane *lane)
{
    struct job *job =
        pg_has_room(&j->service->pg, IO_PG_STMTS_MAX) ? job_new(j) : NULL;

    if (job == NULL) {
        refuse_busy(call);
        return;
    }
    job->call = call;
    if (lane != NULL) {
        job->enrol = true;
        memcpy(job->topic, lane->topic, sizeof job->topic);
        memcpy(job->message_id, lane->message_id, LOA_ID_BYTES);
        job->correlation_len = lane->correlation_len;
        if (lane->correlation_len > 0)
            memcpy(job->correlation, lane->correlation, lane->correlation_len);
    }
    registry_step(j->registry, ev, &j->update);
    carry_out(j, job, ev);
}
