/* cmd_content.c -- sound and text: list, delete; content_file.c has the rest.
 */

#include <stdio.h>
#include <string.h>

#include "loactl/content.h"
#include "loactl/pages.h"
#include "loactl/words.h"
#include "proto/io/clock.h"

#define ID_SHOWN 12 /* Digits: enough for every command but approve. */
#define TITLE_SHOWN 40
#define APPROVED_CAP 512
#define QUIET_LUFS (-30.0)

static json_t *content_json(const Loa__V1__Content *k)
{
    Loa__V1__ContentManifest *m = loa__v1__content_manifest__unpack(
        NULL, k->manifest.len, k->manifest.data);
    json_t *areas = json_array(), *revoked = json_array(), *j;

    for (size_t i = 0; i < k->n_needed_by; i++)
        json_array_append_new(areas, json_string(k->needed_by[i]));
    for (size_t i = 0; i < k->n_revoked_approvers; i++)
        json_array_append_new(revoked, json_string(k->revoked_approvers[i]));
    j = json_pack(
        "{s:o,s:s,s:s,s:s,s:s,s:i,s:i,s:o,s:o,s:o,s:b,s:o,s:b,s:o}", "content",
        json_hex(k->content_hash.data, k->content_hash.len), "title",
        m != NULL ? m->title : "", "kind",
        m != NULL && m->media == LOA__V1__MEDIA__MEDIA_TEXT ? "text" : "audio",
        "area", k->area, "submitted_by", k->submitted_by, "duration_ms",
        m != NULL ? (int)m->duration_ms : 0, "packets",
        m != NULL ? (int)m->packets_n : 0, "lufs",
        json_tenths(m != NULL ? m->loudness_lufs_x100 / 100.0 : 0), "peak_dbtp",
        json_tenths(m != NULL ? m->true_peak_dbtp_x100 / 100.0 : 0),
        "submitted_at_ms", json_time(k->submitted_at_ms), "approved",
        (int)(k->n_approvals > 0), "revoked_approvers", revoked, "deleting",
        (int)k->deleting, "needed_by", areas);
    if (m != NULL)
        loa__v1__content_manifest__free_unpacked(m, NULL);
    return j;
}

/* The encoder has made it up to 30 dB louder: what is still so quiet was below
 * -60 LUFS from beginning to end, as of a microphone that was off. */
static void warn_quiet(const struct ctl *c, const json_t *j)
{
    double lufs = json_real_value(json_object_get(j, "lufs"));

    if (lufs < QUIET_LUFS)
        ctl_warn(c,
                 "bản này gần như im lặng từ đầu đến cuối (%.1f LUFS): hãy "
                 "nghe lại, có thể micro bị tắt",
                 "this is as good as silent from beginning to end (%.1f LUFS): "
                 "listen to it, the microphone may have been off",
                 lufs);
}

/* Why nobody's approval holds. */
static void unapproved_text(const struct ctl *c,
                            const Loa__V1__Content *k,
                            char *buf,
                            size_t cap)
{
    size_t len;

    if (k->n_revoked_approvers == 0) {
        snprintf(buf, cap, "%s", c->english ? "not approved" : "chưa duyệt");
        return;
    }
    len = (size_t)snprintf(buf, cap, "%s",
                           c->english ? "not approved any more, revoked: "
                                      : "hết được duyệt, đã thu hồi quyền: ");
    for (size_t i = 0; i < k->n_revoked_approvers && len < cap; i++)
        len += (size_t)snprintf(buf + len, cap - len, "%s%s", i > 0 ? ", " : "",
                                k->revoked_approvers[i]);
}

void content_print(const struct ctl *c, const Loa__V1__Content *k)
{
    json_t *j = content_json(k);
    char unapproved[APPROVED_CAP];

    warn_quiet(c, j);
    unapproved_text(c, k, unapproved, sizeof unapproved);
    if (c->json) {
        out_json(j);
        return;
    }
    printf(c->english
               ? "%s  %.1f s  %s  (%.1f LUFS, peak %.1f dBTP)  %s%s\n"
               : "%s  %.1f giây  %s  (%.1f LUFS, đỉnh %.1f dBTP)  %s%s\n",
           json_string_value(json_object_get(j, "content")),
           (double)json_integer_value(json_object_get(j, "duration_ms")) / 1000,
           json_string_value(json_object_get(j, "title")),
           json_real_value(json_object_get(j, "lufs")),
           json_real_value(json_object_get(j, "peak_dbtp")),
           k->n_approvals == 0 ? unapproved
           : c->english        ? "approved"
                               : "đã duyệt",
           !k->deleting ? ""
           : c->english ? "  DELETING"
                        : "  ĐANG XOÁ");
    json_decref(j);
}

