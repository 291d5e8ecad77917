/* Mutated messages, very many, against the core of the loudspeaker.
 *
 *     mutate N SEED [FIRST]
 *
 * The attacker has recorded genuine messages: programmes of a neighbour, of
 * the past, without approval; approvals, heads, commands, lists of revocations,
 * acks, packets. It bends them field by field, splices parts of one into
 * another, flips bits and cuts; in each epoch it has one more key in hand with
 * which it signs what it likes. Nothing that honest people approved and planned
 * for this device is among it all, so nothing may sound; and after each epoch
 * whose key could not stop it, an honest bulletin must.
 *
 * The messages have numbers; a run begins with number FIRST, a multiple of
 * EPOCH_N, so that several processes can share one long run. */

#include <inttypes.h>
#include <time.h>

#include "test/attack/bend.h"
#include "test/unit/speaker/world.h"

#define EPOCH_N 2000
#define POOL_MAX 64
#define NEAR "vn/08/070/02218"

static struct town town;
static struct world w;
static struct town_content evil, good, speech;

/* --- chance ------------------------------------------------------------------
 */

static struct bender bender;

static size_t below(size_t n)
{
    return bend_below(&bender, n);
}

/* --- what was recorded
 * -------------------------------------------------------- */

static const char *const kinds[] = {"programme", "head", "command",
                                    "trust",     "ack",  "content"};
enum { PROGRAMME, HEAD, COMMAND, TRUST, ACK, CONTENT, KINDS_N };

static struct recorded {
    size_t kind;
    bool to_me;
    struct letter l;
} pool[POOL_MAX];
static size_t pool_n;

static struct letter *record(size_t kind, bool to_me)
{
    struct recorded *r = &pool[pool_n++];

    assert(pool_n <= POOL_MAX);
    r->kind = kind;
    r->to_me = to_me;
    return &r->l;
}

/* Whose key the attacker has, and whether honest bulletins must still sound. */
static struct person stranger, neighbour, small, pole;
static const struct grant {
    const char *name;
    const struct person *who;
    bool honest_after;
} grants[] = {
    {"no key", &stranger, true},
    {"approver", &town.approver, true},
    {"scheduler", &town.scheduler, false},
    {"registry", &town.registry, false},
    {"collector", &town.collector, true},
    {"commander", &town.commander, true},
    {"another commune's scheduler", &neighbour, true},
    {"another commune's authority", &small, true},
    {"a loudspeaker", &pole, true},
};
#define GRANTS_N (sizeof grants / sizeof grants[0])

