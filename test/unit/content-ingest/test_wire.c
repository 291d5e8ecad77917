/* What peers send, taken apart: every field's limits, every sentence. */

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "content-ingest/refusal.h"
#include "content-ingest/wire.h"
#include "content-ingest/worker_line.h"
#include "encode/verdict.h"
#include "loa/v1/content.pb-c.h"
#include "loa/v1/programme.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "proto/text.h"

static _Alignas(16) uint8_t memory[1 << 20];
static uint8_t buf[1 << 19], zeros[1 << 17];
static struct loa_arena arena;
static struct wire_request r;

static ProtobufCBinaryData bytes(size_t len)
{
    return (ProtobufCBinaryData){len, zeros};
}

static enum refusal parse(const Loa__V1__ContentRequest *q)
{
    size_t len = loa__v1__content_request__pack(q, buf);

    loa_arena_init(&arena, memory, sizeof memory);
    return wire_request(&arena, (struct loa_bytes){buf, len}, &r);
}

/* clang-format off */
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const struct begin_row {
    const char *name;
    size_t id_len;
    int media;
    const char *title, *language, *file_name, *area;
    uint64_t size;
    enum refusal want;
} begins[] = {
    {"plain",            16, 1, "Bản tin", "vi", "a.wav", "vn/08", 1, REFUSE_NOTHING},
    {"all else empty",   16, 2, "x", "", "", "", 65536, REFUSE_NOTHING},
    {"largest",          16, 1, "x", "en", "", "", 536870912, REFUSE_NOTHING},
    {"too large",        16, 1, "x", "en", "", "", 536870913, REFUSE_AUDIO_SIZE},
    {"far too large",    16, 1, "x", "en", "", "", UINT64_MAX, REFUSE_AUDIO_SIZE},
    {"long text",        16, 2, "x", "vi", "", "", 65537, REFUSE_TEXT_SIZE},
    {"empty file",       16, 1, "x", "vi", "", "", 0, REFUSE_EMPTY},
    {"short id",         15, 1, "x", "vi", "", "", 1, REFUSE_UPLOAD_ID},
    {"no id",             0, 1, "x", "vi", "", "", 1, REFUSE_UPLOAD_ID},
    {"no media",         16, 0, "x", "vi", "", "", 1, REFUSE_MEDIA},
    {"new media",        16, 9, "x", "vi", "", "", 1, REFUSE_MEDIA},
    {"no title",         16, 1, "", "vi", "", "", 1, REFUSE_TITLE},
    {"200 bytes",        16, 1, A50 A50 A50 A50, "vi", "", "", 1, REFUSE_NOTHING},
    {"201 bytes",        16, 1, A50 A50 A50 A50 "a", "vi", "", "", 1, REFUSE_TITLE},
    {"title not UTF-8",  16, 1, "a\xff", "vi", "", "", 1, REFUSE_TITLE},
    {"title two lines",  16, 1, "a\nb", "vi", "", "", 1, REFUSE_TITLE},
    {"file not UTF-8",   16, 1, "x", "vi", "\xc0\x80", "", 1, REFUSE_FILE_NAME},
    {"region",           16, 1, "x", "vi-VN", "", "", 1, REFUSE_NOTHING},
    {"script",           16, 1, "x", "zh-Hant-TW", "", "", 1, REFUSE_NOTHING},
    {"one letter",       16, 1, "x", "v", "", "", 1, REFUSE_LANGUAGE},
    {"digit first",      16, 1, "x", "4v", "", "", 1, REFUSE_LANGUAGE},
    {"two hyphens",      16, 1, "x", "vi--VN", "", "", 1, REFUSE_LANGUAGE},
    {"hyphen last",      16, 1, "x", "vi-", "", "", 1, REFUSE_LANGUAGE},
    {"nine letters",     16, 1, "x", "abcdefghi", "", "", 1, REFUSE_LANGUAGE},
    {"an option",        16, 1, "x", "--rate", "", "", 1, REFUSE_LANGUAGE},
    {"36 characters",    16, 1, "x", "aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaaa", "", "", 1, REFUSE_LANGUAGE},
    {"area upside down", 16, 1, "x", "vi", "", "/vn", 1, REFUSE_AREA},
    {"area with dots",   16, 1, "x", "vi", "", "vn/..", 1, REFUSE_AREA},
};
/* clang-format on */