/* The areas of the approvals that hold, "vn/08, vn/10". */
static void approved_text(const struct ctl *c,
                          const Loa__V1__Content *k,
                          char *buf,
                          size_t cap)
{
    static uint8_t memory[LOA_ENVELOPE_BYTES_MAX];
    size_t len = 0, over_n = 0;

    unapproved_text(c, k, buf, cap);
    for (size_t i = 0; i < k->n_approvals; i++) {
        struct loa_bytes a = {k->approvals[i].data, k->approvals[i].len};
        struct loa_arena arena;
        struct loa_envelope e;

        loa_arena_init(&arena, memory, sizeof memory);
        if (a.len > LOA_ENVELOPE_BYTES_MAX ||
            loa_envelope_parse(&arena, a, &e) != LOA_OK)
            continue;
        if (e.header.expires_at_ms <= clock_wall_ms()) {
            over_n++;
            continue;
        }
        if (len < cap)
            len += (size_t)snprintf(buf + len, cap - len, "%s%s",
                                    len > 0 ? ", " : "", e.header.area);
    }
    if (len == 0 && over_n > 0)
        snprintf(buf, cap, "%s",
                 c->english ? "the approval has expired" : "duyệt đã hết hạn");
}

static void content_row(const struct ctl *c,
                        struct table *t,
                        const Loa__V1__Content *k,
                        const json_t *j)
{
    char id[2 * LOA_HASH_BYTES + 1] = "-", length[32], title[160], when[32];
    char approved[APPROVED_CAP];
    bool text =
        strcmp(json_string_value(json_object_get(j, "kind")), "text") == 0;

    if (k->content_hash.len == LOA_HASH_BYTES)
        loa_hex(k->content_hash.data, LOA_HASH_BYTES, id);
    id[ID_SHOWN] = '\0';
    snprintf(
        length, sizeof length, "%.1f s",
        (double)json_integer_value(json_object_get(j, "duration_ms")) / 1000);
    word_cut(json_string_value(json_object_get(j, "title")), TITLE_SHOWN, title,
             sizeof title);
    approved_text(c, k, approved, sizeof approved - 16);
    if (k->deleting)
        strcat(approved, c->english ? "  DELETING" : "  ĐANG XOÁ");
    table_row(t, id,
              text ? (c->english ? "text" : "văn bản")
                   : (c->english ? "sound" : "âm thanh"),
              length, title, k->submitted_by,
              out_time(k->submitted_at_ms, when), approved);
}

static void show_contents(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__ContentAnswer *a = (const Loa__V1__ContentAnswer *)m;
    struct pages_list *l = data;

    for (size_t i = 0; i < a->n_contents; i++) {
        json_t *j = content_json(a->contents[i]);

        content_row(l->c, &l->table, a->contents[i], j);
        json_array_append_new(l->rows, j);
    }
}

static int run_ls(struct ctl *c)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind find = LOA__V1__CONTENT_FIND__INIT;
    struct pages_list l = {.c = c, .rows = json_array()};
    char under[LOA_AREA_CAP];
    struct pages p = {.service = LINK_CONTENT,
                      .request = &q.base,
                      .each = show_contents,
                      .data = &l};
    int rc = link_area_given(c, under);

    table_init(&l.table, 7, c->english ? "ID" : "MÃ",
               c->english ? "KIND" : "LOẠI", c->english ? "LENGTH" : "DÀI",
               c->english ? "TITLE" : "TIÊU ĐỀ",
               c->english ? "BY" : "NGƯỜI NỘP", c->english ? "WHEN" : "LÚC",
               c->english ? "APPROVED FOR" : "ĐƯỢC DUYỆT CHO");
    find.under = under;
    find.limit = 50;
    find.after = p.after;
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &find;
    if (rc == CTL_OK)
        rc = pages_ask(c, &p);
    return pages_print(&l, rc, "chưa có nội dung nào ở đây",
                       "there is no content here");
}

/* The service says when it goes. */
static void print_deleting(const struct ctl *c,
                           const Loa__V1__Status *s,
                           ProtobufCBinaryData hash)
{
    if (c->json)
        out_json(json_pack("{s:o,s:b,s:s,s:s}", "content",
                           json_hex(hash.data, hash.len), "deleting", 1, "vi",
                           s != NULL ? s->text_vi : "", "en",
                           s != NULL ? s->text_en : ""));
    else
        printf("%s\n", s == NULL ? "" : c->english ? s->text_en : s->text_vi);
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
    if (rc == CTL_OK)
        print_deleting(c, ((Loa__V1__ContentAnswer *)m)->status,
                       del.content_hash);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

static const struct option_def export_options[] = {
    {"force", NULL, "overwrite FILE if it exists"},
    {NULL, NULL, NULL},
};

static const struct option_def approve_options[] = {
    {"area", "AREA", "where it may be played (your own area)"},
    {"days", "N", "for how long (90)"},
    {NULL, NULL, NULL},
};

const struct command commands_content[] = {
    {"content", "ls", "[AREA]", "contents, newest first", "loactl content ls",
     NULL, 0, 1, run_ls},
    {"content", "approve", "FILE", "let what you heard be played in an area",
     "loactl --identity approver.id content approve news.opus --area vn/08",
     approve_options, 1, 1, content_approve},
    {"content", "export", "ID FILE", "save as Ogg Opus, to listen",
     "loactl content export 3f2a91c0 news.opus", export_options, 2, 2,
     content_export},
    {"content", "delete", "ID", "delete, unless a programme needs it",
     "loactl content delete 3f2a91c0", NULL, 1, 1, run_delete},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
