/* scheduler.h -- the pure core: what is asked, decided, and to be written.
 *
 * The core decides at once and changes its memory at once. The shell writes
 * everything a step hands out in ONE database batch and lets answers,
 * programmes and heads out after the commit. A batch that fails ends the
 * process: memory is then ahead of the tables, and a restart reads the truth.
 */

#ifndef LOA_SCHEDULER_SCHEDULER_H
#define LOA_SCHEDULER_SCHEDULER_H

#include "scheduler/conflict.h"
#include "scheduler/programme.h"
#include "scheduler/released.h"
#include "scheduler/say.h"

/* What one scheduler holds, at most: the areas of the whole country before and
 * after 2025, a province's bulletins for a year. */
#define SCHEDULER_AREAS_MAX 196608 /* As many as the registry has states. */
#define SCHEDULER_BULLETINS_MAX 65536
#define SCHEDULER_PLACEMENTS_MAX 262144
#define SCHEDULER_APPROVALS_MAX 32768
#define SCHEDULER_CERTIFICATES_MAX 4096

#define SCHEDULER_BACK_MS INT64_C(60000)      /* A clock set back by more. */
#define SCHEDULER_AHEAD_MS (366 * LOA_DAY_MS) /* Furthest first start. */
#define SCHEDULER_ENTRIES_MAX 200             /* In one answer. */
#define SCHEDULER_ENTRY_STARTS_MAX 64         /* Of one entry. */
#define SCHEDULER_ENTRIES_BYTES 48000         /* All of them, encoded. */
#define SCHEDULER_PROGRAMMES_MAX BULLETIN_AREAS_MAX /* Made in one step. */
#define SCHEDULER_CHANGES_MAX                                                 \
    64                            /* Bulletins cancelled or forgotten in one. \
                                   */
#define SCHEDULER_JUDGED_MAX 32   /* Approvals judged in one. */
#define SCHEDULER_LOOKED_MAX 4096 /* Rows looked at in one. */

/* --- requests, as wire.c reads them --------------------------------------- */

enum scheduler_what {
    SCHEDULER_ADD,
    SCHEDULER_CHANGE,
    SCHEDULER_CANCEL,
    SCHEDULER_FIND,
    SCHEDULER_RELEASE,
    SCHEDULER_WHATS_N,
};

/* Lengths and characters are checked; nothing else is. */
struct scheduler_request {
    enum scheduler_what what;
    bool by_id; /* bulletin_id is set; always but for FIND and RELEASE. */
    uint8_t bulletin_id[LOA_ID_BYTES];
    struct loa_bytes approval; /* Lent. CHANGE: empty, as it was. */
    uint32_t areas_n;
    char areas[BULLETIN_AREAS_MAX][LOA_AREA_CAP];
    unsigned class;
    int64_t start_at_ms;
    unsigned frequency;
    unsigned weekdays;
    int64_t until_ms; /* ADD: of the recurrence. FIND: of the time searched. */
    char title[BULLETIN_TITLE_CAP];
    bool dry_run;
    uint8_t content_hash[LOA_HASH_BYTES]; /* RELEASE; dry_run: ask only. */
    /* FIND: */
    char under[LOA_AREA_CAP]; /* "": the asker's area. */
    int64_t from_ms;
    bool resume; /* After this one: */
    int64_t after_start_ms;
    uint8_t after_id[LOA_ID_BYTES];
    uint32_t limit; /* 0: 100. */
};

/* --- answers -------------------------------------------------------------- */

struct scheduler_answer {
    struct say say;
    /* Areas of an entry that neither lie in this one nor hold it are not
     * shown: what another district does is its own business. */
    char viewer[LOA_AREA_CAP];
    /* Occurrences of entries are listed if they end after from and start
     * before until. */
    int64_t from_ms, until_ms;
    uint32_t entries_n, conflicts_n, interrupts_n;
    /* Rows of bulletins; BULLETIN_NONE is scheduler.candidate, which is not
     * in the plan: a dry run. */
    uint32_t entries[SCHEDULER_ENTRIES_MAX];
    uint32_t conflicts[CONFLICTS_MAX];
    uint32_t interrupts[CONFLICTS_MAX];
    int64_t proposed_start_at_ms;
    bool more;             /* FIND: entries follow after the last one here, */
    int64_t last_start_ms; /* whose first start in the time searched is this. */
};

/* --- events and updates --------------------------------------------------- */

enum scheduler_event_type {
    SCHEDULER_REQUEST,
    SCHEDULER_AREAS,     /* A page of the registry's tree. */
    SCHEDULER_TRUST,     /* A newer trust list is believed. */
    SCHEDULER_TICK,      /* Time has passed, or the last update said `more`. */
    SCHEDULER_COMMITTED, /* Programmes of an update are durable. */
    SCHEDULER_SEEN,      /* The broker holds a programme that we signed. Nothing
                            comes of it where the registry has named no area
                            and we have made no programme. */
};

struct scheduler_area {
    char path[LOA_AREA_CAP];
    struct area_span valid;
};

/* A programme by its version; the hash is that of its envelope. */
struct scheduler_made {
    uint32_t area;
    uint64_t version;
    uint8_t hash[LOA_HASH_BYTES];
};

