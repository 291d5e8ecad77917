#include "content-ingest/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loa/v1/content.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "proto/text.h"

_Static_assert(MEDIA_AUDIO == (int)LOA__V1__MEDIA__MEDIA_AUDIO, "media");
_Static_assert(MEDIA_TEXT == (int)LOA__V1__MEDIA__MEDIA_TEXT, "media");

static bool take(const ProtobufCBinaryData *b, uint8_t *out, size_t len)
{
    if (b->len != len)
        return false;
    memcpy(out, b->data, len);
    return true;
}

/* --- requests ---------------------------------------------------------------
 */

/* A BCP 47 tag, by its outer form: "vi", "vi-VN", "zh-Hant-TW". */
static bool language_valid(const char *s)
{
    size_t run = 0, len = 0;

    for (; s[len] != '\0'; len++) {
        char c = s[len];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';

        if (c == '-') {
            if (run == 0)
                return false;
            run = 0;
        } else if (letter || (digit && len > run)) {
            run++; /* The first subtag has letters only. */
        } else {
            return false;
        }
        if (run > 8 || len + 1 >= UPLOAD_LANGUAGE_CAP)
            return false;
    }
    return run >= 1 && len >= 2;
}

static enum refusal begin_size(const Loa__V1__UploadBegin *b,
                               struct upload_plan *p)
{
    if (b->size == 0)
        return REFUSE_EMPTY;
    if (p->media == MEDIA_TEXT && b->size > UPLOAD_TEXT_MAX)
        return REFUSE_TEXT_SIZE;
    if (b->size > UPLOAD_AUDIO_MAX)
        return REFUSE_AUDIO_SIZE;
    p->size = b->size;
    return REFUSE_NOTHING;
}

static enum refusal begin(const Loa__V1__UploadBegin *b, struct upload_plan *p)
{
    const char *language = b->language[0] != '\0' ? b->language : "vi";

    if (!take(&b->upload_id, p->id, LOA_ID_BYTES))
        return REFUSE_UPLOAD_ID;
    if (b->media != LOA__V1__MEDIA__MEDIA_AUDIO &&
        b->media != LOA__V1__MEDIA__MEDIA_TEXT)
        return REFUSE_MEDIA;
    p->media = (enum media)b->media;
    if (b->title[0] == '\0' || !loa_line_valid(b->title, UPLOAD_TITLE_CAP - 1))
        return REFUSE_TITLE;
    if (!language_valid(language))
        return REFUSE_LANGUAGE;
    if (!loa_line_valid(b->file_name, UPLOAD_FILE_NAME_CAP - 1))
        return REFUSE_FILE_NAME;
    if (b->area[0] != '\0' && !loa_area_valid(b->area))
        return REFUSE_AREA;
    snprintf(p->title, sizeof p->title, "%s", b->title);
    snprintf(p->language, sizeof p->language, "%s", language);
    snprintf(p->file_name, sizeof p->file_name, "%s", b->file_name);
    snprintf(p->area, sizeof p->area, "%s", b->area);
    return begin_size(b, p);
}

static enum refusal part(const Loa__V1__UploadPart *b, struct wire_request *r)
{
    if (!take(&b->upload_id, r->id, LOA_ID_BYTES))
        return REFUSE_UPLOAD_ID;
    if (b->data.len == 0 || b->data.len > UPLOAD_PART_LEN_MAX)
        return REFUSE_PART_SIZE;
    if (b->offset > UPLOAD_AUDIO_MAX)
        return REFUSE_PART_BEYOND;
    r->range = (struct range){b->offset, b->offset + b->data.len};
    r->data = (struct loa_bytes){b->data.data, b->data.len};
    return REFUSE_NOTHING;
}

void wire_cursor(int64_t at_us,
                 const uint8_t hash[LOA_HASH_BYTES],
                 char out[WIRE_CURSOR_CAP])
{
    char hex[2 * LOA_HASH_BYTES + 1];

    loa_hex(hash, LOA_HASH_BYTES, hex);
    snprintf(out, WIRE_CURSOR_CAP, "%" PRId64 "-%s", at_us, hex);
}

static bool cursor(const char *text, struct wire_find *f)
{
    char *end;

    f->after_us = INT64_MAX;
    if (text[0] == '\0')
        return true;
    if (text[0] < '0' || text[0] > '9' || strlen(text) >= WIRE_CURSOR_CAP)
        return false;
    f->after_us = strtoll(text, &end, 10); /* Saturates: still a time. */
    return *end == '-' &&
           loa_unhex(end + 1, f->after_hash, LOA_HASH_BYTES) == LOA_OK;
}