static void test_begin(void)
{
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        const struct begin_row *w = &begins[i];
        Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
        Loa__V1__UploadBegin b = LOA__V1__UPLOAD_BEGIN__INIT;

        q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_BEGIN;
        q.upload_begin = &b;
        b.upload_id = bytes(w->id_len);
        b.media = (Loa__V1__Media)w->media;
        b.title = (char *)(uintptr_t)w->title;
        b.language = (char *)(uintptr_t)w->language;
        b.file_name = (char *)(uintptr_t)w->file_name;
        b.area = (char *)(uintptr_t)w->area;
        b.size = w->size;
        CHECK_INT(w->name, parse(&q), w->want);
        if (w->want == REFUSE_NOTHING) {
            CHECK_INT(w->name, r.type, WIRE_UPLOAD_BEGIN);
            CHECK_INT(w->name, strcmp(r.plan.title, w->title), 0);
            CHECK_INT(w->name, strcmp(r.plan.area, w->area), 0);
            CHECK_INT(w->name, r.plan.size, w->size);
            CHECK_INT(w->name, r.plan.media, w->media);
            CHECK_INT(
                w->name,
                strcmp(r.plan.language, w->language[0] ? w->language : "vi"),
                0);
        }
    }
}

static void test_part(void)
{
    static const struct {
        const char *name;
        size_t id_len, len;
        uint64_t offset;
        enum refusal want;
    } rows[] = {
        {"plain", 16, 48000, 0, REFUSE_NOTHING},
        {"last byte", 16, 1, 536870911, REFUSE_NOTHING},
        {"empty", 16, 0, 0, REFUSE_PART_SIZE},
        {"long", 16, 48001, 0, REFUSE_PART_SIZE},
        {"far behind", 16, 1, UINT64_MAX, REFUSE_PART_BEYOND},
        {"id", 17, 1, 0, REFUSE_UPLOAD_ID},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
        Loa__V1__UploadPart b = LOA__V1__UPLOAD_PART__INIT;

        q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_PART;
        q.upload_part = &b;
        b.upload_id = bytes(rows[i].id_len);
        b.data = bytes(rows[i].len);
        b.offset = rows[i].offset;
        CHECK_INT(rows[i].name, parse(&q), rows[i].want);
        if (rows[i].want != REFUSE_NOTHING)
            continue;
        CHECK_INT(rows[i].name, r.range.to - r.range.from, rows[i].len);
        CHECK_INT(rows[i].name, r.data.len, rows[i].len);
    }
}

static void test_find(void)
{
    uint8_t hash[LOA_HASH_BYTES] = {0xab, 1};
    char cursor[WIRE_CURSOR_CAP];
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentFind b = LOA__V1__CONTENT_FIND__INIT;

    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_FIND;
    q.find = &b;
    CHECK_INT("list", parse(&q), REFUSE_NOTHING);
    CHECK_INT("default", r.find.limit, FIND_LIMIT_DEFAULT);
    CHECK_INT("from the start", r.find.after_us == INT64_MAX, true);
    b.limit = 1000;
    CHECK_INT("much", parse(&q), REFUSE_NOTHING);
    CHECK_INT("cut", r.find.limit, FIND_LIMIT_MAX);
    wire_cursor(1700000000123456, hash, cursor);
    b.after = cursor;
    CHECK_INT("cursor", parse(&q), REFUSE_NOTHING);
    CHECK_INT("time", r.find.after_us, 1700000000123456);
    CHECK_INT("hash", memcmp(r.find.after_hash, hash, sizeof hash), 0);
    b.after = "12";
    CHECK_INT("half a cursor", parse(&q), REFUSE_CURSOR);
    b.after = "x-ab";
    CHECK_INT("no cursor", parse(&q), REFUSE_CURSOR);
    cursor[20] = 'z';
    b.after = cursor;
    CHECK_INT("not hexadecimal", parse(&q), REFUSE_CURSOR);
    b.after = "";
    b.under = "vn//08";
    CHECK_INT("area", parse(&q), REFUSE_AREA);
    b.under = "";
    b.content_hash = bytes(31);
    CHECK_INT("hash", parse(&q), REFUSE_HASH);
    b.content_hash = bytes(32);
    b.upload_id = bytes(3);
    CHECK_INT("upload id", parse(&q), REFUSE_UPLOAD_ID);
}

