#include "content-ingest/io_reply.h"

#include <stdio.h>

#include "loa/v1/services.pb-c.h"
#include "proto/io/log.h"

static struct stats *counted;

void reply_open(struct stats *stats)
{
    counted = stats;
}

static ProtobufCBinaryData lend(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

void reply_refusal(struct rpc_call *call, enum refusal r)
{
    const struct refusal_text *t = refusal_text(r);

    stats_add(counted, STATS_REFUSED, 1);
    log_debug("content.refused", "principal=%s code=%d text=%s",
              call->who.principal, t->code, t->en);
    rpc_refuse(call, (Loa__V1__Status__Code)t->code, t->vi, t->en);
}

void reply_in_use(struct rpc_call *call, const char *vi, const char *en)
{
    stats_add(counted, STATS_REFUSED, 1);
    rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_IN_USE, vi, en);
}

void reply_deleting(struct rpc_call *call, uint64_t grace_ms)
{
    unsigned long minutes = (unsigned long)((grace_ms + 59999) / 60000);
    char vi[160], en[160];

    snprintf(vi, sizeof vi,
             "Sẽ được xoá sau %lu phút, trừ khi có bản tin cần đến.", minutes);
    snprintf(en, sizeof en,
             "It will be deleted in %lu min, unless a bulletin needs it.",
             minutes);
    rpc_refuse(call, LOA__V1__STATUS__CODE__CODE_OK, vi, en);
}

void reply_upload(struct rpc_call *call, const struct reply_upload *u)
{
    Loa__V1__ContentAnswer a = LOA__V1__CONTENT_ANSWER__INIT;
    Loa__V1__Status ok = LOA__V1__STATUS__INIT;
    Loa__V1__Status failure = LOA__V1__STATUS__INIT;
    Loa__V1__Upload upload = LOA__V1__UPLOAD__INIT;

    a.status = &ok;
    a.upload = &upload;
    upload.upload_id = lend(u->id, LOA_ID_BYTES);
    upload.stage = (Loa__V1__Upload__Stage)u->stage;
    upload.received = u->received;
    upload.permille = u->permille;
    if (u->stage == STAGE_DONE)
        upload.content_hash = lend(u->hash, LOA_HASH_BYTES);
    if (u->stage == STAGE_FAILED) {
        failure.code = (Loa__V1__Status__Code)u->failure_code;
        failure.text_vi = (char *)(uintptr_t)u->failure_vi;
        failure.text_en = (char *)(uintptr_t)u->failure_en;
        upload.failure = &failure;
    }
    rpc_answer(call, &a.base);
}

void reply_data(struct rpc_call *call,
                struct loa_bytes data,
                uint64_t offset,
                uint64_t size)
{
    Loa__V1__ContentAnswer a = LOA__V1__CONTENT_ANSWER__INIT;
    Loa__V1__Status ok = LOA__V1__STATUS__INIT;

    a.status = &ok;
    a.data = lend(data.data, data.len);
    a.data_offset = offset;
    a.data_size = size;
    rpc_answer(call, &a.base);
}

struct reply_upload reply_view(const struct upload *u)
{
    struct reply_upload v = {.id = u->plan.id,
                             .received = ranges_prefix(&u->durable)};

    switch (u->state) {
        case UPLOAD_WAITING:
            v.stage = STAGE_WAITING;
            break;
        case UPLOAD_ENCODING:
            v.stage = STAGE_ENCODING;
            v.permille = u->permille;
            break;
        default:
            v.stage = STAGE_RECEIVING;
    }
    return v;
}
