#include "speaker/memo.h"

#include <string.h>

#include "speaker/codec.h"

#define MEMO_VERSION 4
#define REPLAY_VERSION 1

void memo_init(struct memo *m, uint32_t volume_percent)
{
    memset(m, 0, sizeof *m);
    m->volume_percent = volume_percent;
}

void memo_set_revocations(struct memo *m, const struct loa_revocations *r)
{
    m->revocations = r->number;
    memcpy(m->revocations_area, r->area, sizeof m->revocations_area);
}

/* Numbers compare only within an area: see loa_trust_update(). */
bool memo_revocations_lost(const struct memo *m,
                           const struct loa_revocations *r)
{
    if (m->revocations == 0)
        return false;
    if (r->number == 0)
        return true;
    if (strcmp(m->revocations_area, r->area) == 0)
        return r->number < m->revocations;
    return !loa_area_within(m->revocations_area, r->area);
}

static struct memo_version *lookup(const struct memo *m, const char *area)
{
    for (uint32_t i = 0; i < m->versions_n; i++)
        if (strcmp(m->versions[i].area, area) == 0)
            return (struct memo_version *)(uintptr_t)&m->versions[i];
    return NULL;
}

uint64_t memo_version(const struct memo *m, const char *area)
{
    const struct memo_version *v = lookup(m, area);

    return v != NULL ? v->version : 0;
}

void memo_set_version(struct memo *m,
                      const char *own,
                      const char *area,
                      uint64_t version,
                      const uint8_t signer[LOA_KEY_BYTES])
{
    struct memo_version *v = lookup(m, area);

    /* A full table holds an area from before a move: there are as many places
     * as an area can have ancestors. */
    if (v == NULL && m->versions_n == LOA_AREA_DEPTH_MAX)
        for (uint32_t i = 0; i < m->versions_n; i++)
            if (!loa_area_within(own, m->versions[i].area)) {
                v = &m->versions[i];
                memset(v, 0, sizeof *v);
                break;
            }
    if (v == NULL) {
        if (m->versions_n == LOA_AREA_DEPTH_MAX)
            return;
        v = &m->versions[m->versions_n++];
        memset(v, 0, sizeof *v);
    }
    memset(v->area, 0, sizeof v->area);
    strncpy(v->area, area, sizeof v->area - 1);
    if (version < v->version)
        return;
    if (memcmp(v->signer, signer, sizeof v->signer) != 0)
        v->before = v->version;
    memcpy(v->signer, signer, sizeof v->signer);
    v->version = version;
}

bool memo_told(const struct memo *m,
               const char *area,
               uint64_t version,
               uint64_t *up_to)
{
    const struct memo_version *v = lookup(m, area);

    *up_to = v != NULL ? v->told_up_to : 0;
    return v != NULL && v->told == version;
}

bool memo_set_told(struct memo *m,
                   const char *area,
                   uint64_t version,
                   uint64_t up_to)
{
    struct memo_version *v = lookup(m, area);

    if (v == NULL || v->told == version)
        return false;
    v->told = version;
    v->told_up_to = up_to;
    return true;
}

void memo_new_log(struct memo *m, const uint8_t log_id[LOA_ID_BYTES])
{
    memcpy(m->log_id, log_id, sizeof m->log_id);
    for (uint32_t i = 0; i < m->versions_n; i++)
        m->versions[i].told_up_to = 0;
}

bool memo_disown(struct memo *m,
                 const char *area,
                 const uint8_t signer[LOA_KEY_BYTES])
{
    for (uint32_t i = 0; i < m->versions_n; i++) {
        struct memo_version *v = &m->versions[i];

        if (strcmp(v->area, area) != 0 ||
            memcmp(v->signer, signer, sizeof v->signer) != 0)
            continue;
        v->version = v->before;
        v->before = v->told = 0;
        memset(v->signer, 0, sizeof v->signer);
        return true;
    }
    return false;
}

static void code_version(struct codec *c,
                         uint8_t format,
                         struct memo_version *v)
{
    codec_bytes(c, v->area, sizeof v->area);
    codec_u64(c, &v->version);
    if (format > 2) { /* Older agents did not know by whom, ... */
        codec_bytes(c, v->signer, sizeof v->signer);
        codec_u64(c, &v->before);
    }
    if (format > 3) { /* ... and took what they had as told. */
        codec_u64(c, &v->told);
        codec_u64(c, &v->told_up_to);
    } else {
        v->told = v->version;
    }
    if (memchr(v->area, 0, sizeof v->area) == NULL)
        c->bad = true;
}

static void code(struct codec *c, struct memo *m)
{
    uint8_t version = MEMO_VERSION;

    codec_u8(c, &version);
    codec_u64(c, &m->session);
    codec_i64(c, &m->floor_ms);
    codec_i64(c, &m->ahead_ms);
    codec_u32(c, &m->volume_percent);
    codec_u64(c, &m->revocations);
    codec_bytes(c, m->revocations_area, sizeof m->revocations_area);
    codec_u64(c, &m->commands_after_us);
    codec_u64(c, &m->acked);
    codec_bytes(c, m->log_id, sizeof m->log_id);
    codec_u32(c, &m->versions_n);
    if (version < 2 || version > MEMO_VERSION ||
        m->versions_n > LOA_AREA_DEPTH_MAX || m->volume_percent > 100 ||
        memchr(m->revocations_area, 0, sizeof m->revocations_area) == NULL)
        c->bad = true;
    for (uint32_t i = 0; !c->bad && i < m->versions_n; i++)
        code_version(c, version, &m->versions[i]);
}

size_t memo_encode(const struct memo *m, uint8_t *buf)
{
    struct codec c = codec_writer(buf, MEMO_BYTES_MAX);

    code(&c, (struct memo *)(uintptr_t)m); /* A writer changes nothing. */
    return c.at;
}

int memo_decode(struct memo *m, struct loa_bytes data)
{
    struct codec c = codec_reader(data.data, data.len);

    memset(m, 0, sizeof *m);
    code(&c, m);
    return c.bad || c.at != data.len ? LOA_EINVAL : LOA_OK;
}

static void code_replay(struct codec *c, struct loa_replay *r)
{
    uint8_t version = REPLAY_VERSION;

    codec_u8(c, &version);
    codec_u32(c, &r->keys_n);
    codec_u32(c, &r->ids_n);
    codec_u32(c, &r->ids_next);
    if (version != REPLAY_VERSION || r->keys_n > LOA_REPLAY_KEYS_MAX ||
        r->ids_n > LOA_REPLAY_IDS_N || r->ids_next >= LOA_REPLAY_IDS_N)
        c->bad = true;
    for (uint32_t i = 0; !c->bad && i < r->keys_n; i++) {
        codec_bytes(c, r->keys[i].key, LOA_KEY_BYTES);
        codec_u64(c, &r->keys[i].counter);
    }
    for (uint32_t i = 0; !c->bad && i < r->ids_n; i++)
        codec_bytes(c, r->ids[i], LOA_ID_BYTES);
}

size_t memo_replay_encode(const struct loa_replay *r, uint8_t *buf)
{
    struct codec c = codec_writer(buf, MEMO_REPLAY_BYTES_MAX);

    code_replay(&c, (struct loa_replay *)(uintptr_t)r);
    return c.at;
}

int memo_replay_decode(struct loa_replay *r, struct loa_bytes data)
{
    struct codec c = codec_reader(data.data, data.len);

    memset(r, 0, sizeof *r);
    code_replay(&c, r);
    return c.bad || c.at != data.len ? LOA_EINVAL : LOA_OK;
}
