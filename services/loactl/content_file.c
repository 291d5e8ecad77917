/* content_file.c -- a content as the file that an approver hears: approved by
 * it, and exported to it. */

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loactl/archive.h"
#include "loactl/content.h"
#include "loactl/link.h"
#include "proto/io/clock.h"

#define DAY_MS 86400000LL

/* --- approve -------------------------------------------------------------- */

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

/* An approver signs a hash. Whoever owns content-ingest can make a sound whose
 * hash begins with any eight digits, so a short id says nothing about what was
 * heard; all digits do, and the file itself. */
static int approve_by(struct ctl *c,
                      const char *text,
                      Loa__V1__ContentAnswer **found)
{
    char digits[2 * LOA_HASH_BYTES + 1];
    uint8_t hash[LOA_HASH_BYTES];
    FILE *f;
    int rc;

    *found = NULL;
    if (strlen(text) == sizeof digits - 1 &&
        loa_unhex(text, hash, sizeof hash) == LOA_OK)
        return link_content(c, text, found);
    f = fopen(text, "rb");
    if (f == NULL)
        return ctl_fail(
            c, CTL_USAGE,
            "%s: để phê duyệt hãy đưa tệp đã nghe (loactl content export MÃ "
            "tin.opus; loactl content approve tin.opus) hoặc cả %d chữ số của "
            "mã nội dung",
            "%s: to approve, give the file that you heard (loactl content "
            "export ID news.opus; loactl content approve news.opus) or all %d "
            "digits of the content's id",
            text, 2 * LOA_HASH_BYTES);
    rc =
        archive_hash(f, hash)
            ? link_content(c, out_hex(hash, sizeof hash, digits), found)
            : ctl_fail(c, CTL_USAGE,
                       "%s: không phải tệp do loactl content export lưu",
                       "%s: not a file that loactl content export saved", text);
    if (rc == CTL_OK)
        rc = check_export(c, (*found)->contents[0], f);
    fclose(f);
    return rc;
}

int content_approve(struct ctl *c)
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

    if (!ctl_number(c, "days", 1, 3650, 90, &days))
        return CTL_USAGE;
    rc = link_area(c, ctl_option(c, "area"), area);
    if (rc != CTL_OK)
        return rc;
    rc = approve_by(c, c->positionals[0], &found);
    if (rc == CTL_OK)
        rc = seal_approval(c, found->contents[0], area, days, envelope, &len);
    if (rc == CTL_OK) {
        approve.approval = (ProtobufCBinaryData){len, envelope};
        q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_APPROVE;
        q.approve = &approve;
        rc = link_ask(c, LINK_CONTENT, &q.base, &m);
    }
    if (rc == CTL_OK && ((Loa__V1__ContentAnswer *)m)->n_contents > 0)
        content_print(c, ((Loa__V1__ContentAnswer *)m)->contents[0]);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

/* --- export --------------------------------------------------------------- */

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
        rc = ctl_fail_errno(c, CTL_FAILED, c->positionals[1]);
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

static void print_export(const struct ctl *c,
                         const Loa__V1__Content *k,
                         const char *path,
                         uint64_t bytes)
{
    char digits[2 * LOA_HASH_BYTES + 1];

    if (c->json)
        out_json(json_pack(
            "{s:s,s:I,s:o}", "file", path, "bytes", (json_int_t)bytes,
            "content", json_hex(k->content_hash.data, k->content_hash.len)));
    else
        printf("%s  %s\n", path,
               out_hex(k->content_hash.data, LOA_HASH_BYTES, digits));
}

/* What is there under this name stays until all of the new file is right and
 * on the disk. */
static FILE *export_open(struct ctl *c, const char *path, char part[PATH_MAX])
{
    struct stat st;
    FILE *out;
    int n = snprintf(part, PATH_MAX, "%s.part", path);

    if (n >= PATH_MAX || (stat(path, &st) == 0 && !S_ISREG(st.st_mode))) {
        ctl_fail(c, CTL_FAILED, "%s: không phải tệp thường",
                 "%s: not a regular file", path);
        return NULL;
    }
    out = fopen(part, "w+b");
    if (out == NULL)
        ctl_fail_errno(c, CTL_FAILED, path);
    return out;
}

static int export_close(struct ctl *c,
                        FILE *out,
                        const char *part,
                        const char *path,
                        int rc)
{
    bool good = rc == CTL_OK && fflush(out) == 0 && fsync(fileno(out)) == 0;
    int err = errno;

    if (fclose(out) != 0 && good) {
        good = false;
        err = errno;
    }
    if (good && rename(part, path) != 0) {
        good = false;
        err = errno;
    }
    if (good)
        return CTL_OK;
    unlink(part);
    errno = err;
    return rc != CTL_OK ? rc : ctl_fail_errno(c, CTL_FAILED, path);
}

int content_export(struct ctl *c)
{
    Loa__V1__ContentAnswer *found = NULL;
    const char *path = c->positionals[1];
    char part[PATH_MAX];
    uint64_t at = 0, size = 1;
    FILE *out = NULL;
    struct stat st;
    int rc = link_content(c, c->positionals[0], &found);

    if (rc == CTL_OK && ctl_option(c, "force") == NULL &&
        stat(path, &st) == 0 && S_ISREG(st.st_mode))
        rc = ctl_fail(c, CTL_USAGE,
                      "%s: đã có tệp này; muốn ghi đè thì thêm --force",
                      "%s: the file exists; --force overwrites it", path);
    if (rc == CTL_OK && (out = export_open(c, path, part)) == NULL)
        rc = CTL_FAILED;
    while (rc == CTL_OK && at < size)
        rc = export_piece(c, found->contents[0]->content_hash, out, &at, &size);
    if (rc == CTL_OK)
        rc = check_export(c, found->contents[0], out);
    if (out != NULL)
        rc = export_close(c, out, part, path, rc);
    if (rc == CTL_OK)
        print_export(c, found->contents[0], path, at);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}