static void test_others(void)
{
    Loa__V1__ContentRequest q = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__ContentApprove approve = LOA__V1__CONTENT_APPROVE__INIT;
    Loa__V1__ContentDelete delete = LOA__V1__CONTENT_DELETE__INIT;
    Loa__V1__ContentExport export = LOA__V1__CONTENT_EXPORT__INIT;

    CHECK_INT("nothing", parse(&q), REFUSE_REQUEST);
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_APPROVE;
    q.approve = &approve;
    CHECK_INT("no approval", parse(&q), REFUSE_APPROVAL_MALFORMED);
    approve.approval = bytes(100);
    CHECK_INT("approval", parse(&q), REFUSE_NOTHING);
    CHECK_INT("its bytes", r.data.len, 100);
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_DELETE;
    q.delete_ = &delete;
    CHECK_INT("no hash", parse(&q), REFUSE_HASH);
    delete.content_hash = bytes(32);
    CHECK_INT("delete", parse(&q), REFUSE_NOTHING);
    q.what_case = LOA__V1__CONTENT_REQUEST__WHAT_EXPORT;
    q.export = &export;
    CHECK_INT("no hash", parse(&q), REFUSE_HASH);
    export.content_hash = bytes(32);
    export.offset = UINT64_MAX;
    CHECK_INT("export", parse(&q), REFUSE_NOTHING);
    CHECK_INT("offset", r.offset == UINT64_MAX, true);
    memset(buf, 0xff, 64);
    loa_arena_init(&arena, memory, sizeof memory);
    CHECK_INT("noise", wire_request(&arena, (struct loa_bytes){buf, 64}, &r),
              REFUSE_REQUEST);
}

static int parse_want(Loa__V1__Want *q)
{
    static struct want_message m;
    size_t len = loa__v1__want__pack(q, buf);

    loa_arena_init(&arena, memory, sizeof memory);
    return wire_want(&arena, (struct loa_bytes){buf, len}, &m);
}

static void test_want(void)
{
    static uint32_t ranges[2 * WANT_RANGES_MAX + 2];
    Loa__V1__Want q = LOA__V1__WANT__INIT;
    Loa__V1__WantStream s = LOA__V1__WANT_STREAM__INIT;
    Loa__V1__WantStream *streams[WANT_STREAMS_MAX + 1];

    for (size_t i = 0; i <= WANT_STREAMS_MAX; i++)
        streams[i] = &s;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        ranges[i] = 1;
    CHECK_INT("no stream", parse_want(&q), LOA_EINVAL);
    q.streams = streams;
    q.n_streams = WANT_STREAMS_MAX;
    s.stream_key = bytes(32);
    s.ranges = ranges;
    s.n_ranges = 2 * WANT_RANGES_MAX;
    CHECK_INT("as much as may be", parse_want(&q), LOA_OK);
    q.n_streams++;
    CHECK_INT("a stream more", parse_want(&q), LOA_EINVAL);
    q.n_streams = 1;
    s.n_ranges += 2;
    CHECK_INT("a range more", parse_want(&q), LOA_EINVAL);
    s.n_ranges = 3;
    CHECK_INT("half a range", parse_want(&q), LOA_EINVAL);
    s.n_ranges = 0;
    CHECK_INT("no range", parse_want(&q), LOA_EINVAL);
    s.n_ranges = 2;
    ranges[1] = 0;
    CHECK_INT("none of them", parse_want(&q), LOA_EINVAL);
    ranges[0] = UINT32_MAX;
    ranges[1] = 2;
    CHECK_INT("round the corner", parse_want(&q), LOA_EINVAL);
    ranges[0] = UINT32_MAX - 2;
    CHECK_INT("up to the corner", parse_want(&q), LOA_OK);
    s.stream_key = bytes(31);
    CHECK_INT("key", parse_want(&q), LOA_EINVAL);
}

static struct wire_programme programme;

static int parse_programme(Loa__V1__Programme *q, int64_t now, int64_t expires)
{
    size_t len = loa__v1__programme__pack(q, buf);

    loa_arena_init(&arena, memory, sizeof memory);
    return wire_programme(&arena, (struct loa_bytes){buf, len}, now, expires,
                          &programme);
}

