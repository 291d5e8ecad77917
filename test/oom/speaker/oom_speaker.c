/* Memory runs out in a loudspeaker's core, from the message to the decision to
 * sound: it says what was approved or nothing, and what it is told when there
 * is memory again it does. And in each reader of its wire alone. */

#include "loa/v1/registry.pb-c.h"
#include "speaker/speaker.h"
#include "test/oom/oom.h"

/* Only the core is short of memory, not the world around it. */
static bool core_short;
#define IN_CORE(call)             \
    do {                          \
        oom_resume(core_short);   \
        call;                     \
        core_short = oom_pause(); \
    } while (0)

static void core_step(struct speaker *s, const struct speaker_event *ev)
{
    IN_CORE(speaker_step(s, ev));
}

static bool core_take(struct speaker *s, struct speaker_op *op)
{
    bool more;

    IN_CORE(more = speaker_take(s, op));
    return more;
}

static void core_done(struct speaker *s, const struct speaker_op *op, int rv)
{
    IN_CORE(speaker_done(s, op, rv));
}

static int core_load(struct speaker *s,
                     enum speaker_file file,
                     struct loa_bytes body)
{
    int rv;

    IN_CORE(rv = speaker_load(s, file, body));
    return rv;
}

static void core_from_disk(struct speaker *s, struct loa_bytes body)
{
    IN_CORE(speaker_from_disk(s, body));
}

#define speaker_step core_step
#define speaker_take core_take
#define speaker_done core_done
#define speaker_load core_load
#define speaker_from_disk core_from_disk
#include "story.h"

static struct letter programme, next_programme, head, list, order, ack;
static struct letter evil_programme, packets[2][20];
static struct town_content evil;
static uint64_t plays_n;

static void prepare(void)
{
    struct town_bulletin good = {1, 0, &speech, {T0 + 5 * SECOND}, NULL, false},
                         later = {2,    0,    &other, {T0 + 20 * SECOND},
                                  NULL, false},
                         bad = {66, 0, &evil, {T0 + 6 * SECOND}, NULL, true};
    struct world *first = &w;

    town_content(&evil, 66, 20);
    town_content(&speech, 1, 30);
    town_content(&other, 2, 20);
    world_init(first, &town);
    town_programme(&town, NULL, (uint64_t)T0, &good, 1, NULL, T0, &programme);
    town_programme(&town, NULL, (uint64_t)T0 + 9, &later, 1, NULL,
                   T0 + 7 * SECOND, &next_programme);
    town_programme(&town, "vn/08/070", (uint64_t)T0, &bad, 1, NULL, T0,
                   &evil_programme);
    town_head(&town, NULL, T0, (uint64_t)T0, NULL, NULL, &head);
    town_trust(&town, 1, NULL, T0, &list);
    town_command(&town, 70, 0, "", NULL, T0, &order);
    for (uint32_t i = 0; i < speech.m.packets_n; i++)
        town_packet(&speech, i, NULL, &packets[0][i]);
    for (uint32_t i = 0; i < evil.m.packets_n; i++)
        town_packet(&evil, i, NULL, &packets[1][i]);
}

static void push(const struct letter *p, const struct town_content *c)
{
    for (uint32_t i = 0; i < c->m.packets_n; i++)
        world_give(&w, "content", NULL, false, &p[i], false);
}

static void check_plays(bool may_fail)
{
    for (size_t i = 0; i < w.plays_n; i++) {
        assert(w.plays[i].id == 1);
        assert(memcmp(w.plays[i].hash, speech.m.hash, LOA_HASH_BYTES) == 0);
        assert(w.plays[i].first_at_us >= (T0 + 5 * SECOND) * 1000);
    }
    assert(w.plays_n <= 1 && (may_fail || w.plays_n == 1));
    plays_n += w.plays_n;
}

/* With memory again: everything new is taken and sounds. */
static void check_afterwards(void)
{
    size_t before = w.plays_n;

    if (!w.running)
        world_boot(&w, NULL);
    if (!w.connected)
        world_connect(&w);
    /* A broker retains the list: who forgot it is silent without it. */
    world_give(&w, "trust", "vn/08", false, &list, true);
    world_give(&w, "programme", NULL, false, &next_programme, true);
    world_push(&w, &other, 0);
    world_run(&w, T0 + 22 * SECOND);
    assert(w.plays_n == before + 1 && w.plays[before].id == 2);
}

