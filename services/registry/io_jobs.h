/* io_jobs.h -- what waits for a commit: answers to send, a list to believe.
 *
 * feed() carries out one update; its job lives until the transaction has ended.
 * Requests are answered through rpc, devices that enrol on their own lane. */

#ifndef LOA_REGISTRY_IO_JOBS_H
#define LOA_REGISTRY_IO_JOBS_H

#include "common/service.h"
#include "registry/registry.h"

#define JOBS_MAX 64

struct jobs;

struct job {
    struct jobs *jobs;
    bool used;
    unsigned flags;        /* Of the update. */
    struct rpc_call *call; /* NULL: none asked, or a device. */
    bool enrol;
    char topic[LOA_TOPIC_CAP]; /* enrol: of the answer. */
    uint8_t correlation[64];
    size_t correlation_len;
    uint8_t message_id[LOA_ID_BYTES];
    /* A SECRET answer, encoded; or an enrolment's, sealed. */
    uint8_t *answer;
    size_t answer_len;
    uint8_t proof[LOA_HASH_BYTES]; /* LOOK_UP */
    uint8_t *list;                 /* SAVE_TRUST: the sealed list. */
    size_t list_len;
};

struct jobs {
    struct service *service;
    struct registry *registry;
    struct registry_update update; /* Of the last step. */
    struct job jobs[JOBS_MAX];
};

void jobs_init(struct jobs *j, struct service *s, struct registry *r);
void jobs_close(struct jobs *j);

/* Where a device that enrols is answered. */
struct enrol_lane {
    char topic[LOA_TOPIC_CAP];
    const void *correlation;
    size_t correlation_len;
    uint8_t message_id[LOA_ID_BYTES];
};

/* Step the registry and carry the update out. call or lane is who asks; both
 * are NULL if nobody does. A failure that leaves memory ahead of the tables
 * stops the service. */
void jobs_feed(struct jobs *j,
               const struct registry_event *ev,
               struct rpc_call *call,
               const struct enrol_lane *lane);

/* down/trust/<own area> */
void jobs_list_topic(const struct jobs *j, char topic[LOA_TOPIC_CAP]);

#endif /* LOA_REGISTRY_IO_JOBS_H */
