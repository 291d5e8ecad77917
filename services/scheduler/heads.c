#include "scheduler/heads.h"

#include <string.h>

#include "loa/v1/programme.pb-c.h"

#define BODY_MAX 128

void heads_init(struct heads *h, uint32_t own, uint64_t interval_ms)
{
    memset(h, 0, sizeof *h);
    h->own = own;
    h->interval_ms = interval_ms;
}

uint32_t heads_next(struct heads *h, struct areas *areas, uint64_t now_ms)
{
    for (uint32_t n = 0; n < areas->rows_n; n++) {
        uint32_t row = (h->cursor + n) % areas->rows_n;
        struct area *a = &areas->rows[row];

        if ((a->head_version == 0 && row != h->own) || a->head_due_ms > now_ms)
            continue;
        h->cursor = row + 1;
        a->head_due_ms = now_ms + h->interval_ms;
        return row;
    }
    return AREA_NONE;
}

bool heads_asked(struct heads *h, const char *device, uint64_t now_ms)
{
    uint64_t *asked_ms =
        &h->asked_ms[rows_hash(device, strlen(device)) % HEADS_ASKERS_N];

    if (*asked_ms != 0 && now_ms < *asked_ms + HEADS_ASKED_INTERVAL_MS)
        return false;
    if (now_ms >= h->second_ms + 1000) {
        h->second_ms = now_ms;
        h->second_n = 0;
    }
    if (h->second_n == HEADS_ASKED_PER_S_MAX)
        return false;
    h->second_n++;
    *asked_ms = now_ms;
    return true;
}

static ProtobufCBinaryData binary(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){data == NULL ? 0 : len,
                                 (uint8_t *)(uintptr_t)data};
}

int head_seal(const struct head *h,
              const struct loa_signer *signer,
              uint8_t buf[HEAD_BYTES_MAX],
              size_t *len)
{
    Loa__V1__Head m = LOA__V1__HEAD__INIT;
    struct loa_header header = {.type = LOA_TYPE_HEAD,
                                .issued_at_ms = h->at_ms,
                                .expires_at_ms = h->at_ms + HEAD_LIFE_MS};
    uint8_t body[BODY_MAX];

    m.time_ms = h->at_ms;
    m.programme_version = h->programme_version;
    m.programme_hash = binary(h->programme_hash, LOA_HASH_BYTES);
    m.revocation_number = h->revocation_number;
    m.nonce = binary(h->nonce, LOA_ID_BYTES);
    if (loa__v1__head__get_packed_size(&m) > sizeof body ||
        strlen(h->area) >= sizeof header.area)
        return LOA_ENOSPC;
    header.body = (struct loa_bytes){body, loa__v1__head__pack(&m, body)};
    memcpy(header.area, h->area, strlen(h->area) + 1);
    memcpy(header.message_id, h->message_id, LOA_ID_BYTES);
    return loa_envelope_seal(&header, signer, buf, HEAD_BYTES_MAX, len);
}
