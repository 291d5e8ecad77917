/* speaker.h -- the pure core of the agent on the pole.
 *
 * Events come in with both clocks; operations come out, one at a time, and the
 * outcome of each goes back in by speaker_done() before the next is taken. It
 * verifies, decides what sounds and when, and what is reported; it does no I/O,
 * reads no clock and never allocates. The shell's whole loop is
 *
 *     speaker_step(s, &event);
 *     while (speaker_take(s, &op))
 *         speaker_done(s, &op, perform(&op));
 *
 * Nothing is acted on before what must survive a power cut is durable: that is
 * the order in which operations come out. */

#ifndef LOA_SPEAKER_SPEAKER_H
#define LOA_SPEAKER_SPEAKER_H

#include "proto/identity.h"
#include "speaker/agenda.h"
#include "speaker/chance.h"
#include "speaker/contents.h"
#include "speaker/ledger.h"
#include "speaker/memo.h"
#include "speaker/player.h"
#include "speaker/programmes.h"
#include "speaker/receipts.h"
#include "speaker/walltime.h"
#include "speaker/wire.h"

#define SPEAKER_TICK_US 1000000 /* Longest time between two TICKs. */
#define SPEAKER_HEALTH_US 60000000
#define SPEAKER_STALE_MS 900000 /* Without a head for so long. */
#define SPEAKER_RECKON_US 600000000
#define SPEAKER_CHECK_MS                                                   \
    60000                             /* Contents are hashed again so long \
                                         before they sound. */
#define SPEAKER_MEMO_US 600000000     /* The time floor is saved so often. */
#define SPEAKER_LAZY_US 10000000      /* What may be lost is saved so often. */
#define SPEAKER_SESSIONS 16           /* Reserved by one write. */
#define SPEAKER_STATE_US 5000000      /* Until a refused State goes again. */
#define SPEAKER_STORAGE_US 10000000   /* Until the disk is tried again. */
#define SPEAKER_KEEP_US_MAX 600000000 /* Between two tries to keep a file. */
#define SPEAKER_ASK_RETAINED_US 30000000
#define SPEAKER_JUMP_US 2000000 /* Wall time moved against monotonic. */
#define SPEAKER_RECEIPTS_VALID_MS 86400000
#define SPEAKER_OUT_BYTES 20480
#define SPEAKER_SCRATCH_BYTES (512 * 1024)
#define SPEAKER_NOTES_MAX 32
#define SPEAKER_NOTE_CAP 240

struct speaker_conf {
    const struct loa_identity *identity; /* Enrolled; lent for ever. */
    const char *model;
    const char *software;
    enum walltime_source clock;
    int64_t place_offset_ms;
    uint64_t content_bytes_max;
    uint32_t volume_percent; /* Until a command says otherwise. */
    uint8_t seed[CHANCE_SEED_BYTES];
};

/* --- events --------------------------------------------------------------- */

struct speaker_now {
    int64_t now_us; /* Monotonic. */
    int64_t at_us;  /* The system's wall clock, read at the same moment. */
};

enum speaker_event_type {
    SPEAKER_TICK,       /* speaker_deadline_us() has come, or earlier. */
    SPEAKER_CONNECTING, /* A connection is tried: the will is needed. */
    SPEAKER_CONNECTED,  /* All filters are granted. */
    SPEAKER_LOST,
    SPEAKER_MESSAGE,  /* topic, body, retained. */
    SPEAKER_PERIOD,   /* period: then speaker_plan(). */
    SPEAKER_PLAYED,   /* The last plan was handed over; concealed_n. */
    SPEAKER_JOB_DONE, /* The content job ended: status, bytes. */
    SPEAKER_SOUND,    /* The output works (status LOA_OK) or not. */
    SPEAKER_STOPPING, /* The process ends in good order. */
};

struct speaker_event {
    enum speaker_event_type type;
    struct speaker_now now;
    const char *topic;
    struct loa_bytes body;
    bool retained;
    struct player_period period;
    uint64_t concealed_n[PLAYER_VOICES]; /* Samples, of each voice. */
    int status;
    uint64_t bytes;
};

/* --- operations ----------------------------------------------------------- */