static void test_programme(void)
{
    int64_t starts[] = {1000, 5000, 9000};
    Loa__V1__Programme q = LOA__V1__PROGRAMME__INIT;
    Loa__V1__Bulletin b = LOA__V1__BULLETIN__INIT;
    Loa__V1__Bulletin *bulletins[129];
    ProtobufCBinaryData signed_[129];
    const struct need_item *item = &programme.items[0];

    for (size_t i = 0; i < 129; i++)
        bulletins[i] = &b;
    q.bulletins = bulletins;
    q.n_bulletins = 1;
    b.content_hash = bytes(32);
    b.starts_at_ms = starts;
    b.n_starts_at_ms = 3;
    b.duration_ms = 100;
    CHECK_INT("no version", parse_programme(&q, 0, 99999), LOA_EINVAL);
    q.version = 7;
    CHECK_INT("plain", parse_programme(&q, 0, 99999), LOA_OK);
    CHECK_INT("next", item->start_at_ms, 1000);
    CHECK_INT("until", item->until_at_ms, 9100);
    CHECK_INT("on air", parse_programme(&q, 1099, 99999), LOA_OK);
    CHECK_INT("still", item->start_at_ms, 1000);
    CHECK_INT("over", parse_programme(&q, 1100, 99999), LOA_OK);
    CHECK_INT("the one after", item->start_at_ms, 5000);
    CHECK_INT("all over", parse_programme(&q, 9100, 99999), LOA_OK);
    CHECK_INT("not needed", programme.items_n, 0);
    CHECK_INT("expires before", parse_programme(&q, 0, 9000), LOA_OK);
    CHECK_INT("until the one before", item->until_at_ms, 5100);
    CHECK_INT("expires within", parse_programme(&q, 0, 9050), LOA_OK);
    CHECK_INT("until then", item->until_at_ms, 9050);
    q.n_bulletins = 128;
    CHECK_INT("as many as may be", parse_programme(&q, 0, 99999), LOA_OK);
    CHECK_INT("items", programme.items_n, 128);
    q.n_bulletins = 129;
    CHECK_INT("one more", parse_programme(&q, 0, 99999), LOA_EINVAL);
    q.n_bulletins = 1;
    for (size_t i = 0; i < 129; i++)
        signed_[i] = bytes(i + 1);
    q.approvals = q.certificates = signed_;
    q.n_approvals = 128;
    q.n_certificates = 64;
    CHECK_INT("all approvals", parse_programme(&q, 0, 99999), LOA_OK);
    CHECK_INT("so many", programme.approvals_n, 128);
    CHECK_INT("the last", programme.approvals[127].len, 128);
    CHECK_INT("certificates", programme.certificates_n, 64);
    CHECK_INT("the last one", programme.certificates[63].len, 64);
    q.n_certificates = 65;
    CHECK_INT("a certificate more", parse_programme(&q, 0, 99999), LOA_EINVAL);
    q.n_certificates = 0;
    q.n_approvals = 129;
    CHECK_INT("an approval more", parse_programme(&q, 0, 99999), LOA_EINVAL);
    q.n_approvals = 0;
    starts[0] = INT64_MAX - 5;
    CHECK_INT("end of time", parse_programme(&q, 0, 99999), LOA_EINVAL);
    starts[0] = -1;
    CHECK_INT("before time", parse_programme(&q, 0, 99999), LOA_EINVAL);
    starts[0] = 1;
    b.content_hash = bytes(3);
    CHECK_INT("hash", parse_programme(&q, 0, 99999), LOA_EINVAL);
}

static void test_manifest(void)
{
    static char title[UPLOAD_TITLE_CAP], language[UPLOAD_LANGUAGE_CAP];
    struct wire_manifest m = {.content_hash = {9, 8},
                              .media = MEDIA_TEXT,
                              .title = title,
                              .language = language,
                              .packets_n = UINT32_MAX,
                              .frames_n = UINT32_MAX,
                              .duration_ms = UINT32_MAX,
                              .pre_skip = UINT32_MAX,
                              .bytes = UINT64_MAX,
                              .loudness_lufs_x100 = -2300,
                              .true_peak_dbtp_x100 = INT32_MIN};
    uint8_t out[WIRE_MANIFEST_LEN_MAX], hash[LOA_HASH_BYTES];
    Loa__V1__ContentManifest *q;
    size_t len;

    memset(title, 't', sizeof title - 1);
    memset(language, 'l', sizeof language - 1);
    wire_manifest(&m, out, &len); /* The longest there is. */
    CHECK_INT("fits", len <= WIRE_MANIFEST_LEN_MAX, true);
    loa_arena_init(&arena, memory, sizeof memory);
    CHECK_INT("hash",
              wire_manifest_hash(&arena, (struct loa_bytes){out, len}, hash),
              LOA_OK);
    CHECK_INT("it is", memcmp(hash, m.content_hash, sizeof hash), 0);
    q = loa__v1__content_manifest__unpack(&arena.allocator, len, out);
    CHECK_INT("loudness", q->loudness_lufs_x100, -2300);
    CHECK_INT("title", strcmp(q->title, title), 0);
    CHECK_INT("cut",
              wire_manifest_hash(&arena, (struct loa_bytes){out, 20}, hash),
              LOA_EINVAL);
    CHECK_INT("none",
              wire_manifest_hash(&arena, (struct loa_bytes){out, 0}, hash),
              LOA_EINVAL);
}