static void run_story(bool may_fail)
{
    core_short = oom_pause();
    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    world_give(&w, "trust", "vn/08", false, &list, true);
    world_give(&w, "programme", "vn/08/070", false, &evil_programme, true);
    world_give(&w, "programme", NULL, false, &programme, true);
    world_give(&w, "head", NULL, false, &head, true);
    world_give(&w, "command", NULL, false, &order, false);
    push(packets[1], &evil);
    push(packets[0], &speech);
    world_run(&w, T0 + 1 * SECOND);
    /* The plan is read again from the disk. */
    world_kill(&w);
    world_boot(&w, NULL);
    world_connect(&w);
    world_run(&w, T0 + 7 * SECOND);
    core_short = false;
    check_plays(may_fail);
    check_afterwards();
    world_kill(&w);
}

/* --- readers -------------------------------------------------------------- */

static struct loa_envelope e;
static _Alignas(16) uint8_t room[8 * LOA_ENVELOPE_BYTES_MAX];
static uint8_t manifest[1024], enrolment[4096];
static struct loa_bytes manifest_body, enrolment_body;

static struct loa_bytes body_of(const struct letter *from)
{
    static _Alignas(16) uint8_t memory[4 * LOA_ENVELOPE_BYTES_MAX];
    struct loa_arena arena;
    bool was = oom_pause();
    int rv;

    loa_arena_init(&arena, memory, sizeof memory);
    rv = loa_envelope_parse(&arena, (struct loa_bytes){from->data, from->len},
                            &e);
    assert(rv == LOA_OK);
    oom_resume(was);
    return e.header.body;
}

static void prepare_bodies(void)
{
    Loa__V1__ContentManifest m = LOA__V1__CONTENT_MANIFEST__INIT;
    Loa__V1__Enrolment n = LOA__V1__ENROLMENT__INIT;
    Loa__V1__RegistryAnswer a = LOA__V1__REGISTRY_ANSWER__INIT;
    Loa__V1__Status ok = LOA__V1__STATUS__INIT;
    static uint8_t inner[2048];
    ProtobufCBinaryData chain[2];

    m.content_hash = bin(speech.m.hash, LOA_HASH_BYTES);
    m.stream_key = bin(speech.m.stream_key, LOA_KEY_BYTES);
    m.packets_n = speech.m.packets_n;
    m.frames_n = speech.m.frames_n;
    m.duration_ms = speech.m.duration_ms;
    m.bytes = speech.m.bytes;
    manifest_body = (struct loa_bytes){
        manifest, loa__v1__content_manifest__pack(&m, manifest)};
    for (size_t i = 0; i < 2; i++)
        chain[i] = bin(town.device.certificates[i].data,
                       town.device.certificates[i].len);
    n.certificates = chain;
    n.n_certificates = 2;
    n.root = bin(town.root.key.public_key, LOA_KEY_BYTES);
    n.proof = bin(speech.m.hash, LOA_HASH_BYTES);
    a.enrolment = bin(inner, loa__v1__enrolment__pack(&n, inner));
    a.status = &ok;
    enrolment_body = (struct loa_bytes){
        enrolment, loa__v1__registry_answer__pack(&a, enrolment)};
    town_ack(&town, w.log_id, 1, NULL, T0, &ack);
}

static struct loa_arena *arena(void)
{
    static struct loa_arena a;

    loa_arena_init(&a, room, sizeof room);
    return &a;
}

static void run_programme(bool may_fail)
{
    static struct programme p;

    assert(wire_programme(arena(), body_of(&programme), &p) == LOA_OK ||
           may_fail);
}

static void run_small(bool may_fail)
{
    struct wire_head h;
    struct wire_command c;
    struct wire_ack a;
    struct manifest m;
    struct wire_enrolment n;

    assert(wire_head(arena(), body_of(&head), &h) == LOA_OK || may_fail);
    assert(wire_command(arena(), body_of(&order), &c) == LOA_OK || may_fail);
    assert(wire_ack(arena(), body_of(&ack), &a) == LOA_OK || may_fail);
    assert(wire_manifest(arena(), manifest_body, &m) == LOA_OK || may_fail);
    assert(
        (wire_enrolment(arena(), enrolment_body, &n) == LOA_OK && n.granted) ||
        may_fail);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    if (story_init() != 0)
        return 1;
    prepare();
    prepare_bodies();
    oom_case("read a programme", run_programme);
    oom_case("read the small messages", run_small);
    oom_case("message, disk, reboot, sound", run_story);
    printf("  the bulletin sounded %" PRIu64 " times, nothing else ever did\n",
           plays_n);
    oom_report("speaker");
    return CHECK_DONE();
}