enum speaker_op_type {
    SPEAKER_NOTE,         /* level, event, text: one line of log. */
    SPEAKER_SAVE,         /* file, name, body: durably, before it returns. */
    SPEAKER_LOAD,         /* name: the programme file of an area; if there is
                             one, speaker_from_disk(). */
    SPEAKER_STORE,        /* receipts: append durably. */
    SPEAKER_READ,         /* receipts first.. n: by speaker_batch(). */
    SPEAKER_TRIM,         /* Drop the first n records of the log. */
    SPEAKER_CONTENT,      /* content: see contents.h. */
    SPEAKER_VOICE_OPEN,   /* voice, hash, pre_skip: ready to be read. */
    SPEAKER_VOICE_CLOSE,  /* voice. */
    SPEAKER_SILENCE,      /* What the output still buffers must not sound. */
    SPEAKER_SEND,         /* topic, body, qos, retain; connected only. */
    SPEAKER_HEALTH,       /* health: add what the shell knows, and send. */
    SPEAKER_ASK_RETAINED, /* area: subscribe again to get what is retained. */
};

enum speaker_file {
    SPEAKER_FILE_MEMO, /* The first three are kept twice, see slot.h. */
    SPEAKER_FILE_REPLAY,
    SPEAKER_FILE_LEDGER,
    SPEAKER_FILE_TRUST,
    SPEAKER_FILE_PROGRAMME,
};

enum speaker_level { SPEAKER_WARN, SPEAKER_INFO, SPEAKER_DEBUG };

struct speaker_op {
    enum speaker_op_type type;
    enum speaker_level level;
    const char *event; /* NOTE */
    const char *text;
    enum speaker_file file;
    const char *name; /* Area of a programme. */
    const char *topic;
    struct loa_bytes body;
    int qos;
    bool retain;
    const struct receipt *receipts;
    uint64_t first;
    uint64_t n;
    struct contents_op content;
    int voice;
    const uint8_t *hash;
    uint32_t pre_skip;
    struct wire_health *health;
};

/* --- the core ------------------------------------------------------------- */

struct speaker_note {
    enum speaker_level level;
    const char *event;
    char text[SPEAKER_NOTE_CAP];
};

struct speaker {
    struct speaker_conf conf;
    const char *area, *id;  /* Into conf.identity. */
    struct speaker_now now; /* Of the event that is dealt with. */
    int64_t started_us;
    struct chance chance;
    struct walltime time;
    int64_t time_offset_us; /* When the plans were last reckoned. */
    bool time_was_trusted;

    struct loa_trust trust;
    struct loa_replay replay;
    struct memo memo;
    struct ledger ledger;
    struct programmes programmes;
    struct contents contents;
    struct receipts receipts;
    struct player player;
    struct player_plan plan;
    int64_t next_first_at_us; /* Of the turn that begins in the plan. */
    int64_t agenda_us;        /* Monotonic: when to look again. */
    bool reckon;              /* Who needs what may have changed. */
    int64_t reckon_us;        /* When it is looked at anyway. */

    bool connected, stopping;
    bool state_due, memo_due, memo_soon, ledger_due, ledger_soon;
    bool session_due; /* It will be told: the memo has to have it before. */
    bool trust_due, replay_due, programme_due, silence_due;
    bool trust_unsaved;  /* The disk refused it. */
    bool trust_new;      /* The one that is being saved was not held before. */
    int64_t trust_at_ms; /* When the list that is being saved was signed. */
    bool voice_closing[PLAYER_VOICES];
    size_t load_depth; /* Load the programme of the ancestor of this depth; 0:
                          nothing to load. */
    char load_area[LOA_AREA_CAP];
    size_t ask_depth; /* The same for what is retained. */
    char ask_area[LOA_AREA_CAP];
    int64_t ask_retained_us; /* When it was asked for last. */
    int64_t memo_us, health_us;
    int64_t state_us; /* Not before. */

    bool storage_failed, content_failed, sound_failed;
    int64_t storage_us;    /* When the disk is tried again. */
    int64_t keep_us;       /* When what it did not keep is asked for again, */
    int64_t keep_pause_us; /* and for how long then not. */

