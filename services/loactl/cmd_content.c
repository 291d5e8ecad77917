/* cmd_content.c -- sound and text: hand in, listen, approve, list, delete. */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loactl/archive.h"
#include "loactl/link.h"
#include "proto/io/clock.h"

#define PART_BYTES 48000
#define AUDIO_BYTES_MAX 536870912ll /* As UploadBegin.size. */
#define TEXT_BYTES_MAX 65536
#define IN_FLIGHT 8
#define LOOK_US 200000 /* How often the encoder's progress is asked for. */
#define DAY_MS 86400000LL

/* --- hand in ----------------------------------------------------------------
 */

/* What is being uploaded. Either a file or text in memory. */
struct source {
    FILE *f;
    const char *text;
    uint64_t size;
};

static size_t source_read(struct source *s, uint64_t at, uint8_t *buf)
{
    size_t n = s->size - at < PART_BYTES ? (size_t)(s->size - at) : PART_BYTES;

    if (s->text != NULL) {
        memcpy(buf, s->text + at, n);
        return n;
    }
    if (fseeko(s->f, (off_t)at, SEEK_SET) != 0)
        return 0;
    return fread(buf, 1, n, s->f);
}

static int begin(struct ctl *c,
                 const struct source *s,
                 const char *file_name,
                 const uint8_t id[LOA_ID_BYTES],
                 Loa__V1__Media media,
                 uint64_t *received)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__UploadBegin b = LOA__V1__UPLOAD_BEGIN__INIT;
    const char *title = ctl_option(c, "title"), *area = ctl_option(c, "area");
    const char *language = ctl_option(c, "language");
    char path[LOA_AREA_CAP] = "";
    ProtobufCMessage *m;
    int rc;

    if (area != NULL && !link_area(c, area, path))
        return CTL_USAGE;
    b.upload_id = (ProtobufCBinaryData){LOA_ID_BYTES, (uint8_t *)id};
    b.media = media;
    b.title = (char *)(title != NULL ? title : file_name);
    b.language = (char *)(language != NULL ? language : "vi");
    b.size = s->size;
    b.file_name = (char *)file_name;
    b.area = path;
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_BEGIN;
    q.upload_begin = &b;
    rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    *received = 0;
    if (rc == CTL_OK && ((Loa__V1__ContentAnswer *)m)->upload != NULL)
        *received = ((Loa__V1__ContentAnswer *)m)->upload->received;
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

static int start_part(struct ctl *c,
                      struct source *s,
                      const uint8_t id[LOA_ID_BYTES],
                      uint64_t at,
                      int *slot,
                      size_t *len)
{
    static uint8_t buf[PART_BYTES];
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__UploadPart p = LOA__V1__UPLOAD_PART__INIT;

    *len = source_read(s, at, buf);
    if (*len == 0)
        return ctl_fail(c, CTL_USAGE, "tệp thay đổi trong khi đọc",
                        "the file changed while it was read");
    p.upload_id = (ProtobufCBinaryData){LOA_ID_BYTES, (uint8_t *)id};
    p.offset = at;
    p.data = (ProtobufCBinaryData){*len, buf};
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_PART;
    q.upload_part = &p;
    return link_start(c, LINK_CONTENT, &q.base, slot);
}

