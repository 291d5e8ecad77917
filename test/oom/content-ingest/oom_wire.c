/* Memory runs out while content-ingest reads requests, wants, programmes and
 * manifests: refused, never half read. */

#include "content-ingest/wire.h"

#include "loa/v1/programme.pb-c.h"
#include "loa/v1/services.pb-c.h"
#include "test/oom/oom.h"

#define NOW_MS INT64_C(1700000000000)

static _Alignas(16) uint8_t memory[1 << 18];
static uint8_t bytes[4][1024];
static struct loa_bytes part, want, programme, manifest;
static uint8_t id[LOA_HASH_BYTES] = {7};

static void prepare(void)
{
    Loa__V1__ContentRequest r = LOA__V1__CONTENT_REQUEST__INIT;
    Loa__V1__UploadPart u = LOA__V1__UPLOAD_PART__INIT;
    Loa__V1__Want w = LOA__V1__WANT__INIT;
    Loa__V1__WantStream s = LOA__V1__WANT_STREAM__INIT, *streams[] = {&s};
    Loa__V1__Programme p = LOA__V1__PROGRAMME__INIT;
    Loa__V1__Bulletin b = LOA__V1__BULLETIN__INIT, *bulletins[] = {&b, &b};
    Loa__V1__ContentManifest m = LOA__V1__CONTENT_MANIFEST__INIT;
    uint32_t ranges[] = {0, 10};
    int64_t starts[] = {NOW_MS + 1000};

    u.upload_id = (ProtobufCBinaryData){LOA_ID_BYTES, id};
    u.data = (ProtobufCBinaryData){sizeof id, id};
    r.what_case = LOA__V1__CONTENT_REQUEST__WHAT_UPLOAD_PART;
    r.upload_part = &u;
    part = (struct loa_bytes){bytes[0],
                              loa__v1__content_request__pack(&r, bytes[0])};
    s.stream_key = (ProtobufCBinaryData){LOA_KEY_BYTES, id};
    s.ranges = ranges;
    s.n_ranges = 2;
    w.streams = streams;
    w.n_streams = 1;
    want = (struct loa_bytes){bytes[1], loa__v1__want__pack(&w, bytes[1])};
    b.bulletin_id = u.upload_id;
    b.content_hash = (ProtobufCBinaryData){LOA_HASH_BYTES, id};
    b.starts_at_ms = starts;
    b.n_starts_at_ms = 1;
    b.duration_ms = 1000;
    b.class_ = LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_NORMAL;
    p.version = 3;
    p.bulletins = bulletins;
    p.n_bulletins = 2;
    programme =
        (struct loa_bytes){bytes[2], loa__v1__programme__pack(&p, bytes[2])};
    m.content_hash = b.content_hash;
    manifest = (struct loa_bytes){
        bytes[3], loa__v1__content_manifest__pack(&m, bytes[3])};
}

static struct loa_arena *arena(void)
{
    static struct loa_arena a;

    loa_arena_init(&a, memory, sizeof memory);
    return &a;
}

static void run_all(bool may_fail)
{
    static struct wire_request r;
    static struct want_message m;
    static struct wire_programme p;
    uint8_t hash[LOA_HASH_BYTES];
    int rv;

    if (wire_request(arena(), part, &r) == REFUSE_NOTHING)
        assert(r.type == WIRE_UPLOAD_PART && r.data.len == sizeof id);
    else
        assert(may_fail);
    rv = wire_want(arena(), want, &m);
    assert(rv == LOA_OK ? m.streams_n == 1 : may_fail);
    rv = wire_programme(arena(), programme, NOW_MS, NOW_MS + 100000, &p);
    assert(rv == LOA_OK ? p.version == 3 && p.items_n > 0 : may_fail);
    rv = wire_manifest_hash(arena(), manifest, hash);
    assert(rv == LOA_OK ? memcmp(hash, id, sizeof hash) == 0 : may_fail);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    prepare();
    oom_case("read what peers send", run_all);
    return oom_report("content-ingest");
}
