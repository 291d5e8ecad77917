#include "speaker/slot.h"

#include <string.h>

#include "speaker/codec.h"

#define MAGIC "loaslot1"
#define MAGIC_LEN 8
#define CHECK_LEN 8
#define HEAD_LEN (MAGIC_LEN + 8 + 4)

static void check_of(const uint8_t *data, size_t len, uint8_t out[CHECK_LEN])
{
    uint8_t hash[LOA_HASH_BYTES];

    loa_hash((struct loa_bytes){data, len}, hash);
    memcpy(out, hash, CHECK_LEN);
}

int slot_encode(uint64_t sequence,
                struct loa_bytes payload,
                uint8_t *buf,
                size_t cap,
                size_t *len)
{
    struct codec c = codec_writer(buf, cap);
    uint32_t payload_len = (uint32_t)payload.len;

    if (cap < SLOT_OVERHEAD || payload.len > cap - SLOT_OVERHEAD)
        return LOA_ENOSPC;
    memcpy(buf, MAGIC, MAGIC_LEN);
    c.at = MAGIC_LEN;
    codec_u64(&c, &sequence);
    codec_u32(&c, &payload_len);
    if (payload.len > 0)
        memcpy(buf + c.at, payload.data, payload.len);
    c.at += payload.len;
    check_of(buf, c.at, buf + c.at);
    *len = c.at + CHECK_LEN;
    return LOA_OK;
}

int slot_decode(struct loa_bytes data,
                uint64_t *sequence,
                struct loa_bytes *payload)
{
    struct codec c = codec_reader(data.data, data.len);
    uint8_t check[CHECK_LEN];
    uint32_t payload_len = 0;

    if (data.len < SLOT_OVERHEAD || memcmp(data.data, MAGIC, MAGIC_LEN) != 0)
        return LOA_EINVAL;
    c.at = MAGIC_LEN;
    codec_u64(&c, sequence);
    codec_u32(&c, &payload_len);
    if (payload_len != data.len - SLOT_OVERHEAD)
        return LOA_EINVAL;
    check_of(data.data, data.len - CHECK_LEN, check);
    if (memcmp(check, data.data + data.len - CHECK_LEN, CHECK_LEN) != 0)
        return LOA_EINVAL;
    *payload = (struct loa_bytes){data.data + HEAD_LEN, payload_len};
    return LOA_OK;
}

int slot_choose(struct loa_bytes a,
                struct loa_bytes b,
                uint64_t *sequence,
                struct loa_bytes *payload)
{
    uint64_t sequence_a, sequence_b;
    struct loa_bytes payload_a, payload_b;
    bool a_ok = slot_decode(a, &sequence_a, &payload_a) == LOA_OK;
    bool b_ok = slot_decode(b, &sequence_b, &payload_b) == LOA_OK;

    if (!a_ok && !b_ok)
        return LOA_ENOENT;
    if (a_ok && (!b_ok || sequence_a >= sequence_b)) {
        *sequence = sequence_a;
        *payload = payload_a;
    } else {
        *sequence = sequence_b;
        *payload = payload_b;
    }
    return LOA_OK;
}
