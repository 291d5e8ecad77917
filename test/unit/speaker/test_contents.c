/* What is fetched, asked for, kept, thrown away. */

#include "check.h"
#include "speaker/contents.h"
#include "town.h"

#define S INT64_C(1000000)

static struct contents cs;
static struct chance chance;
static struct town_content c[20];
static const uint32_t nothing[TOWN_FRAMES_MAX];
static uint32_t have[TOWN_FRAMES_MAX];

static void setup(uint64_t bytes_max)
{
    static const uint8_t seed[CHANCE_SEED_BYTES];

    chance_init(&chance, seed);
    contents_init(&cs, bytes_max);
}

/* The contents from..to are needed, the first one soonest. */
static void need(int from, int to, int64_t now_us)
{
    contents_need_begin(&cs);
    for (int i = from; i < to; i++)
        contents_need(&cs, &c[i].m, 1000 + i);
    contents_need_end(&cs, &chance, now_us);
}

/* Carry out what is asked of the disk; returns how many of `type`. */
static int work(int64_t now_us, enum contents_op_type type)
{
    struct contents_op op;
    int n = 0;

    while (contents_take(&cs, &op, now_us)) {
        n += op.type == type;
        if (op.type == CONTENTS_OPEN)
            contents_opened(&cs, op.fetch, LOA_OK, nothing, now_us);
        else if (op.type == CONTENTS_PUT)
            contents_put_done(&cs, LOA_OK, now_us);
        else if (op.type == CONTENTS_SEAL || op.type == CONTENTS_CHECK)
            contents_job_done(&cs, LOA_OK, 500, &chance, now_us);
        else if (op.type == CONTENTS_DELETE)
            contents_deleted(&cs, op.hash, LOA_OK, now_us);
    }
    return n;
}

static enum contents_packet give(int i, uint32_t sequence, int64_t now_us)
{
    static _Alignas(16) uint8_t scratch[32 * 1024];
    static struct letter l;
    struct loa_arena arena;
    struct loa_packet k;
    enum contents_packet rv;

    town_packet(&c[i], sequence, NULL, &l);
    loa_arena_init(&arena, scratch, sizeof scratch);
    if (loa_packet_parse(&arena, (struct loa_bytes){l.data, l.len}, &k) !=
        LOA_OK)
        return CONTENTS_BAD;
    rv = contents_packet(&cs, &k, &chance, now_us);
    work(now_us, CONTENTS_PUT);
    return rv;
}

static enum content_state state(int i)
{
    const struct content *x = contents_find(&cs, c[i].m.hash);

    return x != NULL ? x->state : CONTENT_ABSENT;
}

static void test_fetching(void)
{
    setup(1 << 30);
    CHECK_INT("unknown stream", give(0, 0, 0), CONTENTS_UNKNOWN);
    need(0, 1, 0);
    CHECK_INT("not open yet", give(1, 0, 0), CONTENTS_UNKNOWN);
    work(0, CONTENTS_OPEN);
    for (uint32_t i = 0; i < c[0].m.packets_n; i++)
        CHECK_INT("packet", give(0, i, 0), CONTENTS_TAKEN);
    CHECK_INT("complete", state(0), CONTENT_COMPLETE);
    CHECK_INT("after that unknown", give(0, 0, 0), CONTENTS_UNKNOWN);
}

static void test_shapes(void)
{
    struct town_content kept = c[0];

    setup(1 << 30);
    need(0, 1, 0);
    work(0, CONTENTS_OPEN);
    CHECK_INT("taken", give(0, 1, 0), CONTENTS_TAKEN);
    CHECK_INT("again", give(0, 1, 0), CONTENTS_DUPLICATE);
    c[0].m.frames_n = 15; /* A short packet in the middle. */
    CHECK_INT("short", give(0, 1, 0), CONTENTS_BAD);
    c[0] = kept;
    c[0].m.frames_n = c[0].m.packets_n * 10 + 10;
    CHECK_INT("beyond the end", give(0, c[0].m.packets_n, 0), CONTENTS_BAD);
    c[0] = kept;
    c[0].stream = c[1].stream;
    CHECK_INT("other stream", give(0, 2, 0), CONTENTS_UNKNOWN);
    c[0] = kept;
}

