#include "speaker/receipt.h"

#include <string.h>

#include "speaker/codec.h"

#define CHECK_LEN 8
#define BODY_LEN (RECEIPT_RECORD_BYTES - CHECK_LEN)
#define KIND_HEAD 0x80 /* No receipt_event has this bit. */

const char *receipt_event_name(enum receipt_event event)
{
    static const char *const names[] = {
        "unspecified", "received",    "verified", "started",
        "finished",    "interrupted", "refused",  "command",
    };

    return names[event <= RECEIPT_COMMAND ? event : 0];
}

static void check_of(const uint8_t *record, uint8_t out[CHECK_LEN])
{
    uint8_t hash[LOA_HASH_BYTES];

    loa_hash((struct loa_bytes){record, BODY_LEN}, hash);
    memcpy(out, hash, CHECK_LEN);
}

static bool whole(const uint8_t *record)
{
    uint8_t check[CHECK_LEN];

    check_of(record, check);
    return memcmp(check, record + BODY_LEN, CHECK_LEN) == 0;
}

static void code(struct codec *c, struct receipt *r)
{
    uint8_t event = (uint8_t)r->event, known = r->hash_known;

    codec_u8(c, &event);
    codec_u8(c, &known);
    codec_u64(c, &r->sequence);
    codec_bytes(c, r->bulletin_id, sizeof r->bulletin_id);
    codec_i64(c, &r->start_at_ms);
    codec_i64(c, &r->at_us);
    codec_bytes(c, r->reason, sizeof r->reason - 2);
    codec_i64(c, &r->first_sample_us);
    codec_u32(c, &r->played_ms);
    codec_u32(c, &r->concealed_ms);
    codec_bytes(c, r->hash, sizeof r->hash);
    r->event = event;
    r->hash_known = known != 0;
}

void receipt_encode(const struct receipt *r, uint8_t out[RECEIPT_RECORD_BYTES])
{
    struct codec c = codec_writer(out, BODY_LEN);
    struct receipt copy = *r;

    memset(out, 0, RECEIPT_RECORD_BYTES);
    code(&c, &copy);
    check_of(out, out + BODY_LEN);
}

int receipt_decode(const uint8_t in[RECEIPT_RECORD_BYTES], struct receipt *r)
{
    struct codec c = codec_reader(in, BODY_LEN);

    memset(r, 0, sizeof *r);
    if (!whole(in))
        return LOA_EINVAL;
    code(&c, r);
    if (c.bad || r->event < RECEIPT_RECEIVED || r->event > RECEIPT_COMMAND)
        return LOA_EINVAL;
    return LOA_OK;
}

void receipt_head_encode(const uint8_t log_id[LOA_ID_BYTES],
                         uint64_t first_sequence,
                         uint8_t out[RECEIPT_RECORD_BYTES])
{
    struct codec c = codec_writer(out, BODY_LEN);

    memset(out, 0, RECEIPT_RECORD_BYTES);
    out[c.at++] = KIND_HEAD;
    memcpy(out + c.at, log_id, LOA_ID_BYTES);
    c.at += LOA_ID_BYTES;
    codec_u64(&c, &first_sequence);
    check_of(out, out + BODY_LEN);
}

int receipt_head_decode(const uint8_t in[RECEIPT_RECORD_BYTES],
                        uint8_t log_id[LOA_ID_BYTES],
                        uint64_t *first_sequence)
{
    struct codec c = codec_reader(in, BODY_LEN);

    if (!whole(in) || in[0] != KIND_HEAD)
        return LOA_EINVAL;
    c.at = 1;
    codec_bytes(&c, log_id, LOA_ID_BYTES);
    codec_u64(&c, first_sequence);
    return c.bad || *first_sequence == 0 ? LOA_EINVAL : LOA_OK;
}
