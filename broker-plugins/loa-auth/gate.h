/* gate.h -- the verdicts of the plugin, put together: login, subscription,
 * publication, delivery, revocation. Pure: what the broker asks comes in with
 * the time, the answer goes out. plugin.c is the only one who knows the broker.
 *
 * What a delivery costs: one strcmp() of the topic with the last one, and a
 * look at three words of the client. Only the first delivery on a topic to a
 * client, and the first after a revocation, looks at rights and certificates.
 */

#ifndef LOA_AUTH_GATE_H
#define LOA_AUTH_GATE_H

#include "left.h"
#include "login.h"
#include "topics.h"
#include "wills.h"

#define GATE_ARENA_BYTES (4 * LOA_ENVELOPE_BYTES_MAX + 65536)
#define GATE_SWEEP_N 1024 /* Rows looked at in one sweep. */
#define GATE_SWEEP_MS 50  /* Between sweeps. */
#define GATE_KICKS_MAX 64 /* Clients cut in one sweep. */

/* Whoever has made a key may log in to be enrolled: so many at once, and then
 * one more in each of these times. Together they stay below
 * SESSIONS_ENROLLING_MAX, so that nobody fills that. */
#define GATE_ENROL_BURST 60
#define GATE_ENROL_EVERY_MS 1000

#define GATE_ENDED_MAX 256 /* Connections that ended since the last TICK. */

/* Filters of one session: each costs the broker up to a kilobyte, and a right
 * for any kind, or for any area below, covers more made-up ones than there are
 * bytes. A device has one for each level, and two or three of its own. */
#define GATE_FILTERS_MAX 128

/* Why a topic is refused; the name is what the log says. */
#define GATE_VERDICT_MAP(X)                                                 \
    X(NO_SESSION, "no-session") /* Not logged in, or gone. */               \
    X(TOPIC, "bad-topic")       /* Not one of ours. */                      \
    X(RIGHT, "not-allowed")     /* No row of the table covers it. */        \
    X(FILTERS, "filters")       /* It has GATE_FILTERS_MAX already. */      \
    X(RETAIN, "retain")         /* May be sent, but not retained. */        \
    X(WILL, "will")             /* A will other than its own state LOST. */ \
    X(REVOKED, "revoked")                                                   \
    X(EXPIRED, "expired") /* A certificate of the chain has ended. */

enum gate_verdict {
    GATE_OK = 0,
#define X(code, text) GATE_##code,
    GATE_VERDICT_MAP(X)
#undef X
};

const char *gate_verdict_name(enum gate_verdict v);

/* About 45 MB of address space, of which only the rows in use are touched:
 * allocate with calloc(). Do not move it after gate_init(). */
struct gate {
    struct login_rules rules;
    struct loa_trust trust;
    uint64_t epoch; /* Counts the trust lists taken. */
    struct seen seen;
    struct topics topics;
    const struct topics_entry *topic; /* The one asked about. */
    struct wills wills;
    char told_will[WILLS_TOPIC_CAP]; /* After "will": its topic. */
    struct left left;
    struct gate_ended {
        char client_id[LOA_CLIENT_CAP];
        char holder[LOA_PRINCIPAL_CAP]; /* As left.h has it. */
    } ended[GATE_ENDED_MAX];            /* Whether it left a session behind. */
    size_t ended_n;
    const void *leaving;         /* A client that the last login pushes out. */
    int64_t remembered_until_ms; /* Wall time: no mark holds longer. */
    int64_t now_ms;              /* Wall time, as of the last call that told. */
    int64_t enrol_whole_at_ms;   /* Wall time: the burst is whole again. */
    bool reloading;              /* Until the next TICK. */
    size_t sweep_at;             /* Next row. */
    int64_t sweep_ms;            /* Monotonic time of the last sweep. */
    struct loa_arena arena;
    _Alignas(16) uint8_t memory[GATE_ARENA_BYTES];
    struct sessions sessions;
};

/* *g is all zero. */
void gate_init(struct gate *g,
               const struct login_rules *rules,
               const uint8_t root[LOA_KEY_BYTES]);

/* BASIC_AUTH. NULL: in. Else why not, as login_judge(), "full", "too-many" (who
 * want to be enrolled, see GATE_ENROL_BURST), "left-behind" (too many sessions,
 * see left.h), "in-use" (by a live one that it may not push out: without valid
 * time, or another holder) or "will" (the last connection of this principal
 * left one that it may not; told_will is its topic; said once). */
LOA_MUST_CHECK const char *gate_login(struct gate *g,
                                      const struct login_request *r);

/* RELOAD: until the next TICK the broker asks BASIC_AUTH again about everybody
 * who is in, with the password that he used up. */
void gate_reload(struct gate *g);

/* Is r about one of those? Then he stays in: gate_login() is not to be called.
 */
bool gate_asks_again(struct gate *g, const struct login_request *r);

/* DISCONNECT. */
void gate_gone(struct gate *g, const void *client);

/* TICK: the connections of made-up client ids that have ended, one after the
 * other; NULL: that was the last. Whoever asks the broker says with gate_left()
 * if it still knows the client id: then a session was left behind. */
const struct gate_ended *gate_next_ended(struct gate *g);
void gate_left(struct gate *g, const struct gate_ended *e);

/* ACL_CHECK, one function for each access. filters_n: as many as the broker
 * holds of this session, also from the connection before. */
LOA_MUST_CHECK enum gate_verdict gate_subscribe(struct gate *g,
                                                const void *client,
                                                const char *filter,
                                                size_t filters_n);
LOA_MUST_CHECK enum gate_verdict gate_read(struct gate *g,
                                           const void *client,
                                           const char *topic);

struct gate_publication {
    const void *client;
    const char *client_id; /* As the broker has it; NULL: none. */
    const char *topic;
    struct loa_bytes payload;
    bool retain;
};
LOA_MUST_CHECK enum gate_verdict gate_write(struct gate *g,
                                            const struct gate_publication *p);

/* Is p a trust list, which gate_trust() must see before it goes out? */
bool gate_is_trust(struct gate *g, const struct gate_publication *p);

/* MESSAGE: a trust list that passed gate_write(). OK: newer, believed, in force
 * (keep its bytes on disk). REPLAYED: known. Else it must not go out. */
LOA_MUST_CHECK enum loa_verdict gate_trust(struct gate *g, struct loa_bytes p);

/* REPLAYED was the verdict: was it an older one than the list in force, not the
 * same again? Then its registry was restored from a backup, and the newer one
 * must stay retained, so that it learns of it. */
bool gate_trust_older(struct gate *g, struct loa_bytes p);

/* A trust list from disk. Its own expiry is no reason to forget it. */
LOA_MUST_CHECK enum loa_verdict gate_restore(struct gate *g,
                                             struct loa_bytes p);

/* A client that must be cut: with its will, so that its state says LOST. */
struct gate_kick {
    char client_id[LOA_CLIENT_CAP];
    enum gate_verdict why; /* REVOKED or EXPIRED. */
};

/* TICK. Every GATE_SWEEP_MS looks at the next GATE_SWEEP_N rows: forgets who is
 * long gone and fills kicks[0..return value). */
size_t gate_tick(struct gate *g,
                 int64_t now_ms,
                 int64_t monotonic_ms,
                 struct gate_kick kicks[GATE_KICKS_MAX]);

#endif /* LOA_AUTH_GATE_H */