static void test_wants(void)
{
    struct wire_want w;
    int64_t at = 0, last = 0;

    setup(1 << 30);
    need(0, 1, 0);
    work(0, CONTENTS_OPEN);
    CHECK_INT("the push may still come", contents_want(&cs, &chance, &w, S - 1),
              0);
    CHECK_INT("quiet", contents_want(&cs, &chance, &w, 2 * S), 1);
    CHECK_INT("all of it", w.streams[0].pairs_n, 1);
    CHECK_INT("from 0", w.streams[0].pairs[0][0], 0);
    CHECK_INT("to the end", w.streams[0].pairs[0][1], c[0].m.packets_n);
    /* Unanswered: ever more rarely, but never not at all. */
    for (int i = 0; i < 10; i++) {
        last = at;
        at = contents_deadline_us(&cs);
        CHECK_INT("not before", contents_want(&cs, &chance, &w, at - 1), 0);
        CHECK_INT("then", contents_want(&cs, &chance, &w, at), 1);
    }
    CHECK_INT("at most", at - last <= CONTENT_ASK_US_MAX * 2, 1);
    CHECK_INT("at least", at - last >= CONTENT_ASK_US_MAX, 1);
    /* An answer begins: the pause is short again, and gaps are asked for. */
    give(0, 1, at);
    give(0, 3, at);
    CHECK_INT("quiet first", contents_want(&cs, &chance, &w, at + S - 1), 0);
    CHECK_INT("gaps", contents_want(&cs, &chance, &w, at + 2 * S), 1);
    CHECK_INT("ranges", w.streams[0].pairs_n, 3);
    CHECK_INT("0", w.streams[0].pairs[0][0], 0);
    CHECK_INT("2", w.streams[0].pairs[1][0], 2);
    CHECK_INT("4 to the end", w.streams[0].pairs[2][1], c[0].m.packets_n - 4);
    for (uint32_t i = 0; i < c[0].m.packets_n; i++)
        give(0, i, at + 3 * S);
    CHECK_INT("complete: no more", contents_deadline_us(&cs), INT64_MAX);
}

static void test_nearest_first(void)
{
    struct wire_want w;

    setup(1 << 30);
    need(0, 20, 0);
    work(0, CONTENTS_OPEN);
    contents_want(&cs, &chance, &w, 2 * S);
    CHECK_INT("streams", w.streams_n, WIRE_WANT_STREAMS_MAX);
    for (size_t i = 0; i < w.streams_n; i++)
        CHECK_INT("soonest first",
                  memcmp(w.streams[i].stream_key, c[i].m.stream_key, 32), 0);
    /* The first is complete, and one that waited takes its place. */
    for (uint32_t i = 0; i < c[0].m.packets_n; i++)
        give(0, i, 3 * S);
    need(0, 20, 3 * S);
    work(3 * S, CONTENTS_OPEN);
    CHECK_INT("the next", give(16, 0, 3 * S), CONTENTS_TAKEN);
    CHECK_INT("not the one behind it", give(17, 0, 3 * S), CONTENTS_UNKNOWN);
    /* A sooner one pushes the latest out. */
    contents_need_begin(&cs);
    for (int i = 1; i < 20; i++)
        contents_need(&cs, &c[i].m, i == 19 ? 1 : 1000 + i);
    contents_need_end(&cs, &chance, 4 * S);
    work(4 * S, CONTENTS_CLOSE);
    contents_need_end(&cs, &chance, 4 * S);
    work(4 * S, CONTENTS_OPEN);
    CHECK_INT("sooner", give(19, 0, 4 * S), CONTENTS_TAKEN);
    CHECK_INT("pushed out", give(16, 1, 4 * S), CONTENTS_UNKNOWN);
}

static void complete(int i, int64_t now_us)
{
    for (uint32_t k = 0; k < c[i].m.packets_n; k++)
        give(i, k, now_us);
}

static void test_unneeded(void)
{
    setup(1 << 30);
    need(0, 2, 0);
    work(0, CONTENTS_OPEN);
    complete(0, 0);
    complete(1, 0);
    need(1, 2, S);
    CHECK_INT("kept for a day", work(CONTENT_KEEP_US, CONTENTS_DELETE), 0);
    need(1, 2, S + CONTENT_KEEP_US);
    CHECK_INT("then not", work(S + CONTENT_KEEP_US, CONTENTS_DELETE), 1);
    CHECK_INT("gone", contents_find(&cs, c[0].m.hash) == NULL, 1);
    CHECK_INT("the needed one stays", state(1), CONTENT_COMPLETE);
}

static void test_bounded(void)
{
    /* Each takes 500 bytes when complete, and needs some 2,000 to come. */
    setup(4000);
    need(0, 1, 0);
    work(0, CONTENTS_OPEN);
    complete(0, 0);
    need(1, 2, S);
    work(S, CONTENTS_OPEN);
    complete(1, S);
    CHECK_INT("fits", state(1), CONTENT_COMPLETE);
    CHECK_INT("the old one may stay", state(0), CONTENT_COMPLETE);
    setup(3000);
    need(0, 1, 0);
    work(0, CONTENTS_OPEN);
    complete(0, 0);
    need(1, 2, S);
    CHECK_INT("room is made", work(S, CONTENTS_DELETE), 1);
    complete(1, S);
    CHECK_INT("for the new one", state(1), CONTENT_COMPLETE);
    /* Nothing that is needed is ever deleted. */
    need(1, 8, 2 * S);
    CHECK_INT("not these", work(2 * S, CONTENTS_DELETE), 0);
    CHECK_INT("full", cs.full, 1);
    CHECK_INT("stays", state(1), CONTENT_COMPLETE);
}

/* The content was deleted and handed in again while it was fetched: the same
 * hash under a new stream key. The device wanted the old stream for ever. */