    struct loa_bytes pending_body; /* TRUST, PROGRAMME: lent by the event. */
    struct wire_command command;   /* Waits for the replay table to be saved. */
    uint8_t command_id[LOA_ID_BYTES];
    enum loa_verdict late;  /* How the command looks by our clock. */
    int64_t stop_before_ms; /* A Stop is for what was planned before. */

    int64_t head_at_ms; /* Newest signed time. */
    int64_t clock_offset_us;
    uint64_t refused_n, refused_noted_n;
    int64_t refused_us;
    uint64_t played_n, concealed_n; /* Samples. */

    size_t notes_n, note_taken;
    struct speaker_note notes[SPEAKER_NOTES_MAX];
    struct wire_health health;
    char out_topic[LOA_TOPIC_CAP];
    uint8_t out[SPEAKER_OUT_BYTES];
    uint8_t will[2048];
    size_t will_len;
    uint8_t batch[SPEAKER_OUT_BYTES]; /* A sealed RECEIPTS envelope. */
    size_t batch_len;                 /* 0: none. */
    uint64_t batch_last;
    int64_t batch_us; /* The last one could not be sent: not before. */
    struct wire_want want;
    bool loaded_memo, loaded_replay, loaded_ledger;
    bool restart_told;
    uint64_t session; /* Of this connection; memo.session is reserved. */
    int64_t lazy_us;  /* When what may wait is saved next. */
    uint8_t file[MEMO_REPLAY_BYTES_MAX + LEDGER_BYTES_MAX];
    _Alignas(16) uint8_t scratch[SPEAKER_SCRATCH_BYTES];
    _Alignas(16) uint8_t judge_scratch[48 * 1024];
};

/* Make *s (static memory, zeroed) a speaker that knows nothing yet. Then, in
 * this order and before the first event, what the disk has: memo, the other
 * files, receipts, the log, contents. */
void speaker_init(struct speaker *s,
                  const struct speaker_conf *conf,
                  const struct speaker_now *now);
/* body: of the slot record or of the TRUST file. Not called for a file that is
 * missing or damaged: that counts as lost. LOA_EINVAL: the same. */
LOA_MUST_CHECK int speaker_load(struct speaker *s,
                                enum speaker_file file,
                                struct loa_bytes body);
/* Receipts that are in the log, in order, then (required) the log itself. */
void speaker_recall(struct speaker *s, const struct receipt *r);
void speaker_load_log(struct speaker *s,
                      const uint8_t log_id[LOA_ID_BYTES],
                      uint64_t first,
                      uint64_t next);
void speaker_found(struct speaker *s,
                   const uint8_t hash[LOA_HASH_BYTES],
                   bool complete,
                   uint64_t bytes);

void speaker_step(struct speaker *s, const struct speaker_event *ev);

/* The next thing to do. Everything lent in *op is valid until speaker_done().
 * False: nothing for now. */
bool speaker_take(struct speaker *s, struct speaker_op *op);
void speaker_done(struct speaker *s, const struct speaker_op *op, int status);

/* Outcomes that carry more than a status. Instead of speaker_done() for a
 * CONTENTS_OPEN that succeeded: have[i] is not 0 if packet i is on disk. */
void speaker_opened(struct speaker *s,
                    const struct speaker_op *op,
                    const uint32_t *have);
/* The broker did not take the State that was sent: it is said again. */
void speaker_state_refused(struct speaker *s);
/* Before speaker_done() of READ and LOAD, if they found something. */
void speaker_batch(struct speaker *s, const struct receipt *rows, size_t n);
void speaker_from_disk(struct speaker *s, struct loa_bytes body);

/* Of the last SPEAKER_PERIOD. */
const struct player_plan *speaker_plan(const struct speaker *s);
/* Does something sound, or will it within AGENDA_ARM_MS? Periods are wanted. */
bool speaker_sounding(const struct speaker *s);
uint32_t speaker_volume(const struct speaker *s);

/* When the next TICK is wanted at the latest (monotonic). */
int64_t speaker_deadline_us(const struct speaker *s);

/* The time to log in with: the best there is, believed or not. */
int64_t speaker_login_ms(const struct speaker *s,
                         const struct speaker_now *now);

/* The will of the connection that is being made. */
struct loa_bytes speaker_will(const struct speaker *s);

#endif /* LOA_SPEAKER_SPEAKER_H */