static void people_init(void)
{
    static struct person root;

    town_init(&town);
    person_key(&root, 90, PERSON_SALT);
    person_make(&stranger, &root, 91, LOA_ROLE_SERVICE, "scheduler_08", "vn/08",
                "scheduler", LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    person_make(&neighbour, &town.province, 92, LOA_ROLE_SERVICE, "scheduler_n",
                NEAR, "scheduler", LOA_POWER_SCHEDULE | LOA_POWER_TIME);
    person_make(&small, &town.province, 93, LOA_ROLE_AUTHORITY, "small", NEAR,
                "", LOA_POWERS_ALL);
    person_make(&pole, &town.province, 94, LOA_ROLE_DEVICE, "pole_2", NEAR, "",
                0);
}

static void record_programme(const char *area,
                             int64_t at_ms,
                             uint64_t version,
                             const struct letter *approval,
                             bool unapproved,
                             const struct twist *twist)
{
    struct town_bulletin b[2] = {
        {1, 0, &evil, {at_ms + 5 * SECOND}, approval, unapproved},
        {2,
         BULLETIN_PRIORITY,
         &speech,
         {at_ms + 9 * SECOND},
         approval,
         unapproved}};

    for (size_t i = 1; i < 7; i++)
        b[0].starts[i] = b[0].starts[i - 1] + 10 * SECOND;
    town_programme(&town, area, version, b, 2, twist, at_ms,
                   record(PROGRAMME, false));
}

/* Honest, all of it, and none of it makes this device speak. */
static void record_all(int64_t at_ms)
{
    static struct letter elsewhere;
    struct twist near = {.area = NEAR},
                 old = {.issued_at_ms = at_ms - DAY, .valid_ms = HOUR};
    uint64_t version = (uint64_t)at_ms;

    pool_n = 0;
    town_approval(&town, &evil, &near, at_ms, &elsewhere);
    record_programme(NEAR, at_ms, version, &elsewhere, false, NULL);
    record_programme(NULL, at_ms, version + 1, NULL, true, NULL);
    record_programme(NULL, at_ms, version + 2, &elsewhere, false, NULL);
    record_programme(NULL, at_ms, version, NULL, false, &old);
    record_programme("vn/09", at_ms, version, NULL, true,
                     &(struct twist){.by = &stranger});
    for (uint32_t i = 0; i < 4; i++) {
        town_packet(&evil, i, NULL, record(CONTENT, false));
        town_packet(&speech, i, NULL, record(CONTENT, false));
    }
    *record(PROGRAMME, false) = elsewhere;
    town_head(&town, NULL, at_ms, version + 9, NULL, NULL, record(HEAD, false));
    town_head(&town, NEAR, at_ms, version, w.nonce, NULL, record(HEAD, true));
    town_trust(&town, 1, NULL, at_ms, record(TRUST, false));
    town_command(&town, -1, 0, "pole_2", NULL, at_ms, record(COMMAND, false));
    town_command(&town, 70, 0, "", &near, at_ms, record(COMMAND, false));
    town_ack(&town, w.log_id, 1, &near, at_ms, record(ACK, true));
}

/* --- mutations
 * ----------------------------------------------------------------- */

static const ProtobufCMessageDescriptor *root_of(const struct recorded *r)
{
    return r->kind == CONTENT ? &loa__v1__audio_packet__descriptor
                              : &loa__v1__envelope__descriptor;
}

/* The attacker signs what has become of it, with the key that it has. */
static void sign_again(struct node *top, const struct person *by)
{
    static uint8_t bytes[LOA_ENVELOPE_BYTES_MAX * 2];
    struct node *n, *first = NULL;
    struct loa_key key = by->key;
    size_t len, given = 0;
    uint64_t type = 0;
    uint8_t *p = bend_room(&bender.tree, LOA_SIGNATURE_BYTES);

    for (n = top; n != NULL && n->number != 1; n = n->next) {
    }
    if (p == NULL || n == NULL || n->type == NULL ||
        tree_len(n->child) > sizeof bytes)
        return;
    for (struct node *c = n->child; c != NULL; c = c->next)
        if (c->number == 1 && c->wire == 0)
            type = c->value;
    len = tree_write(n->child, bytes);
    if (loa_type_name((int)(type & 0x7f)) == NULL)
        return;
    loa_sign(&key, loa_type_name((int)(type & 0x7f)),
             (struct loa_bytes){bytes, len}, p);
    for (n = top; n != NULL; n = n->next) {
        if (n->number == 2 && n->type != NULL && first == NULL)
            first = n;
        if (n->number == 3 && given < by->certificates_n) {
            n->data = by->certificates[given].data;
            n->len = by->certificates[given++].len;
            n->type = NULL;
        }
    }
    for (n = first != NULL ? first->child : NULL; n != NULL; n = n->next) {
        n->data = n->number == 1 ? by->key.public_key : p;
        n->len = n->number == 1 ? LOA_KEY_BYTES : LOA_SIGNATURE_BYTES;
        n->type = NULL;
    }
}

static size_t mutate(const struct recorded *r,
                     const struct person *by,
                     uint8_t *out,
                     size_t cap)
{
    const struct recorded *other = &pool[below(pool_n)];
    struct node *top, *from;
    size_t own_n, n_all, steps = 1 + below(2) * below(4), len;

    bender.tree.nodes_n = bender.tree.room_n = bender.donor.nodes_n = 0;
    if (!tree_parse(&bender.tree, root_of(r), r->l.data, r->l.len, &top) ||
        !tree_parse(&bender.donor, root_of(other), other->l.data, other->l.len,
                    &from))
        abort(); /* They are well formed. */
    for (size_t i = 0; i < steps; i++) {
        own_n = bend_collect(&bender, top, 0);
        n_all = bend_collect(&bender, from, own_n);
        if (own_n > 0 && n_all > own_n)
            bend(&bender, &top, root_of(r), own_n, n_all);
        if (tree_len(top) > cap)
            return 0;
    }
    if (r->kind != CONTENT && below(2) == 0)
        sign_again(top, by);
    if (tree_len(top) > cap)
        return 0;
    len = tree_write(top, out);
    if (below(8) == 0)
        for (size_t i = below(3); len > 0 && i < 3; i++)
            out[below(len)] ^= (uint8_t)(1u << below(8));
    if (below(32) == 0)
        len = below(len + 1);
    return len;
}

/* --- what becomes of it
 * ---------------------------------------------------------- */

#define REASONS_MAX 64
static struct {
    char name[32];
    uint64_t n;
} reasons[REASONS_MAX];
static uint64_t accepted_n, quiet_n;

static void tally(const char *name, size_t len)
{
    for (size_t i = 0; i < REASONS_MAX; i++) {
        if (reasons[i].name[0] == '\0')
            memcpy(reasons[i].name, name,
                   len < sizeof reasons[i].name - 1
                       ? len
                       : sizeof reasons[i].name - 1);
        if (strlen(reasons[i].name) == len &&
            memcmp(reasons[i].name, name, len) == 0) {
            reasons[i].n++;
            return;
        }
    }
}

/* What the core says of the message; true: it took a programme. */
static bool listen(void)
{
    bool taken = false, said = false;

    for (size_t i = 0; i < w.s.notes_n; i++) {
        const struct speaker_note *n = &w.s.notes[i];
        const char *why = strstr(n->text, "reason=");

        if (strcmp(n->event, "message.refused") == 0 && why != NULL) {
            tally(why + 7, strcspn(why + 7, " "));
            said = true;
        }
    }
    if (!said && (w.s.programme_due || w.s.replay_due || w.s.trust_due)) {
        accepted_n++;
        taken = w.s.programme_due;
    } else if (!said) {
        quiet_n++;
    }
    return taken;
}

static bool give(const struct recorded *r, const uint8_t *data, size_t len)
{
    static const char *const areas[] = {OWN, "vn/08/070", "vn/08", "vn"};
    char topic[LOA_TOPIC_CAP];
    struct speaker_event ev = {.type = SPEAKER_MESSAGE,
                               .topic = topic,
                               .body = {data, len},
                               .retained = below(2) != 0,
                               .now = world_now(&w)};
    size_t kind = below(16) == 0 ? below(KINDS_N) : r->kind;
    bool taken;
    int rv = loa_topic_build(topic, sizeof topic, LOA_PLANE_DOWN, kinds[kind],
                             areas[below(4) == 0 ? below(4) : 0],
                             r->to_me ? w.town->device.leaf.principal : NULL);

    assert(rv == LOA_OK);
    w.s.refused_us = 0;
    speaker_step(&w.s, &ev);
    taken = listen();
    world_drain(&w);
    return taken;
}

/* Whatever it took, give it all that it could ask for, and its time. */
static void tempt(void)
{
    world_push(&w, &evil, 0);
    world_push(&w, &speech, 0);
    world_run(&w, world_at_ms(&w) + 12 * SECOND);
}

static void reboot(void)
{
    world_kill(&w);
    world_boot(&w, NULL);
    world_connect(&w);
}

static bool honest_sounds(void)
{
    struct letter *l = &pool[0].l;
    int64_t at_ms = world_at_ms(&w);
    struct town_bulletin b = {9, 0, &good, {at_ms + 10 * SECOND}, NULL, false};
    size_t before = w.plays_n;

    town_programme(&town, NULL, (uint64_t)at_ms + 100 * SECOND, &b, 1, NULL,
                   at_ms, l);
    world_give(&w, "programme", NULL, false, l, true);
    world_push(&w, &good, 0);
    world_run(&w, at_ms + MINUTE);
    return w.plays_n == before + 1 &&
           memcmp(w.plays[before].hash, good.m.hash, LOA_HASH_BYTES) == 0;
}

static bool epoch(const struct grant *g, uint64_t n)
{
    static uint8_t out[LOA_ENVELOPE_BYTES_MAX + 1024];

    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    record_all(world_at_ms(&w));
    for (uint64_t i = 0; i < n; i++) {
        const struct recorded *r = &pool[below(pool_n)];
        size_t len = mutate(r, g->who, out, sizeof out);

        if (give(r, out, len) && below(8) == 0)
            tempt();
        if (below(400) == 0)
            tempt();
        if (below(500) == 0)
            reboot();
    }
    tempt();
    if (w.plays_n != 0) {
        printf("SOUNDED with %s: bulletin %d\n", g->name, w.plays[0].id);
        return false;
    }
    if (g->honest_after && !honest_sounds()) {
        printf("SILENT after %s: an honest bulletin did not sound\n", g->name);
        world_print_receipts(&w);
        return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000, done = 0;
    uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, refused = 0;
    time_t told = time(NULL);

    people_init();
    town_content(&evil, 1, 40);
    town_content(&speech, 2, 40);
    town_content(&good, 3, 50);
    while (done < n) {
        uint64_t now = n - done < EPOCH_N ? n - done : EPOCH_N;

        /* Each epoch has a seed of its own, so that one can be repeated. */
        bender.state = seed * 1000003 + first + done;
        if (!epoch(&grants[(first + done) / EPOCH_N % GRANTS_N], now)) {
            printf("seed=%" PRIu64 " epoch at %" PRIu64 "\n", seed,
                   first + done);
            return 1;
        }
        done += now;
        if (time(NULL) - told >= 30) {
            told = time(NULL);
            printf("%" PRIu64 " of %" PRIu64 " sounded=0\n", done, n);
            fflush(stdout);
        }
    }
    for (size_t i = 0; i < REASONS_MAX && reasons[i].n > 0; i++) {
        printf("refused %-20s %" PRIu64 "\n", reasons[i].name, reasons[i].n);
        refused += reasons[i].n;
    }
    printf("mutations=%" PRIu64 " seed=%" PRIu64 " refused=%" PRIu64
           " of_no_effect=%" PRIu64 " taken_from_the_granted_key=%" PRIu64
           " sounded=0\n",
           done, seed, refused, quiet_n, accepted_n);
    return 0;
}