struct scheduler_event {
    enum scheduler_event_type type;
    int64_t at_ms; /* Wall time. */
    bool doubted;  /* That time is not to be believed: nothing is planned, made
                      or forgotten now. */
    /* REQUEST; lent, and so is what they point to: */
    const struct scheduler_request *request;
    const struct loa_certificate *who;
    const struct loa_bytes *certificates; /* That came with it. */
    size_t certificates_n;
    /* AREAS: */
    const struct scheduler_area *areas;
    uint32_t areas_n;
    bool areas_complete; /* It was the last page. */
    /* COMMITTED: */
    const struct scheduler_made *made;
    uint32_t made_n;
    /* SEEN: */
    const char *seen_area;
    uint64_t seen_version;
};

struct scheduler_programme {
    uint32_t area; /* Row; its state is in areas.rows[area].programme. */
    struct loa_bytes envelope;
    uint32_t omitted_n; /* Bulletins that did not fit: our limits failed. */
};

/* Everything is lent until the next step. */
struct scheduler_update {
    const struct scheduler_answer *answer; /* REQUEST; else NULL. */
    bool durable; /* Something below is to be written, in one batch. */
    struct loa_bytes approval; /* To be stored with its row; empty: none. */
    uint32_t approval_row;
    const struct released_row *released; /* To be written; NULL: none. */
    uint32_t bulletins_n; /* Added or changed: rows to be written. */
    uint32_t bulletins[SCHEDULER_CHANGES_MAX];
    uint32_t forgotten_n; /* To be moved to the past. */
    uint8_t forgotten[SCHEDULER_CHANGES_MAX][LOA_ID_BYTES];
    uint32_t programmes_n;
    struct scheduler_programme programmes[SCHEDULER_PROGRAMMES_MAX];
    bool more; /* Send a TICK soon: there is work left. */
};

struct scheduler_conf {
    struct plan_limits limits;
    struct loa_trust *trust;  /* Lent. */
    struct loa_signer signer; /* Lent: the scheduler's own key and chain. */
    char area[LOA_AREA_CAP];  /* The scheduler's own: it serves no other. */
    int64_t min_lead_ms;
    unsigned horizon_days; /* 1..PROGRAMME_HORIZON_DAYS_MAX */
    unsigned keep_days;    /* Bulletins are remembered after their end. */
};

/* What is left to do for the whole of a table, a piece per TICK. */
enum scheduler_pass { PASS_JUDGE, PASS_ROLL, PASS_FORGET, PASSES_N };

struct scheduler {
    struct scheduler_conf conf;
    struct plan plan;
    struct released released;
    uint64_t revision; /* Of the plan; rises with every change. */
    bool areas_known;  /* The copy of the tree was complete once. */
    int64_t at_ms;     /* Of the newest event whose time was believed. */
    int64_t window_end_ms;
    unsigned passes; /* Bits of those that are under way. */
    uint32_t cursors[PASSES_N];
    uint32_t judge_pass; /* Counts PASS_JUDGE, to judge each approval once. */
    struct {             /* The asker judged last, by this chain. */
        bool known;      /* In this piece of the pass. */
        uint64_t serial;
        uint8_t issuer[LOA_KEY_BYTES];
        struct approvals_chain chain;
        bool revoked;
    } asker;
    struct scheduler_answer answer;
    struct bulletin candidate; /* What is being asked for. */
    uint32_t candidate_areas[BULLETIN_AREAS_MAX], candidate_areas_n;
    uint32_t spare_approval; /* Of the candidate; dropped at the next step. */
    struct programme_maker maker;
    uint8_t *envelopes; /* SCHEDULER_PROGRAMMES_MAX * LOA_ENVELOPE_BYTES_MAX */
};

/* Takes all memory there will ever be. LOA_ENOMEM; LOA_EINVAL: conf is wrong.
 * On error nothing is left open. */
LOA_MUST_CHECK int scheduler_open(struct scheduler *s,
                                  const struct scheduler_conf *conf);
void scheduler_close(struct scheduler *s);

/* Restore what the tables say, before the first step: areas, then their
 * programmes, then bulletins. LOA_EINVAL: a row makes no sense; LOA_EBUSY: more
 * than the limits. */
LOA_MUST_CHECK int scheduler_load_area(struct scheduler *s,
                                       const struct scheduler_area *a);
LOA_MUST_CHECK int scheduler_load_programme(struct scheduler *s,
                                            const char *path,
                                            const struct area_programme *g);
/* *b as it was handed out, but for approval, requester_chain (packed here),
 * rule.until_ms and end_ms. */
LOA_MUST_CHECK int scheduler_load_bulletin(struct scheduler *s,
                                           const struct bulletin *b,
                                           const char (*areas)[LOA_AREA_CAP],
                                           uint32_t areas_n,
                                           struct loa_bytes approval,
                                           struct loa_bytes chain);

/* A content that was let go; the earliest first. */
LOA_MUST_CHECK int scheduler_load_released(struct scheduler *s,
                                           const struct released_row *r);

/* Advance by one event and fill *up. LOA_EBUSY only for AREAS: the tree is
 * larger than the limits. */
LOA_MUST_CHECK int scheduler_step(struct scheduler *s,
                                  const struct scheduler_event *ev,
                                  struct scheduler_update *up);

/* May staff of `viewer` see what is placed in `area`? */
bool scheduler_sees(const char *viewer, const char *area);

const char *scheduler_why_name(enum bulletin_why why);

#endif /* LOA_SCHEDULER_SCHEDULER_H */