/* Every refusal has its code and two sentences; a sentence ends with a stop,
 * says what to do behind a colon, and is one line. */
static void test_sentences(void)
{
    for (int i = REFUSE_NOTHING + 1; i < REFUSALS_N; i++) {
        const struct refusal_text *t = refusal_text((enum refusal)i);
        const char *both[] = {t->vi, t->en};
        char name[32];

        snprintf(name, sizeof name, "refusal %d", i);
        CHECK_INT(name, t->code > 0 && t->vi != NULL && t->en != NULL, true);
        for (int k = 0; k < 2 && both[k] != NULL; k++) {
            CHECK_INT(name, loa_line_valid(both[k], 300), true);
            CHECK_INT(name, both[k][strlen(both[k]) - 1], '.');
            CHECK_INT(name, strchr(both[k], ':') != NULL, true);
        }
    }
}

static void test_worker(void)
{
    static const struct {
        const char *name;
        int exit_code;
        const char *said;
        enum refusal_code code;
        bool again;
        const char *en;
    } rows[] = {
        {"plain", ENCODE_NOT_AUDIO,
         "loa-encode: /w/job-1.source: it is no sound file\n", REFUSAL_INVALID,
         false, "it is no sound file"},
        {"last line counts", ENCODE_TRUNCATED,
         "noise\nmore: noise\nit is cut\n", REFUSAL_INVALID, false,
         "it is cut"},
        {"a colon in it", ENCODE_TOO_LONG,
         "loa-encode: /w/x: it lasts 3:00:00: too long", REFUSAL_TOO_LARGE,
         false, "it lasts 3:00:00: too long"},
        {"no path", ENCODE_FAILED, "loa-encode: out: of luck", REFUSAL_FAILED,
         false, "out: of luck"},
        {"disk", ENCODE_NO_ROOM, "no room", REFUSAL_BUSY, true, "no room"},
        {"silent", ENCODE_NOT_AUDIO, "\n\n", REFUSAL_INVALID, false, NULL},
        {"not UTF-8", ENCODE_NOT_AUDIO, "a\xff", REFUSAL_INVALID, false, NULL},
        {"unknown", 77, "what", REFUSAL_FAILED, false, "what"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct refusal_worker w;

        refusal_worker(rows[i].exit_code, rows[i].said, &w);
        CHECK_INT(rows[i].name, w.code, rows[i].code);
        CHECK_INT(rows[i].name, w.again, rows[i].again);
        CHECK_INT(rows[i].name, w.vi != NULL && w.vi[0] != '\0', true);
        if (rows[i].en != NULL)
            CHECK_INT(rows[i].name, strcmp(w.en, rows[i].en), 0);
        else
            CHECK_INT(rows[i].name, w.en[0] != '\0' && w.en[0] != 'a', true);
    }
}

static void test_worker_line(void)
{
    struct worker_line l;

    worker_line_parse("progress 123", &l);
    CHECK_INT("progress", l.type == WORKER_LINE_PROGRESS ? l.permille : 0, 123);
    worker_line_parse("progress 99999999999", &l);
    CHECK_INT("bounded", l.permille, 1000);
    worker_line_parse("progress -1", &l);
    CHECK_INT("bounded", l.permille <= 1000, true);
    worker_line_parse("note code=x text=done frames=1", &l);
    CHECK_INT("note", l.type, WORKER_LINE_OTHER);
    worker_line_parse("", &l);
    CHECK_INT("nothing", l.type, WORKER_LINE_OTHER);
    worker_line_parse(
        "done frames=10 duration_ms=11385 lufs=-23.1 "
        "peak_dbtp=-1.25 pre_skip=312",
        &l);
    CHECK_INT("done", l.type, WORKER_LINE_DONE);
    CHECK_INT("duration", l.duration_ms, 11385);
    CHECK_INT("loudness", l.lufs_x100, -2310);
    CHECK_INT("peak", l.true_peak_dbtp_x100, -125);
    worker_line_parse("done frames=1 lufs=-inf peak_dbtp=nan", &l);
    CHECK_INT("silence", l.lufs_x100, WORKER_SILENCE_X100);
    CHECK_INT("nonsense", l.true_peak_dbtp_x100, WORKER_SILENCE_X100);
    worker_line_parse("done lufs=1e300", &l);
    CHECK_INT("bounded", l.lufs_x100, 10000);
}

int main(void)
{
    test_begin();
    test_part();
    test_find();
    test_others();
    test_want();
    test_programme();
    test_manifest();
    test_sentences();
    test_worker();
    test_worker_line();
    return CHECK_DONE();
}