static void test_handed_in_again_while_fetched(void)
{
    struct town_content first = c[0], again = c[0];
    struct wire_want w;

    again.stream = c[19].stream;
    memcpy(again.m.stream_key, c[19].m.stream_key, LOA_KEY_BYTES);
    setup(1 << 30);
    need(0, 1, 0);
    work(0, CONTENTS_OPEN);
    give(0, 0, 0);
    for (int i = 0; i < 8; i++)
        contents_want(&cs, &chance, &w, contents_deadline_us(&cs));
    /* Who names the old one too keeps it, whatever the order. */
    for (int i = 0; i < 2; i++) {
        contents_need_begin(&cs);
        contents_need(&cs, i == 0 ? &first.m : &again.m, 1000);
        contents_need(&cs, i == 0 ? &again.m : &first.m, 1000);
        contents_need_end(&cs, &chance, 100 * S);
        CHECK_INT("still the old one", give(0, 0, 100 * S), CONTENTS_DUPLICATE);
    }
    c[0] = again;
    need(0, 1, 200 * S);
    CHECK_INT("asked for soon", contents_want(&cs, &chance, &w, 202 * S), 1);
    CHECK_INT(
        "by its key",
        memcmp(w.streams[0].stream_key, again.m.stream_key, LOA_KEY_BYTES), 0);
    CHECK_INT("from", w.streams[0].pairs[0][0], 1);
    CHECK_INT("what was there counts", give(0, 0, 202 * S), CONTENTS_DUPLICATE);
    for (uint32_t i = 1; i < c[0].m.packets_n; i++)
        give(0, i, 202 * S);
    CHECK_INT("complete", state(0), CONTENT_COMPLETE);
    /* A manifest of another shape begins anew. */
    c[0] = first;
    setup(1 << 30);
    need(0, 1, 0);
    work(0, CONTENTS_OPEN);
    give(0, 0, 0);
    c[0] = again;
    c[0].m.packets_n--;
    c[0].m.frames_n = c[0].m.packets_n * LOA_PACKET_FRAMES;
    need(0, 1, S);
    work(S, CONTENTS_OPEN);
    CHECK_INT("nothing of it", give(0, 0, S), CONTENTS_TAKEN);
    complete(0, S);
    CHECK_INT("complete", state(0), CONTENT_COMPLETE);
    c[0] = first;
}

/* Files found at the start are hashed before they may sound. */
static void test_found(void)
{
    struct contents_op op;

    setup(1 << 30);
    contents_found(&cs, c[0].m.hash, true, 500, 0);
    contents_found(&cs, c[1].m.hash, false, 100, 0);
    contents_found(&cs, c[2].m.hash, true, 500, 0);
    CHECK_INT("nobody needs it", work(0, CONTENTS_CHECK), 0);
    need(0, 2, 0);
    CHECK_INT("unchecked", state(0), CONTENT_UNCHECKED);
    have[0] = have[2] = 1;
    while (contents_take(&cs, &op, 0))
        if (op.type == CONTENTS_OPEN)
            contents_opened(&cs, op.fetch, LOA_OK, have, 0);
        else if (op.type == CONTENTS_CHECK)
            break;
    CHECK_INT("is hashed", op.type, CONTENTS_CHECK);
    contents_job_done(&cs, LOA_EINVAL, 0, &chance, 0);
    CHECK_INT("damaged: fetched anew", state(0), CONTENT_ABSENT);
    CHECK_INT("what was there is not fetched", give(1, 2, 0),
              CONTENTS_DUPLICATE);
    work(20 * S, CONTENTS_OPEN);
    need(0, 2, 20 * S);
    work(20 * S, CONTENTS_OPEN);
    complete(0, 20 * S);
    CHECK_INT("good again", state(0), CONTENT_COMPLETE);
    contents_distrust(&cs, contents_find(&cs, c[0].m.hash), 21 * S);
    CHECK_INT("just hashed", state(0), CONTENT_COMPLETE);
    contents_distrust(&cs, contents_find(&cs, c[0].m.hash),
                      20 * S + CONTENT_CHECK_US);
    CHECK_INT("long ago", state(0), CONTENT_UNCHECKED);
    work(20 * S + CONTENT_CHECK_US, CONTENTS_CHECK);
    CHECK_INT("hashed", state(0), CONTENT_COMPLETE);
}

static void test_disk_refuses(void)
{
    struct contents_op op;

    setup(1 << 30);
    need(0, 1, 0);
    CHECK_INT("open", contents_take(&cs, &op, 0), 1);
    contents_opened(&cs, op.fetch, LOA_ENOSPC, NULL, 0);
    need(0, 1, S);
    CHECK_INT("not at once again", work(S, CONTENTS_OPEN), 0);
    need(0, 1, CONTENT_RETRY_US);
    CHECK_INT("later", work(CONTENT_RETRY_US, CONTENTS_OPEN), 1);
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        town_content(&c[i], (uint8_t)(i + 1), 95);
    test_fetching();
    test_shapes();
    test_wants();
    test_nearest_first();
    test_unneeded();
    test_bounded();
    test_handed_in_again_while_fetched();
    test_found();
    test_disk_refuses();
    return CHECK_DONE();
}
