/* cmd_handin.c -- sound and text are handed in: content add, content say. */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loactl/content.h"
#include "loactl/link.h"
#include "loactl/words.h"
#include "proto/text.h"

#define PART_BYTES 48000
#define AUDIO_BYTES_MAX 536870912ll /* As UploadBegin.size. */
#define TEXT_BYTES_MAX 65536
#define IN_FLIGHT 8
#define LOOK_US 200000 /* How often the encoder's progress is asked for. */

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

    rc = area != NULL ? link_area(c, area, path) : CTL_OK;
    if (rc != CTL_OK)
        return rc;
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
        content_print(c, found->contents[0]);
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
        return ctl_fail_errno(c, CTL_USAGE, path);
    if (!S_ISREG(st.st_mode))
        rc = ctl_fail(c, CTL_USAGE, "%s: không phải tệp thường",
                      "%s: not a regular file", path);
    else if (st.st_size == 0)
        rc = ctl_fail(c, CTL_USAGE, "%s: tệp rỗng", "%s: the file is empty",
                      path);
    else if (st.st_size > AUDIO_BYTES_MAX)
        rc = ctl_fail(c, CTL_USAGE,
                      "%s: tệp %lld MB, tối đa %lld; hãy cắt hoặc nén (FLAC, "
                      "MP3)",
                      "%s: the file has %lld MB, at most %lld are taken; cut "
                      "or compress it (FLAC, MP3)",
                      path, ((long long)st.st_size + 1048575) >> 20,
                      AUDIO_BYTES_MAX >> 20);
    else {
        s.size = (uint64_t)st.st_size;
        rc = upload(c, &s, name, LOA__V1__MEDIA__MEDIA_AUDIO);
    }
    fclose(s.f);
    return rc;
}

/* Of stdin no more is read than shows that it is too long. */
static int refuse_long(struct ctl *c, uint64_t size)
{
    return ctl_fail(c, CTL_USAGE,
                    "văn bản dài %s%llu byte, tối đa %d; hãy chia thành nhiều "
                    "bản tin",
                    "the text has %s%llu bytes, at most %d are taken; make "
                    "several bulletins of it",
                    strcmp(c->positionals[0], "-") == 0 ? ">= " : "",
                    (unsigned long long)size, TEXT_BYTES_MAX);
}

static int run_say(struct ctl *c)
{
    static char piped[TEXT_BYTES_MAX + 2];
    struct source s = {.text = c->positionals[0]};
    char title[WORD_TITLE_CAP];

    s.size = strlen(s.text);
    if (strcmp(s.text, "-") == 0) {
        s.text = piped;
        s.size = fread(piped, 1, sizeof piped - 1, stdin);
    }
    if (strspn(s.text, " \t\r\n") == s.size)
        return ctl_fail(c, CTL_USAGE, "văn bản rỗng", "the text is empty");
    if (s.size > TEXT_BYTES_MAX)
        return refuse_long(c, s.size);
    word_title(s.text, s.size, title);
    if (title[0] == '\0' || !loa_line_valid(title, sizeof title))
        snprintf(title, sizeof title, "%s", c->english ? "text" : "văn bản");
    return upload(c, &s, title, LOA__V1__MEDIA__MEDIA_TEXT);
}

static const struct option_def add_options[] = {
    {"title", "TEXT",
     "what lists say (the file's name, or the text's first words)"},
    {"language", "TAG", "vi, en; for text it chooses the voice (vi)"},
    {"area", "AREA", "whose content it is (your own area)"},
    {NULL, NULL, NULL},
};

const struct command commands_handin[] = {
    {"content", "add", "FILE", "hand in a sound file",
     "loactl content add tin-sang.wav --title 'Tin sáng 1/12'", add_options, 1,
     1, run_add},
    {"content", "say", "TEXT", "hand in a text to be spoken; - reads stdin",
     "loactl content say 'Ngày mai cắt điện từ 8 giờ.'", add_options, 1, 1,
     run_say},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
