/* link: services/content-ingest/wire.c services/content-ingest/refusal.c
 * services/content-ingest/worker_line.c services/content-ingest/approved.c
 * services/content-ingest/needs.c services/content-ingest/needs_look.c */
/* Whatever a peer or the worker sends: no crash, and what is taken keeps its
 * limits. */

#include <assert.h>
#include <string.h>

#include "content-ingest/approved.h"
#include "content-ingest/worker_line.h"
#include "test/fuzz/mutator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The same bytes are read as each of them. */
static bool find(const uint8_t *data,
                 size_t len,
                 uint64_t chance,
                 struct mutator_part *part)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &loa__v1__content_request__descriptor, &loa__v1__want__descriptor,
        &loa__v1__programme__descriptor,
        &loa__v1__content_manifest__descriptor};

    (void)data;
    return mutator_whole(len, 0, types[chance % 4], part);
}

static const struct mutator mutator = {.find = find};

static _Alignas(16) uint8_t memory[1 << 20];
static struct loa_arena arena;

static void request(struct loa_bytes p)
{
    static struct wire_request r;

    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_request(&arena, p, &r) != REFUSE_NOTHING)
        return;
    assert(memchr(r.plan.title, 0, sizeof r.plan.title) != NULL);
    assert(r.find.limit <= FIND_LIMIT_MAX);
    if (r.type == WIRE_UPLOAD_BEGIN)
        assert(r.plan.size >= 1 && r.plan.size <= UPLOAD_AUDIO_MAX);
    if (r.type == WIRE_UPLOAD_PART) {
        assert(r.range.from < r.range.to);
        assert(r.range.to - r.range.from == r.data.len);
        assert(r.data.len <= UPLOAD_PART_LEN_MAX);
    }
}

static void want(struct loa_bytes p)
{
    static struct want_message m;

    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_want(&arena, p, &m) != LOA_OK)
        return;
    assert(m.streams_n >= 1 && m.streams_n <= WANT_STREAMS_MAX);
    for (size_t i = 0; i < m.streams_n; i++)
        for (size_t k = 0; k < m.streams[i].ranges_n; k++)
            assert(m.streams[i].ranges[k].count > 0);
}

static void programme(struct loa_bytes p)
{
    static struct wire_programme out;
    static struct needs needs;
    static struct loa_trust trust; /* Without a root. */
    size_t used, items_n;

    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_programme(&arena, p, 1700000000000, 1800000000000, &out) != LOA_OK)
        return;
    assert(out.items_n <= NEED_PROGRAMME_MAX);
    for (size_t i = 0; i < out.items_n; i++)
        assert(out.items[i].until_at_ms > 1700000000000 &&
               out.items[i].until_at_ms <= 1800000000000);
    needs_init(&needs);
    used = arena.used;
    items_n = out.items_n;
    assert(approved_keep(&needs, "vn/08", &trust, &arena, 1700000000000,
                         1700000000000, &out) == items_n);
    assert(out.items_n == 0 && arena.used == used);
}

static void worker(const uint8_t *data, size_t len)
{
    static char line[4096];
    struct worker_line l;
    struct refusal_worker w;

    if (len >= sizeof line)
        len = sizeof line - 1;
    memcpy(line, data, len);
    line[len] = '\0';
    worker_line_parse(line, &l);
    assert(l.permille <= 1000);
    assert(l.lufs_x100 >= WORKER_SILENCE_X100 && l.lufs_x100 <= 10000);
    refusal_worker(len > 0 ? data[0] : 0, line, &w);
    assert(w.en[0] != '\0' && strchr(w.en, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct loa_bytes p = {data, len};
    uint8_t hash[LOA_HASH_BYTES];

    request(p);
    want(p);
    programme(p);
    worker(data, len);
    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_manifest_hash(&arena, p, hash) == LOA_OK)
        assert(len <= WIRE_MANIFEST_LEN_MAX);
    return 0;
}
