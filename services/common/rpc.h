/* rpc.h -- requests in, durable answers out: design section 1.3.
 *
 * A request is a signed envelope on rpc/<service>/<area>/@<principal>. rpc
 * verifies it, finds out whether it was answered before (then the stored answer
 * goes out again and the service never sees it), and hands the rest to the
 * service. The service decides, writes its state, and stores the answer in the
 * same commit; the answer leaves after the commit. Answers are signed.
 *
 *     on_request(data, call, body)
 *         read only:  rpc_answer(call, answer)
 *         changing:   pg_query(pg, ...state...); rpc_store(call, answer);
 *                     pg_commit(pg, rpc_committed, call)
 *
 * A commit that fails ends the service: what it holds in memory is then ahead
 * of its tables, and a restart reads the truth. */

#ifndef LOA_COMMON_RPC_H
#define LOA_COMMON_RPC_H

#include "common/inbox.h"
#include "common/pg.h"
#include "common/trustlist.h"
#include "loa/v1/envelope.pb-c.h"
#include "proto/envelope.h"
#include "proto/identity.h"
#include "proto/io/mqtt.h"

#define RPC_CALLS_MAX 256     /* In work; more: dropped, the asker repeats. */
#define RPC_ANSWER_MAX 57344  /* Bytes of an encoded <Service>Answer. */
#define RPC_REQUEST_MAX 57344 /* Bytes of an encoded <Service>Request. */

struct rpc;

/* One request in work. Lives until it is answered. */
struct rpc_call {
    struct rpc *rpc;
    bool used;
    uint8_t message_id[LOA_ID_BYTES];
    struct loa_certificate who; /* The asker: principal, area, powers. */
    /* The certificates that came with the request; freed with body. */
    struct loa_bytes certificates[LOA_CERTIFICATES_MAX];
    size_t certificates_n;
    int64_t asked_at_ms; /* Wall time at arrival. */
    bool in_flight;      /* The inbox holds inbox_id for this call. */
    uint8_t inbox_id[LOA_ID_BYTES]; /* Of message id and the asker's key. */
    /* Private: where the answer goes, and the answer between rpc_store() and
     * rpc_committed(). */
    char reply_topic[LOA_TOPIC_CAP];
    uint8_t correlation[64];
    size_t correlation_len;
    uint8_t *body; /* The request; freed when the call ends. */
    size_t body_len;
    uint8_t *answer; /* A sealed envelope between rpc_store() and the commit. */
    size_t answer_len;
};

/* A request that is new. body is an encoded <Service>Request, lent for the
 * call; the handler may answer inside the call or later, exactly once. */
typedef void (*rpc_request_cb)(void *data,
                               struct rpc_call *call,
                               struct loa_bytes body);

struct rpc_options {
    const char *service; /* "scheduler": the kind of the topics. */
    enum loa_type request_type, answer_type;
    struct mqtt *mqtt;
    struct pg *pg;
    struct inbox *inbox;
    const struct loa_identity *identity;
    struct trustlist *trust;
    rpc_request_cb on_request;
    void *data;
};

struct rpc {
    struct rpc_options o;
    struct rpc_call calls[RPC_CALLS_MAX];
    struct loa_arena arena; /* For one message at a time. */
    uint8_t *memory;
    uint64_t refused_n, answered_n, repeated_n; /* For /metrics. */
};

/* Options are copied, what they point to is lent for the life of *r.
 * LOA_ENOMEM. */
LOA_MUST_CHECK int rpc_init(struct rpc *r, const struct rpc_options *o);
void rpc_close(struct rpc *r);

/* The filter to subscribe: loa/1/rpc/<service>/<own area>/#. */
void rpc_filter(const struct rpc *r, char out[LOA_TOPIC_CAP]);

/* Feed a message whose topic matched rpc_filter(). A request that cannot be
 * believed is answered with a Status where the asker can be told (the reply
 * topic follows from the request's own topic), counted and dropped. */
void rpc_message(struct rpc *r, const struct mqtt_msg *m);

/* Answer without storing: for questions, and for refusals that changed nothing
 * and would come out the same when asked again. Frees the call. */
void rpc_answer(struct rpc_call *call, const ProtobufCMessage *answer);

/* Put the answer into the current pg batch (inbox) and keep it. LOA_EBUSY: the
 * batch is full, nothing was kept. */
LOA_MUST_CHECK int rpc_store(struct rpc_call *call,
                             const ProtobufCMessage *answer);

/* A pg_done_cb for the batch that holds rpc_store(): sends the answer and frees
 * the call; on failure frees the call without answering, and the service must
 * stop (its own done callback sees the same status). data is the call. */
void rpc_committed(void *data, int status);

/* An answer that is a Status and nothing else; every <Service>Answer begins
 * with one. As rpc_answer(). */
void rpc_refuse(struct rpc_call *call,
                Loa__V1__Status__Code code,
                const char *text_vi,
                const char *text_en);

/* Does the asker hold all of `powers` over `area`? */
bool rpc_may(const struct rpc_call *call, uint32_t powers, const char *area);

#endif /* LOA_COMMON_RPC_H */