static int finish_part(struct ctl *c, int slot)
{
    ProtobufCMessage *m;
    int rc = link_wait(c, slot, &m);

    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

/* Several parts are on their way at once, answered in order. */
static int send_parts(struct ctl *c,
                      struct source *s,
                      const uint8_t id[LOA_ID_BYTES],
                      uint64_t at)
{
    int slots[IN_FLIGHT], head = 0, n = 0, rc = CTL_OK;
    size_t len;

    while (rc == CTL_OK && (at < s->size || n > 0)) {
        if (at < s->size && n < IN_FLIGHT) {
            rc = start_part(c, s, id, at, &slots[(head + n) % IN_FLIGHT], &len);
            at += len;
            n++;
        } else {
            rc = finish_part(c, slots[head]);
            head = (head + 1) % IN_FLIGHT;
            n--;
            out_progress(
                c, c->english ? "upload" : "tải lên",
                (unsigned)((at - (uint64_t)n * PART_BYTES) * 1000 / s->size));
        }
    }
    return rc;
}

static void print_content(const struct ctl *c, const Loa__V1__Content *k);

static int show(struct ctl *c, ProtobufCBinaryData hash)
{
    char digits[2 * LOA_HASH_BYTES + 1];
    Loa__V1__ContentAnswer *found;
    int rc;

    if (hash.len != LOA_HASH_BYTES)
        return ctl_fail(c, CTL_FAILED, "trả lời sai dạng",
                        "the answer is malformed");
    loa_hex(hash.data, hash.len, digits);
    rc = link_content(c, digits, &found);
    if (rc == CTL_OK)
        print_content(c, found->contents[0]);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

/* One look at the upload: *done when it ended, well or not. */
static int look(struct ctl *c, const uint8_t id[LOA_ID_BYTES], bool *done)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind find = LOA__V1__CONTENT_FIND__INIT;
    ProtobufCMessage *m;
    const Loa__V1__ContentAnswer *a;
    int rc;

    find.upload_id = (ProtobufCBinaryData){LOA_ID_BYTES, (uint8_t *)id};
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &find;
    rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    a = (Loa__V1__ContentAnswer *)m;
    *done = rc != CTL_OK || a->upload == NULL;
    if (!*done) {
        out_progress(c, c->english ? "encode" : "mã hoá",
                     a->upload->permille < 1000 ? a->upload->permille : 999);
        if (a->upload->stage == LOA__V1__UPLOAD__STAGE__STAGE_FAILED) {
            const Loa__V1__Status *f = a->upload->failure;
            *done = true;
            rc = ctl_fail(
                c, CTL_REFUSED, "%s", "%s",
                f == NULL ? "?" : (c->english ? f->text_en : f->text_vi));
        } else if (a->upload->stage == LOA__V1__UPLOAD__STAGE__STAGE_DONE) {
            *done = true;
            out_progress(c, c->english ? "encode" : "mã hoá", 1000);
            rc = show(c, a->upload->content_hash);
        }
    }
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

static int upload(struct ctl *c,
                  struct source *s,
                  const char *file_name,
                  Loa__V1__Media media)
{
    uint8_t id[LOA_ID_BYTES];
    uint64_t received;
    bool done = false;
    int rc;

    randombytes_buf(id, sizeof id);
    rc = begin(c, s, file_name, id, media, &received);
    if (rc == CTL_OK)
        rc = send_parts(c, s, id, received);
    while (rc == CTL_OK && !done) {
        rc = look(c, id, &done);
        if (!done)
            usleep(LOOK_US);
    }
    return rc;
}

static int run_add(struct ctl *c)
{
    const char *path = c->positionals[0];
    const char *name =
        strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    struct source s = {.f = fopen(path, "rb")};
    struct stat st;
    int rc;

    if (s.f == NULL || fstat(fileno(s.f), &st) != 0)
        return ctl_fail(c, CTL_USAGE, "%s: %s", "%s: %s", path,
                        strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        rc = ctl_fail(c, CTL_USAGE, "%s: tệp rỗng hoặc không phải tệp thường",
                      "%s: the file is empty or not a regular file", path);
    else if (st.st_size > AUDIO_BYTES_MAX)
        rc = ctl_fail(c, CTL_USAGE,
                      "%s: tệp lớn hơn %lld MB; hãy cắt hoặc nén (FLAC, MP3)",
                      "%s: the file is larger than %lld MB; cut or compress it "
                      "(FLAC, MP3)",
                      path, AUDIO_BYTES_MAX >> 20);
    else {
        s.size = (uint64_t)st.st_size;
        rc = upload(c, &s, name, LOA__V1__MEDIA__MEDIA_AUDIO);
    }
    fclose(s.f);
    return rc;
}

static int run_say(struct ctl *c)
{
    static char piped[TEXT_BYTES_MAX + 2];
    struct source s = {.text = c->positionals[0]};

    s.size = strlen(s.text);
    if (strcmp(s.text, "-") == 0) {
        s.text = piped;
        s.size = fread(piped, 1, sizeof piped - 1, stdin);
    }
    if (s.size == 0 || s.size > TEXT_BYTES_MAX)
        return ctl_fail(c, CTL_USAGE, "văn bản rỗng hoặc dài hơn %d byte",
                        "the text is empty or longer than %d bytes",
                        TEXT_BYTES_MAX);
    return upload(c, &s, c->english ? "text" : "văn bản",
                  LOA__V1__MEDIA__MEDIA_TEXT);
}

/* --- show
 * ----------------------------------------------------------------------- */

static json_t *content_json(const Loa__V1__Content *k)
{
    Loa__V1__ContentManifest *m = loa__v1__content_manifest__unpack(
        NULL, k->manifest.len, k->manifest.data);
    json_t *areas = json_array(), *j;

    for (size_t i = 0; i < k->n_needed_by; i++)
        json_array_append_new(areas, json_string(k->needed_by[i]));
    j = json_pack(
        "{s:o,s:s,s:s,s:s,s:s,s:i,s:i,s:f,s:f,s:o,s:b,s:b,s:o}", "content",
        json_hex(k->content_hash.data, k->content_hash.len), "title",
        m != NULL ? m->title : "", "kind",
        m != NULL && m->media == LOA__V1__MEDIA__MEDIA_TEXT ? "text" : "audio",
        "area", k->area, "submitted_by", k->submitted_by, "duration_ms",
        m != NULL ? (int)m->duration_ms : 0, "packets",
        m != NULL ? (int)m->packets_n : 0, "lufs",
        m != NULL ? m->loudness_lufs_x100 / 100.0 : 0, "peak_dbtp",
        m != NULL ? m->true_peak_dbtp_x100 / 100.0 : 0, "submitted_at",
        json_time(k->submitted_at_ms), "approved", (int)(k->n_approvals > 0),
        "deleting", (int)k->deleting, "needed_by", areas);
    if (m != NULL)
        loa__v1__content_manifest__free_unpacked(m, NULL);
    return j;
}

static void print_content(const struct ctl *c, const Loa__V1__Content *k)
{
    json_t *j = content_json(k);

    if (c->json) {
        out_json(j);
        return;
    }
    printf(c->english ? "%s  %.1f s  %s  (%.1f LUFS, peak %.1f dBTP)  %s\n"
                      : "%s  %.1f giây  %s  (%.1f LUFS, đỉnh %.1f dBTP)  %s\n",
           json_string_value(json_object_get(j, "content")),
           (double)json_integer_value(json_object_get(j, "duration_ms")) / 1000,
           json_string_value(json_object_get(j, "title")),
           json_real_value(json_object_get(j, "lufs")),
           json_real_value(json_object_get(j, "peak_dbtp")),
           k->n_approvals > 0 ? (c->english ? "approved" : "đã duyệt")
                              : (c->english ? "not approved" : "chưa duyệt"));
    json_decref(j);
}

static int run_ls(struct ctl *c)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind find = LOA__V1__CONTENT_FIND__INIT;
    json_t *list = json_array();
    char under[LOA_AREA_CAP], after[256] = "";
    int rc;

    if (!link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under))
        return CTL_USAGE;
    find.under = under;
    find.limit = 50;
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &find;
    do {
        ProtobufCMessage *m;
        find.after = after;
        rc = link_ask(c, LINK_CONTENT, &q.base, &m);
        if (rc == CTL_OK) {
            Loa__V1__ContentAnswer *a = (Loa__V1__ContentAnswer *)m;
            for (size_t i = 0; i < a->n_contents; i++)
                if (c->json)
                    json_array_append_new(list, content_json(a->contents[i]));
                else
                    print_content(c, a->contents[i]);
            snprintf(after, sizeof after, "%s", a->next);
        }
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    } while (rc == CTL_OK && after[0] != '\0');
    if (rc == CTL_OK && c->json)
        out_json(json_incref(list));
    json_decref(list);
    return rc;
}

/* --- approve
 * -------------------------------------------------------------------- */

static int seal_approval(struct ctl *c,
                         const Loa__V1__Content *k,
                         const char *area,
                         long long days,
                         uint8_t *buf,
                         size_t *len)
{
    struct loa_signer signer = loa_identity_signer(&c->identity);
    struct loa_header h = {.type = LOA_TYPE_APPROVAL};
    int rv;

    snprintf(h.area, sizeof h.area, "%s", area);
    randombytes_buf(h.message_id, LOA_ID_BYTES);
    h.issued_at_ms = clock_wall_ms();
    h.expires_at_ms = h.issued_at_ms + days * DAY_MS;
    if (h.expires_at_ms > c->identity.leaf.not_after_ms)
        h.expires_at_ms = c->identity.leaf.not_after_ms;
    h.body = (struct loa_bytes){k->manifest.data, k->manifest.len};
    rv = loa_envelope_seal(&h, &signer, buf, LOA_ENVELOPE_BYTES_MAX, len);
    return rv == LOA_OK ? CTL_OK
                        : ctl_fail(c, CTL_FAILED, "%s", "%s", loa_strerror(rv));
}

static int run_approve(struct ctl *c)
{
    static uint8_t envelope[LOA_ENVELOPE_BYTES_MAX];
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentApprove approve = LOA__V1__CONTENT_APPROVE__INIT;
    Loa__V1__ContentAnswer *found = NULL;
    char area[LOA_AREA_CAP];
    ProtobufCMessage *m = NULL;
    long long days;
    size_t len;
    int rc;

    if (!ctl_number(c, "days", 1, 3650, 90, &days) ||
        !link_area(c, ctl_option(c, "area"), area))
        return CTL_USAGE;
    rc = link_content(c, c->positionals[0], &found);
    if (rc == CTL_OK)
        rc = seal_approval(c, found->contents[0], area, days, envelope, &len);
    if (rc == CTL_OK) {
        approve.approval = (ProtobufCBinaryData){len, envelope};
        q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_APPROVE;
        q.approve = &approve;
        rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    }
    if (rc == CTL_OK && ((Loa__V1__ContentAnswer *)m)->n_contents > 0)
        print_content(c, ((Loa__V1__ContentAnswer *)m)->contents[0]);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

static int run_delete(struct ctl *c)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentDelete del = LOA__V1__CONTENT_DELETE__INIT;
    Loa__V1__ContentAnswer *found = NULL;
    ProtobufCMessage *m = NULL;
    int rc = link_content(c, c->positionals[0], &found);

    if (rc == CTL_OK) {
        del.content_hash = found->contents[0]->content_hash;
        q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_DELETE;
        q.delete_ = &del;
        rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    }
    if (rc == CTL_OK && !c->json)
        printf(c->english ? "will be deleted\n" : "sẽ được xoá\n");
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

/* --- export
 * --------------------------------------------------------------------- */

/* One piece at *at. *at and *size move on. */
static int export_piece(struct ctl *c,
                        ProtobufCBinaryData hash,
                        FILE *out,
                        uint64_t *at,
                        uint64_t *size)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentExport piece = LOA__V1__CONTENT_EXPORT__INIT;
    ProtobufCMessage *m;
    Loa__V1__ContentAnswer *a;
    int rc;

    piece.content_hash = hash;
    piece.offset = *at;
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_EXPORT;
    q.export = &piece;
    rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    a = (Loa__V1__ContentAnswer *)m;
    if (rc == CTL_OK && a->data.len == 0)
        rc = ctl_fail(c, CTL_REFUSED, "tệp chưa có", "the file is not there");
    if (rc == CTL_OK &&
        fwrite(a->data.data, 1, a->data.len, out) != a->data.len)
        rc = ctl_fail(c, CTL_FAILED, "không ghi được: %s", "cannot write: %s",
                      strerror(errno));
    if (rc == CTL_OK) {
        *at += a->data.len;
        *size = a->data_size;
        out_progress(c, c->english ? "export" : "xuất",
                     (unsigned)(*at * 1000 / (*size > 0 ? *size : 1)));
    }
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

/* The file is what the approver hears, so it must be what will sound. */
static int check_export(struct ctl *c, const Loa__V1__Content *k, FILE *f)
{
    Loa__V1__ContentManifest *m = loa__v1__content_manifest__unpack(
        NULL, k->manifest.len, k->manifest.data);
    bool good = m != NULL && fflush(f) == 0 && fseeko(f, 0, SEEK_SET) == 0 &&
                archive_is(f, m);

    if (m != NULL)
        loa__v1__content_manifest__free_unpacked(m, NULL);
    return good ? CTL_OK
                : ctl_fail(c, CTL_FAILED,
                           "tệp nhận được không phải âm thanh của nội dung "
                           "này: đừng phê duyệt, hãy báo quản trị",
                           "the file is not the sound of this content: do not "
                           "approve it, tell the administrator");
}

static int run_export(struct ctl *c)
{
    Loa__V1__ContentAnswer *found = NULL;
    const char *path = c->positionals[1];
    uint64_t at = 0, size = 1;
    FILE *out = NULL;
    int rc = link_content(c, c->positionals[0], &found);

    if (rc == CTL_OK && (out = fopen(path, "w+b")) == NULL)
        rc = ctl_fail(c, CTL_FAILED, "%s: %s", "%s: %s", path, strerror(errno));
    while (rc == CTL_OK && at < size)
        rc = export_piece(c, found->contents[0]->content_hash, out, &at, &size);
    if (rc == CTL_OK)
        rc = check_export(c, found->contents[0], out);
    if (out != NULL && fclose(out) != 0 && rc == CTL_OK)
        rc = ctl_fail(c, CTL_FAILED, "%s: %s", "%s: %s", path, strerror(errno));
    if (out != NULL && rc != CTL_OK)
        unlink(path);
    if (rc == CTL_OK && !c->json)
        printf("%s\n", path);
    else if (rc == CTL_OK)
        out_json(json_pack("{s:s,s:I}", "file", path, "bytes", (json_int_t)at));
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

static const struct option_def add_options[] = {
    {"title", "TEXT", "what listeners' lists say (the file's name)"},
    {"language", "TAG", "vi, en; for text it chooses the voice (vi)"},
    {"area", "AREA", "whose content it is (your own area)"},
    {NULL, NULL, NULL},
};

static const struct option_def approve_options[] = {
    {"area", "AREA", "where it may be played (your own area)"},
    {"days", "N", "for how long (90)"},
    {NULL, NULL, NULL},
};

const struct command commands_content[] = {
    {"content", "add", "FILE", "hand in a sound file",
     "loactl content add tin-sang.wav --title 'Tin sáng 1/12'", add_options, 1,
     1, run_add},
    {"content", "say", "TEXT", "hand in a text to be spoken; - reads stdin",
     "loactl content say 'Ngày mai cắt điện từ 8 giờ.'", add_options, 1, 1,
     run_say},
    {"content", "ls", "[AREA]", "contents, newest first", "loactl content ls",
     NULL, 0, 1, run_ls},
    {"content", "approve", "ID", "let it be played in an area",
     "loactl --identity approver.id content approve 3f2a91c0 --area vn/08",
     approve_options, 1, 1, run_approve},
    {"content", "export", "ID FILE", "save as Ogg Opus, to listen",
     "loactl content export 3f2a91c0 news.opus", NULL, 2, 2, run_export},
    {"content", "delete", "ID", "delete, unless a programme needs it",
     "loactl content delete 3f2a91c0", NULL, 1, 1, run_delete},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
