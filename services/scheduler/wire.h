/* wire.h -- SchedulerRequest to plain structs, answers back to protobuf.
 *
 * Every length and range that a peer chooses is checked here, once. */

#ifndef LOA_SCHEDULER_WIRE_H
#define LOA_SCHEDULER_WIRE_H

#include "proto/arena.h"
#include "scheduler/scheduler.h"

#define WIRE_REQUEST_MEMORY (512u << 10)
#define WIRE_ANSWER_MEMORY (2u << 20)
#define WIRE_TIME_REQUEST_LEN 18

struct wire {
    struct loa_arena request, answer;
    uint8_t *memory;
};

/* LOA_ENOMEM. wire_close() is harmless after a failure. */
LOA_MUST_CHECK int wire_init(struct wire *w);
void wire_close(struct wire *w);

/* Read an encoded SchedulerRequest; what *r points to lives until the next
 * call. LOA_EINVAL: it is wrong, and *why says how. */
LOA_MUST_CHECK int wire_request(struct wire *w,
                                struct loa_bytes body,
                                struct scheduler_request *r,
                                struct say *why);

/* The answer as a SchedulerAnswer; lives until the next call and the next step.
 */
const ProtobufCMessage *wire_answer(struct wire *w,
                                    const struct scheduler *s,
                                    const struct scheduler_answer *a);

/* An answer that is a code and a sentence only. */
const ProtobufCMessage *wire_refusal(struct wire *w, const struct say *why);

/* The version of an encoded Programme. LOA_EINVAL: it is none. */
LOA_MUST_CHECK int wire_programme(struct wire *w,
                                  struct loa_bytes body,
                                  uint64_t *version);

/* A TimeRequest, told from an Envelope by its length. LOA_EINVAL: it is none.
 */
LOA_MUST_CHECK int wire_time_request(struct loa_bytes p,
                                     uint8_t nonce[LOA_ID_BYTES]);

#endif /* LOA_SCHEDULER_WIRE_H */
