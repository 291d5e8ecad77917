/* io_reply.h -- answers, from plain structs to ContentAnswer. */

#ifndef LOA_CONTENT_IO_REPLY_H
#define LOA_CONTENT_IO_REPLY_H

#include "common/rpc.h"
#include "content-ingest/ingest.h"
#include "content-ingest/stats.h"

/* The values are those of loa.v1.Upload.Stage. */
enum reply_stage {
    STAGE_RECEIVING = 1,
    STAGE_WAITING = 2,
    STAGE_ENCODING = 3,
    STAGE_DONE = 4,
    STAGE_FAILED = 5,
};

struct reply_upload {
    const uint8_t *id; /* LOA_ID_BYTES */
    enum reply_stage stage;
    uint64_t received;
    uint32_t permille;
    const uint8_t *hash; /* DONE: LOA_HASH_BYTES */
    int failure_code;    /* FAILED */
    const char *failure_vi, *failure_en;
};

/* Where refusals are counted; lent for ever. */
void reply_open(struct stats *stats);

/* Each frees the call; see rpc_answer(). */
void reply_refusal(struct rpc_call *call, enum refusal r);
/* A refusal in the scheduler's words. */
void reply_in_use(struct rpc_call *call, const char *vi, const char *en);
/* Nothing is gone yet: says until when a new bulletin still saves it. */
void reply_deleting(struct rpc_call *call, uint64_t grace_ms);
void reply_upload(struct rpc_call *call, const struct reply_upload *u);
void reply_data(struct rpc_call *call,
                struct loa_bytes data,
                uint64_t offset,
                uint64_t size);

/* The view of an unfinished upload. */
struct reply_upload reply_view(const struct upload *u);

#endif /* LOA_CONTENT_IO_REPLY_H */