static enum refusal find(const Loa__V1__ContentFind *b, struct wire_find *f)
{
    f->by_hash = b->content_hash.len > 0;
    f->by_upload = b->upload_id.len > 0;
    if (f->by_hash && !take(&b->content_hash, f->content_hash, LOA_HASH_BYTES))
        return REFUSE_HASH;
    if (f->by_upload && !take(&b->upload_id, f->upload_id, LOA_ID_BYTES))
        return REFUSE_UPLOAD_ID;
    if (b->under[0] != '\0' && !loa_area_valid(b->under))
        return REFUSE_AREA;
    snprintf(f->under, sizeof f->under, "%s", b->under);
    if (!cursor(b->after, f))
        return REFUSE_CURSOR;
    f->limit = b->limit == 0               ? FIND_LIMIT_DEFAULT
               : b->limit > FIND_LIMIT_MAX ? FIND_LIMIT_MAX
                                           : b->limit;
    return REFUSE_NOTHING;
}

static enum refusal request(const Loa__V1__ContentRequest *q,
                            struct wire_request *r)
{
    switch (q->what_case) {
        case LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_BEGIN:
            r->type = WIRE_UPLOAD_BEGIN;
            return begin(q->upload_begin, &r->plan);
        case LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_PART:
            r->type = WIRE_UPLOAD_PART;
            return part(q->upload_part, r);
        case LOA__V1__CONTENT_REQUEST__WHAT_FIND:
            r->type = WIRE_FIND;
            return find(q->find, &r->find);
        case LOA__V1__CONTENT_REQUEST__WHAT_APPROVE:
            r->type = WIRE_APPROVE;
            r->data = (struct loa_bytes){q->approve->approval.data,
                                         q->approve->approval.len};
            return r->data.len == 0 ? REFUSE_APPROVAL_MALFORMED
                                    : REFUSE_NOTHING;
        case LOA__V1__CONTENT_REQUEST__WHAT_DELETE:
            r->type = WIRE_DELETE;
            return take(&q->delete_->content_hash, r->hash, LOA_HASH_BYTES)
                       ? REFUSE_NOTHING
                       : REFUSE_HASH;
        case LOA__V1__CONTENT_REQUEST__WHAT_EXPORT:
            r->type = WIRE_EXPORT;
            r->offset = q->export->offset;
            return take(&q->export->content_hash, r->hash, LOA_HASH_BYTES)
                       ? REFUSE_NOTHING
                       : REFUSE_HASH;
        default:
            return REFUSE_REQUEST;
    }
}

enum refusal wire_request(struct loa_arena *arena,
                          struct loa_bytes p,
                          struct wire_request *r)
{
    Loa__V1__ContentRequest *q =
        loa__v1__content_request__unpack(&arena->allocator, p.len, p.data);

    memset(r, 0, sizeof *r);
    return q == NULL ? REFUSE_REQUEST : request(q, r);
}

/* --- from devices -----------------------------------------------------------
 */

int wire_want(struct loa_arena *arena,
              struct loa_bytes p,
              struct want_message *m)
{
    Loa__V1__Want *q = loa__v1__want__unpack(&arena->allocator, p.len, p.data);

    if (q == NULL || q->n_streams == 0 || q->n_streams > WANT_STREAMS_MAX)
        return LOA_EINVAL;
    m->streams_n = q->n_streams;
    for (size_t i = 0; i < q->n_streams; i++) {
        const Loa__V1__WantStream *s = q->streams[i];
        struct want_stream *out = &m->streams[i];

        if (!take(&s->stream_key, out->stream_key, LOA_KEY_BYTES) ||
            s->n_ranges == 0 || s->n_ranges % 2 != 0 ||
            s->n_ranges > (size_t)2 * WANT_RANGES_MAX)
            return LOA_EINVAL;
        out->ranges_n = s->n_ranges / 2;
        for (size_t k = 0; k < out->ranges_n; k++) {
            uint32_t first = s->ranges[2 * k], count = s->ranges[2 * k + 1];

            if (count == 0 || count > UINT32_MAX - first)
                return LOA_EINVAL;
            out->ranges[k] = (struct want_range){first, count};
        }
    }
    return LOA_OK;
}

/* --- programmes -------------------------------------------------------------
 */

/* The start that is next (or on air), and the end of the last one. False: it
 * is over. */
static bool bulletin(const Loa__V1__Bulletin *b,
                     int64_t now_at_ms,
                     int64_t expires_at_ms,
                     struct need_item *item)
{
    bool any = false;

    for (size_t i = 0; i < b->n_starts_at_ms; i++) {
        int64_t start = b->starts_at_ms[i];
        int64_t end = start + b->duration_ms;

        if (end <= now_at_ms || start >= expires_at_ms)
            continue;
        if (!any || start < item->start_at_ms)
            item->start_at_ms = start;
        if (!any || end > item->until_at_ms)
            item->until_at_ms = end;
        any = true;
    }
    if (any && item->until_at_ms > expires_at_ms)
        item->until_at_ms = expires_at_ms;
    return any;
}

static void list(const ProtobufCBinaryData from[],
                 size_t n,
                 struct loa_bytes to[])
{
    for (size_t i = 0; i < n; i++)
        to[i] = (struct loa_bytes){from[i].data, from[i].len};
}

int wire_programme(struct loa_arena *arena,
                   struct loa_bytes p,
                   int64_t now_at_ms,
                   int64_t expires_at_ms,
                   struct wire_programme *out)
{
    const int64_t year_9999_ms = 253402300799000;
    Loa__V1__Programme *q =
        loa__v1__programme__unpack(&arena->allocator, p.len, p.data);

    if (q == NULL || q->version == 0 || q->version > INT64_MAX ||
        q->n_bulletins > WIRE_PROGRAMME_BULLETINS_MAX ||
        q->n_approvals > WIRE_PROGRAMME_APPROVALS_MAX ||
        q->n_certificates > LOA_CERTIFICATES_EXTRA_MAX)
        return LOA_EINVAL;
    out->approvals_n = q->n_approvals;
    out->certificates_n = q->n_certificates;
    list(q->approvals, q->n_approvals, out->approvals);
    list(q->certificates, q->n_certificates, out->certificates);
    out->version = q->version;
    out->items_n = 0;
    for (size_t i = 0; i < q->n_bulletins; i++) {
        const Loa__V1__Bulletin *b = q->bulletins[i];
        struct need_item *item = &out->items[out->items_n];

        if (b->n_starts_at_ms > WIRE_STARTS_MAX)
            return LOA_EINVAL;
        for (size_t k = 0; k < b->n_starts_at_ms; k++)
            if (b->starts_at_ms[k] < 0 || b->starts_at_ms[k] > year_9999_ms)
                return LOA_EINVAL;
        memset(item, 0, sizeof *item);
        if (!take(&b->content_hash, item->content_hash, LOA_HASH_BYTES))
            return LOA_EINVAL;
        out->items_n += bulletin(b, now_at_ms, expires_at_ms, item);
    }
    return LOA_OK;
}

/* --- manifests --------------------------------------------------------------
 */

static ProtobufCBinaryData lend(const uint8_t *data, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

void wire_manifest(const struct wire_manifest *m,
                   uint8_t buf[WIRE_MANIFEST_LEN_MAX],
                   size_t *len)
{
    Loa__V1__ContentManifest q = LOA__V1__CONTENT_MANIFEST__INIT;

    q.content_hash = lend(m->content_hash, LOA_HASH_BYTES);
    q.media = (Loa__V1__Media)m->media;
    q.title = (char *)(uintptr_t)m->title;
    q.language = (char *)(uintptr_t)m->language;
    q.stream_key = lend(m->stream_key, LOA_KEY_BYTES);
    q.packets_n = m->packets_n;
    q.frames_n = m->frames_n;
    q.duration_ms = m->duration_ms;
    q.pre_skip = m->pre_skip;
    q.bytes = m->bytes;
    q.loudness_lufs_x100 = m->loudness_lufs_x100;
    q.true_peak_dbtp_x100 = m->true_peak_dbtp_x100;
    q.source_hash = lend(m->source_hash, LOA_HASH_BYTES);
    *len = loa__v1__content_manifest__get_packed_size(&q);
    assert(*len <= WIRE_MANIFEST_LEN_MAX);
    loa__v1__content_manifest__pack(&q, buf);
}

int wire_manifest_hash(struct loa_arena *arena,
                       struct loa_bytes p,
                       uint8_t hash[LOA_HASH_BYTES])
{
    Loa__V1__ContentManifest *q;

    if (p.len > WIRE_MANIFEST_LEN_MAX)
        return LOA_EINVAL;
    q = loa__v1__content_manifest__unpack(&arena->allocator, p.len, p.data);
    return q != NULL && take(&q->content_hash, hash, LOA_HASH_BYTES)
               ? LOA_OK
               : LOA_EINVAL;
}
